/* Ranges of npm, crates and plain SemVer, and the grammar all schemes share. */
#include "rows.h"

static void npm_ranges(void **state)
{
	CHECK_RANGES(VERSION_NPM, { "^1.2.3", "1.9.0", true }, { "^1.2.3", "2.0.0-0", false }, { "^0.2.3", "0.3.0", false },
		     { "^0.0.3", "0.0.4", false }, { "^0.0", "0.0.9", true }, { "^0", "0.9.9", true }, { "^1.x", "1.0.0", true },
		     { "~1.2.3", "1.2.9", true }, { "~1.2", "1.3.0", false }, { "~1", "1.9.0", true }, { "~>1.2.3", "1.3.0", false },
		     { "~ 1.2", "1.2.5", true }, { "1.2.x", "1.2.0", true }, { "1.x.x", "2.0.0", false }, { "*", "1.0.0", true },
		     { "X", "1.0.0", true }, { "", "1.0.0", true }, { "||", "1.0.0", true }, { "^1 ||", "7.0.0", true },
		     { ">1.2", "1.2.9", false }, { ">1.2", "1.3.0", true }, { ">1.2.3", "1.2.3", false }, { ">1.2.3", "1.2.4", true }, { ">=1.2", "1.2.0", true }, { "<=1.2", "1.2.9", true },
		     { "<=1", "2.0.0", false }, { "<1.2", "1.2.0", false }, { "<1.2", "1.1.9", true }, { "> x", "1.0.0", false },
		     { "<*", "1.0.0", false }, { ">=*", "1.0.0", true }, { "1.2 - 2", "2.9.9", true }, { "1.2 - 2.3", "2.4.0", false },
		     { "1.2.3 - 2.3.4", "1.2.2", false }, { "x - 1.2.3", "0.1.0", true }, { "1.2.3-a - 2", "1.2.3-b", true },
		     { ">=1.2.3 <2 || >=3.1", "2.5.0", false }, { ">=1.2.3, <2", "1.5.0", true }, { "=v1.2.3", "1.2.3", true },
		     { "!=1.2.3", "1.2.3", false }, { "!=1.2", "1.3.0", true }, { "^1.2.3+b", "1.2.3", true },
		     { "<1.2.3 || >2", "1.9.0", false });
}

static void npm_hides_prereleases_but_those_a_range_names(void **state)
{
	CHECK_RANGES(VERSION_NPM, { "*", "1.0.0-a", false }, { ">=1.0.0", "1.1.0-a", false }, { ">=1.1.0-a", "1.1.0-b", true },
		     { ">=1.0.0-a", "1.1.0-b", false }, { ">=1.0.0-a <2", "1.0.0", true }, { "^1.2.3-beta.2", "1.2.3-beta.4", true },
		     { "^1.2.3-beta.2", "1.2.4-beta.4", false }, { "1.2.3-b", "1.2.3-b", true }, { "<1.2.3-b", "1.2.3-a", true },
		     { "<1.2.3", "1.2.3-a", false }, { ">1.2 >=1.3.0-a", "1.3.0-b", false });
	CHECK_RANGES(VERSION_NPM_PRERELEASE, { "*", "1.0.0-a", true }, { ">=1.0.0", "1.1.0-a", true }, { "<1.2.3", "1.2.3-a", true },
		     { "2.x", "2.0.0-a", true }, { "^1.2.3", "1.2.3-a", false }, { "~2", "2.0.0-0", true }, { ">1", "2.0.0-a", true },
		     { "1 - 2", "1.0.0-a", true }, { "1 - 2.0.0", "2.0.0-a", true }, { "1 - 2.0.0", "2.0.1-a", false },
		     { "<=1.2", "1.3.0-0", false });
}

static void npm_says_false_of_what_is_no_version(void **state)
{
	CHECK_RANGES(VERSION_NPM, { ">=2", "glorp", false }, { "*", "", false });
	check_wrong_range(VERSION_NPM, ">=y", "glorp", "range, column 3: ");
	check_wrong_range(VERSION_NPM, "1.x.3", "1.0.0", "range, column 5: ");
	check_wrong_range(VERSION_NPM, "^1.2.3.4", "1.0.0", "range, column 8: ");
	check_wrong_range(VERSION_NPM, "^1.2.3-", "1.0.0", "range, column 8: ");
	check_wrong_range(VERSION_NPM, "^1.2.3-a..b", "1.0.0", "range, column 10: ");
	check_wrong_range(VERSION_NPM, "^1.2.3+a+b", "1.0.0", "range, column 9: ");
	check_wrong_range(VERSION_NPM, "1 - 2y", "1.0.0", "range, column 6: ");
	check_wrong_range(VERSION_NPM, "^99999999999999999999", "1.0.0", "range, column 2: ");
}

