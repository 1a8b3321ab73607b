/* bundle: what is in an archive of a whole image, by name and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/image/bundle.h"
#include "layers.h"

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new(4 << 20);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

static struct bundle *open_bundle(struct slice tar, struct budget *b)
{
	struct stream *s = NULL;
	struct bundle *ret = NULL;

	assert_int_equal(stream_of_slice(tar, &s, NULL), 0);
	assert_int_equal(bundle_open(s, b, &ret, NULL), 0);
	return ret;
}

static const struct item items[] = {
	{ "manifest.json", "first" },	   { "a/", NULL },
	{ "./a/layer.tar", "content" },	   { "b/layer.tar", .soft = "../a/layer.tar" },
	{ "c/layer.tar", .hard = "a/layer.tar" }, { "loop", .soft = "pool" },
	{ "pool", .soft = "loop" },	   { "out", .soft = "../../../a/layer.tar" },
	{ "manifest.json", "second" },
};

static void places_are_found_by_name(void **state)
{
	struct buf tar = tar_make(items, ARRAY_LEN(items), ARCHIVE_FILTER_NONE);
	struct budget b = { 1 << 20, 1000, 100, 0, NULL };
	CLEANUP(bundle_closep) struct bundle *bundle = open_bundle(buf_slice(&tar), &b);
	static const char *const same[] = { "a/layer.tar", "b/layer.tar", "c/layer.tar", "out" };
	struct bundle_index x;

	assert_int_equal(bundle_index_read(bundle, arena, &x, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		const struct bundle_place *p = bundle_find(&x, same[i]);

		assert_non_null(p);
		assert_int_equal(p->size, 7);
		assert_memory_equal(tar.p + p->offset, "content", 7);
	}
	/* of two the later, as it would be unpacked */
	assert_memory_equal(tar.p + bundle_find(&x, "manifest.json")->offset, "second", 6);
	assert_null(bundle_find(&x, "loop"));
	assert_null(bundle_find(&x, "a"));
	assert_null(bundle_find(&x, "none"));
	buf_fini(&tar);
}

static void items_are_read_as_they_come(void **state)
{
	struct buf tar = tar_make(items, ARRAY_LEN(items), ARCHIVE_FILTER_NONE);
	struct budget b = { 1 << 20, 1000, 100, 0, NULL };
	CLEANUP(bundle_closep) struct bundle *bundle = open_bundle(buf_slice(&tar), &b);
	struct bundle_item item;
	struct slice piece;
	const char *text = "";
	int r;

	while ((r = bundle_next(bundle, &item, NULL)) > 0) {
		struct stream *s = bundle_content(bundle);

		text = arena_printf(arena, "%s%.*s", text, SLICE_FMT(item.name));
		if (item.target.n) {
			text = arena_printf(arena, "%s->%.*s ", text, SLICE_FMT(item.target));
			continue;
		}
		assert_int_equal(s->read(s, &piece, NULL), 0);
		text = arena_printf(arena, "%s=%.*s ", text, SLICE_FMT(piece));
		assert_int_equal(s->read(s, &piece, NULL), 0);
		assert_int_equal(piece.n, 0);
	}
	assert_int_equal(r, 0);
	assert_string_equal(text, "manifest.json=first a/layer.tar=content b/layer.tar->a/layer.tar "
				  "c/layer.tar->a/layer.tar loop->pool pool->loop out->a/layer.tar manifest.json=second ");
	buf_fini(&tar);
}

static void names_that_lead_out_are_refused(void **state)
{
	const struct item bad[] = { { "../x", "y" } };
	struct buf tar = tar_make(bad, 1, ARCHIVE_FILTER_NONE);
	struct budget b = { 1 << 20, 1000, 100, 0, NULL };
	CLEANUP(bundle_closep) struct bundle *bundle = open_bundle(buf_slice(&tar), &b);
	struct bundle_item item;
	struct err err;

	assert_int_equal(bundle_next(bundle, &item, &err), -ERR_CORRUPT);
	buf_fini(&tar);
}

static void more_than_an_image_holds_is_refused(void **state)
{
	enum { COUNT = IMAGE_ARCHIVE_NAMES + 10 };
	CLEANUP(freep) char *bytes = calloc(COUNT + 2, 512);
	struct buf one;
	struct budget b = { 1 << 30, 1000, 100, 0, NULL };
	const struct item empty = { "x", "" };
	struct bundle_index x;
	struct err err;

	one = tar_make(&empty, 1, ARCHIVE_FILTER_NONE);
	for (size_t i = 0; i < COUNT; i++)
		memcpy(bytes + 512 * i, one.p, 512);
	struct bundle *bundle = open_bundle(slice_from(bytes, (COUNT + 2) * 512), &b);
	assert_int_equal(bundle_index_read(bundle, arena, &x, &err), -ERR_LIMIT);
	bundle_close(bundle);
	buf_fini(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(places_are_found_by_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(items_are_read_as_they_come, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_that_lead_out_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_than_an_image_holds_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
