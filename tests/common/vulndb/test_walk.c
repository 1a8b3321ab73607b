/* walk: the places asked for, in order, whatever the chunks; depth, length and broken text are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/walk.h"

static int on_any(void *arg, const struct walk_event *e, struct err *err)
{
	static const char marks[] = { [WALK_OPEN] = '<', [WALK_CLOSE] = '>', [WALK_TEXT] = 't', [WALK_NUMBER] = 'n',
				      [WALK_BOOL] = 'b', [WALK_NULL] = '0' };
	struct buf *b = arg;

	if (slice_is(e->text, "stop"))
		return err_set(err, ERR_DENIED, "told to stop");
	buf_printf(b, "%zu%c%.*s ", e->at, marks[e->what], SLICE_FMT(e->text));
	return 0;
}

enum { DOC, LIST, ITEM, MAP, INNER, VALUE };

static const struct walk_place places[] = {
	{ DOC, VALUE, "a", on_any, 1 },	 { DOC, LIST, "list", NULL },	{ DOC, MAP, "map", on_any, 2 },
	{ LIST, ITEM, "[]", on_any, 3 }, { ITEM, VALUE, "b", on_any, 4 }, { MAP, INNER, "*", on_any, 5 },
	{ INNER, VALUE, "[]", on_any, 6 },
};

static int walk_text(const char *text, size_t chunk, struct buf *b, struct err *err)
{
	CLEANUP(walk_freep) struct walk *w = walk_new(places, ARRAY_LEN(places), b);
	struct slice rest = slice_of(text);
	int r = 0;

	buf_reset(b);
	for (; rest.n && r >= 0; rest = slice_sub(rest, chunk, SIZE_MAX))
		r = walk_feed(w, slice_sub(rest, 0, chunk), err);
	return r < 0 ? r : walk_end(w, err);
}

static void places_are_told_whatever_the_chunks(void **state)
{
	static const char text[] = "{\"x\":{\"a\":1,\"list\":[{\"b\":9}]},\"a\":\"one\",\"list\":[{\"b\":2,\"c\":[1]},7,"
				   "[{\"b\":1}]],\"map\":{\"k1\":[true,null],\"k2\":{\"b\":1}},\"a\":-1.5e3}";
	static const char want[] = "1tone 3< 4n2 3> 3n7 3< 3> 2< 5<k1 6btrue 60 5> 5<k2 5> 2> 1n-1.5e3 ";
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	for (size_t chunk = 1; chunk < sizeof(text) + 1; chunk++) {
		assert_int_equal(walk_text(text, chunk, &b, NULL), 0);
		assert_string_equal(b.p, want);
	}
}

static void a_reader_that_says_no_ends_the_walk(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	buf_init(&b, 0);
	assert_int_equal(walk_text("{\"a\":\"stop\",\"a\":2}", 3, &b, &err), -ERR_DENIED);
	assert_string_equal(err.msg, "told to stop");
	assert_int_equal(b.n, 0);
}

static void broken_json_is_told_with_its_place(void **state)
{
	static const char *const rows[] = { "{\"a\":1,\n  nope}", "{\"a\":1", "", "  ", "{\"a\":\"\\x\"}", "[1,]", "{}{}",
					    "\xff\xfe", "{\"a\":\"\xff\"}", "{\"a\":\"\x01\"}" };
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	buf_init(&b, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (walk_text(rows[i], 100, &b, &err) != -ERR_SYNTAX)
			fail_msg("row %zu is taken for JSON", i);
	assert_int_equal(walk_text(rows[0], 100, &b, &err), -ERR_SYNTAX);
	assert_memory_equal(err.msg, "2:", 2);
}

static void depth_is_bounded_also_where_nobody_looks(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 }, b = { 0 };
	struct err err;

	buf_init(&text, 0);
	buf_init(&b, 0);
	buf_add_str(&text, "{\"deep\":");
	for (int i = 0; i < 100000; i++)
		buf_add_char(&text, '[');
	assert_int_equal(walk_text(text.p, 4096, &b, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.msg, "deeper"));
}

static void a_text_without_end_is_not_collected(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(walk_freep) struct walk *w = walk_new(places, ARRAY_LEN(places), &b);
	CLEANUP(freep) char *block = malloc(65536);
	size_t fed = 0;
	int r = walk_feed(w, SLICE_LIT("{\"a\":\""), NULL);

	buf_init(&b, 0);
	memset(block, 'x', 65536);
	while (r >= 0 && fed < (64u << 20)) {
		r = walk_feed(w, slice_from(block, 65536), NULL);
		fed += 65536;
	}
	assert_int_equal(r, -ERR_LIMIT);
	assert_true(fed <= VULNDB_TOKEN_MAX + 3 * 65536);
	/* and a long document of many short ones passes */
	assert_int_equal(walk_reset(w, NULL), 0);
	assert_int_equal(walk_feed(w, SLICE_LIT("{\"list\":[0"), NULL), 0);
	for (size_t i = 0; i < 65536; i += 2)
		memcpy(block + i, ",1", 2);
	for (fed = 0; fed < (8u << 20); fed += 65536)
		assert_int_equal(walk_feed(w, slice_from(block, 65536), NULL), 0);
}

static void a_key_longer_than_any_name_is_skipped(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 }, b = { 0 };

	buf_init(&text, 0);
	buf_init(&b, 0);
	buf_add_str(&text, "{\"map\":{\"");
	for (int i = 0; i < VULNDB_NAME_MAX + 1; i++)
		buf_add_char(&text, 'k');
	buf_add_str(&text, "\":[1],\"k\":[2]}}");
	assert_int_equal(walk_text(text.p, 100, &b, NULL), 0);
	assert_string_equal(b.p, "2< 5<k 6n2 5> 2> ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_told_whatever_the_chunks),
		cmocka_unit_test(a_reader_that_says_no_ends_the_walk),
		cmocka_unit_test(broken_json_is_told_with_its_place),
		cmocka_unit_test(depth_is_bounded_also_where_nobody_looks),
		cmocka_unit_test(a_text_without_end_is_not_collected),
		cmocka_unit_test(a_key_longer_than_any_name_is_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
