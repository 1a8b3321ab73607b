/* test_probe.c - the sensors in the running kernel: do odd things, look at what was recorded. */
#include "agent/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { SEEN_MAX = 16384 };

/* What was delivered, copied. */
struct seen {
	struct event e;
	char *store;
};

struct watch {
	struct loop *loop;
	struct probe *probe;
	struct seen seen[SEEN_MAX];
	size_t count, drained;
};

static char dir[64], tiny[128]; /* a directory anybody may enter, and in it a copy of load_tiny */

static void copy_slice(struct slice *s, char **at)
{
	if (s->n)
		memcpy(*at, s->p, s->n);
	s->p = *at;
	*at += s->n;
}

static void on_event(void *arg, const struct event *e)
{
	struct watch *w = arg;

	if (w->count == SEEN_MAX)
		return;
	struct seen *s = &w->seen[w->count++];
	s->e = *e;
	struct event_process *p = &s->e.p;
	struct slice *texts[] = { &p->cgroup, &p->name, &p->parent_name, &p->exe,
				  &p->argv0,  &p->args, &p->cwd,	 &p->env };
	size_t n = 1;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		n += texts[i]->n;
	char *at = s->store = malloc(n);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		copy_slice(texts[i], &at);
}

static void on_drained(void *arg)
{
	((struct watch *)arg)->drained++;
}

static void forget(struct watch *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->seen[i].store);
	w->count = 0;
}

static struct watch *watch_new(uint32_t ring_bytes)
{
	static const struct probe_ops ops = { .on_event = on_event, .on_drained = on_drained };
	struct probe_config cfg = { .ring_bytes = { ring_bytes }, .with_fork = true };
	struct watch *w = calloc(1, sizeof(*w));
	struct err err = { 0 };

	assert_non_null(w);
	assert_int_equal(loop_new(&w->loop, &err), 0);
	int r = probe_new(w->loop, clock_real(), &cfg, &ops, w, &w->probe, &err);
	if (r < 0)
		fail_msg("probe_new: %s", err.msg);
	return w;
}

static void watch_free(struct watch *w)
{
	probe_free(w->probe);
	loop_free(w->loop);
	forget(w);
	free(w);
}

static const struct event *find(const struct watch *w, enum event_type type, pid_t pid)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->seen[i].e.type == type && w->seen[i].e.p.pid == (uint32_t)pid)
			return &w->seen[i].e;
	fail_msg("no event of type %d for %d among %zu", type, (int)pid, w->count);
	return NULL;
}

static void assert_slice(struct slice s, const char *want)
{
	if (!slice_is(s, want))
		fail_msg("'%.*s' is not '%s'", SLICE_FMT(s), want);
}

/* Runs act(arg) in a child, which exits with 99 if act returns. Returns the pid; *ret_status. */
static pid_t in_child(void (*act)(void *arg), void *arg, int *ret_status)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		act(arg);
		_exit(99);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (ret_status)
		*ret_status = status;
	else if (status)
		fail_msg("the child ended with %#x", status);
	return pid;
}

static const struct event *exec_of(struct watch *w, void (*act)(void *arg), void *arg)
{
	pid_t pid = in_child(act, arg, NULL);

	(void)probe_drain(w->probe);
	return find(w, EV_EXEC, pid);
}

