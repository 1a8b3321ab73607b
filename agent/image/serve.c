/* serve.c - the worker's process: started, given what it asks for, heard, and ended in time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/image/image_limits.h"
#include "agent/image/stock_priv.h"
#include "common/show.h"

enum { PIPE_BYTES = 1 << 20, EXIT_MS = 1000, SEND_MS = 10000 };

static const size_t part_max[CHAN_PART_COUNT] = { IMAGE_INVENTORY_BYTES, IMAGE_OWNERS_BYTES, 4 << 20 };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int left_ms(const struct stock *st)
{
	uint64_t now = now_ns(), left = now < st->deadline_ns ? (st->deadline_ns - now) / 1000000 + 1 : 0;

	return left > INT32_MAX ? INT32_MAX : (int)left;
}

/* ---- start ---- */

static int add_actions(posix_spawn_file_actions_t *fa, int sock)
{
	int r = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDWR, 0);

	r = r ? r : posix_spawn_file_actions_adddup2(fa, 0, 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* What a hostile image makes a library print is for nobody. */
	r = r ? r : posix_spawn_file_actions_adddup2(fa, 0, 2);
#endif
	r = r ? r : posix_spawn_file_actions_adddup2(fa, sock, WORKER_SOCK);
	return r ? r : posix_spawn_file_actions_addclosefrom_np(fa, WORKER_SOCK + 1);
}

static int add_attributes(posix_spawnattr_t *at)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	int r = posix_spawnattr_setflags(at, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = r ? r : posix_spawnattr_setsigmask(at, &none);
	return r ? r : posix_spawnattr_setsigdefault(at, &all);
}

