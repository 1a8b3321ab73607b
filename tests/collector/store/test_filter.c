/* test_filter.c - what a person may write, and what is said when it is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/store/filter.h"

static const char *const keys[] = { "host",  "severity", "status", "image", "pid",
				    "since", "time",	 "text",   NULL };

static int parse(const char *text, struct arena *a, struct filter *f, struct err *err)
{
	return filter_parse(slice_of(text), keys, a, f, err);
}

static void terms_are_read_as_they_are_written(void **state)
{
	static const struct {
		const char *text, *key;
		enum filter_op op;
		const char *value;
		bool is_negated;
	} cases[] = {
		{ "host=web-1", "host", FILTER_EQ, "web-1", false },
		{ "host:web-1", "host", FILTER_EQ, "web-1", false },
		{ "-host:web-1", "host", FILTER_EQ, "web-1", true },
		{ "host!=web-1", "host", FILTER_NE, "web-1", false },
		{ "-host!=web-1", "host", FILTER_NE, "web-1", true },
		{ "host=web-*", "host", FILTER_GLOB, "web-*", false },
		{ "host!=web-*", "host", FILTER_GLOB, "web-*", true },
		{ "-host!=web-?", "host", FILTER_GLOB, "web-?", false },
		{ "host=\"web-*\"", "host", FILTER_EQ, "web-*", false },
		{ "image~nginx", "image", FILTER_CONTAINS, "nginx", false },
		{ "image!~nginx", "image", FILTER_CONTAINS, "nginx", true },
		{ "-image!~nginx", "image", FILTER_CONTAINS, "nginx", false },
		{ "severity>=high", "severity", FILTER_GE, "high", false },
		{ "pid<10", "pid", FILTER_LT, "10", false },
		{ "pid>-1", "pid", FILTER_GT, "-1", false },
		{ "since=24h", "since", FILTER_EQ, "24h", false },
		{ "host=", "host", FILTER_EQ, "", false },
		{ "host=a=b", "host", FILTER_EQ, "a=b", false },
		{ "host=\"a \\\"b\\\" \\\\c\"", "host", FILTER_EQ, "a \"b\" \\c", false },
		{ "host=\"a\\x7f\\x0ab\"", "host", FILTER_EQ, "a\x7f\nb", false },
		{ "host=\"\\xg1 \\x00 \\\\x41 \\x4\"", "host", FILTER_EQ, "xg1 x00 \\x41 x4", false },
		{ "host=\"\\x41\"", "host", FILTER_EQ, "A", false },
		{ "\"free text\"", NULL, FILTER_TEXT, "free text", false },
		{ "-\"free text\"", NULL, FILTER_TEXT, "free text", true },
		{ "/etc/shadow", NULL, FILTER_TEXT, "/etc/shadow", false },
		{ "10:30", NULL, FILTER_TEXT, "10:30", false },
		{ "h\xc3\xa4ndler", NULL, FILTER_TEXT, "h\xc3\xa4ndler", false },
		{ "a*b", NULL, FILTER_TEXT, "a*b", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(65536);
		struct filter f;
		struct err err;

		if (parse(cases[i].text, a, &f, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_int_equal(f.count, 1);
		if (cases[i].key)
			assert_string_equal(f.terms[0].key, cases[i].key);
		else
			assert_null(f.terms[0].key);
		if (f.terms[0].op != cases[i].op || f.terms[0].is_negated != cases[i].is_negated)
			fail_msg("%s: op %d, negated %d", cases[i].text, f.terms[0].op,
				 f.terms[0].is_negated);
		assert_string_equal(f.terms[0].value, cases[i].value);
	}
}

static void several_terms_know_their_columns(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	struct filter f;
	struct err err;

	(void)state;
	assert_int_equal(parse("  severity>=high \thost=web-*  \"a b\" -status:resolved ", a, &f, &err), 0);
	assert_int_equal(f.count, 4);
	assert_int_equal(f.terms[0].column, 3);
	assert_int_equal(f.terms[1].column, 19);
	assert_int_equal(f.terms[2].column, 31);
	assert_int_equal(f.terms[3].column, 37);
	assert_int_equal(parse("", a, &f, &err), 0);
	assert_int_equal(f.count, 0);
}

static void mistakes_are_named_with_their_column(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "hots=a", "column 1: unknown key \"hots\", did you mean \"host\"?" },
		{ "host=a sevrity>=high", "column 8: unknown key \"sevrity\", did you mean \"severity\"?" },
		{ "-zzzzzz=1", "column 2: unknown key \"zzzzzz\" (put free text in quotes)" },
		{ "severity>=hgih", "column 11: \"hgih\" is not one of info low medium high critical" },
		{ "severity>=h*", "is not one of" },
		{ "severity~hi", "takes no pattern" },
		{ "severity=h*", "takes no pattern" },
		{ "pid=abc", "column 5: \"abc\" is not a number" },
		{ "pid>99999999999999999999", "is not a number" },
		{ "since=yesterday", "is not a time" },
		{ "since=", "is not a time" },
		{ "host=\"abc", "column 6: the quote is not closed" },
		{ "host=\"abc\\\"", "column 6: the quote is not closed" },
		{ "\"", "column 1: the quote is not closed" },
		{ "\"a\"b", "column 4: a blank is wanted" },
		{ "\xc3\xa4\xc3\xb6 hots=a", "column 4: unknown key" },
		{ "-", "column 1: nothing follows" },
		{ "a - b", "column 3: nothing follows" },
		{ "\"\"", "column 1: empty text" },
		{ "host~", "column 6: a value is wanted" },
		{ "host>=", "a value is wanted" },
		{ "a\x01z", "column 2: a control character" },
		{ "a\x7f", "column 2: a control character" },
		{ "since=\x1b[31m", "control character" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(65536);
		struct filter f = { 0 };
		struct err err = { 0 };

		if (parse(cases[i].text, a, &f, &err) != -ERR_SYNTAX)
			fail_msg("'%s' was taken", cases[i].text);
		if (!strstr(err.msg, cases[i].message))
			fail_msg("'%s' gives '%s'", cases[i].text, err.msg);
	}
}

static void bounds_hold(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1024 * 1024);
	char text[5000];
	struct filter f;
	struct err err;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(filter_parse(slice_from(text, 4096), keys, a, &f, &err), 0);
	assert_int_equal(filter_parse(slice_from(text, 4097), keys, a, &f, &err), -ERR_SYNTAX);
	for (size_t i = 0; i < 65; i++)
		memcpy(text + 2 * i, "a ", 2);
	assert_int_equal(filter_parse(slice_from(text, 128), keys, a, &f, &err), 0);
	assert_int_equal(filter_parse(slice_from(text, 130), keys, a, &f, &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "more than 64 terms"));
	assert_int_equal(filter_parse(slice_from("a\0b", 3), keys, a, &f, &err), -ERR_SYNTAX);
	CLEANUP(arena_freep) struct arena *small = arena_new(1024);
	assert_int_equal(filter_parse(slice_from(text, 128), keys, small, &f, &err), -12);
}

static void values_match_as_what_they_are(void **state)
{
	static const struct {
		const char *term, *value;
		bool is_match;
	} cases[] = {
		{ "host=web", "web", true },	       { "host=web", "Web", false },
		{ "host=web-*", "web-12", true },      { "host=web-*", "db-1", false },
		{ "-host=web-*", "db-1", true },       { "host!=a", "b", true },
		{ "host!=a", "a", false },	       { "image~NGINX", "docker.io/nginx:1", true },
		{ "image~nginx", "redis", false },     { "image!~nginx", "redis", true },
		{ "severity>=high", "critical", true }, { "severity>=high", "medium", false },
		{ "severity<medium", "info", true },   { "severity=high", "high", true },
		{ "severity!=high", "low", true },     { "pid>9", "10", true },
		{ "pid<9", "10", false },	       { "host>a", "b", true },
		{ "\"b C\"", "a B c d", true },	       { "\"b C\"", "", false },
		{ "-\"b C\"", "xyz", true },
		{ "time>=2026-11-23T08:00:00Z", "2026-11-23T09:00:00+01:00", true },
		{ "time>2026-11-23T08:00:00Z", "2026-11-23T09:00:00+01:00", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(65536);
		struct filter f;
		struct err err;

		if (parse(cases[i].term, a, &f, &err) < 0)
			fail_msg("%s: %s", cases[i].term, err.msg);
		if (filter_match_text(&f.terms[0], slice_of(cases[i].value)) != cases[i].is_match)
			fail_msg("%s against %s", cases[i].term, cases[i].value);
	}
}

static void times_are_relative_to_the_clock(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	uint64_t now = 1795400000000000000ull, hour = 3600000000000ull, t, since = 0, until = 0;
	struct filter f;
	struct err err;

	(void)state;
	assert_true(filter_time_parse(SLICE_LIT("2h"), now, &t));
	assert_true(t == now - 2 * hour);
	assert_true(filter_time_parse(SLICE_LIT("99999999h"), now, &t));
	assert_true(t == 0);
	assert_true(filter_time_parse(SLICE_LIT("1970-01-02"), now, &t));
	assert_true(t == 24 * hour);
	assert_false(filter_time_parse(SLICE_LIT("2026-13-99"), now, &t));
	assert_int_equal(parse("since=2h time<1h pid=1", a, &f, &err), 0);
	assert_true(filter_match_time(&f.terms[0], now, now - hour));
	assert_false(filter_match_time(&f.terms[0], now, now - 3 * hour));
	filter_window(&f, now, &since, &until);
	assert_true(since == now - 2 * hour && until == now - hour);
	assert_true(filter_match_number(&f.terms[2], 1));
	assert_false(filter_match_number(&f.terms[2], 11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terms_are_read_as_they_are_written),
		cmocka_unit_test(several_terms_know_their_columns),
		cmocka_unit_test(mistakes_are_named_with_their_column),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(values_match_as_what_they_are),
		cmocka_unit_test(times_are_relative_to_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