static void copy_file(const char *from, const char *to)
{
	char buf[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

/* --- what an exec says --- */

struct run {
	const char *path;
	char *const *argv, *const *envp;
};

static void run(void *arg)
{
	const struct run *r = arg;
	char *none[] = { NULL };

	syscall(SYS_execve, r->path, r->argv ? r->argv : none, r->envp ? r->envp : none);
}

static void arguments_are_read_whole_whatever_they_hold(void **state)
{
	struct watch *w = *state;
	static char big[10240];
	char name[] = "name", one[] = "one", empty[] = "", bytes[] = "\xff\xfe\n\x1b[1m";
	char *normal[] = { name, one, empty, bytes, NULL }, *large[] = { name, big, NULL };

	memset(big, 'x', sizeof(big) - 1);
	struct run r = { tiny, normal, NULL };
	const struct event *e = exec_of(w, run, &r);
	assert_slice(e->p.argv0, "name");
	assert_int_equal(e->p.args.n, sizeof("one") + sizeof("") + sizeof(bytes));
	assert_memory_equal(e->p.args.p, "one\0\0\xff\xfe\n\x1b[1m", e->p.args.n);
	assert_false(e->p.args_truncated);
	assert_slice(e->p.exe, tiny);
	assert_slice(e->p.name, "load_tiny");

	r.argv = large;
	e = exec_of(w, run, &r);
	assert_true(e->p.args_truncated);
	assert_int_equal(e->p.args.n, 8191 - sizeof(name));

	r.argv = NULL; /* since 5.18 the kernel puts an empty argv[0] there */
	e = exec_of(w, run, &r);
	assert_int_equal(e->p.argv0.n + e->p.args.n, 0);
}

static void the_environment_is_read_up_to_a_kilobyte(void **state)
{
	static char big[4096] = "BIG=";
	char name[] = "name", first[] = "LD_PRELOAD=/x.so";
	char *argv[] = { name, NULL }, *envp[] = { first, big, NULL };
	struct run r = { tiny, argv, envp };

	memset(big + 4, 'y', sizeof(big) - 5);
	const struct event *e = exec_of(*state, run, &r);
	assert_int_equal(e->p.env.n, 1023);
	assert_true(slice_starts(e->p.env, SLICE_LIT("LD_PRELOAD=/x.so\0BIG=y")));
}

static void who_and_where_come_with_the_exec(void **state)
{
	char name[] = "name", comm[16];
	char *argv[] = { name, NULL };
	struct run r = { tiny, argv, NULL };
	struct stat st;
	uint64_t before = clock_unix_ns(clock_real());

	const struct event *e = exec_of(*state, run, &r);
	prctl(PR_GET_NAME, comm);
	assert_slice(e->p.parent_name, comm);
	assert_int_equal(e->p.ppid, getpid());
	assert_int_equal(e->p.tid, e->p.pid);
	assert_int_equal(e->p.session_id, getsid(0));
	assert_int_equal(e->p.group_id, getpgrp());
	assert_int_equal(e->p.euid, 0);
	assert_true(e->p.cap_effective & 1);
	assert_true(e->p.exe_writable);
	assert_false(e->p.exe_upper_layer || e->p.exe_from_memfd || e->p.exe_deleted);
	assert_true(e->p.start_ns > e->p.parent_start_ns && e->p.parent_start_ns);
	assert_true(e->unix_ns > before - 1000000000 && e->unix_ns < before + 5000000000);

	assert_int_equal(stat(tiny, &st), 0);
	assert_int_equal(e->p.exe_inode, st.st_ino);
	assert_int_equal(e->p.exe_dev, st.st_dev);
	assert_int_equal(e->p.exe_mtime_ns, (uint64_t)st.st_mtim.tv_sec * 1000000000 +
						    (uint64_t)st.st_mtim.tv_nsec);
	assert_int_equal(e->p.exe_ctime_ns, (uint64_t)st.st_ctim.tv_sec * 1000000000 +
						    (uint64_t)st.st_ctim.tv_nsec);

	static const char *const names[] = { "pid", "mnt", "net", "user", "uts", "ipc", "cgroup" };
	const uint32_t got[] = { e->p.ns_pid, e->p.ns_mnt, e->p.ns_net,	  e->p.ns_user,
				 e->p.ns_uts, e->p.ns_ipc, e->p.ns_cgroup };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(got[i], st.st_ino);
	}
}

static void run_elsewhere(void *arg)
{
	if (!chdir(dir))
		run(arg);
}

static void the_working_directory_is_read(void **state)
{
	char name[] = "name";
	char *argv[] = { name, NULL };
	struct run r = { "./load_tiny", argv, NULL };

	const struct event *e = exec_of(*state, run_elsewhere, &r);
	assert_slice(e->p.cwd, dir);
	assert_slice(e->p.exe, tiny);
}

static void run_as_nobody(void *arg)
{
	if (!setgid(1235) && !setuid(1234))
		run(arg);
}

static void dropped_privileges_show(void **state)
{
	char name[] = "name";
	char *argv[] = { name, NULL };
	struct run r = { tiny, argv, NULL };

	const struct event *e = exec_of(*state, run_as_nobody, &r);
	assert_int_equal(e->p.uid, 1234);
	assert_int_equal(e->p.euid, 1234);
	assert_int_equal(e->p.gid, 1235);
	assert_int_equal(e->p.egid, 1235);
	assert_int_equal(e->p.cap_effective | e->p.cap_permitted, 0);
	assert_false(e->p.exe_writable);
}

static void run_by_descriptor(void *arg)
{
	char name[] = "name", empty[] = "";
	char *argv[] = { name, NULL }, *envp[] = { NULL };

	syscall(SYS_execveat, *(int *)arg, empty, argv, envp, AT_EMPTY_PATH);
}

static void an_unlinked_program_keeps_its_path(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/gone", dir);
	copy_file(tiny, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(unlink(path), 0);
	const struct event *e = exec_of(*state, run_by_descriptor, &fd);
	assert_slice(e->p.exe, path);
	assert_true(e->p.exe_deleted);
	close(fd);
}

static void a_program_from_memory_is_named_so(void **state)
{
	int fd = memfd_create("hidden", MFD_CLOEXEC);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy_file(tiny, path);
	/* not while it is open for writing */
	int ro = open(path, O_RDONLY | O_CLOEXEC);
	close(fd);
	const struct event *e = exec_of(*state, run_by_descriptor, &ro);
	assert_slice(e->p.exe, "memfd:hidden");
	assert_true(e->p.exe_from_memfd);
	close(ro);
}

static void a_script_runs_its_interpreter(void **state)
{
	char path[128], name[] = "name";
	char *argv[] = { name, NULL };
	struct run r = { path, argv, NULL };

	snprintf(path, sizeof(path), "%s/script", dir);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "#!%s -x\n", tiny);
	fclose(f);
	chmod(path, 0755);
	const struct event *e = exec_of(*state, run, &r);
	assert_slice(e->p.exe, tiny);
	assert_slice(e->p.argv0, tiny);
	assert_true(slice_starts(e->p.args, SLICE_LIT("-x\0")));
	assert_slice(e->p.name, "script");
}

static void a_symbolic_link_is_resolved(void **state)
{
	char path[128], name[] = "name";
	char *argv[] = { name, NULL };
	struct run r = { path, argv, NULL };

	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink(tiny, path), 0);
	const struct event *e = exec_of(*state, run, &r);
	assert_slice(e->p.exe, tiny);
	assert_slice(e->p.name, "link");
}

