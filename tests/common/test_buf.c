/* buf: growth, the cap, and the failure that sticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"

static void text_grows_and_is_terminated(void **state)
{
	struct buf b CLEANUP(buf_finip);

	buf_init(&b, 0);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	assert_false(b.failed);
	assert_int_equal(b.p[b.n], 0);
	assert_int_equal(b.n, strlen(b.p));
	assert_true(slice_starts(buf_slice(&b), SLICE_LIT("0,1,2,")));
	assert_true(slice_ends(buf_slice(&b), SLICE_LIT(",998,999,")));
}

static void exactly_the_cap_fits_and_one_more_fails(void **state)
{
	struct buf b CLEANUP(buf_finip);

	buf_init(&b, 8);
	buf_add_str(&b, "12345678");
	assert_false(b.failed);
	buf_add_char(&b, '9');
	assert_true(b.failed);
	assert_string_equal(b.p, "12345678");
}

static void after_a_failure_nothing_more_is_added_until_a_reset(void **state)
{
	struct buf b CLEANUP(buf_finip);

	buf_init(&b, 4);
	buf_add_str(&b, "too long");
	buf_add_str(&b, "ok");
	buf_printf(&b, "%d", 1);
	assert_true(b.failed);
	assert_int_equal(b.n, 0);
	buf_reset(&b);
	buf_add_str(&b, "ok");
	assert_false(b.failed);
	assert_string_equal(b.p, "ok");
}

static void a_wish_near_size_max_is_refused(void **state)
{
	struct buf b CLEANUP(buf_finip);

	buf_init(&b, 100);
	buf_add_str(&b, "x");
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
}

static void empty_pieces_change_nothing(void **state)
{
	struct buf b CLEANUP(buf_finip);

	buf_init(&b, 4);
	buf_add_slice(&b, SLICE_NONE);
	buf_add_str(&b, NULL);
	assert_int_equal(b.n, 0);
	assert_false(b.failed);
	buf_fini(&b);
	buf_add_str(&b, "abcd"); /* usable again, with the same cap */
	buf_add_str(&b, "e");
	assert_true(b.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows_and_is_terminated),
		cmocka_unit_test(exactly_the_cap_fits_and_one_more_fails),
		cmocka_unit_test(after_a_failure_nothing_more_is_added_until_a_reset),
		cmocka_unit_test(a_wish_near_size_max_is_refused),
		cmocka_unit_test(empty_pieces_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
