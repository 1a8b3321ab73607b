/* facts_process.c - what the kernel knows of one process, read by the descriptor of its /proc folder: a pid that
 * comes again is another folder, so nothing of two processes is ever mixed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/audit/facts_priv.h"

int facts_read_at(int dir, const char *name, size_t max_bytes, struct buf *ret)
{
	buf_init(ret, max_bytes);
	CLEANUP(fd_closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	while (ret->n < max_bytes) {
		size_t room = max_bytes - ret->n < 16384 ? max_bytes - ret->n : 16384;
		char *to = buf_reserve(ret, room);
		ssize_t n = to ? read(fd, to, room) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		buf_written(ret, (size_t)n);
	}
	return 0;
}

int64_t facts_read_number_at(int dir, const char *name)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	uint64_t n;

	if ((dir < 0 && dir != AT_FDCWD) || facts_read_at(dir, name, 64, &b) < 0)
		return -2;
	struct slice s = slice_trim(buf_slice(&b));
	if (slice_is(s, "max") || slice_is(s, "-1"))
		return -1;
	if (!slice_to_u64(s, &n))
		return -2;
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

const char *facts_link_at(struct facts_out *o, int dir, const char *name)
{
	char text[FACTS_LINK_BYTES];
	ssize_t n = readlinkat(dir, name, text, sizeof(text));

	return n > 0 ? facts_text(o, slice_from(text, (size_t)n)) : "";
}

void facts_read_ns(int dir, uint64_t ret[NS_COUNT])
{
	static const char *const names[NS_COUNT] = {
		[NS_PID] = "ns/pid", [NS_MNT] = "ns/mnt",   [NS_NET] = "ns/net",       [NS_IPC] = "ns/ipc",
		[NS_UTS] = "ns/uts", [NS_USER] = "ns/user", [NS_CGROUP] = "ns/cgroup",
	};
	struct stat st;

	for (size_t i = 0; i < NS_COUNT; i++)
		ret[i] = fstatat(dir, names[i], &st, 0) < 0 ? 0 : st.st_ino;
}

void facts_read_host_ns(const char *proc_root, uint64_t ret[NS_COUNT])
{
	static const char *const processes[] = { "1", "self" };
	char path[PATH_MAX];
	uint64_t v[NS_COUNT];

	memset(ret, 0, NS_COUNT * sizeof(*ret));
	for (size_t k = 0; k < ARRAY_LEN(processes); k++) {
		(void)snprintf(path, sizeof(path), "%s/%s", proc_root, processes[k]);
		CLEANUP(fd_closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			continue;
		facts_read_ns(dir, v);
		for (size_t i = 0; i < NS_COUNT; i++)
			ret[i] = ret[i] ? ret[i] : v[i];
	}
}

/* The label of AppArmor or SELinux; where there is none, the kernel has no such file or refuses to read it. */
static const char *read_label(int dir, struct facts_out *o)
{
	static const char *const names[] = { "attr/apparmor/current", "attr/current" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP(buf_finip) struct buf b = { 0 };

		if (facts_read_at(dir, names[i], 4096, &b) < 0)
			continue;
		struct slice s = slice_trim(buf_slice(&b));
		while (s.n && !s.p[s.n - 1]) /* SELinux counts the NUL in */
			s.n--;
		return facts_text(o, slice_trim(s));
	}
	return "";
}

static const char *read_comm(int dir, struct facts_out *o)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	if (facts_read_at(dir, "comm", 64, &b) < 0)
		return "";
	struct slice s = buf_slice(&b);
	if (slice_ends(s, SLICE_LIT("\n")))
		s.n--;
	return facts_text(o, s);
}

static int read_oom_score_adj(int dir)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	uint64_t n;

	if (facts_read_at(dir, "oom_score_adj", 32, &b) < 0)
		return 0;
	struct slice s = slice_trim(buf_slice(&b));
	bool is_negative = slice_starts(s, SLICE_LIT("-"));
	if (!slice_to_u64(is_negative ? slice_sub(s, 1, s.n) : s, &n) || n > 1000)
		return 0;
	return is_negative ? -(int)n : (int)n;
}

int facts_read_process(int dir, pid_t pid, struct facts_out *o, struct facts_process *ret)
{
	CLEANUP(buf_finip) struct buf status = { 0 };
	int r = facts_read_at(dir, "status", FACTS_FILE_BYTES, &status);

	facts_process_init(ret);
	ret->pid = pid;
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	r = facts_parse_status(buf_slice(&status), ret);
	if (r < 0)
		return r;
	ret->comm = read_comm(dir, o);
	ret->exe = facts_link_at(o, dir, "exe");
	ret->label = read_label(dir, o);
	ret->oom_score_adj = read_oom_score_adj(dir);
	facts_read_ns(dir, ret->ns);
	return 0;
}
