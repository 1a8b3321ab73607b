/* apk: numbers, a letter, suffixes before and after the release, a hash, a revision. */
#include "rows.h"

static void alpine_versions_are_in_apks_order(void **state)
{
	CHECK_CHAIN(VERSION_APK, "1.0_alpha", "1.0_alpha1|1.0_alpha01", "1.0_alpha2", "1.0_alpha10", "1.0_beta", "1.0_pre1_rc2",
		    "1.0_pre1", "1.0_rc1-r0", "1.0_rc1_p1", "1.0", "1.0-r0|1.0-r00", "1.0-r1", "1.0-r10", "1.0~0a", "1.0~0b",
		    "1.0_cvs", "1.0_svn", "1.0_git20240101", "1.0_git20240101_p1", "1.0_hg", "1.0_p1_alpha", "1.0_p1",
		    "1.0_p1-r1", "1.0_p2", "1.0a", "1.0a-r1", "1.0b", "1.0.0", "1.0.0a", "1.0.1", "1.1");
	CHECK_CHAIN(VERSION_APK, "0.9", "1|01", "2", "10");
	/* behind the first number a zero makes a decimal fraction */
	CHECK_CHAIN(VERSION_APK, "1.0", "1.01", "1.015", "1.02", "1.1", "1.2", "1.15");
	CHECK_CHAIN(VERSION_APK, "9.99999999999999999999998", "9.99999999999999999999999");
}

static void what_apk_calls_no_version_ends_where_it_goes_wrong(void **state)
{
	CHECK_VALID(VERSION_APK, true, "1", "1.2.3", "1.2b", "1.2_alpha1_p2", "1.2~0123456789abcdef-r3", "1_p~a-r0", "01");
	CHECK_VALID(VERSION_APK, false, "", ".1", "a", "1..2", "1.", "1.2bc", "1.2B", "1_foo", "1_", "1_1", "1_alpha1a", "1~",
		    "1~xyz", "1~AB", "1-r", "1-1", "1-ra", "1-r1_p1", "1-r1-r2", "1 ", "6.6.2p1");
	CHECK_CHAIN(VERSION_APK, "6.6.2_p1", "6.6.2p1|6.6.2px|6.6.2p1-r0", "6.6.3p1");
	CHECK_CHAIN(VERSION_APK, "1_alpha", "1_foo|1=bar|1--x", "1", "1-r0");
	check_wrong(VERSION_APK, "1.0 1", 4);
}

static void alpine_ranges_know_the_tilde(void **state)
{
	CHECK_RANGES(VERSION_APK, { "~3.18", "3.18.4-r0", true }, { "~3.18", "3.180", false }, { "=~3.18", "3.18", true },
		     { "~3.18.4", "3.18", false }, { ">~3.6", "3.6_rc1", true }, { ">~3.6", "3.5", false },
		     { "<~3.6", "3.6.9", true }, { "<~3.6", "3.7", false }, { "<=~3.6", "3.6.1", true },
		     { ">=~3.6", "3.6", true }, { "< 1.2-r3 >= 1.2_rc1", "1.2-r2", true }, { "!=1.0-r0", "1.0", true });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(alpine_versions_are_in_apks_order),
		cmocka_unit_test(what_apk_calls_no_version_ends_where_it_goes_wrong),
		cmocka_unit_test(alpine_ranges_know_the_tilde),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
