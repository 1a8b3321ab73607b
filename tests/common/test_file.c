/* file: on a real folder, made and removed by each test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "common/file.h"

static char dir[] = "/tmp/picket-test-file-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "a", "key", "big", "a/b/c", "a/b", "a" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		remove(in_dir(names[i]));
	int r = rmdir(dir); /* fails if a temporary was left behind */
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	return r;
}

static void what_is_written_is_read_back_with_its_mode(void **state)
{
	struct buf b CLEANUP(buf_finip) = { 0 };
	struct err err;
	struct stat st;

	umask(077);
	assert_int_equal(file_write_atomic(in_dir("key"), SLICE_LIT("one"), 0644, &err), 0);
	assert_int_equal(file_write_atomic(in_dir("key"), SLICE_LIT("two\0"), 0640, &err), 0);
	assert_int_equal(file_read(in_dir("key"), 4, &b, &err), 0);
	assert_true(slice_eq(buf_slice(&b), SLICE_LIT("two\0")));
	assert_int_equal(stat(in_dir("key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_file_larger_than_the_bound_is_refused(void **state)
{
	struct buf b CLEANUP(buf_finip) = { 0 };
	struct err err;

	assert_int_equal(file_write_atomic(in_dir("big"), SLICE_LIT("12345"), 0600, &err), 0);
	assert_int_equal(file_read(in_dir("big"), 4, &b, &err), -ERR_LIMIT);
	buf_fini(&b);
	assert_int_equal(file_read(in_dir("big"), 5, &b, &err), 0);
}

static void a_proc_file_of_size_zero_is_read_whole(void **state)
{
	struct buf b CLEANUP(buf_finip) = { 0 };
	struct err err;

	assert_int_equal(file_read("/proc/self/status", 1 << 20, &b, &err), 0);
	assert_true(slice_find(buf_slice(&b), SLICE_LIT("VmRSS")) > 0);
}

static void an_unreadable_path_says_which_and_why(void **state)
{
	struct buf b CLEANUP(buf_finip) = { 0 };
	struct err err;

	assert_int_equal(file_read(in_dir("absent"), 10, &b, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "absent': No such file"));
	buf_fini(&b);
	assert_int_equal(file_read(dir, 10, &b, &err), -EISDIR);
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
	struct err err;

	assert_int_equal(file_write_atomic(in_dir("absent/x"), SLICE_LIT("1"), 0600, &err), -ENOENT);
	assert_int_equal(file_make_dirs(in_dir("a"), 0700, &err), 0);
	/* The target is a folder: the rename fails after the temporary was written. */
	assert_true(file_write_atomic(in_dir("a"), SLICE_LIT("1"), 0600, &err) < 0);
}

static void folders_are_made_as_deep_as_asked(void **state)
{
	struct err err;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/a//b/c/", dir);
	assert_int_equal(file_make_dirs(path, 0700, &err), 0);
	assert_int_equal(file_make_dirs(path, 0700, &err), 0);
	assert_int_equal(file_make_dirs("/", 0700, &err), 0);
	assert_int_equal(file_write_atomic(in_dir("key"), SLICE_LIT("1"), 0600, &err), 0);
	assert_int_equal(file_make_dirs(in_dir("key/x"), 0700, &err), -ENOTDIR);
	assert_int_equal(file_make_dirs("", 0700, &err), -ENOENT);
}

static void a_write_that_cannot_be_ends_in_an_error(void **state)
{
	int fds[2];
	struct err err;
	uint64_t free_bytes = 0;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(file_write_all(fds[1], "abc", 3, &err), 0);
	close(fds[1]);
	assert_int_equal(file_write_all(fds[0], "abc", 3, &err), -EBADF);
	close(fds[0]);
	assert_int_equal(file_free_bytes(dir, &free_bytes, &err), 0);
	assert_true(free_bytes > 0);
	assert_int_equal(file_free_bytes(in_dir("absent"), &free_bytes, &err), -ENOENT);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(what_is_written_is_read_back_with_its_mode),
		IN_DIR(a_file_larger_than_the_bound_is_refused),
		IN_DIR(a_proc_file_of_size_zero_is_read_whole),
		IN_DIR(an_unreadable_path_says_which_and_why),
		IN_DIR(a_failed_write_leaves_nothing_behind),
		IN_DIR(folders_are_made_as_deep_as_asked),
		IN_DIR(a_write_that_cannot_be_ends_in_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
