/* rpm: epoch, version and release; tilde and caret; what a person's range forgives. */
#include "rows.h"

static void rpm_versions_are_in_rpms_order(void **state)
{
	CHECK_CHAIN(VERSION_RPM, "~", "1.0~~", "1.0~rc1~git1", "1.0~rc1", "1.0~rc1^git1", "1.0", "1.0^", "1.0^git1~", "1.0^git1",
		    "1.0^git2", "1.0^20240101", "1.0a|1.0.a", "1.0.0", "1.0.1|1.0.01|1_0_1|1.0..1|1.0.1.", "1.0.10");
	CHECK_CHAIN(VERSION_RPM, "a", "aa", "b", "0", "1");
	CHECK_CHAIN(VERSION_RPM, "xyz.4", "8", "10", "100");
	CHECK_CHAIN(VERSION_RPM, "5.5p1", "5.5p2", "5.5p10", "5.6p1");
	CHECK_CHAIN(VERSION_RPM, "10xyz", "10.1xyz");
	CHECK_CHAIN(VERSION_RPM, "xyz10", "xyz10.1");
	CHECK_CHAIN(VERSION_RPM, "1.1.\xce\xb1|1.1.\xce\xb2|1.1");
	CHECK_CHAIN(VERSION_RPM, "20101121", "20101122", "99999999999999999999999999998", "99999999999999999999999999999");
}

static void epoch_before_version_before_release(void **state)
{
	CHECK_CHAIN(VERSION_RPM, "9.9-9|0:9.9-9|:9.9-9", "1:0.1", "1:0.1-1.el8", "1:0.1-1.el8_4", "1:0.1-1.el8_10", "1:0.1-1.el9",
		    "1:0.1-2", "1:0.2-1", "2:0.1-1", "10:0.0-1");
	/* no release is before any, whatever it is; the last dash divides */
	CHECK_CHAIN(VERSION_RPM, "1.2", "1.2-~", "1.2-0");
	CHECK_CHAIN(VERSION_RPM, "1-2-3-4", "1.2.3.4");
	CHECK_VALID(VERSION_RPM, true, "1.0-1", "a:1", "0+-n:1", "\xce\xb1", "1.0-");
	check_wrong(VERSION_RPM, "", 1);
	check_wrong(VERSION_RPM, "1:", 3);
	check_wrong(VERSION_RPM, "-1.el8", 1);
	check_wrong(VERSION_RPM, "1.0 1", 4);
	check_wrong(VERSION_RPM, "1.0\x7f", 4);
}

static void a_range_forgives_an_epoch_left_out_and_zeros_at_the_end(void **state)
{
	CHECK_RANGES(VERSION_RPM, { "< 1.2-3", "1.2-2.el8", true }, { "< 1:1.2", "1.1", true }, { "< 1:1.2", "1.3", false },
		     { "< 1.2", "7:1.1", true }, { "< 1:1.2", "2:1.1", false }, { "< 2:1.1", "1:1.2", true },
		     { "= 1.2", "1:1.2", true }, { "<= 1.2-5.el8.0.0", "1.2-5.el8", true },
		     { "< 1.2-5.el8.0.0", "1.2-5.el8", false }, { "> 1.2-5.el8", "1.2-5.el8.1", true },
		     { ">= 1.0~rc1 < 1.0", "1.0~rc2", true });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rpm_versions_are_in_rpms_order),
		cmocka_unit_test(epoch_before_version_before_release),
		cmocka_unit_test(a_range_forgives_an_epoch_left_out_and_zeros_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
