/* rows.h - tables of versions and ranges, and the loops over them. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/version/version.h"

/* From the oldest to the newest; words between bars are equal ("1.0|1.0.0"). */
enum { CHAIN_MAX = 64 };

struct range_row {
	const char *range, *version;
	bool want;
};

static inline int compare(enum version_scheme s, struct slice a, struct slice b)
{
	struct err err;
	int r = 9;

	if (version_compare(s, a, b, &r, &err) < 0)
		print_error("%.*s, %.*s: %s\n", SLICE_FMT(a), SLICE_FMT(b), err.msg);
	return r;
}

static inline void check_pair(enum version_scheme s, struct slice a, struct slice b, int want)
{
	int r = compare(s, a, b);

	if (r != want)
		print_error("%s: %.*s and %.*s: %d, not %d\n", version_scheme_name(s), SLICE_FMT(a),
			    SLICE_FMT(b), r, want);
	assert_int_equal(r, want);
	assert_int_equal(compare(s, b, a), -want);
}

/* Every two of a chain, both ways. */
static inline void check_chain(enum version_scheme s, const char *const *chain, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = i; k < count; k++) {
			struct slice left = slice_of(chain[i]), a, b;

			while (slice_split(&left, '|', &a)) {
				struct slice right = slice_of(chain[k]);

				while (slice_split(&right, '|', &b))
					check_pair(s, a, b, i < k ? -1 : 0);
			}
		}
	}
}
#define CHECK_CHAIN(scheme, ...)                                                                   \
	do {                                                                                       \
		static const char *const chain_[] = { __VA_ARGS__ };                               \
		check_chain(scheme, chain_, ARRAY_LEN(chain_));                                    \
	} while (0)

static inline void check_valid(enum version_scheme s, const char *const *texts, size_t count, bool want)
{
	for (size_t i = 0; i < count; i++) {
		if (version_is_valid(s, slice_of(texts[i])) != want)
			print_error("%s: '%s'\n", version_scheme_name(s), texts[i]);
		assert_int_equal(version_is_valid(s, slice_of(texts[i])), want);
	}
}
#define CHECK_VALID(scheme, want, ...)                                                             \
	do {                                                                                       \
		static const char *const texts_[] = { __VA_ARGS__ };                               \
		check_valid(scheme, texts_, ARRAY_LEN(texts_), want);                              \
	} while (0)

/* What has no order at all, and the column the error names. */
static inline void check_wrong(enum version_scheme s, const char *text, unsigned column)
{
	struct version v;
	struct err err = { 0 };
	char want[32];

	snprintf(want, sizeof(want), "column %u: ", column);
	assert_int_equal(version_parse(s, slice_of(text), &v, &err), -ERR_SYNTAX);
	if (strncmp(err.msg, want, strlen(want)) != 0)
		print_error("%s: '%s': %s\n", version_scheme_name(s), text, err.msg);
	assert_memory_equal(err.msg, want, strlen(want));
	assert_false(version_is_valid(s, slice_of(text)));
}

static inline void check_ranges(enum version_scheme s, const struct range_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct err err = { 0 };
		bool got = !rows[i].want;
		int r = version_match(s, slice_of(rows[i].range), slice_of(rows[i].version), &got, &err);

		if (r < 0 || got != rows[i].want)
			print_error("%s: '%s' '%s': %s\n", version_scheme_name(s), rows[i].range,
				    rows[i].version, r < 0 ? err.msg : got ? "true" : "false");
		assert_int_equal(r, 0);
		assert_int_equal(got, rows[i].want);
	}
}
#define CHECK_RANGES(scheme, ...)                                                                  \
	do {                                                                                       \
		static const struct range_row rows_[] = { __VA_ARGS__ };                           \
		check_ranges(scheme, rows_, ARRAY_LEN(rows_));                                     \
	} while (0)

static inline void check_wrong_range(enum version_scheme s, const char *range, const char *v, const char *want)
{
	struct err err = { 0 };
	bool got;

	if (version_match(s, slice_of(range), slice_of(v), &got, &err) >= 0)
		print_error("%s: '%s' was taken\n", version_scheme_name(s), range);
	assert_int_equal(err.code, ERR_SYNTAX);
	if (strncmp(err.msg, want, strlen(want)) != 0)
		print_error("%s: '%s': %s\n", version_scheme_name(s), range, err.msg);
	assert_memory_equal(err.msg, want, strlen(want));
}
