/* merge: packages of layers on top of each other, by tars written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "layers.h"

#define DB "var/lib/toy/db"

static void check_packages(struct bench *b, const char *want)
{
	assert_string_equal(bench_packages(b), want);
}

static void packages_keep_the_layer_that_brought_them(void **state)
{
	struct bench b;

	bench_init(&b);
	LAYER(&b, { DB, "libc 2.36\nssl 3.0\n" });
	LAYER(&b, { DB, "libc 2.36\nssl 3.0\ncurl 7.88\n" });
	LAYER(&b, { "unrelated", "x" });
	LAYER(&b, { DB, "libc 2.36\nssl 3.1\ncurl 7.88\n" });
	check_packages(&b, "curl 7.88@1, libc 2.36@0, ssl 3.1@3");
	bench_fini(&b);
}

static void a_package_that_comes_back_is_of_the_later_layer(void **state)
{
	struct bench b;

	bench_init(&b);
	LAYER(&b, { DB, "a 1\nb 1\n" });
	LAYER(&b, { DB, "a 1\n" });
	LAYER(&b, { DB, "a 1\nb 1\n" });
	check_packages(&b, "a 1@0, b 1@2");
	bench_fini(&b);
}

static void what_is_taken_away_is_gone(void **state)
{
	static const struct item rows[] = {
		{ "app/.wh.toy.lang", "" },	/* the file */
		{ ".wh.app", "" },		/* a folder above it */
		{ "app/.wh..wh..opq", "" },	/* its folder shows nothing of below */
		{ ".wh..wh..opq", "" },		/* nor does the root */
		{ "app", "now a file" },	/* a folder that is none any more */
		{ "app", .soft = "elsewhere" },
		{ "app/toy.lang", NULL },	/* a file that is a folder now */
		{ "app/toy.lang", .soft = "x" },
		{ "app/toy.lang", "" },		/* another one, without packages */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;

		bench_init(&b);
		LAYER(&b, { "app/toy.lang", "left-pad 1.0\n" });
		check_packages(&b, "left-pad 1.0@0");
		bench_layer(&b, &rows[i], 1);
		if (*bench_packages(&b))
			fail_msg("row %zu: %s", i, bench_packages(&b));
		bench_fini(&b);
	}
}

static void what_is_not_taken_away_stays(void **state)
{
	struct bench b;

	bench_init(&b);
	LAYER(&b, { "app/toy.lang", "left-pad 1.0\n" });
	LAYER(&b, { "app", NULL }, { "app/other", "x" }, { "app/.wh.toy", "" }, { ".wh.ap", "" },
	      { "app2/.wh..wh..opq", "" });
	check_packages(&b, "left-pad 1.0@0");
	bench_fini(&b);
}

static void a_whiteout_hides_lower_layers_only(void **state)
{
	struct bench b;

	bench_init(&b);
	LAYER(&b, { "app/toy.lang", "a 1\n" }, { "app/sub/toy.lang", "b 1\n" });
	LAYER(&b, { "app/new/toy.lang", "c 1\n" }, { "app/.wh..wh..opq", "" }, { "app/toy.lang", "a 2\n" });
	check_packages(&b, "a 2@1, c 1@1");
	bench_fini(&b);
}

static void the_later_of_two_entries_counts(void **state)
{
	struct bench b;

	bench_init(&b);
	LAYER(&b, { DB, "a 1\n" }, { "x", "y" }, { DB, "a 2\n" });
	check_packages(&b, "a 2@0");
	bench_fini(&b);
}

static void setid_files_are_of_the_merged_tree(void **state)
{
	struct bench b;

	bench_init(&b);
	LAYER(&b, { "bin/su", "x", .mode = 04755 }, { "bin/ping", "x", .mode = 04755 }, { "bin/wall", "x", .mode = 02755 });
	LAYER(&b, { "bin/su", "x", .mode = 0755 }, { "bin/.wh.ping", "" }, { "bin/new", "x", .mode = 06711 });
	assert_int_equal(b.merged.setid_count, 2);
	assert_string_equal(b.merged.setids[0].path, "bin/wall");
	assert_string_equal(b.merged.setids[1].path, "bin/new");
	assert_int_equal(b.merged.setids[1].mode, 06711);
	bench_fini(&b);
}

