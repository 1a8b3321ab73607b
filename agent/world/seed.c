/* seed.c - what runs already, from /proc, where the kernel has no task iterator.
 *
 * Everything here may vanish between two reads, and names and arguments are the processes' own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/world/world_priv.h"
#include "common/file.h"

enum { SMALL_FILE = 16384 };

struct stat_line {
	struct slice name;
	uint32_t ppid, group_id, session_id, tty;
	uint64_t start_ns;
};

/* Reads a file of a /proc/PID directory; what does not fit is cut. Returns bytes, or -1. */
static ssize_t read_at(int dir, const char *name, char *dst, size_t size)
{
	CLEANUP(fd_closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t n = 0;

	if (fd < 0)
		return -1;
	while (n < size - 1) {
		ssize_t r = read(fd, dst + n, size - 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (!r)
			break;
		n += (size_t)r;
	}
	dst[n] = 0;
	return (ssize_t)n;
}

/* "1 (name) S 0 1 1 34816 ...": the name may hold blanks and parentheses, so its end is the last.
 */
static bool parse_stat(char *text, struct stat_line *ret)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	long long v[20] = {0}; /* fields 4 (ppid) .. 22 (starttime) */
	unsigned count = 0;

	if (!open || !close || close < open || !close[1] || !close[2])
		return false;
	for (char *at = close + 3, *end; count < 19; count++, at = end) {
		v[count] = strtoll(at, &end, 10);
		if (end == at)
			break;
	}
	if (count < 19)
		return false;
	ret->name = slice_from(open + 1, (size_t)(close - open - 1));
	ret->ppid = (uint32_t)v[0];
	ret->group_id = (uint32_t)v[1];
	ret->session_id = (uint32_t)v[2];
	ret->tty = (uint32_t)v[3];
	long per_second = sysconf(_SC_CLK_TCK);
	ret->start_ns =
		(uint64_t)v[18] * (1000000000u / (per_second > 0 ? (uint64_t)per_second : 100));
	return true;
}

static uint32_t status_number(const char *text, const char *key, unsigned index, uint32_t fallback)
{
	const char *at = strstr(text, key);

	if (!at)
		return fallback;
	at += strlen(key);
	for (;; index--) {
		char *end;
		unsigned long v = strtoul(at, &end, 10);

		if (end == at)
			return fallback;
		if (!index)
			return (uint32_t)v;
		at = end;
	}
}

static bool has_controller(struct slice list, const char *name)
{
	struct slice one;

	while (slice_split(&list, ',', &one))
		if (slice_is(one, name))
			return true;
	return false;
}

/* The path in a v1 hierarchy of these controllers, or else that of v2: as the probe does. */
static struct slice cgroup_path(struct slice text)
{
	static const char *const controllers[] = {"cpu", "memory", "pids"}; /* the last goes first */
	struct slice line, best = SLICE_NONE;
	size_t rank = 0;

	while (slice_split(&text, '\n', &line)) {
		struct slice number, list;

		if (!slice_split(&line, ':', &number) || !slice_split(&line, ':', &list) || line.n <= 1)
			continue;
		if (!list.n && !rank) /* "0::/path" */
			best = line;
		for (size_t i = rank; i < ARRAY_LEN(controllers); i++)
			if (has_controller(list, controllers[i])) {
				best = line;
				rank = i + 1;
			}
	}
	return best;
}

static uint32_t ns_inode(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) ? 0 : (uint32_t)st.st_ino;
}

static struct slice link_at(int dir, const char *name, char *dst, size_t size)
{
	ssize_t n = readlinkat(dir, name, dst, size);

	return slice_from(dst, n > 0 ? (size_t)n : 0);
}

static uint64_t start_of(int proc, uint32_t pid)
{
	char path[32], text[1024];
	struct stat_line s;

	snprintf(path, sizeof(path), "%u/stat", pid);
	return read_at(proc, path, text, sizeof(text)) > 0 && parse_stat(text, &s) ? s.start_ns : 0;
}

static bool seed_one(int proc, const char *pid_text,
		     void (*fn)(void *arg, const struct event_process *p), void *arg)
{
	static char status[SMALL_FILE], cgroup[SMALL_FILE], cmdline[4096];
	char stat_text[1024], exe[4096], cwd[4096], number[32];
	struct event_process p = {.pid = (uint32_t)strtoul(pid_text, NULL, 10)};
	struct stat_line s;
	CLEANUP(fd_closep) int dir = openat(proc, pid_text, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	if (dir < 0 || read_at(dir, "stat", stat_text, sizeof(stat_text)) <= 0 ||
	    !parse_stat(stat_text, &s) || read_at(dir, "status", status, sizeof(status)) <= 0)
		return false;
	p.tid = p.pid;
	p.ppid = s.ppid;
	p.start_ns = s.start_ns;
	p.parent_start_ns = s.ppid ? start_of(proc, s.ppid) : 0;
	p.name = s.name;
	p.group_id = s.group_id;
	p.session_id = s.session_id;
	p.tty = s.tty;
	p.uid = status_number(status, "\nUid:", 0, 0);
	p.euid = status_number(status, "\nUid:", 1, 0);
	p.gid = status_number(status, "\nGid:", 0, 0);
	p.egid = status_number(status, "\nGid:", 1, 0);
	p.vpid = p.pid;
	for (unsigned i = 1; i < 32; i++) { /* the last one is in its own namespace */
		uint32_t v = status_number(status, "\nNSpid:", i, 0);
		if (!v)
			break;
		p.vpid = v;
	}
	ssize_t n = read_at(dir, "loginuid", number, sizeof(number));
	p.login_uid = n > 0 ? (uint32_t)strtoul(number, NULL, 10) : UINT32_MAX;
	n = read_at(dir, "cgroup", cgroup, sizeof(cgroup));
	p.cgroup = cgroup_path(slice_from(cgroup, n > 0 ? (size_t)n : 0));
	p.ns_pid = ns_inode(dir, "ns/pid");
	p.ns_mnt = ns_inode(dir, "ns/mnt");
	p.ns_user = ns_inode(dir, "ns/user");
	p.exe = link_at(dir, "exe", exe, sizeof(exe));
	p.cwd = link_at(dir, "cwd", cwd, sizeof(cwd));
	n = read_at(dir, "cmdline", cmdline, sizeof(cmdline));
	struct slice args = slice_from(cmdline, n > 0 ? (size_t)n : 0);
	if (args.n && slice_split(&args, 0, &p.argv0))
		p.args = args;
	fn(arg, &p);
	return true;
}

int seed_proc(const char *proc_root, void (*fn)(void *arg, const struct event_process *p),
	      void *arg, struct err *err)
{
	DIR *d = opendir(proc_root);
	int count = 0;

	if (!d)
		return err_set(err, errno, "open '%s'", proc_root);
	for (struct dirent *e; (e = readdir(d)) && count < WORLD_PROCESSES_MAX;)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			count += seed_one(dirfd(d), e->d_name, fn, arg);
	closedir(d);
	return count;
}
