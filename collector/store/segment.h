/* segment.h - many records as one run of bytes: what a tail row holds and, compressed, a block.
 * Private to the store. Pure.
 *
 *	1 byte   version, 2
 *	varint   sources; each: varint length, agent, varint epoch
 *	varint   records; then column after column, one varint a record:
 *	           source, sequence number (zigzag, against the one before), length,
 *	           number in the day (against the one before; not in version 1, where they follow `first`)
 *	         the packed records, one behind the other
 */
#pragma once
#include "common/buf.h"
#include "common/err.h"

enum {
	SEGMENT_RECORDS = 8192,
	SEGMENT_SOURCES = 4096,
	SEGMENT_AGENT_BYTES = 256,
	SEGMENT_BYTES = 4 * 1024 * 1024, /* of packed records */
	SEGMENT_RAW_MAX = 8 * 1024 * 1024, /* encoded; more is refused when read */
};

struct segment_source {
	char *agent; /* owned */
	uint64_t epoch;
};
struct segment {
	size_t count, source_count;
	struct segment_source sources[SEGMENT_SOURCES];
	uint16_t slots[2 * SEGMENT_SOURCES]; /* open addressing: index + 1 of a source */
	size_t slotted;			     /* of the sources */
	uint16_t source[SEGMENT_RECORDS];
	uint64_t seq[SEGMENT_RECORDS];
	uint64_t rid[SEGMENT_RECORDS]; /* ascending */
	uint32_t offset[SEGMENT_RECORDS + 1]; /* into bytes */
	const char *bytes; /* of data, or borrowed from what was decoded */
	struct buf data;
	uint64_t t0, t1; /* of what was added; not part of the bytes */
};

struct segment *segment_new(void) WARN_UNUSED;
void segment_free(struct segment *g);
DEFINE_CLEANUP(struct segment, segment_free)
void segment_reset(struct segment *g);
/* Is there room for one more record of so many bytes, from any source? */
bool segment_has_room(const struct segment *g, size_t record_bytes);
/* What a record is beside its bytes. rid: its number in the day, higher than that of the one before. */
struct segment_place {
	const char *agent;
	uint64_t epoch, seq, rid, time_unix_ns;
};
int segment_add(struct segment *g, const struct segment_place *at, struct slice packed,
		struct err *err) WARN_UNUSED;
/* Record i, packed. Borrowed as long as the segment (or what it was decoded from). */
static inline struct slice segment_record(const struct segment *g, size_t i)
{
	return slice_from(g->bytes + g->offset[i], g->offset[i + 1] - g->offset[i]);
}
/* Appends the encoded segment; out's failure is the caller's to check. */
void segment_encode(const struct segment *g, struct buf *out);
/* raw: borrowed as long as g. first: the number of the first record. Error: ERR_CORRUPT. */
int segment_decode(struct slice raw, uint64_t first, struct segment *g, struct err *err) WARN_UNUSED;
