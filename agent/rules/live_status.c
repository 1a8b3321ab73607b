/* live_status.c - what only /proc can tell of a process, read when a rule asks and not before.
 *
 * It may have exited, and is then without these values. That a pid was not given to another meanwhile is
 * checked by its start. Everything read is bounded. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/rules/live_priv.h"

enum {
	TICK_NS = 10000000,
	STATUS_BYTES = 8192,
	SOCKETS_BYTES = 256 * 1024, /* of a table of sockets */
	OPEN_MAX_COUNT = 65536,
	FDS_MAX = 1024, /* whose kinds are told */
};

/* At most size - 1 bytes, ended by a NUL. */
static bool read_file(int dir, const char *name, char *dst, size_t size)
{
	CLEANUP(fd_closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t n = 0;

	while (fd >= 0 && n < size - 1) {
		ssize_t r = read(fd, dst + n, size - 1 - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	dst[n] = 0;
	return n;
}

/* Start of a process in ticks since boot; field 22, counted from behind the name. */
static uint64_t start_ticks(int dir)
{
	char text[1024];

	if (!read_file(dir, "stat", text, sizeof(text)))
		return 0;
	char *at = strrchr(text, ')');
	for (unsigned i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

/* /proc/PID of the event's process; -1: gone, or another's. */
static int open_self(const struct live_query *q)
{
	const struct event_process *p = live_process(q);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%u", world_proc_root(q->live->world), p->pid);
	CLEANUP(fd_closep) int dir = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	uint64_t start = start_ticks(dir), event = p->start_ns / TICK_NS;
	return start && start + 1 >= event && start <= event + 1 ? take_fd(&dir) : -1;
}

/* "VmRSS:     1234 kB" -> 1234 */
static bool status_number(const struct live_query *q, const char *file, const char *key, uint64_t *ret)
{
	CLEANUP(fd_closep) int dir = open_self(q);
	char text[STATUS_BYTES], *at;

	if (dir < 0 || !read_file(dir, file, text, sizeof(text)))
		return false;
	at = strstr(text, key);
	if (!at)
		return false;
	*ret = strtoull(at + strlen(key), NULL, 10);
	return true;
}

#define STATUS(field, file, key, expr)                                                             \
	static bool field(const struct live_query *q, struct rules_value *ret)                     \
	{                                                                                          \
		uint64_t v;                                                                        \
		return status_number(q, file, key, &v) && live_num(ret, (int64_t)(expr));          \
	}
STATUS(nthreads, "status", "\nThreads:", v)
STATUS(nchilds, "status", "\nThreads:", v ? v - 1 : 0)
STATUS(vmsize, "status", "\nVmSize:", v)
STATUS(vmrss, "status", "\nVmRSS:", v)
STATUS(vmswap, "status", "\nVmSwap:", v)
STATUS(fdlimit, "limits", "\nMax open files", v)

static bool vtid(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *p = live_process(q);
	char name[64];
	uint64_t v;

	if (p->tid == p->pid)
		return live_num(ret, p->vpid);
	if (p->pid == p->vpid)
		return live_num(ret, p->tid);
	snprintf(name, sizeof(name), "task/%u/status", p->tid);
	CLEANUP(fd_closep) int dir = open_self(q);
	char text[STATUS_BYTES];
	if (dir < 0 || !read_file(dir, name, text, sizeof(text)))
		return false;
	char *at = strstr(text, "\nNSpid:"), *end;
	if (!at)
		return false;
	/* The innermost namespace is told last. */
	for (at += 7;; at = end) {
		uint64_t next = strtoull(at, &end, 10);

		if (end == at || *end == '\n' || !*end) {
			v = end == at ? 0 : next;
			break;
		}
		v = next;
	}
	return v && live_num(ret, (int64_t)v);
}

/* ---- descriptors ---- */

static bool fdopencount(const struct live_query *q, struct rules_value *ret)
{
	CLEANUP(fd_closep) int dir = open_self(q);
	struct stat st;

	/* Since Linux 6.2 the size is the number. */
	if (dir < 0)
		return false;
	if (!fstatat(dir, "fd", &st, 0) && st.st_size)
		return live_num(ret, st.st_size);
	int fd = openat(dir, "fd", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *e; ret->num < OPEN_MAX_COUNT && (e = readdir(d));)
		ret->num += e->d_name[0] != '.';
	closedir(d);
	return true;
}

static bool fdusage(const struct live_query *q, struct rules_value *ret)
{
	struct rules_value count = { 0 }, limit = { 0 };

	return fdopencount(q, &count) && fdlimit(q, &limit) && limit.num > 0 &&
	       live_num(ret, count.num * 100 / limit.num);
}

/* Does text hold the number as a word of its own? */
static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += n)
		if (at > text && at[-1] == ' ' && (at[n] == ' ' || at[n] == '\n'))
			return true;
	return false;
}

/* Is the socket of that inode in a table of /proc/PID/net? */
static bool has_socket(int dir, const char *table, const char *inode)
{
	enum { KEPT = 64 }; /* longer than a number: one may lie across two reads */
	CLEANUP(fd_closep) int fd = openat(dir, table, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[KEPT + 8192 + 1];
	size_t kept = 0, all = 0;
	ssize_t n;

	while (fd >= 0 && all < SOCKETS_BYTES && (n = read(fd, text + kept, 8192)) > 0) {
		size_t end = kept + (size_t)n;

		text[end] = 0;
		if (has_word(text, inode))
			return true;
		kept = end > KEPT ? KEPT : end;
		memmove(text, text + end - kept, kept);
		all += (size_t)n;
	}
	return false;
}

static enum live_fd_kind socket_kind(int dir, struct slice link)
{
	static const struct {
		const char *table;
		enum live_fd_kind kind;
	} tables[] = {
		{ "net/tcp", LIVE_FD_IPV4 },   { "net/unix", LIVE_FD_UNIX }, { "net/tcp6", LIVE_FD_IPV6 },
		{ "net/udp", LIVE_FD_IPV4 },   { "net/udp6", LIVE_FD_IPV6 },
	};
	uint64_t number;
	char inode[32];

	/* "socket:[123]" */
	if (!slice_to_u64(slice_sub(link, 8, link.n > 9 ? link.n - 9 : 0), &number))
		return LIVE_FD_OTHER_SOCK;
	snprintf(inode, sizeof(inode), "%" PRIu64, number);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (has_socket(dir, tables[i].table, inode))
			return tables[i].kind;
	return LIVE_FD_OTHER_SOCK;
}

static struct slice link_of(const struct live_query *q, int dir, const char *name)
{
	char *text = arena_alloc(q->scratch, PATH_MAX);
	ssize_t n = text ? readlinkat(dir, name, text, PATH_MAX) : -1;

	return slice_from(text, n > 0 ? (size_t)n : 0);
}

static bool stdio_name(const struct live_query *q, const char *fd, struct rules_value *ret)
{
	CLEANUP(fd_closep) int dir = open_self(q);

	return dir >= 0 && live_str(ret, link_of(q, dir, fd));
}

static enum live_fd_kind kind_of(const struct live_query *q, int dir, const char *fd)
{
	struct slice link = link_of(q, dir, fd);
	enum live_fd_kind kind = link.n ? live_link_kind(link) : LIVE_FD_NONE;

	return kind == LIVE_FD_OTHER_SOCK ? socket_kind(dir, link) : kind;
}

static bool stdio_type(const struct live_query *q, const char *fd, struct rules_value *ret)
{
	CLEANUP(fd_closep) int dir = open_self(q);
	enum live_fd_kind kind = dir < 0 ? LIVE_FD_NONE : kind_of(q, dir, fd);

	return kind != LIVE_FD_NONE && live_str(ret, slice_of(live_fd_word(kind)->word));
}

#define STDIO(name, fd)                                                                            \
	static bool name##_name(const struct live_query *q, struct rules_value *ret)               \
	{                                                                                          \
		return stdio_name(q, fd, ret);                                                     \
	}                                                                                          \
	static bool name##_type(const struct live_query *q, struct rules_value *ret)               \
	{                                                                                          \
		return stdio_type(q, fd, ret);                                                     \
	}
STDIO(stdin, "fd/0")
STDIO(stdout, "fd/1")
STDIO(stderr, "fd/2")

static bool add_type(enum live_fd_kind kind, struct slice *all, struct rules_value *ret)
{
	struct slice word = slice_of(live_fd_word(kind)->word);

	for (size_t i = 0; i < ret->list_count; i++)
		if (slice_eq(all[i], word))
			return true;
	all[ret->list_count++] = word;
	return true;
}

/* fd.types: each kind once; [n]: of that descriptor. Sockets are told apart only where one is asked for:
 * the tables are long. */
static bool fd_types(const struct live_query *q, struct rules_value *ret)
{
	CLEANUP(fd_closep) int dir = open_self(q);
	struct slice *all = arena_alloc(q->scratch, LIVE_FD_KIND_COUNT * sizeof(*all));
	char name[300];

	ret->is_list = true;
	ret->list = all;
	if (dir < 0 || !all)
		return false;
	if (q->index >= 0) {
		snprintf(name, sizeof(name), "fd/%d", q->index);
		enum live_fd_kind kind = kind_of(q, dir, name);
		return kind != LIVE_FD_NONE && add_type(kind, all, ret);
	}
	int fd = openat(dir, "fd", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	unsigned count = 0, sockets = 0;
	for (struct dirent *e; count < FDS_MAX && (e = readdir(d));) {
		char text[64];

		if (e->d_name[0] == '.')
			continue;
		count++;
		ssize_t n = readlinkat(dirfd(d), e->d_name, text, sizeof(text));
		if (n <= 0)
			continue;
		enum live_fd_kind kind = live_link_kind(slice_from(text, (size_t)n));
		if (kind == LIVE_FD_OTHER_SOCK && sockets++ < 4) {
			snprintf(name, sizeof(name), "fd/%s", e->d_name);
			kind = kind_of(q, dir, name);
		}
		(void)add_type(kind, all, ret);
	}
	closedir(d);
	return ret->list_count;
}

live_getter live_status_getter(unsigned id)
{
	static const live_getter getters[FIELD_COUNT] = {
		[FIELD_PROC_NTHREADS] = nthreads,
		[FIELD_PROC_NCHILDS] = nchilds,
		[FIELD_PROC_VMSIZE] = vmsize,
		[FIELD_PROC_VMRSS] = vmrss,
		[FIELD_PROC_VMSWAP] = vmswap,
		[FIELD_THREAD_VMSIZE] = vmsize,
		[FIELD_THREAD_VMRSS] = vmrss,
		[FIELD_THREAD_VTID] = vtid,
		[FIELD_PROC_FDLIMIT] = fdlimit,
		[FIELD_PROC_FDOPENCOUNT] = fdopencount,
		[FIELD_PROC_FDUSAGE] = fdusage,
		[FIELD_PROC_STDIN_NAME] = stdin_name,
		[FIELD_PROC_STDIN_TYPE] = stdin_type,
		[FIELD_PROC_STDOUT_NAME] = stdout_name,
		[FIELD_PROC_STDOUT_TYPE] = stdout_type,
		[FIELD_PROC_STDERR_NAME] = stderr_name,
		[FIELD_PROC_STDERR_TYPE] = stderr_type,
		[FIELD_FD_TYPES] = fd_types,
	};

	return getters[id];
}
