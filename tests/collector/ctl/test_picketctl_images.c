/* test_picketctl_images.c - picketctl image and vuln, against the real API. */
#include "tests/collector/ctl/typed.h"

#include "tests/collector/served_images.h"

static int start(void **state)
{
	served_prepare(&srv);
	served_images(srv.p.store, srv.p.dir, srv.loop, SERVED_AGENT);
	served_run_api(&srv);
	typed_settings();
	return 0;
}

/* Ages are of today: left out, as are the names made to harm, which have a test of their own. */
static void lists_and_pages_look_as_agreed(void **state)
{
	golden("image-list.table", "$ctl image list -o table | sed -E 's/ [0-9]+[smhd]$/ AGE/'");
	golden("image-show.table", "$ctl image show web:1 -o table | sed -E 's/looked [0-9]+[smhd]/looked AGE/'");
	golden("vuln-list.table", "$ctl vuln list -o table | sed -E 's/ [0-9]+[smhd]  / AGE  /'");
	golden("vuln-show.table", "$ctl vuln show CVE-2026-0003 -o table | grep -v '^first seen'");
	golden("vuln-list.csv", "$ctl vuln list kev:yes -o csv | cut -d, -f1-10");
}

static void nothing_an_image_named_reaches_the_terminal_as_it_is(void **state)
{
	static const char *const lines[] = {
		"$ctl image list -o table", "$ctl image list -o wide",	 "$ctl image list -o csv", "$ctl image list",
		"$ctl image list -o yaml",  "$ctl image show web:1 -o table", "$ctl image show web:1 -o json",
		"$ctl image show web:1 -o yaml", "$ctl image show web:1 -o csv", "$ctl image show web:1 -o wide",
		"$ctl vuln list -o wide", "$ctl vuln list", "$ctl vuln show CVE-2026-0003 -o table",
		"$ctl vuln show CVE-2026-0003 -o wide", "$ctl vuln show CVE-2026-0001 -o table",
		"$ctl vuln show CVE-2026-0003 -o yaml", "$ctl image show aaaaaaaaaaaa -o ndjson",
		"$ctl image show cccccccccccc -o table", "$ctl vuln show CVE-2026-0001 -o wide",
	};

	typed_harmless(lines, ARRAY_LEN(lines));
}

static void exit_codes_and_words_say_what_went_wrong(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl image", 2, "which of list show" },
		{ "$ctl images list", 2, "did you mean image" },
		{ "$ctl vuln accpt", 2, "did you mean accept" },
		{ "$ctl image show", 2, "needs one name" },
		{ "$ctl image show nobody", 5, "no image 'nobody'" },
		{ "$ctl vuln show CVE-1", 5, "no image here has 'CVE-1'" },
		{ "$ctl image list imgae=x", 2, "did you mean \"image\"" },
		{ "$ctl image list running:yes host=host-07 | grep -c id", 0, "1" },
		{ "$ctl image show web:1 -o json | grep -o package_list", 0, "package_list" },
		{ "$ctl image show web:1 -o json --limit 1 | grep -o '\"id\":\"CVE[^\"]*' | head -1", 0, "CVE-2026-0002" },
		{ "$ctl vuln accept CVE-2026-0003", 2, "--reason" },
		{ "$ctl vuln accept CVE-2026-0003 --reason x --until soon", 2, "no time" },
		{ "$ctl vuln accept CVE-2026-0003 --reason 'no way in' --image web --until 2027-01-31 -o table", 0,
		  "CVE-2026-0003 is accepted until 2027-01-31 (1)" },
		{ "$ctl vuln accepted -o table", 0, "no way in" },
		{ "$ctl vuln show CVE-2026-0003 -o table", 0, "accepted      1: by root until 2027-01-31, image web: no way in" },
		{ "$ctl vuln unaccept 1", 0, "acceptance 1 ended" },
		{ "$ctl vuln unaccept 1", 5, "no acceptance 1 is in force" },
		{ "$ctl vuln accepted", 0, "" },
		{ "$ctl vuln accepted --ended -o wide", 0, "root" },
		{ "$ctl audit-log list what=vuln.accept -o table", 0,
		  "CVE-2026-0003 image=web until 2027-01-31 (acceptance 1): no way in" },
		{ "$ctl vuln list -o csv --order asc", 2, "no parameter 'order'" },
		{ "$ctl vuln accept --help", 0, "--reason TEXT" },
	};

	typed_all(cases, ARRAY_LEN(cases));
}

/* What it was when, from the rows that the matcher and the agents' uses made. */
static void which_images_had_a_vulnerability_on_a_day(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl history vulnerability CVE-2026-0003 -o csv", 0, "\"host-07\",\"lodash\",\"4.17.20\",\"4.17.21\"," },
		{ "$ctl history vulnerability vuln=CVE-2026-0003 day=$(date -u +%F) -o table", 0, "host-07" },
		{ "$ctl history vulnerability CVE-2026-0003 day=2020-01-01 -o csv | grep -c host-07; true", 0, "0" },
		{ "$ctl history vulnerability CVE-2026-0003 -o json", 0, "\"package\":\"lodash\"" },
	};

	typed_all(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_and_pages_look_as_agreed),
		cmocka_unit_test(which_images_had_a_vulnerability_on_a_day),
		cmocka_unit_test(nothing_an_image_named_reaches_the_terminal_as_it_is),
		cmocka_unit_test(exit_codes_and_words_say_what_went_wrong),
	};

	return cmocka_run_group_tests(tests, start, typed_stop);
}
