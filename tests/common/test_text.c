/* text: each conversion there and back, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/text.h"

static void times_are_written_and_read_back(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
		const char *want; /* nullable: as text */
	} rows[] = {
		{ "1970-01-01T00:00:00.000000000Z", 0, NULL },
		{ "2026-11-23T19:22:48.123456789Z", 1795461768123456789, NULL },
		{ "2000-02-29T23:59:59.999999999Z", 951868799999999999, NULL },
		{ "2024-12-31T23:59:60Z", 1735689600000000000, "2025-01-01T00:00:00.000000000Z" },
		{ "2026-11-23t21:22:48.5+02:00", 1795461768500000000,
		  "2026-11-23T19:22:48.500000000Z" },
		{ "2026-11-23 19:22:48.1234567891234z", 1795461768123456789,
		  "2026-11-23T19:22:48.123456789Z" },
		{ "1969-12-31T23:00:00-01:00", 0, "1970-01-01T00:00:00.000000000Z" },
	};
	char out[TEXT_TIME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t ns = 1;

		assert_true(text_time_parse(slice_of(rows[i].text), &ns));
		assert_int_equal(ns, rows[i].ns);
		assert_string_equal(text_time(ns, out, sizeof(out)),
				    rows[i].want ? rows[i].want : rows[i].text);
	}
	assert_string_equal(text_time(UINT64_MAX, out, sizeof(out)),
			    "2554-07-21T23:34:33.709551615Z");
}

static void wrong_times_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"2026-11-23",
		"2026-11-23T19:22:48",
		"2026-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-10T00:00:00Z",
		"2026-11-31T00:00:00Z",
		"2026-11-23T24:00:00Z",
		"2026-11-23T19:60:00Z",
		"2026-11-23T19:22:61Z",
		"2026-11-23T19:22:48.Z",
		"2026-11-23T19:22:48Zx",
		"2026-11-23T19:22:48+2:00",
		"2026-11-23T19:22:48+02:0",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59Z",
		"+026-11-23T19:22:48Z",
		"2026-1",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t ns;

		if (text_time_parse(slice_of(rows[i]), &ns))
			fail_msg("'%s' was read as a time", rows[i]);
	}
}

