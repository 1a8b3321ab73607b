/* history_priv.h - the day files, shared by writing, asking, checking. Private to the store.
 *
 *	a commit ──► tail row a class ──┐ 8,192 records of the class, 10 minutes or midnight
 *	a commit ──► tail row a class ──┴──► block: bytes (zstd) in a file of the class, a row with what
 *	                                     prunes it (times, filter of terms) and chains it (links)
 *
 * Records are numbered through a day (rid), across classes; sealing moves records and keeps their numbers. */
#pragma once
#include <zstd.h>

#include "collector/store/chain.h"
#include "collector/store/record.h"
#include "collector/store/segment.h"
#include "collector/store/store_history.h"
#include "collector/store/store_priv.h"
#include "collector/store/term_set.h"

/* Measured on execs of 445 bytes: 64 bytes an event at level 3, 56 at 6, which costs 2 us more. So blocks that fill
 * faster than 50,000 records a second, as when a long spool is drained, are packed for speed. A tail row is packed
 * for less to write, and soon packed again. */
enum { BLOCK_LEVEL = 6, BLOCK_LEVEL_FAST = 3, TAIL_LEVEL = 1, BLOCK_FAST_MS = 160 };
enum { DAYS_OPEN = 40, DAYS_MAX = 4096, SOURCES_MAX = 8192, CHAINS_MAX = 4 * SOURCES_MAX };
/* A block's terms fit the first; a tail row is cut when the second is full. */
enum { BLOCK_TERMS = 1 << 18, TAIL_TERMS = 1 << 16 };

/* CLASS_MIXED: of before there were classes. Stored: never renumbered. */
enum { CLASS_MIXED, CLASS_PROCESS, CLASS_RARE, CLASS_VOLUME, CLASS_FINDING, CLASS_COUNT };
_Static_assert((int)CLASS_COUNT == (int)STORE_CLASSES + 1, "each class has its name");

struct day {
	uint32_t date; /* 20261123; 0 = free */
	uint64_t used;
	struct db db;
};

/* What the history has of one agent's epoch. */
struct source {
	char *agent; /* owned */
	uint64_t epoch, mark;
	uint32_t chain[CLASS_COUNT]; /* + 1; 0 = not looked up */
	bool is_dirty;
};

/* The chain of an agent and a class, as far as it is stored. */
struct chain {
	char *agent; /* owned */
	unsigned class_no;
	int64_t no; /* its row in the day that is written; 0 = none yet */
	struct chain_value value;
	struct chain_value noted; /* what the state has; count 0: nothing */
	bool is_noted_known;
	uint32_t link; /* + 1, into the links of what is pending */
	bool is_dirty;
};

/* What came since the last flush, of one class. */
struct pending {
	struct segment *g;
	struct term_set terms;
	struct chain_link *links; /* SEGMENT_SOURCES; no is the chain's index until flushed */
	size_t link_count;
	uint64_t tail_count, tail_bytes; /* in the day's tail */
	uint64_t sealed_boot_ns; /* when the newest block was made */
};

/* One class of a day as a query walks it. */
struct lane {
	struct segment *g;
	struct buf unpacked;
};

