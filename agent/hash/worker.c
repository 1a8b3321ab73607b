/* worker.c - see worker.h.
 *
 * A file is pinned (opened without being read) as soon as it is asked for, between two pieces of another one: what ran
 * for a millisecond has no executable any more when its turn to be read comes. */
#include "agent/hash/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include "agent/hash/fs.h"
#include "agent/hash/question.h"
#include "common/cleanup.h"
#include "common/slice.h"

enum { JOBS = 256, PIECE_BYTES = 128 * 1024, IDLE_MS = 20000, NICE = 10, SOCKET = 0 };
#define SECOND_NS 1000000000ull
/* Two writes in one tick of the kernel's clock leave one ctime: a file that young is looked at when it is older. */
#define FRESH_NS 20000000ull
#define SAY_EVERY_NS SECOND_NS

struct job {
	uint64_t id;
	struct hash_key key;
	int fd; /* O_PATH */
};

struct worker {
	struct job jobs[JOBS]; /* a ring */
	size_t first, count;
	uint64_t max_bytes, rate;
	uint64_t free_ns; /* when the bytes read so far are paid for */
	uint64_t said_ns;
	/* the first job, once it is being read */
	int fd;
	uint64_t size, done;
	EVP_MD_CTX *sha;
	bool is_over; /* the agent is gone */
	unsigned char piece[PIECE_BYTES];
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

static void say(struct worker *w, uint64_t id, enum hash_state state, const uint8_t *sha256)
{
	struct hash_answer a = { .id = id, .state = state };

	if (sha256)
		memcpy(a.sha256, sha256, sizeof(a.sha256));
	w->said_ns = now_ns(CLOCK_MONOTONIC);
	if (send(SOCKET, &a, sizeof(a), MSG_NOSIGNAL) < 0 && errno != EINTR)
		w->is_over = true;
}

/* ---- which file ---- */

static uint64_t time_ns(struct statx_timestamp t)
{
	return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* Is it the file that was run, and as it was then? The device is not compared: an overlay's files have those of the
 * layers below. */
static bool is_same(const struct hash_key *k, const struct statx *st)
{
	return st->stx_ino == k->inode && time_ns(st->stx_ctime) == k->ctime_ns && time_ns(st->stx_mtime) == k->mtime_ns;
}

static int look(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, ret) < 0 ? -errno : 0;
}

/* By the path it was run by, below a process's root; links lead nowhere: the kernel's path has none. */
static int open_below(const char *root, const struct hash_question *q)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	struct statx st;

	CLEANUP(fd_closep) int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(fd_closep) int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, q->path, &how, sizeof(how));
	return fd >= 0 && look(fd, &st) >= 0 && is_same(&q->key, &st) ? take_fd(&fd) : -1;
}

/* The first process of its container may see it, its parent, and on the host itself everybody. */
static int open_path(const struct hash_question *q)
{
	char root[64];

	if (!q->path_bytes || q->path[0] != '/')
		return -1;
	for (size_t i = 0; i < 2; i++) {
		if (!q->root_pids[i])
			continue;
		snprintf(root, sizeof(root), "/proc/%u/root", q->root_pids[i]);
		int fd = open_below(root, q);
		if (fd >= 0)
			return fd;
	}
	return q->root_pids[0] == 1 ? open_below("/", q) : -1;
}

static void pin(struct worker *w, const struct hash_question *q)
{
	struct job *j = &w->jobs[(w->first + w->count) % JOBS];
	struct statx st;
	char exe[64];

	say(w, q->id, HASH_ALIVE, NULL);
	snprintf(exe, sizeof(exe), "/proc/%u/exe", q->pid);
	int fd = open(exe, O_PATH | O_CLOEXEC);
	/* The process may have started something else, its number may be another's. */
	if (fd < 0 || look(fd, &st) < 0 || !is_same(&q->key, &st)) {
		if (fd >= 0)
			close(fd);
		fd = open_path(q);
	}
	if (fd < 0) {
		say(w, q->id, HASH_GONE, NULL);
		return;
	}
	*j = (struct job){ .id = q->id, .key = q->key, .fd = fd };
	w->count++;
}

/* All that is asked now, as far as there is room. */
static void take_questions(struct worker *w)
{
	struct hash_question q;

	while (w->count < JOBS && !w->is_over) {
		ssize_t n = recv(SOCKET, &q, sizeof(q), MSG_DONTWAIT);
		size_t fixed = offsetof(struct hash_question, path);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < (ssize_t)fixed || q.path_bytes >= sizeof(q.path) || (size_t)n != fixed + q.path_bytes) {
			w->is_over = true;
			return;
		}
		q.path[q.path_bytes] = 0;
		pin(w, &q);
	}
}

/* ---- reading ---- */

static void end_job(struct worker *w, enum hash_state state, const uint8_t *sha256)
{
	struct job *j = &w->jobs[w->first];

	say(w, j->id, state, sha256);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	close(j->fd);
	w->first = (w->first + 1) % JOBS;
	w->count--;
}

static enum hash_state open_file(struct worker *w, const struct job *j, struct statx *st)
{
	char path[64];
	struct statfs fs;

