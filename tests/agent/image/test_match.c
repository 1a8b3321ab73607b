/* match: which parser wants which path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/image/match.h"
#include "agent/image/path.h"

static const struct pkg_parser rows[] = {
	{ "path", PKG_PATH, "var/lib/x/db" },
	{ "name", PKG_NAME, "lock.json" },
	{ "tail", PKG_GLOB, "*.dist-info/METADATA" },
	{ "head", PKG_GLOB, "var/lib/x/info/*.list" },
	{ "class", PKG_GLOB, "*.[jw]ar" },
	{ "lock", PKG_NAME, "only.lock", .is_lockfile = true },
	{ "elf", PKG_ELF, NULL },
	{ "same", PKG_NAME, "lock.json" },
};
static const struct pkg_table table = { rows, ARRAY_LEN(rows) };

/* Names of the rows, joined by blanks. */
static const char *found(const struct matcher *m, const char *path)
{
	static char text[200];
	uint16_t list[MATCH_FOUND_MAX];
	size_t n = matcher_find(m, slice_of(path), list);

	text[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < n; k++)
			if (!strcmp(matcher_row(m, list[k])->name, rows[i].name))
				snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "", rows[i].name);
	return text;
}

static void paths_names_and_globs_are_told_apart(void **state)
{
	static const struct {
		const char *path, *want;
	} cases[] = {
		{ "var/lib/x/db", "path" },
		{ "a/var/lib/x/db", "" },
		{ "var/lib/x/db2", "" },
		{ "lock.json", "name same" },
		{ "a/b/lock.json", "name same" },
		{ "a/block.json", "" },
		{ "a/x-1.dist-info/METADATA", "tail" },
		{ "a/x-1.dist-info/sub/METADATA", "" },
		{ "var/lib/x/info/a.list", "head" },
		{ "var/lib/x/info/a/b.list", "head" }, /* a star crosses slashes */
		{ "srv/var/lib/x/info/a.list", "" },
		{ "a.jar", "class" },
		{ "a.war", "class" },
		{ "a.ear", "" },
		{ "only.lock", "" },
		{ "", "" },
	};
	CLEANUP(matcher_freep) struct matcher *m = NULL;

	assert_int_equal(matcher_new(&table, 1, false, &m, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (strcmp(found(m, cases[i].path), cases[i].want) != 0)
			fail_msg("'%s': '%s'", cases[i].path, found(m, cases[i].path));
}

static void lock_files_are_left_out_unless_wanted(void **state)
{
	CLEANUP(matcher_freep) struct matcher *m = NULL;

	assert_int_equal(matcher_new(&table, 1, true, &m, NULL), 0);
	assert_string_equal(found(m, "x/only.lock"), "lock");
}

static void programs_have_rows_of_their_own(void **state)
{
	CLEANUP(matcher_freep) struct matcher *m = NULL;
	uint16_t list[MATCH_FOUND_MAX];

	assert_int_equal(matcher_new(&table, 1, false, &m, NULL), 0);
	assert_int_equal(matcher_elf(m, list), 1);
	assert_string_equal(matcher_row(m, list[0])->name, "elf");
	assert_null(matcher_row(m, MATCH_ROWS_MAX));
}

static void the_way_to_a_fixed_path_is_known(void **state)
{
	static const char *const ways[] = { "var", "var/lib", "var/lib/x", "var/lib/x/db", "var/lib/x/info" };
	static const char *const others[] = { "lib", "var/lib/y", "var/lib/x/info/a.list", "a", "" };
	CLEANUP(matcher_freep) struct matcher *m = NULL;

	assert_int_equal(matcher_new(&table, 1, false, &m, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		assert_true(matcher_is_way(m, path_hash(slice_of(ways[i]))));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(matcher_is_way(m, path_hash(slice_of(others[i]))));
}

static void too_many_rows_are_refused(void **state)
{
	static struct pkg_parser many[MATCH_ROWS_MAX + 1];
	const struct pkg_table large = { many, ARRAY_LEN(many) };
	struct matcher *m;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = rows[1];
	assert_int_equal(matcher_new(&large, 1, false, &m, &err), -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_names_and_globs_are_told_apart),
		cmocka_unit_test(lock_files_are_left_out_unless_wanted),
		cmocka_unit_test(programs_have_rows_of_their_own),
		cmocka_unit_test(the_way_to_a_fixed_path_is_known),
		cmocka_unit_test(too_many_rows_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
