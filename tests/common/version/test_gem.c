/* gem: words make pre-releases, dashes too; "~>". */
#include "rows.h"

static void ruby_versions_are_in_rubygems_order(void **state)
{
	CHECK_CHAIN(VERSION_GEM, "0.a", "0||0.0| ", "1.0.A", "1.0.a.1|1.a1|1.0.0.a.1.0", "1.0.a.2", "1.0.a.10", "1.0.b1",
		    "1.0-rc1", "1.0-1|1.0.pre.1", "1.0.rc1", "1|1.0|1.0.0", "1.0.1-x86-linux", "1.0.1", "1.1.a", "1.1", "1.10");
	CHECK_CHAIN(VERSION_GEM, "1.2.b1|1.2.b.1");
	CHECK_CHAIN(VERSION_GEM, "99999999999999999999999999998.0", "99999999999999999999999999999.0");
	CHECK_VALID(VERSION_GEM, true, "", "1", "1.2.3.rc1", "1-a--b", "1-x86-linux", "1-a-", " 1.0\n");
}

static void what_rubygems_calls_malformed_is_refused(void **state)
{
	check_wrong(VERSION_GEM, "a", 1);
	check_wrong(VERSION_GEM, "1beta", 2);
	check_wrong(VERSION_GEM, "1..2", 3);
	check_wrong(VERSION_GEM, "1.", 3);
	check_wrong(VERSION_GEM, "1-", 3);
	check_wrong(VERSION_GEM, "1-.a", 3);
	check_wrong(VERSION_GEM, "1-x86_64", 6);
	check_wrong(VERSION_GEM, "1 2", 2);
	check_wrong(VERSION_GEM, ".1", 1);
}

static void ruby_requirements(void **state)
{
	CHECK_RANGES(VERSION_GEM, { "~> 2.1", "2.9", true }, { "~> 2.1", "3.0.a", false }, { "~> 2.1", "3", false },
		     { "~> 2.1.0", "2.1.9", true }, { "~> 2.1.0", "2.2", false }, { "~> 2", "2.9", true }, { "~> 2", "3", false },
		     { "~> 2.1.a", "2.1", true }, { "~> 2.1.a", "2.0.9", false }, { "~> 2.0.a", "2.9", true },
		     { "~> 2.1", "2.1.rc1", false }, { ">= 1.2, != 1.3, < 2", "1.3.0", false }, { "> 0", "3.0.rc2", true },
		     { "< 0.1", "", true }, { "1.0", "1.0.0.0", true }, { "= 1.0", "1", true }, { "< 1.2.1", "1.2.1-x86", true },
		     { "> 1.1 < 1.3 || == 4", "4", true });
	check_wrong_range(VERSION_GEM, "~> ", "1", "range, column 4: ");
	check_wrong_range(VERSION_GEM, "~> 1.2.x_", "1", "range, column 9: ");
	check_wrong_range(VERSION_GEM, "^1", "1", "range, column 1: ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ruby_versions_are_in_rubygems_order),
		cmocka_unit_test(what_rubygems_calls_malformed_is_refused),
		cmocka_unit_test(ruby_requirements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
