/* seen.h - what was there before an import and what of it came again: a table of 128-bit keys in memory. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct seen_slot {
	uint64_t a, b;	/* the key */
	int64_t value;
	bool is_used, is_seen;
};
struct seen {
	struct seen_slot *slots; /* owned */
	size_t count, size;	 /* size: a power of two, or 0 */
};

/* The slot of the key; NULL when it is not in the table. Borrowed until the next seen_add. */
struct seen_slot *seen_find(const struct seen *s, uint64_t a, uint64_t b);
/* Adds the key or finds it; *is_new: it was not there. ret: borrowed until the next seen_add. ENOMEM. */
int seen_add(struct seen *s, uint64_t a, uint64_t b, struct seen_slot **ret, bool *is_new, struct err *err) WARN_UNUSED;
void seen_fini(struct seen *s);
static inline void seen_finip(struct seen *s)
{
	seen_fini(s);
}
