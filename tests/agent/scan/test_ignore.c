/* ignore: which findings a file hides, in our words and in Trivy's, until when, and what is refused. */
#include "tests/agent/scan/cases.h"

/* An image with one package of each kind; each has CVE-2024-1 (alias GHSA-aaaa), openssl CVE-2024-2, too. */
static const char document[] =
	"{\"now\":\"2026-11-30T12:00:00Z\",\"database\":\"2026-11-29T00:00:00Z\",\"inventory\":{\"kind\":\"image\","
	"\"target\":\"web:1\",\"image_id\":\"sha256:1\",\"names\":[\"web:1\"],"
	"\"repo_digests\":[\"registry.example.net:5000/team/web@sha256:2\"],\"os\":{\"id\":\"debian\",\"version_id\":\"12\"},"
	"\"layers\":[{\"diff_id\":\"sha256:a\",\"packages\":["
	"{\"ecosystem\":\"deb\",\"name\":\"libssl3\",\"version\":\"3.0.11-1\",\"arch\":\"amd64\",\"source\":\"openssl\"},"
	"{\"ecosystem\":\"npm\",\"name\":\"lodash\",\"version\":\"4.17.4\",\"path\":\"opt/app/node_modules/lodash/package.json\"},"
	"{\"ecosystem\":\"pypi\",\"name\":\"Django\",\"version\":\"3.2\",\"path\":\"usr/lib/python3/Django.dist-info/METADATA\"}"
	"]}]},\"findings\":["
	"{\"package\":\"libssl3\",\"id\":\"CVE-2024-1\",\"aliases\":[\"GHSA-aaaa\"],\"record\":\"DSA-1\",\"severity\":\"high\",\"status\":\"affected\"},"
	"{\"package\":\"libssl3\",\"id\":\"CVE-2024-2\",\"severity\":\"high\",\"status\":\"affected\"},"
	"{\"package\":\"lodash\",\"id\":\"CVE-2024-1\",\"aliases\":[\"GHSA-aaaa\"],\"record\":\"GHSA-aaaa\",\"severity\":\"high\",\"status\":\"affected\"},"
	"{\"package\":\"Django\",\"id\":\"CVE-2024-1\",\"aliases\":[\"GHSA-aaaa\"],\"record\":\"PYSEC-1\",\"severity\":\"high\",\"status\":\"affected\"}"
	"]%s}";

static void make(struct test_case *c, const char *more)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, 0);
	buf_printf(&text, document, more);
	case_init(c, "document", buf_slice(&text));
}

/* "id/package" of what is hidden, in order. */
static const char *hidden(const struct scan_result *r, struct buf *out)
{
	buf_reset(out);
	for (size_t i = r->counting; i < r->finding_count; i++)
		buf_printf(out, "%s%.*s/%s", i > r->counting ? " " : "", SLICE_FMT(r->findings[i].vuln->id),
			   r->packages[r->findings[i].package].pkg->name);
	return out->n ? out->p : "";
}

