/* osv: a record's fields as an advisory; wrong types are absent, hostile sizes are errors of that record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/osv.h"

struct reading {
	struct osv *osv;
	struct arena *arena;
	struct advisory a;
	struct err err;
};

static int open_reading(void **state)
{
	struct reading *r = calloc(1, sizeof(*r));

	r->osv = osv_new();
	r->arena = arena_new(VULNDB_RECORD_ARENA);
	*state = r;
	return 0;
}

static int close_reading(void **state)
{
	struct reading *r = *state;

	osv_free(r->osv);
	arena_free(r->arena);
	free(r);
	return 0;
}

static int read_text(struct reading *r, const char *text)
{
	arena_reset(r->arena);
	return osv_read(r->osv, slice_of(text), r->arena, &r->a, &r->err);
}

static void assert_slice(struct slice got, const char *want)
{
	if (!slice_is(got, want))
		fail_msg("'%.*s', not '%s'", SLICE_FMT(got), want);
}

static void a_record_is_read_whole(void **state)
{
	struct reading *r = *state;

	assert_int_equal(
		read_text(r, "{\"schema_version\":\"1.6.0\",\"id\":\"GHSA-aaaa-bbbb-cccc\",\"summary\":\" Bad thing \","
			     "\"details\":\"It is bad.\",\"aliases\":[\"CVE-2024-1\",5,\"with blank\",\"GO-2024-1\"],"
			     "\"upstream\":[\"CVE-2024-2\"],\"related\":[\"CVE-2024-3\"],"
			     "\"published\":\"2024-01-02T03:04:05Z\",\"modified\":\"2024-02-02T03:04:05Z\","
			     "\"severity\":[{\"type\":\"CVSS_V3\",\"score\":\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"},"
			     "{\"score\":\"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:L/VI:L/VA:N/SC:N/SI:L/SA:L\",\"type\":\"CVSS_V4\"}],"
			     "\"references\":[{\"type\":\"WEB\",\"url\":\"https://example.org/a\"},"
			     "{\"url\":\"javascript:alert(1)\"},{\"url\":\"https://example.org/\\u0007\"}],"
			     "\"database_specific\":{\"severity\":\"MODERATE\",\"cwe_ids\":[\"CWE-1\"]},"
			     "\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"left-pad\"},"
			     "\"ranges\":[{\"type\":\"SEMVER\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"1.2.0\"}]},"
			     "{\"events\":[{\"introduced\":\"abc\"}],\"type\":\"GIT\"}],\"versions\":[\"1.0.0\",2]}]}"),
		0);
	const struct advisory *a = &r->a;
	assert_slice(a->key, "GHSA-aaaa-bbbb-cccc");
	assert_slice(a->title, "Bad thing");
	assert_int_equal(a->alias_count, 2); /* no number, no blank */
	assert_slice(a->aliases[1], "GO-2024-1");
	assert_slice(a->upstream[0], "CVE-2024-2");
	assert_slice(a->related[0], "CVE-2024-3");
	assert_int_equal(a->url_count, 1);
	assert_true(a->cvss > 5.0 && a->cvss < 5.2); /* v4 goes before v3 */
	assert_int_equal(a->severity, VULN_MEDIUM);
	assert_slice(a->severity_source, "ghsa");
	assert_int_equal(a->affected_count, 1);
	assert_int_equal(a->affected[0].events.count, 2); /* commits are left out */
	assert_int_equal(a->affected[0].events.v[1].kind, ADVISORY_FIXED);
	assert_int_equal(a->affected[0].version_count, 2);
	assert_slice(a->affected[0].versions[1], "2");
}

