/* ecosystem: whose names and releases are the same, however OSV, the tracker and os-release write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/vulndb/ecosystem.h"

static void an_osv_name_has_one_space(void **state)
{
	static const struct {
		const char *osv, *space;
	} rows[] = {
		{ "npm", "npm" },
		{ "crates.io", "crates.io" },
		{ "Maven:https://repo.example.org/", "maven" },
		{ "Debian:12", "debian:12" },
		{ "Debian:bookworm", "debian:12" },
		{ "Debian:forky", "debian:14" },
		{ "Debian:zurg", "debian:zurg" },
		{ "Debian", "debian" },
		{ "Ubuntu:22.04:LTS", "ubuntu:22.04" },
		{ "Ubuntu:23.10", "ubuntu:23.10" },
		{ "Ubuntu:Pro:18.04:LTS", "ubuntu:pro:18.04" },
		{ "Ubuntu:Pro:FIPS:20.04:LTS", "ubuntu:pro:fips:20.04" },
		{ "Alpine:v3.18", "alpine:3.18" },
		{ "Alpine:edge", "alpine:edge" },
		{ "AlmaLinux:9", "almalinux:9" },
		{ "Rocky Linux:8", "rocky linux:8" },
		{ "Red Hat:enterprise_linux:9::appstream", "red hat:9" },
		{ "Red Hat:rhel_aus:8.6::appstream", "red hat:8.6" },
		{ "Red Hat:rhel_eus:9.2::baseos", "red hat:9.2" },
		{ "Red Hat:openshift:4.12::el8", "red hat:openshift:4.12::el8" },
		{ "openSUSE:Leap 15.5", "opensuse:leap 15.5" },
		{ "openSUSE:Tumbleweed", "opensuse:tumbleweed" },
		{ "SUSE:Linux Enterprise Server 15 SP5", "suse:15.5" },
		{ "SUSE:Linux Enterprise Module for Basesystem 15 SP5", "suse:15.5" },
		{ "SUSE:Linux Enterprise Server 12 SP5-LTSS", "suse:12.5" },
		{ "SUSE:Linux Enterprise Micro 5.4", "suse:micro 5.4" },
		{ "SUSE:Manager Server 4.3", "suse:manager server 4.3" },
		{ "Wolfi", "wolfi" },
		{ "Azure Linux:3", "azure linux:3" },
		{ "Never Heard Of:1", "never heard of:1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[SPACE_MAX];
		struct slice osv = slice_of(rows[i].osv);

		if (!slice_is(ecosystem_space(ecosystem_of_osv(osv), osv, text), rows[i].space))
			fail_msg("%s: '%s', not '%s'", rows[i].osv, text, rows[i].space);
	}
}

static void a_host_asks_its_releases_spaces(void **state)
{
	static const struct {
		const char *purl, *id, *version, *codename, *like, *spaces;
	} rows[] = {
		{ "deb", "debian", "12", "bookworm", "", "debian:12 debian " },
		{ "deb", "debian", "", "trixie", "", "debian:13 debian " }, /* testing has no VERSION_ID */
		{ "deb", "debian", "19", "zurg", "", "debian:zurg debian:19 debian " },
		{ "deb", "raspbian", "11", "bullseye", "debian", "debian:11 debian " },
		{ "deb", "kali", "2024.1", "kali-rolling", "debian", "" },
		{ "deb", "somebian", "5", "bookworm", "ubuntu debian", "debian:12 debian " },
		{ "deb", "ubuntu", "22.04", "jammy", "debian", "ubuntu:22.04 ubuntu:pro:22.04 ubuntu " },
		{ "apk", "alpine", "3.18.4", "", "", "alpine:3.18 alpine " },
		{ "apk", "alpine", "3.19_alpha20231219", "", "", "alpine:edge alpine " },
		{ "apk", "wolfi", "20230201", "", "", "wolfi " },
		{ "rpm", "almalinux", "9.2", "", "rhel centos fedora", "almalinux:9 almalinux " },
		{ "rpm", "rocky", "8.8", "", "rhel", "rocky linux:8 rocky linux " },
		{ "rpm", "rhel", "9.2", "", "fedora", "red hat:9.2 red hat:9 red hat " },
		{ "rpm", "centos", "8", "", "rhel fedora", "red hat:8 red hat " },
		{ "rpm", "ol", "8.8", "", "fedora", "" }, /* Oracle builds its own */
		{ "rpm", "amzn", "2", "", "centos rhel fedora", "" },
		{ "rpm", "opensuse-leap", "15.5", "", "suse opensuse", "opensuse:leap 15.5 opensuse " },
		{ "rpm", "opensuse-tumbleweed", "20240101", "", "", "opensuse:tumbleweed opensuse " },
		{ "rpm", "sles", "15.5", "", "suse", "suse:15.5 suse " },
		{ "rpm", "debian", "12", "bookworm", "", "" },
		{ "deb", "", "", "", "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vulndb_os os = { slice_of(rows[i].id), slice_of(rows[i].version), slice_of(rows[i].codename),
					slice_of(rows[i].like) };
		const struct ecosystem *e = ecosystem_of_os(&os, slice_of(rows[i].purl));
		struct ecosystem_spaces s = { 0 };
		char text[512] = "";

		if (e)
			ecosystem_spaces_of_os(e, &os, &s);
		for (size_t k = 0; k < s.count; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", s.name[k]);
		if (strcmp(text, rows[i].spaces))
			fail_msg("%s %s: '%s', not '%s'", rows[i].id, rows[i].version, text, rows[i].spaces);
	}
}