static int spawn(int sock, int *ret_pid, struct err *err)
{
	/* Nothing of our environment: neither secrets nor what libraries listen to; but sanitizers' options. */
	static const char *const kept[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" };
	char name[] = "picket-agent", command[] = IMAGE_WORKER_COMMAND;
	char *argv[] = { name, command, NULL }, *env[ARRAY_LEN(kept) + 1] = { 0 };
	char values[ARRAY_LEN(kept)][512];
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (getenv(kept[i]) &&
		    snprintf(values[n], sizeof(values[n]), "%s=%s", kept[i], getenv(kept[i])) < (int)sizeof(values[n]))
			env[n] = values[n], n++;
	if (posix_spawn_file_actions_init(&fa) || posix_spawnattr_init(&at))
		return err_set(err, ENOMEM, "start the worker");
	int r = add_actions(&fa, sock);
	r = r ? r : add_attributes(&at);
	r = r ? r : posix_spawn(ret_pid, "/proc/self/exe", &fa, &at, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	return r ? err_set(err, r, "start the worker") : 0;
}

/* An unlinked file to spool large files to. */
static int open_spool(const struct stock *st, struct err *err)
{
	const char *dir = st->o->spool_dir ? st->o->spool_dir : getenv("TMPDIR");
	char path[4096];

	dir = dir && *dir ? dir : "/tmp";
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (snprintf(path, sizeof(path), "%s/picket-spool-XXXXXX", dir) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "open a spool in '%.120s'", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open a spool in '%.120s'", dir);
	unlink(path);
	return fd;
}

/* An empty folder that nobody finds: the root of a worker that reads no folders. */
static int open_empty(const struct stock *st)
{
	const char *dir = st->o->spool_dir ? st->o->spool_dir : getenv("TMPDIR");
	char path[4096];

	if (geteuid() != 0 ||
	    snprintf(path, sizeof(path), "%s/picket-root-XXXXXX", dir && *dir ? dir : "/tmp") >= (int)sizeof(path) ||
	    !mkdtemp(path))
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rmdir(path);
	return fd;
}

static int send_job(struct stock *st, struct err *err)
{
	CLEANUP(fd_closep) int spool = -1;
	CLEANUP(fd_closep) int empty = -1;
	struct source *s = &st->source;
	int r = chan_send(st->sock, CHAN_JOB, 0, 0, 0, slice_from(&s->job, sizeof(s->job)), -1, err);

	for (size_t i = 0; r >= 0 && i < s->folder_count; i++)
		r = chan_send(st->sock, CHAN_FOLDER, 0, 0, 0, SLICE_NONE, s->folders[i], err);
	if (s->root_fd < 0 && !s->folder_count)
		empty = open_empty(st);
	if (r >= 0 && (s->root_fd >= 0 || empty >= 0))
		r = chan_send(st->sock, CHAN_ROOT, 0, 0, 0, SLICE_NONE, s->root_fd >= 0 ? s->root_fd : empty, err);
	if (r >= 0 && s->job.form != WORKER_FOLDERS) {
		r = spool = open_spool(st, err);
		if (r >= 0)
			r = chan_send(st->sock, CHAN_SPOOL, 0, 0, 0, SLICE_NONE, spool, err);
	}
	return r < 0 ? r : chan_send(st->sock, CHAN_GO, 0, 0, 0, SLICE_NONE, -1, err);
}

static int start(struct stock *st, struct err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "start the worker");
	st->sock = pair[0];
	/* A worker that asks and does not listen keeps nobody. */
	uint64_t ms = st->limits.time_ms < SEND_MS ? st->limits.time_ms : SEND_MS;
	const struct timeval limit = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };
	(void)setsockopt(st->sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	int r = spawn(pair[1], &st->pid, err);
	close(pair[1]);
	if (r < 0)
		st->pid = 0;
	return r < 0 ? r : send_job(st, err);
}

/* ---- what the worker says ---- */

static void keep_failure(struct stock *st)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	int code = st->msg->a > 0 && st->msg->a < 4096 ? (int)st->msg->a : ERR_CORRUPT;

	buf_init(&text, 4096);
	show_text(&text, st->msg->data, sizeof(st->worker_err.msg) - 1);
	if (code == ENOMEM)
		(void)err_set(&st->worker_err, ERR_LIMIT, "it takes more than %d MiB of memory to read: %s",
			      IMAGE_WORKER_DATA_BYTES >> 20, text.n ? text.p : "");
	else /* errno's words are in the message already */
		(void)err_set(&st->worker_err, code < 1024 ? 1024 : code, "%s", text.n ? text.p : "");
	st->worker_err.code = code == ENOMEM ? ERR_LIMIT : code;
}

static int on_message(struct stock *st, struct err *err)
{
	struct chan_msg *m = st->msg;
	struct image_progress p = { (uint32_t)m->a, m->what, m->b, 0 };

	if (m->data.n == sizeof(p.total_bytes))
		memcpy(&p.total_bytes, m->data.p, sizeof(p.total_bytes));
	if (m->fd >= 0)
		close(m->fd); /* the worker has nothing to give */
	switch (m->kind) {
	case CHAN_READY:
		return 0;
	case CHAN_PROGRESS:
		if (st->o->progress)
			st->o->progress(st->o->arg, &p);
		return 0;
	case CHAN_ASK:
		st->state = STOCK_ASKED;
		return 0;
	case CHAN_PART:
		if (m->what >= CHAN_PART_COUNT)
			break;
		buf_add_slice(&st->parts[m->what], m->data);
		return st->parts[m->what].failed ? err_set(err, ERR_LIMIT, "the worker's answer is too large") : 0;
	case CHAN_DONE:
		st->state = STOCK_DONE;
		return 0;
	case CHAN_FAILED:
		keep_failure(st);
		st->state = STOCK_FAILED;
		return 0;
	default:
		break;
	}
	return err_set(err, ERR_CORRUPT, "the worker said what it may not say (%u)", m->kind);
}

/* How the worker ended that said nothing. */
static int tell_end(int status, struct err *err)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	switch (sig) {
	case SIGSYS:
		return err_set(err, ERR_CORRUPT, "the worker tried what it may not do and was ended (SIGSYS)");
	case SIGKILL:
		return err_set(err, ERR_LIMIT, "the worker was killed: out of memory, or by somebody");
	case SIGXCPU:
		return err_set(err, ERR_LIMIT, "reading the image took too much CPU time");
	case SIGXFSZ:
		return err_set(err, ERR_LIMIT, "a file of the image is too large for the spool");
	case 0:
		return err_set(err, ERR_CORRUPT, "the worker ended without an answer (exit code %d)",
			       WEXITSTATUS(status));
	default:
		return err_set(err, ERR_CORRUPT, "the worker crashed while it read the image (signal %d)", sig);
	}
}

/* One that only seems to be gone (it closed its socket) gets a second. */
static int reap(struct stock *st, bool kill_it)
{
	const struct timespec step = { 0, 5000000 };
	int status = 0, r = 0;

	if (!st->pid)
		return 0;
	for (unsigned waited = 0; !kill_it && r <= 0 && waited < EXIT_MS; waited += 5) {
		r = waitpid(st->pid, &status, WNOHANG);
		if (!r)
			nanosleep(&step, NULL);
	}
	if (r <= 0) {
		kill(st->pid, SIGKILL);
		do
			r = waitpid(st->pid, &status, 0);
		while (r < 0 && errno == EINTR);
	}
	st->pid = 0;
	return status;
}

static int too_late(const struct stock *st, struct err *err)
{
	return err_set(err, ETIMEDOUT, "not done within %llu s", (unsigned long long)st->limits.time_ms / 1000);
}

