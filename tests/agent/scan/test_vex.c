/* vex: which statements speak of which finding, which of several counts, and what is left out. */
#include "tests/agent/scan/cases.h"
#include "tests/agent/scan/samples.h"

/* The image of test_ignore.c: a registry's web:1 with libssl3 (of openssl), lodash and Django, each with
 * CVE-2024-1. */
static const char document[] =
	"{\"now\":\"2026-11-30T12:00:00Z\",\"database\":\"2026-11-29T00:00:00Z\",\"inventory\":{\"kind\":\"image\","
	"\"target\":\"web:1\",\"image_id\":\"sha256:1111\",\"names\":[\"web:1\",\"docker.io/library/web:1\"],"
	"\"repo_digests\":[\"registry.example.net:5000/team/web@sha256:2222\"],\"os\":{\"id\":\"debian\",\"version_id\":\"12\"},"
	"\"layers\":[{\"diff_id\":\"sha256:a\",\"packages\":["
	"{\"ecosystem\":\"deb\",\"name\":\"libssl3\",\"version\":\"3.0.11-1\",\"arch\":\"amd64\",\"source\":\"openssl\"},"
	"{\"ecosystem\":\"npm\",\"name\":\"lodash\",\"version\":\"4.17.4\",\"path\":\"opt/lodash/package.json\"},"
	"{\"ecosystem\":\"pypi\",\"name\":\"Django\",\"version\":\"3.2\"}]}]},\"findings\":["
	"{\"package\":\"libssl3\",\"id\":\"CVE-2024-1\",\"aliases\":[\"GHSA-aaaa\"],\"severity\":\"high\",\"status\":\"affected\"},"
	"{\"package\":\"lodash\",\"id\":\"CVE-2024-1\",\"aliases\":[\"GHSA-aaaa\"],\"severity\":\"high\",\"status\":\"affected\"},"
	"{\"package\":\"Django\",\"id\":\"CVE-2024-1\",\"aliases\":[\"GHSA-aaaa\"],\"severity\":\"high\",\"status\":\"affected\"}],"
	"\"vex\":%s}";

#define OPENVEX(statements) "{\"@context\":\"https://openvex.dev/ns/v0.2.0\",\"timestamp\":\"2026-11-01T00:00:00Z\",\"statements\":[" statements "]}"
#define STATEMENT(products, more) "{\"vulnerability\":{\"name\":\"CVE-2024-1\"},\"products\":[" products "],\"status\":\"not_affected\"" more "}"
#define CDX(more) "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\"," more "}"
#define ALL "Django libssl3 lodash"

