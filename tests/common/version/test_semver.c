/* SemVer and its family: Go, npm, crates, NuGet. */
#include "rows.h"

static const enum version_scheme family[] = { VERSION_SEMVER, VERSION_GO,    VERSION_NPM,
					      VERSION_CARGO,  VERSION_NUGET, VERSION_NPM_PRERELEASE };

static void the_whole_family_keeps_semvers_order(void **state)
{
	static const char *const chain[] = {
		"0.0.0-0", "0.0.0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0--", "1.0.0-alpha|1.0.0-alpha+b", "1.0.0-alpha.1",
		"1.0.0-alpha.1.0", "1.0.0-alpha.beta", "1.0.0-alpha-1", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
		"1.0.0-rc.1", "1.0.0|v1.0.0|1.0.0+a.b|1.0.0+1-2", "1.0.1", "1.2.0", "1.10.0", "2.0.0-0",
		"2.0.0|v2|2.0|2+x", "99999999999999999999.0.0", "100000000000000000000.0.0",
	};

	for (size_t i = 0; i < ARRAY_LEN(family); i++)
		check_chain(family[i], chain, ARRAY_LEN(chain));
}

static void semver_takes_what_people_write(void **state)
{
	CHECK_CHAIN(VERSION_SEMVER, "1.0.0.alpha|1.0.0-alpha", "1.0.0.alpha1", "1.0.0rc1|1.0.0-rc1|1.0.0.rc1", "1.0|1|1.0.0.0",
		    "1.0.0.1", "1.0.1");
	/* a number with a zero before it is a word */
	CHECK_CHAIN(VERSION_SEMVER, "1.0.0-rc.12", "1.0.0-rc.011");
	CHECK_CHAIN(VERSION_SEMVER, "1.0.0-rc.alpha", "1.0.0-rc-alpha|1.0.0.rc.alpha");
	CHECK_VALID(VERSION_SEMVER, true, "1", "v1.2", "1.2.3-x.7.z.92", "1.2.3+b", "1.2.3-a+b", "01.2");
	check_wrong(VERSION_SEMVER, "", 1);
	check_wrong(VERSION_SEMVER, "alpha", 1);
	check_wrong(VERSION_SEMVER, "v", 2);
	check_wrong(VERSION_SEMVER, ".1", 1);
	check_wrong(VERSION_SEMVER, "1.", 2);
	check_wrong(VERSION_SEMVER, "1..7", 2);
	check_wrong(VERSION_SEMVER, "1.0.0-", 7);
	check_wrong(VERSION_SEMVER, "1.0.0-a..b", 9);
	check_wrong(VERSION_SEMVER, "1.0.0-a_b", 8);
	check_wrong(VERSION_SEMVER, "1.0.0+", 7);
	check_wrong(VERSION_SEMVER, "1.0.0+a+b", 8);
	check_wrong(VERSION_SEMVER, "1.0.0 ", 6);
	check_wrong(VERSION_SEMVER, "=1.0.0", 1);
}

static void go_knows_its_toolchain_and_pseudo_versions(void **state)
{
	CHECK_CHAIN(VERSION_GO, "v0.0.0-20180116102854-5a71ef0e047d", "v0.0.0-20180216102854-000000000000", "v0.0.0-rc.1",
		    "v0.0.0|v0.0.0+incompatible", "v1.2.4-0.20230101000000-abcdefabcdef", "v1.2.4", "v24.0.7+incompatible");
	CHECK_CHAIN(VERSION_GO, "1.21.0-0", "go1.21beta1|1.21.0-beta.1", "go1.21rc2|1.21.0-rc.2", "go1.21rc10|1.21.0-rc.10",
		    "go1.21|go1.21.0|1.21.0", "go1.22.3 X:boringcrypto|go1.22.3|1.22.3");
	CHECK_VALID(VERSION_GO, false, "(devel)", "devel", "go", "", "unknown");
	check_wrong(VERSION_GO, "v1.0.0 x", 7);
}

static void npm_is_strict_about_what_it_calls_a_version(void **state)
{
	CHECK_VALID(VERSION_NPM, true, "1.2.3", "v1.2.3", " 1.2.3 ", "1.2.3-0", "1.2.3-a.b-c+00", "9007199254740991.0.0");
	CHECK_VALID(VERSION_NPM, false, "1", "1.2", "1.2.3.4", "=1.2.3", "01.2.3", "1.2.03", "1.2.3-01", "1.2.3beta",
		    "1.2.3.beta", "9007199254740992.0.0", "latest");
	CHECK_CHAIN(VERSION_NPM, "1.2.3-beta|1.2.3beta", "1.2.3|=1.2.3|=v1.2.3|1.2.03");
}

static void nuget_ignores_case_and_counts_to_two_thousand_million(void **state)
{
	CHECK_CHAIN(VERSION_NUGET, "1.0.0-10", "1.0.0-2147483647", "1.0.0-2147483648", "1.0.0-ALPHA.1|1.0.0-alpha.1", "1.0.0-Beta",
		    "1|1.0|1.0.0|1.0.0.0|01.00", "1.0.0.1-a", "1.0.0.1", "1.0.0.10");
	/* as text: 202401090430 is no number for NuGet */
	CHECK_CHAIN(VERSION_NUGET, "4.2.0-n.2024-02-01-0102", "4.2.0-n.202401090430");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_family_keeps_semvers_order),
		cmocka_unit_test(semver_takes_what_people_write),
		cmocka_unit_test(go_knows_its_toolchain_and_pseudo_versions),
		cmocka_unit_test(npm_is_strict_about_what_it_calls_a_version),
		cmocka_unit_test(nuget_ignores_case_and_counts_to_two_thousand_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