static void run_in_bind_mount(void *arg)
{
	char to[128];

	snprintf(to, sizeof(to), "%s/bound", dir);
	if (!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    !mkdir(to, 0755) && !mount(dir, to, NULL, MS_BIND, NULL))
		run(arg);
}

static void a_bind_mount_is_part_of_the_path(void **state)
{
	char path[128], name[] = "name";
	char *argv[] = { name, NULL };
	struct run r = { path, argv, NULL };
	struct stat st;

	snprintf(path, sizeof(path), "%s/bound/load_tiny", dir);
	const struct event *e = exec_of(*state, run_in_bind_mount, &r);
	assert_slice(e->p.exe, path);
	assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
	assert_int_not_equal(e->p.ns_mnt, st.st_ino);
}

static void run_in_chroot(void *arg)
{
	if (!chroot(dir) && !chdir("/"))
		run(arg);
}

static void a_chroot_does_not_shorten_the_path(void **state)
{
	char name[] = "name";
	char *argv[] = { name, NULL };
	struct run r = { "/load_tiny", argv, NULL };

	const struct event *e = exec_of(*state, run_in_chroot, &r);
	assert_slice(e->p.exe, tiny);
	assert_slice(e->p.cwd, dir);
}

static void run_deep(void *arg)
{
	if (chdir(dir))
		return;
	for (int i = 0; i < 120; i++)
		if ((mkdir("d", 0755) && errno != EEXIST) || chdir("d"))
			return;
	run(arg);
}

