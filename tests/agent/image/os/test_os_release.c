/* os-release: as distributions write it, and as nobody does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/image/pkg.h"

static void distributions_are_told_apart(void **state)
{
	static const struct {
		const char *text, *id, *version, *codename, *like, *pretty;
	} cases[] = {
		{ "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n"
		  "VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n",
		  "debian", "12", "bookworm", "", "Debian GNU/Linux 12 (bookworm)" },
		{ "PRETTY_NAME=\"Debian GNU/Linux 8 (jessie)\"\nVERSION_ID=\"8\"\nVERSION=\"8 (jessie)\"\nID=debian\n",
		  "debian", "8", "jessie", "", "Debian GNU/Linux 8 (jessie)" },
		{ "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.18.4\nPRETTY_NAME=\"Alpine Linux v3.18\"\n", "alpine",
		  "3.18.4", "", "", "Alpine Linux v3.18" },
		{ "NAME=\"Ubuntu\"\nVERSION=\"14.04.6 LTS (Trusty Tahr)\"\nID=ubuntu\nID_LIKE=debian\n"
		  "VERSION_ID='14.04'\nUBUNTU_CODENAME=trusty\n",
		  "ubuntu", "14.04", "trusty", "debian", "" },
		{ "ID=linuxmint\nVERSION_ID=21\nUBUNTU_CODENAME=jammy\nVERSION_CODENAME=vera\nID_LIKE=\"ubuntu debian\"\n",
		  "linuxmint", "21", "vera", "ubuntu debian", "" },
		{ "NAME=\"Red Hat Enterprise Linux\"\r\nVERSION=\"9.2 (Plow)\"\r\nID=\"rhel\"\r\nID_LIKE=\"fedora\"\r\n"
		  "VERSION_ID=\"9.2\"\r\n",
		  "rhel", "9.2", "", "fedora", "" },
		{ "# ID=wrong\n ID = void\nVERSION_ID\nVERSION_ID=\"1\x01\"\n=x\nPRETTY_NAME=\"", "void", "", "", "",
		  "\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pkg_os_release o;

		assert_int_equal(pkg_os_release_parse(slice_of(cases[i].text), &o, NULL), 0);
		assert_true(slice_is(o.id, cases[i].id));
		assert_true(slice_is(o.version_id, cases[i].version));
		assert_true(slice_is(o.codename, cases[i].codename));
		assert_true(slice_is(o.id_like, cases[i].like));
		assert_true(slice_is(o.pretty_name, cases[i].pretty));
	}
}

static void what_has_no_id_is_none(void **state)
{
	struct pkg_os_release o = { .id = SLICE_LIT("kept") };
	struct err err;

	(void)state;
	assert_int_equal(pkg_os_release_parse(SLICE_NONE, &o, &err), -ERR_SYNTAX);
	assert_int_equal(pkg_os_release_parse(SLICE_LIT("\0\xff\n(=)\nVERSION=)(\n"), &o, &err), -ERR_SYNTAX);
	assert_true(slice_is(o.id, "kept"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distributions_are_told_apart),
		cmocka_unit_test(what_has_no_id_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
