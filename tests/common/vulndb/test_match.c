/* match: what a package is told, by whom, and how often: once a vulnerability. */
#include "tests/common/vulndb/fixture.h"

/* An OSV record: id, more fields (each ending with a comma), affected packages. */
#define OSV(id, fields, affected) "{\"id\":\"" id "\"," fields "\"affected\":[" affected "]}"
#define AFF(eco, name, type, events) \
	"{\"package\":{\"ecosystem\":\"" eco "\",\"name\":\"" name "\"},\"ranges\":[{\"type\":\"" type "\",\"events\":[" events "]}]}"
#define FIX(v) "{\"introduced\":\"0\"},{\"fixed\":\"" v "\"}"
#define V3(v) "\"severity\":[{\"type\":\"CVSS_V3\",\"score\":\"CVSS:3.1/" v "\"}],"
#define HIGH "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
#define CRITICAL "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"

static const char tracker[] =
	"{\"openssl\":{"
	"\"CVE-2024-0001\":{\"description\":\"one\",\"releases\":{\"bookworm\":{\"status\":\"resolved\",\"fixed_version\":\"3.0.2-1\",\"urgency\":\"high\"},"
	"\"bullseye\":{\"status\":\"open\",\"urgency\":\"end-of-life\"}}},"
	"\"CVE-2024-0002\":{\"releases\":{\"bookworm\":{\"status\":\"resolved\",\"fixed_version\":\"0\",\"urgency\":\"unimportant\"}}},"
	"\"CVE-2024-0003\":{\"releases\":{\"bookworm\":{\"status\":\"open\",\"urgency\":\"not yet assigned\",\"nodsa\":\"Minor issue\",\"nodsa_reason\":\"\"}}},"
	"\"CVE-2024-0004\":{\"releases\":{\"bookworm\":{\"status\":\"open\",\"urgency\":\"low\",\"nodsa\":\"No\",\"nodsa_reason\":\"ignored\"}}},"
	"\"CVE-2024-0005\":{\"releases\":{\"bookworm\":{\"status\":\"undetermined\",\"urgency\":\"not yet assigned\"}}},"
	"\"CVE-2024-0006\":{\"releases\":{\"bookworm\":{\"status\":\"open\",\"urgency\":\"unimportant\"},\"sid\":{\"status\":\"resolved\",\"fixed_version\":\"9\"}}},"
	"\"CVE-2024-0007\":{\"description\":\"** REJECTED ** none\",\"releases\":{\"bookworm\":{\"status\":\"open\"}}}}}";

static void debian_is_matched_by_source_and_release(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "d.json", tracker);
	assert_string_equal(MATCH(f, DEBIAN_12, "deb libssl3 3.0.1-1+b1 openssl 3.0.1-1"),
			    "CVE-2024-0001 CVE-2024-0001 fixed=3.0.2-1 high/debian fixed [<3.0.2-1]\n"
			    "CVE-2024-0003 CVE-2024-0003 fixed= unknown fix_deferred (Minor issue) [*]\n"
			    "CVE-2024-0004 CVE-2024-0004 fixed= low/debian will_not_fix (No) [*]\n"
			    "CVE-2024-0005 CVE-2024-0005 fixed= unknown under_investigation [*]\n"
			    "CVE-2024-0006 CVE-2024-0006 fixed= low/debian affected (unimportant) [*]\n");
	/* of the binary's name alone nobody said anything; the source's version counts, not the binary's */
	assert_string_equal(MATCH(f, DEBIAN_12, "deb libssl3 3.0.1-1"), "");
	assert_null(strstr(MATCH(f, DEBIAN_12, "deb libssl3 1:9 openssl 3.0.2-1"), "CVE-2024-0001"));
	assert_non_null(strstr(MATCH(f, DEBIAN_12, "deb libssl3 9:9 openssl 3.0.1-1"), "CVE-2024-0001"));
	assert_string_equal(MATCH(f, OS(SLICE_LIT("debian"), SLICE_LIT("11"), SLICE_LIT("bullseye")), "deb openssl 1.1"),
			    "CVE-2024-0001 CVE-2024-0001 fixed= unknown end_of_life [*]\n");
	assert_string_equal(MATCH(f, OS(SLICE_LIT("debian"), SLICE_LIT("13"), SLICE_LIT("trixie")), "deb openssl 1.1"), "");
	assert_string_equal(MATCH(f, &no_os, "deb openssl 1.1"), "");
}

