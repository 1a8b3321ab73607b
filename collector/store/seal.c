/* seal.c - the tail of a day becomes blocks: compressed, checksummed, with one posting row per term.
 *
 * Why not rows: three indexes cost 15-20 us and 200-400 bytes an event and slow down as they grow. */
#include <errno.h>

#include <openssl/sha.h>

#include "collector/store/history_priv.h"

enum { ZSTD_LEVEL = 3 };

static void add_term(void *arg, uint64_t term)
{
	struct history *h = arg;
	size_t at = (size_t)term & (TERM_SLOTS - 1);

	/* at most 11 terms a record: the table can't fill up (asserted below) */
	while (h->terms[at] && h->terms[at] != term)
		at = (at + 1) & (TERM_SLOTS - 1);
	if (h->terms[at])
		return;
	h->terms[at] = term;
	h->term_list[h->term_count++] = term;
}
_Static_assert(SEGMENT_RECORDS * 11 < TERM_SLOTS * 3 / 4, "a block's terms fit the table");

static int order_terms(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void history_terms(struct history *h, const struct segment *g, uint64_t *ret_t0, uint64_t *ret_t1)
{
	*ret_t0 = INT64_MAX;
	*ret_t1 = 0;
	memset(h->terms, 0, TERM_SLOTS * sizeof(*h->terms));
	h->term_count = 0;
	for (size_t i = 0; i < g->count; i++) {
		Picket__Record *rec;

		arena_reset(h->arena);
		/* Ignored: one record that can't be read must not keep all others from being sealed;
		 * store_verify names it. */
		if (msg_read_record(segment_record(g, i), h->arena, &rec, NULL) < 0)
			continue;
		if (rec->time_unix_ns < *ret_t0)
			*ret_t0 = rec->time_unix_ns;
		if (rec->time_unix_ns > *ret_t1)
			*ret_t1 = rec->time_unix_ns;
		record_terms(g->sources[g->source[i]].agent, rec, add_term, h);
	}
	if (*ret_t0 > *ret_t1)
		*ret_t0 = *ret_t1 = 0;
	qsort(h->term_list, h->term_count, sizeof(*h->term_list), order_terms);
}

static int compress(struct history *h, struct err *err)
{
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
	buf_reset(&h->encoded);
	if (raw_bytes > SEGMENT_RAW_MAX)
		return err_set(err, ERR_CORRUPT, "says it has %llu bytes",
			       (unsigned long long)raw_bytes);
	char *out = buf_reserve(&h->encoded, raw_bytes + 1);
	if (!out)
		return err_set(err, ENOMEM, "read a block");
	size_t n = ZSTD_decompressDCtx(h->zd, out, raw_bytes, packed.p, packed.n);
	if (ZSTD_isError(n) || n != raw_bytes)
		return err_set(err, ERR_CORRUPT, "can't be unpacked: %s",
			       ZSTD_isError(n) ? ZSTD_getErrorName(n) : "wrong length");
	buf_written(&h->encoded, n);
	return 0;
}

static int insert_block(struct history *h, struct db *d, uint64_t first, size_t n, uint64_t t0,
			uint64_t t1, int64_t *ret_id, struct err *err)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)h->encoded.p, h->encoded.n, sum);
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

static int write_block(struct history *h, struct db *d, const struct segment *g, uint64_t first,
		       struct err *err)
{
	uint64_t t0, t1;
	int64_t id = 0;

	history_terms(h, g, &t0, &t1);
	buf_reset(&h->encoded);
	segment_encode(g, &h->encoded);
	if (h->encoded.failed || h->encoded.n > SEGMENT_RAW_MAX)
		return err_set(err, ERR_LIMIT, "seal a block");
	int r = compress(h, err);
	if (r >= 0)
		r = insert_block(h, d, first, g->count, t0, t1, &id, err);
	for (size_t i = 0; r >= 0 && i < h->term_count; i++)
		r = DB_RUN(d, err, "INSERT INTO posting(term, block) VALUES (?,?)",
			   B_INT(h->term_list[i]), B_INT(id));
	return r;
}

/* Moves one tail row's records over; whole blocks are written on the way. */
static int move_row(struct history *h, struct db *d, uint64_t *first, struct err *err)
{
	const struct segment *from = h->reading;

	for (size_t i = 0; i < from->count; i++) {
		const struct segment_source *src = &from->sources[from->source[i]];
		struct slice rec = segment_record(from, i);

		if (!segment_has_room(h->sealing, rec.n)) {
			int r = write_block(h, d, h->sealing, *first, err);
			if (r < 0)
				return r;
			*first += h->sealing->count;
			segment_reset(h->sealing);
		}
		int r = segment_add(h->sealing, src->agent, src->epoch, from->seq[i], 0, rec, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int move_rows(struct history *h, struct db *d, uint64_t *ret_first, uint64_t *ret_received,
		     struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d, "SELECT first, received, data FROM tail ORDER BY first", NULL, 0, &st, err);
	bool is_first = true;

	if (r < 0)
		return r;
	while ((r = db_step(d, st, err)) > 0) {
		if (is_first)
			*ret_first = db_u64(st, 0);
		is_first = false;
		*ret_received = db_u64(st, 1);
		r = segment_decode(db_blob(st, 2), h->reading, err);
		if (r >= 0)
			r = move_row(h, d, ret_first, err);
		segment_reset(h->reading); /* its bytes go with the row */
		if (r < 0)
			return r;
	}
	return r;
}

/* What is too little for a block goes back as one tail row. */
static int put_rest(struct history *h, struct db *d, uint64_t first, uint64_t received,
		    struct err *err)
{
	uint64_t t0, t1;

	history_terms(h, h->sealing, &t0, &t1);
	buf_reset(&h->encoded);
	segment_encode(h->sealing, &h->encoded);
	return DB_RUN(d, err, "INSERT INTO tail(first, n, t0, t1, received, data) VALUES (?,?,?,?,?,?)",
		      B_INT(first), B_INT(h->sealing->count), B_INT(t0), B_INT(t1), B_INT(received),
		      B_BLOB(buf_slice(&h->encoded)));
}

int history_seal(struct history *h, struct db *d, bool all, struct err *err)
{
	uint64_t first = 0, received = 0;

	segment_reset(h->sealing);
	int r = move_rows(h, d, &first, &received, err);
	if (r >= 0)
		r = db_run(d, "DELETE FROM tail", NULL, 0, err);
	if (r >= 0 && h->sealing->count)
		r = all || h->sealing->count == SEGMENT_RECORDS ?
			    write_block(h, d, h->sealing, first, err) :
			    put_rest(h, d, first, received, err);
	segment_reset(h->sealing);
	return r;
}
