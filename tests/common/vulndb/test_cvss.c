/* cvss: scores as the standards' own calculators give them; a hostile vector is an error, never a score. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/vulndb/cvss.h"

static void scores_are_those_of_the_standards_calculators(void **state)
{
	static const struct {
		const char *vector;
		double score;
	} rows[] = {
		{ "AV:L/AC:H/Au:M/C:N/I:N/A:N", 0.0 },
		{ "AV:L/AC:H/Au:M/C:N/I:N/A:P", 0.8 },
		{ "AV:A/AC:M/Au:M/C:P/I:N/A:N", 1.9 },
		{ "(AV:N/AC:M/Au:N/C:N/I:P/A:N)", 4.3 },
		{ "CVSS:2.0/AV:L/AC:L/Au:N/C:C/I:C/A:C", 7.2 },
		{ "AV:L/AC:M/Au:S/C:C/I:C/A:P/E:POC/RL:OF/RC:C", 6.2 },
		{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8 },
		{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:L/A:L", 9.9 },
		{ "CVSS:3.1/AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N", 5.4 },
		{ "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:C/C:N/I:N/A:N", 0.0 },
		{ "CVSS:3.1/A:H/I:L/C:H/S:U/UI:N/PR:H/AC:L/AV:N", 6.7 },
		{ "CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:N/I:N/A:H/E:U/RL:O/RC:C/MAV:P", 4.4 },
		{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:H/VA:L/SC:N/SI:H/SA:L", 9.2 },
		{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:L/VA:L/SC:H/SI:N/SA:L", 7.8 },
		{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:L/VI:L/VA:N/SC:N/SI:L/SA:L", 5.1 },
		{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:A/VC:N/VI:H/VA:H/SC:N/SI:N/SA:L", 6.9 },
		{ "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:N/VI:H/VA:N/SC:L/SI:N/SA:N", 8.2 },
		{ "CVSS:4.0/AV:N/AC:L/AT:P/PR:L/UI:N/VC:N/VI:N/VA:N/SC:N/SI:L/SA:N", 2.3 },
		{ "CVSS:4.0/AV:N/AC:L/AT:P/PR:H/UI:A/VC:N/VI:L/VA:N/SC:N/SI:L/SA:N", 1.8 },
		{ "CVSS:4.0/AV:N/AC:H/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:L/SA:N", 9.5 },
		{ "CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:A", 7.3 },
		{ "CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:P", 5.9 },
		{ "CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:U", 4.1 },
		{ "CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/CR:M/IR:M/AR:M", 5.5 },
		{ "CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/CR:L/IR:L/AR:L/U:Amber", 5.4 },
		{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum vuln_severity s;
		double got = -1;

		assert_int_equal(cvss_score(slice_of(rows[i].vector), &got, &s, NULL), 0);
		if (fabs(got - rows[i].score) > 0.001)
			fail_msg("%s: %.2f, not %.2f", rows[i].vector, got, rows[i].score);
	}
}

static void severity_follows_the_score_of_its_version(void **state)
{
	static const struct {
		const char *vector;
		enum vuln_severity severity;
	} rows[] = {
		{ "AV:N/AC:L/Au:N/C:C/I:C/A:C", VULN_HIGH }, /* 10.0: v2 has no critical */
		{ "AV:L/AC:H/Au:M/C:N/I:N/A:P", VULN_LOW },
		{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", VULN_CRITICAL },
		{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", VULN_HIGH },
		{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", VULN_MEDIUM },
		{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", VULN_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum vuln_severity s;
		double score;

		assert_int_equal(cvss_score(slice_of(rows[i].vector), &score, &s, NULL), 0);
		assert_int_equal(s, rows[i].severity);
	}
	assert_int_equal(cvss_version(SLICE_LIT("AV:N/…")), 2);
	assert_int_equal(cvss_version(SLICE_LIT("CVSS:4.0/")), 4);
	assert_int_equal(cvss_version(SLICE_LIT("7.5")), 0);
}

static void what_is_no_vector_is_an_error(void **state)
{
	static const char *const rows[] = {
		"", "7.5", "CVSS:", "CVSS:3.1/", "CVSS:5.0/AV:N", "CVSS:3.1", "CVSS:3.1//",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",		     /* one is missing */
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/",	     /* an empty one */
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/A:H",	     /* one twice */
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:X",		     /* a value it has not */
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/ZZ:Q",	     /* an unknown one */
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:",		     /* no value */
		"CVSS:3.1/AV:N AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:S/SA:N", /* S only in MSI */
		"AV:N/AC:L/Au:N/C:C/I:C", "(AV:N/AC:L/Au:N/C:C/I:C/A:C",
	};
	struct err err;
	double score = 42;
	enum vuln_severity s = VULN_UNKNOWN;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (cvss_score(slice_of(rows[i]), &score, &s, &err) != -ERR_SYNTAX)
			fail_msg("'%s' has a score", rows[i]);
	assert_true(score == 42); /* outputs only on success */
	assert_int_equal(s, VULN_UNKNOWN);
	assert_non_null(strstr(err.msg, "CVSS"));
}

static void a_very_long_vector_is_not_read(void **state)
{
	char text[4096];
	enum vuln_severity s;
	double score;

	memset(text, '/', sizeof(text));
	memcpy(text, "CVSS:3.1/", 9);
	assert_int_equal(cvss_score(slice_from(text, sizeof(text)), &score, &s, NULL), -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_are_those_of_the_standards_calculators),
		cmocka_unit_test(severity_follows_the_score_of_its_version),
		cmocka_unit_test(what_is_no_vector_is_an_error),
		cmocka_unit_test(a_very_long_vector_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
