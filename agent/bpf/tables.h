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

/* Four bytes (or grams.bytes) that a path must have. start: rows that want them at offset `at`. any
 * and start 0: free. */
struct gram {
	__u32 key, at;
	__u64 any, start;
};
struct grams {
	__u64 all;   /* rows that ask nothing of the path */
	__u32 bytes; /* of a gram: 4, or 3 for names as given, where "../" is what rules look for */
	__u32 mask;  /* of so many bytes, the first in memory */
	__u64 bits[64]; /* by the hash's upper 12 bits: most places of a path end here */
	struct gram gram[GRAM_BUCKETS * GRAM_WAYS];
};

/* One way to fulfil a struct filter_kill. All that it says must hold. */
enum {
	KILL_ROWS_MAX = 64,
	KILL_BANK_SHIFT = 16,
	KILL_EXE_WORDS = 16,
	KILL_EXE_MAX = 8 * KILL_EXE_WORDS - 1
};
struct kill_row {
	__u32 index; /* of struct filter.kills */
	__u16 flags; /* RECORD_EXE_MEMFD, RECORD_EXE_UPPER: must be set */
	__u16 where; /* FILTER_HOST or FILTER_CONTAINER: known to be; 0: anywhere */
	__u32 has_comm;
	__u16 exe_bytes; /* 0: any program */
	__u16 exe_is_whole;
	__u64 comm[2];
	__u64 exe[KILL_EXE_WORDS], exe_mask[KILL_EXE_WORDS];
};

static inline __u32 gram_hash(__u32 key)
{
	return key * 0x9e3779b1U;
}
static inline __u32 gram_bucket(__u32 hash)
{
	return (hash >> 20 & (GRAM_BUCKETS - 1)) * GRAM_WAYS;
}
