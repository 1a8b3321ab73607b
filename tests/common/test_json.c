/* json: what is written reads back, and hostile text is refused before cJSON sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/json.h"

static void commas_and_nesting_look_after_themselves(void **state)
{
	struct buf b CLEANUP(buf_finip);
	struct json j;

	buf_init(&b, 0);
	json_init(&j, &b);
	json_object_open(&j);
	json_kv_str(&j, "a", "x");
	json_kv_str(&j, "none", NULL);
	json_key(&j, "list");
	json_array_open(&j);
	json_u64(&j, UINT64_MAX);
	json_i64(&j, INT64_MIN);
	json_array_open(&j);
	json_array_close(&j);
	json_object_open(&j);
	json_kv_bool(&j, "t", true);
	json_object_close(&j);
	json_null(&j);
	json_array_close(&j);
	json_key(&j, "raw");
	json_raw(&j, SLICE_LIT("{\"x\":1}"));
	json_kv_time(&j, "at", 1500000000);
	json_kv_time(&j, "never", 0);
	json_object_close(&j);
	assert_false(b.failed);
	assert_string_equal(b.p, "{\"a\":\"x\",\"none\":null,\"list\":[18446744073709551615,"
				 "-9223372036854775808,[],{\"t\":true},null],\"raw\":{\"x\":1},"
				 "\"at\":\"1970-01-01T00:00:01.500000000Z\",\"never\":null}");
}

static void strings_are_escaped_and_bad_utf8_is_replaced(void **state)
{
	struct buf b CLEANUP(buf_finip);
	struct json j;

	buf_init(&b, 0);
	json_init(&j, &b);
	json_str(&j, SLICE_LIT("a\"b\\c\n\t\r\0\x1f\x7f\xff gr\xc3\xbc\xc3"));
	assert_string_equal(b.p, "\"a\\\"b\\\\c\\n\\t\\r\\u0000\\u001f\\u007f\xef\xbf\xbd gr\xc3\xbc"
				 "\xef\xbf\xbd\"");
}

static void numbers_read_back_as_they_were(void **state)
{
	static const double rows[] = { 0, 0.1, 1.0 / 3, 1e300, -2.5, 5e-324, 123456789012345680 };
	static const double none[] = { __builtin_inf(), -__builtin_inf(), __builtin_nan("") };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b CLEANUP(buf_finip);
		struct json j;

		buf_init(&b, 0);
		json_init(&j, &b);
		json_f64(&j, rows[i]);
		assert_true(strtod(b.p, NULL) == rows[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		struct buf b CLEANUP(buf_finip);
		struct json j;

		buf_init(&b, 0);
		json_init(&j, &b);
		json_f64(&j, none[i]);
		assert_string_equal(b.p, "null");
	}
}

static void nesting_past_the_bound_fails_the_buffer(void **state)
{
	struct buf b CLEANUP(buf_finip);
	struct json j;

	buf_init(&b, 0);
	json_init(&j, &b);
	for (int i = 0; i < 63; i++)
		json_array_open(&j);
	json_u64(&j, 1);
	json_u64(&j, 2);
	for (int i = 0; i < 63; i++)
		json_array_close(&j);
	assert_false(b.failed);
	for (int i = 0; i < 100; i++)
		json_array_open(&j);
	for (int i = 0; i < 100; i++)
		json_array_close(&j);
	assert_true(b.failed);
	buf_reset(&b);
	json_init(&j, &b);
	json_object_close(&j); /* never opened */
	assert_true(b.failed);
}

static void good_text_is_parsed(void **state)
{
	cJSON *doc CLEANUP(cJSON_Deletep) = NULL;
	struct err err = { 0 };
	/* Not terminated: the parser must stay inside the slice. */
	static const char text[] = { '{', '"', 'a', '"', ':', '7', '}', ' ', '\n', '9' };

	assert_int_equal(json_parse(slice_from(text, 9), 100, &doc, &err), 0);
	assert_int_equal(json_get_u64(doc, "a", 0), 7);
}

