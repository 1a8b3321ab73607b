/* packagist: Composer's versions and constraints. */
#include "rows.h"

static void php_versions_are_in_composers_order(void **state)
{
	CHECK_CHAIN(VERSION_PACKAGIST, "dev-main|dev-feature", "1.0-dev", "1.0-alpha|1.0a|1.0.0.0-ALPHA", "1.0-alpha1|1.0a1|v1.0.0-alpha.1",
		    "1.0-alpha2", "1.0-beta|1.0b", "1.0-beta.2", "1.0-beta.10", "1.0-RC1|1.0rc1|1.0-rc.1",
		    "1.0|1|1.0.0.0|V1.0|1.0+build|1.0-stable|1.0.0+2024", "1.0-p1|1.0pl1|1.0-patch1", "1.0-p2", "1.0.0.1", "1.0.1", "1.0.x-dev", "1.1", "1.2",
		    "1.10", "1.x-dev", "2.0-dev", "20240101", "99999999999999999999999999998", "99999999999999999999999999999");
	CHECK_VALID(VERSION_PACKAGIST, true, "1.0", "v1", "dev-main", "1.0.x-dev", "foo");
	check_wrong(VERSION_PACKAGIST, "", 1);
	check_wrong(VERSION_PACKAGIST, "1.0 x", 4);
	check_wrong(VERSION_PACKAGIST, "..", 1);
	check_wrong(VERSION_PACKAGIST, "+1", 1);
}

static void constraints_are_read_as_composer_does(void **state)
{
	CHECK_RANGES(VERSION_PACKAGIST, { "^1.2.3", "1.9", true }, { "^1.2.3", "2.0-dev", false }, { "^1.2.3", "1.2.3-alpha", true },
		     { "^1.2.3-beta", "1.2.3-alpha", false }, { "^0.3", "0.4", false }, { "^0.3", "0.3.9", true },
		     { "^0.0.3", "0.0.4", false }, { "^0", "0.9", true }, { "^0.0", "0.0.9", true }, { "^0.0", "0.1", false },
		     { "~1.2", "1.9", true }, { "~1.2", "2.0-alpha", false }, { "~1.2.3", "1.3", false }, { "~1", "1.9", true },
		     { "1.2.*", "1.2.9", true }, { "1.2.*", "1.3-dev", false }, { "1.2.x", "1.2", true }, { "!=1.2.*", "1.2.1", false },
		     { "!=1.2.*", "1.3", true }, { ">=1.0 <1.1 || >=1.2", "1.3", true }, { ">=1.0,<1.1|^3", "3.1", true },
		     { ">=1.0,<1.1", "1.1-beta", false }, { ">1.0", "1.0-p1", true }, { "<=1.0", "1.0-RC1", true },
		     { "1.0 - 2.0", "2.0.9", true }, { "1.0 - 2.0", "2.1-dev", false }, { "1.0 - 2.0.0", "2.0.1", false },
		     { "1.0 - 2.0.0", "1.0-dev", true }, { "1.0", "1.0.0", true }, { "=1.0@dev", "1.0", true },
		     { "dev-main", "dev-main", true }, { "dev-main", "dev-other", false }, { "!= dev-main", "1.0", true },
		     { "*", "dev-main", true }, { "<> 1.0", "1.0.0", false });
	check_wrong_range(VERSION_PACKAGIST, "^x.1", "1.0", "range, column 3: ");
	check_wrong_range(VERSION_PACKAGIST, "1.0 - ", "1.0", "range, column 7: ");
	check_wrong_range(VERSION_PACKAGIST, "1.0 - y", "1.0", "range, column 7: ");
	check_wrong_range(VERSION_PACKAGIST, "~1.99999999999999999999", "1.0", "range, column 4: ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(php_versions_are_in_composers_order),
		cmocka_unit_test(constraints_are_read_as_composer_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
