/* Who may try to enrol, and how often. */
#include "collector/fleet/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define S 1000000000ull

static unsigned tries(struct rate *r, const char *address, uint64_t now, unsigned count)
{
	struct rate_key k = rate_key(address);
	unsigned may = 0;

	for (unsigned i = 0; i < count; i++)
		may += rate_try(r, &k, now);
	return may;
}

static void an_address_may_try_ten_times_and_then_five_a_second(void **state)
{
	struct rate *r = rate_new();

	assert_int_equal(tries(r, "192.0.2.1:1", 100 * S, 50), 10);
	assert_int_equal(tries(r, "192.0.2.1:2", 101 * S, 50), 5); /* another port is the same host */
	assert_int_equal(tries(r, "192.0.2.1:2", 101 * S + S / 5, 50), 1);
	assert_int_equal(tries(r, "192.0.2.1:2", 1000 * S, 50), 10);
	assert_int_equal(tries(r, "192.0.2.2:1", 1000 * S, 50), 10);
	rate_free(r);
}

static void one_address_leaves_room_for_others(void **state)
{
	struct rate *r = rate_new();
	unsigned may = 0;

	(void)tries(r, "192.0.2.1:1", 5 * S, 1000000);
	assert_int_equal(tries(r, "192.0.2.2:1", 5 * S, 1), 1);
	for (unsigned i = 0; i < 200; i++) { /* a botnet */
		char address[32];

		snprintf(address, sizeof(address), "198.51.100.%u:9", i);
		may += tries(r, address, 6 * S, 10);
	}
	assert_in_range(may, 20, 40);
	rate_free(r);
}

static void a_failure_costs_a_second(void **state)
{
	struct rate *r = rate_new();
	struct rate_key k = rate_key("192.0.2.1:1");

	for (unsigned i = 0; i < 3; i++) {
		assert_true(rate_try(r, &k, 10 * S));
		rate_failed(r, &k, 10 * S);
	}
	assert_false(rate_try(r, &k, 10 * S));
	assert_true(rate_try(r, &k, 11 * S));
	rate_failed(r, &k, 11 * S);
	assert_false(rate_try(r, &k, 11 * S + S / 2));
	rate_free(r);
}

static void a_network_of_ipv6_is_one_address(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "[2001:db8::1]:1", "[2001:db8::ffff:1]:2", true },
		{ "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false },
		{ "[fe80::1%eth0]:1", "[fe80::2%eth0]:1", true },
		{ "192.0.2.1:1", "192.0.2.1:65535", true },
		{ "192.0.2.1:1", "192.0.2.2:1", false },
		{ "0.0.0.0:1", "[::]:1", false },
		{ "", "garbage", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rate_key a = rate_key(cases[i].a), b = rate_key(cases[i].b);

		assert_int_equal(a.half == b.half && a.is_v6 == b.is_v6, cases[i].same);
	}
}

static void more_addresses_than_are_remembered_do_no_harm(void **state)
{
	struct rate *r = rate_new();

	for (unsigned i = 0; i < 5000; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.%u.%u.1:9", i / 250, i % 250);
		assert_int_equal(tries(r, address, (i + 1) * S, 11), 10);
	}
	rate_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_may_try_ten_times_and_then_five_a_second),
		cmocka_unit_test(one_address_leaves_room_for_others),
		cmocka_unit_test(a_failure_costs_a_second),
		cmocka_unit_test(a_network_of_ipv6_is_one_address),
		cmocka_unit_test(more_addresses_than_are_remembered_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