static void severities_come_from_who_says_them(void **state)
{
	static const struct {
		const char *text;
		enum vuln_severity severity;
		const char *source;
	} rows[] = {
		{ "{\"id\":\"X-1\",\"severity\":[{\"type\":\"CVSS_V2\",\"score\":\"AV:N/AC:M/Au:N/C:N/I:P/A:N\"}]}", VULN_MEDIUM,
		  "cvss" },
		{ "{\"id\":\"X-1\",\"severity\":[{\"type\":\"CVSS_V3\",\"score\":\"9.8\"}]}", VULN_UNKNOWN, "" },
		{ "{\"id\":\"UBUNTU-CVE-2024-1\",\"severity\":[{\"type\":\"Ubuntu\",\"score\":\"low\"},{\"type\":\"CVSS_V3\","
		  "\"score\":\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}]}",
		  VULN_LOW, "ubuntu" },
		{ "{\"id\":\"ALSA-1\",\"summary\":\"Important: firefox security update\",\"affected\":[{\"package\":"
		  "{\"ecosystem\":\"AlmaLinux:9\",\"name\":\"firefox\"}}]}",
		  VULN_HIGH, "almalinux" },
		{ "{\"id\":\"X-1\",\"summary\":\"Important: not of a distribution\"}", VULN_UNKNOWN, "" },
		{ "{\"id\":\"BIT-a-1\",\"database_specific\":{\"severity\":\"Critical\"}}", VULN_CRITICAL, "bitnami" },
		{ "{\"id\":\"MAL-2024-1\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"x\"}}]}", VULN_CRITICAL,
		  "osv" },
		{ "{\"id\":\"RUSTSEC-1\",\"affected\":[{\"package\":{\"ecosystem\":\"crates.io\",\"name\":\"x\"},"
		  "\"database_specific\":{\"informational\":\"unmaintained\"}}]}",
		  VULN_NONE, "osv" },
		{ "{\"id\":\"GHSA-1\",\"database_specific\":\"<Any value>\"}", VULN_UNKNOWN, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading *r = *state;

		assert_int_equal(read_text(r, rows[i].text), 0);
		assert_int_equal(r->a.severity, rows[i].severity);
		assert_slice(r->a.severity_source, rows[i].source);
	}
}

static void debians_urgency_is_of_the_package(void **state)
{
	struct reading *r = *state;

	assert_int_equal(read_text(r, "{\"id\":\"DEBIAN-CVE-2024-1\",\"affected\":["
				      "{\"package\":{\"ecosystem\":\"Debian:12\",\"name\":\"a\"},\"ecosystem_specific\":{\"urgency\":\"unimportant\"}},"
				      "{\"package\":{\"ecosystem\":\"Debian:11\",\"name\":\"a\"},\"ecosystem_specific\":{\"urgency\":\"end-of-life\"}},"
				      "{\"package\":{\"ecosystem\":\"Debian:13\",\"name\":\"a\"},\"ecosystem_specific\":{\"urgency\":\"not yet assigned\"}}]}"),
			 0);
	assert_int_equal(r->a.affected[0].severity, VULN_LOW);
	assert_slice(r->a.affected[0].note, "unimportant");
	assert_int_equal(r->a.affected[1].status, VULN_END_OF_LIFE);
	assert_false(r->a.affected[2].has_severity);
}

static void githubs_last_known_version_bounds_an_open_range(void **state)
{
	static const struct {
		const char *known;
		size_t events;
		enum advisory_event_kind kind;
	} rows[] = { { "< 2.1.3", 2, ADVISORY_LIMIT },
		     { "<= 2.1.3", 2, ADVISORY_LAST_AFFECTED },
		     { "> 1, < 2", 1, 0 },
		     { "<", 1, 0 } };
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading *r = *state;

		snprintf(text, sizeof(text),
			 "{\"id\":\"GHSA-1\",\"affected\":[{\"database_specific\":{\"last_known_affected_version_range\":\"%s\"},"
			 "\"package\":{\"ecosystem\":\"npm\",\"name\":\"x\"},\"ranges\":[{\"type\":\"SEMVER\",\"events\":"
			 "[{\"introduced\":\"0\"}]}]}]}",
			 rows[i].known);
		assert_int_equal(read_text(r, text), 0);
		assert_int_equal(r->a.affected[0].events.count, rows[i].events);
		if (rows[i].events == 2)
			assert_int_equal(r->a.affected[0].events.v[1].kind, rows[i].kind);
	}
}

static void a_repository_without_a_package_is_left_out(void **state)
{
	struct reading *r = *state;

	assert_int_equal(read_text(r, "{\"id\":\"PSF-1\",\"affected\":[{\"ranges\":[{\"type\":\"GIT\",\"events\":[{\"introduced\":\"a\"}]}]},"
				      "[[]],7,{\"package\":{\"ecosystem\":\"\",\"name\":\"x\"}}]}"),
			 0);
	assert_int_equal(r->a.affected_count, 0);
}

