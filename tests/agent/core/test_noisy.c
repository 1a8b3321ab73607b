/* test_noisy.c - the loudest is found among many, and forgotten when it is quiet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/noisy.h"

static void add(struct noisy *n, uint64_t key, uint64_t now_ns)
{
	char *label = noisy_add(n, key, now_ns);

	if (label)
		snprintf(label, NOISY_LABEL_BYTES, "key %u", (unsigned)key);
}

static void nothing_is_not_loud(void **state)
{
	struct noisy n = { 0 };

	(void)state;
	assert_string_equal(noisy_most(&n), "");
}

/* A tenth of all events is more than 1/16, whatever order the others come in. */
static void the_loudest_is_found_among_ten_thousand(void **state)
{
	struct noisy n = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 100000; i++)
		add(&n, i % 10 ? 1000 + i % 10000 : 7, 1);
	assert_string_equal(noisy_most(&n), "key 7");
}

static void who_was_loud_a_minute_ago_is_not_blamed(void **state)
{
	const uint64_t minute_ns = 60000000000;
	struct noisy n = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		add(&n, 1, 5);
	for (unsigned i = 0; i < 10; i++)
		add(&n, 2, minute_ns);
	assert_string_equal(noisy_most(&n), "key 2");
	add(&n, 3, minute_ns * 60 * 24 * 365); /* a year asleep */
	assert_string_equal(noisy_most(&n), "key 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_not_loud),
		cmocka_unit_test(the_loudest_is_found_among_ten_thousand),
		cmocka_unit_test(who_was_loud_a_minute_ago_is_not_blamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