static const struct {
	const char *vex, *hidden;
} documents[] = {
	/* a package, by its purl */
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:npm/lodash@4.17.4\"}", "")), "lodash" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:npm/lodash\"}", "")), "lodash" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:npm/lodash@4.17.5\"}", "")), "" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:deb/debian/libssl3?arch=amd64&distro=debian-12\"}", "")), "libssl3" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:deb/debian/openssl@3.0.11-1?arch=source\"}", "")), "libssl3" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:deb/debian/openssl\"}", "")), "" },
	{ OPENVEX(STATEMENT("{\"@id\":\"urn:x\",\"identifiers\":{\"purl\":\"pkg:pypi/django@3.2\"}}", "")), "Django" },
	{ OPENVEX(STATEMENT("\"pkg:pypi/django@3.2\",\"pkg:npm/lodash\"", "")), "Django lodash" },
	/* the image, by any of its names */
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web@sha256%3A2222\"}", "")), ALL },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web@sha256%3A1111\"}", "")), ALL },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web@sha256%3A3333\"}", "")), "" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/other@sha256%3A2222\"}", "")), "" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web?tag=1\"}", "")), ALL },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web?tag=2\"}", "")), "" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web?repository_url=registry.example.net:5000/team/web\"}", "")), ALL },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web?repository_url=registry.example.net:5000/team\"}", "")), ALL },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web?repository_url=evil.example.net/team/web\"}", "")), "" },
	{ OPENVEX(STATEMENT("\"web\"", "")), ALL },
	{ OPENVEX(STATEMENT("\"web:1\"", "")), ALL },
	{ OPENVEX(STATEMENT("\"index.docker.io/library/web:1\"", "")), ALL },
	{ OPENVEX(STATEMENT("\"web:2\"", "")), "" },
	{ OPENVEX(STATEMENT("\"registry.example.net:5000/team/web\"", "")), ALL },
	{ OPENVEX(STATEMENT("\"sha256:1111\"", "")), ALL },
	{ OPENVEX(STATEMENT("\"\"", "")), "" },
	/* a part of the image, or of a package in it */
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web\",\"subcomponents\":[{\"@id\":\"pkg:npm/lodash\"}]}", "")), "lodash" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/web\",\"subcomponents\":[\"pkg:npm/other\",\"pkg:pypi/django\"]}", "")), "Django" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:oci/other\",\"subcomponents\":[{\"@id\":\"pkg:npm/lodash\"}]}", "")), "" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:pypi/django\",\"subcomponents\":[{\"@id\":\"pkg:npm/lodash\"}]}", "")), "lodash" },
	{ OPENVEX(STATEMENT("{\"@id\":\"pkg:pypi/flask\",\"subcomponents\":[{\"@id\":\"pkg:npm/lodash\"}]}", "")), "" },
	{ OPENVEX(STATEMENT("\"pkg:oci/web\"", ",\"subcomponents\":[\"pkg:npm/lodash\"]")), "lodash" },
	/* the vulnerability, by any of its names */
	{ OPENVEX("{\"vulnerability\":\"cve-2024-1\",\"products\":[\"pkg:npm/lodash\"],\"status\":\"fixed\"}"), "lodash" },
	{ OPENVEX("{\"vulnerability\":{\"@id\":\"https://github.com/advisories/GHSA-aaaa\"},\"products\":[\"pkg:npm/lodash\"],\"status\":\"fixed\"}"), "lodash" },
	{ OPENVEX("{\"vulnerability\":{\"name\":\"X-1\",\"aliases\":[\"GHSA-aaaa\"]},\"products\":[\"pkg:npm/lodash\"],\"status\":\"fixed\"}"), "lodash" },
	{ OPENVEX("{\"vulnerability\":{\"name\":\"CVE-2024-10\"},\"products\":[\"pkg:npm/lodash\"],\"status\":\"fixed\"}"), "" },
	/* what does not hide */
	{ OPENVEX("{\"vulnerability\":\"CVE-2024-1\",\"products\":[\"pkg:npm/lodash\"],\"status\":\"affected\"}"), "" },
	{ OPENVEX("{\"vulnerability\":\"CVE-2024-1\",\"products\":[\"pkg:npm/lodash\"],\"status\":\"under_investigation\"}"), "" },
	{ OPENVEX("{\"vulnerability\":\"CVE-2024-1\",\"products\":[\"pkg:npm/lodash\"],\"status\":\"whatever\"}"), "" },
	{ OPENVEX("{\"vulnerability\":\"CVE-2024-1\",\"status\":\"not_affected\"}"), "" },
	/* the newest counts, then the last */
	{ OPENVEX(STATEMENT("\"pkg:npm/lodash\"", "") ",{\"vulnerability\":\"CVE-2024-1\",\"products\":[\"web\"],\"status\":\"affected\"}"), "" },
	{ OPENVEX(STATEMENT("\"pkg:npm/lodash\"", ",\"timestamp\":\"2026-11-02T00:00:00Z\"")
		  ",{\"vulnerability\":\"CVE-2024-1\",\"products\":[\"web\"],\"status\":\"affected\"}"), "lodash" },
	{ OPENVEX("{\"vulnerability\":\"CVE-2024-1\",\"products\":[\"web\"],\"status\":\"affected\",\"timestamp\":\"2026-10-01T00:00:00Z\"},"
		  STATEMENT("\"pkg:npm/lodash\"", "")), "lodash" },
	/* CycloneDX */
	{ CDX("\"vulnerabilities\":[{\"id\":\"CVE-2024-1\",\"analysis\":{\"state\":\"not_affected\"},\"affects\":[{\"ref\":\"pkg:npm/lodash@4.17.4\"}]}]"), "lodash" },
	{ CDX("\"vulnerabilities\":[{\"id\":\"CVE-2024-1\",\"analysis\":{\"state\":\"false_positive\"},\"affects\":[{\"ref\":\"urn:cdx:3e67/1#pkg:npm/lodash@4.17.4\"}]}]"), "lodash" },
	{ CDX("\"vulnerabilities\":[{\"id\":\"CVE-2024-1\",\"analysis\":{\"state\":\"resolved\"},\"affects\":[{\"ref\":\"one\"}]}],"
	      "\"components\":[{\"bom-ref\":\"zero\",\"components\":[{\"bom-ref\":\"one\",\"purl\":\"pkg:npm/lodash@4.17.4\"}]}]"), "lodash" },
	{ CDX("\"metadata\":{\"component\":{\"bom-ref\":\"me\",\"name\":\"web\",\"version\":\"1\"}},"
	      "\"vulnerabilities\":[{\"id\":\"CVE-2024-1\",\"analysis\":{\"state\":\"not_affected\"},\"affects\":[{\"ref\":\"me\"}]}]"), ALL },
	{ CDX("\"metadata\":{\"component\":{\"bom-ref\":\"me\",\"name\":\"web\",\"version\":\"2\"}},"
	      "\"vulnerabilities\":[{\"id\":\"CVE-2024-1\",\"analysis\":{\"state\":\"not_affected\"},\"affects\":[{\"ref\":\"me\"}]}]"), "" },
	{ CDX("\"vulnerabilities\":[{\"id\":\"X\",\"references\":[{\"id\":\"CVE-2024-1\"}],\"analysis\":{\"state\":\"not_affected\"},\"affects\":[{\"ref\":\"pkg:npm/lodash\"}]}]"), "lodash" },
	{ CDX("\"vulnerabilities\":[{\"id\":\"CVE-2024-1\",\"analysis\":{\"state\":\"exploitable\"},\"affects\":[{\"ref\":\"pkg:npm/lodash\"}]}]"), "" },
	{ CDX("\"vulnerabilities\":[{\"id\":\"CVE-2024-1\",\"affects\":[{\"ref\":\"pkg:npm/lodash\"}]}]"), "" },
};