static void a_path_too_deep_is_marked_and_keeps_its_end(void **state)
{
	char name[] = "name";
	char *argv[] = { name, NULL };
	struct run r = { tiny, argv, NULL };

	const struct event *e = exec_of(*state, run_deep, &r);
	assert_true(e->p.cwd_truncated);
	assert_true(slice_ends(e->p.cwd, SLICE_LIT("/d/d/d")));
	assert_false(e->p.exe_truncated);
}

static void run_on_terminal(void *arg)
{
	char path[64];
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	unsigned nr = 0;
	int unlock = 0;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) || ioctl(master, TIOCGPTN, &nr))
		_exit(0x42);
	snprintf(path, sizeof(path), "/dev/pts/%u", nr);
	setsid();
	int slave = open(path, O_RDWR | O_NOCTTY);
	struct stat st;
	if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) || fstat(slave, &st))
		_exit(0x42);
	*(dev_t *)arg = st.st_rdev;
	char name[] = "name";
	char *argv[] = { name, NULL };
	struct run r = { tiny, argv, NULL };
	run(&r);
}

static void the_controlling_terminal_shows(void **state)
{
	struct watch *w = *state;
	dev_t *tty = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	pid_t pid = in_child(run_on_terminal, tty, &status);
	if (WEXITSTATUS(status) == 0x42) {
		munmap(tty, 4096);
		print_message("no pseudo terminal here\n");
		skip();
	}
	(void)probe_drain(w->probe);
	const struct event *e = find(w, EV_EXEC, pid);
	assert_int_equal(major(*tty), 136);
	assert_int_equal(e->p.tty, 34816 + minor(*tty));
	assert_int_equal(e->p.session_id, pid);
	munmap(tty, 4096);
}

static void run_in_overlay(void *arg)
{
	char options[512], to[128];

	snprintf(to, sizeof(to), "%s/merged", dir);
	snprintf(options, sizeof(options), "lowerdir=%s/o/l,upperdir=%s/o/u,workdir=%s/o/w", dir,
		 dir, dir);
	/* The upper layer on a file system of its own: overlays don't stack on overlays. */
	char base[128];
	snprintf(base, sizeof(base), "%s/o", dir);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    (mkdir(base, 0755) && errno != EEXIST) || mount("t", base, "tmpfs", 0, NULL))
		_exit(0x42);
	static const char *const dirs[] = { "l", "u", "w" };
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char path[160];
		snprintf(path, sizeof(path), "%s/%s", base, dirs[i]);
		if (mkdir(path, 0755))
			_exit(0x43);
	}
	char path[160];
	snprintf(path, sizeof(path), "%s/l/load_tiny", base);
	copy_file(tiny, path);
	if ((mkdir(to, 0755) && errno != EEXIST) || mount("o", to, "overlay", 0, options))
		_exit(0x42);
	if (arg) { /* written within the overlay */
		snprintf(path, sizeof(path), "%s/dropped", to);
		copy_file(tiny, path);
	} else {
		snprintf(path, sizeof(path), "%s/load_tiny", to);
	}
	char name[] = "name";
	char *argv[] = { name, NULL };
	struct run r = { path, argv, NULL };
	run(&r);
}

static void a_program_of_the_image_differs_from_a_dropped_one(void **state)
{
	struct watch *w = *state;

	for (int is_dropped = 0; is_dropped < 2; is_dropped++) {
		int status;
		pid_t pid = in_child(run_in_overlay, is_dropped ? w : NULL, &status);

		if (WEXITSTATUS(status) == 0x42) {
			print_message("no overlay file system here\n");
			skip();
		}
		assert_int_equal(status, 0);
		(void)probe_drain(w->probe);
		const struct event *e = find(w, EV_EXEC, pid);
		assert_int_equal(e->p.exe_upper_layer, is_dropped);
		assert_int_equal(e->p.exe_lower_layer, !is_dropped);
		assert_true(slice_ends(e->p.exe, is_dropped ? SLICE_LIT("/merged/dropped") :
							      SLICE_LIT("/merged/load_tiny")));
	}
}

struct grouped {
	char dir[256];
	struct run r;
};

