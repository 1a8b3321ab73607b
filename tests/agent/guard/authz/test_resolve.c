/* test_resolve.c - whose files a mount shows, by links, names and mounts of all kinds. */
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "authz_test.h"

static char top[64];
static struct policy *policy;

static void run(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	assert_int_equal(system(cmd), 0);
}

static int make_tree(void **state)
{
	char text[512];

	snprintf(top, sizeof(top), "/tmp/authz-resolve-XXXXXX");
	if (open_arena(state) < 0 || !mkdtemp(top))
		return -1;
	run("cd %s && mkdir -p run/deep/er open/in other && echo x >run/sock && echo x >run/secret && ln -s run/sock link && ln -s run dirlink && "
	    "ln -s nowhere dangling && ln -s ../run/deep open/deep && ln run/secret other/hard && ln -s / rootlink && ln -s other/a ok",
	    top);
	snprintf(text, sizeof(text),
		 "access_control:\n  runtime_access:\n    denied_mounts: [%s/run/sock, %s/run/deep, %s/run/secret, %s/absent/x]\nmode: enforce\n", top, top,
		 top, top);
	return policy_parse(slice_of(text), "t", &policy, NULL);
}

static int remove_tree(void **state)
{
	run("rm -rf %s", top);
	policy_free(policy);
	return close_arena(state);
}

static struct policy_mount resolved(const char *type, const char *source, const char *device)
{
	struct policy_mount *m = arena_zalloc(arena, 1, sizeof(*m));
	struct policy_workload w;

	*m = (struct policy_mount){ .type = type, .source = source, .real = "", .device = device, .driver = "", .dest = "/x", .protects = "" };
	authz_workload_init(&w);
	w.mounts = m;
	w.mount_count = 1;
	authz_resolve(policy, &w, arena);
	return w.mounts[0];
}

static void check(const char *relative, const char *want)
{
	const char *source = arena_printf(arena, "%s/%s", top, relative);
	const char *expect = !*want || !strcmp(want, "/") ? want : arena_printf(arena, "%s/%s", top, want);
	struct policy_mount m = resolved("bind", source, "");

	if (strcmp(m.protects, expect) != 0)
		fail_msg("%s protects '%s', not '%s' (real '%s')", source, m.protects, expect, m.real);
}

/* A folder with several of them: which is named is up to the policy's table. */
static void check_holds(const char *relative, const char *where)
{
	const char *source = arena_printf(arena, "%s/%s", top, relative), *below = arena_printf(arena, "%s/%s", top, where);
	struct policy_mount m = resolved("bind", source, "");

	if (strncmp(m.protects, below, strlen(below)) != 0)
		fail_msg("%s protects '%s', not what is in '%s' (real '%s')", source, m.protects, below, m.real);
}

static void what_is_protected_is_found_under_every_name(void **state)
{
	(void)state;
	check("run/sock", "run/sock");
	check("link", "run/sock");	     /* a link */
	check("dirlink/sock", "run/sock");   /* below one */
	check("run/./../run/sock", "run/sock");
	check("run/../run//sock/", "run/sock");
	check("run/deep/er", "run/deep");    /* lies in it */
	check("open/deep/er", "run/deep");
	check("other/hard", "run/secret");   /* the same inode */
	check_holds("run", "run/");
	check_holds("dirlink", "run/");
	check_holds("", "");
	check("other", "");
	check("open", "");
	check("open/in", "");
	check("other/new/er", "");	     /* the engine makes it */
	check("run/deep/new", "run/deep");
	check("open/deep/new/er", "run/deep");
	check("dangling", "/");		     /* may lead anywhere yet */
	check("dangling/x", "/");
	check("ok", "/");
	check("rootlink", "/");
	/* The engine takes ".." out by text: open/deep/../in is open/in, for the kernel run/in. */
	check("open/deep/../in", "");
	check("rootlink/../run/sock", "run/sock");
	check("nothing/../run/sock", "run/sock");
}

