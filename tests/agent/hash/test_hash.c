/* With the real worker: this program, started again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/hash/hash.h"
#include "agent/hash/question.h"
#include "agent/hash/worker.h"
#include "common/clock.h"
#include "common/tls.h"

enum { MAX_BYTES = 1024 * 1024, DEAD_PID = 4194303 };

struct told {
	size_t count;
	char records[16][32];
	uint8_t sha256[16][32];
};

struct fixture {
	struct loop *loop;
	struct hash *hash;
	struct told told;
	char dir[64];
};

static void on_hash(void *arg, struct slice record, const uint8_t sha256[32])
{
	struct told *t = arg;

	if (t->count == ARRAY_LEN(t->records))
		return; /* a test that has more counts them otherwise */
	(void)slice_copy(record, t->records[t->count], sizeof(t->records[0]));
	memcpy(t->sha256[t->count++], sha256, 32);
}

static void open_with(struct fixture *f, uint64_t rate, uint64_t hang_ms)
{
	struct hash_config cfg = { .max_file_bytes = MAX_BYTES, .bytes_per_second = rate, .hang_ms = hang_ms };

	memset(&f->told, 0, sizeof(f->told));
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	assert_int_equal(hash_new(f->loop, &cfg, on_hash, &f->told, &f->hash, NULL), 0);
}

