/* verify.c - reads everything that is stored and checks it against itself. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>

#include <openssl/sha.h>

#include "collector/store/bloom.h"
#include "collector/store/verify_priv.h"

enum { EPOCHS_MAX = 1 << 20 };

void verify_fault(struct verify *v, const char *fmt, ...)
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

/* What the writer took from each record, once more from its bytes. */
struct noted {
	struct history *h;
	uint64_t t0, t1;
};
static void note_record(struct noted *n, const char *agent, const Picket__Record *rec)
{
	if (!n)
		return;
	if (rec->time_unix_ns < n->t0)
		n->t0 = rec->time_unix_ns;
	if (rec->time_unix_ns > n->t1)
		n->t1 = rec->time_unix_ns;
	record_terms(agent, rec, term_set_add, &n->h->terms);
}

static uint64_t last_of(const struct seen *e)
{
	uint64_t last = 0;

	for (size_t i = 0; i < CLASS_COUNT; i++)
		last = e->last[i] > last ? e->last[i] : last;
	return last;
}

/* Every record decodes; every number is higher than the one before of its class, and so none is there twice. */
static int check_records(struct verify *v, const struct segment *g, unsigned class_no, const char *place,
			 struct noted *noted, struct err *err)
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
			verify_fault(v, "%s, record %zu: %s", place, i, why.msg);
		else
			note_record(noted, src->agent, rec);
		if (g->seq[i] <= e->last[class_no])
			verify_fault(v, "%s, record %zu: agent %s has number %llu after %llu", place, i,
				     src->agent, (unsigned long long)g->seq[i],
				     (unsigned long long)e->last[class_no]);
		else
			e->last[class_no] = g->seq[i];
		e->count++;
		v->records++;
	}
	return 0;
}

static int check_postings(struct verify *v, struct db *d, int64_t id, const char *place,
			  struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	const struct term_set *terms = &v->s->history->terms;
	int64_t count = 0;
	size_t missing = 0;
	int r = db_prepare(d, "SELECT 1 FROM posting WHERE term = ? AND block = ?", NULL, 0, &st, err);

	for (size_t i = 0; r >= 0 && i < terms->count; i++) {
		sqlite3_reset(st);
		sqlite3_bind_int64(st, 1, (int64_t)terms->list[i]);
		sqlite3_bind_int64(st, 2, id);
		r = db_step(d, st, err);
		missing += r == 0;
	}
	if (r >= 0)
		r = DB_NUMBER(d, &count, err,
			      "SELECT count(*) FROM posting WHERE block = ?", B_INT(id));
	if (r < 0)
		return r;
	if (missing || (size_t)count != terms->count)
		verify_fault(v, "%s: %zu of %zu postings are missing, %lld are there", place, missing,
			     terms->count, (long long)count);
	return 0;
}

static int check_filter(struct verify *v, struct db *d, int64_t id, const char *place, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	const struct term_set *terms = &v->s->history->terms;
	int r = DB_PREPARE(d, &st, err, "SELECT filter FROM block_filter WHERE block = ?", B_INT(id));

	if (r >= 0)
		r = db_step(d, st, err);
	if (r < 0)
		return r;
	if (!r || !bloom_is_of(db_blob(st, 0), terms->list, terms->count))
		verify_fault(v, "%s: its filter is not that of its records", place);
	return 0;
}

struct block_row {
	struct block_place place;
	uint64_t first, last, n, t0, t1, raw_bytes;
	struct slice sum, links;
};

/* The bytes of the block are what was sealed, and can be read. 1: into h->reading, 0: no, and that is told. */
static int read_block(struct verify *v, struct day *day, const struct block_row *b, const char *place,
		      struct err *err)
{
	struct history *h = v->s->history;
	unsigned char sum[SHA256_DIGEST_LENGTH];
	struct err why;
	int r = parts_read(v->s, day, &b->place, &h->bytes, &why);

