/* slice: edges of ranges, empty slices, and numbers that do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/slice.h"

static void parts_out_of_range_are_empty(void **state)
{
	struct slice s = SLICE_LIT("hello");

	assert_true(slice_is(slice_sub(s, 1, 3), "ell"));
	assert_true(slice_is(slice_sub(s, 3, SIZE_MAX), "lo"));
	assert_int_equal(slice_sub(s, 5, 1).n, 0);
	assert_int_equal(slice_sub(s, SIZE_MAX, SIZE_MAX).n, 0);
	assert_int_equal(slice_sub(SLICE_NONE, 0, 9).n, 0);
}

static void comparing_looks_at_bytes_and_lengths(void **state)
{
	assert_true(slice_eq(SLICE_LIT("a\0b"), SLICE_LIT("a\0b")));
	assert_false(slice_eq(SLICE_LIT("a\0b"), SLICE_LIT("a\0c")));
	assert_true(slice_eq(SLICE_NONE, SLICE_LIT("")));
	assert_true(slice_is(SLICE_NONE, NULL));
	assert_true(slice_starts(SLICE_LIT("abc"), SLICE_NONE));
	assert_false(slice_starts(SLICE_LIT("a"), SLICE_LIT("ab")));
	assert_true(slice_ends(SLICE_LIT("abc"), SLICE_LIT("bc")));
	assert_false(slice_ends(SLICE_NONE, SLICE_LIT("c")));
}

static void finding_says_where_or_minus_one(void **state)
{
	assert_int_equal(slice_find(SLICE_LIT("abcabc"), SLICE_LIT("ca")), 2);
	assert_int_equal(slice_find(SLICE_LIT("abc"), SLICE_LIT("abcd")), -1);
	assert_int_equal(slice_find(SLICE_LIT("abc"), SLICE_NONE), 0);
	assert_int_equal(slice_find(SLICE_NONE, SLICE_LIT("a")), -1);
	assert_int_equal(slice_find_char(SLICE_LIT("a\0b"), 0), 1);
	assert_int_equal(slice_find_char(SLICE_NONE, 'a'), -1);
}

static void splitting_gives_every_part_even_empty_ones(void **state)
{
	static const char *const want[] = { "", "a", "", "b", "" };
	struct slice rest = SLICE_LIT(",a,,b,"), part;
	size_t n = 0;

	while (slice_split(&rest, ',', &part))
		assert_true(n < ARRAY_LEN(want) && slice_is(part, want[n++]));
	assert_int_equal(n, ARRAY_LEN(want));
	rest = SLICE_LIT("");
	assert_true(slice_split(&rest, ',', &part)); /* one empty part */
	assert_false(slice_split(&rest, ',', &part));
}

static void blanks_are_trimmed_at_both_ends_only(void **state)
{
	assert_true(slice_is(slice_trim(SLICE_LIT(" \t\r\na b\n ")), "a b"));
	assert_int_equal(slice_trim(SLICE_LIT(" \n ")).n, 0);
	assert_int_equal(slice_trim(SLICE_NONE).n, 0);
}

static void numbers_must_be_digits_that_fit(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "1.0",
					   "18446744073709551616", "99999999999999999999999" };
	uint64_t v = 7;

	assert_true(slice_to_u64(SLICE_LIT("18446744073709551615"), &v));
	assert_true(v == UINT64_MAX);
	assert_true(slice_to_u64(SLICE_LIT("007"), &v));
	assert_int_equal(v, 7);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(slice_to_u64(slice_of(bad[i]), &v));
	assert_int_equal(v, 7); /* untouched by failures */
}

static void copying_says_if_it_cut(void **state)
{
	char four[4];

	assert_true(slice_copy(SLICE_LIT("abc"), four, sizeof(four)));
	assert_string_equal(four, "abc");
	assert_false(slice_copy(SLICE_LIT("abcd"), four, sizeof(four)));
	assert_string_equal(four, "abc");
	assert_true(slice_copy(SLICE_NONE, four, sizeof(four)));
	assert_string_equal(four, "");
	assert_false(slice_copy(SLICE_LIT("a"), four, 1));
	char *copy CLEANUP(freep) = slice_dup(SLICE_LIT("xyz"));
	assert_string_equal(copy, "xyz");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_out_of_range_are_empty),
		cmocka_unit_test(comparing_looks_at_bytes_and_lengths),
		cmocka_unit_test(finding_says_where_or_minus_one),
		cmocka_unit_test(splitting_gives_every_part_even_empty_ones),
		cmocka_unit_test(blanks_are_trimmed_at_both_ends_only),
		cmocka_unit_test(numbers_must_be_digits_that_fit),
		cmocka_unit_test(copying_says_if_it_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