static void wrong_text_is_refused_with_its_place(void **state)
{
	static const struct {
		struct slice text;
		int code;
		const char *starts;
	} rows[] = {
		{ { "", 0 }, ERR_SYNTAX, "1:1: nothing here" },
		{ { "{\"a\":1,\n  x}", 12 }, ERR_SYNTAX, "2:" },
		{ { "[1] [2]", 7 }, ERR_SYNTAX, "1:5: more text" },
		{ { "[1", 2 }, ERR_SYNTAX, "1:" },
		{ { "\"a", 2 }, ERR_SYNTAX, "1:" },
		{ { "\"\\", 2 }, ERR_SYNTAX, "1:" },
		{ { "[\"a\nb\"]", 7 }, ERR_SYNTAX, "1:4: a control character" },
		{ { "[\"a\\u0000b\"]", 12 }, ERR_SYNTAX, "1:4: \\u0000" },
		{ { "[1]\0", 4 }, ERR_SYNTAX, "1:4: a NUL" },
		{ { "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]", 37 }, ERR_LIMIT, "JSON is larger" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cJSON *doc = NULL;
		struct err err = { 0 };
		/* Exactly sized memory, so that the sanitizer sees a read past the end. */
		char *exact CLEANUP(freep) = malloc(rows[i].text.n + !rows[i].text.n);

		memcpy(exact, rows[i].text.p, rows[i].text.n);
		assert_int_equal(json_parse(slice_from(exact, rows[i].text.n), 30, &doc, &err),
				 -rows[i].code);
		assert_null(doc);
		if (!slice_starts(slice_of(err.msg), slice_of(rows[i].starts)))
			fail_msg("row %zu: %s", i, err.msg);
	}
}

static void nesting_is_bounded_but_brackets_in_strings_do_not_count(void **state)
{
	char text[300];
	struct err err;
	cJSON *doc = NULL;

	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	assert_int_equal(json_parse(slice_from(text, 128), 1000, &doc, &err), 0);
	cJSON_Delete(doc);
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	assert_int_equal(json_parse(slice_from(text, 130), 1000, &doc, &err), -ERR_LIMIT);
	memset(text, '[', 200);
	text[0] = text[199] = '"';
	assert_int_equal(json_parse(slice_from(text, 200), 1000, &doc, &err), 0);
	cJSON_Delete(doc);
}

static void getters_fall_back_on_other_types(void **state)
{
	cJSON *doc CLEANUP(cJSON_Deletep) = NULL;
	struct err err;
	struct slice text = SLICE_LIT("{\"s\":\"x\",\"n\":-1,\"f\":1.5,\"big\":1e300,\"t\":true,\"a\":[1],"
				      "\"max\":9007199254740992}");

	assert_int_equal(json_parse(text, 1000, &doc, &err), 0);
	assert_true(slice_is(json_get_str(doc, "s"), "x"));
	assert_int_equal(json_get_str(doc, "n").n, 0);
	assert_int_equal(json_get_str(doc, "S").n, 0);
	assert_int_equal(json_get_u64(doc, "n", 7), 7);
	assert_int_equal(json_get_u64(doc, "f", 7), 7);
	assert_int_equal(json_get_u64(doc, "big", 7), 7);
	assert_int_equal(json_get_u64(doc, "max", 7), 9007199254740992);
	assert_int_equal(json_get_u64(doc, "absent", 7), 7);
	assert_true(json_get_bool(doc, "t", false));
	assert_true(json_get_bool(doc, "s", true));
	assert_int_equal(json_get_u64(NULL, "s", 7), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_and_nesting_look_after_themselves),
		cmocka_unit_test(strings_are_escaped_and_bad_utf8_is_replaced),
		cmocka_unit_test(numbers_read_back_as_they_were),
		cmocka_unit_test(nesting_past_the_bound_fails_the_buffer),
		cmocka_unit_test(good_text_is_parsed),
		cmocka_unit_test(wrong_text_is_refused_with_its_place),
		cmocka_unit_test(nesting_is_bounded_but_brackets_in_strings_do_not_count),
		cmocka_unit_test(getters_fall_back_on_other_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
