/* kill.c - that very process, or none.
 *
 *   pidfd_open(pid)          holds whoever has the number now
 *   /proc/PID/stat           its start is the event's? then that process had the number all the time,
 *                            so it is the one held, and nobody who comes later can be hit
 *   who must live            init, kernel threads, we and those above us, the engine
 *   pidfd_send_signal(KILL) */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent/guard/guard_priv.h"
#include "agent/world/world.h"
#include "common/file.h"

enum { STAT_BYTES = 4096, EXE_BYTES = 4096, IS_KERNEL_THREAD = 0x00200000 /* PF_KTHREAD */ };

/* Programs without which containers, or we, do not go on. */
static const char *const spared[] = {
	"dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2", "docker-proxy", "docker-init",
	"runc",	   "crun",	 "conmon",	    "podman",		       "picket-agent", "picket-collector",
};

bool proc_stat_parse(struct slice text, struct proc_stat *ret)
{
	/* pid (name) S ppid ...: the name may hold anything but ends at the last parenthesis. */
	enum { STATE = 3, PPID = 4, FLAGS = 9, THREADS = 20, START = 22 };
	size_t end = text.n;
	struct slice rest, word;
	uint64_t v[START + 1] = { 0 };

	while (end && text.p[end - 1] != ')')
		end--;
	rest = slice_sub(text, end, text.n);
	if (!end || !slice_starts(rest, SLICE_LIT(" ")))
		return false;
	rest = slice_sub(rest, 1, rest.n);
	for (unsigned i = STATE; i <= START; i++) {
		if (!slice_split(&rest, ' ', &word) || !word.n)
			return false;
		if (i == STATE)
			v[i] = (unsigned char)word.p[0];
		else if (!slice_to_u64(word, &v[i]) && word.p[0] != '-')
			return false;
	}
	*ret = (struct proc_stat){ .state = (char)v[STATE],
				   .ppid = (uint32_t)v[PPID],
				   .flags = (uint32_t)v[FLAGS],
				   .threads = (uint32_t)v[THREADS],
				   .start_ticks = v[START] };
	return true;
}

static bool read_stat(uint32_t pid, struct proc_stat *ret)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	return file_read(path, STAT_BYTES, &b, NULL) >= 0 && proc_stat_parse(buf_slice(&b), ret);
}

static void read_own_container(struct guard_family *f)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice rest, line, part;
	const char *engine;

	if (file_read("/proc/self/cgroup", 65536, &b, NULL) < 0)
		return;
	rest = buf_slice(&b);
	while (slice_split(&rest, '\n', &line)) { /* 4:memory:/docker/ID */
		(void)slice_split(&line, ':', &part);
		(void)slice_split(&line, ':', &part);
		if (cgroup_container_id(line, f->container_id, &engine))
			return;
	}
	f->container_id[0] = 0;
}

/* Once, at the start: whoever loses its parent goes to one above it, so the list only gets too long. */
void family_read(struct guard_family *f)
{
	struct proc_stat st;
	uint32_t pid = (uint32_t)getpid();

	memset(f, 0, sizeof(*f));
	while (pid && f->count < GUARD_ANCESTORS && read_stat(pid, &st)) {
		f->of[f->count].pid = pid;
		f->of[f->count++].start_ticks = st.start_ticks;
		pid = st.ppid;
	}
	read_own_container(f);
}

bool family_has(const struct guard_family *f, uint32_t pid, uint64_t start_ticks)
{
	for (unsigned i = 0; i < f->count; i++)
		if (f->of[i].pid == pid && (!start_ticks || f->of[i].start_ticks == start_ticks))
			return true;
	return false;
}

