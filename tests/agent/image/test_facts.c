/* facts: which files go to which parser, what parsers may do, and bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/image/path.h"
#include "layers.h"

static void each_parser_gets_its_files(void **state)
{
	struct bench b;

	bench_init(&b);
	LAYER(&b, { "var/lib/toy/db", "path 1" }, { "opt/var/lib/toy/db", "wrong 1" }, { "app/toy.lang", "name 1" },
	      { "app/toy.language", "wrong 2" }, { "app/toy.lock", "lock 1" }, { "x/y.blob", "abcdblob 1" },
	      { "bin/tool", "\177ELFelf 1", .mode = 0755 }, { "lib/tool.so", "\177ELFelf 2", .mode = 0644 },
	      { "bin/script", "#!/b elf 3", .mode = 0755 });
	assert_string_equal(bench_packages(&b), "blob 1@0, elf 1@0, name 1@0, path 1@0");
	bench_fini(&b);
}

static void lock_files_count_when_asked_for(void **state)
{
	struct bench b;

	bench_init(&b);
	matcher_free(b.matcher);
	assert_int_equal(matcher_new(&toy_table, 1, true, &b.matcher, NULL), 0);
	b.fr.matcher = b.matcher;
	LAYER(&b, { "app/toy.lock", "lock 1" });
	assert_string_equal(bench_packages(&b), "lock 1@0");
	bench_fini(&b);
}

static void a_wrong_file_is_a_problem_not_an_end(void **state)
{
	static char large[5000];
	struct bench b;

	memset(large, 'x', sizeof(large) - 1);
	bench_init(&b);
	LAYER(&b, { "a/toy.lang", "a 1\nbroken\nb 2\n" }, { "b/toy.lang", large }, { "c/toy.lang", "c 1\n" });
	assert_string_equal(bench_packages(&b), "a 1@0, c 1@0");
	assert_int_equal(b.merged.problem_count, 2);
	assert_non_null(strstr(b.merged.problems.p, "a/toy.lang: toy-lang: broken\n"));
	assert_non_null(strstr(b.merged.problems.p, "b/toy.lang: toy-lang: 4999 bytes, at most 4096"));
	bench_fini(&b);
}

static void packages_past_the_bound_end_the_layer(void **state)
{
	const struct item items[] = { { "a/toy.lang", "a 1\nb 1\nc 1\n" } };
	struct buf tar = tar_make(items, 1, ARCHIVE_FILTER_NONE);
	struct facts f;
	struct bench b;
	struct err err;

	bench_init(&b);
	b.room.packages_left = 2;
	assert_int_equal(bench_read(&b, buf_slice(&tar), &f, &err), -ERR_LIMIT);
	facts_fini(&f);
	assert_int_equal(b.room.packages_left, 2);
	b.room.packages_left = 10000;
	b.room.bytes_left = 100;
	assert_int_equal(bench_read(&b, buf_slice(&tar), &f, &err), -ERR_LIMIT);
	facts_fini(&f);
	assert_int_equal(b.room.bytes_left, 100);
	b.room.bytes_left = 16 << 20;
	buf_fini(&tar);
	bench_fini(&b);
}

static int odd_parse(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	static char absurd[5000];
	const struct pkg rows[] = {
		{ .ecosystem = "x", .name = SLICE_LIT(""), .version = SLICE_LIT("1") },
		{ .ecosystem = "x", .name = SLICE_LIT("nul\0name"), .version = SLICE_LIT("1") },
		{ .ecosystem = "x", .name = { absurd, sizeof(absurd) }, .version = SLICE_LIT("1") },
		{ .ecosystem = "x", .name = SLICE_LIT("good"), .version = SLICE_LIT("1"), .is_dev = true },
	};
	int r = 0;

	memset(absurd, 'a', sizeof(absurd));
	for (size_t i = 0; !r && i < ARRAY_LEN(rows); i++)
		r = out->package(out->arg, &rows[i]);
	return r;
}

static void unusable_packages_are_counted(void **state)
{
	static const struct pkg_parser odd[] = { { "odd", PKG_NAME, "odd", false, 0, odd_parse, NULL } };
	static const struct pkg_table table = { odd, 1 };
	struct bench b;

	bench_init(&b);
	matcher_free(b.matcher);
	assert_int_equal(matcher_new(&table, 1, false, &b.matcher, NULL), 0);
	b.fr.matcher = b.matcher;
	LAYER(&b, { "odd", "" });
	assert_string_equal(bench_packages(&b), "good 1@0");
	assert_string_equal(b.merged.problems.p, "odd: odd: 3 packages without a usable name or version\n");
	bench_fini(&b);
}

static void owned_files_are_grouped_by_package(void **state)
{
	struct facts_owned g;
	struct bench b;

	bench_init(&b);
	LAYER(&b, { "var/lib/toy/info/x.list", "owns a /usr/bin/a\nowns a usr/share/a/\nowns b /b\nowns b /\n" });
	assert_int_equal(b.merged.file_count, 1);
	assert_int_equal(b.merged.files[0].owned_count, 3);
	struct slice rest = buf_slice(&b.merged.files[0].owned);
	assert_true(facts_next_owned(&rest, &g) && slice_is(g.key, "a") && g.count == 2);
	uint64_t want[2] = { path_hash(SLICE_LIT("usr/bin/a")) & ~1ULL, path_hash(SLICE_LIT("usr/share/a")) | 1 };
	assert_memory_equal(g.hashes, want, sizeof(want));
	assert_true(facts_next_owned(&rest, &g) && slice_is(g.key, "b") && g.count == 1);
	assert_false(facts_next_owned(&rest, &g));
	bench_fini(&b);
}

static void drift_names_what_is_new_and_what_is_gone(void **state)
{
	const struct item items[] = { { "bin/new", "\177ELF....", .mode = 0644 }, { "run.sh", "#!/bin/sh", .mode = 0755 },
				      { "etc/.wh.passwd", "" }, { "var/log/x", "text" }, { "var", NULL } };
	struct buf tar = tar_make(items, ARRAY_LEN(items), ARCHIVE_FILTER_NONE);
	struct facts f;
	struct bench b;

	bench_init(&b);
	b.fr.wants_drift = true;
	assert_int_equal(bench_read(&b, buf_slice(&tar), &f, NULL), 0);
	assert_string_equal(f.drift.p, "xbin/new\nxrun.sh\ndetc/passwd\nfvar/log/x\n");
	assert_int_equal(f.drift_total, 4);
	facts_fini(&f);
	buf_fini(&tar);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_parser_gets_its_files),
		cmocka_unit_test(lock_files_count_when_asked_for),
		cmocka_unit_test(a_wrong_file_is_a_problem_not_an_end),
		cmocka_unit_test(packages_past_the_bound_end_the_layer),
		cmocka_unit_test(unusable_packages_are_counted),
		cmocka_unit_test(owned_files_are_grouped_by_package),
		cmocka_unit_test(drift_names_what_is_new_and_what_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
