/* test_users.c - names out of hostile passwd files, through a made-up /proc and a real one. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/world/world_priv.h"
#include "common/file.h"

/* A container-like process: its own mount namespace and root; waits to be killed. */
struct jail {
	pid_t pid;
	char dir[64];
	uint32_t ns_mnt;
};

static void put(const char *dir, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static int jail_run(const char *dir, int ready)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(dir, dir, NULL, MS_BIND, NULL) || chdir(dir) ||
	    mount(dir, "/", NULL, MS_MOVE, NULL) || chroot("."))
		return 1;
	if (write(ready, "1", 1) != 1)
		return 1;
	pause();
	return 0;
}

/* Makes the folder; the caller fills dir/etc, then calls jail_start. */
static void jail_make(struct jail *j)
{
	char path[96];

	strcpy(j->dir, "/tmp/picket-users-XXXXXX");
	assert_non_null(mkdtemp(j->dir));
	snprintf(path, sizeof(path), "%s/etc", j->dir);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void jail_start(struct jail *j)
{
	int ready[2];
	char c, path[64];
	struct stat st;

	assert_int_equal(pipe(ready), 0);
	j->pid = fork();
	assert_true(j->pid >= 0);
	if (!j->pid)
		_exit(jail_run(j->dir, ready[1]));
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", j->pid);
	assert_int_equal(stat(path, &st), 0);
	j->ns_mnt = (uint32_t)st.st_ino;
}

static void jail_stop(struct jail *j)
{
	if (j->pid > 0) {
		kill(j->pid, SIGKILL);
		waitpid(j->pid, NULL, 0);
	}
	j->pid = 0;
}

static void jail_remove(struct jail *j)
{
	char command[128];

	jail_stop(j);
	snprintf(command, sizeof(command), "rm -rf %s", j->dir);
	run(command);
}

static struct event_process process_of(const struct jail *j)
{
	return (struct event_process){.pid = (uint32_t)j->pid, .ns_mnt = j->ns_mnt};
}

struct pairs {
	unsigned count;
	uint32_t ids[8];
	char names[8][80];
};

static void add_pair(void *arg, uint32_t id, struct slice name)
{
	struct pairs *p = arg;

	if (p->count < 8) {
		p->ids[p->count] = id;
		(void)slice_copy(name, p->names[p->count], 80);
	}
	p->count++;
}

static void only_sound_lines_of_a_passwd_file_count(void **state)
{
	struct pairs p = {0};

	users_parse(SLICE_LIT("root:x:0:0:r:/:/bin/sh\n"
			      "\n# comment\nshort:x\nneg:x:-1:0\nplus:x:+1:0\nbig:x:4294967296:0\n"
			      "unset:x:4294967295:0\n:x:5:0\nnul\0l:x:6:0\n"
			      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			      "aaaa:x:7:0\n"
			      "group:x:8:\nlast:*:1000:1000"),
		    add_pair, &p);
	assert_int_equal(p.count, 3);
	assert_string_equal(p.names[0], "root");
	assert_string_equal(p.names[1], "group");
	assert_int_equal(p.ids[1], 8);
	assert_string_equal(p.names[2], "last");
	assert_int_equal(p.ids[2], 1000);
}

static void a_huge_passwd_file_gives_a_bounded_number_of_names(void **state)
{
	CLEANUP(buf_finip) struct buf b = {0};
	struct pairs p = {0};

	buf_init(&b, 0);
	for (unsigned i = 0; i < 20000; i++)
		buf_printf(&b, "u%u:x:%u:0\n", i, i);
	users_parse(buf_slice(&b), add_pair, &p);
	assert_int_equal(p.count, WORLD_USER_TABLE_NAMES);
}

static void a_container_is_named_from_its_own_files_and_the_host_from_its_own(void **state)
{
	CLEANUP(users_freep) struct users *u = users_new(clock_real(), "/proc");
	struct jail j;

	jail_make(&j);
	put(j.dir, "etc/passwd", "root:x:0:0\napp:x:4242:4242\n");
	put(j.dir, "etc/group", "root:x:0:\nstaff:x:4343:\n");
	jail_start(&j);
	struct event_process in = process_of(&j),
			     host = {.pid = (uint32_t)getpid(), .ns_mnt = users_host_mnt(u)};
	assert_true(slice_is(users_name(u, &in, 4242), "app"));
	assert_true(slice_is(users_group(u, &in, 4343), "staff"));
	assert_int_equal(users_name(u, &in, 9).n, 0);
	assert_int_equal(users_name(u, &host, 4242).n, 0);
	assert_true(slice_is(users_name(u, &host, 0), "root"));
	/* In a user namespace of its own the uid is still one of the host's. */
	struct event_process mapped = in;
	mapped.ns_user = 12345;
	assert_int_equal(users_name(u, &mapped, 4242).n, 0);
	assert_true(slice_is(users_name(u, &mapped, 1), "daemon") ||
		    users_name(u, &host, 1).n == 0);
	/* The process ends: what its namespace showed stays known. */
	jail_stop(&j);
	assert_true(slice_is(users_name(u, &in, 4242), "app"));
	/* One nobody saw alive is not guessed at. */
	in.ns_mnt++;
	assert_int_equal(users_name(u, &in, 4242).n, 0);
	assert_true(slice_is(users_name(u, &in, 0), "root"));
	jail_remove(&j);
}

static void an_account_has_a_home_and_a_shell_where_its_line_has_them(void **state)
{
	CLEANUP(users_freep) struct users *u = users_new(clock_real(), "/proc");
	struct slice home, shell;
	struct jail j;

	jail_make(&j);
	put(j.dir, "etc/passwd", "app:x:4242:4242\nrun:x:17:1:a,b:/srv/run:\nweb:x:18:1::/srv/web:/bin/false\n::19\n");
	put(j.dir, "etc/group", "");
	jail_start(&j);
	struct event_process in = process_of(&j);
	assert_false(users_account(u, &in, 4242, &home, &shell));
	assert_false(users_account(u, &in, 19, &home, &shell));
	assert_true(users_account(u, &in, 17, &home, &shell));
	assert_true(slice_is(home, "/srv/run") && !shell.n);
	assert_true(users_account(u, &in, 18, &home, &shell));
	assert_true(slice_is(home, "/srv/web") && slice_is(shell, "/bin/false"));
	jail_stop(&j);
	assert_false(users_account(u, &in, 18, &home, &shell));
	jail_remove(&j);
}

static void a_changed_file_is_read_again_after_its_time(void **state)
{
	struct clock clk = clock_fake(1700000000ull * 1000000000);
	CLEANUP(users_freep) struct users *u = users_new(&clk, "/proc");
	struct jail j;

	clock_fake_advance(&clk, 1000000000);
	jail_make(&j);
	put(j.dir, "etc/passwd", "first:x:5:5\n");
	jail_start(&j);
	struct event_process in = process_of(&j);
	assert_true(slice_is(users_name(u, &in, 5), "first"));
	put(j.dir, "etc/passwd", "second:x:5:5\n");
	assert_true(slice_is(users_name(u, &in, 5), "first"));
	clock_fake_advance(&clk, 31ull * 1000000000);
	assert_true(slice_is(users_name(u, &in, 5), "second"));
	jail_remove(&j);
}

static void a_link_in_a_container_does_not_lead_to_the_hosts_files(void **state)
{
	CLEANUP(users_freep) struct users *u = users_new(clock_real(), "/proc");
	struct jail j;
	char command[256], secret[] = "/tmp/picket-secret-XXXXXX";

	int fd = mkstemp(secret);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "secret:x:5:5\n", 13), 13);
	close(fd);
	jail_make(&j);
	/* /etc/group leads to a file of the container itself: that is followed */
	snprintf(command, sizeof(command),
		 "ln -s ../../../../../..%s %s/etc/passwd && ln -s /etc/real %s/etc/group", secret,
		 j.dir, j.dir);
	run(command);
	put(j.dir, "etc/real", "own:x:5:\n");
	jail_start(&j);
	struct event_process in = process_of(&j);
	assert_int_equal(users_name(u, &in, 5).n, 0);
	assert_true(slice_is(users_group(u, &in, 5), "own"));
	unlink(secret);
	jail_remove(&j);
}