static void enter_cgroup(const char *folder)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	FILE *f = fopen(path, "we");
	if (!f)
		_exit(0x42);
	fprintf(f, "0\n");
	if (fclose(f))
		_exit(0x42);
}

static void run_in_cgroup(void *arg)
{
	struct grouped *g = arg;

	enter_cgroup(g->dir);
	run(&g->r);
}

struct nested {
	const char *dirs[2];
	struct grouped *g;
};

static void run_in_both(void *arg)
{
	struct nested *n = arg;

	for (size_t i = 0; i < ARRAY_LEN(n->dirs); i++)
		enter_cgroup(n->dirs[i]);
	run(&n->g->r);
}

/* Where an engine makes its cgroups: v1 where the controllers are there. */
static const char *const cgroup_roots[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };

static void the_cgroup_is_named_by_its_path(void **state)
{
	struct watch *w = *state;
	char name[] = "name", want[64];
	char *argv[] = { name, NULL };
	struct grouped g = { .r = { tiny, argv, NULL } };
	struct stat st;
	int made = -1;

	snprintf(want, sizeof(want), "/picket-test-%d", (int)getpid());
	for (size_t i = 0; i < ARRAY_LEN(cgroup_roots) && made < 0; i++) {
		char procs[128];
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup_roots[i]);
		if (access(procs, F_OK))
			continue;
		snprintf(g.dir, sizeof(g.dir), "%s%s", cgroup_roots[i], want);
		made = mkdir(g.dir, 0755);
	}
	if (made < 0) {
		print_message("no cgroups to write to here\n");
		skip();
	}
	int status, r = stat(g.dir, &st);
	pid_t pid = in_child(run_in_cgroup, &g, &status);
	rmdir(g.dir);
	assert_int_equal(r | status, 0);
	(void)probe_drain(w->probe);
	const enum event_type types[] = { EV_EXEC, EV_EXIT };
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct event *e = find(w, types[i], pid);
		assert_slice(e->p.cgroup, want);
		assert_int_equal(e->p.cgroup_id, st.st_ino);
	}
}

/* Below its own cgroup a container may make as many as it likes, with names as long. */
static void a_deep_cgroup_keeps_its_upper_end(void **state)
{
	static const struct {
		unsigned depth;
		int name_bytes;
	} rows[] = { { 60, 1 }, { 12, 200 } };
	struct watch *w = *state;
	char name[] = "name", want[64], part[256];
	char *argv[] = { name, NULL };
	struct grouped g = { .dir = ".", .r = { tiny, argv, NULL } };

	snprintf(want, sizeof(want), "/picket-deep-%d", (int)getpid());
	int home = open(".", O_PATH | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int status;

		bool is_there = false;
		for (size_t k = 0; k < ARRAY_LEN(cgroup_roots) && !is_there; k++)
			is_there = !chdir(cgroup_roots[k]) && !access("cgroup.procs", F_OK);
		if (!is_there || mkdir(want + 1, 0755) || chdir(want + 1)) {
			print_message("no cgroups to write to here\n");
			assert_int_equal(fchdir(home), 0);
			skip();
		}
		snprintf(part, sizeof(part), "%0*d", rows[i].name_bytes, 0);
		for (unsigned d = 0; d < rows[i].depth; d++)
			assert_int_equal(mkdir(part, 0755) | chdir(part), 0);
		pid_t pid = in_child(run_in_cgroup, &g, &status);
		for (unsigned d = 0; d < rows[i].depth; d++)
			assert_int_equal(chdir("..") | rmdir(part), 0);
		assert_int_equal(chdir("..") | rmdir(want + 1) | fchdir(home), 0);
		assert_int_equal(status, 0);
		(void)probe_drain(w->probe);
		const struct event *e = find(w, EV_EXEC, pid);
		assert_true(slice_starts(e->p.cgroup, slice_of(want)));
		if (e->p.cgroup.n > strlen(want))
			assert_int_equal(e->p.cgroup.p[strlen(want)], '/');
	}
	close(home);
}

