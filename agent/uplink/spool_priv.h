/* spool_priv.h - what spool.c, spool_recover.c and spool_read.c share. Nobody else includes it. */
#pragma once
#include <sys/queue.h>

#include "agent/uplink/limits.h"
#include "agent/uplink/segment.h"
#include "agent/uplink/spool.h"
#include "common/buf.h"
#include "proto/limits.h"

enum spool_reason { SPOOL_FULL, SPOOL_DAMAGED, SPOOL_DISK_FULL, SPOOL_REFUSED, SPOOL_REASON_COUNT };

struct segment {
	TAILQ_ENTRY(segment) link;
	struct segment_name name;
	struct segment_totals t;
	uint64_t bytes;		 /* written to the file */
	bool has_counted_damage; /* a second reading must not count it again */
};
TAILQ_HEAD(segment_list, segment);

enum { BUFFER_SIZE = SPOOL_BUFFER_BYTES + LIMIT_RECORD_BYTES + SEGMENT_HEADER_BYTES };
#define SPOOL_BUFFER_FILE "buffer"
struct buffer_head;

enum { WINDOW_BYTES = 2 * (LIMIT_RECORD_BYTES + SEGMENT_HEADER_BYTES) };

/* A segment's file, read through a window. */
struct reader {
	int fd;
	uint64_t next, limit; /* offsets in the file: first byte not in the window, end */
	char *window;	      /* WINDOW_BYTES, from the first reading on */
	size_t from, to;      /* what of the window is unread */
	uint64_t last_seq;
};

/* Where one class is being read. */
struct cursor {
	struct segment *seg; /* NULL: begin with the list's first */
	struct reader r;
	uint64_t seen;	 /* good records of this segment so far */
	bool is_missing; /* a damaged place behind what is acknowledged */
	bool is_in_skip, is_done, has_item;
	struct spool_item item;
};

struct class_state {
	struct segment_list segments; /* oldest first; the last may be the active one */
	struct segment *active;
	int fd; /* of the active one */
	bool is_dirty;
	char *buffer; /* BUFFER_SIZE; in the mapped file, or from the first append on */
	size_t buffered;
	struct segment_totals buffered_totals;
	uint64_t buffered_first; /* number of the first buffered record */
	struct cursor cursor;
};

struct spool {
	int dir_fd, state_fd;
	struct buffer_head *head; /* of the mapped buffers; NULL where that failed */
	const struct clock *clk;
	uint64_t max_bytes, segment_bytes, bytes;
	uint64_t epoch, next_seq;
	uint32_t salt; /* of this run's segments */
	uint64_t acked_epoch, acked_seq;
	uint64_t taken_epoch, taken_seq; /* taken and not acknowledged: under way */
	uint64_t state_generation, retry_boot_ns;
	unsigned bad_files;
	struct class_state classes[UPLINK_CLASS_COUNT];
	uint64_t lost[UPLINK_CLASS_COUNT];
	struct uplink_loss losses[UPLINK_CLASS_COUNT][SPOOL_REASON_COUNT];
};

/* -1, 0, 1: is (epoch a, number a) before, at or after b? */
static inline int spool_order(uint64_t ea, uint64_t sa, uint64_t eb, uint64_t sb)
{
	if (ea != eb)
		return ea < eb ? -1 : 1;
	return sa == sb ? 0 : sa < sb ? -1 : 1;
}

void spool_lose(struct spool *s, enum uplink_class class, enum spool_reason why, uint64_t count,
		uint64_t from_unix_ns, uint64_t to_unix_ns);
/* Opens the segment's file for reading; never follows a link. */
int spool_segment_fd(const struct spool *s, const struct segment *seg);
/* Deletes the file (or renames it .bad) and forgets the segment; the cursor moves on. */
void spool_segment_remove(struct spool *s, struct segment *seg, bool is_bad);
/* Records of seg behind what is acknowledged. */
uint64_t spool_segment_pending(struct spool *s, const struct segment *seg);
int spool_recover(struct spool *s, struct err *err) WARN_UNUSED;
void spool_state_read(struct spool *s);
void spool_state_write(struct spool *s);
/* spool_buffer.c. open: before the segments are looked at, cuts what an interrupted flush wrote off them; restore:
 * after, makes segments of what was buffered; begin: this run's epoch and salt are known. */
void spool_buffer_open(struct spool *s);
void spool_buffer_restore(struct spool *s);
void spool_buffer_begin(struct spool *s);
/* After each change of what is buffered, or of the segment it goes to. */
void spool_buffer_note(struct spool *s, const struct class_state *c);
void spool_buffer_close(struct spool *s);
void cursor_reset(struct cursor *c);
/* The next thing in the file: RECORD (numbers rising from first_seq), BAD_BODY, SKIP, FOOTER or
 * END. */
enum segment_found reader_next(struct reader *r, const struct segment_name *name,
			       struct segment_record *ret);
int reader_open(struct reader *r, const struct spool *s, const struct segment *seg);