static void the_tracker_overrules_osvs_copy_of_it(void **state)
{
	struct fixture *f = *state;

	/* one DSA for three CVEs: one of them does not affect this release, one was fixed before */
	fixture_text(f, "dsa.json",
		     OSV("DSA-1-1", "\"upstream\":[\"CVE-2024-0001\",\"CVE-2024-0002\",\"CVE-2024-0009\"],",
			 AFF("Debian:12", "openssl", "ECOSYSTEM", FIX("3.0.5-1"))));
	assert_string_equal(MATCH(f, DEBIAN_12, "deb libssl3 3.0.3-1 openssl"),
			    "CVE-2024-0001 DSA-1-1 fixed=3.0.5-1 unknown fixed [<3.0.5-1]\n"
			    "CVE-2024-0002 DSA-1-1 fixed=3.0.5-1 unknown fixed [<3.0.5-1]\n"
			    "CVE-2024-0009 DSA-1-1 fixed=3.0.5-1 unknown fixed [<3.0.5-1]\n");
	fixture_text(f, "d.json", tracker);
	const char *got = MATCH(f, DEBIAN_12, "deb libssl3 3.0.3-1 openssl");
	assert_null(strstr(got, "CVE-2024-0001"));
	assert_null(strstr(got, "CVE-2024-0002"));
	assert_non_null(strstr(got, "CVE-2024-0009 DSA-1-1"));
}

static void alpine_and_wolfi_are_matched_by_origin(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "a.json",
		     "{\"distroversion\":\"v3.18\",\"reponame\":\"main\",\"packages\":[{\"pkg\":{\"name\":\"openssl\",\"secfixes\":"
		     "{\"3.1.4-r5\":[\"CVE-2024-0001\"],\"0\":[\"CVE-2024-0002\"]}}}]}");
	fixture_text(f, "w.json",
		     "{\"urlprefix\":\"https://packages.wolfi.dev\",\"reponame\":\"os\",\"packages\":[{\"pkg\":{\"name\":\"openssl\","
		     "\"secfixes\":{\"3.1.4-r9\":[\"CVE-2024-0001\"]}}}]}");
	assert_string_equal(f->last.feed, "wolfi");
	fixture_text(f, "o.json", OSV("ALPINE-CVE-2024-0002", "", AFF("Alpine:v3.18", "openssl", "ECOSYSTEM", FIX("9"))));
	assert_string_equal(MATCH(f, OS(SLICE_LIT("alpine"), SLICE_LIT("3.18.4")), "apk libssl3 3.1.4-r4 openssl"),
			    "CVE-2024-0001 CVE-2024-0001 fixed=3.1.4-r5 unknown fixed [<3.1.4-r5]\n");
	assert_string_equal(MATCH(f, OS(SLICE_LIT("alpine"), SLICE_LIT("3.18.4")), "apk libssl3 3.1.4-r5 openssl"), "");
	assert_string_equal(MATCH(f, OS(SLICE_LIT("wolfi"), SLICE_LIT("20230201")), "apk libssl3 3.1.4-r5 openssl"),
			    "CVE-2024-0001 CVE-2024-0001 fixed=3.1.4-r9 unknown fixed [<3.1.4-r9]\n");
}

static void rpm_is_matched_by_the_name_the_record_says(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "a.json",
		     "[" OSV("ALSA-1", "\"summary\":\"Important: openssl security update\",\"related\":[\"CVE-2024-0001\",\"CVE-2024-0002\"]," V3(CRITICAL),
			     AFF("AlmaLinux:9", "openssl-libs", "ECOSYSTEM", FIX("1:3.0.7-6.el9_2")))
		     "," OSV("ALSA-2", "\"summary\":\"Low: openssl\",\"related\":[\"CVE-2024-0002\"],",
			     AFF("AlmaLinux:9", "openssl-libs", "ECOSYSTEM", FIX("1:3.0.7-9.el9_2"))) "]");
	assert_string_equal(MATCH(f, OS(SLICE_LIT("almalinux"), SLICE_LIT("9.2")), "rpm openssl-libs 1:3.0.1-20.el9_0 openssl 1:9"),
			    "CVE-2024-0001 ALSA-1 fixed=1:3.0.7-6.el9_2 high/almalinux fixed [<1:3.0.7-6.el9_2]\n"
			    /* fixed is what has every fix; the advisory about this one only speaks for it */
			    "CVE-2024-0002 ALSA-2 fixed=1:3.0.7-9.el9_2 low/almalinux fixed [<1:3.0.7-9.el9_2]\n");
	assert_string_equal(MATCH(f, OS(SLICE_LIT("almalinux"), SLICE_LIT("8.9")), "rpm openssl-libs 1:1.1-1.el8"), "");
	assert_string_equal(MATCH(f, OS(SLICE_LIT("rocky"), SLICE_LIT("9.2")), "rpm openssl-libs 1:3.0.1-20.el9_0"), "");
}

