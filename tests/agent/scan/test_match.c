/* match: a small real database, asked about an image's packages; and how findings are kept and sorted. */
#include <ftw.h>

#include "agent/scan/match.h"
#include "tests/agent/scan/cases.h"

enum { DAY_S = 86400 };

static char dir[] = "/tmp/picket_matchXXXXXX";
static char db[64];

static void write_file(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/npm", dir);
	assert_int_equal(file_make_dirs(path, 0755, NULL), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_write_atomic(path, slice_of(text), 0644, NULL), 0);
}

static void import(const char *name, uint64_t now_unix_s)
{
	char source[128];
	struct vulndb_import in = { .path = db, .source = source, .now_unix_s = now_unix_s };
	struct vulndb_imported done;
	struct err err;

	snprintf(source, sizeof(source), "%s/%s", dir, name);
	if (vulndb_import(&in, &done, &err) < 0)
		fail_msg("%s", err.msg);
}

#define OSV(id, alias, ecosystem, name, fixed, more)                                                          \
	"{\"id\":\"" id "\",\"modified\":\"2026-01-01T00:00:00Z\",\"aliases\":[" alias "],\"affected\":[{"      \
	"\"package\":{\"ecosystem\":\"" ecosystem "\",\"name\":\"" name "\"},\"ranges\":[{\"type\":\"SEMVER\"," \
	"\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"" fixed "\"}]}]}]" more "}"

static int set_up(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(db, sizeof(db), "%s/db", dir);
	write_file("npm/lodash.json", OSV("GHSA-jf85-cpcp-j695", "\"CVE-2019-10744\"", "npm", "lodash", "4.17.12",
				      ",\"summary\":\"Prototype pollution\",\"details\":\"Long words\",\"severity\":[{\"type\":\"CVSS_V3\","
				      "\"score\":\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:H\"}],"
				      "\"references\":[{\"type\":\"WEB\",\"url\":\"https://example.net/a\"}]"));
	write_file("npm/mocha.json", OSV("GHSA-mocha", "", "npm", "mocha", "10.0.0", ""));
	write_file("tracker.json", "{\"openssl\":{\"CVE-2023-5678\":{\"description\":\"slow keys\",\"releases\":{\"bookworm\":{"
				   "\"status\":\"resolved\",\"fixed_version\":\"3.0.13-1~deb12u1\",\"urgency\":\"medium\"}}},"
				   "\"CVE-2007-6755\":{\"releases\":{\"bookworm\":{\"status\":\"open\",\"nodsa\":\"x\","
				   "\"nodsa_reason\":\"ignored\",\"urgency\":\"unimportant\"}}}}}");
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char document[] =
	"{\"now\":\"2026-11-30T12:00:00Z\",\"include_dev\":%s,\"inventory\":{\"kind\":\"image\",\"target\":\"web:1\","
	"\"os\":{\"id\":\"debian\",\"version_id\":\"12\",\"codename\":\"bookworm\"},\"layers\":[{\"packages\":["
	"{\"ecosystem\":\"npm\",\"name\":\"mocha\",\"version\":\"9.0.0\",\"dev\":true},"
	"{\"ecosystem\":\"deb\",\"name\":\"libssl3\",\"version\":\"3.0.11-1~deb12u2\",\"arch\":\"amd64\",\"source\":\"openssl\"},"
	"{\"ecosystem\":\"npm\",\"name\":\"lodash\",\"version\":\"4.17.4\",\"path\":\"opt/lodash/package.json\"}]}]}}";

static void make(struct test_case *c, const char *include_dev)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, 0);
	buf_printf(&text, document, include_dev);
	case_init(c, "document", buf_slice(&text));
}

/* "id package status fixed severity;" */
static const char *shown(const struct scan_result *r, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < r->finding_count; i++) {
		const struct scan_finding *f = &r->findings[i];

		buf_printf(out, "%.*s %s %s %.*s %s;", SLICE_FMT(f->vuln->id), r->packages[f->package].pkg->name,
			   vuln_status_name(f->status), SLICE_FMT(f->fixed), vuln_severity_name(f->severity));
	}
	return out->n ? out->p : "";
}

static void what_the_database_says_becomes_findings(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct test_case c;
	struct err err = { 0 };

	make(&c, "false");
	c.result.now_unix_s = 1796000000;
	import("npm", c.result.now_unix_s - DAY_S);
	import("tracker.json", c.result.now_unix_s - 2 * DAY_S);
	assert_int_equal(match_packages(&c.result, db, NULL, &err), 0);
	scan_finish(&c.result);
	assert_string_equal(shown(&c.result, &out), "CVE-2019-10744 lodash fixed 4.17.12 critical;"
						    "CVE-2023-5678 libssl3 fixed 3.0.13-1~deb12u1 medium;"
						    "CVE-2007-6755 libssl3 will_not_fix  low;");
	const struct scan_finding *f = &c.result.findings[0];
	assert_true(slice_is(f->vuln->title, "Prototype pollution") && slice_is(f->vuln->description, "Long words"));
	assert_true(slice_is(f->vuln->record, "GHSA-jf85-cpcp-j695") && f->vuln->url_count == 1);
	assert_true(f->cvss > 9);
	assert_true(c.result.has_database && c.result.database_unix_s == c.result.now_unix_s - DAY_S);
	assert_int_equal(c.result.warning_count, 0);
	assert_int_equal(c.result.excluded_count, 1);
	case_fini(&c);
}