	if (look(j->fd, st) < 0)
		return HASH_UNREADABLE;
	if (!is_same(&j->key, st))
		return HASH_CHANGED;
	if (!S_ISREG(st->stx_mode))
		return HASH_SKIPPED;
	if (st->stx_size > w->max_bytes)
		return HASH_TOO_LARGE;
	if (fstatfs(j->fd, &fs) < 0 || hash_fs_may_hang((uint64_t)fs.f_type))
		return HASH_SKIPPED;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", j->fd);
	w->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME | O_NONBLOCK | O_NOCTTY);
	if (w->fd < 0 && errno == EPERM)
		w->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	w->size = st->stx_size;
	w->done = 0;
	return w->fd < 0 || EVP_DigestInit_ex(w->sha, EVP_sha256(), NULL) != 1 ? HASH_UNREADABLE : HASH_KNOWN;
}

static void finish(struct worker *w, const struct job *j)
{
	uint8_t sha256[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct statx st;

	if (EVP_DigestFinal_ex(w->sha, sha256, &n) != 1 || n != HASH_SHA256_BYTES || look(w->fd, &st) < 0)
		end_job(w, HASH_UNREADABLE, NULL);
	else if (w->done != w->size || !is_same(&j->key, &st))
		end_job(w, HASH_CHANGED, NULL);
	else
		end_job(w, HASH_KNOWN, sha256);
}

/* Each piece is paid for by waiting; a second's worth may be read at once after a rest. */
static void pay(struct worker *w, size_t bytes)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC), least = now > SECOND_NS ? now - SECOND_NS : 0;

	if (w->free_ns < least)
		w->free_ns = least;
	w->free_ns += bytes * SECOND_NS / w->rate;
}

static void read_piece(struct worker *w, const struct job *j)
{
	ssize_t n = read(w->fd, w->piece, sizeof(w->piece));

	if (n < 0 && errno == EINTR)
		return;
	if (n < 0) {
		end_job(w, HASH_UNREADABLE, NULL);
		return;
	}
	if (!n) {
		finish(w, j);
		return;
	}
	w->done += (uint64_t)n;
	pay(w, (size_t)n);
	if (w->done > w->size || EVP_DigestUpdate(w->sha, w->piece, (size_t)n) != 1)
		end_job(w, HASH_CHANGED, NULL);
	else if (now_ns(CLOCK_MONOTONIC) - w->said_ns >= SAY_EVERY_NS)
		say(w, j->id, HASH_ALIVE, NULL);
}

/* How long the first job is too young to be looked at. */
static uint64_t youth_ns(const struct job *j)
{
	uint64_t now = now_ns(CLOCK_REALTIME);

	return now >= j->key.ctime_ns && now - j->key.ctime_ns < FRESH_NS ? j->key.ctime_ns + FRESH_NS - now : 0;
}

static void work(struct worker *w)
{
	const struct job *j = &w->jobs[w->first];
	struct statx st;

	if (w->fd >= 0) {
		read_piece(w, j);
		return;
	}
	say(w, j->id, HASH_ALIVE, NULL);
	enum hash_state state = open_file(w, j, &st);
	if (state != HASH_KNOWN)
		end_job(w, state, NULL);
}

/* How long nothing is to be done but listening. */
static uint64_t pause_ns(const struct worker *w)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC), young = w->fd < 0 ? youth_ns(&w->jobs[w->first]) : 0;
	uint64_t unpaid = w->free_ns > now ? w->free_ns - now : 0;

	return unpaid > young ? unpaid : young;
}

static int serve(struct worker *w)
{
	while (!w->is_over) {
		struct pollfd p = { .fd = w->count < JOBS ? SOCKET : -1, .events = POLLIN };

		take_questions(w);
		if (w->is_over)
			break;
		if (!w->count) {
			if (!poll(&p, 1, IDLE_MS))
				return 0;
			continue;
		}
		uint64_t wait = pause_ns(w);
		if (wait) {
			/* Within a pause it says that it lives, as slow as it may have been told to be. */
			if (now_ns(CLOCK_MONOTONIC) - w->said_ns >= SAY_EVERY_NS)
				say(w, w->jobs[w->first].id, HASH_ALIVE, NULL);
			if (wait > SAY_EVERY_NS)
				wait = SAY_EVERY_NS;
			(void)poll(&p, 1, (int)(wait / 1000000) + 1);
			continue;
		}
		work(w);
	}
	return 0;
}

int hash_worker_main(int argc, char **argv)
{
	static struct worker w;

	if (argc < 2 || strcmp(argv[1], "hash-worker") != 0)
		return -1;
	w.fd = -1;
	if (argc != 4 || !slice_to_u64(slice_of(argv[2]), &w.max_bytes) || !slice_to_u64(slice_of(argv[3]), &w.rate) || !w.rate)
		return 2;
	/* It goes last when others want the processor, gains no rights, and does not outlive the agent. */
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	w.sha = EVP_MD_CTX_new();
	int r = w.sha ? serve(&w) : 1;
	EVP_MD_CTX_free(w.sha);
	return r;
}
