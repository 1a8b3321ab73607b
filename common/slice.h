/* slice.h - bytes that somebody else owns: text and data from outside, never NUL-terminated. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/cleanup.h"

struct slice {
	const char *p; /* nullable only if n is 0 */
	size_t n;      /* bytes */
};

#define SLICE_LIT(s) ((struct slice){ "" s, sizeof(s) - 1 })
#define SLICE_NONE ((struct slice){ NULL, 0 })
/* For printf's %.*s; the length is cut at 4,096. */
#define SLICE_FMT(s) (int)((s).n > 4096 ? 4096 : (s).n), ((s).p ? (s).p : "")

static inline struct slice slice_of(const char *s)
{
	return (struct slice){ s, s ? strlen(s) : 0 };
}

static inline struct slice slice_from(const void *p, size_t n)
{
	return (struct slice){ (const char *)p, n };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

static inline bool slice_is(struct slice a, const char *b)
{
	return slice_eq(a, slice_of(b));
}

static inline bool slice_starts(struct slice a, struct slice prefix)
{
	return a.n >= prefix.n && (!prefix.n || !memcmp(a.p, prefix.p, prefix.n));
}

static inline bool slice_ends(struct slice a, struct slice suffix)
{
	return a.n >= suffix.n && (!suffix.n || !memcmp(a.p + a.n - suffix.n, suffix.p, suffix.n));
}

/* a from offset `from` on, at most n bytes; out of range gives an empty slice. */
struct slice slice_sub(struct slice a, size_t from, size_t n);
/* Index of the first b in a, or -1. */
ptrdiff_t slice_find(struct slice a, struct slice b);
ptrdiff_t slice_find_char(struct slice a, char c);
/* Cuts *rest at the first sep and returns what stood before it; false when *rest is used up. */
bool slice_split(struct slice *rest, char sep, struct slice *ret);
/* Without blanks, tabs and line ends at both ends. */
struct slice slice_trim(struct slice a);
/* Decimal digits only, no sign, fits 64 bits: true and *ret. */
bool slice_to_u64(struct slice a, uint64_t *ret);
/* The one way from a slice into a char array: copies what fits, always terminates, returns true
 * if everything fitted. size > 0. */
bool slice_copy(struct slice a, char *dst, size_t size);
/* FNV-1a, 64 bits; for tables in memory, not against attackers. */
uint64_t slice_hash(struct slice a);
/* malloc'd NUL-terminated copy; caller frees. NULL when out of memory. */
char *slice_dup(struct slice a) WARN_UNUSED;