static const struct {
	const char *text, *hidden, *why, *until;
} files[] = {
	{ "ignore:\n  - {id: CVE-2024-1, reason: r}\n",
	  "CVE-2024-1/Django CVE-2024-1/libssl3 CVE-2024-1/lodash", "r", "" },
	{ "ignore:\n  - {id: cve-2024-2, reason: \"two words\"}\n", "CVE-2024-2/libssl3", "two words", "" },
	{ "ignore:\n  - {id: GHSA-aaaa, package: lodash, reason: by alias}\n", "CVE-2024-1/lodash", "by alias", "" },
	{ "ignore:\n  - {id: PYSEC-1, reason: by record}\n", "CVE-2024-1/Django", "by record", "" },
	{ "ignore:\n  - {id: CVE-2024-1, package: \"l*\", reason: r}\n", "CVE-2024-1/libssl3 CVE-2024-1/lodash", "r", "" },
	{ "ignore:\n  - {id: CVE-2024-1, path: \"opt/app/*\", reason: r}\n", "CVE-2024-1/lodash", "r", "" },
	{ "ignore:\n  - {id: CVE-2024-1, path: \"/opt/app/*\", reason: r}\n", "CVE-2024-1/lodash", "r", "" },
	{ "ignore:\n  - {id: CVE-2024-1, purl: \"pkg:deb/debian/libssl3\", reason: r}\n", "CVE-2024-1/libssl3", "r", "" },
	{ "ignore:\n  - {id: CVE-2024-1, purl: \"pkg:deb/debian/openssl?arch=source\", reason: r}\n", "CVE-2024-1/libssl3", "r", "" },
	{ "ignore:\n  - {id: CVE-2024-1, purl: \"pkg:deb/debian/libssl3@3.0.11-1\", reason: r}\n", "CVE-2024-1/libssl3", "r", "" },
	{ "ignore:\n  - {id: CVE-2024-1, purl: \"pkg:deb/debian/libssl3@3.0.12\", reason: r}\n", "", NULL, "" },
	{ "ignore:\n  - {id: CVE-2024-1, purl: \"pkg:pypi/django\", reason: r}\n", "CVE-2024-1/Django", "r", "" },
	{ "ignore:\n  - {id: CVE-2024-1, package: lodash, path: nowhere, reason: r}\n", "", NULL, "" },
	{ "ignore:\n  - {id: CVE-2024-2, reason: r, until: 2026-11-30}\n", "CVE-2024-2/libssl3", "r", "2026-11-30" },
	{ "ignore:\n  - {id: CVE-2024-2, reason: r, until: \"2026-11-30T12:00:01Z\"}\n", "CVE-2024-2/libssl3", "r", "2026-11-30T12:00:01Z" },
	{ "ignore:\n  - {id: CVE-2024-2, reason: r, until: 2026-11-29}\n", "", NULL, "" },
	{ "ignore:\n  - {id: CVE-2024-2, reason: r, until: 9999-12-31}\n", "CVE-2024-2/libssl3", "r", "9999-12-31" },
	/* of two the first that has not expired */
	{ "ignore:\n  - {id: CVE-2024-2, reason: a, until: 2026-11-29}\n  - {id: CVE-2024-2, reason: b}\n  - {id: CVE-2024-2, reason: c}\n",
	  "CVE-2024-2/libssl3", "b", "" },
	{ "ignore: []\n", "", NULL, "" },
	{ "# nothing\n", "", NULL, "" },
	{ "", "", NULL, "" },
	/* Trivy's */
	{ "vulnerabilities:\n  - id: CVE-2024-1\n    paths:\n      - \"opt/app/node_modules/lodash/package.json\"\n    statement: Accept the risk\n"
	  "misconfigurations:\n  - id: AVD-DS-0001\nsecrets:\nlicenses:\n  - id: GPL\n",
	  "CVE-2024-1/lodash", "Accept the risk", "" },
	{ "vulnerabilities:\n  - id: CVE-2024-1\n    purls:\n      - \"pkg:npm/other\"\n      - \"pkg:npm/lodash\"\n    expired_at: 2027-01-01\n",
	  "CVE-2024-1/lodash", "", "2027-01-01" },
	{ "# Accept the risk\nCVE-2024-2\n\n# No impact in our settings\nCVE-2018-1 exp:2022-01-01\n", "CVE-2024-2/libssl3", "Accept the risk", "" },
	{ "CVE-2024-2 exp:2027-01-01 # inline\n", "CVE-2024-2/libssl3", "inline", "2027-01-01" },
	{ "CVE-2024-2 exp:2026-01-01\n", "", NULL, "" },
	{ "AVD-DS-0002\r\n  GHSA-aaaa  \r\n", "CVE-2024-1/Django CVE-2024-1/libssl3 CVE-2024-1/lodash", "", "" },
};

