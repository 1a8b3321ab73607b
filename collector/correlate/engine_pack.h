/* engine_pack.h - how a snapshot is written and read.
 *
 *	"PKTCORR1"
 *	seed(16) now order serial, events seen late bad lost
 *	agents: count, each from that silent the longest: agent(n) epoch last
 *	rules: count, each: hash(32) length(4) and in that length
 *		stats(9), groups: count, each from that touched first:
 *			key(n) serial flags size_bits tally_bits opened closed fired (each + 1)
 *			hits: count, time - time before, by the type: - | number(8) | hash(8) | order ref
 *			best (temporal_ordered, + 1), sketch (flag): newest registers
 *			evidence: count, agent's place + 1 (0: gone) time sequence ref
 *	SHA-256 of all that
 * Numbers are base 128, low first; numbers in brackets are bytes, low first. */
#pragma once
#include "collector/correlate/engine_priv.h"

#define PACK_MAGIC "PKTCORR1"
enum { PACK_MAGIC_BYTES = 8, PACK_SUM_BYTES = 32, PACK_ACTIVE = 1, PACK_SKETCH = 2, PACK_STATS = 9 };

/* What is written of a rule's figures, in this order. */
static inline void pack_stats(struct engine_rule_stats *s, uint64_t *ret[PACK_STATS])
{
	uint64_t *all[] = { &s->hits, &s->no_group, &s->no_value, &s->late, &s->evicted, &s->overflowed, &s->fired, &s->suppressed,
			    &s->approximate };

	_Static_assert(ARRAY_LEN(all) == PACK_STATS, "stats");
	memcpy(ret, all, sizeof(all));
}

static inline void pack_u64(struct buf *b, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; v >= 128; v >>= 7)
		bytes[n++] = (uint8_t)(v | 128);
	bytes[n++] = (uint8_t)v;
	buf_add(b, bytes, n);
}

struct unpack {
	const uint8_t *p, *end;
	bool is_bad; /* sticky: nothing read from here on means anything */
};

static inline const uint8_t *unpack_bytes(struct unpack *u, size_t n)
{
	const uint8_t *p = u->p;

	if (u->is_bad || (size_t)(u->end - p) < n) {
		u->is_bad = true;
		return NULL;
	}
	u->p += n;
	return p;
}

/* 0 .. max */
static inline uint64_t unpack_u64(struct unpack *u, uint64_t max)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		const uint8_t *b = unpack_bytes(u, 1);

		if (!b)
			return 0;
		if (shift == 63 && *b > 1)
			break;
		v |= (uint64_t)(*b & 127) << shift;
		if (*b & 128)
			continue;
		if (v > max)
			break;
		return v;
	}
	u->is_bad = true;
	return 0;
}