static bool is_rootly(const struct stat *st)
{
	return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static const char *name_in_list(const char *path)
{
	const char *name = strrchr(path, '/');

	for (size_t i = 0; name && i < ARRAY_LEN(spared); i++)
		if (!strcmp(name + 1, spared[i]))
			return spared[i];
	return NULL;
}

/* Is it the file that stands at path below root, or (NULL) was one there, in a folder of root's? */
static bool stands_at(const char *root, const char *path, const struct stat *running)
{
	char at[EXE_BYTES + 16];
	struct stat st;

	snprintf(at, sizeof(at), "%s%s", root, path);
	if (running && (stat(at, &st) < 0 || st.st_dev != running->st_dev || st.st_ino != running->st_ino))
		return false;
	*strrchr(at, '/') = 0;
	return stat(*at ? at : "/", &st) == 0 && is_rootly(&st);
}

/* The name of a spared program, or NULL. A name alone is no reason: the file must be the one that the host,
 * or we, have under that path, root's, in a folder of root's. A copy, or a mount namespace of one's own with
 * something bound over the engine, does not help. */
static const char *find_spared(const struct event_process *p)
{
	char link[32], path[EXE_BYTES] = "";
	struct slice deleted = SLICE_LIT(" (deleted)"), exe;
	struct stat st;
	const char *name;

	snprintf(link, sizeof(link), "/proc/%u/exe", p->pid);
	if (readlink(link, path, sizeof(path) - 1) <= 0 || path[0] != '/' || stat(link, &st) < 0 || !is_rootly(&st))
		return NULL;
	exe = slice_of(path);
	bool is_deleted = slice_ends(exe, deleted); /* upgraded since it was started */
	if (is_deleted)
		path[exe.n - deleted.n] = 0;
	name = name_in_list(path);
	if (!name || (is_deleted && (p->uid || p->euid)))
		return NULL;
	const struct stat *running = is_deleted ? NULL : &st;
	return stands_at("/proc/1/root", path, running) || stands_at("", path, running) ? name : NULL;
}

static bool is_protected(const struct guard_family *f, const struct event_process *p, const struct proc_stat *st,
			 bool is_contained, char why[GUARD_WHY_BYTES])
{
	const char *who = NULL;

	if (p->pid == 1)
		who = "init";
	else if (st->flags & IS_KERNEL_THREAD)
		who = "a kernel thread";
	else if (p->pid == (uint32_t)getpid())
		who = "the agent itself";
	else if (family_has(f, p->pid, st->start_ticks))
		who = "the agent runs below it";
	else if (!is_contained)
		who = find_spared(p);
	if (who)
		snprintf(why, GUARD_WHY_BYTES, "protected: %s", who);
	return who;
}

static void say(char why[GUARD_WHY_BYTES], int code)
{
	snprintf(why, GUARD_WHY_BYTES, "%s", code == ESRCH ? "already gone" : err_name(code));
}

int kill_open(const struct guard_family *f, const struct event_process *p, bool is_contained,
	      char why[GUARD_WHY_BYTES])
{
	uint64_t ticks, tick_ns = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);
	struct proc_stat st;

	if (!p->pid || p->pid > INT32_MAX || !p->start_ns) {
		snprintf(why, GUARD_WHY_BYTES, "the event does not say which process");
		return -1;
	}
	/* Already close-on-exec. The C library of Debian 12 has no wrapper before 2.36. */
	CLEANUP(fd_closep) int fd = (int)syscall(SYS_pidfd_open, (pid_t)p->pid, 0);
	if (fd < 0) {
		say(why, errno);
		return -1;
	}
	ticks = p->start_ns / tick_ns;
	/* A leader that has ended may leave threads behind: the process lives as long as they do. */
	if (!read_stat(p->pid, &st) || st.start_ticks > ticks + 1 || st.start_ticks + 1 < ticks ||
	    ((st.state == 'Z' || st.state == 'X') && st.threads <= 1)) {
		say(why, ESRCH);
		return -1;
	}
	return is_protected(f, p, &st, is_contained, why) ? -1 : take_fd(&fd);
}

bool kill_send(int pidfd, char why[GUARD_WHY_BYTES])
{
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0)
		return true;
	say(why, errno);
	return false;
}
