/* verify.c - reads everything that is stored and checks it against itself. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>

#include <openssl/sha.h>

#include "collector/store/history_priv.h"

enum { EPOCHS_MAX = 1 << 20 };

/* What was met of one agent's epoch, over all days. */
struct seen {
	char *agent; /* owned */
	uint64_t epoch, last, count;
};
struct verify {
	struct store *s;
	void (*fn)(void *arg, const char *fault);
	void *arg;
	uint64_t records;
	struct seen *seen; /* open addressing */
	size_t seen_count, seen_size;
	const struct day *day;
	uint32_t date;
};

static void fault(struct verify *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fault(struct verify *v, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n = v->date ? snprintf(text, sizeof(text), "day %u: ", v->date) :
			  snprintf(text, sizeof(text), "state: ");

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	v->fn(v->arg, text);
}

static struct seen *find_slot(struct seen *table, size_t size, const char *agent, uint64_t epoch)
{
	size_t at = (size_t)(slice_hash(slice_of(agent)) ^ (epoch * 0x9e3779b97f4a7c15ull)) & (size - 1);

	while (table[at].agent && (table[at].epoch != epoch || strcmp(table[at].agent, agent)))
		at = (at + 1) & (size - 1);
	return &table[at];
}

static int grow_seen(struct verify *v, struct err *err)
{
	size_t size = v->seen_size ? v->seen_size * 2 : 1024;
	struct seen *table = size > EPOCHS_MAX ? NULL : calloc(size, sizeof(*table));

	if (!table)
		return err_set(err, ERR_LIMIT, "verify: too many agents");
	for (size_t i = 0; i < v->seen_size; i++)
		if (v->seen[i].agent)
			*find_slot(table, size, v->seen[i].agent, v->seen[i].epoch) = v->seen[i];
	free(v->seen);
	v->seen = table;
	v->seen_size = size;
	return 0;
}

static int get_seen(struct verify *v, const char *agent, uint64_t epoch, struct seen **ret,
		    struct err *err)
{
	if (v->seen_count * 2 >= v->seen_size) {
		int r = grow_seen(v, err);
		if (r < 0)
			return r;
	}
	struct seen *e = find_slot(v->seen, v->seen_size, agent, epoch);
	if (!e->agent) {
		e->agent = slice_dup(slice_of(agent));
		e->epoch = epoch;
		if (!e->agent)
			return err_set(err, ENOMEM, "verify");
		v->seen_count++;
	}
	*ret = e;
	return 0;
}

/* Every record decodes; every number is higher than the one before, and so none is there twice. */
static int check_records(struct verify *v, const struct segment *g, const char *place, struct err *err)
{
	struct history *h = v->s->history;
	struct seen *e = NULL;

	for (size_t i = 0; i < g->count; i++) {
		const struct segment_source *src = &g->sources[g->source[i]];
		Picket__Record *rec;
		struct err why;

		if (!e || e->epoch != src->epoch || strcmp(e->agent, src->agent)) {
			int r = get_seen(v, src->agent, src->epoch, &e, err);
			if (r < 0)
				return r;
		}
		arena_reset(h->arena);
		if (msg_read_record(segment_record(g, i), h->arena, &rec, &why) < 0)
			fault(v, "%s, record %zu: %s", place, i, why.msg);
		if (g->seq[i] <= e->last)
			fault(v, "%s, record %zu: agent %s has number %llu after %llu", place, i,
			      src->agent, (unsigned long long)g->seq[i], (unsigned long long)e->last);
		else
			e->last = g->seq[i];
		e->count++;
		v->records++;
	}
	return 0;
}

/* What the writer took from each record, once more from its bytes. */
static void read_terms(struct history *h, const struct segment *g, uint64_t *ret_t0, uint64_t *ret_t1)
{
	*ret_t0 = UINT64_MAX;
	*ret_t1 = 0;
	terms_clear(h);
	for (size_t i = 0; i < g->count; i++) {
		Picket__Record *rec;

		arena_reset(h->arena);
		if (msg_read_record(segment_record(g, i), h->arena, &rec, NULL) < 0)
			continue; /* check_records has named it */
		if (rec->time_unix_ns < *ret_t0)
			*ret_t0 = rec->time_unix_ns;
		if (rec->time_unix_ns > *ret_t1)
			*ret_t1 = rec->time_unix_ns;
		record_terms(g->sources[g->source[i]].agent, rec, terms_add, h);
	}
	(void)terms_sorted(h);
}

static int check_postings(struct verify *v, struct db *d, int64_t id, const char *place,
			  struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct history *h = v->s->history;
	int64_t count = 0;
	size_t missing = 0;
	int r = db_prepare(d, "SELECT 1 FROM posting WHERE term = ? AND block = ?", NULL, 0, &st, err);

	for (size_t i = 0; r >= 0 && i < h->term_count; i++) {
		sqlite3_reset(st);
		sqlite3_bind_int64(st, 1, (int64_t)h->term_list[i]);
		sqlite3_bind_int64(st, 2, id);
		r = db_step(d, st, err);
		missing += r == 0;
	}
	if (r >= 0)
		r = DB_NUMBER(d, &count, err,
			      "SELECT count(*) FROM posting WHERE block = ?", B_INT(id));
	if (r < 0)
		return r;
	if (missing || (size_t)count != h->term_count)
		fault(v, "%s: %zu of %zu postings are missing, %lld are there", place, missing,
		      h->term_count, (long long)count);
	return 0;
}

struct block_row {
	int64_t id;
	uint64_t first, n, t0, t1, raw_bytes;
	struct slice sum, data;
};

static int check_block(struct verify *v, struct db *d, const struct block_row *b, uint64_t *next,
		       struct err *err)
{
	struct history *h = v->s->history;
	unsigned char sum[SHA256_DIGEST_LENGTH];
	char place[48];
	uint64_t t0, t1;
	struct err why;

	snprintf(place, sizeof(place), "block %lld", (long long)b->id);
	if (b->first != *next)
		fault(v, "%s begins with record %llu, %llu was expected", place,
		      (unsigned long long)b->first, (unsigned long long)*next);
	*next = b->first + b->n;
	SHA256((const unsigned char *)b->data.p, b->data.n, sum);
	if (!slice_eq(slice_from(sum, sizeof(sum)), b->sum))
		fault(v, "%s: its SHA-256 is not the one noted", place);
	if (history_unpack(h, b->data, b->raw_bytes, &why) < 0) {
		fault(v, "%s: %s", place, why.msg);
		return 0;
	}
	if (segment_decode(buf_slice(&h->unpacked), h->reading, &why) < 0) {
		fault(v, "%s: %s", place, why.msg);
		return 0;
	}
	int r = check_records(v, h->reading, place, err);
	read_terms(h, h->reading, &t0, &t1);
	if (t0 != b->t0 || t1 != b->t1 || h->reading->count != b->n)
		fault(v, "%s: its times or its count are not those of its records", place);
	segment_reset(h->reading);
	return r < 0 ? r : check_postings(v, d, b->id, place, err);
}

static int check_blocks(struct verify *v, struct db *d, uint64_t *next, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d,
			   "SELECT id, first, n, t0, t1, raw_bytes, sha256, data FROM block"
			   " LEFT JOIN block_data ON block_data.block = block.id ORDER BY id",
			   NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(d, st, err)) > 0) {
		const struct block_row b = { .id = sqlite3_column_int64(st, 0),
					     .first = db_u64(st, 1),
					     .n = db_u64(st, 2),
					     .t0 = db_u64(st, 3),
					     .t1 = db_u64(st, 4),
					     .raw_bytes = db_u64(st, 5),
					     .sum = db_blob(st, 6),
					     .data = db_blob(st, 7) };

		r = check_block(v, d, &b, next, err);
	}
	return r;
}