/* A container that may mount the v2 hierarchy of a v1 host can give itself any path there. */
static void where_controllers_are_in_v1_its_path_goes_before_that_of_v2(void **state)
{
	static const char other[] = "/sys/fs/cgroup/unified/docker-of-another";
	struct watch *w = *state;
	char name[] = "name";
	char *argv[] = { name, NULL };
	struct grouped g = { .r = { tiny, argv, NULL } };
	char own[128];
	int status;

	snprintf(own, sizeof(own), "/sys/fs/cgroup/pids/picket-own-%d", (int)getpid());
	if (mkdir(own, 0755) || mkdir(other, 0755)) {
		rmdir(own);
		print_message("no v1 beside v2 here\n");
		skip();
	}
	struct nested n = { .dirs = { own, other }, .g = &g };
	pid_t pid = in_child(run_in_both, &n, &status);
	assert_int_equal(rmdir(own) | rmdir(other), 0);
	assert_int_equal(status, 0);
	(void)probe_drain(w->probe);
	assert_slice(find(w, EV_EXEC, pid)->p.cgroup, own + strlen("/sys/fs/cgroup/pids"));
}

/* --- exits and forks --- */

static void end_with_7(void *arg)
{
	_exit(7);
}

static void end_by_kill(void *arg)
{
	kill(getpid(), SIGKILL);
}

static void exits_say_how(void **state)
{
	struct watch *w = *state;
	static const struct {
		void (*act)(void *arg);
		int code, signal;
	} rows[] = { { end_with_7, 7, 0 }, { end_by_kill, -1, SIGKILL } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int status;
		pid_t pid = in_child(rows[i].act, NULL, &status);

		(void)probe_drain(w->probe);
		const struct event *e = find(w, EV_EXIT, pid);
		assert_int_equal(e->exit.code, rows[i].code);
		assert_int_equal(e->exit.signal, rows[i].signal);
		assert_true(e->exit.duration_ns > 0 && e->exit.duration_ns < 10000000000);
		e = find(w, EV_FORK, pid);
		assert_int_equal(e->p.ppid, getpid());
		assert_int_equal(e->p.start_ns, find(w, EV_EXIT, pid)->p.start_ns);
	}
}

static void *wait_for_all(void *arg)
{
	pthread_barrier_wait(arg);
	syscall(SYS_exit, 0); /* this thread alone, at once */
	return NULL;
}

static void threads_leave_together(void *arg)
{
	pthread_barrier_t all;
	pthread_t t;

	pthread_barrier_init(&all, NULL, 4);
	for (int i = 0; i < 3; i++)
		if (pthread_create(&t, NULL, wait_for_all, &all))
			_exit(98);
	pthread_barrier_wait(&all);
	syscall(SYS_exit, 5);
}

static void threads_that_leave_together_are_one_exit(void **state)
{
	struct watch *w = *state;

	for (int round = 0; round < 50; round++) {
		int status;
		size_t exits = 0, forks = 0;

		forget(w);
		pid_t pid = in_child(threads_leave_together, NULL, &status);
		(void)probe_drain(w->probe);
		for (size_t i = 0; i < w->count; i++) {
			const struct event *e = &w->seen[i].e;
			if (e->p.pid != (uint32_t)pid)
				continue;
			exits += e->type == EV_EXIT;
			forks += e->type == EV_FORK;
			if (e->type == EV_EXIT)
				/* Whose code it is, the kernels don't agree upon (5.17). */
				assert_int_equal(e->exit.code, WEXITSTATUS(status));
		}
		assert_int_equal(exits, 1);
		assert_int_equal(forks, 1);
	}
}

/* --- losses, the loop, the seed --- */

