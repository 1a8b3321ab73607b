/* test_engine_version.c - what is open in an engine. */
#include "authz_test.h"

static void holes_are_told_by_version(void **state)
{
	static const struct {
		const char *version, *open;
	} rows[] = {
		{ "20.10.24+dfsg1", "CVE-2024-41110 CVE-2026-34040" }, { "23.0.14", "CVE-2024-41110 CVE-2026-34040" },
		{ "23.0.15", "CVE-2026-34040" }, { "24.0.9", "CVE-2024-41110 CVE-2026-34040" }, { "25.0.6", "CVE-2026-34040" },
		{ "26.1.4", "CVE-2024-41110 CVE-2026-34040" }, { "27.1.1", "CVE-2026-34040" }, { "27.1.0", "CVE-2024-41110 CVE-2026-34040" },
		{ "28.0.0", "CVE-2026-34040" }, { "29.3.0", "CVE-2026-34040" }, { "29.3.1", "" }, { "30.0", "" }, { "29.4.0-rc.1", "" },
	};
	static const char *const bad[] = { "", "x", ".1", "dev" };
	char open[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(authz_engine_holes(slice_of(rows[i].version), open, sizeof(open)));
		if (strcmp(open, rows[i].open) != 0)
			fail_msg("%s: '%s'", rows[i].version, open);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(authz_engine_holes(slice_of(bad[i]), open, sizeof(open)));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(holes_are_told_by_version) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
