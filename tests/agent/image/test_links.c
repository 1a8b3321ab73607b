/* links: package databases behind symbolic and hard links, found in a second pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "layers.h"
#include "proto/limits.h"

#define DB "var/lib/toy/db"

struct image {
	struct buf layers[4];
	size_t count;
};

#define ADD(im, ...)                                                                                      \
	do {                                                                                              \
		const struct item items_[] = { __VA_ARGS__ };                                             \
		(im)->layers[(im)->count++] = tar_make(items_, ARRAY_LEN(items_), ARCHIVE_FILTER_NONE);   \
	} while (0)

static void read_once(struct bench *b, const struct image *im)
{
	merged_fini(&b->merged);
	merged_init(&b->merged, &b->room);
	for (size_t i = 0; i < im->count; i++) {
		struct facts f;

		assert_int_equal(bench_read(b, buf_slice(&im->layers[i]), &f, NULL), 0);
		assert_int_equal(merge_layer(&b->merged, &f, NULL), 0);
	}
}

/* As the worker does: until links say nothing new. Returns how often the layers were read. */
static unsigned read_all(struct bench *b, const struct image *im)
{
	for (unsigned pass = 1;; pass++) {
		read_once(b, im);
		int r = merged_aliases(&b->merged, b->matcher, b->arena, b->aliases, ARRAY_LEN(b->aliases),
				       &b->fr.alias_count, NULL);
		assert_true(r >= 0);
		if (!r || pass == IMAGE_PASSES)
			return pass;
	}
}

static void check(struct image *im, unsigned passes, const char *want)
{
	struct bench b;

	bench_init(&b);
	assert_int_equal(read_all(&b, im), passes);
	assert_string_equal(bench_packages(&b), want);
	bench_fini(&b);
	for (size_t i = 0; i < im->count; i++)
		buf_fini(&im->layers[i]);
}

static void one_pass_is_enough_without_links(void **state)
{
	struct image im = { 0 };

	ADD(&im, { DB, "a 1" }, { "bin", .soft = "usr/bin" }, { "var/lib/other", .soft = "toy" });
	check(&im, 1, "a 1@0");
}

static void a_database_behind_a_linked_folder_is_found(void **state)
{
	struct image im = { 0 };

	ADD(&im, { "var/lib/toy", .soft = "../../data/toy" }, { "data/toy/db", "a 1" });
	ADD(&im, { "data/toy/db", "a 1\nb 2" }, { "data/toy/info/b.list", "owns b /b" });
	check(&im, 2, "a 1@0, b 2@1");
}

static void a_relative_link_is_seen_from_its_folder(void **state)
{
	struct image im = { 0 };

	ADD(&im, { "var/lib/toy", .soft = "./toy-data" }, { "var/lib/toy-data/db", "a 1" }, { "toy-data/db", "wrong 1" });
	check(&im, 2, "a 1@0");
}

static void a_chain_of_links_takes_a_pass_each(void **state)
{
	struct image im = { 0 };

	ADD(&im, { "var/lib/toy", .soft = "/one/x/toy" }, { "one/x", .soft = "/two/y" }, { "two/y/toy/db", "a 1" });
	check(&im, 3, "a 1@0");
}

static void a_linked_file_is_found(void **state)
{
	struct image im = { 0 };

	ADD(&im, { DB, .soft = "/data/status" }, { "data/status", "a 1" });
	check(&im, 2, "a 1@0");
}

static void a_link_in_a_lower_layer_leads_into_an_upper_one(void **state)
{
	struct image im = { 0 };

	ADD(&im, { "var/lib/toy", .soft = "/data" });
	ADD(&im, { "data/db", "a 1" });
	check(&im, 2, "a 1@1");
}

static void a_link_that_was_taken_away_leads_nowhere(void **state)
{
	struct image im = { 0 };

	ADD(&im, { "var/lib/toy", .soft = "/data" }, { "data/db", "a 1" });
	ADD(&im, { "var/lib/.wh.toy", "" });
	check(&im, 1, "");
}