static void a_fifo_a_device_and_a_giant_are_not_read(void **state)
{
	static const char *const kinds[] = {
		"mkfifo %s/etc/passwd",
		"mknod %s/etc/passwd c 1 5", /* zero */
		"truncate -s 2M %s/etc/passwd",
		"mkdir %s/etc/passwd",
		"ln -s /proc/self/fd/0 %s/etc/passwd",
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP(users_freep) struct users *u = users_new(clock_real(), "/proc");
		struct jail j;
		char command[256];

		jail_make(&j);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(command, sizeof(command), kinds[i], j.dir);
#pragma GCC diagnostic pop
		run(command);
		jail_start(&j);
		struct event_process in = process_of(&j);
		alarm(10); /* blocking would be the fault */
		assert_int_equal(users_name(u, &in, 1).n, 0);
		alarm(0);
		jail_remove(&j);
	}
}

/* Whoever can mount makes mountinfo as long as they like. */
static void a_root_that_others_serve_is_not_looked_at_with_every_event(void **state)
{
	struct clock clk = clock_fake(1700000000ull * 1000000000);
	char dir[] = "/tmp/picket-users-XXXXXX", command[256];
	struct stat st;

	clock_fake_advance(&clk, 1000000000);
	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "mkdir -p %s/1/ns %s/7/ns %s/7/root/etc", dir, dir, dir);
	run(command);
	put(dir, "1/ns/mnt", "");
	put(dir, "1/ns/user", "");
	put(dir, "7/ns/mnt", "");
	put(dir, "7/root/etc/passwd", "app:x:5:5\n");
	put(dir, "7/mountinfo", "1 0 0:1 / / rw - fuse.sshfs x rw\n");
	snprintf(command, sizeof(command), "%s/7/ns/mnt", dir);
	assert_int_equal(stat(command, &st), 0);
	CLEANUP(users_freep) struct users *u = users_new(&clk, dir);
	struct event_process in = {.pid = 7, .ns_mnt = (uint32_t)st.st_ino}, gone = in;
	assert_int_equal(users_name(u, &in, 5).n, 0);
	put(dir, "7/mountinfo", "1 0 0:1 / / rw - overlay overlay rw\n");
	assert_int_equal(users_name(u, &in, 5).n, 0);
	clock_fake_advance(&clk, 31ull * 1000000000);
	gone.pid = 8; /* one that has exited says nothing of the root */
	assert_int_equal(users_name(u, &gone, 5).n, 0);
	assert_true(slice_is(users_name(u, &in, 5), "app"));
	snprintf(command, sizeof(command), "rm -r %s", dir);
	run(command);
}

