/* debian: every word of the tracker has its status; a stream in any chunks, one CVE in memory. */
#include "tests/common/vulndb/reader.h"

static int read_text(const char *text, size_t chunk, struct buf *b, struct err *err)
{
	CLEANUP(debian_freep) struct debian *d = debian_new(put_advisory, put_bad, b);
	struct slice rest = slice_of(text);
	int r = 0;

	buf_reset(b);
	for (; rest.n && r >= 0; rest = slice_sub(rest, chunk, SIZE_MAX))
		r = debian_feed(d, slice_sub(rest, 0, chunk), err);
	return r < 0 ? r : debian_end(d, err);
}

static void every_word_has_its_status(void **state)
{
	static const struct {
		const char *release, *want;
	} rows[] = {
		{ "\"status\":\"resolved\",\"fixed_version\":\"1.2-3\",\"urgency\":\"high**\"", "affected 0-1.2-3 high" },
		{ "\"status\":\"resolved\",\"fixed_version\":\"0\",\"urgency\":\"unimportant\"", "affected 0-0 low (unimportant)" },
		{ "\"status\":\"open\",\"urgency\":\"not yet assigned\"", "affected 0" },
		{ "\"status\":\"open\",\"urgency\":\"unimportant\"", "affected 0 low (unimportant)" },
		{ "\"status\":\"open\",\"nodsa\":\"Minor issue\",\"nodsa_reason\":\"\"", "fix_deferred 0 (Minor issue)" },
		{ "\"status\":\"open\",\"nodsa\":\"Later\",\"nodsa_reason\":\"postponed\"", "fix_deferred 0 (Later)" },
		{ "\"status\":\"open\",\"nodsa\":\"Too hard\",\"nodsa_reason\":\"ignored\"", "will_not_fix 0 (Too hard)" },
		{ "\"status\":\"open\",\"urgency\":\"end-of-life\",\"nodsa\":\"EOL\"", "end_of_life 0 (EOL)" },
		{ "\"status\":\"undetermined\",\"urgency\":\"not yet assigned\"", "under_investigation 0" },
		/* fixed after all: what was said of waiting does not count */
		{ "\"status\":\"resolved\",\"fixed_version\":\"2\",\"nodsa\":\"Minor\",\"nodsa_reason\":\"postponed\"",
		  "affected 0-2 (Minor)" },
		{ "\"status\":\"resolved\",\"urgency\":\"low\"", "affected 0 low" }, /* no version: all are affected */
	};
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512], want[256];

		snprintf(text, sizeof(text),
			 "{\"src\":{\"CVE-2024-1\":{\"description\":\"d\",\"debianbug\":5,\"releases\":{\"bookworm\":{%s,"
			 "\"repositories\":{\"bookworm\":\"1\"}}}}}}",
			 rows[i].release);
		snprintf(want, sizeof(want), "src/CVE-2024-1; Debian:bookworm src %s\n", rows[i].want);
		assert_int_equal(read_text(text, 4096, &b, NULL), 0);
		assert_string_equal(b.p, want);
	}
}

static const char two_sources[] =
	"{\"a\":{\"CVE-2024-1\":{\"releases\":{\"sid\":{\"status\":\"open\"},\"trixie\":{\"status\":\"resolved\","
	"\"fixed_version\":\"1\"}}},\"TEMP-0000001-ABCDEF\":{\"releases\":[]}},"
	"\"b\":{\"CVE-2024-2\":{\"description\":\"** REJECTED ** no\",\"releases\":{\"sid\":{\"status\":\"open\"}}}},\"c\":{}}";

static void sources_and_releases_in_any_chunks(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	for (size_t chunk = 1; chunk < sizeof(two_sources); chunk += 7) {
		assert_int_equal(read_text(two_sources, chunk, &b, NULL), 0);
		assert_string_equal(b.p, "a/CVE-2024-1; Debian:sid a affected 0; Debian:trixie a affected 0-1\n"
					 "a/TEMP-0000001-ABCDEF\n"
					 "b/CVE-2024-2 withdrawn; Debian:sid b affected 0\n");
	}
}

static void a_wrong_entry_is_told_and_left_out(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	assert_int_equal(read_text("{\"a\":{\"no id\":{\"releases\":{}},\"CVE-2024-1\":{\"releases\":{\"sid\":{\"status\":"
				   "\"resolved\",\"fixed_version\":\"1\\n2\"}}},\"CVE-2024-2\":{\"releases\":{}}}}",
				   100, &b, NULL),
			 0);
	assert_non_null(strstr(b.p, "bad: line 1: 'a'"));
	assert_non_null(strstr(b.p, "a/CVE-2024-2\n"));
	assert_null(strstr(b.p, "a/CVE-2024-1"));
}

static void a_cut_tracker_is_an_error(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	char text[sizeof(two_sources)];

	buf_init(&b, 0);
	for (size_t n = 0; n < sizeof(two_sources) - 1; n += 11) {
		memcpy(text, two_sources, n);
		text[n] = 0;
		assert_int_equal(read_text(text, 64, &b, NULL), -ERR_SYNTAX);
	}
}

static void hostile_counts_are_refused(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 }, b = { 0 };

	buf_init(&text, 0);
	buf_init(&b, 0);
	buf_add_str(&text, "{\"a\":{\"CVE-2024-1\":{\"releases\":{\"r\":{}");
	for (int i = 0; i < 100; i++)
		buf_printf(&text, ",\"r%d\":{}", i);
	assert_int_equal(read_text(text.p, 4096, &b, NULL), -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_has_its_status),
		cmocka_unit_test(sources_and_releases_in_any_chunks),
		cmocka_unit_test(a_wrong_entry_is_told_and_left_out),
		cmocka_unit_test(a_cut_tracker_is_an_error),
		cmocka_unit_test(hostile_counts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
