/* How many new alerts one agent may raise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "collector/alert/flood.h"
#include "common/slice.h"

static struct flood f;
static const uint64_t hour_ns = 3600ull * 1000000000;

static unsigned raise_all(const char *agent, uint64_t now)
{
	unsigned n = 0;

	for (; n < 10000 && flood_may(&f, agent, now); n++)
		flood_took(&f, agent, now);
	return n;
}

static void a_flood_ends_and_time_makes_room_again(void **state)
{
	uint64_t now = 5 * hour_ns;

	(void)state;
	f = (struct flood){ 0 };
	assert_int_equal(raise_all("bad", now), FLOOD_AT_ONCE);
	assert_true(flood_may(&f, "good", now));
	assert_in_range(raise_all("bad", now + hour_ns), FLOOD_PER_HOUR - 1, FLOOD_PER_HOUR);
	assert_int_equal(raise_all("bad", now + 10 * hour_ns), FLOOD_AT_ONCE);
}

static void a_guard_of_its_own_measure_keeps_it(void **state)
{
	uint64_t now = 5 * hour_ns;

	(void)state;
	f = (struct flood){ .at_once = 100, .per_hour = 50 };
	assert_int_equal(raise_all("scan", now), 100);
	assert_int_equal(raise_all("scan", now + hour_ns), 50);
	assert_int_equal(raise_all("scan", now + 2 * hour_ns + hour_ns / 50), 51);
}

static void a_crowd_does_not_wash_a_flood_off(void **state)
{
	char agent[16];

	(void)state;
	f = (struct flood){ 0 };
	raise_all("bad", hour_ns);
	for (int i = 0; i < 20000; i++) {
		snprintf(agent, sizeof(agent), "agent-%d", i);
		assert_true(flood_may(&f, agent, hour_ns));
		flood_took(&f, agent, hour_ns);
	}
	assert_false(flood_may(&f, "bad", hour_ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_ends_and_time_makes_room_again),
		cmocka_unit_test(a_guard_of_its_own_measure_keeps_it),
		cmocka_unit_test(a_crowd_does_not_wash_a_flood_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
