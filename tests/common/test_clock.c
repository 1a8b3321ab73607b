/* clock: the real one goes forward, the fake one only when it is turned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/clock.h"

static void the_real_clock_goes_forward(void **state)
{
	const struct clock *c = clock_real();
	uint64_t a = clock_boot_ns(c), b = clock_boot_ns(c);

	assert_true(b >= a);
	assert_true(clock_unix_ns(c) > 1700000000ULL * 1000000000);
	uint64_t ms = clock_unix_ms(c);
	assert_true(clock_unix_ns(c) / 1000000 - ms < 10000);
}

static void the_fake_clock_stands_until_it_is_turned(void **state)
{
	struct clock c = clock_fake(5000000000);
	uint64_t boot = clock_boot_ns(&c);

	assert_int_equal(clock_unix_ns(&c), 5000000000);
	assert_int_equal(clock_unix_ns(&c), 5000000000);
	clock_fake_advance(&c, 1500000);
	assert_int_equal(clock_unix_ns(&c), 5001500000);
	assert_int_equal(clock_boot_ns(&c) - boot, 1500000);
	assert_int_equal(clock_unix_ms(&c), 5001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_real_clock_goes_forward),
		cmocka_unit_test(the_fake_clock_stands_until_it_is_turned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
