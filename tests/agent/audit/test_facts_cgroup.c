/* test_facts_cgroup.c - a container's groups under v2 and under v1, from folders of our own that look like them. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "facts_test.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct tree {
	char dir[64];
	int proc; /* a folder like /proc/PID */
	struct facts_mount mount;
};

static int new_tree(void **state)
{
	static struct tree t;

	t = (struct tree){ .dir = "/tmp/groupsXXXXXX" };
	assert_non_null(mkdtemp(t.dir));
	t.proc = open(t.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.mount = (struct facts_mount){ .root = "/", .point = t.dir, .fs_type = "cgroup2", .super_options = "rw" };
	*state = &t;
	return t.proc < 0;
}

static int free_tree(void **state)
{
	struct tree *t = *state;
	pid_t pid = fork();

	close(t->proc);
	if (!pid) {
		execlp("rm", "rm", "-rf", "--one-file-system", t->dir, NULL);
		_exit(1);
	}
	return waitpid(pid, NULL, 0) != pid;
}

/* Makes the folders above too. */
static void put(const struct tree *t, const char *path, const char *text)
{
	char at[512];

	snprintf(at, sizeof(at), "%s", path);
	for (char *p = at; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		(void)mkdirat(t->proc, at, 0755);
	}
	int fd = openat(t->proc, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static bool read_tree(struct tree *t, struct facts_real *r, struct arena **ret)
{
	struct facts_out o = { .a = arena_new(8 << 20) };
	const struct facts_mount_table host = { &t->mount, 1 };
	bool is_frozen = false;

	facts_real_init(r);
	r->init.pid = getpid();
	facts_read_cgroup("/proc", t->proc, host, &o, r, &is_frozen);
	assert_false(o.failed);
	*ret = o.a;
	return is_frozen;
}

static void limits_of_v2_are_read(void **state)
{
	struct tree *t = *state;
	struct facts_real r;
	struct arena *a;

	put(t, "cgroup", "0::/system.slice/docker-" ID ".scope/init.scope\n");
	put(t, "system.slice/docker-" ID ".scope/memory.max", "67108864\n");
	put(t, "system.slice/docker-" ID ".scope/pids.max", "100\n");
	put(t, "system.slice/docker-" ID ".scope/cpu.max", "50000 100000\n");
	put(t, "system.slice/docker-" ID ".scope/cpu.weight", "39\n");
	put(t, "system.slice/docker-" ID ".scope/cgroup.freeze", "0\n");
	put(t, "system.slice/docker-" ID ".scope/cgroup.procs", "");
	assert_false(read_tree(t, &r, &a));
	assert_string_equal(r.cgroup,
			    "/system.slice/docker-" ID ".scope"); /* the container's, not what it made below */
	assert_int_equal(r.memory_max, 67108864);
	assert_int_equal(r.pids_max, 100);
	assert_int_equal(r.cpu_quota_us, 50000);
	assert_int_equal(r.cpu_period_us, 100000);
	assert_int_equal(r.cpu_weight, 39);
	assert_false(r.has_all_devices);
	assert_int_equal(r.process_count, 1);
	arena_free(a);
	put(t, "system.slice/docker-" ID ".scope/memory.max", "max\n");
	put(t, "system.slice/docker-" ID ".scope/pids.max", "nonsense\n");
	put(t, "system.slice/docker-" ID ".scope/cpu.max", "max 100000\n");
	put(t, "system.slice/docker-" ID ".scope/cpu.weight", "100\n");
	put(t, "system.slice/docker-" ID ".scope/cgroup.freeze", "1\n");
	assert_true(read_tree(t, &r, &a));
	assert_int_equal(r.memory_max, -1);
	assert_int_equal(r.pids_max, -2);
	assert_int_equal(r.cpu_quota_us, -1);
	assert_int_equal(r.cpu_weight, 0);
	arena_free(a);
}

static void limits_of_v1_are_read(void **state)
{
	struct tree *t = *state;
	struct facts_real r;
	struct arena *a;

	t->mount.fs_type = "cgroup";
	t->mount.super_options = "rw,memory,pids,cpu,devices,freezer";
	put(t, "cgroup",
	    "5:memory,pids:/docker/" ID "\n4:cpu,cpuacct:/docker/" ID "\n3:devices:/docker/" ID
	    "\n2:freezer:/docker/" ID "\n1:name=systemd:/x\n0::/y\n");
	put(t, "docker/" ID "/memory.limit_in_bytes", "9223372036854771712\n");
	put(t, "docker/" ID "/pids.max", "max\n");
	put(t, "docker/" ID "/cpu.cfs_quota_us", "-1\n");
	put(t, "docker/" ID "/cpu.cfs_period_us", "100000\n");
	put(t, "docker/" ID "/cpu.shares", "2\n");
	put(t, "docker/" ID "/devices.list", "c 1:3 rwm\na *:* rwm\n");
	put(t, "docker/" ID "/freezer.state", "THAWED\n");
	assert_false(read_tree(t, &r, &a));
	assert_int_equal(r.memory_max, -1);
	assert_int_equal(r.pids_max, -1);
	assert_int_equal(r.cpu_quota_us, -1);
	assert_int_equal(r.cpu_weight, 1);
	assert_true(r.has_all_devices);
	arena_free(a);
	put(t, "docker/" ID "/memory.limit_in_bytes", "4096\n");
	put(t, "docker/" ID "/cpu.shares", "1024\n");
	put(t, "docker/" ID "/devices.list", "c *:* m\nb *:* m\nc 1:3 rwm\n");
	put(t, "docker/" ID "/freezer.state", "FREEZING\n");
	assert_true(read_tree(t, &r, &a));
	assert_int_equal(r.memory_max, 4096);
	assert_int_equal(r.cpu_weight, 0);
	assert_false(r.has_all_devices);
	arena_free(a);
}

static void processes_of_groups_below_are_found(void **state)
{
	struct tree *t = *state;
	struct facts_real r;
	struct arena *a;
	char text[64];
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	put(t, "cgroup", "0::/docker/" ID "\n");
	put(t, "docker/" ID "/cgroup.procs", "0\n-1\n99999999999\nx\n2147483647\n");
	snprintf(text, sizeof(text), "%d\n", (int)pid);
	put(t, "docker/" ID "/a/b/cgroup.procs", text);
	/* A link leads out, a chain of folders too deep for anybody: neither is followed. */
	assert_int_equal(symlinkat("..", t->proc, "docker/" ID "/loop"), 0);
	put(t, "docker/" ID "/1/2/3/4/5/6/7/8/9/10/cgroup.procs", text);
	(void)read_tree(t, &r, &a);
	assert_int_equal(r.process_count, 2);
	assert_int_equal(r.processes[1].pid, pid);
	arena_free(a);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void a_group_that_leads_elsewhere_is_not_followed(void **state)
{
	static const char *const texts[] = { "0::/../../etc\n", "0::/..\n",	"", "0:", "::\n", "0::\n",
					     "9:pids\n",	"0::relative\n" };
	struct tree *t = *state;
	struct facts_real r;
	struct arena *a;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		put(t, "cgroup", texts[i]);
		(void)read_tree(t, &r, &a);
		assert_int_equal(r.memory_max, -2);
		assert_int_equal(r.process_count, 1);
		arena_free(a);
	}
	/* A mount of a part of the hierarchy shows nothing beside it. */
	t->mount.root = "/docker/0123456789";
	put(t, "cgroup", "0::/docker/" ID "\n");
	put(t, "memory.max", "1\n");
	(void)read_tree(t, &r, &a);
	assert_int_equal(r.memory_max, -2);
	arena_free(a);
	t->mount.root = "/docker/" ID;
	(void)read_tree(t, &r, &a);
	assert_int_equal(r.memory_max, 1);
	arena_free(a);
}

#define with_tree(f) cmocka_unit_test_setup_teardown(f, new_tree, free_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tree(limits_of_v2_are_read),
		with_tree(limits_of_v1_are_read),
		with_tree(processes_of_groups_below_are_found),
		with_tree(a_group_that_leads_elsewhere_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
