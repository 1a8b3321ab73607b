/* path: names of files inside images, clean or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/image/image_limits.h"
#include "agent/image/path.h"
#include "proto/limits.h"

static void names_are_cleaned(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ "usr/bin/ls", "usr/bin/ls" }, { "./usr//bin/./ls", "usr/bin/ls" }, { "/etc/passwd", "etc/passwd" },
		{ "etc/", "etc" },		{ ".", "" },			     { "", "" },
		{ "/", "" },			{ "a/..b/c..", "a/..b/c.." },	     { "..", NULL },
		{ "a/../b", NULL },		{ "../../etc/passwd", NULL },	     { "a/..", NULL },
	};
	char dst[LIMIT_PATH_BYTES + 1];
	struct slice got;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = path_clean(slice_of(rows[i].in), dst, &got, &err);

		if (rows[i].want ? r < 0 || !slice_is(got, rows[i].want) : r != -ERR_CORRUPT)
			fail_msg("'%s'", rows[i].in);
	}
}

static void absurd_names_are_refused(void **state)
{
	static char text[2 * LIMIT_PATH_BYTES + 4];
	char dst[LIMIT_PATH_BYTES + 1];
	struct slice got;
	struct err err;

	memset(text, 'a', sizeof(text));
	assert_int_equal(path_clean(slice_from(text, LIMIT_PATH_BYTES - 1), dst, &got, &err), 0);
	assert_int_equal(path_clean(slice_from(text, LIMIT_PATH_BYTES), dst, &got, &err), -ERR_CORRUPT);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '/' : 'a';
	assert_int_equal(path_clean(slice_from(text, 2 * IMAGE_PATH_DEPTH), dst, &got, &err), 0);
	assert_int_equal(path_clean(slice_from(text, 2 * IMAGE_PATH_DEPTH + 2), dst, &got, &err), -ERR_CORRUPT);
}

static void links_stay_inside_the_root(void **state)
{
	static const struct {
		const char *at, *target, *want;
	} rows[] = {
		{ "etc/os-release", "../usr/lib/os-release", "usr/lib/os-release" },
		{ "bin", "usr/bin", "usr/bin" },
		{ "var/lib/dpkg", "/data/./dpkg/", "data/dpkg" },
		{ "a/b", "../../../../etc/passwd", "etc/passwd" },
		{ "a/b", "..", "" },
		{ "a/b/c", "../x/../y", "a/y" },
	};
	char dst[LIMIT_PATH_BYTES + 1];
	struct slice got;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(path_join(slice_of(rows[i].at), slice_of(rows[i].target), dst, &got));
		if (!slice_is(got, rows[i].want))
			fail_msg("'%s' -> '%s': '%.*s'", rows[i].at, rows[i].target, SLICE_FMT(got));
	}
}

static void below_means_a_whole_component(void **state)
{
	assert_true(path_is_below(SLICE_LIT("usr/bin"), SLICE_LIT("usr")));
	assert_true(path_is_below(SLICE_LIT("usr"), SLICE_LIT("usr")));
	assert_true(path_is_below(SLICE_LIT("usr"), SLICE_LIT("")));
	assert_false(path_is_below(SLICE_LIT("usrlocal/bin"), SLICE_LIT("usr")));
	assert_false(path_is_below(SLICE_LIT("us"), SLICE_LIT("usr")));
}

static void a_hash_grows_with_its_path(void **state)
{
	uint64_t h = path_hash_more(path_hash(SLICE_LIT("usr")), SLICE_LIT("/bin"));

	assert_true(h == path_hash(SLICE_LIT("usr/bin")));
	assert_true(slice_is(path_name(SLICE_LIT("a/b/c")), "c") && slice_is(path_folder(SLICE_LIT("a/b/c")), "a/b"));
	assert_true(slice_is(path_name(SLICE_LIT("c")), "c") && !path_folder(SLICE_LIT("c")).n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_cleaned),
		cmocka_unit_test(absurd_names_are_refused),
		cmocka_unit_test(links_stay_inside_the_root),
		cmocka_unit_test(below_means_a_whole_component),
		cmocka_unit_test(a_hash_grows_with_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
