/* range: OSV's events become intervals, and a version is judged as OSV says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/vulndb/limits.h"
#include "common/vulndb/range.h"

/* "i0 f1.2 l2.0 m3|i4": introduced, fixed, last affected, limit; | begins the next range. "=1.0" is listed. */
static struct advisory_affected parse(struct arena *a, const char *text)
{
	static const char kinds[] = "iflm";
	struct advisory_affected af = { 0 };
	struct slice rest = slice_of(text), word;

	af.events.v = arena_zalloc(a, 64, sizeof(*af.events.v));
	af.events.range = arena_zalloc(a, 64, sizeof(unsigned));
	af.versions = arena_zalloc(a, 64, sizeof(*af.versions));
	while (slice_split(&rest, ' ', &word)) {
		if (slice_is(word, "|")) {
			af.ranges++;
		} else if (word.p[0] == '=') {
			af.versions[af.version_count++] = slice_sub(word, 1, SIZE_MAX);
		} else {
			af.events.range[af.events.count] = af.ranges;
			af.events.v[af.events.count++] =
				(struct advisory_event){ (enum advisory_event_kind)(strchr(kinds, word.p[0]) - kinds),
							 slice_sub(word, 1, SIZE_MAX) };
		}
	}
	return af;
}

static void compiled(struct arena *a, enum version_scheme s, const char *text, struct slice *ranges,
		     struct slice *versions)
{
	struct advisory_affected af = parse(a, text);

	assert_int_equal(range_compile(s, &af, a, ranges, versions, NULL), 0);
}

