/* seal.c - the tail of a day becomes blocks: compressed, checksummed, with a filter of their terms and links.
 *
 * Why not rows: three indexes cost 15-20 us and 200-400 bytes an event and slow down as they grow. */
#include <errno.h>

#include <openssl/sha.h>

#include "collector/store/bloom.h"
#include "collector/store/history_priv.h"

_Static_assert(SEGMENT_RECORDS * RECORD_TERMS_MAX < BLOCK_TERMS * 3 / 4, "a block's terms fit the table");
_Static_assert(RECORD_TERMS_MAX < TAIL_TERMS * 3 / 4, "a record's terms fit the table");

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

int history_unpack(struct history *h, struct slice packed, uint64_t raw_bytes, struct buf *to, struct err *err)
{
	buf_reset(to);
	if (raw_bytes > SEGMENT_RAW_MAX)
		return err_set(err, ERR_CORRUPT, "says it has %llu bytes",
			       (unsigned long long)raw_bytes);
	char *out = buf_reserve(to, raw_bytes + 1);
	if (!out)
		return err_set(err, ENOMEM, "read a block");
	size_t n = ZSTD_decompressDCtx(h->zd, out, raw_bytes, packed.p, packed.n);
	if (ZSTD_isError(n) || n != raw_bytes)
		return err_set(err, ERR_CORRUPT, "can't be unpacked: %s",
			       ZSTD_isError(n) ? ZSTD_getErrorName(n) : "wrong length");
	buf_written(to, n);
	return 0;
}

static struct slice sealed_links(struct history *h)
{
	buf_reset(&h->links);
	for (size_t i = 0; i < h->sealing_link_count; i++)
		chain_link_put(&h->links, &h->sealing_links[i]);
	return buf_slice(&h->links);
}

static int insert_block(struct store *s, struct day *day, unsigned class_no, int64_t *ret_id, struct err *err)
{
	struct history *h = s->history;
	const struct segment *g = h->sealing;
	unsigned char sum[SHA256_DIGEST_LENGTH];
	struct slice links = sealed_links(h);
	unsigned part = 0;
	uint64_t at = 0;
	int r = parts_append(s, day, class_no, buf_slice(&h->packed), &part, &at, err);

	if (r >= 0 && h->links.failed)
		r = err_set(err, ENOMEM, "seal a block");
	if (r < 0)
		return r;
	SHA256((const unsigned char *)h->packed.p, h->packed.n, sum);
	r = DB_RUN(&day->db, err,
		   "INSERT INTO block(first, n, t0, t1, raw_bytes, sha256, chain, class, last, part, at, bytes)"
		   " VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
		   B_INT(g->rid[0]), B_INT(g->count), B_INT(g->t0), B_INT(g->t1), B_INT(h->encoded.n),
		   B_BLOB(slice_from(sum, sizeof(sum))), B_BLOB(links), B_INT(class_no),
		   B_INT(g->rid[g->count - 1]), B_INT(part), B_INT(at), B_INT(h->packed.n));
	*ret_id = sqlite3_last_insert_rowid(day->db.h);
	return r;
}

static int insert_filter(struct history *h, struct db *d, int64_t id, struct err *err)
{
	buf_reset(&h->packed);
	bloom_make(h->terms.list, h->terms.count, &h->packed);
	if (h->packed.failed)
		return err_set(err, ENOMEM, "seal a block");
	return DB_RUN(d, err, "INSERT INTO block_filter(block, terms, filter) VALUES (?,?,?)", B_INT(id),
		      B_INT(h->terms.count), B_BLOB(buf_slice(&h->packed)));
}

static void forget_sealing(struct history *h)
{
	segment_reset(h->sealing);
	term_set_clear(&h->terms);
	h->sealing_link_count = 0;
}

static int write_block(struct store *s, struct day *day, unsigned class_no, struct err *err)
{
	struct history *h = s->history;
	const struct segment *g = h->sealing;
	struct pending *p = &h->pending[class_no];
	uint64_t now = clock_boot_ns(s->clk);
	bool is_hurried = p->sealed_boot_ns && now - p->sealed_boot_ns < BLOCK_FAST_MS * 1000000ull;
	int64_t id = 0;

	p->sealed_boot_ns = now;
	buf_reset(&h->encoded);
	segment_encode(g, &h->encoded);
	int r = history_pack(h, is_hurried ? BLOCK_LEVEL_FAST : BLOCK_LEVEL, err);
	if (r >= 0)
		r = insert_block(s, day, class_no, &id, err);
	if (r >= 0)
		r = insert_filter(h, &day->db, id, err);
	if (r >= 0)
		r = DB_RUN(&day->db, err, "DELETE FROM tail WHERE class = ? AND first <= ?", B_INT(class_no),
			   B_INT(g->rid[g->count - 1]));
	forget_sealing(h);
	return r;
}