static void storm(unsigned count)
{
	char name[] = "storm", path[sizeof(tiny)];
	char *argv[] = { name, NULL };

	memcpy(path, tiny, sizeof(path));
	for (unsigned i = 0; i < count; i++) {
		pid_t pid = vfork();
		if (!pid) {
			execv(path, argv);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
	}
}

static struct probe_stats stats_of(struct watch *w)
{
	struct probe_stats s;

	probe_stats(w->probe, &s);
	return s;
}

static void what_a_full_ring_loses_is_counted_once(void **state)
{
	struct watch *w = watch_new(64 << 10);
	uint64_t gap = 0, events = 0, gaps = 0;

	(void)state;
	storm(500);
	struct probe_stats full = stats_of(w);
	assert_true(full.class[EVC_PROCESS].lost > 500);
	assert_true(full.class[EVC_PROCESS].seen >= 1500);

	(void)probe_drain(w->probe);
	assert_int_equal(w->seen[0].e.type, EV_GAP);
	assert_true(w->seen[0].e.gap.from_unix_ns < w->seen[0].e.gap.to_unix_ns);
	storm(20);
	(void)probe_drain(w->probe);
	(void)probe_drain(w->probe);
	for (size_t i = 0; i < w->count; i++) {
		const struct event *e = &w->seen[i].e;
		gaps += e->type == EV_GAP;
		gap += e->type == EV_GAP ? e->gap.lost : 0;
		events += e->type != EV_GAP;
	}
	struct probe_stats s = stats_of(w);
	assert_int_equal(gaps, 1);
	assert_int_equal(s.class[EVC_PROCESS].lost, gap);
	assert_int_equal(s.class[EVC_PROCESS].delivered, events);
	assert_int_equal(s.class[EVC_PROCESS].malformed, 0);
	assert_int_equal(s.class[EVC_PROCESS].seen,
			 s.class[EVC_PROCESS].submitted + s.class[EVC_PROCESS].lost);
	/* other processes of this host may have added some since the last drain */
	assert_true(s.class[EVC_PROCESS].submitted >= events);
	assert_true(s.class[EVC_PROCESS].submitted <= events + 1000);
	watch_free(w);
}

static void records_across_the_rings_end_come_whole(void **state)
{
	struct watch *w = watch_new(64 << 10);
	size_t execs = 0;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		storm(10);
		(void)probe_drain(w->probe);
	}
	for (size_t i = 0; i < w->count; i++) {
		const struct event *e = &w->seen[i].e;
		if (e->type == EV_EXEC && slice_is(e->p.argv0, "storm")) {
			execs++;
			assert_slice(e->p.exe, tiny);
		}
	}
	assert_int_equal(execs, 600);
	assert_int_equal(stats_of(w).class[EVC_PROCESS].malformed, 0);
	watch_free(w);
}

static void the_loop_drains_by_itself(void **state)
{
	struct watch *w = *state;
	size_t drained = w->drained;

	storm(3);
	for (int i = 0; i < 20 && w->drained == drained; i++)
		loop_step(w->loop, 50);
	assert_true(w->count >= 9);
}

static void the_first_record_after_a_quiet_time_wakes_the_reader(void **state)
{
	struct watch *w = *state;
	unsigned late = 0;

	for (int round = 0; round < 5; round++) {
		uint64_t quiet_until = clock_boot_ns(clock_real()) + 300000000;
		while (clock_boot_ns(clock_real()) < quiet_until)
			loop_step(w->loop, 20);
		size_t drained = w->drained;
		uint64_t start = clock_boot_ns(clock_real());
		storm(1);
		while (w->drained == drained && clock_boot_ns(clock_real()) < start + 1000000000)
			loop_step(w->loop, 200);
		late += clock_boot_ns(clock_real()) - start > 40000000;
	}
	/* The slow timer alone, every 100 ms, would be late in most rounds. */
	assert_true(late < 2);
}

struct found {
	pid_t pid;
	unsigned count;
	bool has_exe, has_args;
};

static void on_seed(void *arg, const struct event_process *p)
{
	struct found *f = arg;
	char exe[4096];

	f->count++;
	if (p->pid != (uint32_t)f->pid)
		return;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe));
	f->has_exe = n > 0 && slice_eq(p->exe, slice_from(exe, (size_t)n));
	f->has_args = p->argv0.n > 0;
	assert_int_equal(p->ppid, getppid());
}

static void what_runs_already_is_seeded(void **state)
{
	struct watch *w = *state;
	struct found f = { .pid = getpid() };
	struct err err = { 0 };

	int r = probe_seed(w->probe, on_seed, &f, &err);
	if (r == -ENOTSUP) {
		print_message("%s\n", err.msg);
		skip();
	}
	assert_int_equal(r, 0);
	assert_true(f.count > 5);
	assert_true(f.has_exe);
	print_message("%u processes seeded, arguments %s\n", f.count, f.has_args ? "read" : "not read");
}