static void names_are_the_same_as_their_registry_says(void **state)
{
	static const struct {
		const char *purl, *name, *want;
	} rows[] = {
		{ "pypi", "Flask_SQLAlchemy", "flask-sqlalchemy" }, { "pypi", "zope.-_interface", "zope-interface" },
		{ "nuget", "Newtonsoft.Json", "newtonsoft.json" },  { "composer", "Symfony/HTTP-Kernel", "symfony/http-kernel" },
		{ "cargo", "Serde_JSON", "serde-json" },	    { "npm", "@Scope/Name", "@Scope/Name" },
		{ "golang", "github.com/Azure/x", "github.com/Azure/x" },
		{ "golang", "stdlib", "stdlib" },		    { "gem", "RedCloth", "RedCloth" },
		{ "maven", "org.A:b", "org.A:b" },
	};
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct ecosystem *e = ecosystem_of_purl(slice_of(rows[i].purl));

		assert_non_null(e);
		assert_true(slice_is(ecosystem_name(e, slice_of(rows[i].name), text, sizeof(text)), rows[i].want));
	}
	assert_null(ecosystem_of_purl(SLICE_LIT("deb")));
	assert_null(ecosystem_of_purl(SLICE_LIT("")));
	const struct ecosystem *debian = ecosystem_of_osv(SLICE_LIT("Debian:12"));
	assert_true(slice_is(ecosystem_name(debian, SLICE_LIT("linux-signed-amd64"), text, sizeof(text)), "linux"));
	assert_true(slice_is(ecosystem_version(ecosystem_of_purl(SLICE_LIT("bitnami")), SLICE_LIT("1.2.3-14")), "1.2.3"));
	assert_true(slice_is(ecosystem_version(ecosystem_of_purl(SLICE_LIT("bitnami")), SLICE_LIT("1.2.3-rc1")), "1.2.3-rc1"));
	assert_true(slice_is(ecosystem_version(ecosystem_of_purl(SLICE_LIT("npm")), SLICE_LIT("1.2.3-14")), "1.2.3-14"));
}

static void hostile_names_stay_in_their_buffers(void **state)
{
	char big[8192], text[SPACE_MAX];

	memset(big, 'A', sizeof(big));
	assert_true(ecosystem_space(NULL, slice_from(big, sizeof(big)), text).n < SPACE_MAX);
	memcpy(big, "SUSE:Linux Enterprise Server 1", 30);
	struct slice osv = slice_from(big, sizeof(big));
	assert_true(ecosystem_space(ecosystem_of_osv(osv), osv, text).n < SPACE_MAX);
	struct ecosystem_spaces s;
	struct vulndb_os os = { SLICE_LIT("alpine"), slice_from(big, sizeof(big)), SLICE_NONE, SLICE_NONE };
	ecosystem_spaces_of_os(ecosystem_of_os(&os, SLICE_LIT("apk")), &os, &s);
	assert_int_equal(s.count, 1);
	char small[4];
	struct slice name = ecosystem_name(ecosystem_of_purl(SLICE_LIT("pypi")), SLICE_LIT("Longer"), small, sizeof(small));
	assert_true(slice_is(name, "Longer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_osv_name_has_one_space),
		cmocka_unit_test(a_host_asks_its_releases_spaces),
		cmocka_unit_test(names_are_the_same_as_their_registry_says),
		cmocka_unit_test(hostile_names_stay_in_their_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