struct tail_row {
	uint64_t t0, t1;
	struct slice terms, links;
};

/* The links of rows that follow each other become one for each chain. False: no room, or not what we wrote. */
static bool join_links(struct history *h, struct slice links)
{
	struct chain_link l;

	while (chain_link_take(&links, &l)) {
		struct chain_link *have = NULL;

		for (size_t i = h->sealing_link_count; i-- && !have;)
			if (h->sealing_links[i].no == l.no)
				have = &h->sealing_links[i];
		if (!have && h->sealing_link_count == SEGMENT_SOURCES)
			return false;
		if (!have) {
			h->sealing_links[h->sealing_link_count++] = l;
			continue;
		}
		have->n += l.n;
		memcpy(have->end, l.end, CHAIN_BYTES);
	}
	return !links.n;
}

static size_t count_links(struct slice links)
{
	struct chain_link l;
	size_t n = 0;

	while (chain_link_take(&links, &l))
		n++;
	return n;
}

/* A row goes into a block whole, so that its terms do and no record need be read for them. */
static int move_row(struct store *s, struct day *day, unsigned class_no, const struct tail_row *row,
		    struct err *err)
{
	struct history *h = s->history;
	const struct segment *from = h->reading;

	if (h->sealing->count + from->count > SEGMENT_RECORDS ||
	    h->sealing->source_count + from->source_count > SEGMENT_SOURCES ||
	    h->sealing_link_count + count_links(row->links) > SEGMENT_SOURCES ||
	    h->sealing->data.n + from->offset[from->count] > SEGMENT_BYTES + LIMIT_RECORD_BYTES) {
		int r = write_block(s, day, class_no, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < from->count; i++) {
		const struct segment_source *src = &from->sources[from->source[i]];
		const struct segment_place at = { src->agent, src->epoch, from->seq[i], from->rid[i], row->t0 };
		int r = segment_add(h->sealing, &at, segment_record(from, i), err);
		if (r < 0)
			return r;
	}
	if (row->t1 > h->sealing->t1)
		h->sealing->t1 = row->t1;
	if (!join_links(h, row->links))
		return err_set(err, ERR_CORRUPT, "the links of a tail row can't be read");
	for (size_t i = 0; i + sizeof(uint64_t) <= row->terms.n; i += sizeof(uint64_t)) {
		uint64_t term;

		memcpy(&term, row->terms.p + i, sizeof(term));
		if (term)
			term_set_add(&h->terms, term);
	}
	return 0;
}

static int seal_class(struct store *s, struct day *day, unsigned class_no, bool all, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct history *h = s->history;

	forget_sealing(h);
	int r = DB_PREPARE(&day->db, &st, err,
			   "SELECT first, t0, t1, terms, raw_bytes, links, data FROM tail WHERE class = ?"
			   " ORDER BY first",
			   B_INT(class_no));
	while (r >= 0 && (r = db_step(&day->db, st, err)) > 0) {
		const struct tail_row row = { db_u64(st, 1), db_u64(st, 2), db_blob(st, 3), db_blob(st, 5) };

		r = history_unpack(h, db_blob(st, 6), db_u64(st, 4), &h->unpacked, err);
		if (r >= 0)
			r = segment_decode(buf_slice(&h->unpacked), db_u64(st, 0), h->reading, err);
		if (r >= 0)
			r = move_row(s, day, class_no, &row, err);
		segment_reset(h->reading); /* its bytes are unpacked over */
	}
	if (r >= 0 && h->sealing->count &&
	    (all || h->sealing->count >= SEGMENT_RECORDS || h->sealing->data.n >= SEGMENT_BYTES))
		r = write_block(s, day, class_no, err);
	forget_sealing(h); /* what is too little for a block stays in the tail */
	return r < 0 ? r : 0;
}

int history_seal(struct store *s, struct day *day, bool all, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < CLASS_COUNT && r >= 0; i++) {
		const struct pending *p = &s->history->pending[i];

		/* what was written last is what is full, if not all is meant */
		if (all || p->tail_count >= SEGMENT_RECORDS || p->tail_bytes >= SEGMENT_BYTES)
			r = seal_class(s, day, i, all, err);
	}
	return r;
}
