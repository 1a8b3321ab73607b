/* inflated.h - deflated data in a blob as a blob itself: readable at any offset without ever being unpacked
 * as a whole. At most 2.2 MiB, whatever the size. */
#pragma once
#include "agent/image/blob.h"

struct inflated;

/* packed_n bytes at off of packed (borrowed as long as this lives) are raw deflate data of `size` bytes
 * unpacked, as whoever packed it says: where there are fewer, reading them is ERR_CORRUPT.
 * budget: bytes that may be unpacked, counted down, shared by all that has to stay within it; borrowed; past it
 * ERR_LIMIT. *ret: caller frees with inflated_free. */
int inflated_new(const struct blob *packed, uint64_t off, uint64_t packed_n, uint64_t size, uint64_t *budget,
		 struct inflated **ret, struct err *err) WARN_UNUSED;
/* Borrowed. */
const struct blob *inflated_blob(const struct inflated *f);
void inflated_free(struct inflated *f);
DEFINE_CLEANUP(struct inflated, inflated_free)
