/* version: the schemes' names, what holds for every scheme, and what long texts cost. */
#include "rows.h"

#include <time.h>

#include "common/text.h"

static void schemes_are_found_by_the_names_people_type(void **state)
{
	static const char *const names[] = { "deb",   "apk",   "rpm",	    "semver", "go",
					     "npm",   "pep440", "gem",	    "maven",  "nuget",
					     "packagist", "cargo", "npm-includePrerelease", "maven-generic" };
	enum version_scheme s = VERSION_DEB;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(version_scheme_find(slice_of(names[i]), &s, &err), 0);
		assert_string_equal(version_scheme_name(s), names[i]);
	}
	assert_int_equal(ARRAY_LEN(names), VERSION_SCHEME_COUNT);
	assert_int_equal(version_scheme_find(SLICE_LIT("DEB"), &s, &err), -ERR_USAGE);
	assert_non_null(strstr(err.msg, " deb apk rpm semver "));
	assert_non_null(strstr(err.msg, " maven-generic"));
	assert_int_equal(version_scheme_find(SLICE_NONE, &s, NULL), -ERR_USAGE);
}

static void an_error_tells_which_of_two_versions(void **state)
{
	struct err err;
	int r = 7;

	assert_int_equal(version_compare(VERSION_SEMVER, SLICE_LIT("x"), SLICE_LIT("1"), &r, &err), -ERR_SYNTAX);
	assert_string_equal(err.msg, "first version: column 1: not a version of semver");
	assert_int_equal(version_compare(VERSION_SEMVER, SLICE_LIT("1"), SLICE_LIT("1..2"), &r, &err), -ERR_SYNTAX);
	assert_string_equal(err.msg, "second version: column 2: not a version of semver");
	assert_int_equal(version_compare(VERSION_DEB, SLICE_NONE, SLICE_NONE, &r, NULL), -ERR_SYNTAX);
	assert_int_equal(r, 7);
}

/* What is read once orders as what is compared each time. */
static void a_version_read_once_is_compared_with_many(void **state)
{
	static const char *const others[] = { "1.0", "1.2.3", "1.2.3-1", "2.0", "0.1" };
	struct version v, w;
	struct err err;

	for (int s = 0; s < VERSION_SCHEME_COUNT; s++) {
		assert_int_equal(version_parse((enum version_scheme)s, SLICE_LIT("1.2.3"), &v, &err), 0);
		for (size_t i = 0; i < ARRAY_LEN(others); i++) {
			if (version_parse((enum version_scheme)s, slice_of(others[i]), &w, &err) < 0)
				continue;
			assert_int_equal(version_order(&v, &w), compare((enum version_scheme)s, SLICE_LIT("1.2.3"),
									slice_of(others[i])));
		}
	}
}

static void a_text_has_4096_bytes_at_most(void **state)
{
	static char text[VERSION_TEXT_MAX + 1];
	struct version v;
	struct err err;
	bool matches;

	memset(text, '1', sizeof(text));
	for (int i = 0; i < VERSION_SCHEME_COUNT; i++) {
		enum version_scheme s = (enum version_scheme)i;

		assert_int_equal(version_parse(s, slice_from(text, VERSION_TEXT_MAX), &v, &err), 0);
		assert_int_equal(version_parse(s, slice_from(text, VERSION_TEXT_MAX + 1), &v, &err), -ERR_SYNTAX);
		assert_false(version_is_valid(s, slice_from(text, VERSION_TEXT_MAX + 1)));
		assert_int_equal(version_match(s, slice_from(text, VERSION_TEXT_MAX + 1), SLICE_LIT("1.0.0"), &matches,
					       &err), -ERR_SYNTAX);
	}
}

/* Bytes that no version has, and ends in the middle of everything: an answer or an error, read in bounds
 * (each text stands in a block of its own size, so that ASan sees a byte too many). */
static void any_bytes_get_an_answer_or_an_error(void **state)
{
	static const char alphabet[] = "0123456789..--~^+_:!*xvVabrc,|<>=[]() \t\n\xc3\xa9\x7f";
	struct err err;

	for (unsigned round = 0; round < 4000; round++) {
		unsigned char random[24];

		text_random(random, sizeof(random));
		size_t n = random[0] % sizeof(random), m = n ? random[1] % n : 0;
		CLEANUP(freep) char *a = malloc(n + 1);
		CLEANUP(freep) char *b = malloc(n - m + 1);

		for (size_t i = 0; i < n; i++)
			a[i] = alphabet[random[i] % (sizeof(alphabet) - 1)];
		memcpy(b, a + m, n - m);
		for (int i = 0; i < VERSION_SCHEME_COUNT; i++) {
			enum version_scheme s = (enum version_scheme)i;
			struct slice x = slice_from(a, n), y = slice_from(b, n - m);
			bool matches;
			int r, back;

			(void)!version_match(s, x, y, &matches, &err);
			(void)!version_match(s, y, SLICE_LIT("1.2.3"), &matches, &err);
			if (version_compare(s, x, y, &r, &err) < 0)
				continue;
			assert_in_range(r + 1, 0, 2);
			assert_int_equal(version_compare(s, y, x, &back, &err), 0);
			assert_int_equal(r, -back);
			assert_int_equal(version_compare(s, x, x, &r, &err), 0);
			assert_int_equal(r, 0);
		}
	}
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static size_t fill(char *text, const char *unit, const char *last)
{
	size_t n = 0, unit_n = strlen(unit), last_n = strlen(last);

	while (n + unit_n + last_n <= VERSION_TEXT_MAX) {
		memcpy(text + n, unit, unit_n);
		n += unit_n;
	}
	memcpy(text + n, last, last_n);
	return n + last_n;
}

/* Two texts of 4 KiB with the difference at the end: linear is well below a millisecond even under ASan, a
 * square would be 16 million steps. */
static void long_texts_cost_their_length(void **state)
{
	enum { LIMIT_MS = 15 };
	static const char *const units[] = { "0", "1", "0.", "1.", "-", "0-", "a", "a.", "1a", "~", "^", "1~", "0a-", "-0-1", ".", "1.0-", "_p", "ga." };
	static char a[VERSION_TEXT_MAX], b[VERSION_TEXT_MAX];
	struct err err;

	for (int s = 0; s < VERSION_SCHEME_COUNT; s++) {
		for (size_t i = 0; i < ARRAY_LEN(units); i++) {
			struct slice x = slice_from(a, fill(a, units[i], "1")), y = slice_from(b, fill(b, units[i], "2"));
			double before = now_ms();
			int r;

			(void)!version_compare((enum version_scheme)s, x, y, &r, &err);
			a[0] = b[0] = '1';
			(void)!version_compare((enum version_scheme)s, x, y, &r, &err);
			double took = now_ms() - before;
			if (took > LIMIT_MS)
				print_error("%s, '%s…': %.1f ms\n", version_scheme_name((enum version_scheme)s), units[i], took);
			assert_true(took <= LIMIT_MS);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemes_are_found_by_the_names_people_type),
		cmocka_unit_test(an_error_tells_which_of_two_versions),
		cmocka_unit_test(a_version_read_once_is_compared_with_many),
		cmocka_unit_test(a_text_has_4096_bytes_at_most),
		cmocka_unit_test(any_bytes_get_an_answer_or_an_error),
		cmocka_unit_test(long_texts_cost_their_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