static void make(struct test_case *c, const char *vex)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, 0);
	buf_printf(&text, document, vex);
	case_init(c, vex, buf_slice(&text));
}

static const char *hidden(const struct scan_result *r, struct buf *out)
{
	buf_reset(out);
	for (size_t i = r->counting; i < r->finding_count; i++)
		buf_printf(out, "%s%s", i > r->counting ? " " : "", r->packages[r->findings[i].package].pkg->name);
	return out->n ? out->p : "";
}

static void each_statement_counts_for_what_it_names(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		struct test_case c;

		make(&c, documents[i].vex);
		if (strcmp(hidden(&c.result, &out), documents[i].hidden) != 0)
			fail_msg("%s: hides '%s' instead of '%s'", documents[i].vex, hidden(&c.result, &out),
				 documents[i].hidden);
		case_fini(&c);
	}
}

static void the_justification_is_kept(void **state)
{
	static const struct {
		const char *vex, *state, *why;
	} rows[] = {
		{ OPENVEX(STATEMENT("\"web\"", ",\"justification\":\"component_not_present\",\"impact_statement\":\"gone\"")),
		  "not_affected", "component_not_present: gone" },
		{ OPENVEX(STATEMENT("\"web\"", ",\"impact_statement\":\"gone\"")), "not_affected", "gone" },
		{ OPENVEX(STATEMENT("\"web\"", ",\"justification\":\"component_not_present\"")), "not_affected", "component_not_present" },
		{ OPENVEX(STATEMENT("\"web\"", ",\"status_notes\":\"note\"")), "not_affected", "note" },
		{ CDX("\"vulnerabilities\":[{\"id\":\"CVE-2024-1\",\"analysis\":{\"state\":\"resolved\",\"justification\":\"x\",\"detail\":\"y\"},\"affects\":[{\"ref\":\"pkg:npm/lodash\"}]}]"),
		  "resolved", "x: y" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_case c;

		make(&c, rows[i].vex);
		assert_true(c.result.summary.vex > 0);
		const struct scan_finding *f = &c.result.findings[c.result.counting];
		assert_int_equal(f->hush, SCAN_VEX);
		if (!slice_is(f->hush_state, rows[i].state) || !slice_is(f->hush_why, rows[i].why))
			fail_msg("'%.*s' '%.*s'", SLICE_FMT(f->hush_state), SLICE_FMT(f->hush_why));
		assert_true(slice_is(f->hush_source, "vendor.vex.json"));
		case_fini(&c);
	}
}

static void what_is_left_out_is_told(void **state)
{
	struct test_case c;

	make(&c, OPENVEX("{\"vulnerability\":\"CVE-2024-1\",\"status\":\"not_affected\"},"
			 "{\"vulnerability\":\"CVE-2024-1\",\"products\":[\"web\"],\"status\":\"good\"}"));
	assert_int_equal(c.result.warning_count, 2);
	assert_string_equal(c.result.warnings[0], "vendor.vex.json: 1 statements name no product: left out");
	assert_string_equal(c.result.warnings[1], "vendor.vex.json: 1 statements have no status known here: left out");
	case_fini(&c);
}

static void what_is_no_vex_is_refused(void **state)
{
	static const char *const rows[] = { "", "{}", "[]", "{\"statements\":[]}", "{\"bomFormat\":\"SPDX\"}",
					    "{\"@context\":\"https://example.net\"}" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(vex_freep) struct vex *v = NULL;
		struct err err;

		assert_int_equal(vex_new(&v, &err), 0);
		if (vex_parse(v, "f", slice_of(rows[i]), &err) != -ERR_SYNTAX || strncmp(err.msg, "f: ", 3))
			fail_msg("%s: %s", rows[i], err.msg);
	}
}

static void broken_documents_end_in_an_error(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		struct slice text = slice_of(documents[i].vex);

		for (size_t n = 0; n < text.n; n += 5) {
			CLEANUP(vex_freep) struct vex *v = NULL;
			CLEANUP(freep) char *bent = slice_dup(text);

			assert_int_equal(vex_new(&v, NULL), 0);
			assert_true(vex_parse(v, "f", slice_sub(text, 0, n), NULL) < 0);
			bent[n] ^= 1 << n % 7;
			(void)!vex_parse(v, "f", slice_from(bent, text.n), NULL);
		}
	}
}