static void packages_for_development_are_judged_when_asked_for(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct test_case c;
	struct err err = { 0 };

	make(&c, "true");
	import("npm", c.result.now_unix_s);
	assert_int_equal(match_packages(&c.result, db, NULL, &err), 0);
	scan_finish(&c.result);
	assert_non_null(strstr(shown(&c.result, &out), "GHSA-mocha mocha fixed 10.0.0 unknown;"));
	assert_int_equal(c.result.excluded_count, 0);
	case_fini(&c);
}

static void an_old_database_is_told(void **state)
{
	struct test_case c;
	struct err err = { 0 };

	make(&c, "false");
	import("npm", c.result.now_unix_s);
	c.result.now_unix_s += 7 * DAY_S + 1;
	assert_int_equal(match_packages(&c.result, db, NULL, &err), 0);
	assert_int_equal(c.result.warning_count, 1);
	assert_string_equal(c.result.warnings[0], "the vulnerability database is 7 days old: newer advisories are not in it");
	case_fini(&c);
}

static void what_is_no_database_is_an_error(void **state)
{
	struct test_case c;
	struct err err = { 0 };
	char path[128];

	make(&c, "false");
	snprintf(path, sizeof(path), "%s/npm/lodash.json", dir);
	assert_int_equal(match_packages(&c.result, path, NULL, &err), -ERR_CORRUPT);
	assert_false(c.result.has_database);
	case_fini(&c);
}

/* ---- keeping and sorting ---- */

static struct vulndb_found found(const char *id, enum vuln_severity severity, double epss, bool kev)
{
	return (struct vulndb_found){ .id = slice_of(id), .record = slice_of(id), .severity = severity, .epss = epss,
				      .epss_percentile = -1, .kev = kev, .feed = SLICE_LIT("f") };
}

static void findings_are_sorted_by_what_matters(void **state)
{
	CLEANUP(scan_collector_freep) struct scan_collector *collector = NULL;
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct test_case c;
	const struct vulndb_found all[] = {
		found("CVE-2024-10", VULN_LOW, -1, false),	found("CVE-2024-9", VULN_LOW, -1, false),
		found("CVE-2024-1", VULN_CRITICAL, 0.001, false), found("CVE-2024-2", VULN_LOW, 0.02, false),
		found("CVE-2024-3", VULN_LOW, 0.9, true),	found("CVE-2024-4", VULN_CRITICAL, 0.3, true),
		found("CVE-2024-5", VULN_UNKNOWN, 0.5, false),	found("CVE-2024-6", VULN_HIGH, 0.009, false),
	};

	make(&c, "false");
	assert_int_equal(scan_collector_new(&c.result, &collector, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_int_equal(scan_collect(collector, 1, &all[i]), 0);
	assert_int_equal(scan_collect(collector, 0, &all[0]), 0);
	assert_int_equal(scan_collector_end(collector, NULL), 0);
	assert_int_equal(c.result.vuln_count, ARRAY_LEN(all));
	scan_finish(&c.result);
	buf_init(&out, 0);
	for (size_t i = 0; i < c.result.finding_count; i++)
		buf_printf(&out, "%.*s ", SLICE_FMT(slice_sub(c.result.findings[i].vuln->id, 9, 9)));
	assert_string_equal(out.p, "3 4 5 2 1 6 9 10 10 ");
	assert_string_equal(c.result.packages[c.result.findings[7].package].pkg->name, "libssl3");
	assert_int_equal(c.result.summary.kev, 2);
	struct scan_filter filter = { .severities = 1U << VULN_CRITICAL | 1U << VULN_UNKNOWN };
	scan_filter(&c.result, &filter);
	scan_finish(&c.result);
	assert_int_equal(c.result.summary.total, 3);
	filter = (struct scan_filter){ .fixable_only = true };
	scan_filter(&c.result, &filter);
	scan_finish(&c.result);
	assert_int_equal(c.result.summary.total, 0);
	case_fini(&c);
}

/* An image with everything that was ever vulnerable in it. */
static void memory_is_bounded_whatever_is_found(void **state)
{
	CLEANUP(scan_collector_freep) struct scan_collector *collector = NULL;
	CLEANUP(freep) char *words = malloc(30000);
	struct test_case c;
	int r = 0;

	make(&c, "false");
	memset(words, 'x', 30000);
	assert_int_equal(scan_collector_new(&c.result, &collector, NULL), 0);
	for (int i = 0; !r && i < 100000; i++) {
		char id[32];
		struct vulndb_found f;

		snprintf(id, sizeof(id), "CVE-2024-%d", i);
		f = found(id, VULN_HIGH, 0.1, false);
		f.description = slice_from(words, 30000);
		r = scan_collect(collector, 1, &f);
		if (r)
			assert_true(i >= 10000);
	}
	assert_int_equal(r, -ERR_LIMIT);
	assert_true(arena_used(c.arena) <= 32 << 20);
	assert_int_equal(c.result.warning_count, 1); /* that descriptions are left out */
	case_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_database_says_becomes_findings),
		cmocka_unit_test(packages_for_development_are_judged_when_asked_for),
		cmocka_unit_test(an_old_database_is_told),
		cmocka_unit_test(what_is_no_database_is_an_error),
		cmocka_unit_test(findings_are_sorted_by_what_matters),
		cmocka_unit_test(memory_is_bounded_whatever_is_found),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