struct history {
	struct day days[DAYS_OPEN];
	uint64_t uses;
	uint8_t key[CHAIN_KEY_BYTES];
	bool has_key;
	/* the open transaction */
	struct day *write; /* NULL = none */
	struct day *seal;  /* its tail is full; between history_commit and history_committed */
	uint64_t next_rid;
	struct pending pending[CLASS_COUNT];
	struct source *sources;
	size_t source_count, source_last;
	uint16_t *source_slots; /* 2 * SOURCES_MAX, open addressing: index + 1 of a source */
	struct chain *chains;
	size_t chain_count;
	uint32_t chains_date; /* the day that their rows are of */
	uint32_t noted_date;  /* the day that the state knows to be there */
	/* room to work in, kept so that nothing is allocated per block */
	struct segment *sealing, *reading;
	struct chain_link *sealing_links; /* SEGMENT_SOURCES */
	size_t sealing_link_count;
	struct lane lanes[CLASS_COUNT];
	struct buf encoded, packed, unpacked, links, bytes;
	struct term_set terms; /* of a block being made or checked */
	struct arena *arena;
	struct chain_hasher *hasher;
	ZSTD_CCtx *zc;
	ZSTD_DCtx *zd;
	uint64_t tidied_boot_ns, retained_boot_ns;
	uint64_t looked_bytes; /* what the last look for too much left; 0: there was none */
	uint64_t came_bytes;   /* the most that came between two looks, fading */
	bool is_over;	       /* more must go than went at once */
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
int history_seal(struct store *s, struct day *day, bool all, struct err *err) WARN_UNUSED;
/* h->encoded into h->packed. */
int history_pack(struct history *h, int level, struct err *err) WARN_UNUSED;
/* A block's or tail row's bytes into out, checked by zstd's own checksum. ERR_CORRUPT. */
int history_unpack(struct history *h, struct slice packed, uint64_t raw_bytes, struct buf *out,
		   struct err *err) WARN_UNUSED;
/* history_classes.c: which class a record is of. */
unsigned history_class_of(const Picket__Record *rec);
enum { HISTORY_ALL_CLASSES = (1 << CLASS_COUNT) - 1 };
/* A bit for each class that can hold records of the types (nullable: all). */
unsigned history_classes_of(const char *const *types);

/* ---- history_chain.c: where the chains stand ---- */
int history_key_open(struct store *s, struct err *err) WARN_UNUSED;
/* The chain of a source's agent and a class, with a row in the day that is written. */
int history_chain_find(struct store *s, struct source *src, unsigned class_no, struct chain **ret,
		       struct err *err) WARN_UNUSED;
/* What changed, into the day and the state. In both's transactions. */
int history_chains_write(struct store *s, struct err *err) WARN_UNUSED;
/* The head goes to v, if it is not as far. In the state's transaction. */
int history_head_raise(struct store *s, const char *agent, unsigned class_no, const struct chain_value *v,
		       struct err *err) WARN_UNUSED;
void history_chains_forget(struct history *h);
/* What the state has of them may be another by now. */
void history_chains_unknown(struct history *h);

/* ---- parts.c: the bytes of blocks, in files beside the day's database ---- */
/* history/2026-11-23.process.1 */
int parts_path(const struct store *s, uint32_t date, unsigned class_no, unsigned part, char dst[4096],
	       struct err *err) WARN_UNUSED;
/* Writes data (to stay there) at a place no block of the day has. In a transaction of the day. */
int parts_append(struct store *s, struct day *day, unsigned class_no, struct slice data, unsigned *ret_part,
		 uint64_t *ret_at, struct err *err) WARN_UNUSED;
struct block_place {
	int64_t id;
	unsigned class_no, part; /* part 0: in the table of before there were parts */
	uint64_t at, bytes;
};
/* The packed bytes of a block into out. ERR_CORRUPT where they are not there. */
int parts_read(struct store *s, struct day *day, const struct block_place *b, struct buf *out,
	       struct err *err) WARN_UNUSED;
/* Which blocks the part has, their records and links, into the hash of *v. */
int parts_fold(struct store *s, struct day *day, unsigned class_no, unsigned part, struct chain_value *v,
	       struct err *err) WARN_UNUSED;
struct part_file {
	const char *path;
	uint32_t date;
	unsigned class_no, part;
};
/* Each part file of the day; 0: of all. fn: negative ends it. */
int parts_each(struct store *s, uint32_t date, int (*fn)(void *arg, const struct part_file *f), void *arg,
	       struct err *err) WARN_UNUSED;

/* ---- retention.c: what goes, and when ---- */
int history_retain(struct store *s, uint32_t today, struct err *err) WARN_UNUSED;
/* days.c: the path of a day's database, with "-wal" or the like behind it. */
/* spare.c: the file made ahead becomes path. */
int history_take_spare(struct store *s, const char *path, struct err *err) WARN_UNUSED;
int history_day_path(const struct store *s, uint32_t date, const char *suffix, char dst[4096],
		     struct err *err) WARN_UNUSED;
/* Closes the day's file if it is open. */
void history_day_close(struct history *h, uint32_t date);