static void a_minor_releases_stream_goes_before_the_release(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "r.json",
		     "[" OSV("RHSA-1", "\"upstream\":[\"CVE-2024-0001\"],", AFF("Red Hat:enterprise_linux:8::appstream", "git-lfs", "ECOSYSTEM", FIX("0:3.4.1-2.el8")))
		     "," OSV("RHSA-2", "\"upstream\":[\"CVE-2024-0001\"],", AFF("Red Hat:rhel_aus:8.6::appstream", "git-lfs", "ECOSYSTEM", FIX("0:2.13.3-3.el8_6.1")))
		     "," OSV("RHSA-3", "\"upstream\":[\"CVE-2024-0002\"],", AFF("Red Hat:openshift:4.1::el8", "git-lfs", "ECOSYSTEM", FIX("0:9"))) "]");
	assert_string_equal(MATCH(f, OS(SLICE_LIT("rhel"), SLICE_LIT("8.6")), "rpm git-lfs 2.13.3-3.el8_6.1"), "");
	assert_string_equal(MATCH(f, OS(SLICE_LIT("rhel"), SLICE_LIT("8.6")), "rpm git-lfs 2.13.3-3.el8_6"),
			    "CVE-2024-0001 RHSA-2 fixed=0:2.13.3-3.el8_6.1 unknown fixed [<0:2.13.3-3.el8_6.1]\n");
	assert_string_equal(MATCH(f, OS(SLICE_LIT("rhel"), SLICE_LIT("8.10")), "rpm git-lfs 2.13.3-3.el8_6.1"),
			    "CVE-2024-0001 RHSA-1 fixed=0:3.4.1-2.el8 unknown fixed [<0:3.4.1-2.el8]\n");
}

static void ubuntu_pro_speaks_where_ubuntu_says_nothing(void **state)
{
	struct fixture *f = *state;
	const struct vulndb_os *jammy = OS(SLICE_LIT("ubuntu"), SLICE_LIT("22.04"), SLICE_LIT("jammy"));

	fixture_text(f, "u.json",
		     "[" OSV("UBUNTU-CVE-2024-0001", "\"severity\":[{\"type\":\"Ubuntu\",\"score\":\"negligible\"}],", AFF("Ubuntu:22.04:LTS", "a", "ECOSYSTEM", "{\"introduced\":\"0\"}"))
		     "," OSV("UBUNTU-CVE-2024-0002", V3(HIGH), AFF("Ubuntu:Pro:22.04:LTS", "a", "ECOSYSTEM", FIX("1.0-1ubuntu1~esm1")))
		     "," OSV("USN-1-1", "\"upstream\":[\"CVE-2024-0001\",\"UBUNTU-CVE-2024-0001\"],", AFF("Ubuntu:Pro:22.04:LTS", "a", "ECOSYSTEM", FIX("9"))) "]");
	assert_string_equal(MATCH(f, jammy, "deb a-bin 1.0-1 a"),
			    "CVE-2024-0001 UBUNTU-CVE-2024-0001 fixed= low/ubuntu affected [*]\n"
			    "CVE-2024-0002 UBUNTU-CVE-2024-0002 fixed=1.0-1ubuntu1~esm1 high/cvss fixed [<1.0-1ubuntu1~esm1]\n");
}

