/* detect's texts: random patterns and needles against ways that are slow and plain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "collector/correlate/detect_priv.h"

static unsigned seed = 11;

static unsigned random_below(unsigned n)
{
	seed = seed * 1103515245U + 12345U;
	return (seed >> 16) % n;
}

static struct slice random_text(char *dst, size_t max, const char *letters)
{
	size_t n = random_below((unsigned)max + 1);

	for (size_t i = 0; i < n; i++)
		dst[i] = letters[random_below((unsigned)strlen(letters))];
	return slice_from(dst, n);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Of ASCII, without dashes. */
static bool slow_match(const uint16_t *t, size_t n, struct slice s, bool is_cased)
{
	if (!n)
		return !s.n;
	if (t[0] == TOKEN_MANY)
		return slow_match(t + 1, n - 1, s, is_cased) ||
		       (s.n && slow_match(t, n, slice_from(s.p + 1, s.n - 1), is_cased));
	if (!s.n || (t[0] != TOKEN_ONE && (is_cased ? (char)t[0] != s.p[0] : lower((char)t[0]) != lower(s.p[0]))))
		return false;
	return slow_match(t + 1, n - 1, slice_from(s.p + 1, s.n - 1), is_cased);
}

static void random_patterns_match_what_they_say(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
	unsigned hits = 0;

	for (unsigned i = 0; i < 50000; i++) {
		char pattern[8], text[12];
		struct pattern p = pattern_parse(a, random_text(pattern, 7, "abAB**?\\"));
		struct slice s = random_text(text, 11, "abAB*?\\");
		struct text made;

		for (unsigned is_cased = 0; is_cased < 2; is_cased++) {
			assert_true(text_make(a, &p, is_cased, &made));
			bool want = slow_match(p.tokens, p.count, s, is_cased);
			hits += want;
			if (text_match(&made, s, is_cased) != want)
				fail_msg("%u: form %d", i, made.form);
		}
		arena_reset(a);
	}
	assert_true(hits > 5000);
}

static void needles_find_what_one_by_one_is_found(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
	unsigned hits = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct text texts[8];
		char bytes[8][6], text[24];
		size_t count = 1 + random_below(8);
		bool is_cased = random_below(2);

		for (size_t k = 0; k < count; k++) {
			struct pattern p;

			do
				p = pattern_bytes(a, random_text(bytes[k], 5, "abcAB\xe9"));
			while (!p.count);
			assert_true(pattern_surround(a, &p, true, true) && text_make(a, &p, is_cased, &texts[k]));
			assert_int_equal(texts[k].form, FORM_CONTAINS);
		}
		const struct needles *n = needles_new(a, texts, count, is_cased);
		assert_non_null(n);
		for (unsigned round = 0; round < 4; round++) {
			struct slice s = random_text(text, 23, "abcABCx\xe9");
			bool want = false;

			for (size_t k = 0; k < count; k++)
				want |= text_match(&texts[k], s, is_cased);
			hits += want;
			assert_int_equal(needles_find(n, s), want);
		}
		arena_reset(a);
	}
	assert_true(hits > 5000);
}

static void needles_say_when_they_do_not_fit(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
	CLEANUP(arena_freep) struct arena *small = arena_new(400);
	static char bytes[40000];
	struct text text = { .form = FORM_CONTAINS, .bytes = { bytes, sizeof(bytes) } };
	struct text empty = { .form = FORM_CONTAINS }, short_one = { .form = FORM_CONTAINS, .bytes = SLICE_LIT("abcdefghij") };

	assert_null(needles_new(a, &text, 1, false));
	assert_null(needles_new(a, &empty, 1, false));
	assert_null(needles_new(small, &short_one, 1, false));
	for (size_t i = 0; i < 256; i++)
		bytes[i] = (char)i;
	text.bytes.n = 256;
	assert_null(needles_new(a, &text, 1, true));
	text.bytes.n = 250;
	assert_non_null(needles_new(a, &text, 1, true));
}

static void only_ascii_has_two_cases(void **state)
{
	for (unsigned c = 0; c < 256; c++)
		assert_int_equal(detect_lower[c], (uint8_t)lower((char)c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_patterns_match_what_they_say),
		cmocka_unit_test(needles_find_what_one_by_one_is_found),
		cmocka_unit_test(needles_say_when_they_do_not_fit),
		cmocka_unit_test(only_ascii_has_two_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
