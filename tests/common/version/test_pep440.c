/* pep440: every spelling of a Python version, and pip's specifiers. */
#include "rows.h"

static void python_versions_are_in_pips_order(void **state)
{
	CHECK_CHAIN(VERSION_PEP440, "1.0.dev0|1.dev|1_dev0|1.0.0.DEV", "1.0.dev1", "1.0a0.dev1", "1.0a0|1.0alpha|1.0-alpha0|1.0.a",
		    "1.0a1|1.0ALPHA_1|1-a.1|v1.0a01", "1.0a1.post1.dev2", "1.0a1.post1|1a1-1|1a1r1", "1.0a2", "1.0b1|1.0-beta-1",
		    "1.0rc1|1.0c1|1.0pre1|1.0-preview_1", "1.0|1|1.0.0|v1.0.0|0!1|1.00", "1.0+a|1.0+A", "1.0+a.b|1.0+a-b|1.0+a_B", "1.0+a.1",
		    "1.0+b", "1.0+1|1.0+01", "1.0+1.a", "1.0+2", "1.0+10", "1.0.post0.dev1", "1.0.post0|1.0-0|1.0r|1.0rev", "1.0.post1|1-1",
		    "1.0.post1+l", "1.0.post10", "1.0.1", "1.1", "1.10", "2024.1", "1!0.1", "2!0");
	CHECK_CHAIN(VERSION_PEP440, "1.99999999999999999999999998", "1.99999999999999999999999999");
	CHECK_VALID(VERSION_PEP440, true, " 1.0 ", "1.0a.", "1.0.post-", "1.0a-1", "1.0a--1", "1.0+abc.5");
	check_wrong(VERSION_PEP440, "", 1);
	check_wrong(VERSION_PEP440, "trunk", 1);
	check_wrong(VERSION_PEP440, "1.0-final", 4);
	check_wrong(VERSION_PEP440, "1.0.", 4);
	check_wrong(VERSION_PEP440, "1!", 3);
	check_wrong(VERSION_PEP440, "1.0+", 5);
	check_wrong(VERSION_PEP440, "1.0+a..b", 7);
	check_wrong(VERSION_PEP440, "1.0a1b1", 6);
	check_wrong(VERSION_PEP440, "1.0.dev1.post1", 9);
	check_wrong(VERSION_PEP440, "2013-01-21T20", 8);
	check_wrong(VERSION_PEP440, "1 0", 2);
}

static void specifiers_are_read_as_pip_does(void **state)
{
	CHECK_RANGES(VERSION_PEP440, { "~=1.4", "1.9", true }, { "~=1.4", "2.0", false }, { "~=1.4", "1.4rc1", false },
		     { "~=1.4.5", "1.5", false }, { "~=1.4.5a1", "1.4.6", true }, { "~=2!1.4", "1.5", false },
		     { "~=1.4, !=1.4.2", "1.4.2", false }, { "==1.4.*", "1.4.post1.dev1", true }, { "==1.4.*", "1.40", false },
		     { "==1.4.0.*", "1.4", true }, { "!=1.*", "2!1.0", true }, { "!=1.*", "1.5", false },
		     { "==1.0", "1.0+local", true }, { "==1.0+local", "1.0", false }, { "==1.0+a-1", "1.0+A.1", true },
		     { "===1.0", "1.0.0", false }, { "===1.0A1", "1.0a1", true }, { "<2", "2.0rc1", false },
		     { "<2", "2.0.dev1", false }, { "<2rc1", "2.0b1", true }, { ">2", "2.post1", false },
		     { ">2.post0", "2.post1", true }, { ">2", "2+local", false }, { ">=2", "2+local", true },
		     { "<=2", "2+local", true }, { ">1.0a1", "1.0a2+local", true }, { "<2.0.1", "2.0.0+cgr.1", true },
		     { ">2.0+cgr.2", "2.0+cgr.12", true }, { "1.0", "1.0.0", true }, { "=1.0", "1", true },
		     { "", "1.0a1", true }, { "*", "1.0a1", true }, { ">=1 <2 || ==3.*", "3.1", true });
	check_wrong_range(VERSION_PEP440, "~=1", "1.0", "range, column 3: ");
	check_wrong_range(VERSION_PEP440, ">=1.*", "1.0", "range, column 5: ");
	check_wrong_range(VERSION_PEP440, "==1a1.*", "1.0", "range, column 7: ");
	check_wrong_range(VERSION_PEP440, ">=1, <x", "1.0", "range, column 7: ");
	check_wrong_range(VERSION_PEP440, "~>1.0", "1.0", "range, column 1: ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(python_versions_are_in_pips_order),
		cmocka_unit_test(specifiers_are_read_as_pip_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