static void aliases_are_one_finding(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "p.json",
		     "[" OSV("PYSEC-2024-1", "\"aliases\":[\"CVE-2024-0001\",\"GHSA-aaaa\"]," V3(HIGH), AFF("PyPI", "django", "ECOSYSTEM", FIX("4.0.1")))
		     "," OSV("GHSA-aaaa", "\"summary\":\"Bad\",\"aliases\":[\"CVE-2024-0001\"],\"database_specific\":{\"severity\":\"CRITICAL\"},", AFF("PyPI", "Django", "ECOSYSTEM", FIX("4.0.2")))
		     /* joined by GHSA-aaaa only */
		     "," OSV("OTHER-1", "\"aliases\":[\"GHSA-aaaa\"],", AFF("PyPI", "Django", "ECOSYSTEM", FIX("4.0.1")))
		     "," OSV("GHSA-bbbb", "\"aliases\":[\"CVE-2024-0002\"],", AFF("PyPI", "Django", "ECOSYSTEM", FIX("4.0.1")))
		     "," OSV("PYSEC-2024-2", "\"aliases\":[\"CVE-2024-0002\"],", AFF("PyPI", "Django", "ECOSYSTEM", FIX("4.0.10"))) "]");
	assert_string_equal(MATCH(f, &no_os, "pypi Django 4.0"),
			    "CVE-2024-0001=GHSA-aaaa,OTHER-1,PYSEC-2024-1 GHSA-aaaa fixed=4.0.2 critical/ghsa fixed [<4.0.2]\n"
			    /* what has every fix, by the scheme's order */
			    "CVE-2024-0002=GHSA-bbbb,PYSEC-2024-2 GHSA-bbbb fixed=4.0.10 unknown fixed [<4.0.1]\n");
	/* fixed in one record's eyes, not in the other's */
	assert_string_equal(MATCH(f, &no_os, "pypi django 4.0.1"),
			    "CVE-2024-0001=GHSA-aaaa GHSA-aaaa fixed=4.0.2 critical/ghsa fixed [<4.0.2]\n"
			    "CVE-2024-0002=PYSEC-2024-2 PYSEC-2024-2 fixed=4.0.10 unknown fixed [<4.0.10]\n");
}

static void an_id_without_a_cve_gets_it_from_another_record(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "g.json",
		     "[" OSV("GO-2024-1", "\"aliases\":[\"GHSA-aaaa\"],", AFF("Go", "example.org/m", "SEMVER", FIX("1.2.0")))
		     "," OSV("GHSA-aaaa", "\"aliases\":[\"CVE-2024-0001\"],", AFF("Go", "example.org/other", "SEMVER", FIX("1.2.0"))) "]");
	assert_string_equal(MATCH(f, &no_os, "golang example.org/m v1.0.0"),
			    "CVE-2024-0001=GHSA-aaaa,GO-2024-1 GO-2024-1 fixed=1.2.0 unknown fixed [<1.2.0]\n");
}

static void names_and_schemes_are_the_ecosystems(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "e.json",
		     "[" OSV("E-1", "", AFF("PyPI", "zope.interface", "ECOSYSTEM", FIX("5.0")))
		     "," OSV("E-2", "", AFF("NuGet", "Newtonsoft.Json", "ECOSYSTEM", FIX("13.0.1")))
		     "," OSV("E-3", "", AFF("Go", "stdlib", "SEMVER", "{\"introduced\":\"1.21.0-0\"},{\"fixed\":\"1.21.4\"}"))
		     "," OSV("E-4", "", AFF("crates.io", "serde_json", "SEMVER", FIX("1.0.1")))
		     "," OSV("E-5", "", AFF("RubyGems", "rails", "ECOSYSTEM", FIX("7.0.0")))
		     "," OSV("E-6", "", AFF("Packagist", "symfony/http-kernel", "ECOSYSTEM", FIX("4.4.50")))
		     "," OSV("E-7", "", AFF("Maven", "org.apache:log4j", "ECOSYSTEM", FIX("2.17.1")))
		     "," OSV("E-8", "", AFF("npm", "@scope/x", "SEMVER", FIX("1.0.0")))
		     "," OSV("E-9", "", AFF("Bitnami", "nginx", "SEMVER", "{\"introduced\":\"1.2.3\"},{\"last_affected\":\"1.2.3\"}")) "]");
	static const char *const rows[][2] = {
		{ "pypi Zope_Interface 4.9.post1", "E-1" },	 { "nuget newtonsoft.json 13.0.0.0", "E-2" },
		{ "golang stdlib go1.21.3", "E-3" },		 { "golang stdlib go1.21rc2", "E-3" },
		{ "golang stdlib go1.20.1", NULL },		 { "cargo serde-json 1.0.0", "E-4" },
		{ "gem rails 7.0.0.rc1", "E-5" },		 { "gem rails 7.0.0", NULL },
		{ "composer Symfony/Http-Kernel v4.4.49", "E-6" }, { "maven org.apache:log4j 2.17.1-rc1", "E-7" },
		{ "maven org.apache:log4j 2.17.1", NULL },	 { "npm @scope/x 1.0.0-beta.1", "E-8" },
		{ "npm @scope/X 0.1.0", NULL },			 { "bitnami nginx 1.2.3-7", "E-9" },
		{ "unknowntype x 1", NULL },			 { " x 1", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = MATCH(f, &no_os, rows[i][0]);
		if (rows[i][1] ? strncmp(got, rows[i][1], 3) != 0 : got[0] != 0)
			fail_msg("%s: '%s'", rows[i][0], got);
	}
}

