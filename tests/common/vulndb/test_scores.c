/* kev, epss: rows about CVEs out of their publishers' files; a wrong row is told, a wrong file refused. */
#include "tests/common/vulndb/reader.h"

static int put_kev(void *arg, const struct kev_row *r, struct err *err)
{
	buf_printf(arg, "%lld %.*s %.*s %s %.*s\n", (long long)r->cve, SLICE_FMT(r->added), SLICE_FMT(r->due),
		   r->is_ransomware ? "ransomware" : "-", SLICE_FMT(r->title));
	return 0;
}

static int put_epss(void *arg, const struct epss_row *r, struct err *err)
{
	buf_printf(arg, "%lld %.5f %.5f\n", (long long)r->cve, r->score, r->percentile);
	return 0;
}

static void kev_rows_are_read(void **state)
{
	static const char text[] =
		"{\"title\":\"KEV\",\"dateReleased\":\"2025-08-25T17:04:19Z\",\"vulnerabilities\":["
		"{\"cveID\":\"CVE-2021-44228\",\"dateAdded\":\"2021-12-10\",\"dueDate\":\"2021-12-24\","
		"\"vulnerabilityName\":\"Log4j\",\"knownRansomwareCampaignUse\":\"Known\",\"cwes\":[\"CWE-20\"]},"
		"{\"cveID\":\"CVE-2020-0601\",\"dateAdded\":\"a\\u0007b\"},{\"cveID\":\"GHSA-1\"},{}]}";

	CLEANUP(buf_finip) struct buf b = { 0 };
	const struct kev_reader reader = { put_kev, put_bad, &b };

	for (size_t chunk = 1; chunk < 64; chunk += 13) {
		CLEANUP(kev_freep) struct kev *k = kev_new(&reader);

		buf_init(&b, 0);
		for (struct slice rest = slice_of(text); rest.n; rest = slice_sub(rest, chunk, SIZE_MAX))
			assert_int_equal(kev_feed(k, slice_sub(rest, 0, chunk), NULL), 0);
		assert_int_equal(kev_end(k, NULL), 0);
		assert_string_equal(b.p, "20210000044228 2021-12-10 2021-12-24 ransomware Log4j\n"
					 "20200000000601   - \n"
					 "bad: line 1: 'GHSA-1' is no CVE\nbad: line 1: '' is no CVE\n");
		assert_true(slice_is(kev_date(k), "2025-08-25T17:04:19Z"));
		buf_fini(&b);
	}
}

static int read_epss(const char *text, size_t chunk, struct buf *b, struct epss *e, struct err *err)
{
	int r = 0;

	buf_reset(b);
	*e = (struct epss){ .row = put_epss, .bad = put_bad, .arg = b };
	for (struct slice rest = slice_of(text); rest.n && r >= 0; rest = slice_sub(rest, chunk, SIZE_MAX))
		r = epss_feed(e, slice_sub(rest, 0, chunk), err);
	return r < 0 ? r : epss_end(e, err);
}

static void epss_rows_are_read(void **state)
{
	static const char text[] = "#model_version:v2023.03.01,score_date:2024-10-15T00:00:00+0000\ncve,epss,percentile\r\n"
				   "CVE-2021-44228,0.97565,0.99996\r\n\nCVE-1999-0001,1,0\nCVE-2024-1234567,0.00042,.5";
	static const char want[] = "20210000044228 0.97565 0.99996\n19990000000001 1.00000 0.00000\n"
				   "20240001234567 0.00042 0.50000\n";
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct epss e;

	buf_init(&b, 0);
	for (size_t chunk = 1; chunk < 200; chunk += 17) {
		assert_int_equal(read_epss(text, chunk, &b, &e, NULL), 0);
		assert_string_equal(b.p, want);
	}
	assert_string_equal(e.date, "2024-10-15T00:00:00+0000");
}

static void wrong_epss_rows_are_told(void **state)
{
	static const char *const rows[] = { "CVE-2024-1,0.1", "CVE-2024-0001,1.1,0.5", "CVE-2024-0001,-0.1,0.5",
					    "CVE-2024-0001,nan,0.5", "CVE-2024-0001,0x1p-1,0.5", "CVE-2024-0001,0..1,0.5",
					    "CVE-2024-0001,,0.5", "GHSA-1,0.1,0.5", "x", "CVE-2024-0001,.,0.5",
					    "CVE-2024-0001,0.1,0.00000000000000000000001" };
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct epss e;

	buf_init(&b, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(read_epss(rows[i], 100, &b, &e, NULL), 0);
		if (strncmp(b.p ? b.p : "", "bad: line 1", 11))
			fail_msg("'%s' is taken: %s", rows[i], b.p);
	}
}

static void an_epss_line_without_end_is_refused(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct epss e = { .row = put_epss, .bad = put_bad, .arg = &b };
	char block[600];

	buf_init(&b, 0);
	memset(block, 'x', sizeof(block));
	assert_int_equal(epss_feed(&e, slice_from(block, sizeof(block)), NULL), 0);
	assert_int_equal(epss_feed(&e, slice_from(block, sizeof(block)), NULL), -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kev_rows_are_read),
		cmocka_unit_test(epss_rows_are_read),
		cmocka_unit_test(wrong_epss_rows_are_told),
		cmocka_unit_test(an_epss_line_without_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
