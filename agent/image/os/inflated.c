/* inflated.c - see inflated.h. Reading forward goes on unpacking. Going back begins at the last mark before: at
 * block ends, at most MARKS of them and evenly spread, the 32 KiB that what follows may refer to are kept.
 * Then going back costs a 64th of the whole instead of all of it. */
#include "agent/image/os/inflated.h"

#include <errno.h>
#include <zlib.h>

enum {
	MARKS = 64,
	DICTIONARY = 32 * 1024,
	STEP_MIN = 256 * 1024, /* between marks: what is smaller is unpacked again in a millisecond */
	INPUT = 8 * 1024,
	OUTPUT = 16 * 1024,
	COST_MIN = 64,
	BITS_MASK = 7,
	BLOCK_END = 128,
	LAST_BLOCK = 64,
};

struct mark {
	uint64_t out, in; /* bytes before it, unpacked and packed */
	unsigned char *dictionary; /* owned */
	uint16_t dictionary_n;
	uint8_t bits; /* of the byte before `in` that are still to come */
	uint8_t byte; /* that byte */
};

struct inflated {
	struct blob b;
	const struct blob *packed;
	uint64_t off, packed_n; /* in packed */
	uint64_t *budget;
	uint64_t out, in; /* so far */
	uint64_t step;
	z_stream z;
	bool is_ready, has_ended;
	uint8_t last_byte; /* the one before z.next_in, which the buffer may not hold any more */
	unsigned mark_count;
	struct mark marks[MARKS];
	unsigned char input[INPUT], output[OUTPUT];
};

static int fill_input(struct inflated *f, struct err *err)
{
	uint64_t left = f->packed_n - f->in;
	size_t n = left < INPUT ? (size_t)left : INPUT;

	if (!n) /* the end of the last block may be known only now */
		return 0;
	int r = blob_read(f->packed, f->off + f->in, f->input, n, err);
	if (r < 0)
		return r;
	f->z.next_in = f->input;
	f->z.avail_in = (uInt)n;
	return 0;
}

static void add_mark(struct inflated *f)
{
	uInt n = DICTIONARY;
	uint64_t last = f->mark_count ? f->marks[f->mark_count - 1].out : 0;

	if (f->mark_count == MARKS || f->out < last + f->step)
		return;
	struct mark *m = &f->marks[f->mark_count];
	unsigned char *d = malloc(DICTIONARY);
	if (!d || inflateGetDictionary(&f->z, d, &n) != Z_OK) {
		free(d); /* it only makes going back slower */
		return;
	}
	*m = (struct mark){ .out = f->out,
			    .in = f->in,
			    .dictionary = d,
			    .dictionary_n = (uint16_t)n,
			    .bits = (uint8_t)(f->z.data_type & BITS_MASK),
			    .byte = f->last_byte };
	f->mark_count++;
}

/* Unpacks up to n bytes to dst; *ret_n may be 0 when a block ended. */
static int unpack_some(struct inflated *f, unsigned char *dst, size_t n, size_t *ret_n, struct err *err)
{
	*ret_n = 0;
	if (f->has_ended)
		return err_set(err, ERR_CORRUPT, "packed data is shorter than said");
	int r = f->z.avail_in ? 0 : fill_input(f, err);
	if (r < 0)
		return r;
	if (!*f->budget)
		return err_set(err, ERR_LIMIT, "archive: it unpacks to too much");
	const uInt had = f->z.avail_in;
	f->z.next_out = dst;
	f->z.avail_out = (uInt)(n < *f->budget ? n : *f->budget);
	const uInt room = f->z.avail_out;
	int code = inflate(&f->z, Z_BLOCK);
	if (code == Z_BUF_ERROR && !had)
		return err_set(err, ERR_CORRUPT, "packed data ends too early");
	if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
		return err_set(err, code == Z_MEM_ERROR ? ENOMEM : ERR_CORRUPT, "packed data is damaged");
	*ret_n = room - f->z.avail_out;
	if (had != f->z.avail_in)
		f->last_byte = f->z.next_in[-1];
	f->in += had - f->z.avail_in;
	f->out += *ret_n;
	/* Empty blocks cost something, too, so that there can't be billions of them. */
	const uint64_t cost = *ret_n > COST_MIN ? *ret_n : COST_MIN;
	*f->budget -= cost < *f->budget ? cost : *f->budget;
	f->has_ended = code == Z_STREAM_END;
	if ((f->z.data_type & BLOCK_END) && !(f->z.data_type & LAST_BLOCK))
		add_mark(f);
	return 0;
}

static int restart(struct inflated *f, const struct mark *m, struct err *err)
{
	bool ok = f->is_ready ? inflateReset(&f->z) == Z_OK : inflateInit2(&f->z, -MAX_WBITS) == Z_OK;

	f->is_ready |= ok;
	f->out = m ? m->out : 0;
	f->in = m ? m->in : 0;
	f->last_byte = m ? m->byte : 0;
	f->z.avail_in = 0;
	f->has_ended = false;
	if (ok && m && m->bits)
		ok = inflatePrime(&f->z, m->bits, m->byte >> (8 - m->bits)) == Z_OK;
	if (ok && m)
		ok = inflateSetDictionary(&f->z, m->dictionary, m->dictionary_n) == Z_OK;
	return ok ? 0 : err_set(err, ENOMEM, "unpack");
}

/* The nearest place before off that is known: where we are, or a mark. */
static int go_near(struct inflated *f, uint64_t off, struct err *err)
{
	const struct mark *best = NULL;

	for (unsigned i = 0; i < f->mark_count && f->marks[i].out <= off; i++)
		best = &f->marks[i];
	if (f->is_ready && f->out <= off && (!best || best->out <= f->out))
		return 0;
	return restart(f, best, err);
}

static int read_at(void *arg, uint64_t off, void *buf, size_t n, size_t *ret_n, struct err *err)
{
	struct inflated *f = arg;
	uint64_t left = off < f->b.size ? f->b.size - off : 0;
	size_t got = 0, some;

	n = left < n ? (size_t)left : n;
	int r = n ? go_near(f, off, err) : 0;
	while (r >= 0 && n && f->out < off)
		r = unpack_some(f, f->output, off - f->out < OUTPUT ? (size_t)(off - f->out) : OUTPUT, &some, err);
	while (r >= 0 && got < n) {
		r = unpack_some(f, (unsigned char *)buf + got, n - got, &some, err);
		got += some;
	}
	*ret_n = got;
	return r;
}

int inflated_new(const struct blob *packed, uint64_t off, uint64_t packed_n, uint64_t size, uint64_t *budget,
		 struct inflated **ret, struct err *err)
{
	if (off > packed->size || packed_n > packed->size - off)
		return err_set(err, ERR_CORRUPT, "the file ends before its packed data");
	struct inflated *f = calloc(1, sizeof(*f));
	if (!f)
		return err_set(err, ENOMEM, "unpack");
	f->b = (struct blob){ .size = size, .read_at = read_at, .arg = f };
	f->packed = packed;
	f->off = off;
	f->packed_n = packed_n;
	f->budget = budget;
	f->step = size / MARKS > STEP_MIN ? size / MARKS : STEP_MIN;
	*ret = f;
	return 0;
}

const struct blob *inflated_blob(const struct inflated *f)
{
	return &f->b;
}

void inflated_free(struct inflated *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->mark_count; i++)
		free(f->marks[i].dictionary);
	if (f->is_ready)
		(void)inflateEnd(&f->z);
	free(f);
}
