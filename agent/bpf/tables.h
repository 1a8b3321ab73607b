/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* tables.h - the texts of the filter as the kernel's side looks them up; filled by agent/probe. */
#pragma once
#include <linux/types.h>

enum {
	GRAM_BYTES = 4,
	GRAM_BUCKETS = 1024,
	GRAM_WAYS = 2,
	GRAM_SCAN_MAX = 1023, /* of a longer path nothing is asked: it passes */
	CALLS_MAX = 128,
	CALL_NUMBER_MAX = 512, /* of a table of system calls */
};

/* Four bytes that a path must have. start: rows that want them at offset `at`. any and start 0: free. */
struct gram {
	__u32 key, at;
	__u64 any, start;
};
struct grams {
	__u64 all;	/* rows that ask nothing of the path */
	__u64 bits[64]; /* by the hash's upper 12 bits: most places of a path end here */
	struct gram gram[GRAM_BUCKETS * GRAM_WAYS];
};

static inline __u32 gram_hash(__u32 key)
{
	return key * 0x9e3779b1U;
}
static inline __u32 gram_bucket(__u32 hash)
{
	return (hash >> 20 & (GRAM_BUCKETS - 1)) * GRAM_WAYS;
}
