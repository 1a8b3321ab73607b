/* seal.c - the tail of a day becomes blocks: compressed, checksummed, with one posting row per term.
 *
 * Why not rows: three indexes cost 15-20 us and 200-400 bytes an event and slow down as they grow. */
#include <errno.h>

#include <openssl/sha.h>

#include "collector/store/history_priv.h"

void terms_add(void *arg, uint64_t term)
{
	struct history *h = arg;
	size_t at = (size_t)term & (TERM_SLOTS - 1);

	/* so many terms a record at most that the table can't fill up (asserted below) */
	while (h->terms[at] && h->terms[at] != term)
		at = (at + 1) & (TERM_SLOTS - 1);
	if (h->terms[at])
		return;
	h->terms[at] = term;
	h->term_slots[h->term_count] = (uint32_t)at;
	h->term_list[h->term_count++] = term;
}
_Static_assert(SEGMENT_RECORDS * RECORD_TERMS_MAX < TERM_SLOTS * 3 / 4, "a block's terms fit the table");

/* Only the slots in use: commits are many and mostly small, the table is large. */
void terms_clear(struct history *h)
{
	for (size_t i = 0; i < h->term_count; i++)
		h->terms[h->term_slots[i]] = 0;
	h->term_count = 0;
}

static int order_terms(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct slice terms_sorted(struct history *h)
{
	qsort(h->term_list, h->term_count, sizeof(*h->term_list), order_terms);
	return slice_from(h->term_list, h->term_count * sizeof(*h->term_list));
}

int history_pack(struct history *h, int level, struct err *err)
{
	if (h->encoded.failed || h->encoded.n > SEGMENT_RAW_MAX)
		return err_set(err, ERR_LIMIT, "history: a segment is too large");
	ZSTD_CCtx_setParameter(h->zc, ZSTD_c_compressionLevel, level);
	buf_reset(&h->packed);
	size_t bound = ZSTD_compressBound(h->encoded.n);
	char *out = buf_reserve(&h->packed, bound);

	if (!out)
		return err_set(err, ERR_LIMIT, "seal a block");
	size_t n = ZSTD_compress2(h->zc, out, bound, h->encoded.p, h->encoded.n);
	if (ZSTD_isError(n))
		return err_set(err, EIO, "seal a block: %s", ZSTD_getErrorName(n));
	buf_written(&h->packed, n);
	return 0;
}

int history_unpack(struct history *h, struct slice packed, uint64_t raw_bytes, struct err *err)
{
	buf_reset(&h->unpacked);
	if (raw_bytes > SEGMENT_RAW_MAX)
		return err_set(err, ERR_CORRUPT, "says it has %llu bytes",
			       (unsigned long long)raw_bytes);
	char *out = buf_reserve(&h->unpacked, raw_bytes + 1);
	if (!out)
		return err_set(err, ENOMEM, "read a block");
	size_t n = ZSTD_decompressDCtx(h->zd, out, raw_bytes, packed.p, packed.n);
	if (ZSTD_isError(n) || n != raw_bytes)
		return err_set(err, ERR_CORRUPT, "can't be unpacked: %s",
			       ZSTD_isError(n) ? ZSTD_getErrorName(n) : "wrong length");
	buf_written(&h->unpacked, n);
	return 0;
}

static int insert_block(struct history *h, struct db *d, uint64_t first, size_t n, uint64_t t0,
			uint64_t t1, int64_t *ret_id, struct err *err)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)h->packed.p, h->packed.n, sum);
	int r = DB_RUN(d, err,
		       "INSERT INTO block(first, n, t0, t1, raw_bytes, sha256) VALUES (?,?,?,?,?,?)",
		       B_INT(first), B_INT(n), B_INT(t0), B_INT(t1), B_INT(h->encoded.n),
		       B_BLOB(slice_from(sum, sizeof(sum))));
	if (r < 0)
		return r;
	*ret_id = sqlite3_last_insert_rowid(d->h);
	return DB_RUN(d, err, "INSERT INTO block_data(block, data) VALUES (?,?)", B_INT(*ret_id),
		      B_BLOB(buf_slice(&h->packed)));
}

static int write_block(struct history *h, struct db *d, uint64_t first, struct err *err)
{
	const struct segment *g = h->sealing;
	int64_t id = 0;

	buf_reset(&h->encoded);
	segment_encode(g, &h->encoded);
	int r = history_pack(h, BLOCK_LEVEL, err);
	if (r >= 0)
		r = insert_block(h, d, first, g->count, g->t0, g->t1, &id, err);
	if (r >= 0)
		(void)terms_sorted(h);
	for (size_t i = 0; r >= 0 && i < h->term_count; i++)
		r = DB_RUN(d, err, "INSERT INTO posting(term, block) VALUES (?,?)",
			   B_INT(h->term_list[i]), B_INT(id));
	if (r >= 0)
		r = DB_RUN(d, err, "DELETE FROM tail WHERE first < ?", B_INT(first + g->count));
	segment_reset(h->sealing);
	terms_clear(h);
	return r;
}

struct tail_row {
	uint64_t first, t0, t1;
	struct slice terms;
};

/* A row goes into a block whole, so that its terms do and no record need be read for them. */
static int move_row(struct history *h, struct db *d, const struct tail_row *row, uint64_t *first,
		    struct err *err)
{
	const struct segment *from = h->reading;

	if (h->sealing->count + from->count > SEGMENT_RECORDS ||
	    h->sealing->source_count + from->source_count > SEGMENT_SOURCES ||
	    h->sealing->data.n + from->offset[from->count] > SEGMENT_BYTES + LIMIT_RECORD_BYTES) {
		int r = write_block(h, d, *first, err);
		if (r < 0)
			return r;
	}
	if (!h->sealing->count)
		*first = row->first;
	for (size_t i = 0; i < from->count; i++) {
		const struct segment_source *src = &from->sources[from->source[i]];
		int r = segment_add(h->sealing, src->agent, src->epoch, from->seq[i], row->t0,
				    segment_record(from, i), err);
		if (r < 0)
			return r;
	}
	if (row->t1 > h->sealing->t1)
		h->sealing->t1 = row->t1;
	for (size_t i = 0; i + sizeof(uint64_t) <= row->terms.n; i += sizeof(uint64_t)) {
		uint64_t term;

		memcpy(&term, row->terms.p + i, sizeof(term));
		if (term && h->term_count < TERM_SLOTS * 3 / 4)
			terms_add(h, term);
	}
	return 0;
}

int history_seal(struct history *h, struct db *d, bool all, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint64_t first = 0;

	segment_reset(h->sealing);
	terms_clear(h);
	int r = db_prepare(d, "SELECT first, t0, t1, terms, raw_bytes, data FROM tail ORDER BY first",
			   NULL, 0, &st, err);
	while (r >= 0 && (r = db_step(d, st, err)) > 0) {
		const struct tail_row row = { db_u64(st, 0), db_u64(st, 1), db_u64(st, 2),
					      db_blob(st, 3) };

		r = history_unpack(h, db_blob(st, 5), db_u64(st, 4), err);
		if (r >= 0)
			r = segment_decode(buf_slice(&h->unpacked), h->reading, err);
		if (r >= 0)
			r = move_row(h, d, &row, &first, err);
		segment_reset(h->reading); /* its bytes are unpacked over */
	}
	if (r >= 0 && all && h->sealing->count)
		r = write_block(h, d, first, err);
	segment_reset(h->sealing); /* what is too little for a block stays in the tail */
	terms_clear(h);
	return r;
}
