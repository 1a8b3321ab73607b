/* Where paths lead: links, dots, /proc's own links, a changed root, callers that are gone, file systems that
 * never answer. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/world/world_priv.h"

struct place {
	char dir[64];
	struct arena *arena;
	struct resolver *resolver;
};

static uint32_t mnt_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	assert_int_equal(stat(path, &st), 0);
	return (uint32_t)st.st_ino;
}

static uint64_t start_of(pid_t pid)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	char *at = strrchr(text, ')');
	for (unsigned i = 0; i < 20; i++)
		at = strchr(at + 1, ' ');
	return strtoull(at, NULL, 10) * 10000000;
}

static struct event event_of(pid_t pid)
{
	return (struct event){.type = EV_CALL,
			      .p = {.pid = (uint32_t)pid,
				    .tid = (uint32_t)pid,
				    .vpid = (uint32_t)pid,
				    .ppid = (uint32_t)getpid(),
				    .start_ns = start_of(pid),
				    .parent_start_ns = start_of(getpid()),
				    .ns_mnt = mnt_of(pid)}};
}

/* dir/real/file, dir/link -> real, dir/abs -> dir/real, dir/flink -> real/file */
static int setup(void **state)
{
	static struct place p;
	char command[512];

	strcpy(p.dir, "/tmp/picket-resolve-XXXXXX");
	assert_non_null(mkdtemp(p.dir));
	snprintf(command, sizeof(command),
		 "cd %s && mkdir -p real/sub && echo > real/file && ln -s real link && ln -s %s/real abs && "
		 "ln -s real/file flink && ln -s /proc/self/root/etc procs && ls -R . >/dev/null && cat link/file abs/file flink >/dev/null",
		 p.dir, p.dir);
	assert_int_equal(system(command), 0);
	p.arena = arena_new(1 << 20);
	p.resolver = resolver_new("/proc");
	*state = &p;
	return !p.arena || !p.resolver;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char command[128];

	resolver_free(p->resolver);
	arena_free(p->arena);
	snprintf(command, sizeof(command), "rm -rf %s", p->dir);
	return system(command);
}


static int open_count(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* "%" in texts is the place's directory. */
static struct slice expand(struct place *p, const char *text)
{
	if (!text)
		return SLICE_NONE;
	const char *at = strchr(text, '%');
	char *s = at ? arena_printf(p->arena, "%.*s%s%s", (int)(at - text), text, p->dir, at + 1) :
		       arena_dup(p->arena, slice_of(text));
	return slice_of(s);
}

static void assert_path(struct slice got, struct slice want, const char *what)
{
	if (!slice_eq(got, want))
		fail_msg("%s: '%.*s' is not '%.*s'", what, SLICE_FMT(got), SLICE_FMT(want));
}

static void paths_lead_where_the_kernel_would_go(void **state)
{
	static const struct {
		enum call call;
		const char *raw, *base, *want;
	} rows[] = {
		{ CALL_UNLINK, "%/real/file", NULL, "%/real/file" },
		{ CALL_UNLINK, "%/link/file", NULL, "%/real/file" },
		{ CALL_UNLINK, "%/abs/gone", NULL, "%/real/gone" },
		{ CALL_UNLINK, "%//link/.//sub/../file", NULL, "%/real/file" },
		{ CALL_UNLINK, "%/link/../link/file", NULL, "%/real/file" },
		{ CALL_UNLINK, "link/file", "%", "%/real/file" },
		{ CALL_UNLINK, "../link/x", "%/real", "%/real/x" },
		{ CALL_UNLINK, "../../../../../../../../etc/shadow", "%/real/sub", "/etc/shadow" },
		{ CALL_UNLINK, "%/flink", NULL, "%/flink" }, /* the link itself */
		{ CALL_CHMOD, "%/flink", NULL, "%/real/file" },
		{ CALL_LCHOWN, "%/flink", NULL, "%/flink" },
		{ CALL_CHDIR, "%/link/", NULL, "%/real" },
		{ CALL_CHDIR, "..", "%/real", "%" },
		{ CALL_CHMOD, "/proc/self/root/etc/passwd", NULL, "/etc/passwd" },
		{ CALL_CHMOD, "/proc/thread-self/root/../etc/./passwd", NULL, "/etc/passwd" },
		{ CALL_CHMOD, "/proc/1/root/etc/passwd", NULL, "/etc/passwd" },
		{ CALL_CHMOD, "/tmp/../proc/self/root/proc/self/root/etc/passwd", NULL, "/etc/passwd" },
		{ CALL_CHMOD, "self/root/etc/passwd", "/proc", "/etc/passwd" },
		{ CALL_CHMOD, "/", NULL, "/" },
		{ CALL_CHMOD, "/..", NULL, "/" },
		{ CALL_FCHOWNAT, "", "%/real/file", "%/real/file" }, /* AT_EMPTY_PATH */
		{ CALL_UNLINK, "x", NULL, "x" }, /* from where is not known */
		{ CALL_UNLINK, "", NULL, "" },
		{ CALL_MKDIR, "%/nowhere/at/../all", NULL, "%/nowhere/all" },
	};
	struct place *p = *state;
	int before = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct event e = event_of(getpid());

		e.call = (struct event_call){.call = rows[i].call, .family = FAMILY_PATH,
					     .raw = expand(p, rows[i].raw), .base = expand(p, rows[i].base)};
		resolver_resolve(p->resolver, &e, p->arena);
		assert_path(e.call.path, expand(p, rows[i].want), rows[i].raw);
		if (i)
			assert_int_equal(open_count(), before); /* one stays open for each process known */
		before = open_count();
	}
}