static void events_become_intervals(void **state)
{
	static const struct {
		enum version_scheme scheme;
		const char *events, *shown;
	} rows[] = {
		{ VERSION_SEMVER, "i0 f1.2.0", "<1.2.0" },
		{ VERSION_SEMVER, "i0", "*" },
		{ VERSION_SEMVER, "i1.0.0", ">=1.0.0" },
		{ VERSION_SEMVER, "i1.0.0 l1.4.0", ">=1.0.0, <=1.4.0" },
		{ VERSION_SEMVER, "i1.0.0 f1.2.0 i2.0.0 f2.3.0", ">=1.0.0, <1.2.0 || >=2.0.0, <2.3.0" },
		/* in any order */
		{ VERSION_SEMVER, "i2.0.0 f1.2.0 f2.3.0 i0", "<1.2.0 || >=2.0.0, <2.3.0" },
		{ VERSION_SEMVER, "f1.10.0 i1.9.0 f1.2.0 i0", "<1.2.0 || >=1.9.0, <1.10.0" },
		/* open when introduced twice, closed when fixed twice */
		{ VERSION_SEMVER, "i1.0.0 i1.1.0 f2.0.0 f3.0.0", ">=1.0.0, <2.0.0" },
		{ VERSION_SEMVER, "f2.0.0", "<2.0.0" },
		{ VERSION_SEMVER, "i0 m2.0.0", "<2.0.0" },
		{ VERSION_SEMVER, "i0 f3.0.0 m2.0.0", "<2.0.0" },
		{ VERSION_SEMVER, "i0 f1.0.0 m2.0.0", "<1.0.0" },
		{ VERSION_SEMVER, "i0 m*", "*" },
		{ VERSION_SEMVER, "i0 f1.0.0 | i2.0.0 f2.1.0", "<1.0.0 || >=2.0.0, <2.1.0" },
		{ VERSION_DEB, "i0 f0", "<0" },
		{ VERSION_DEB, "i0 f1:2.0-1~deb12u1", "<1:2.0-1~deb12u1" },
		/* what is no version stays where it stood */
		{ VERSION_SEMVER, "i2.x f! i1.0.0 f1.1.0", ">=2.x, <! || >=1.0.0, <1.1.0" },
		/* what only its tools warn of has a place */
		{ VERSION_NPM, "i2.0.0 f1.0 f2.1 i0", "<1.0 || >=2.0.0, <2.1" },
		/* listed versions that an interval has are not kept */
		{ VERSION_SEMVER, "i1.0.0 f2.0.0 =1.5.0 =1.0.0 =2.0.0 =0.9.0", ">=1.0.0, <2.0.0 || =2.0.0 || =0.9.0" },
		{ VERSION_PEP440, "=1.0 =1.1", "=1.0 || =1.1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
		CLEANUP(buf_finip) struct buf b = { 0 };
		struct slice ranges, versions;

		buf_init(&b, 0);
		compiled(a, rows[i].scheme, rows[i].events, &ranges, &versions);
		range_show(ranges, versions, 1000, &b);
		if (strcmp(b.p, rows[i].shown))
			fail_msg("%s: '%s', not '%s'", rows[i].events, b.p, rows[i].shown);
	}
}

static void versions_are_judged(void **state)
{
	static const struct {
		enum version_scheme scheme;
		const char *events, *version, *fixed; /* fixed NULL: not affected */
	} rows[] = {
		{ VERSION_SEMVER, "i0 f1.2.0", "1.1.9", "1.2.0" },
		{ VERSION_SEMVER, "i0 f1.2.0", "1.2.0", NULL },
		{ VERSION_SEMVER, "i0 f1.2.0", "1.2.0-rc.1", "1.2.0" },
		{ VERSION_SEMVER, "i1.0.0 l1.4.0", "1.4.0", "" },
		{ VERSION_SEMVER, "i1.0.0 l1.4.0", "1.4.1", NULL },
		{ VERSION_SEMVER, "i1.0.0", "0.9.0", NULL },
		{ VERSION_SEMVER, "i1.0.0 f1.2.0 i2.0.0 f2.3.0", "2.1.0", "2.3.0" },
		{ VERSION_SEMVER, "i1.0.0 f1.2.0 i2.0.0 f2.3.0", "1.5.0", NULL },
		{ VERSION_SEMVER, "i0 m2.0.0", "1.0.0", "" },
		{ VERSION_SEMVER, "i0 m2.0.0", "2.0.0", NULL },
		{ VERSION_DEB, "i0 f0", "1.0-1", NULL },
		{ VERSION_DEB, "i0", "anything", "" },
		{ VERSION_DEB, "i0 f1:1.0-1", "9.0-1", "1:1.0-1" },
		{ VERSION_RPM, "i0 f1:3.0.7-6.el9_2", "1:3.0.1-20.el9_0", "1:3.0.7-6.el9_2" },
		{ VERSION_APK, "i0 f3.1.4-r5", "3.1.4-r4", "3.1.4-r5" },
		{ VERSION_GO, "i1.21.0-0 f1.21.4 i0 f1.20.11", "go1.21.3", "1.21.4" },
		{ VERSION_GO, "i0 f0.23.0", "v0.22.0", "0.23.0" },
		{ VERSION_GO, "i0 f0.23.0", "v0.23.0", NULL },
		/* a version that is none: only where all are, or where it is listed */
		{ VERSION_SEMVER, "i0 f1.2.0", "(devel)", NULL },
		{ VERSION_SEMVER, "i0", "(devel)", "" },
		{ VERSION_SEMVER, "i0 f1.2.0 =weird", "weird", "" },
		{ VERSION_SEMVER, "i0 f!!", "1.0.0", NULL },
		/* listed ones, beside ranges by their text, alone by what they mean */
		{ VERSION_PEP440, "i2.0 f2.1 =1.0", "1.0", "2.1" },
		{ VERSION_PEP440, "i2.0 f2.1 =1.0", "1.0.0", NULL },
		{ VERSION_PEP440, "=1.0", "1.0.0", "" },
		{ VERSION_PEP440, "=1.0", "1.0.1", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
		struct slice ranges, versions;

		compiled(a, rows[i].scheme, rows[i].events, &ranges, &versions);
		struct range_verdict v = range_judge(rows[i].scheme, ranges, versions, slice_of(rows[i].version));
		if (v.is_affected != (rows[i].fixed != NULL) || (rows[i].fixed && !slice_is(v.fixed, rows[i].fixed)))
			fail_msg("%s against '%s': %d '%.*s'", rows[i].version, rows[i].events, v.is_affected,
				 SLICE_FMT(v.fixed));
	}
}

static void a_long_list_is_shown_cut(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice ranges, versions;

	buf_init(&b, 0);
	compiled(a, VERSION_PEP440, "=1.0 =1.1 =1.2 =1.3 =1.4 =1.5", &ranges, &versions);
	range_show(ranges, versions, 12, &b);
	assert_string_equal(b.p, "=1.0 || =1.1 …");
}

static void more_versions_than_can_be_held_against_intervals_are_kept(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(VULNDB_RECORD_ARENA);
	struct advisory_affected af = parse(a, "i1.0.0 f2.0.0");
	struct slice ranges, versions;

	af.version_count = 50000;
	af.versions = arena_zalloc(a, af.version_count, sizeof(struct slice));
	for (size_t i = 0; i < af.version_count; i++)
		af.versions[i] = SLICE_LIT("1.5.0");
	assert_int_equal(range_compile(VERSION_SEMVER, &af, a, &ranges, &versions, NULL), 0);
	assert_int_equal(versions.n, 50000 * 6 - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_become_intervals),
		cmocka_unit_test(versions_are_judged),
		cmocka_unit_test(a_long_list_is_shown_cut),
		cmocka_unit_test(more_versions_than_can_be_held_against_intervals_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