static int check_tail(struct verify *v, struct db *d, uint64_t next, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct segment *g = v->s->history->reading;
	int r = db_prepare(d, "SELECT first, n, raw_bytes, data FROM tail ORDER BY first", NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(d, st, err)) > 0) {
		char place[48];
		struct err why;

		snprintf(place, sizeof(place), "tail %llu", (unsigned long long)db_u64(st, 0));
		if (db_u64(st, 0) != next)
			fault(v, "%s: %llu was expected", place, (unsigned long long)next);
		next = db_u64(st, 0) + db_u64(st, 1);
		if (history_unpack(v->s->history, db_blob(st, 3), db_u64(st, 2), &why) < 0 ||
		    segment_decode(buf_slice(&v->s->history->unpacked), g, &why) < 0) {
			fault(v, "%s: %s", place, why.msg);
			continue;
		}
		if (g->count != db_u64(st, 1))
			fault(v, "%s: %zu records, %llu are noted", place, g->count,
			      (unsigned long long)db_u64(st, 1));
		r = check_records(v, g, place, err);
		segment_reset(g);
	}
	return r;
}

static int check_marks(struct verify *v, struct db *d, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d, "SELECT agent, epoch, seq FROM watermark", NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(d, st, err)) > 0) {
		struct seen *e;

		r = get_seen(v, db_text(st, 0), db_u64(st, 1), &e, err);
		if (r >= 0 && e->last != db_u64(st, 2))
			fault(v, "agent %s: the watermark is %llu, the newest record %llu", e->agent,
			      (unsigned long long)db_u64(st, 2), (unsigned long long)e->last);
	}
	return r;
}