static void what_is_wrong_is_an_error_of_the_record(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "{}", "no id" },
		{ "[]", "no id" },
		{ "{\"id\":5}", "id" },
		{ "{\"id\":\"a b\"}", "id" },
		{ "{\"id\":\"A\",\"affected\":[{\"package\":{\"name\":\"a\\nb\"}}]}", "name" },
		{ "{\"id\":\"A\",\"affected\":[{\"ranges\":[{\"events\":[{\"fixed\":\"1\\n2\"}]}]}]}", "version" },
		{ "{\"id\":\"A\",\"affected\":[{\"ranges\":[{\"events\":[{\"fixed\":null}]}]}]}", "version" },
		{ "{\"id\":\"A\",\"affected\":[{\"versions\":[\"\"]}]}", "version" },
		{ "{\"id\":\"A\"", "JSON" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading *r = *state;

		assert_int_equal(read_text(r, rows[i].text), -ERR_SYNTAX);
		if (!strstr(r->err.msg, rows[i].says))
			fail_msg("%s: %s", rows[i].text, r->err.msg);
	}
}

static void repeat(struct buf *b, const char *before, const char *unit, unsigned count, const char *after)
{
	buf_reset(b);
	buf_add_str(b, before);
	for (unsigned i = 0; i < count; i++) {
		buf_add_str(b, i ? "," : "");
		buf_add_str(b, unit);
	}
	buf_add_str(b, after);
}

static void absurd_counts_are_refused(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct reading *r = *state;

	buf_init(&b, 0);
	repeat(&b, "{\"id\":\"A\",\"aliases\":[", "\"CVE-2024-1\"", VULNDB_IDS_MAX + 1, "]}");
	assert_int_equal(read_text(r, b.p), -ERR_LIMIT);
	repeat(&b, "{\"id\":\"A\",\"affected\":[", "{\"package\":{\"ecosystem\":\"npm\",\"name\":\"x\"}}",
	       VULNDB_AFFECTED_MAX + 1, "]}");
	assert_int_equal(read_text(r, b.p), -ERR_LIMIT);
	repeat(&b, "{\"id\":\"A\",\"affected\":[{\"ranges\":[{\"events\":[", "{\"fixed\":\"1\"}", VULNDB_EVENTS_MAX + 1,
	       "]}]}]}");
	assert_int_equal(read_text(r, b.p), -ERR_LIMIT);
	repeat(&b, "{\"id\":\"A\",\"affected\":[{\"versions\":[", "1", VULNDB_VERSIONS_MAX + 1, "]}]}");
	assert_int_equal(read_text(r, b.p), -ERR_LIMIT);
	repeat(&b, "{\"id\":\"A\",\"references\":[", "{\"url\":\"https://x\"}", 100000, "]}");
	assert_int_equal(read_text(r, b.p), 0);
	assert_int_equal(r->a.url_count, VULNDB_URLS_MAX);
}

static void long_texts_are_cut_between_characters(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct reading *r = *state;

	buf_init(&b, 0);
	buf_add_str(&b, "{\"id\":\"A\",\"summary\":\"x");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&b, "\xc3\xbc");
	buf_add_str(&b, "\"}");
	assert_int_equal(read_text(r, b.p), 0);
	assert_int_equal(r->a.title.n, VULNDB_TITLE_MAX - 1);
}

static void every_cut_of_a_record_is_an_error(void **state)
{
	static const char text[] = "{\"id\":\"A\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"x\"},\"ranges\":"
				   "[{\"type\":\"SEMVER\",\"events\":[{\"introduced\":\"0\"}]}],\"versions\":[\"1\"]}]}";
	struct reading *r = *state;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		CLEANUP(freep) char *exact = malloc(n + 1);

		memcpy(exact, text, n);
		arena_reset(r->arena);
		assert_int_equal(osv_read(r->osv, slice_from(exact, n), r->arena, &r->a, NULL), -ERR_SYNTAX);
	}
	assert_int_equal(read_text(r, text), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_reading, close_reading)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_record_is_read_whole),
		T(severities_come_from_who_says_them),
		T(debians_urgency_is_of_the_package),
		T(githubs_last_known_version_bounds_an_open_range),
		T(a_repository_without_a_package_is_left_out),
		T(what_is_wrong_is_an_error_of_the_record),
		T(absurd_counts_are_refused),
		T(long_texts_are_cut_between_characters),
		T(every_cut_of_a_record_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