/* Real documents, where they are. */
static void real_documents_are_read(void **state)
{
	static const char *const files[] = {
		"VEX/vex.json",
		"VEX/CISA-Use-Cases/Case-1/vex-not_affected.json",
		"VEX/CISA-Use-Cases/Case-2/vex.json",
		"VEX/CISA-Use-Cases/Case-8/vex.json",
		"VEX/Use-Cases/Case-9/vex.json",
		"openvex/pkg/ctl/testdata/images.vex.json",
		"openvex/pkg/ctl/testdata/test.vex.json",
		"openvex/pkg/ctl/testdata/v001-1.vex.json",
		"openvex/pkg/ctl/testdata/v020-1.vex.json",
		"openvex/pkg/ctl/testdata/sarif/sample.openvex.json",
	};
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (access(SAMPLES_ZIP, R_OK) < 0) {
		print_message("%s is not there\n", SAMPLES_ZIP);
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP(vex_freep) struct vex *v = NULL;
		struct err err;

		assert_int_equal(vex_new(&v, &err), 0);
		assert_int_equal(sample_read(files[i], &text), 0);
		if (vex_parse(v, files[i], buf_slice(&text), &err) < 0)
			fail_msg("%s", err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_statement_counts_for_what_it_names),
		cmocka_unit_test(the_justification_is_kept),
		cmocka_unit_test(what_is_left_out_is_told),
		cmocka_unit_test(what_is_no_vex_is_refused),
		cmocka_unit_test(broken_documents_end_in_an_error),
		cmocka_unit_test(real_documents_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