static void what_a_distributions_package_owns_is_its_to_judge(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "p.json", OSV("PYSEC-1", "", AFF("PyPI", "requests", "ECOSYSTEM", FIX("3"))));
	/* no word of the distribution: the ecosystem's counts */
	assert_non_null(strstr(MATCH(f, DEBIAN_12, "pypi requests 2.0 - - python3-requests"), "PYSEC-1"));
	fixture_text(f, "d.json", "{\"requests\":{\"CVE-2024-0001\":{\"releases\":{\"bookworm\":{\"status\":\"resolved\",\"fixed_version\":\"2.28\"}}}}}");
	assert_string_equal(MATCH(f, DEBIAN_12, "deb python3-requests 2.27-1 requests", "pypi requests 2.27 - - python3-requests", "pypi requests 2.27"),
			    "CVE-2024-0001 CVE-2024-0001 fixed=2.28 unknown fixed [<2.28]\n"
			    "PYSEC-1 PYSEC-1 fixed=3 unknown fixed [<3]\n");
	/* Oracle Linux: nobody tells of its packages */
	assert_non_null(strstr(MATCH(f, OS(SLICE_LIT("ol"), SLICE_LIT("9")), "pypi requests 2.0 - - python3-requests"), "PYSEC-1"));
}

static void modules_and_others_are_not_compared(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "m.json",
		     "[" OSV("ALSA-1", "", AFF("AlmaLinux:8", "nodejs", "ECOSYSTEM", FIX("1:14.1-1.module_el8.3")))
		     "," OSV("ALSA-2", "", AFF("AlmaLinux:8", "perl", "ECOSYSTEM", FIX("5.30-1.el8"))) "]");
	const struct vulndb_os *el8 = OS(SLICE_LIT("almalinux"), SLICE_LIT("8.9"));
	assert_string_equal(MATCH(f, el8, "rpm nodejs 1:12.0-1.el8", "rpm perl 5.26-1.module_el8.1"), "");
	assert_non_null(strstr(MATCH(f, el8, "rpm nodejs 1:14.0-1.module_el8.1"), "ALSA-1"));
}

static int put_facts(void *arg, size_t package, const struct vulndb_found *f)
{
	buf_printf(arg, "%zu %.*s cvss=%.1f %.*s epss=%.2f/%.2f kev=%d %.*s %.*s %d title='%.*s' text='%.*s' urls=%zu feed=%.*s %d\n", package,
		   SLICE_FMT(f->id), f->cvss, SLICE_FMT(f->cvss_vector), f->epss, f->epss_percentile, f->kev,
		   SLICE_FMT(f->kev_added), SLICE_FMT(f->kev_due), f->kev_ransomware, SLICE_FMT(f->title),
		   SLICE_FMT(f->description), f->url_count, SLICE_FMT(f->feed), f->published_unix_s > 0);
	return 0;
}