static int setup(void **state)
{
	static struct fixture f;

	snprintf(f.dir, sizeof(f.dir), "/tmp/picket-hash-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	open_with(&f, 1ull << 30, 0);
	*state = &f;
	return 0;
}

static void close_it(struct fixture *f)
{
	hash_free(f->hash);
	loop_free(f->loop);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	close_it(f);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	return system(command);
}

static const char *path_of(const struct fixture *f, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return path;
}

static const char *make_file(const struct fixture *f, const char *name, const char *content)
{
	const char *path = path_of(f, name);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(content, out);
	assert_int_equal(fclose(out), 0);
	return path;
}

static uint64_t ns(struct timespec t)
{
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* As the kernel's record says it. */
static struct event_process exec_of_stat(const struct stat *st, uint32_t pid, const char *path)
{
	return (struct event_process){ .pid = pid,
				       .exe = slice_of(path),
				       .exe_inode = st->st_ino,
				       .exe_dev = (uint32_t)st->st_dev,
				       .exe_ctime_ns = ns(st->st_ctim),
				       .exe_mtime_ns = ns(st->st_mtim) };
}

static struct event_process exec_of(const char *path, uint32_t pid)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return exec_of_stat(&st, pid, path);
}

static struct hash_figures figures(const struct fixture *f)
{
	struct hash_figures n;

	hash_figures(f->hash, &n);
	return n;
}

static void wait_for_all(struct fixture *f)
{
	uint64_t end = clock_boot_ns(clock_real()) + 20 * 1000000000ull;

	while (figures(f).waiting && clock_boot_ns(clock_real()) < end)
		loop_step(f->loop, 20);
	assert_int_equal(figures(f).waiting, 0);
}

static void ask(struct fixture *f, struct event_process p, const char *record)
{
	assert_int_equal(hash_find(f->hash, &p), HASH_ASK);
	hash_ask(f->hash, &p, (uint32_t)getpid(), slice_of(record));
}

static void assert_is_sum(const uint8_t sha256[32], const char *content)
{
	uint8_t want[32];

	tls_sha256(slice_of(content), want);
	assert_memory_equal(sha256, want, 32);
}

/* ---- */

static void all_who_wait_are_told_once_and_later_ones_at_once(void **state)
{
	struct fixture *f = *state;
	struct event_process p = exec_of(make_file(f, "a", "content"), DEAD_PID);

	ask(f, p, "one");
	ask(f, p, "two");
	assert_int_equal(figures(f).waiting, 2);
	wait_for_all(f);
	assert_int_equal(f->told.count, 2);
	assert_string_equal(f->told.records[0], "one");
	assert_string_equal(f->told.records[1], "two");
	assert_is_sum(f->told.sha256[0], "content");
	assert_is_sum(f->told.sha256[1], "content");
	assert_int_equal(hash_find(f->hash, &p), HASH_FOUND);
	assert_true(p.has_exe_sha256);
	assert_is_sum(p.exe_sha256, "content");
	assert_int_equal(figures(f).known, 1);
	assert_int_equal(figures(f).told, 2);
}

static void a_file_that_changed_between_two_execs_has_two_hashes(void **state)
{
	struct fixture *f = *state;

	ask(f, exec_of(make_file(f, "a", "before"), DEAD_PID), "one");
	wait_for_all(f);
	ask(f, exec_of(make_file(f, "a", "after"), DEAD_PID), "two");
	wait_for_all(f);
	assert_int_equal(f->told.count, 2);
	assert_is_sum(f->told.sha256[0], "before");
	assert_is_sum(f->told.sha256[1], "after");
}

/* What is there now is not what was run: no hash is better than a wrong one. */
static void what_changed_since_its_exec_has_none(void **state)
{
	struct fixture *f = *state;
	struct event_process p = exec_of(make_file(f, "a", "run"), DEAD_PID);

	make_file(f, "a", "written since");
	p.exe_ctime_ns--;
	ask(f, p, "one");
	wait_for_all(f);
	assert_int_equal(f->told.count, 0);
	assert_int_equal(figures(f).gone, 1);
}

static void what_is_written_to_while_it_is_read_has_none(void **state)
{
	struct fixture *f = *state;
	const char *path = make_file(f, "a", "");

	close_it(f);
	open_with(f, 256 * 1024, 0);
	assert_int_equal(truncate(path, 512 * 1024), 0);
	ask(f, exec_of(path, DEAD_PID), "slow");
	uint64_t end = clock_boot_ns(clock_real()) + 500 * 1000000ull;
	while (clock_boot_ns(clock_real()) < end)
		loop_step(f->loop, 20);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	close(fd);
	wait_for_all(f);
	assert_int_equal(f->told.count, 0);
	assert_int_equal(figures(f).changed, 1);
}

static void what_is_nowhere_any_more_is_counted(void **state)
{
	struct fixture *f = *state;
	struct event_process p = exec_of(make_file(f, "a", "run"), DEAD_PID);

	unlink(path_of(f, "a"));
	ask(f, p, "one");
	wait_for_all(f);
	assert_int_equal(f->told.count, 0);
	assert_int_equal(figures(f).gone, 1);
	/* it may be found for the next one who runs it */
	assert_int_equal(hash_find(f->hash, &p), HASH_ASK);
}

static void what_is_too_large_is_not_read_and_not_asked_for_again(void **state)
{
	struct fixture *f = *state;
	const char *path = make_file(f, "a", "");

	assert_int_equal(truncate(path, 1ll << 42), 0); /* a hole: 4 TiB */
	struct event_process p = exec_of(path, DEAD_PID);
	ask(f, p, "one");
	wait_for_all(f);
	assert_int_equal(hash_find(f->hash, &p), HASH_NEVER);
	assert_int_equal(figures(f).too_large, 2);
	assert_int_equal(f->told.count, 0);
}

static void neither_pipes_nor_links_nor_folders_are_opened(void **state)
{
	struct fixture *f = *state;
	char link[128];

	assert_int_equal(mkfifo(path_of(f, "pipe"), 0600), 0);
	ask(f, exec_of(path_of(f, "pipe"), DEAD_PID), "pipe");
	assert_int_equal(mkdir(path_of(f, "folder"), 0700), 0);
	ask(f, exec_of(path_of(f, "folder"), DEAD_PID), "folder");
	make_file(f, "a", "run");
	struct event_process p = exec_of(path_of(f, "a"), DEAD_PID);
	snprintf(link, sizeof(link), "%s/link", f->dir);
	assert_int_equal(symlink("a", link), 0);
	p.exe = slice_of(link);
	ask(f, p, "link");
	wait_for_all(f);
	assert_int_equal(figures(f).skipped, 2);
	assert_int_equal(f->told.count, 0);
}

static void a_file_system_of_another_machine_is_not_touched(void **state)
{
	struct fixture *f = *state;
	struct event_process p = { .pid = DEAD_PID, .exe_inode = 1, .exe_fs = 0x65735546 };

	assert_int_equal(hash_find(f->hash, &p), HASH_NEVER);
	assert_int_equal(figures(f).skipped, 1);
}

/* Of lower layers one answer does for all containers; not where the overlay is a user's own. */
static void a_lower_layers_file_is_the_same_in_every_container(void **state)
{
	struct fixture *f = *state;
	struct event_process p = exec_of(make_file(f, "a", "content"), DEAD_PID);

	p.exe_lower_layer = p.exe_host_fs = true;
	ask(f, p, "one");
	wait_for_all(f);
	p.exe_dev++;
	assert_int_equal(hash_find(f->hash, &p), HASH_FOUND);
	p.exe_host_fs = false;
	assert_int_equal(hash_find(f->hash, &p), HASH_ASK);
}

/* A program that has no name anywhere. */
static void a_memfd_is_read_through_its_process(void **state)
{
	struct fixture *f = *state;
	char *const argv[] = { (char *)(uintptr_t)"sleep", (char *)(uintptr_t)"30", NULL };
	char *const env[] = { NULL };
	int fd = memfd_create("hidden", MFD_CLOEXEC), from = open("/bin/sleep", O_RDONLY | O_CLOEXEC);
	char bytes[128 * 1024];
	uint8_t want[32];
	struct stat st;

	assert_true(fd >= 0 && from >= 0);
	ssize_t n = read(from, bytes, sizeof(bytes));
	assert_true(n > 0 && n < (ssize_t)sizeof(bytes));
	assert_int_equal(write(fd, bytes, (size_t)n), n);
	tls_sha256(slice_from(bytes, (size_t)n), want);
	int told[2];
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (!pid) {
		/* the memfd's writer would make it busy */
		char path[32];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		int only = open(path, O_RDONLY | O_CLOEXEC);
		close(fd);
		(void)!write(told[1], "x", 1);
		for (;;) {
			fexecve(only, argv, env);
			usleep(1000); /* the parent still has it open for writing */
		}
		_exit(127);
	}
	char byte;
	assert_int_equal(read(told[0], &byte, 1), 1);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	close(from);
	for (int i = 0; i < 500; i++) {
		char exe[64], target[64] = "";

		snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
		if (readlink(exe, target, sizeof(target) - 1) > 0 && !strncmp(target, "/memfd:hidden", 13))
			break;
		usleep(10000);
	}
	ask(f, exec_of_stat(&st, (uint32_t)pid, "/memfd:hidden"), "memfd");
	wait_for_all(f);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(told[0]);
	close(told[1]);
	assert_int_equal(f->told.count, 1);
	assert_memory_equal(f->told.sha256[0], want, 32);
}

static void many_files_at_once_are_all_told(void **state)
{
	enum { FILES = 600 };
	struct fixture *f = *state;

	for (int i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		struct event_process p = exec_of(make_file(f, name, name), DEAD_PID);
		assert_int_equal(hash_find(f->hash, &p), HASH_ASK);
		hash_ask(f->hash, &p, (uint32_t)getpid(), SLICE_NONE);
		if (i % 7 == 0)
			loop_step(f->loop, 0);
	}
	wait_for_all(f);
	assert_int_equal(figures(f).told, FILES);
	assert_int_equal(figures(f).busy, 0);
}

static void what_is_read_in_a_second_is_bounded(void **state)
{
	struct fixture *f = *state;
	const char *path = make_file(f, "a", "");

	close_it(f);
	open_with(f, 128 * 1024, 0);
	assert_int_equal(truncate(path, 512 * 1024), 0);
	uint64_t begin = clock_boot_ns(clock_real());
	ask(f, exec_of(path, DEAD_PID), "slow");
	wait_for_all(f);
	assert_int_equal(f->told.count, 1);
	assert_true(clock_boot_ns(clock_real()) - begin >= 1800 * 1000000ull);
}

static void a_worker_that_hangs_costs_one_file(void **state)
{
	struct fixture *f = *state;

	close_it(f);
	setenv("HASH_TEST_HANG", "1", 1);
	open_with(f, 1ull << 30, 300);
	struct event_process p = exec_of(make_file(f, "a", "a"), DEAD_PID);
	ask(f, p, "hangs");
	ask(f, exec_of(make_file(f, "b", "b"), DEAD_PID), "waits");
	for (int i = 0; i < 100 && !figures(f).unreadable; i++)
		loop_step(f->loop, 20);
	unsetenv("HASH_TEST_HANG");
	assert_int_equal(figures(f).unreadable, 1);
	assert_int_equal(hash_find(f->hash, &p), HASH_NEVER);
	wait_for_all(f);
	assert_int_equal(f->told.count, 1);
	assert_string_equal(f->told.records[0], "waits");
	assert_is_sum(f->told.sha256[0], "b");
}

static void one_that_is_killed_is_started_again(void **state)
{
	struct fixture *f = *state;
	char name[16];

	ask(f, exec_of(make_file(f, "a", "a"), DEAD_PID), "first");
	wait_for_all(f);
	uint32_t worker = 0;
	for (uint32_t pid = 1; pid < 4194304 && !worker; pid++)
		worker = hash_is_worker(f->hash, pid) ? pid : 0;
	assert_int_not_equal(worker, 0);
	assert_int_equal(kill((pid_t)worker, SIGKILL), 0);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		ask(f, exec_of(make_file(f, name, name), DEAD_PID), name);
	}
	wait_for_all(f);
	assert_int_equal(f->told.count, 6);
	assert_int_equal(figures(f).unreadable, 0);
}

