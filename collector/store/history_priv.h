/* history_priv.h - the day files, shared by writing, asking, checking. Private to the store.
 *
 *	a commit ──► tail row ──┐ 8,192 records, 10 minutes or midnight
 *	a commit ──► tail row ──┴──► block (zstd) + postings (term, block)
 *
 * Records are numbered through a day (rid); sealing moves records and keeps their numbers. */
#pragma once
#include <zstd.h>

#include "collector/store/record.h"
#include "collector/store/segment.h"
#include "collector/store/store_priv.h"

/* Measured on execs of 445 bytes: level 1 makes blocks a sixth larger, 6 halves the speed. A tail row is
 * packed for less to write, and soon packed again. */
enum { BLOCK_LEVEL = 3, TAIL_LEVEL = 1 };
enum { DAYS_OPEN = 6, DAYS_MAX = 4096, SOURCES_MAX = 8192, TERM_SLOTS = 1 << 18 };

struct day {
	uint32_t date; /* 20261123; 0 = free */
	uint64_t used;
	struct db db;
};

/* What the history has of one agent's epoch. */
struct source {
	char *agent; /* owned */
	uint64_t epoch, mark;
	bool is_dirty;
};

struct history {
	struct day days[DAYS_OPEN];
	uint64_t uses;
	/* the open transaction */
	struct day *write; /* NULL = none */
	struct day *seal;  /* its tail is full; between history_commit and history_committed */
	uint64_t next_rid, tail_count, tail_bytes;
	struct segment *pending;
	struct source *sources;
	size_t source_count, source_last;
	/* room to work in, kept so that nothing is allocated per block */
	struct segment *sealing, *reading;
	struct buf encoded, packed, unpacked;
	/* Terms of what is pending, or of a block being made: open addressing, 0 = free. */
	uint64_t *terms;
	uint32_t *term_slots; /* which are in use */
	uint64_t *term_list;
	size_t term_count;
	struct arena *arena;
	ZSTD_CCtx *zc;
	ZSTD_DCtx *zd;
	uint64_t tidied_boot_ns;
	uint32_t tidied_date;
	bool is_asking;
	struct {
		uint32_t date;
		uint64_t records;
	} counted[DAYS_MAX]; /* days that no longer change */
	size_t counted_count;
};

uint32_t history_date(uint64_t unix_ns);
/* Dates of the day files, ascending; at most DAYS_MAX. */
int history_dates(struct store *s, uint32_t *ret, size_t *ret_count, struct err *err) WARN_UNUSED;
/* Opens (or finds open) the file of a day. ENOENT unless create. */
int history_day(struct store *s, uint32_t date, bool create, struct day **ret,
		struct err *err) WARN_UNUSED;
/* Turns the tail into blocks: full ones, and with `all` the rest too. In a transaction of the day. */
int history_seal(struct history *h, struct db *d, bool all, struct err *err) WARN_UNUSED;
/* A set of terms. terms_add fits record_terms; arg is the history. */
void terms_add(void *arg, uint64_t term);
void terms_clear(struct history *h);
/* Their bytes, in h->term_list; borrowed until the next change. */
struct slice terms_sorted(struct history *h);
/* h->encoded into h->packed. */
int history_pack(struct history *h, int level, struct err *err) WARN_UNUSED;
/* A block's or tail row's bytes into h->unpacked, checked by zstd's own checksum. ERR_CORRUPT. */
int history_unpack(struct history *h, struct slice packed, uint64_t raw_bytes,
		   struct err *err) WARN_UNUSED;