static void every_sensor_is_attached_or_says_why_not(void **state)
{
	struct probe_stats s = stats_of(*state);

	assert_int_equal(s.sensor_count, 3);
	for (size_t i = 0; i < s.sensor_count; i++) {
		if (!s.sensors[i].attached)
			print_message("sensor %s: %s\n", s.sensors[i].name, s.sensors[i].why_not);
		assert_true(s.sensors[i].attached == !s.sensors[i].why_not[0]);
	}
	assert_true(s.sensors[0].attached);
}

static void a_wrong_ring_size_is_refused(void **state)
{
	static const struct probe_ops ops = { .on_event = on_event };
	struct probe_config cfg = { .ring_bytes = { 100000 } };
	struct watch *w = *state;
	struct probe *p = NULL;
	struct err err = { 0 };

	assert_int_equal(probe_new(w->loop, clock_real(), &cfg, &ops, w, &p, &err), -EINVAL);
	assert_null(p);
}

static int setup(void **state)
{
	*state = watch_new(0);
	return 0;
}

static int each(void **state)
{
	forget(*state);
	return 0;
}

static int teardown(void **state)
{
	watch_free(*state);
	return 0;
}

static void on_nothing(void *arg, const struct event *e)
{
}

static bool may_run(void)
{
	static const struct probe_ops ops = { .on_event = on_nothing };
	struct probe_config cfg = { 0 };
	CLEANUP(loop_freep) struct loop *l = NULL;
	CLEANUP(probe_freep) struct probe *p = NULL;
	struct err err = { 0 };

	if (loop_new(&l, &err) < 0 ||
	    probe_new(l, clock_real(), &cfg, &ops, NULL, &p, &err) < 0) {
		printf("skipped: %s\n", err.msg);
		return false;
	}
	return true;
}

static void remove_dir(const char *path)
{
	char *argv[] = { (char[]){ "rm" }, (char[]){ "-rf" }, (char *)(uintptr_t)path, NULL };
	pid_t pid = fork();

	if (!pid) {
		execv("/bin/rm", argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, each)
	const struct CMUnitTest tests[] = {
		TEST(arguments_are_read_whole_whatever_they_hold),
		TEST(the_environment_is_read_up_to_a_kilobyte),
		TEST(who_and_where_come_with_the_exec),
		TEST(the_working_directory_is_read),
		TEST(dropped_privileges_show),
		TEST(an_unlinked_program_keeps_its_path),
		TEST(a_program_from_memory_is_named_so),
		TEST(a_script_runs_its_interpreter),
		TEST(a_symbolic_link_is_resolved),
		TEST(a_bind_mount_is_part_of_the_path),
		TEST(a_chroot_does_not_shorten_the_path),
		TEST(a_path_too_deep_is_marked_and_keeps_its_end),
		TEST(the_controlling_terminal_shows),
		TEST(a_program_of_the_image_differs_from_a_dropped_one),
		TEST(the_cgroup_is_named_by_its_path),
		TEST(a_deep_cgroup_keeps_its_upper_end),
		TEST(where_controllers_are_in_v1_its_path_goes_before_that_of_v2),
		TEST(exits_say_how),
		TEST(threads_that_leave_together_are_one_exit),
		TEST(what_a_full_ring_loses_is_counted_once),
		TEST(records_across_the_rings_end_come_whole),
		TEST(the_loop_drains_by_itself),
		TEST(the_first_record_after_a_quiet_time_wakes_the_reader),
		TEST(what_runs_already_is_seeded),
		TEST(every_sensor_is_attached_or_says_why_not),
		TEST(a_wrong_ring_size_is_refused),
	};

	if (!may_run())
		return 77;
	strcpy(dir, "/tmp/picket-probe-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755))
		return perror("mkdtemp"), 1;
	snprintf(tiny, sizeof(tiny), "%s/load_tiny", dir);
	copy_file(LOAD_TINY, tiny);
	int r = cmocka_run_group_tests(tests, setup, teardown);
	remove_dir(dir);
	return r;
}