	if (r < 0 && r != -ERR_CORRUPT) {
		if (err)
			*err = why;
		return r;
	}
	if (r >= 0) {
		SHA256((const unsigned char *)h->bytes.p, h->bytes.n, sum);
		if (!slice_eq(slice_from(sum, sizeof(sum)), b->sum))
			verify_fault(v, "%s: its SHA-256 is not the one noted", place);
		r = history_unpack(h, buf_slice(&h->bytes), b->raw_bytes, &h->unpacked, &why);
	}
	if (r >= 0)
		r = segment_decode(buf_slice(&h->unpacked), b->first, h->reading, &why);
	if (r < 0)
		verify_fault(v, "%s: %s", place, why.msg);
	return r >= 0;
}

/* A part that retention took: its links stand for the records. Signed with the blocks it had. */
static int look_gone(struct verify *v, struct day *day, const struct block_row *b, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	char subject[64];
	uint8_t want[CHAIN_BYTES];
	int r = DB_PREPARE(&day->db, &st, err, "SELECT at, mac FROM part_gone WHERE class = ? AND part = ?",
			   B_INT(b->place.class_no), B_INT(b->place.part));

	if (r >= 0)
		r = db_step(&day->db, st, err);
	if (r <= 0)
		return r;
	struct chain_value at = { .count = db_u64(st, 0) };
	r = parts_fold(v->s, day, b->place.class_no, b->place.part, &at, err);
	if (r < 0)
		return r;
	snprintf(subject, sizeof(subject), "%u.%u", v->date, b->place.part);
	chain_sign(v->s->history->key, "part", subject, b->place.class_no, &at, want);
	if (!slice_eq(db_blob(st, 1), slice_from(want, sizeof(want)))) {
		verify_fault(v, "block %lld: that retention dropped its part, with these blocks, is not signed by this store",
			     (long long)b->place.id);
		return 0;
	}
	return 1;
}

/* Asked once for a part, not for each of its blocks. */
static int check_gone(struct verify *v, struct day *day, const struct block_row *b, struct err *err)
{
	struct gone *g = &v->gone[b->place.class_no];

	if (g->date == v->date && g->part == b->place.part)
		return g->is_gone;
	int r = look_gone(v, day, b, err);
	if (r >= 0)
		*g = (struct gone){ v->date, b->place.part, r > 0 };
	return r;
}

static bool is_unchained(const struct verify *v, struct slice links, unsigned class_no)
{
	return !links.n && class_no == CLASS_MIXED && v->date <= v->unchained_until;
}

static int check_block(struct verify *v, struct day *day, const struct block_row *b, struct err *err)
{
	struct history *h = v->s->history;
	const struct segment *g = h->reading;
	struct noted noted = { .h = h, .t0 = UINT64_MAX };
	unsigned class_no = b->place.class_no;
	char place[48];

	snprintf(place, sizeof(place), "block %lld", (long long)b->place.id);
	int r = b->place.part ? check_gone(v, day, b, err) : 0;
	if (r > 0) {
		v->has_gone = true;
		verify_links(v, NULL, b->links, b->place.class_no, place);
	}
	if (r)
		return r < 0 ? r : 0;
	r = read_block(v, day, b, place, err);
	if (r <= 0) {
		if (!r)
			verify_links(v, NULL, b->links, b->place.class_no, place);
		return r;
	}
	term_set_clear(&h->terms);
	r = check_records(v, g, class_no, place, &noted, err);
	if (noted.t0 != b->t0 || noted.t1 != b->t1 || g->count != b->n || !g->count || g->rid[0] != b->first ||
	    g->rid[g->count - 1] != b->last)
		verify_fault(v, "%s: its times, numbers or count are not those of its records", place);
	if (is_unchained(v, b->links, class_no))
		v->unchained += g->count;
	else
		verify_links(v, g, b->links, b->place.class_no, place);
	segment_reset(h->reading);
	if (r >= 0)
		r = b->place.part ? check_filter(v, &day->db, b->place.id, place, err) :
				    check_postings(v, &day->db, b->place.id, place, err);
	term_set_clear(&h->terms);
	return r;
}