static void cargo_requirements(void **state)
{
	CHECK_RANGES(VERSION_CARGO, { "1.0.0", "1.9.0", true }, { "1.0.0", "2.0.0", false }, { "=1.0.0", "1.0.1", false },
		     { "=1.0", "1.0.7", true }, { "0.3.0, 0.4.0", "0.4.0", false }, { "~1.2.3", "1.2.9", true },
		     { "~1.2.3", "1.3.0", false }, { "~1", "1.9.0", true }, { "^0.0.2", "0.0.3", false }, { "^0.0", "0.0.9", true }, { "^0", "0.9.0", true },
		     { "1.2.*", "1.2.9", true }, { "1.2.*", "1.3.0", false }, { "1.*.*", "1.9.0", true }, { "*", "7.0.0", true },
		     { "*", "7.0.0-a", false }, { ">1.2", "1.2.9", false }, { ">=1.2", "1.2.0", true }, { "<1.2", "1.2.0", false },
		     { "<=1.2", "1.2.9", true }, { ">=2.1.0-a", "2.1.0-b", true }, { ">=2.1.0-a", "3.0.0-b", false },
		     { ">1.0.0-a, <1.0.0", "1.0.0-b", true }, { ">1.0.0-a, <1.0", "1.0.0-b", false },
		     { "~1.2.3-b.2", "1.2.3-b.4", true }, { "~1.2.3-b.2", "1.2.4-b.4", false }, { "^1.4.2-b", "1.4.2-a", false },
		     { "=0.1.0+m", "0.1.0+n", true }, { "!=1.0.0", "1.0.0", false });
	check_wrong_range(VERSION_CARGO, ">= >= 0.0.2", "1.0.0", "range, column 4: ");
	check_wrong_range(VERSION_CARGO, "> 0.1.0,", "1.0.0", "range, column 9: ");
	check_wrong_range(VERSION_CARGO, "1.*.1", "1.0.0", "range, column 5: ");
}

static void plain_semver_hides_nothing(void **state)
{
	CHECK_RANGES(VERSION_SEMVER, { "< 1.0.0", "1.0.0-alpha", true }, { "> 0.9, < 1", "1.0.0.alpha", true }, { "2.3.1", "2.3.1+m", true },
		     { "2.3.1", "2.3.2", false }, { "^1.2", "1.9.0", true }, { "~1.2", "1.3.0", false }, { "1.2.*", "1.2.7-a", true },
		     { "*", "1.0.0-a", true }, { "= 1.21-rc2", "1.21rc2", true });
	CHECK_RANGES(VERSION_GO, { ">= 1.21.0-0, < 1.21.1", "go1.21rc2", true }, { "< v1.2.3", "v1.2.3-0.20200101000000-abc", true });
}

static void every_scheme_shares_the_grammar(void **state)
{
	for (int s = 0; s < VERSION_SCHEME_COUNT; s++) {
		static const struct range_row rows[] = {
			{ "", "1.2.3", true },		      { "  ", "1.2.3", true },
			{ "*", "1.2.3", true },		      { "> 1.0.0, <= 2.0.0", "1.2.3", true },
			{ ">1.0.0 <=2.0.0", "2.0.1", false }, { ">1.0.0<=1.0.5 || =3.0.0", "3.0.0", true },
			{ "= 1.2.3", "1.2.3", true },	      { "== 1.2.3", "1.2.4", false },
			{ "!= 1.2.3", "1.2.3", false },	      { "<1.0.0||>=1.2.3||>9", "1.2.3", true },
		};

		check_ranges((enum version_scheme)s, rows, ARRAY_LEN(rows));
		check_wrong_range((enum version_scheme)s, ">", "1.2.3", "range, column 2: ");
		check_wrong_range((enum version_scheme)s, ">1.0.0,,<2", "1.2.3", "range, column 8: ");
		check_wrong_range((enum version_scheme)s, ",>1.0.0", "1.2.3", "range, column 1: ");
		check_wrong_range((enum version_scheme)s, ">=1.0.0 & <2", "1.2.3", "range, column 9: ");
		check_wrong_range((enum version_scheme)s, ">9 || <\x01", "1.2.3", "range, column 8: ");
		if (s != VERSION_PACKAGIST)
			check_wrong_range((enum version_scheme)s, ">1.0.0 | <2", "1.2.3", "range, column 8: ");
		if (s != VERSION_NPM && s != VERSION_NPM_PRERELEASE)
			check_wrong_range((enum version_scheme)s, ">1.0.0 || ", "1.2.3", "range, column 11: ");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(npm_ranges),
		cmocka_unit_test(npm_hides_prereleases_but_those_a_range_names),
		cmocka_unit_test(npm_says_false_of_what_is_no_version),
		cmocka_unit_test(cargo_requirements),
		cmocka_unit_test(plain_semver_hides_nothing),
		cmocka_unit_test(every_scheme_shares_the_grammar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
