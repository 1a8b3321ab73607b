/* test_losses.c - a flood of losses is few gaps, and their sum is what was lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/losses.h"

static const uint64_t second_ns = 1000000000, start_ns = 1795400000000000000;

struct told {
	unsigned gaps;
	uint64_t lost;
	struct loss last;
};

static void tell(void *arg, const struct loss *l)
{
	struct told *t = arg;

	t->gaps++;
	t->lost += l->lost;
	t->last = *l;
}

static void the_first_is_told_at_once_and_the_flood_once_a_second(void **state)
{
	struct losses s = { 0 };
	struct told t = { 0 };

	(void)state;
	losses_add(&s, EVC_VOLUME, 3, start_ns, start_ns + 1, "ring_full", 5 * second_ns, tell, &t);
	assert_int_equal(t.gaps, 1);
	for (unsigned i = 1; i <= 1000; i++) { /* over ten seconds */
		uint64_t at = i * second_ns / 100;

		losses_add(&s, EVC_VOLUME, 2, start_ns + at - 5, start_ns + at, "ring_full", 5 * second_ns + at, tell,
			   &t);
	}
	assert_false(losses_tick(&s, UINT64_MAX, tell, &t));
	assert_int_equal(t.lost, 3 + 2000);
	assert_in_range(t.gaps, 10, 12);
	assert_int_equal(t.last.to_unix_ns, start_ns + 10 * second_ns);
	assert_int_equal(t.last.class, EVC_VOLUME);
}

static void classes_and_reasons_are_told_apart(void **state)
{
	struct losses s = { 0 };
	struct told t = { 0 };

	(void)state;
	losses_add(&s, EVC_VOLUME, 1, 1, 2, "ring_full", 1, tell, &t);
	losses_add(&s, EVC_PROCESS, 1, 1, 2, "ring_full", 1, tell, &t);
	losses_add(&s, EVC_PROCESS, 1, 1, 2, "spool_full", 1, tell, &t);
	assert_int_equal(t.gaps, 3);
	assert_string_equal(t.last.reason, "spool_full");
	losses_add(&s, EVC_PROCESS, 7, 3, 4, "spool_full", 2, tell, &t);
	assert_int_equal(t.gaps, 3);
	assert_true(losses_tick(&s, 3, tell, &t));
	assert_false(losses_tick(&s, 1 + second_ns, tell, &t));
	assert_int_equal(t.last.lost, 7);
}

static void more_reasons_than_rows_are_told_as_several(void **state)
{
	struct losses s = { 0 };
	struct told t = { 0 };
	char reason[64];

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(reason, sizeof(reason), "a reason of which there are many: %u", i);
		losses_add(&s, EVC_RARE, 1, 1, 2, reason + i % 20, 1, tell, &t);
	}
	losses_tick(&s, UINT64_MAX, tell, &t);
	assert_int_equal(t.lost, 100);
	assert_in_range(t.gaps, LOSSES_REASONS, 2 * LOSSES_REASONS);
	assert_string_equal(t.last.reason, "several");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_told_at_once_and_the_flood_once_a_second),
		cmocka_unit_test(classes_and_reasons_are_told_apart),
		cmocka_unit_test(more_reasons_than_rows_are_told_as_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