/* The next message, within the time that is left. */
static int hear(struct stock *st, struct err *err)
{
	struct pollfd p = { st->sock, POLLIN, 0 };
	int n, ms;

	/* One that talks without an end is late, too. */
	do {
		ms = left_ms(st);
		n = ms ? poll(&p, 1, ms) : 0;
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? err_set(err, errno, "wait for the worker") : too_late(st, err);
	int r = chan_receive(st->sock, st->msg, err);
	if (r == 0)
		return tell_end(reap(st, false), err);
	return r < 0 ? r : on_message(st, err);
}

/* ---- what it asks for ---- */

struct pump {
	struct stock *st;
	int fd;
	int r; /* of what went wrong with the worker */
	struct err err;
};

bool pump_write(struct pump *p, struct slice piece)
{
	while (piece.n) {
		struct pollfd fds[2] = { { p->fd, POLLOUT, 0 }, { p->st->sock, POLLIN, 0 } };
		int ms = left_ms(p->st), n = ms ? poll(fds, 2, ms) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			p->r = n < 0 ? err_set(&p->err, errno, "hand over a layer") : too_late(p->st, &p->err);
			return false;
		}
		if (fds[1].revents) {
			p->r = hear(p->st, &p->err);
			if (p->r < 0 || p->st->state != STOCK_WORKING)
				return false;
		}
		if (!fds[0].revents)
			continue;
		ssize_t done = send(p->fd, piece.p, piece.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (done < 0)
			return false; /* it wants no more */
		piece = slice_sub(piece, (size_t)done, piece.n);
	}
	return true;
}

static int run_pump(struct stock *st, struct err *err)
{
	CLEANUP(fd_closep) int read_end = -1;
	CLEANUP(fd_closep) int write_end = -1;
	struct pump p = { .st = st };
	int ends[2];

	/* No pipe: writing to one whose reader is gone is a signal to this whole process. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(err, errno, "hand over a layer");
	read_end = ends[0];
	write_end = p.fd = ends[1];
	(void)setsockopt(write_end, SOL_SOCKET, SO_SNDBUF, &(int){ PIPE_BYTES }, sizeof(int));
	int r = chan_send(st->sock, CHAN_REPLY, 0, 1, UINT64_MAX, SLICE_NONE, read_end, err);
	if (r < 0)
		return r;
	close(read_end);
	read_end = -1;
	struct err e = { 0 };
	r = st->source.pump(&st->source, &p, &e);
	/* The worker sees an end that comes early; why, only this side knows. */
	if (r < 0 && !st->source_err.code)
		st->source_err = e;
	if (p.r < 0 && err)
		*err = p.err;
	return p.r;
}

static int find_answer(struct stock *st, struct answer *ret, struct err *err)
{
	struct source *s = &st->source;
	bool is_folder = st->msg->what == CHAN_ASK_LAYER || st->msg->what == CHAN_ASK_OPAQUE;

	if (!s->answer || (s->folder_count && is_folder))
		return source_answer_folder(s, st->msg, ret, err);
	return s->answer(s, st->msg, ret, err);
}

static int answer(struct stock *st, struct err *err)
{
	struct answer a = { .fd = -1 };
	struct err e = { 0 };

	st->state = STOCK_WORKING;
	int r = find_answer(st, &a, &e);
	if (r >= 0 && a.is_pipe)
		return run_pump(st, err);
	if (r < 0) {
		if (!st->source_err.code)
			st->source_err = e;
		r = chan_send(st->sock, CHAN_REPLY, (uint32_t)e.code, 0, 0, slice_of(e.msg), -1, err);
	} else {
		r = chan_send(st->sock, CHAN_REPLY, 0, a.a, a.b, SLICE_NONE, a.fd, err);
	}
	if (a.fd >= 0)
		close(a.fd);
	return r;
}

static int converse(struct stock *st, struct err *err)
{
	int r = start(st, err);

	while (r >= 0 && st->state != STOCK_DONE && st->state != STOCK_FAILED)
		r = st->state == STOCK_ASKED ? answer(st, err) : hear(st, err);
	if (r < 0 || st->state == STOCK_DONE)
		return r;
	/* Of two errors the cause. */
	if (err)
		*err = st->source_err.code ? st->source_err : st->worker_err;
	return st->source_err.code ? -st->source_err.code : -st->worker_err.code;
}

int stock_serve(struct stock *st, struct err *err)
{
	st->msg = malloc(sizeof(*st->msg));
	st->sock = -1;
	st->state = STOCK_WORKING;
	st->deadline_ns = now_ns() + st->limits.time_ms * 1000000u;
	for (size_t i = 0; i < CHAN_PART_COUNT; i++)
		buf_init(&st->parts[i], part_max[i]);
	int r = st->msg ? converse(st, err) : err_set(err, ENOMEM, "start the worker");
	/* A worker that died in the middle of a message to it: how it ended says more than EPIPE. */
	bool gone = r == -EPIPE || r == -ECONNRESET;
	int status = reap(st, !gone);
	if (gone)
		r = tell_end(status, err);
	if (st->sock >= 0)
		close(st->sock);
	free(st->msg);
	st->msg = NULL;
	st->sock = -1;
	return r;
}
