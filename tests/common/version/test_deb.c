/* deb: epochs, tildes, revisions, and what dpkg refuses or warns of. */
#include "rows.h"

static void debian_versions_are_in_dpkgs_order(void **state)
{
	CHECK_CHAIN(VERSION_DEB, "0~~", "0~~a", "0~|0~0", "0|0-0|0:0|00", "0.0~rc1-1", "0.0", "0.0-1~bpo12+1", "0.0-1",
		    "0.0-1ubuntu1", "0.0-1+b1", "0.0-1+deb12u1", "0.0-1.1");
	CHECK_CHAIN(VERSION_DEB, "1.0~beta1~svn1245", "1.0~beta1", "1.0", "1.0a", "1.0aa", "1.0b", "1.0+", "1.0.", "1.0.1",
		    "1.0.9|1.0.09", "1.0.10");
	CHECK_CHAIN(VERSION_DEB, "9.9", "1:0.1~", "1:0.1|01:0.1|1:0.1-0", "1:0.2", "2:0.1", "10:0.0", "2147483647:0");
	CHECK_CHAIN(VERSION_DEB, "2.6.32-48squeeze13", "2.6.32-48squeeze14", "5.10.0-8", "5.10.0-9", "5.10.0-10");
	/* the last dash divides: 1.2 with revision 3 is before 1.2-a with revision 3 */
	CHECK_CHAIN(VERSION_DEB, "1.2-3", "1.2-3-1", "1.2-a-3");
	CHECK_CHAIN(VERSION_DEB, "1.99999999999999999999999998", "1.99999999999999999999999999",
		    "1.100000000000000000000000000");
}

static void what_policy_forbids_is_no_version_but_has_an_order(void **state)
{
	CHECK_VALID(VERSION_DEB, true, "0", "1:1.0-1", "1.0-1~deb12u1", "0:1.2:3-1", "1.0-a.b+c~d", " 1.0 ");
	CHECK_VALID(VERSION_DEB, false, "", "a1", "1.0_2", "1.0-1_2", "6.0-4.el6.x86_64", "2147483648:1", "1:1-1:1",
		    "1.0-\xc3\xa9");
	CHECK_CHAIN(VERSION_DEB, "a1", "a2");
	CHECK_CHAIN(VERSION_DEB, "6.0-4.el6.x86_64", "6.0-5.el6.x86_64", "6.1-3.el6.x86_64");
}

static void what_has_no_order_is_refused_with_its_column(void **state)
{
	check_wrong(VERSION_DEB, "", 1);
	check_wrong(VERSION_DEB, "   ", 1);
	check_wrong(VERSION_DEB, "1.0 1", 4);
	check_wrong(VERSION_DEB, " 1.0\x01", 5);
	check_wrong(VERSION_DEB, ":1.0", 1);
	check_wrong(VERSION_DEB, "a:1.0", 1);
	check_wrong(VERSION_DEB, "1:", 3);
	check_wrong(VERSION_DEB, "1:-1", 3);
	check_wrong(VERSION_DEB, "-1", 1);
	check_wrong(VERSION_DEB, "1.0-", 4);
}

static void debian_ranges(void **state)
{
	CHECK_RANGES(VERSION_DEB, { "", "1.0", true }, { "*", "1.0", true }, { "<< 1.0", "1.0~rc1", true },
		     { "<< 1.0", "1.0", false }, { ">> 1.0-1", "1.0-2", true }, { ">> 1.0-1", "1.0-1", false },
		     { "<= 1:0", "9", true }, { ">= 1.0, << 2.0~", "2.0~beta", false },
		     { ">=1.0 <<2.0~ || = 3", "3-0", true }, { "!= 1.0", "1.0-0", false }, { "1.0", "1.0-0", true },
		     { "< 1:2.3-4 || > 2:0", "1:2.3-4", false });
	check_wrong_range(VERSION_DEB, "< 1:", "1", "range, column 5: ");
	check_wrong_range(VERSION_DEB, "^1", "1:1-", "version, column 4: ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(debian_versions_are_in_dpkgs_order),
		cmocka_unit_test(what_policy_forbids_is_no_version_but_has_an_order),
		cmocka_unit_test(what_has_no_order_is_refused_with_its_column),
		cmocka_unit_test(debian_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