static int check_integrity(struct verify *v, struct db *d, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d, "PRAGMA integrity_check(20)", NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(d, st, err)) > 0)
		if (strcmp(db_text(st, 0), "ok"))
			fault(v, "%.300s", db_text(st, 0));
	return r;
}

static int check_day(struct verify *v, struct day *day, struct err *err)
{
	uint64_t next = 1;
	/* One view of it all, though the collector may be running in another process. */
	int r = db_exec(&day->db, "BEGIN", err);

	if (r < 0)
		return r;
	r = check_integrity(v, &day->db, err);
	if (r >= 0)
		r = check_blocks(v, &day->db, &next, err);
	if (r >= 0)
		r = check_tail(v, &day->db, next, err);
	if (r >= 0)
		r = check_marks(v, &day->db, err);
	sqlite3_exec(day->db.h, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
	return r;
}

/* Damage that SQLite itself stumbles over is a fault of that day, not the end of the verification. */
static int check_days(struct verify *v, uint32_t *ret_oldest, struct err *err)
{
	uint32_t dates[DAYS_MAX];
	size_t count;
	int r = history_dates(v->s, dates, &count, err);

	*ret_oldest = count ? dates[0] : history_date(clock_unix_ns(v->s->clk));
	for (size_t i = 0; r >= 0 && i < count; i++) {
		struct day *day;
		struct err why;

		v->date = dates[i];
		r = history_day(v->s, dates[i], false, &day, &why);
		if (r == -ENOENT) {
			r = 0;
			continue;
		}
		if (r >= 0)
			r = check_day(v, day, &why);
		if (r == -ERR_CORRUPT || r == -ERR_VERSION || r == -EIO) {
			fault(v, "%s", why.msg);
			r = 0;
		} else if (r < 0 && err) {
			*err = why;
		}
	}
	v->date = 0;
	return r;
}

/* What was acknowledged must be there: as far as the days reach that are kept. */
static int check_epochs(struct verify *v, uint32_t oldest, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct db *d = &v->s->state;
	int r = db_prepare(d, "SELECT agent, epoch, seq, stored, holes, created FROM agent_epoch", NULL,
			   0, &st, err);

	while (r >= 0 && (r = db_step(d, st, err)) > 0) {
		uint64_t seq = db_u64(st, 2), stored = db_u64(st, 3), holes = db_u64(st, 4);
		struct seen *e;

		r = get_seen(v, db_text(st, 0), db_u64(st, 1), &e, err);
		if (r < 0)
			break;
		if (stored + holes != seq)
			fault(v, "agent %s: %llu stored and %llu lost are not %llu", e->agent,
			      (unsigned long long)stored, (unsigned long long)holes,
			      (unsigned long long)seq);
		bool is_whole = !v->s->history_days || history_date(db_u64(st, 5)) >= oldest;
		if (is_whole && e->count < stored)
			fault(v, "agent %s: %llu records were acknowledged, %llu are there", e->agent,
			      (unsigned long long)stored, (unsigned long long)e->count);
	}
	return r;
}

/* The state is read before the history: a collector that goes on meanwhile only adds to the latter. */
static int check_all(struct verify *v, struct err *err)
{
	struct db *d = &v->s->state;
	uint32_t oldest = 0;
	int r = db_exec(d, "BEGIN", err);

	if (r < 0)
		return r;
	r = check_integrity(v, d, err);
	if (r >= 0)
		r = check_days(v, &oldest, err);
	if (r >= 0)
		r = check_epochs(v, oldest, err);
	sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
	return r;
}

int store_verify(struct store *s, void (*fn)(void *arg, const char *fault), void *arg,
		 uint64_t *ret_records, struct err *err)
{
	struct verify v = { .s = s, .fn = fn, .arg = arg };

	if (store_in_tx(s) || s->history->is_asking)
		return err_set(err, EINVAL, "verify inside a transaction or a query");
	int r = check_all(&v, err);
	for (size_t i = 0; i < v.seen_size; i++)
		free(v.seen[i].agent);
	free(v.seen);
	if (r >= 0 && ret_records)
		*ret_records = v.records;
	return r;
}
