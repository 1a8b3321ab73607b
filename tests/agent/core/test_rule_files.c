/* test_rule_files.c - folders in order of name, files as they are, clear errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <errno.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/rule_files.h"
#include "common/file.h"
#include "common/slice.h"

static char dir[] = "/tmp/picket-rules-XXXXXX";

static void make(const char *name)
{
	char path[300];
	struct err err;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_write_atomic(path, SLICE_LIT("[]"), 0644, &err), 0);
}

static void a_folder_gives_its_yaml_files_in_order_of_name(void **state)
{
	const char *paths[] = { dir };
	struct rule_files f;
	struct err err;

	(void)state;
	make("20-b.yaml");
	make("10-a.yml");
	make("notes.txt");
	make(".hidden.yaml");
	assert_int_equal(rule_files_find(paths, 1, &f, &err), 0);
	assert_int_equal(f.count, 2);
	assert_true(slice_ends(slice_of(f.paths[0]), SLICE_LIT("/10-a.yml")));
	assert_true(slice_ends(slice_of(f.paths[1]), SLICE_LIT("/20-b.yaml")));
	rule_files_fini(&f);
}

static void files_keep_the_order_in_which_they_are_named(void **state)
{
	char b[300];
	const char *paths[] = { b, dir };
	struct rule_files f;
	struct err err;

	(void)state;
	snprintf(b, sizeof(b), "%s/20-b.yaml", dir);
	assert_int_equal(rule_files_find(paths, 2, &f, &err), 0);
	assert_int_equal(f.count, 3);
	assert_string_equal(f.paths[0], b);
	rule_files_fini(&f);
}

static void what_is_not_there_is_an_error_with_its_name(void **state)
{
	const char *paths[] = { "/nonexistent/rules.d" };
	struct rule_files f;
	struct err err;

	(void)state;
	assert_int_equal(rule_files_find(paths, 1, &f, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/rules.d"));
	rule_files_fini(&f);
}

static void too_many_files_are_refused(void **state)
{
	const char *paths[] = { dir };
	char name[32];
	struct rule_files f;
	struct err err;

	(void)state;
	for (int i = 0; i < RULE_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "x%03d.yaml", i);
		make(name);
	}
	assert_int_equal(rule_files_find(paths, 1, &f, &err), -ERR_LIMIT);
	rule_files_fini(&f);
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_gives_its_yaml_files_in_order_of_name),
		cmocka_unit_test(files_keep_the_order_in_which_they_are_named),
		cmocka_unit_test(what_is_not_there_is_an_error_with_its_name),
		cmocka_unit_test(too_many_files_are_refused),
	};

	if (!mkdtemp(dir))
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_dir);
}
