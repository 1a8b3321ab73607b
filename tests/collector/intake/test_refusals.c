/* test_refusals.c - one line for what happens again and again, and room for what is new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "collector/intake/refusals.h"

static const uint64_t second = 1000000000;

static void the_same_refusal_is_said_once_and_again_after_ten_minutes(void **state)
{
	struct refusals r = { 0 };
	uint64_t silent = 99, now = 5 * second;

	(void)state;
	assert_true(refusals_are_news(&r, slice_of("10.0.0.1"), "unknown CA", now, &silent));
	assert_int_equal(silent, 0);
	for (int i = 1; i <= 50; i++)
		assert_false(refusals_are_news(&r, slice_of("10.0.0.1"), "unknown CA", now + (uint64_t)i * second,
					       &silent));
	assert_true(refusals_are_news(&r, slice_of("10.0.0.1"), "unknown CA", now + 601 * second, &silent));
	assert_int_equal(silent, 50);
}

static void another_reason_or_another_peer_is_news(void **state)
{
	struct refusals r = { 0 };
	uint64_t silent;

	(void)state;
	assert_true(refusals_are_news(&r, slice_of("10.0.0.1"), "unknown CA", second, &silent));
	assert_true(refusals_are_news(&r, slice_of("10.0.0.1"), "expired", second, &silent));
	assert_true(refusals_are_news(&r, slice_of("10.0.0.2"), "unknown CA", second, &silent));
	assert_false(refusals_are_news(&r, slice_of("10.0.0.2"), "unknown CA", second, &silent));
}

static void a_crowd_pushes_out_the_longest_unsaid_only(void **state)
{
	struct refusals r = { 0 };
	uint64_t silent;
	char who[32];

	(void)state;
	for (unsigned i = 0; i <= REFUSALS_KEPT; i++) {
		snprintf(who, sizeof(who), "10.0.%u.%u", i / 256, i % 256);
		assert_true(refusals_are_news(&r, slice_of(who), "x", (i + 1) * second, &silent));
	}
	assert_false(refusals_are_news(&r, slice_of("10.0.0.1"), "x", 200 * second, &silent));
	assert_true(refusals_are_news(&r, slice_of("10.0.0.0"), "x", 200 * second, &silent));
}

static void the_port_is_not_part_of_who(void **state)
{
	(void)state;
	assert_true(slice_is(refusals_host("192.0.2.1:5"), "192.0.2.1"));
	assert_true(slice_is(refusals_host("[::1]:5"), "[::1]"));
	assert_true(slice_is(refusals_host("odd"), "odd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_refusal_is_said_once_and_again_after_ten_minutes),
		cmocka_unit_test(another_reason_or_another_peer_is_news),
		cmocka_unit_test(a_crowd_pushes_out_the_longest_unsaid_only),
		cmocka_unit_test(the_port_is_not_part_of_who),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
