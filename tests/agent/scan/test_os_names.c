/* os_names: the names of distributions, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/scan/os_names.h"

static void names_go_there_and_back(void **state)
{
	static const struct {
		const char *id, *family;
	} rows[] = {
		{ "debian", "debian" }, { "rhel", "redhat" },	 { "amzn", "amazon" },		 { "ol", "oracle" },
		{ "sles", "sles" },	{ "alpine", "alpine" }, { "almalinux", "alma" },	 { "mariner", "cbl-mariner" },
		{ "", "" },		{ "rocky", "rocky" },	 { "opensuse-leap", "opensuse-leap" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(slice_is(os_names_family(slice_of(rows[i].id)), rows[i].family));
		assert_true(slice_is(os_names_id(slice_of(rows[i].family)), rows[i].id));
	}
	assert_true(slice_is(os_names_id(SLICE_LIT("Debian GNU/Linux")), "debian"));
	assert_true(slice_is(os_names_id(SLICE_LIT("opensuse.leap")), "opensuse-leap"));
}

static void versions_are_those_that_advisories_know(void **state)
{
	assert_true(slice_is(os_names_version(SLICE_LIT("debian"), SLICE_LIT("12.5")), "12"));
	assert_true(slice_is(os_names_version(SLICE_LIT("debian"), SLICE_LIT("12")), "12"));
	assert_true(slice_is(os_names_version(SLICE_LIT("alpine"), SLICE_LIT("3.18.4")), "3.18.4"));
	assert_true(slice_is(os_names_codename(SLICE_LIT("debian"), SLICE_LIT("12")), "bookworm"));
	assert_true(slice_is(os_names_codename(SLICE_LIT("ubuntu"), SLICE_LIT("24.04")), "noble"));
	assert_int_equal(os_names_codename(SLICE_LIT("alpine"), SLICE_LIT("12")).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_there_and_back),
		cmocka_unit_test(versions_are_those_that_advisories_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
