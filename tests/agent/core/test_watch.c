/* test_watch.c - every way in which editors and tools change a file is seen once, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/watch.h"
#include "common/file.h"
#include "common/slice.h"

static char dir[] = "/tmp/picket-watch-XXXXXX";

static char *in_dir(const char *name)
{
	static char paths[4][300];
	static unsigned at;
	char *path = paths[at++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void put(const char *name)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	fputs("[]\n", f);
	fclose(f);
}

static void rename_over(void)
{
	put("tmp.swp");
	assert_int_equal(rename(in_dir("tmp.swp"), in_dir("rules.yaml")), 0);
}

static void write_in_place(void)
{
	put("rules.yaml");
}

static void write_a_new_one(void)
{
	put("new.yml");
}

static void take_one_away(void)
{
	unlink(in_dir("rules.yaml"));
}

static void write_many_times(void)
{
	for (unsigned i = 0; i < 50; i++)
		put("rules.yaml");
}

static void write_something_else(void)
{
	put("notes.txt");
	put(".rules.yaml.swp");
}

static void swap_a_mounted_configuration(void)
{
	assert_int_equal(symlink("elsewhere", in_dir("..data")), 0);
}

static void count_one(void *arg)
{
	++*(unsigned *)arg;
}

static void changes_are_seen_once(void **state)
{
	static const struct {
		void (*change)(void);
		unsigned in_folder, of_file; /* calls when the folder, or rules.yaml, is watched */
	} cases[] = {
		{ write_in_place, 1, 1 },	{ rename_over, 1, 1 },
		{ write_a_new_one, 1, 0 },	{ take_one_away, 1, 1 },
		{ write_in_place, 1, 1 }, /* and it is back */
		{ write_many_times, 1, 1 },	{ write_something_else, 0, 0 },
		{ swap_a_mounted_configuration, 1, 1 },
	};
	struct loop *l;
	struct watch *folder, *file;
	unsigned in_folder = 0, of_file = 0;
	const char *paths[] = { dir }, *files[] = { in_dir("rules.yaml") };

	(void)state;
	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(watch_new(l, count_one, &in_folder, &folder, NULL), 0);
	assert_int_equal(watch_new(l, count_one, &of_file, &file, NULL), 0);
	assert_int_equal(watch_set(folder, paths, 1, NULL), 0);
	assert_int_equal(watch_set(file, files, 1, NULL), 0); /* it is not there yet */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		in_folder = of_file = 0;
		cases[i].change();
		for (unsigned n = 0; n < 12; n++)
			loop_step(l, 25);
		if (in_folder != cases[i].in_folder || of_file != cases[i].of_file)
			fail_msg("case %zu: folder %u, file %u", i, in_folder, of_file);
	}
	watch_free(folder);
	watch_free(file);
	loop_free(l);
}

static void a_folder_that_is_not_there_is_named_and_the_rest_is_watched(void **state)
{
	const char *paths[] = { "/nonexistent/rules/a.yaml", dir };
	struct loop *l;
	struct watch *w;
	struct err err;
	unsigned calls = 0;

	(void)state;
	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(watch_new(l, count_one, &calls, &w, NULL), 0);
	assert_true(watch_set(w, paths, 2, &err) < 0);
	assert_non_null(strstr(err.msg, "/nonexistent/rules"));
	put("rules.yaml");
	for (unsigned n = 0; n < 12; n++)
		loop_step(l, 25);
	assert_int_equal(calls, 1);
	watch_free(w);
	loop_free(l);
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
		cmocka_unit_test(changes_are_seen_once),
		cmocka_unit_test(a_folder_that_is_not_there_is_named_and_the_rest_is_watched),
	};

	if (!mkdtemp(dir))
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_dir);
}