/* A worker that takes what it is asked, begins, and never comes back: as in a file system that does not answer. */
static int hang(void)
{
	struct hash_question q;
	struct hash_answer a = { .state = HASH_ALIVE };

	if (recv(0, &q, sizeof(q), 0) <= 0)
		return 1;
	a.id = q.id;
	(void)send(0, &a, sizeof(a), 0);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(all_who_wait_are_told_once_and_later_ones_at_once),
		T(a_file_that_changed_between_two_execs_has_two_hashes),
		T(what_changed_since_its_exec_has_none),
		T(what_is_written_to_while_it_is_read_has_none),
		T(what_is_nowhere_any_more_is_counted),
		T(what_is_too_large_is_not_read_and_not_asked_for_again),
		T(neither_pipes_nor_links_nor_folders_are_opened),
		T(a_file_system_of_another_machine_is_not_touched),
		T(a_lower_layers_file_is_the_same_in_every_container),
		T(a_memfd_is_read_through_its_process),
		T(many_files_at_once_are_all_told),
		T(what_is_read_in_a_second_is_bounded),
		T(a_worker_that_hangs_costs_one_file),
		T(one_that_is_killed_is_started_again),
	};

	if (argc > 1 && getenv("HASH_TEST_HANG"))
		return hang();
	int child = hash_worker_main(argc, argv);
	return child >= 0 ? child : cmocka_run_group_tests(tests, NULL, NULL);
}
