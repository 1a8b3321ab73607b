/* groups, advisory: which vulnerabilities an advisory is about, and what counts as an id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/vulndb/groups.h"

static struct slice *list(struct arena *a, const char *text, size_t *count)
{
	struct slice *v = arena_zalloc(a, 16, sizeof(*v)), rest = slice_of(text), word;

	*count = 0;
	while (rest.n && slice_split(&rest, ' ', &word))
		v[(*count)++] = word;
	return v;
}

static void an_advisory_is_about_one_or_many(void **state)
{
	static const struct {
		const char *record, *aliases, *upstream, *related;
		bool is_distro;
		const char *want;
	} rows[] = {
		{ "GHSA-1", "CVE-2024-0002 PYSEC-1", "", "CVE-2024-0009", false, "CVE-2024-0002 GHSA-1 PYSEC-1" },
		{ "GO-1", "CVE-2024-0002 CVE-2024-0001 GHSA-2 GO-1", "CVE-2024-0007", "", false,
		  "CVE-2024-0001 CVE-2024-0002 GHSA-2 GO-1" },
		{ "RUSTSEC-1", "", "", "", false, "RUSTSEC-1" },
		/* the older of two, by number */
		{ "X-1", "CVE-2024-10000 CVE-2024-9999", "", "", false, "CVE-2024-9999 CVE-2024-10000 X-1" },
		{ "ALSA-1", "", "", "CVE-2024-0002 CVE-2024-0001 RHBA-1", true, "CVE-2024-0001\nCVE-2024-0002" },
		{ "RHSA-1", "", "CVE-2023-45288", "GO-2024-2687", true, "CVE-2023-45288" },
		{ "USN-1", "", "CVE-2024-0001 UBUNTU-CVE-2024-0001 CVE-2024-0002", "", true, "CVE-2024-0001\nCVE-2024-0002" },
		{ "UBUNTU-CVE-2024-0001", "", "CVE-2024-0001", "USN-1", true, "CVE-2024-0001" },
		{ "DEBIAN-CVE-2024-0001", "", "", "", true, "CVE-2024-0001" },
		{ "CGA-1", "", "CVE-2024-0001 GHSA-1", "", true, "CVE-2024-0001 GHSA-1" },
		{ "CGA-2", "", "GHSA-1", "", true, "GHSA-1 CGA-2" },
		{ "CVE-2024-0001", "GHSA-1", "", "CVE-2024-0009", true, "CVE-2024-0001 GHSA-1" },
		{ "ALSA-2", "", "", "RHBA-1", true, "ALSA-2" },
		{ "CVE-2024-12345", "", "", "", true, "CVE-2024-12345" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
		struct advisory adv = { .record = slice_of(rows[i].record) };
		struct slice got;

		adv.aliases = list(a, rows[i].aliases, &adv.alias_count);
		adv.upstream = list(a, rows[i].upstream, &adv.upstream_count);
		adv.related = list(a, rows[i].related, &adv.related_count);
		assert_int_equal(groups_make(&adv, rows[i].is_distro, a, &got, NULL), 0);
		if (!slice_is(got, rows[i].want))
			fail_msg("%s: '%.*s', not '%s'", rows[i].record, SLICE_FMT(got), rows[i].want);
	}
}

static void a_cve_is_a_number_only_in_its_usual_form(void **state)
{
	static const char *const wrong[] = { "", "CVE-2024-", "CVE-2024-123", "CVE-2024-01234", "CVE-24-1234", "cve-2024-1234",
					     "CVE-2024-1234x", "CVE-2024-12345678901", "CVE-20241-234", "XCVE-2024-1234" };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(advisory_cve(slice_of(wrong[i])), 0);
	assert_int_equal(advisory_cve(SLICE_LIT("CVE-2024-0001")), 20240000000001);
	assert_int_equal(advisory_cve(SLICE_LIT("CVE-1999-1234567890")), 19991234567890);
	assert_true(slice_is(advisory_plain_id(SLICE_LIT("ALPINE-CVE-2024-1234")), "CVE-2024-1234"));
	assert_true(slice_is(advisory_plain_id(SLICE_LIT("MY-CVE-XX")), "MY-CVE-XX"));
}

static void ids_and_lines_hold_nothing_that_hurts(void **state)
{
	static const char *const ids[] = { "", "a b", "a\nb", "a\"b", "a\\b", "\xc3\xbc", "a\x7f" };

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		assert_false(advisory_is_id(slice_of(ids[i])));
	assert_true(advisory_is_id(SLICE_LIT("SUSE-SU-2023:3313-1")));
	assert_true(advisory_is_line(SLICE_LIT("caf\xc3\xa9 1.0"), 64));
	assert_false(advisory_is_line(SLICE_LIT("a\tb"), 64));
	assert_false(advisory_is_line(SLICE_LIT("long"), 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_advisory_is_about_one_or_many),
		cmocka_unit_test(a_cve_is_a_number_only_in_its_usual_form),
		cmocka_unit_test(ids_and_lines_hold_nothing_that_hurts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
