/* segment.h - the bytes of one spool file. Pure: no files, no time.
 *
 *   "picket-spool 1\n\0"  { header, body }*  { header of the footer, totals }
 *
 * A header is 32 bytes: magic, CRC of the rest of the header, length, CRC of the body, sequence
 * number, time. Class, epoch, first number and a salt are in the file's name. The salt goes into
 * every CRC: a container can put bytes of its choice into a record, but none that a reader looking
 * for the next header behind a damaged place would take for one. The footer is there once a segment
 * is closed; with it a start need not read the segment. */
#pragma once
#include "agent/uplink/uplink.h"
#include "common/slice.h"

enum {
	SEGMENT_START_BYTES = 16,
	SEGMENT_HEADER_BYTES = 32,
	SEGMENT_FOOTER_BYTES = SEGMENT_HEADER_BYTES + 24,
	SEGMENT_NAME_MAX = 64,
};

struct segment_name {
	enum uplink_class class;
	uint64_t epoch, first_seq;
	uint32_t salt;
};

enum segment_found {
	SEGMENT_MORE, /* the window ends inside a record: read on */
	SEGMENT_END,  /* nothing left */
	SEGMENT_RECORD,
	SEGMENT_FOOTER,
	SEGMENT_BAD_BODY, /* one record, its header good, its body damaged */
	SEGMENT_SKIP,	  /* bytes that are no record; neighbouring ones are one damaged place */
};

struct segment_record {
	uint64_t seq, time_unix_ns;
	struct slice body; /* borrowed from the window */
};

struct segment_totals {
	uint64_t count, last_seq, first_unix_ns, last_unix_ns;
};

extern const char segment_start[SEGMENT_START_BYTES];

/* "p-<epoch>-<first>-<salt>.seg", hexadecimal. */
void segment_name_print(const struct segment_name *n, char dst[SEGMENT_NAME_MAX]);
bool segment_name_parse(struct slice name, struct segment_name *ret);

void segment_put_header(uint8_t dst[SEGMENT_HEADER_BYTES], uint32_t salt, uint64_t seq,
			uint64_t time_unix_ns, struct slice body);
void segment_put_footer(uint8_t dst[SEGMENT_FOOTER_BYTES], uint32_t salt,
			const struct segment_totals *t);

/* What stands at the window's begin. is_last: the file ends where the window ends. *ret_used: bytes
 * to go on by. ret: for RECORD; seq also for BAD_BODY. */
enum segment_found segment_parse(struct slice window, bool is_last, uint32_t salt, size_t *ret_used,
				 struct segment_record *ret);
/* tail: the file's last SEGMENT_FOOTER_BYTES. */
bool segment_parse_footer(struct slice tail, uint32_t salt, struct segment_totals *ret);