static void durations_and_sizes_know_their_units(void **state)
{
	static const struct {
		const char *text;
		int64_t ms, bytes; /* -1: refused */
	} rows[] = {
		{ "90", 90000, 90 },
		{ "500ms", 500, -1 },
		{ "90s", 90000, -1 },
		{ "15m", 900000, -1 },
		{ "24h", 86400000, -1 },
		{ "7d", 604800000, -1 },
		{ "2w", 1209600000, -1 },
		{ "64MiB", -1, 67108864 },
		{ " 64 MiB ", -1, 67108864 },
		{ "1KiB", -1, 1024 },
		{ "10GB", -1, 10000000000 },
		{ "1kB", -1, 1000 },
		{ "", -1, -1 },
		{ "s", -1, -1 },
		{ "-1s", -1, -1 },
		{ "1.5h", -1, -1 },
		{ "1h30m", -1, -1 },
		{ "64M", -1, -1 },
		{ "64mib", -1, -1 },
		{ "18446744073709551615d", -1, -1 },
		{ "18446744073709551615TiB", -1, -1 },
		{ "99999999999999999999", -1, -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t ms = 0, bytes = 0;
		bool is_ms = text_duration_parse(slice_of(rows[i].text), &ms);
		bool is_bytes = text_size_parse(slice_of(rows[i].text), &bytes);

		print_message("[          ] '%s'\n", rows[i].text);
		assert_int_equal(is_ms ? (int64_t)ms : -1, rows[i].ms);
		assert_int_equal(is_bytes ? (int64_t)bytes : -1, rows[i].bytes);
	}
}

static void hex_goes_there_and_back(void **state)
{
	char hex[2 * 4 + 1];
	uint8_t back[4];

	assert_string_equal(text_hex("\x00\x7f\x80\xff", 4, hex), "007f80ff");
	assert_int_equal(text_unhex(SLICE_LIT("007F80fF"), back, sizeof(back)), 4);
	assert_memory_equal(back, "\x00\x7f\x80\xff", 4);
	assert_int_equal(text_unhex(SLICE_LIT("007f80ff00"), back, sizeof(back)), -1);
	assert_int_equal(text_unhex(SLICE_LIT("007"), back, sizeof(back)), -1);
	assert_int_equal(text_unhex(SLICE_LIT("0g"), back, sizeof(back)), -1);
	assert_int_equal(text_unhex(SLICE_NONE, back, sizeof(back)), 0);
}

static void base64url_goes_there_and_back_for_every_length(void **state)
{
	uint8_t raw[64], back[64];
	char text[64 * 4 / 3 + 4];

	for (size_t n = 0; n <= sizeof(raw); n++) {
		text_random(raw, n);
		size_t len = text_base64url(raw, n, text);
		assert_int_equal(len, strlen(text));
		assert_int_equal(text_unbase64url(slice_from(text, len), back, n), n);
		assert_memory_equal(raw, back, n);
		if (n)
			assert_int_equal(text_unbase64url(slice_from(text, len), back, n - 1), -1);
	}
	text_base64url("\xfb\xff\xfe", 3, text);
	assert_string_equal(text, "-__-");
}

static void base64url_has_one_spelling_for_a_value(void **state)
{
	uint8_t back[8];

	assert_int_equal(text_unbase64url(SLICE_LIT("AA"), back, 8), 1);
	assert_int_equal(text_unbase64url(SLICE_LIT("AB"), back, 8), -1); /* left-over bits */
	assert_int_equal(text_unbase64url(SLICE_LIT("A"), back, 8), -1);
	assert_int_equal(text_unbase64url(SLICE_LIT("AA=="), back, 8), -1);
	assert_int_equal(text_unbase64url(SLICE_LIT("A+"), back, 8), -1);
}

static void the_distance_counts_edits(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned want;
	} rows[] = {
		{ "", "", 0 },	    { "", "abc", 3 },	  { "abc", "abc", 0 }, { "abc", "acb", 1 },
		{ "abc", "ab", 1 }, { "abc", "xabc", 1 }, { "abc", "axc", 1 }, { "kitten", "sitting", 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(text_distance(slice_of(rows[i].a), slice_of(rows[i].b)), rows[i].want);
		assert_int_equal(text_distance(slice_of(rows[i].b), slice_of(rows[i].a)), rows[i].want);
	}
	char a[200], b[200];
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	assert_int_equal(text_distance(slice_from(a, sizeof(a)), slice_from(b, sizeof(b))), 64);
}

static void the_nearest_name_is_offered_only_if_it_is_near(void **state)
{
	static const char *const names[] = { "listen", "spool", "collector", "max_size" };

	assert_string_equal(text_nearest(SLICE_LIT("colector"), names, 4), "collector");
	assert_string_equal(text_nearest(SLICE_LIT("lsiten"), names, 4), "listen");
	assert_string_equal(text_nearest(SLICE_LIT("max-size"), names, 4), "max_size");
	assert_null(text_nearest(SLICE_LIT("password"), names, 4));
	assert_null(text_nearest(SLICE_LIT("x"), names, 4));
	assert_null(text_nearest(SLICE_NONE, names, 4));
}

static void globs_match_the_whole_string(void **state)
{
	static const struct {
		const char *pattern, *s;
		bool want;
	} rows[] = {
		{ "", "", true },	    { "*", "", true },	       { "*", "anything", true },
		{ "web-*", "web-1", true }, { "web-*", "xweb-1", false }, { "web-?", "web-", false },
		{ "a*b*c", "aXbYbZc", true }, { "a*b*c", "aXbY", false }, { "**a**", "a", true },
		{ "[a]", "a", false },	    { "[a]", "[a]", true },    { "abc", "abcd", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(text_glob(slice_of(rows[i].pattern), slice_of(rows[i].s)), rows[i].want);
}

static void a_hostile_glob_does_not_explode(void **state)
{
	char s[4001], p[201];

	memset(s, 'a', sizeof(s));
	for (size_t i = 0; i < 200; i++)
		p[i] = i % 2 ? 'a' : '*';
	p[200] = 'b';
	assert_false(text_glob(slice_from(p, sizeof(p)), slice_from(s, sizeof(s))));
}

static void utf8_that_is_none_is_seen(void **state)
{
	static const struct {
		struct slice s;
		size_t n;
		uint32_t c;
	} rows[] = {
		{ { "a", 1 }, 1, 'a' },
		{ { "\xc3\xa4", 2 }, 2, 0xe4 },
		{ { "\xe2\x82\xac", 3 }, 3, 0x20ac },
		{ { "\xf0\x9f\x90\x99", 4 }, 4, 0x1f419 },
		{ { "\xc3", 1 }, 0, 0 },		     /* cut off */
		{ { "\xc0\x80", 2 }, 0, 0 },		     /* overlong */
		{ { "\xe0\x80\xaf", 3 }, 0, 0 },
		{ { "\xed\xa0\x80", 3 }, 0, 0 },	     /* surrogate */
		{ { "\xf4\x90\x80\x80", 4 }, 0, 0 },	     /* above 10FFFF */
		{ { "\x80", 1 }, 0, 0 },		     { { "\xff", 1 }, 0, 0 },
		{ { "\xc3\x41", 2 }, 0, 0 },		     { { NULL, 0 }, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t c = 0;

		assert_int_equal(text_utf8(rows[i].s, &c), rows[i].n);
		assert_int_equal(c, rows[i].c);
	}
}

static void clean_text_has_nothing_that_moves_a_terminal(void **state)
{
	assert_true(text_is_clean(SLICE_LIT("gr\xc3\xbc\xc3\x9f dich,\tWelt")));
	assert_true(text_is_clean(SLICE_NONE));
	assert_false(text_is_clean(SLICE_LIT("a\nb")));
	assert_false(text_is_clean(SLICE_LIT("\x1b[31m")));
	assert_false(text_is_clean(SLICE_LIT("\x7f")));
	assert_false(text_is_clean(SLICE_LIT("\xc2\x9b")));	/* C1 CSI */
	assert_false(text_is_clean(SLICE_LIT("\xe2\x80\xae"))); /* right-to-left override */
	assert_false(text_is_clean(SLICE_LIT("\xff")));
	assert_false(text_is_clean(SLICE_LIT("a\0b")));
}

static void uuids_are_random_and_recognised(void **state)
{
	char a[37], b[37];

	text_uuid(a);
	text_uuid(b);
	assert_string_not_equal(a, b);
	assert_true(text_is_uuid(slice_of(a)));
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89ab", a[19]));
	assert_false(text_is_uuid(slice_from(a, 35)));
	a[8] = '0';
	assert_false(text_is_uuid(slice_of(a)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_and_read_back),
		cmocka_unit_test(wrong_times_are_refused),
		cmocka_unit_test(durations_and_sizes_know_their_units),
		cmocka_unit_test(hex_goes_there_and_back),
		cmocka_unit_test(base64url_goes_there_and_back_for_every_length),
		cmocka_unit_test(base64url_has_one_spelling_for_a_value),
		cmocka_unit_test(the_distance_counts_edits),
		cmocka_unit_test(the_nearest_name_is_offered_only_if_it_is_near),
		cmocka_unit_test(globs_match_the_whole_string),
		cmocka_unit_test(a_hostile_glob_does_not_explode),
		cmocka_unit_test(utf8_that_is_none_is_seen),
		cmocka_unit_test(clean_text_has_nothing_that_moves_a_terminal),
		cmocka_unit_test(uuids_are_random_and_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
