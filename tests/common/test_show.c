/* test_show.c - what a container may name, before it meets a person. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/show.h"
#include "common/text.h"

static void hostile_text_is_shown_not_obeyed(void **state)
{
	static const struct {
		struct slice in;
		size_t max;
		const char *want;
	} cases[] = {
		{ SLICE_LIT("plain"), 10, "plain" },
		{ SLICE_LIT("a\tb\nc\rd"), 20, "a\\tb\\nc\\rd" },
		{ SLICE_LIT("\033[31m\x7f\x00"), 30, "\\x1b[31m\\x7f\\x00" },
		{ SLICE_LIT("\xc2\x9b""31m"), 30, "\\x9b31m" },
		{ SLICE_LIT("a\xe2\x80\xaetxt.exe"), 30, "a\\u{202e}txt.exe" },
		{ SLICE_LIT("web\xe2\x80\x8b-1"), 30, "web\\u{200b}-1" },
		{ SLICE_LIT("\xff\xc0\xaf"), 30, "\\xff\\xc0\\xaf" },
		{ SLICE_LIT("h\xc3\xa9"), 10, "h\xc3\xa9" },
		{ SLICE_LIT("exactly"), 7, "exactly" },
		{ SLICE_LIT("too long"), 4, "too…" },
		{ SLICE_LIT("ab\033"), 4, "ab…" },
		{ SLICE_LIT("abcd\033"), 4, "abc…" },
		{ SLICE_LIT("\033x"), 4, "…" },
		{ SLICE_LIT(""), 4, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_finip) struct buf out = { 0 };

		show_text(&out, cases[i].in, cases[i].max);
		assert_string_equal(out.n ? out.p : "", cases[i].want);
		assert_true(text_is_clean(buf_slice(&out)));
	}
}

static void what_stood_before_is_left_alone_when_text_is_cut(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	(void)state;
	buf_add_str(&out, "name: ");
	show_text(&out, SLICE_LIT("abc"), 1);
	assert_string_equal(out.p, "name: …");
}

static void widths_are_terminal_columns(void **state)
{
	size_t width;

	(void)state;
	assert_int_equal(show_width(slice_of("abc")), 3);
	assert_int_equal(show_width(slice_of("日本")), 4);
	assert_int_equal(show_width(slice_of("e\xcc\x81")), 1);
	struct slice part = show_fit(slice_of("日本語"), 5, &width);
	assert_int_equal(part.n, 6);
	assert_int_equal(width, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_text_is_shown_not_obeyed),
		cmocka_unit_test(what_stood_before_is_left_alone_when_text_is_cut),
		cmocka_unit_test(widths_are_terminal_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
