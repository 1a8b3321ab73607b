/* test_quota.c - how much one sender may bring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/quota.h"

static struct quota q;
enum { QUOTA_AT_ONCE = 500000, QUOTA_PER_HOUR = 200000 };
static const uint64_t hour_ns = 3600ull * 1000000000;

static void so_many_at_once_and_so_many_an_hour(void **state)
{
	uint64_t now = 5 * hour_ns;

	q = (struct quota){ .at_once = QUOTA_AT_ONCE, .per_hour = QUOTA_PER_HOUR };
	assert_true(quota_take(&q, "a", QUOTA_AT_ONCE, now));
	assert_false(quota_take(&q, "a", 1, now));
	assert_true(quota_take(&q, "a", 0, now));
	assert_true(quota_take(&q, "b", QUOTA_AT_ONCE, now));
	assert_false(quota_take(&q, "a", QUOTA_PER_HOUR + 1, now + hour_ns));
	assert_true(quota_take(&q, "a", QUOTA_PER_HOUR - 1, now + hour_ns));
	assert_false(quota_take(&q, "a", 2, now + hour_ns));
	assert_false(quota_take(&q, "c", QUOTA_AT_ONCE + 1, now));
	assert_true(quota_take(&q, "a", QUOTA_AT_ONCE, now + 100 * hour_ns));
}

static void a_crowd_does_not_wash_it_off(void **state)
{
	char agent[16];

	q = (struct quota){ .at_once = QUOTA_AT_ONCE, .per_hour = QUOTA_PER_HOUR };
	assert_true(quota_take(&q, "bad", QUOTA_AT_ONCE, hour_ns));
	for (int i = 0; i < 20000; i++) {
		snprintf(agent, sizeof(agent), "agent-%d", i);
		quota_take(&q, agent, 1, hour_ns);
	}
	assert_false(quota_take(&q, "bad", 10, hour_ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_at_once_and_so_many_an_hour),
		cmocka_unit_test(a_crowd_does_not_wash_it_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
