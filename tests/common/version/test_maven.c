/* maven: lists within lists, without building one; intervals. The resolver's order beside it. */
#include "rows.h"

static void maven_versions_are_in_mavens_order(void **state)
{
	CHECK_CHAIN(VERSION_MAVEN, "1-alpha-1|1a1|1-ALPHA-1|1.alpha1", "1-alpha-2-SNAPSHOT", "1-alpha-2", "1-beta|1.0-beta|1.beta", "1-milestone-1|1m1",
		    "1-rc-1|1-cr1|1rc1", "1-rc-2", "1-SNAPSHOT|1-snapshot",
		    "1|1.0|1.0.0|1-0|1-ga|1.final|1-RELEASE|1.0-0.0-0|1-|1.0-------|1.", "1-sp", "1-sp-1", "1-a|1.a", "1-abc|1.abc", "1-def", "1-1-snapshot",
		    "1-1", "1-2", "1.0.1", "1.1", "1.2", "1.10", "2-alpha");
	CHECK_CHAIN(VERSION_MAVEN, "5.2.10.RELEASE|5.2.10", "5.2.10.1", "5.3.0.RELEASE");
	CHECK_CHAIN(VERSION_MAVEN, "42.2.12", "42.2.12.jre6", "42.2.12.jre7", "42.2.13.jre7");
	CHECK_CHAIN(VERSION_MAVEN, "7.2.1.v20101111", "7.2.2.v20101205");
	CHECK_CHAIN(VERSION_MAVEN, "0.0.0-2021", "0.0.0-2022|0-2022|-2022|.0-2022");
	CHECK_CHAIN(VERSION_MAVEN, "2.0.1-xyz", "2.0.1-123");
	/* what means nothing is dropped at the end of a list only */
	CHECK_CHAIN(VERSION_MAVEN, "1-0-1|1--1", "1-1", "1.0.1");
	CHECK_CHAIN(VERSION_MAVEN, "1.0.0.0.x|1-x|1.0-x", "1.0.0.0-x.1|1-x.1");
	CHECK_CHAIN(VERSION_MAVEN, "1.99999999999999999999999998", "1.99999999999999999999999999");
}

/* 3.8.7 itself says so: a word is before a list, a list before its release, the release before "sp". */
static void mavens_order_goes_round_in_places(void **state)
{
	CHECK_CHAIN(VERSION_MAVEN, "1.sp.1", "1-alpha");
	CHECK_CHAIN(VERSION_MAVEN, "1-alpha", "1");
	CHECK_CHAIN(VERSION_MAVEN, "1", "1.sp.1");
}

static void maven_has_almost_no_wrong_version(void **state)
{
	CHECK_VALID(VERSION_MAVEN, true, "A", "..1", "-1", "1_2", "1.0.0-M1", "\xc3\xa9");
	check_wrong(VERSION_MAVEN, "", 1);
	check_wrong(VERSION_MAVEN, "1 2", 2);
	check_wrong(VERSION_MAVEN, "1\n", 2);
}

static void intervals(void **state)
{
	CHECK_RANGES(VERSION_MAVEN, { "[1.0,2.0)", "1.0", true }, { "[1.0,2.0)", "2.0", false }, { "[1.0,2.0)", "2.0-rc1", true },
		     { "(1.0,2.0]", "1.0.0", false }, { " ( 1.0 , 2.0 ] ", "2", true }, { "[1.2]", "1.2.0", true },
		     { "[1.2]", "1.2.1", false }, { "(,1.0],[1.2,)", "1.1", false }, { "(,1.0],[1.2,)", "0.1", true },
		     { "(,1.0] [1.2,)", "9", true }, { "[,]", "1", true }, { "(,)", "1", true }, { "[1.2.*]", "1.2-alpha-1", true },
		     { "[1.2.*]", "1.2.99", true }, { "[1.2.*]", "1.3-rc-1", false }, { "[1.2.*]", "1.20", false },
		     { "[1.2.*]", "1", false }, { "[1.0.*]", "1", true }, { "1.0", "1", true }, { "1.0", "1.1", false },
		     { "< 1.2 || [x", "1", true }, { ">= 1.0, != 1.1", "1.1", false });
	CHECK_RANGES(VERSION_NUGET, { "[1.0,2.0)", "1.5.0.3", true }, { "[1.0]", "1.0.0.0", true }, { "1.0", "9.0", true },
		     { "1.0", "0.9", false }, { "1.*", "1.0-a", false }, { "1.*", "2.0", true }, { "*", "0.1-a", true },
		     { "= 1.0", "1.1", false }, { "(,1.0-RC]", "1.0-rc", true });
	check_wrong_range(VERSION_MAVEN, "[1.0", "1", "range, column 5: ");
	check_wrong_range(VERSION_MAVEN, "[1,2,3]", "1", "range, column 5: ");
	check_wrong_range(VERSION_MAVEN, "(1.0)", "1", "range, column 5: ");
	check_wrong_range(VERSION_MAVEN, "[]", "1", "range, column 2: ");
	check_wrong_range(VERSION_MAVEN, "[1,2) x", "1", "range, column 7: ");
	check_wrong_range(VERSION_MAVEN, "[1 0,2)", "1", "range, column 3: ");
}

static void the_resolver_orders_a_little_otherwise(void **state)
{
	CHECK_CHAIN(VERSION_MAVEN_GENERIC, "1.min", "1-alpha-1|1a1|1.a1", "1-beta", "1-milestone", "1-rc|1-cr", "1-SNAPSHOT",
		    "1|1.0|1-0|1-ga|1.final|1.0-0.0|1-------", "1.sp", "1-abc", "1-1|1.1|1_1", "1.1.1", "1.2", "1.10", "1.max");
	CHECK_CHAIN(VERSION_MAVEN_GENERIC, "1-ga-1", "1-0-1");
	CHECK_CHAIN(VERSION_MAVEN_GENERIC, "A|A.ga.ga", "A.ga.x", "A.sp.x");
	CHECK_CHAIN(VERSION_MAVEN_GENERIC, "0.1|.1|-1");
	CHECK_CHAIN(VERSION_MAVEN_GENERIC, "1.99999999999999999999999998", "1.99999999999999999999999999");
	CHECK_RANGES(VERSION_MAVEN_GENERIC, { "[1,2)", "1.max", true });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(maven_versions_are_in_mavens_order),
		cmocka_unit_test(mavens_order_goes_round_in_places),
		cmocka_unit_test(maven_has_almost_no_wrong_version),
		cmocka_unit_test(intervals),
		cmocka_unit_test(the_resolver_orders_a_little_otherwise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