static void links_never_lead_out_of_the_root(void **state)
{
	struct image im = { 0 };

	ADD(&im, { "var/lib/toy", .soft = "../../../../../../data" }, { "data/db", "a 1" });
	check(&im, 2, "a 1@0");
}

static void links_in_a_circle_are_a_problem(void **state)
{
	struct image im = { 0 };
	struct bench b;

	ADD(&im, { "var", .soft = "one" }, { "one", .soft = "two" }, { "two", .soft = "var" },
	    { "app/toy.lang", "a 1" }, { "etc", .soft = "etc/x" });
	bench_init(&b);
	assert_int_equal(read_all(&b, &im), 1);
	assert_string_equal(bench_packages(&b), "a 1@0");
	assert_non_null(strstr(b.merged.problems.p, "in a circle"));
	bench_fini(&b);
	buf_fini(&im.layers[0]);
}

static void a_hard_link_of_the_same_layer_is_read_under_its_name(void **state)
{
	struct image im = { 0 };

	ADD(&im, { "repo/objects/01", "a 1" }, { DB, .hard = "repo/objects/01" });
	check(&im, 2, "a 1@0");
}

static void a_hard_link_to_a_lower_layer_is_read_under_its_name(void **state)
{
	struct image im = { 0 };

	ADD(&im, { "repo/01", "a 1" });
	ADD(&im, { DB, .hard = "repo/01" });
	check(&im, 2, "a 1@0");
}

static void a_hard_link_ends_with_its_name(void **state)
{
	struct image im = { 0 };

	ADD(&im, { "repo/01", "a 1" }, { "app/toy.lang", .hard = "repo/01" }, { "lib/toy.lang", .hard = "repo/01" });
	ADD(&im, { "repo/.wh.01", "" }, { "lib/.wh.toy.lang", "" });
	check(&im, 2, "a 1@0");
}

static void paths_are_resolved_component_by_component(void **state)
{
	struct image im = { 0 };
	char dst[LIMIT_PATH_BYTES + 1];
	struct slice got;
	struct bench b;

	ADD(&im, { "bin", .soft = "usr/bin" }, { "var", .soft = "/" }, { "srv", .soft = "bin/x" });
	bench_init(&b);
	read_once(&b, &im);
	assert_true(merged_resolve(&b.merged, SLICE_LIT("bin/ls"), dst, &got) && slice_is(got, "usr/bin/ls"));
	assert_true(merged_resolve(&b.merged, SLICE_LIT("srv/a"), dst, &got) && slice_is(got, "usr/bin/x/a"));
	assert_true(merged_resolve(&b.merged, SLICE_LIT("var/x"), dst, &got) && slice_is(got, "x"));
	assert_true(merged_resolve(&b.merged, SLICE_LIT("binary"), dst, &got) && slice_is(got, "binary"));
	bench_fini(&b);
	buf_fini(&im.layers[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_pass_is_enough_without_links),
		cmocka_unit_test(a_database_behind_a_linked_folder_is_found),
		cmocka_unit_test(a_relative_link_is_seen_from_its_folder),
		cmocka_unit_test(a_chain_of_links_takes_a_pass_each),
		cmocka_unit_test(a_linked_file_is_found),
		cmocka_unit_test(a_link_in_a_lower_layer_leads_into_an_upper_one),
		cmocka_unit_test(a_link_that_was_taken_away_leads_nowhere),
		cmocka_unit_test(links_never_lead_out_of_the_root),
		cmocka_unit_test(links_in_a_circle_are_a_problem),
		cmocka_unit_test(a_hard_link_of_the_same_layer_is_read_under_its_name),
		cmocka_unit_test(a_hard_link_to_a_lower_layer_is_read_under_its_name),
		cmocka_unit_test(a_hard_link_ends_with_its_name),
		cmocka_unit_test(paths_are_resolved_component_by_component),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