static void what_is_known_elsewhere_of_the_cve_is_borrowed(void **state)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct fixture *f = *state;
	const struct vulndb_package p[] = { { .ecosystem = SLICE_LIT("npm"), .name = SLICE_LIT("nothing"), .version = SLICE_LIT("1") },
					    { .ecosystem = SLICE_LIT("deb"), .name = SLICE_LIT("openssl"), .version = SLICE_LIT("3.0.1-1") } };

	fixture_text(f, "d.json", "{\"openssl\":{\"CVE-2024-0001\":{\"description\":\"of Debian\",\"releases\":{\"bookworm\":{\"status\":\"open\"}}}}}");
	fixture_text(f, "g.json", OSV("GHSA-aaaa", "\"summary\":\"of GitHub\",\"published\":\"2024-01-01T00:00:00Z\",\"aliases\":[\"CVE-2024-0001\"]," V3(CRITICAL), AFF("npm", "ssl", "SEMVER", FIX("1.0.0"))));
	fixture_text(f, "e.csv", "cve,epss,percentile\nCVE-2024-0001,0.25,0.75\n");
	fixture_text(f, "k.json", "{\"catalogVersion\":\"1\",\"vulnerabilities\":[{\"cveID\":\"CVE-2024-0001\",\"dateAdded\":\"2024-02-01\",\"dueDate\":\"2024-02-22\",\"knownRansomwareCampaignUse\":\"Known\",\"vulnerabilityName\":\"of CISA\"}]}");
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	assert_int_equal(vulndb_match(db, DEBIAN_12, p, 2, put_facts, &f->found, &f->err), 0);
	assert_string_equal(f->found.p, "1 CVE-2024-0001 cvss=9.8 CVSS:3.1/" CRITICAL " epss=0.25/0.75 kev=1 2024-02-01 2024-02-22 1 "
					"title='of GitHub' text='of Debian' urls=1 feed=debian 0\n");
}

static int stop(void *arg, size_t package, const struct vulndb_found *f)
{
	return ++*(int *)arg == 2;
}

static void the_caller_may_stop(void **state)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct fixture *f = *state;
	struct vulndb_package p[2] = { { .ecosystem = SLICE_LIT("deb"), .name = SLICE_LIT("openssl"), .version = SLICE_LIT("3.0.1-1") } };
	int calls = 0;

	p[1] = p[0];
	fixture_text(f, "d.json", tracker);
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	assert_int_equal(vulndb_match(db, DEBIAN_12, p, 2, stop, &calls, &f->err), 0);
	assert_int_equal(calls, 2);
}

static void hostile_packages_find_nothing(void **state)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct fixture *f = *state;
	static char big[1 << 20];
	struct vulndb_package p[6] = { 0 };

	memset(big, '9', sizeof(big));
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		p[i] = (struct vulndb_package){ .ecosystem = SLICE_LIT("pypi"), .name = SLICE_LIT("django"), .version = SLICE_LIT("1") };
	p[0].ecosystem = p[1].name = p[2].version = p[3].owner = slice_from(big, sizeof(big));
	p[4] = (struct vulndb_package){ 0 };
	p[5].ecosystem = SLICE_LIT("deb");
	p[5].source = slice_from(big, sizeof(big));
	fixture_text(f, "p.json", OSV("PYSEC-1", "", AFF("PyPI", "django", "ECOSYSTEM", FIX("0.5"))));
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	assert_int_equal(vulndb_match(db, OS(slice_from(big, sizeof(big)), slice_from(big, sizeof(big)), slice_from(big, sizeof(big)), slice_from(big, sizeof(big))), p, 6, put_found, &f->found, &f->err), 0);
	assert_int_equal(vulndb_match(db, DEBIAN_12, p, 6, put_found, &f->found, &f->err), 0);
	assert_int_equal(f->found.n, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(debian_is_matched_by_source_and_release),
		T(the_tracker_overrules_osvs_copy_of_it),
		T(alpine_and_wolfi_are_matched_by_origin),
		T(rpm_is_matched_by_the_name_the_record_says),
		T(a_minor_releases_stream_goes_before_the_release),
		T(ubuntu_pro_speaks_where_ubuntu_says_nothing),
		T(aliases_are_one_finding),
		T(an_id_without_a_cve_gets_it_from_another_record),
		T(names_and_schemes_are_the_ecosystems),
		T(what_a_distributions_package_owns_is_its_to_judge),
		T(modules_and_others_are_not_compared),
		T(what_is_known_elsewhere_of_the_cve_is_borrowed),
		T(the_caller_may_stop),
		T(hostile_packages_find_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
