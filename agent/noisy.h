/* noisy.h - who makes the most noise lately: the heaviest of a stream of keys, in fixed room.
 *
 * Space-saving: a key without a row takes the smallest one's, with its count. So a key with more than
 * 1/NOISY_ROWS of all is always there, and none is said to have less than it had. Counts halve every
 * NOISY_DECAY_MS, so that what was loud an hour ago is not blamed now. One thread. */
#pragma once
#include <stdint.h>

#include "common/slice.h"

enum { NOISY_ROWS = 16, NOISY_LABEL_BYTES = 200, NOISY_DECAY_MS = 2000 };

struct noisy {
	struct noisy_row {
		uint64_t key, count;
		char label[NOISY_LABEL_BYTES];
	} rows[NOISY_ROWS]; /* count 0: free */
	uint64_t decayed_ns;
};

/* Counts one of key. A new row: returns its label (NOISY_LABEL_BYTES, "") for the caller to fill, else
 * NULL. now_ns: any clock that does not go back. */
char *noisy_add(struct noisy *n, uint64_t key, uint64_t now_ns);
/* Label of the loudest; "" when there was nothing. Borrowed until the next call. */
const char *noisy_most(const struct noisy *n);
