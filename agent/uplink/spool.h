/* spool.h - records waiting for the collector: bounded, on disk, per class, in one sequence. One
 * thread.
 *
 * Every spool_open begins an epoch of its own: a number of an earlier run is never given out again,
 * whatever a crash or a power cut left of that run. Earlier runs' records are read first, under
 * their own epoch. A number that is not there when its turn comes is a hole: its record was dropped
 * and counted, or damaged. */
#pragma once
#include "agent/uplink/uplink.h"

struct spool;

struct spool_item {
	enum uplink_class class;
	uint64_t epoch, seq, time_unix_ns;
	struct slice body; /* borrowed until the next call that reads, acknowledges or appends */
};

struct spool_stats {
	uint64_t epoch, produced; /* numbers given out in this epoch that are written, or lost */
	uint64_t records, bytes,
		oldest_unix_ns;		   /* records: an estimate within the oldest segment */
	uint64_t lost[UPLINK_CLASS_COUNT]; /* since open */
};

/* Opens dir_path (borrowed; made if missing) and looks at what an earlier run left: unfinished
 * segments are scanned, damaged places in them counted, unreadable ones renamed .bad, foreign files
 * and links ignored with one log line. max_bytes: SPOOL_BYTES_MIN .. _MAX.
 * *ret: caller frees with spool_close. Errors: EBUSY (another process has it), ENOENT, EACCES ...
 */
int spool_open(const char *dir_path, uint64_t max_bytes, const struct clock *clk,
	       struct spool **ret, struct err *err) WARN_UNUSED;
/* Copies the record (1 .. LIMIT_RECORD_BYTES) into the class's buffer. Full: drops the oldest
 * segment of the lowest class that is not above `class`, counted. Every call gives out a number,
 * also one that fails (ENOSPC: nothing could be dropped, or the disk takes nothing): that one is
 * lost and counted. */
int spool_append(struct spool *s, enum uplink_class class, uint64_t time_unix_ns,
		 struct slice record, uint64_t *ret_seq, struct err *err) WARN_UNUSED;
/* Hands what is buffered to the kernel: from then on it survives a kill and may be read. After a
 * failure (disk full) it does nothing for SPOOL_RETRY_MS; what is buffered stays. */
int spool_flush(struct spool *s, struct err *err) WARN_UNUSED;
/* fdatasync of what was flushed and is not acknowledged. */
int spool_sync(struct spool *s, struct err *err) WARN_UNUSED;
bool spool_is_buffered(const struct spool *s);

/* The next record in the order of (epoch, number), or false when there is none (yet). */
bool spool_peek(struct spool *s, struct spool_item *ret);
/* Goes on to the one after the peeked one. */
void spool_take(struct spool *s);
/* Starts again behind what is acknowledged: nothing is under way any more. */
void spool_rewind(struct spool *s);
/* Everything of epoch up to seq (UINT64_MAX: all of it) is the collector's now, or given up.
 * Finished segments go. What has been taken and is not acknowledged is under way and never dropped.
 */
void spool_ack(struct spool *s, uint64_t epoch, uint64_t seq);
/* The collector won't have this record: counted as lost, "refused". The caller acknowledges it. */
void spool_count_refused(struct spool *s, const struct spool_item *item);

/* Losses not yet told, one by one; false when there is none or the disk takes nothing now (telling
 * makes a record). reason: borrowed, for ever. */
bool spool_take_loss(struct spool *s, struct uplink_loss *ret);
void spool_stats(const struct spool *s, struct spool_stats *ret);
/* The number behind the last one of the epoch that is known here. */
uint64_t spool_epoch_end(const struct spool *s, uint64_t epoch);
/* Largest number of bytes that may be under way, so that dropping still has something to drop. */
uint64_t spool_flight_bytes(const struct spool *s);
/* Flushes, syncs and closes. NULL is allowed. */
void spool_close(struct spool *s);
DEFINE_CLEANUP(struct spool, spool_close)
