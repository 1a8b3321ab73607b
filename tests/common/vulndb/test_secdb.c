/* secdb: fixes by version become advisories by id, of the distribution and release the document says. */
#include "tests/common/vulndb/reader.h"

static int read_text(const char *text, struct buf *b, struct err *err)
{
	buf_reset(b);
	return secdb_read(slice_of(text), put_advisory, put_bad, b, err);
}

static void fixes_become_advisories(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	/* what it is of may stand behind */
	assert_int_equal(read_text("{\"packages\":[{\"pkg\":{\"name\":\"openssl\",\"secfixes\":{\"3.1.4-r5\":[\"CVE-2024-1 (+ fix)\","
				   "\"CVE-2024-2 CVE-2024-3\"],\"0\":[\"CVE-2024-4\",\"XSA-201\"]}}},{\"pkg\":{\"name\":\"none\","
				   "\"secfixes\":{}}}],\"distroversion\":\"v3.18\",\"reponame\":\"main\",\"urlprefix\":\"https://x/alpine\"}",
				   &b, NULL),
			 0);
	assert_string_equal(b.p,
			    "Alpine:v3.18/main/openssl/CVE-2024-1/3.1.4-r5 part=Alpine:v3.18/main; Alpine:v3.18 openssl affected 0-3.1.4-r5\n"
			    "Alpine:v3.18/main/openssl/CVE-2024-2/3.1.4-r5 part=Alpine:v3.18/main; Alpine:v3.18 openssl affected 0-3.1.4-r5\n"
			    "Alpine:v3.18/main/openssl/CVE-2024-3/3.1.4-r5 part=Alpine:v3.18/main; Alpine:v3.18 openssl affected 0-3.1.4-r5\n"
			    "Alpine:v3.18/main/openssl/CVE-2024-4/0 part=Alpine:v3.18/main; Alpine:v3.18 openssl affected 0-0\n"
			    "Alpine:v3.18/main/openssl/XSA-201/0 part=Alpine:v3.18/main; Alpine:v3.18 openssl affected 0-0\n");
}

static void the_publisher_is_known_by_its_url(void **state)
{
	static const struct {
		const char *head, *ecosystem;
	} rows[] = {
		{ "\"urlprefix\":\"https://packages.wolfi.dev\"", "Wolfi" },
		{ "\"urlprefix\":\"https://packages.cgr.dev/chainguard\"", "Chainguard" },
		{ "\"distroversion\":\"edge\"", "Alpine" },
		{ "\"urlprefix\":\"https://dl.example.org/alpine\"", "Alpine" },
		{ "\"distroversion\":\"v1\",\"urlprefix\":\"https://strangers.example.org\"", NULL },
		{ "\"name\":\"nobody\"", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256];

		snprintf(text, sizeof(text), "{%s,\"packages\":[]}", rows[i].head);
		const char *got = secdb_ecosystem(slice_of(text));
		assert_true(got == rows[i].ecosystem || (got && rows[i].ecosystem && !strcmp(got, rows[i].ecosystem)));
	}
	assert_null(secdb_ecosystem(SLICE_LIT("{\"distroversion\":\"v3.18\"}")));
}

static void what_is_no_secdb_is_an_error(void **state)
{
	static const char *const rows[] = { "{}", "[]", "{\"packages\":[]}", "{\"packages\":{},\"distroversion\":\"v3\"}",
					    "{\"packages\":[{\"pkg\":{\"name\":\"a\",\"secfixes\":{\"1\":[\"CVE-2024-1\"", "" };
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(read_text(rows[i], &b, NULL), -ERR_SYNTAX);
}

static void a_fix_without_a_name_is_told(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	assert_int_equal(read_text("{\"distroversion\":\"v3.18\",\"packages\":[{\"pkg\":{\"secfixes\":{\"1\":[\"CVE-2024-1\"]}}},"
				   "{\"pkg\":{\"name\":\"a\\nb\",\"secfixes\":{\"1\":[\"CVE-2024-1\"]}}},"
				   "{\"pkg\":{\"name\":\"a\",\"secfixes\":{\"1\\t2\":[\"CVE-2024-1\"]}}}]}",
				   &b, NULL),
			 0);
	assert_string_equal(b.p, "bad: line 1: a fix without a package's name or a version\n"
				 "bad: line 1: a fix without a package's name or a version\n"
				 "bad: line 1: a fix without a package's name or a version\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixes_become_advisories),
		cmocka_unit_test(the_publisher_is_known_by_its_url),
		cmocka_unit_test(what_is_no_secdb_is_an_error),
		cmocka_unit_test(a_fix_without_a_name_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