static void the_root_and_magic_links_are_the_whole_host(void **state)
{
	(void)state;
	assert_string_equal(resolved("bind", "/", "").protects, "/");
	assert_string_equal(resolved("bind", "/proc/self/root", "").protects, "/");
	assert_string_equal(resolved("bind", "/proc/1/root/etc", "").protects, "/");
	assert_string_equal(resolved("bind", "/proc/self/cwd", "").protects, "/");
	assert_string_equal(resolved("bind", "relative", "").protects, "/");
	assert_string_equal(resolved("bind", "", "").protects, "/");
	assert_string_equal(resolved("volume", "v", "/").protects, "/");
	assert_string_equal(resolved("volume", "v", "etc").protects, "/");
	assert_string_equal(resolved("volume", "v", "").protects, "");
	assert_string_equal(resolved("tmpfs", "", "").protects, "");
	char *longest = arena_alloc(arena, 6000);
	memset(longest, '/', 5999);
	longest[5998] = 'x';
	longest[5999] = 0;
	assert_string_equal(resolved("bind", longest, "").protects, ""); /* cleaned to /x */
	memset(longest, 'y', 5999);
	*longest = '/';
	assert_string_equal(resolved("bind", longest, "").protects, "/");
}

static void a_volumes_device_is_looked_at_as_the_kernel_does(void **state)
{
	const char *device = arena_printf(arena, "%s/open/deep/../sock", top); /* run/sock */
	const char *want = arena_printf(arena, "%s/run/sock", top);

	(void)state;
	assert_string_equal(resolved("volume", "v", device).protects, want);
	assert_string_equal(resolved("volume", "v", arena_printf(arena, "%s/link", top)).protects, want);
}

static void another_mount_of_the_same_files_is_seen(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (!pid) {
		char from[128], to[128];

		snprintf(from, sizeof(from), "%s/run", top);
		snprintf(to, sizeof(to), "%s/open/in", top);
		if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
			_exit(77);
		struct policy_mount sock = resolved("bind", arena_printf(arena, "%s/sock", to), "");
		struct policy_mount holds = resolved("bind", to, "");
		struct policy_mount in = resolved("bind", arena_printf(arena, "%s/deep/er", to), "");
		_exit(!(strstr(sock.protects, "/run/sock") && strstr(holds.protects, "/run/") && strstr(in.protects, "/run/deep")));
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no mount namespace can be made here */
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- devices ---- */

static void check_device(const char *path, const char *want)
{
	const char *v[] = { arena_printf(arena, "%s:/dev/x:rw", path) };
	struct policy_workload w;

	authz_workload_init(&w);
	w.devices = (struct policy_texts){ v, 1 };
	authz_resolve_devices(&w, arena);
	const char *expect = arena_printf(arena, "%s:/dev/x:rw", want);
	if (w.devices.count != (*want ? 2 : 1) || strcmp(w.devices.v[0], v[0]) != 0 ||
	    (*want && strcmp(w.devices.v[1], expect) != 0))
		fail_msg("%s is %s, not %s", path, w.devices.count > 1 ? w.devices.v[1] : "as it is called", want);
}

static void a_device_is_what_its_number_says(void **state)
{
	(void)state;
	check_device("/dev/null", "");
	check_device("/dev/no-such", "");
	check_device("vendor.example/gpu=all", "");
	run("ln -s /dev/zero %s/z; ln -s z %s/zz; mkdir %s/d; ln -s loop %s/loop", top, top, top, top);
	check_device(arena_printf(arena, "%s/z", top), "/dev/zero");
	check_device(arena_printf(arena, "%s/zz", top), "/dev/zero");
	check_device(arena_printf(arena, "%s/loop", top), "/dev"); /* may become anything */
	check_device("/dev/../dev/zero", "/dev/zero");
	check_device("/proc/self/root/dev/zero", "/dev");
	if (system(arena_printf(arena, "mknod %s/node c 1 5 2>/dev/null", top)))
		skip(); /* no devices may be made here */
	check_device(arena_printf(arena, "%s/node", top), "/dev/zero");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_protected_is_found_under_every_name),
		cmocka_unit_test(the_root_and_magic_links_are_the_whole_host),
		cmocka_unit_test(a_volumes_device_is_looked_at_as_the_kernel_does),
		cmocka_unit_test(another_mount_of_the_same_files_is_seen),
		cmocka_unit_test(a_device_is_what_its_number_says),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