static void thousands_of_namespaces_keep_the_cache_within_its_bound(void **state)
{
	CLEANUP(users_freep) struct users *u = users_new(clock_real(), "/proc");

	for (uint32_t i = 0; i < 5000; i++) {
		struct event_process p = {.pid = 4000000000u, .ns_mnt = 1000 + i};
		assert_int_equal(users_name(u, &p, 7).n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_sound_lines_of_a_passwd_file_count),
		cmocka_unit_test(a_huge_passwd_file_gives_a_bounded_number_of_names),
		cmocka_unit_test(a_root_that_others_serve_is_not_looked_at_with_every_event),
		cmocka_unit_test(thousands_of_namespaces_keep_the_cache_within_its_bound),
	};
	const struct CMUnitTest privileged[] = {
		cmocka_unit_test(a_container_is_named_from_its_own_files_and_the_host_from_its_own),
		cmocka_unit_test(an_account_has_a_home_and_a_shell_where_its_line_has_them),
		cmocka_unit_test(a_changed_file_is_read_again_after_its_time),
		cmocka_unit_test(a_link_in_a_container_does_not_lead_to_the_hosts_files),
		cmocka_unit_test(a_fifo_a_device_and_a_giant_are_not_read),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	if (r)
		return r;
	if (geteuid() != 0) {
		puts("skipped: mount namespaces need root");
		return 77;
	}
	return cmocka_run_group_tests(privileged, NULL, NULL);
}
