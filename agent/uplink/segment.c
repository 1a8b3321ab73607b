/* segment.c - see segment.h. */
#include "agent/uplink/segment.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/uplink/crc32c.h"
#include "proto/limits.h"

#define MAGIC_RECORD 0x52544b50u /* "PKTR" */
#define MAGIC_FOOTER 0x46544b50u /* "PKTF" */

struct header {
	uint32_t magic, header_crc, length, body_crc;
	uint64_t seq, time_unix_ns;
};
_Static_assert(sizeof(struct header) == SEGMENT_HEADER_BYTES, "as it stands on disk");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "segments are little-endian");

struct footer {
	uint64_t count, first_unix_ns, last_unix_ns;
};
_Static_assert(sizeof(struct footer) == SEGMENT_FOOTER_BYTES - SEGMENT_HEADER_BYTES, "on disk");

const char segment_start[SEGMENT_START_BYTES] = "picket-spool 1\n";
static const char class_letters[UPLINK_CLASS_COUNT] = {'p', 'r', 'v'};

void segment_name_print(const struct segment_name *n, char dst[SEGMENT_NAME_MAX])
{
	snprintf(dst, SEGMENT_NAME_MAX, "%c-%016" PRIx64 "-%016" PRIx64 "-%08" PRIx32 ".seg",
		 class_letters[n->class], n->epoch, n->first_seq, n->salt);
}

bool segment_name_parse(struct slice name, struct segment_name *ret)
{
	char text[SEGMENT_NAME_MAX], again[SEGMENT_NAME_MAX], letter;
	struct segment_name n = {.class = UPLINK_CLASS_COUNT};

	if (!slice_copy(name, text, sizeof(text)) ||
	    sscanf(text, "%c-%16" SCNx64 "-%16" SCNx64 "-%8" SCNx32 ".seg", &letter, &n.epoch,
		   &n.first_seq, &n.salt) != 4)
		return false;
	for (unsigned c = 0; c < UPLINK_CLASS_COUNT; c++)
		if (class_letters[c] == letter)
			n.class = (enum uplink_class)c;
	if (n.class == UPLINK_CLASS_COUNT || !n.epoch || !n.first_seq)
		return false;
	segment_name_print(&n, again); /* only the one spelling */
	if (!slice_is(name, again))
		return false;
	*ret = n;
	return true;
}

static uint32_t header_crc(const struct header *h, uint32_t salt)
{
	return crc32c(salt, &h->length, sizeof(*h) - offsetof(struct header, length));
}

static void put(uint8_t *dst, uint32_t magic, uint32_t salt, uint64_t seq, uint64_t time_unix_ns,
		struct slice body)
{
	struct header h = {.magic = magic,
			   .length = (uint32_t)body.n,
			   .body_crc = crc32c(salt, body.p, body.n),
			   .seq = seq,
			   .time_unix_ns = time_unix_ns};

	h.header_crc = header_crc(&h, salt ^ magic);
	memcpy(dst, &h, sizeof(h));
}

void segment_put_header(uint8_t dst[SEGMENT_HEADER_BYTES], uint32_t salt, uint64_t seq,
			uint64_t time_unix_ns, struct slice body)
{
	put(dst, MAGIC_RECORD, salt, seq, time_unix_ns, body);
}

void segment_put_footer(uint8_t dst[SEGMENT_FOOTER_BYTES], uint32_t salt,
			const struct segment_totals *t)
{
	struct footer f = {t->count, t->first_unix_ns, t->last_unix_ns};

	put(dst, MAGIC_FOOTER, salt, t->last_seq, 0, slice_from(&f, sizeof(f)));
	memcpy(dst + SEGMENT_HEADER_BYTES, &f, sizeof(f));
}

static bool read_header(struct slice at, uint32_t salt, struct header *ret)
{
	if (at.n < sizeof(*ret))
		return false;
	memcpy(ret, at.p, sizeof(*ret));
	if (ret->magic != MAGIC_RECORD && ret->magic != MAGIC_FOOTER)
		return false;
	return ret->length <= LIMIT_RECORD_BYTES &&
	       ret->header_crc == header_crc(ret, salt ^ ret->magic);
}

/* Bytes up to the next header, or as many as cannot hold the begin of one. */
static size_t find_header(struct slice window, bool is_last, uint32_t salt)
{
	struct header h;
	size_t i = 1;

	for (; i + SEGMENT_HEADER_BYTES <= window.n; i++)
		if (window.p[i] == 'P' && read_header(slice_sub(window, i, window.n), salt, &h))
			return i;
	return is_last ? window.n : i;
}

enum segment_found segment_parse(struct slice window, bool is_last, uint32_t salt, size_t *ret_used,
				 struct segment_record *ret)
{
	struct header h;

	*ret_used = 0;
	if (!window.n)
		return is_last ? SEGMENT_END : SEGMENT_MORE;
	if (window.n < SEGMENT_HEADER_BYTES && !is_last)
		return SEGMENT_MORE;
	if (!read_header(window, salt, &h)) {
		*ret_used = find_header(window, is_last, salt);
		return SEGMENT_SKIP;
	}
	size_t whole = SEGMENT_HEADER_BYTES + h.length;
	if (window.n < whole) {
		if (!is_last)
			return SEGMENT_MORE;
		*ret_used = window.n; /* torn */
		ret->seq = h.seq;
		return SEGMENT_BAD_BODY;
	}
	*ret_used = whole;
	*ret = (struct segment_record){.seq = h.seq,
				       .time_unix_ns = h.time_unix_ns,
				       .body = slice_sub(window, SEGMENT_HEADER_BYTES, h.length)};
	if (h.magic == MAGIC_FOOTER)
		return SEGMENT_FOOTER; /* its body only matters to segment_parse_footer */
	return crc32c(salt, ret->body.p, ret->body.n) == h.body_crc ? SEGMENT_RECORD
								    : SEGMENT_BAD_BODY;
}

bool segment_parse_footer(struct slice tail, uint32_t salt, struct segment_totals *ret)
{
	struct header h;
	struct footer f;

	if (tail.n != SEGMENT_FOOTER_BYTES || !read_header(tail, salt, &h) ||
	    h.magic != MAGIC_FOOTER || h.length != sizeof(f))
		return false;
	memcpy(&f, tail.p + SEGMENT_HEADER_BYTES, sizeof(f));
	if (crc32c(salt, &f, sizeof(f)) != h.body_crc)
		return false;
	*ret = (struct segment_totals){f.count, h.seq, f.first_unix_ns, f.last_unix_ns};
	return true;
}
