/* guess, records: what a document is from its beginning; the records of a file cut apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/vulndb/advisory.h"
#include "common/vulndb/guess.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/records.h"

static void formats_are_known_by_their_beginning(void **state)
{
	static const struct {
		const char *start;
		enum vulndb_format format;
	} rows[] = {
		{ "{\"id\":\"GHSA-1\",\"modified\":\"2024-01-01T00:00:00Z\",\"affected\":[]}", VULNDB_OSV },
		{ "{\"affected\":[{\"package\":{\"eco", VULNDB_OSV },
		{ "[{\"id\":\"GHSA-1\",\"schema_version\":\"1.6.0\"}]", VULNDB_OSV },
		{ "{\"apkurl\":\"x\",\"archs\":[\"x86_64\"],\"pack", VULNDB_ALPINE },
		{ "{\"packages\":[{\"pkg\":", VULNDB_ALPINE },
		{ "{\"title\":\"x\",\"catalogVersion\":\"1\"", VULNDB_KEV },
		{ "{\"openssl\":{\"CVE-2024-0001\":{\"releases\":{", VULNDB_DEBIAN },
		{ "{\"a\":{\"TEMP-1\":{", VULNDB_DEBIAN },
		{ "#model_version:v2023.03.01,score_date:x\ncve", VULNDB_EPSS },
		{ "cve,epss,percentile\n", VULNDB_EPSS },
		{ "{\"id\":1,\"module_name\":\"npm\"}", VULNDB_GUESS },
		{ "{\"a\":{\"b\":1}}", VULNDB_GUESS },
		{ "<html>", VULNDB_GUESS },
		{ "", VULNDB_GUESS },
		{ "\xff\xfe\x00", VULNDB_GUESS },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (guess_format(slice_of(rows[i].start)) != rows[i].format)
			fail_msg("'%s' is taken for %d", rows[i].start, guess_format(slice_of(rows[i].start)));
}

static void a_feed_is_called_by_what_its_records_share(void **state)
{
	static const struct {
		const char *records[3]; /* "ID ecosystem,ecosystem" */
		const char *name;
	} rows[] = {
		{ { "GHSA-1 npm,Maven", "GHSA-2 npm", "GHSA-3 PyPI,npm" }, "osv:npm" },
		{ { "ALSA-1 AlmaLinux:8", "ALSA-2 AlmaLinux:9" }, "osv:AlmaLinux" },
		{ { "GHSA-1 npm", "GHSA-2 PyPI" }, "osv:GHSA" },
		{ { "GHSA-1 npm", "MAL-2 PyPI" }, "osv" },
		{ { "PSF-1", "PSF-2" }, "osv:PSF" },
		{ { NULL }, "osv" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guess_name g = { 0 };
		char name[64];

		for (size_t k = 0; k < 3 && rows[i].records[k]; k++) {
			struct advisory_affected af[4] = { 0 };
			struct slice rest = slice_of(rows[i].records[k]), key = SLICE_NONE, one;
			struct advisory a = { .affected = af };

			(void)slice_split(&rest, ' ', &key);
			a.key = key;
			while (rest.n && slice_split(&rest, ',', &one))
				af[a.affected_count++].ecosystem = one;
			guess_name_add(&g, &a);
		}
		guess_name_end(&g, name, sizeof(name));
		assert_string_equal(name, rows[i].name);
	}
}

/* ---- records ---- */

static int put_record(void *arg, struct slice record, struct err *err)
{
	buf_printf(arg, "%.*s|", SLICE_FMT(record));
	return 0;
}

static int cut(const char *text, size_t chunk, struct buf *b, struct err *err)
{
	CLEANUP(records_finip) struct records r = { 0 };
	int e = 0;

	buf_reset(b);
	records_init(&r, put_record, b);
	for (struct slice rest = slice_of(text); rest.n && e >= 0; rest = slice_sub(rest, chunk, SIZE_MAX))
		e = records_feed(&r, slice_sub(rest, 0, chunk), err);
	return e < 0 ? e : records_end(&r, err);
}

static void records_are_cut_apart_in_any_chunks(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{\"a\":{}}", "{\"a\":{}}|" },
		{ "\xef\xbb\xbf{\"a\":1}\n", "{\"a\":1}|" },
		{ " [ {\"a\":1} , {\"b\":[{}]} ]\n", "{\"a\":1}|{\"b\":[{}]}|" },
		{ "{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}|{\"b\":2}|" },
		{ "{\"s\":\"}{\\\"}\\\\\"}{}", "{\"s\":\"}{\\\"}\\\\\"}|{}|" },
		{ "[]", "" },
	};
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t chunk = 1; chunk < 40; chunk++) {
			/* a byte order mark cut apart is not known as one */
			if (rows[i].text[0] == '\xef' && chunk < 3)
				continue;
			assert_int_equal(cut(rows[i].text, chunk, &b, NULL), 0);
			assert_string_equal(b.n ? b.p : "", rows[i].want);
		}
}

static void what_is_no_record_is_an_error(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	buf_init(&b, 0);
	assert_int_equal(cut("hello", 10, &b, &err), -ERR_SYNTAX);
	assert_int_equal(cut("{\"a\":1", 10, &b, &err), -ERR_SYNTAX);
	assert_int_equal(cut("{\"a\":\"}", 10, &b, &err), -ERR_SYNTAX);
	assert_int_equal(cut("{}}", 10, &b, &err), -ERR_SYNTAX);
}

static void a_record_without_end_is_not_collected(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(records_finip) struct records r = { 0 };
	static char block[65536];
	size_t fed = 0;
	int e = 0;

	buf_init(&b, 0);
	records_init(&r, put_record, &b);
	memset(block, '{', sizeof(block));
	for (; e >= 0 && fed < (64u << 20); fed += sizeof(block))
		e = records_feed(&r, slice_from(block, sizeof(block)), NULL);
	assert_int_equal(e, -ERR_LIMIT);
	assert_true(fed <= VULNDB_RECORD_MAX + 2 * sizeof(block));
	/* the next file is read as if nothing was */
	assert_int_equal(records_end(&r, NULL), -ERR_SYNTAX);
	assert_int_equal(records_feed(&r, SLICE_LIT("{\"a\":1}"), NULL), 0);
	assert_string_equal(b.p, "{\"a\":1}|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_are_known_by_their_beginning),
		cmocka_unit_test(a_feed_is_called_by_what_its_records_share),
		cmocka_unit_test(records_are_cut_apart_in_any_chunks),
		cmocka_unit_test(what_is_no_record_is_an_error),
		cmocka_unit_test(a_record_without_end_is_not_collected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