static void each_file_hides_what_it_names(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct ignore *g = NULL;
		struct test_case c;
		struct err err;

		make(&c, "");
		if (ignore_parse("f", slice_of(files[i].text), &g, &err) < 0)
			fail_msg("%s: %s", files[i].text, err.msg);
		ignore_apply(g, &c.result);
		scan_finish(&c.result);
		if (strcmp(hidden(&c.result, &out), files[i].hidden) != 0)
			fail_msg("%s: hides '%s'", files[i].text, hidden(&c.result, &out));
		if (files[i].why) {
			const struct scan_finding *f = &c.result.findings[c.result.counting];

			assert_true(slice_is(f->hush_why, files[i].why));
			assert_true(slice_is(f->hush_until, files[i].until));
			assert_true(slice_is(f->hush_source, "f") && slice_is(f->hush_state, "ignored"));
			assert_int_equal(f->hush, SCAN_IGNORED);
		}
		assert_int_equal(c.result.summary.total + c.result.summary.suppressed, 4);
		assert_int_equal(c.result.summary.ignored, c.result.summary.suppressed);
		case_fini(&c);
		ignore_free(g);
	}
}

static void what_has_expired_counts_again_and_is_told_once(void **state)
{
	struct test_case c;

	make(&c, ",\"ignore\":\"ignore:\\n  - {id: CVE-2024-1, reason: late, until: 2026-11-29}\\n\"");
	assert_int_equal(c.result.summary.total, 4);
	assert_int_equal(c.result.warning_count, 1);
	assert_string_equal(c.result.warnings[0],
			    ".picketignore.yaml: CVE-2024-1 was ignored until 2026-11-29 and counts again (late)");
	case_fini(&c);
}

static void wrong_files_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "ignore:\n  - {id: CVE-1}\n", "f: entry 1 of 'ignore' (CVE-1): no reason" },
		{ "ignore:\n  - {id: CVE-1, reason: \"  \"}\n", "no reason" },
		{ "ignore:\n  - {reason: x}\n", "no id" },
		{ "ignore:\n  - {id: CVE-1, reason: x}\n  - {id: CVE-2, reason: x, until: tomorrow}\n", "entry 2 of 'ignore' (CVE-2): until: 'tomorrow' is no date" },
		{ "ignore:\n  - {id: CVE-1, reason: x, until: 2026-02-30}\n", "is no date" },
		{ "ignore:\n  - {id: CVE-1, reason: x, until: 9999-13-01}\n", "is no date" },
		{ "ignore:\n  - {id: CVE-1, reason: x, purl: \"deb/x\"}\n", "no 'pkg:'" },
		{ "ignore:\n  - {id: CVE-1, reson: x}\n", "f:2:" },
		{ "ignores:\n  - {id: CVE-1, reason: x}\n", "did you mean 'ignore'" },
		{ "vulnerabilities:\n  - {statement: x}\n", "no id" },
		{ "CVE-1\nCVE-2 exp:never\n", "f:2: 'never' is no date" },
		{ "CVE-1 \x1b[2J\n", "f:1: not plain text" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ignore *g = NULL;
		struct err err;

		if (ignore_parse("f", slice_of(rows[i].text), &g, &err) != -ERR_SYNTAX || !strstr(err.msg, rows[i].says))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

static void hostile_bytes_are_read_or_refused(void **state)
{
	CLEANUP(freep) char *big = malloc((1 << 20) + 1);
	struct ignore *g = NULL;

	for (int i = 0; i < 3000; i++) {
		static const char some[] = "ignore: -{}[]idCVE\n\r#exp:2026-01-01,\"'\t";
		char raw[120];

		text_random(raw, sizeof(raw));
		for (size_t k = 0; k < sizeof(raw) && i % 2; k++)
			raw[k] = some[(uint8_t)raw[k] % (sizeof(some) - 1)];
		if (ignore_parse("f", slice_from(raw, sizeof(raw)), &g, NULL) >= 0)
			ignore_free(g);
	}
	for (size_t i = 0; i < (1 << 20) - 16; i += 2) /* half a million lines */
		memcpy(big + i, "A\n", 2);
	assert_int_equal(ignore_parse("f", slice_from(big, (1 << 20) - 16), &g, NULL), 0);
	ignore_free(g);
	assert_int_equal(ignore_parse("f", slice_from(big, (1 << 20) + 1), &g, NULL), -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_file_hides_what_it_names),
		cmocka_unit_test(what_has_expired_counts_again_and_is_told_once),
		cmocka_unit_test(wrong_files_are_refused_with_their_place),
		cmocka_unit_test(hostile_bytes_are_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