static void the_callers_own_directory_and_descriptors_are_followed(void **state)
{
	struct place *p = *state;
	struct event e = event_of(getpid());
	CLEANUP(fd_closep) int fd = open(p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	e.call = (struct event_call){.call = CALL_UNLINK, .family = FAMILY_PATH,
				     .raw = slice_of(arena_printf(p->arena, "/proc/self/fd/%d/link/file", fd))};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_path(e.call.path, expand(p, "%/real/file"), "fd");
	e.call = (struct event_call){.call = CALL_UNLINK, .family = FAMILY_PATH,
				     .raw = slice_of(arena_printf(p->arena, "/dev/fd/%d/abs/x", fd))};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_path(e.call.path, expand(p, "%/real/x"), "/dev/fd");
	char *old = getcwd(NULL, 0);
	assert_int_equal(chdir(p->dir), 0);
	e.call = (struct event_call){.call = CALL_UNLINK, .family = FAMILY_PATH, .raw = SLICE_LIT("/proc/self/cwd/link/y")};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_int_equal(chdir(old), 0);
	free(old);
	assert_path(e.call.path, expand(p, "%/real/y"), "cwd");
}

static void two_paths_have_each_their_base(void **state)
{
	struct place *p = *state;
	struct event e = event_of(getpid());

	e.call = (struct event_call){.call = CALL_RENAMEAT2, .family = FAMILY_PATHS, .raw = SLICE_LIT("link/file"),
				     .base = expand(p, "%"), .raw2 = SLICE_LIT("../abs/new"), .base2 = expand(p, "%/real")};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_path(e.call.path, expand(p, "%/real/file"), "old");
	assert_path(e.call.path2, expand(p, "%/real/new"), "new");
	/* A link's text counts from where the link lies. */
	e.call = (struct event_call){.call = CALL_SYMLINKAT, .family = FAMILY_PATHS,
				     .raw = SLICE_LIT("../../../etc/shadow"), .raw2 = SLICE_LIT("link/l"), .base2 = expand(p, "%")};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_path(e.call.path, SLICE_LIT("/etc/shadow"), "target");
	assert_path(e.call.path2, expand(p, "%/real/l"), "linkpath");
	/* What is no path stays what it is. */
	e.call = (struct event_call){.call = CALL_MOUNT, .family = FAMILY_PATHS, .raw = SLICE_LIT("tmpfs"),
				     .raw2 = expand(p, "%/link")};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_path(e.call.path, SLICE_LIT("tmpfs"), "source");
	assert_path(e.call.path2, expand(p, "%/real"), "target");
}

static void what_the_probe_knew_and_other_events_stay(void **state)
{
	struct place *p = *state;
	struct event e = event_of(getpid());

	e.call = (struct event_call){.call = CALL_CHDIR, .family = FAMILY_PATH, .path = SLICE_LIT("/known"),
				     .raw = SLICE_LIT("/etc")};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_path(e.call.path, SLICE_LIT("/known"), "known");
	e.call = (struct event_call){.call = CALL_MEMFD_CREATE, .family = FAMILY_PLAIN, .raw = SLICE_LIT("/etc")};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_int_equal(e.call.path.n, 0);
	e.type = EV_EXEC;
	e.call.family = FAMILY_PATH;
	resolver_resolve(p->resolver, &e, p->arena);
	assert_int_equal(e.call.path.n, 0);
}

/* Runs fn in a child that then waits, and gives its pid. */
static pid_t start(int (*fn)(const char *dir), const char *dir)
{
	int ready[2];
	char c = 0;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int r = fn(dir);

		if (write(ready[1], r ? "0" : "1", 1) != 1 || r)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	ssize_t n = read(ready[0], &c, 1);
	close(ready[0]);
	if (n == 1 && c == '1')
		return pid;
	waitpid(pid, NULL, 0);
	return -1;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int change_root(const char *dir)
{
	return chroot(dir) || chdir("/");
}

static void a_changed_root_is_told_from_the_namespaces(void **state)
{
	struct place *p = *state;
	pid_t pid = geteuid() ? -1 : start(change_root, p->dir);

	if (pid < 0)
		skip();
	struct event e = event_of(pid);
	e.call = (struct event_call){.call = CALL_UNLINK, .family = FAMILY_PATH, .raw = SLICE_LIT("/link/file")};
	resolver_resolve(p->resolver, &e, p->arena);
	struct slice absolute = e.call.path;
	e.call = (struct event_call){.call = CALL_UNLINK, .family = FAMILY_PATH, .raw = SLICE_LIT("../../link/file"),
				     .base = expand(p, "%/real")};
	resolver_resolve(p->resolver, &e, p->arena);
	struct slice relative = e.call.path;
	e.call = (struct event_call){.call = CALL_UNLINK, .family = FAMILY_PATH, .raw = SLICE_LIT("/no/such")};
	resolver_resolve(p->resolver, &e, p->arena);
	struct slice by_text = e.call.path;
	stop(pid);
	assert_path(absolute, expand(p, "%/real/file"), "absolute");
	assert_path(relative, expand(p, "%/real/file"), "relative, not out of the root");
	assert_path(by_text, expand(p, "%/no/such"), "by text");
}

static void for_a_caller_that_is_gone_its_parent_stands(void **state)
{
	struct place *p = *state;
	struct event e = event_of(getpid());

	e.p.pid = e.p.tid = e.p.vpid = 0x3ffffff0; /* no such pid */
	e.call = (struct event_call){.call = CALL_UNLINK, .family = FAMILY_PATH, .raw = expand(p, "%/link/file")};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_path(e.call.path, expand(p, "%/real/file"), "parent");
	/* One of the same pid that started at another time is somebody else. */
	e = event_of(getpid());
	e.p.start_ns += 1000000000;
	e.p.ppid = 0;
	e.p.ns_mnt = 1;
	e.call = (struct event_call){.call = CALL_UNLINK, .family = FAMILY_PATH, .raw = expand(p, "%/link/../x")};
	resolver_resolve(p->resolver, &e, p->arena);
	assert_path(e.call.path, expand(p, "%/x"), "text");
}

static char fuse_point[128];
static int fuse_fd = -1;

static int mount_silent_fuse(const char *dir)
{
	char options[128];

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 1;
	snprintf(fuse_point, sizeof(fuse_point), "%s/fuse", dir);
	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse_fd < 0 || mkdir(fuse_point, 0755))
		return 1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse_fd);
	return mount("fuse", fuse_point, "fuse.silent", 0, options);
}