static void the_upper_os_release_counts(void **state)
{
	struct bench b;

	bench_init(&b);
	LAYER(&b, { "usr/lib/os-release", "ID=debian" }, { "etc/os-release", .soft = "../usr/lib/os-release" });
	assert_string_equal(b.merged.os_release[1].p, "ID=debian\n");
	LAYER(&b, { "etc/os-release", "ID=mine" });
	assert_string_equal(b.merged.os_release[0].p, "ID=mine\n");
	LAYER(&b, { "etc/.wh.os-release", "" });
	assert_int_equal(b.merged.os_release[0].n, 0);
	assert_string_equal(b.merged.os_release[1].p, "ID=debian\n");
	bench_fini(&b);
}

static void who_is_root_is_of_the_upper_passwd(void **state)
{
	struct bench b;

	bench_init(&b);
	LAYER(&b, { "etc/passwd", "root:x:0:0::/:\nold:x:0:0::/:\n" });
	assert_string_equal(b.merged.passwd.p, "\nroot\nold\n");
	LAYER(&b, { "etc/other", "" });
	assert_string_equal(b.merged.passwd.p, "\nroot\nold\n");
	LAYER(&b, { "etc/passwd", "app:x:1000:0::/:\n" });
	assert_string_equal(b.merged.passwd.p, "\n"); /* it is there, and nobody is */
	LAYER(&b, { "etc/.wh.passwd", "" });
	assert_int_equal(b.merged.passwd.n, 0);
	bench_fini(&b);
}

static int opaque_yes(void *arg, struct slice path, struct err *err)
{
	struct buf *asked = arg;

	buf_printf(asked, "%.*s ", SLICE_FMT(path));
	return slice_is(path, "app");
}

static void opaque_folders_are_asked_for_once_and_where_it_matters(void **state)
{
	const struct item items[] = { { "app", NULL }, { "app/x", "y" }, { "usr", NULL }, { "usr/none", "" } };
	struct buf tar = tar_make(items, ARRAY_LEN(items), ARCHIVE_FILTER_NONE), asked;
	struct facts f;
	struct bench b;

	buf_init(&asked, 1000);
	bench_init(&b);
	LAYER(&b, { "app/toy.lang", "a 1\n" }, { "app/sub/toy.lang", "b 1\n" }, { DB, "c 1\n" });
	assert_int_equal(bench_read(&b, buf_slice(&tar), &f, NULL), 0);
	assert_int_equal(merge_ask_opaque(&b.merged, &f, opaque_yes, &asked, NULL), 0);
	/* usr: for usr/lib/os-release, which may be there */
	assert_string_equal(asked.p, "app usr ");
	assert_int_equal(merge_layer(&b.merged, &f, NULL), 0);
	check_packages(&b, "c 1@0");
	buf_fini(&asked);
	buf_fini(&tar);
	bench_fini(&b);
}

static void a_copy_of_facts_is_as_good_as_the_first(void **state)
{
	const struct item items[] = { { DB, "a 1\nowns a /x\n" }, { "su", "", .mode = 04755 }, { "bin", .soft = "usr/bin" },
				      { "etc/os-release", "ID=x" }, { "y/.wh.z", "" }, { "etc/passwd", "root:x:0:0\n" } };
	struct buf tar = tar_make(items, ARRAY_LEN(items), ARCHIVE_FILTER_NONE);
	struct facts f, copy;
	struct bench b;

	bench_init(&b);
	assert_int_equal(bench_read(&b, buf_slice(&tar), &f, NULL), 0);
	assert_int_equal(facts_copy(&f, &copy, NULL), 0);
	facts_fini(&f);
	LAYER(&b, { "y/z/toy.lang", "gone 1\n" });
	assert_int_equal(merge_layer(&b.merged, &copy, NULL), 0);
	check_packages(&b, "a 1@1");
	assert_int_equal(b.merged.setid_count, 1);
	assert_int_equal(b.merged.link_count, 1);
	assert_int_equal(b.merged.files[0].owned_count, 1);
	assert_string_equal(b.merged.os_release[0].p, "ID=x\n");
	assert_string_equal(b.merged.passwd.p, "\nroot\n");
	buf_fini(&tar);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packages_keep_the_layer_that_brought_them),
		cmocka_unit_test(a_package_that_comes_back_is_of_the_later_layer),
		cmocka_unit_test(what_is_taken_away_is_gone),
		cmocka_unit_test(what_is_not_taken_away_stays),
		cmocka_unit_test(a_whiteout_hides_lower_layers_only),
		cmocka_unit_test(the_later_of_two_entries_counts),
		cmocka_unit_test(setid_files_are_of_the_merged_tree),
		cmocka_unit_test(the_upper_os_release_counts),
		cmocka_unit_test(who_is_root_is_of_the_upper_passwd),
		cmocka_unit_test(opaque_folders_are_asked_for_once_and_where_it_matters),
		cmocka_unit_test(a_copy_of_facts_is_as_good_as_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