/* What a day's numbers must add up to: none is missing, none there twice. */
struct numbers {
	uint64_t count, highest, last[CLASS_COUNT];
};
static void check_number(struct verify *v, struct numbers *nu, const char *what, const struct block_row *b)
{
	if (b->first <= nu->last[b->place.class_no] || b->last < b->first)
		verify_fault(v, "%s %lld begins with record %llu, more than %llu was expected", what,
			     (long long)b->place.id, (unsigned long long)b->first,
			     (unsigned long long)nu->last[b->place.class_no]);
	nu->last[b->place.class_no] = b->last;
	nu->count += b->n;
	if (b->last > nu->highest)
		nu->highest = b->last;
}

static int check_blocks(struct verify *v, struct day *day, struct numbers *nu, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&day->db,
			   "SELECT id, class, part, at, bytes, first, last, n, t0, t1, raw_bytes, sha256, chain"
			   " FROM block ORDER BY id",
			   NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(&day->db, st, err)) > 0) {
		const struct block_row b = { .place = { .id = sqlite3_column_int64(st, 0),
							.class_no = (unsigned)db_u64(st, 1),
							.part = (unsigned)db_u64(st, 2),
							.at = db_u64(st, 3),
							.bytes = db_u64(st, 4) },
					     .first = db_u64(st, 5),
					     .last = db_u64(st, 6),
					     .n = db_u64(st, 7),
					     .t0 = db_u64(st, 8),
					     .t1 = db_u64(st, 9),
					     .raw_bytes = db_u64(st, 10),
					     .sum = db_blob(st, 11),
					     .links = db_blob(st, 12) };

		if (b.place.class_no >= CLASS_COUNT) {
			verify_fault(v, "block %lld: of no class", (long long)b.place.id);
			continue;
		}
		check_number(v, nu, "block", &b);
		r = check_block(v, day, &b, err);
	}
	return r;
}

static int check_tail_row(struct verify *v, sqlite3_stmt *st, const struct block_row *b, struct err *err)
{
	struct history *h = v->s->history;
	const struct segment *g = h->reading;
	char place[48];
	struct err why;

	snprintf(place, sizeof(place), "tail %llu", (unsigned long long)b->first);
	int r = history_unpack(h, db_blob(st, 6), b->raw_bytes, &h->unpacked, &why);
	if (r >= 0)
		r = segment_decode(buf_slice(&h->unpacked), b->first, h->reading, &why);
	if (r < 0) {
		verify_fault(v, "%s: %s", place, why.msg);
		verify_links(v, NULL, b->links, b->place.class_no, place);
		return 0;
	}
	if (g->count != b->n || (g->count && g->rid[g->count - 1] != b->last))
		verify_fault(v, "%s: %zu records, %llu are noted", place, g->count, (unsigned long long)b->n);
	struct noted noted = { .h = h, .t0 = UINT64_MAX };
	term_set_clear(&h->terms);
	r = check_records(v, g, b->place.class_no, place, &noted, err);
	if (r >= 0 && g->count && (noted.t0 != b->t0 || noted.t1 != b->t1 || !slice_eq(term_set_sorted(&h->terms), b->sum)))
		verify_fault(v, "%s: its times or terms are not those of its records", place);
	term_set_clear(&h->terms);
	if (is_unchained(v, b->links, b->place.class_no))
		v->unchained += g->count;
	else
		verify_links(v, g, b->links, b->place.class_no, place);
	segment_reset(h->reading);
	return r;
}

static int check_tail(struct verify *v, struct db *d, struct numbers *nu, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d, "SELECT first, last, n, raw_bytes, class, links, data, t0, t1, terms FROM tail ORDER BY first", NULL, 0,
			   &st, err);

	while (r >= 0 && (r = db_step(d, st, err)) > 0) {
		const struct block_row b = { .place = { .id = sqlite3_column_int64(st, 0),
							.class_no = (unsigned)db_u64(st, 4) },
					     .first = db_u64(st, 0),
					     .last = db_u64(st, 1),
					     .n = db_u64(st, 2),
					     .t0 = db_u64(st, 7),
					     .t1 = db_u64(st, 8),
					     .raw_bytes = db_u64(st, 3),
					     .sum = db_blob(st, 9), /* its terms */
					     .links = db_blob(st, 5) };

		if (b.place.class_no >= CLASS_COUNT) {
			verify_fault(v, "tail %lld: of no class", (long long)b.place.id);
			continue;
		}
		check_number(v, nu, "tail", &b);
		r = check_tail_row(v, st, &b, err);
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
		if (r >= 0 && last_of(e) != db_u64(st, 2) && !v->has_gone)
			verify_fault(v, "agent %s: the watermark is %llu, the newest record %llu", e->agent,
			      (unsigned long long)db_u64(st, 2), (unsigned long long)last_of(e));
	}
	return r;
}