static void a_file_system_that_never_answers_is_not_waited_for(void **state)
{
	static const enum call calls[] = { CALL_UNLINK, CALL_CHMOD, CALL_CHDIR };
	struct place *p = *state;
	pid_t pid = geteuid() || access("/dev/fuse", R_OK | W_OK) ? -1 : start(mount_silent_fuse, p->dir);
	struct timespec from, to;

	if (pid < 0)
		skip();
	alarm(30); /* else it would hang for ever */
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		struct event e = event_of(pid);

		e.call = (struct event_call){.call = calls[i], .family = FAMILY_PATH, .raw = expand(p, "%/fuse/a/../b")};
		resolver_resolve(p->resolver, &e, p->arena);
		assert_path(e.call.path, expand(p, "%/fuse/b"), "fuse");
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	alarm(0);
	stop(pid);
	assert_true(to.tv_sec - from.tv_sec < 2);
}

static void hostile_texts_stay_within_their_bounds(void **state)
{
	static const char *const texts[] = {
		"/proc/self/root/proc/self/root/proc/self/root/proc/self/root/proc/self/root/proc/self/root/proc/self/root/proc/self/root/proc/self/root/etc",
		"/proc/self/fd/99999999999999999999", "/proc/self/fd/", "/proc/self/fd/-1/x", "/proc/self/task/x/root", "/proc/0/root/x",
		"/proc/self", "/proc/", "//", "/./.", "/proc/self/cwd", "/proc/self/task/1/cwd/..", "/dev/fd/", "/dev/fd/0",
	};
	struct place *p = *state;
	static char long_text[4096];

	for (size_t i = 0; i <= ARRAY_LEN(texts); i++) {
		struct event e = event_of(getpid());

		memset(long_text, i % 2 ? '/' : 'a', sizeof(long_text) - 1);
		long_text[0] = '/';
		e.call = (struct event_call){.call = CALL_CHMOD, .family = FAMILY_PATHS,
					     .raw = slice_of(i < ARRAY_LEN(texts) ? texts[i] : long_text),
					     .raw2 = slice_from("/e\0tc", 5)};
		resolver_resolve(p->resolver, &e, p->arena);
		assert_true(slice_starts(e.call.path, SLICE_LIT("/")));
		arena_reset(p->arena);
	}
	struct arena *small = arena_new(64);
	struct event e = event_of(getpid());
	e.call = (struct event_call){.call = CALL_CHMOD, .family = FAMILY_PATH, .raw = slice_of(long_text)};
	resolver_resolve(p->resolver, &e, small);
	arena_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_lead_where_the_kernel_would_go),
		cmocka_unit_test(the_callers_own_directory_and_descriptors_are_followed),
		cmocka_unit_test(two_paths_have_each_their_base),
		cmocka_unit_test(what_the_probe_knew_and_other_events_stay),
		cmocka_unit_test(a_changed_root_is_told_from_the_namespaces),
		cmocka_unit_test(for_a_caller_that_is_gone_its_parent_stands),
		cmocka_unit_test(a_file_system_that_never_answers_is_not_waited_for),
		cmocka_unit_test(hostile_texts_stay_within_their_bounds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