static int check_integrity(struct verify *v, struct db *d, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d, "PRAGMA integrity_check(20)", NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(d, st, err)) > 0)
		if (strcmp(db_text(st, 0), "ok"))
			verify_fault(v, "%.300s", db_text(st, 0));
	return r;
}

static int check_content(struct verify *v, struct day *day, struct err *err)
{
	struct numbers nu = { 0 };
	int r = check_integrity(v, &day->db, err);

	if (r >= 0)
		r = verify_day_begin(v, &day->db, err);
	if (r >= 0)
		r = check_blocks(v, day, &nu, err);
	if (r >= 0)
		r = check_tail(v, &day->db, &nu, err);
	if (r >= 0 && nu.count != nu.highest)
		verify_fault(v, "%llu records are here, their numbers go to %llu", (unsigned long long)nu.count,
			     (unsigned long long)nu.highest);
	if (r >= 0)
		r = verify_day_end(v, err);
	return r < 0 ? r : check_marks(v, &day->db, err);
}

static int check_day(struct verify *v, struct day *day, struct err *err)
{
	/* One view of it all, though the collector may be running in another process. */
	int r = db_exec(&day->db, "BEGIN", err);

	if (r < 0)
		return r;
	r = check_content(v, day, err);
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
			verify_fault(v, "%s", why.msg);
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
			verify_fault(v, "agent %s: %llu stored and %llu lost are not %llu", e->agent,
			      (unsigned long long)stored, (unsigned long long)holes,
			      (unsigned long long)seq);
		bool is_whole = !v->has_gone && history_date(db_u64(st, 5)) >= oldest;
		if (is_whole && e->count < stored)
			verify_fault(v, "agent %s: %llu records were acknowledged, %llu are there", e->agent,
			      (unsigned long long)stored, (unsigned long long)e->count);
	}
	return r;
}

/* The state is read before the history: a collector that goes on meanwhile only adds to the latter. What
 * retention dropped is read after it: days may go meanwhile. */
static int check_all(struct verify *v, const struct store_verify *how, struct err *err)
{
	struct db *d = &v->s->state;
	uint32_t oldest = 0;
	int r = db_exec(d, "BEGIN", err);

	if (r < 0)
		return r;
	r = check_integrity(v, d, err);
	if (r >= 0)
		r = verify_audit(v, err);
	if (r >= 0)
		r = verify_chains_begin(v, how, err);
	if (r >= 0)
		r = check_days(v, &oldest, err);
	if (r >= 0)
		r = check_epochs(v, oldest, err);
	sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
	return r < 0 ? r : verify_chains_end(v, err);
}

int store_verify_heads(struct store *s, struct store_verify *how, void (*fn)(void *arg, const char *fault),
		       void *arg, struct err *err)
{
	struct verify v = { .s = s, .fn = fn, .arg = arg };

	if (store_in_tx(s) || s->history->is_asking)
		return err_set(err, EINVAL, "verify inside a transaction or a query");
	int r = check_all(&v, how, err);
	for (size_t i = 0; i < v.seen_size; i++)
		free(v.seen[i].agent);
	free(v.seen);
	verify_chains_fini(&v);
	how->ret_records = v.records;
	how->ret_unchained = v.unchained;
	return r;
}

int store_verify(struct store *s, void (*fn)(void *arg, const char *fault), void *arg,
		 uint64_t *ret_records, struct err *err)
{
	struct store_verify how = { 0 };
	int r = store_verify_heads(s, &how, fn, arg, err);

	if (r >= 0 && ret_records)
		*ret_records = how.ret_records;
	return r;
}
