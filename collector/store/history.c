/* history.c - writing the day files: what a commit brings, its watermark, rollback. */
#include <errno.h>
#include <limits.h>

#include "collector/store/history_priv.h"

static void free_work(struct history *h)
{
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		segment_free(h->pending[i].g);
		term_set_fini(&h->pending[i].terms);
		free(h->pending[i].links);
		segment_free(h->lanes[i].g);
		buf_fini(&h->lanes[i].unpacked);
	}
	segment_free(h->sealing);
	segment_free(h->reading);
	free(h->sealing_links);
	buf_fini(&h->encoded);
	buf_fini(&h->packed);
	buf_fini(&h->unpacked);
	buf_fini(&h->links);
	buf_fini(&h->bytes);
	term_set_fini(&h->terms);
	chain_hasher_free(h->hasher);
	arena_free(h->arena);
	ZSTD_freeCCtx(h->zc);
	ZSTD_freeDCtx(h->zd);
}

static void forget_sources(struct history *h)
{
	for (size_t i = 0; i < h->source_count; i++)
		free(h->sources[i].agent);
	if (h->source_count)
		memset(h->source_slots, 0, 2 * SOURCES_MAX * sizeof(*h->source_slots));
	h->source_count = h->source_last = 0;
	history_chains_forget(h);
}

void history_close(struct history *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < DAYS_OPEN; i++)
		db_close(&h->days[i].db);
	forget_sources(h);
	free(h->sources);
	free(h->source_slots);
	free(h->chains);
	free_work(h);
	free(h);
}
DEFINE_CLEANUP(struct history, history_close)

static bool make_class(struct history *h, size_t i)
{
	struct pending *p = &h->pending[i];

	buf_init(&h->lanes[i].unpacked, SEGMENT_RAW_MAX + 64 * 1024);
	h->lanes[i].g = segment_new();
	if (i == CLASS_MIXED) /* only read */
		return h->lanes[i].g != NULL;
	p->g = segment_new();
	p->links = calloc(SEGMENT_SOURCES, sizeof(*p->links));
	return h->lanes[i].g && p->g && p->links && term_set_init(&p->terms, TAIL_TERMS);
}

int history_open(struct store *s, struct history **ret, struct err *err)
{
	CLEANUP(history_closep) struct history *h = calloc(1, sizeof(*h));
	bool is_made = true;

	(void)s;
	if (!h)
		return err_set(err, ENOMEM, "open history");
	buf_init(&h->encoded, SEGMENT_RAW_MAX + 64 * 1024);
	buf_init(&h->unpacked, SEGMENT_RAW_MAX + 64 * 1024);
	buf_init(&h->packed, SEGMENT_RAW_MAX + 256 * 1024);
	buf_init(&h->bytes, SEGMENT_RAW_MAX + 256 * 1024);
	buf_init(&h->links, 0);
	for (size_t i = 0; i < CLASS_COUNT; i++)
		is_made &= make_class(h, i);
	h->sealing = segment_new();
	h->reading = segment_new();
	h->sealing_links = calloc(SEGMENT_SOURCES, sizeof(*h->sealing_links));
	h->sources = calloc(SOURCES_MAX, sizeof(*h->sources));
	h->source_slots = calloc(2 * SOURCES_MAX, sizeof(*h->source_slots));
	h->chains = calloc(CHAINS_MAX, sizeof(*h->chains));
	h->arena = arena_new(LIMIT_ARENA_BYTES);
	h->hasher = chain_hasher_new();
	h->zc = ZSTD_createCCtx();
	h->zd = ZSTD_createDCtx();
	if (!is_made || !h->sealing || !h->reading || !h->sealing_links || !h->sources || !h->source_slots || !h->chains ||
	    !term_set_init(&h->terms, BLOCK_TERMS) || !h->arena || !h->hasher || !h->zc || !h->zd)
		return err_set(err, ENOMEM, "open history");
	ZSTD_CCtx_setParameter(h->zc, ZSTD_c_checksumFlag, 1);
	*ret = take_ptr(h);
	return 0;
}

/* ---- watermarks ---- */

static int raise_mark(struct store *s, uint32_t date, struct source *src, struct err *err)
{
	struct day *day;
	int64_t seq = 0;
	int r = history_day(s, date, false, &day, err);

	if (r >= 0)
		r = DB_NUMBER(&day->db, &seq, err,
			      "SELECT seq FROM watermark WHERE agent = ? AND epoch = ?",
			      B_STR(src->agent), B_INT(src->epoch));
	/* A damaged file of another day must not stop the fleet; at worst a record is there twice. */
	if (r == -ENOENT || (r == -ERR_CORRUPT && date != s->history->write->date))
		return 0;
	if (r >= 0 && (uint64_t)seq > src->mark)
		src->mark = (uint64_t)seq;
	return r;
}

/* A kill between the two commits leaves the history ahead of the state by one group of batches. That
 * group stands in the newest file, or the one before if midnight came in between; and in some older
 * one only if the clock was put back. */
static int load_mark(struct store *s, struct source *src, struct err *err)
{
	struct history *h = s->history;
	uint32_t dates[DAYS_MAX];
	size_t count;
	int r = history_dates(s, dates, &count, err);

	if (r < 0)
		return r;
	bool is_clock_back = count && dates[count - 1] > h->write->date;
	size_t from = is_clock_back || count < 2 ? 0 : count - 2;
	for (size_t i = from; i < count && r >= 0; i++)
		r = raise_mark(s, dates[i], src, err);
	return r;
}

static bool is_source(const struct source *src, const char *agent, uint64_t epoch)
{
	return src->epoch == epoch && !strcmp(src->agent, agent);
}

/* Where it is, or would be. */
static uint16_t *source_slot(struct history *h, const char *agent, uint64_t epoch)
{
	size_t at = slice_hash(slice_of(agent)) ^ epoch * 0x9e3779b97f4a7c15ull;

	for (at ^= at >> 32;; at++) {
		uint16_t *slot = &h->source_slots[at % (2 * SOURCES_MAX)];

		if (!*slot || is_source(&h->sources[*slot - 1], agent, epoch))
			return slot;
	}
}

static int find_source(struct store *s, const char *agent, uint64_t epoch, struct source **ret,
		       struct err *err)
{
	struct history *h = s->history;

	if (h->source_count && is_source(&h->sources[h->source_last], agent, epoch)) {
		*ret = &h->sources[h->source_last];
		return 0;
	}
	uint16_t *slot = source_slot(h, agent, epoch);
	if (*slot) {
		h->source_last = *slot - 1;
		*ret = &h->sources[h->source_last];
		return 0;
	}
	if (h->source_count == SOURCES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d agents in one transaction", SOURCES_MAX);
	struct source src = { .agent = slice_dup(slice_of(agent)), .epoch = epoch };
	if (!src.agent)
		return err_set(err, ENOMEM, "history");
	int r = load_mark(s, &src, err);
	if (r < 0) {
		free(src.agent);
		return r;
	}
	*slot = (uint16_t)(h->source_count + 1);
	h->source_last = h->source_count++;
	h->sources[h->source_last] = src;
	*ret = &h->sources[h->source_last];
	return 0;
}

static int write_marks(struct history *h, struct err *err)
{
	for (size_t i = 0; i < h->source_count; i++) {
		struct source *src = &h->sources[i];

		if (!src->is_dirty)
			continue;
		int r = DB_RUN(&h->write->db, err,
			       "INSERT INTO watermark(agent, epoch, seq) VALUES (?1,?2,?3)"
			       " ON CONFLICT(agent, epoch) DO UPDATE SET seq = ?3",
			       B_STR(src->agent), B_INT(src->epoch), B_INT(src->mark));
		if (r < 0)
			return r;
		src->is_dirty = false;
	}
	return 0;
}

/* ---- the transaction ---- */

/* What waits in the tail of each class. */
static int count_tail(struct history *h, struct db *d, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d, "SELECT class, sum(n), sum(raw_bytes) FROM tail GROUP BY class", NULL, 0, &st, err);

	for (size_t i = 0; i < CLASS_COUNT; i++)
		h->pending[i].tail_count = h->pending[i].tail_bytes = 0;
	while (r >= 0 && (r = db_step(d, st, err)) > 0) {
		int64_t class_no = sqlite3_column_int64(st, 0);

		if (class_no < 0 || class_no >= CLASS_COUNT)
			continue;
		h->pending[class_no].tail_count = db_u64(st, 1);
		h->pending[class_no].tail_bytes = db_u64(st, 2);
	}
	return r;
}

static int begin(struct store *s, struct err *err)
{
	struct history *h = s->history;
	struct day *day;
	int64_t tail_last, block_last;
	int r = history_day(s, history_date(clock_unix_ns(s->clk)), true, &day, err);

	if (r >= 0)
		r = db_begin(&day->db, err);
	if (r < 0)
		return r;
	h->write = day;
	if (h->source_count > SOURCES_MAX / 2)
		forget_sources(h);
	/* so that a day that is gone is missed */
	if (h->noted_date != day->date)
		r = DB_RUN(&s->state, err, "INSERT OR IGNORE INTO history_day(date, begun) VALUES (?,?)",
			   B_INT(day->date), B_INT(clock_unix_ns(s->clk)));
	if (r < 0)
		return r; /* the caller rolls back */
	h->noted_date = day->date;
	r = db_number(&day->db, "SELECT max(last) FROM tail", NULL, 0, &tail_last, err);
	if (r >= 0)
		r = db_number(&day->db, "SELECT max(last) FROM block", NULL, 0, &block_last, err);
	if (r >= 0)
		r = count_tail(h, &day->db, err);
	if (r < 0)
		return r; /* the caller rolls back */
	h->next_rid = (uint64_t)(tail_last > block_last ? tail_last : block_last) + 1;
	return 0;
}

static void forget_pending(struct history *h, struct pending *p)
{
	for (size_t i = 0; i < p->link_count; i++)
		h->chains[p->links[i].no].link = 0;
	p->link_count = 0;
	segment_reset(p->g);
	term_set_clear(&p->terms);
}

/* The links of what is pending: chains by their rows, with the values they have now. */
static struct slice pending_links(struct history *h, struct pending *p)
{
	buf_reset(&h->links);
	for (size_t i = 0; i < p->link_count; i++) {
		const struct chain *c = &h->chains[p->links[i].no];
		struct chain_link l = p->links[i];

		l.no = c->no;
		memcpy(l.end, c->value.hash, CHAIN_BYTES);
		chain_link_put(&h->links, &l);
	}
	return buf_slice(&h->links);
}

/* What is pending of a class becomes a tail row of the open transaction. */
static int flush_class(struct store *s, unsigned class_no, struct err *err)
{
	struct history *h = s->history;
	struct pending *p = &h->pending[class_no];
	struct segment *g = p->g;

	if (!g || !g->count)
		return 0;
	buf_reset(&h->encoded);
	segment_encode(g, &h->encoded);
	int r = history_pack(h, TAIL_LEVEL, err);
	if (r < 0)
		return r;
	struct slice links = pending_links(h, p);
	if (h->links.failed)
		return err_set(err, ENOMEM, "history");
	r = DB_RUN(&h->write->db, err,
		   "INSERT INTO tail(first, n, t0, t1, received, terms, raw_bytes, data, class, last, links)"
		   " VALUES (?,?,?,?,?,?,?,?,?,?,?)",
		   B_INT(g->rid[0]), B_INT(g->count), B_INT(g->t0), B_INT(g->t1), B_INT(clock_unix_ns(s->clk)),
		   B_BLOB(term_set_sorted(&p->terms)), B_INT(h->encoded.n), B_BLOB(buf_slice(&h->packed)),
		   B_INT(class_no), B_INT(g->rid[g->count - 1]), B_BLOB(links));
	if (r < 0)
		return r;
	p->tail_count += g->count;
	p->tail_bytes += h->encoded.n;
	forget_pending(h, p);
	return 0;
}

static int flush(struct store *s, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < CLASS_COUNT && r >= 0; i++)
		r = flush_class(s, i, err);
	return r;
}

/* The record into the segment, its chain and the link that speaks of both. */
static int add_linked(struct history *h, struct pending *p, struct chain *c, const struct segment_place *at,
		      struct slice packed, struct err *err)
{
	int r = segment_add(p->g, at, packed, err);

	if (r < 0)
		return r;
	if (!c->link) {
		p->links[p->link_count] = (struct chain_link){ .no = c - h->chains, .from = c->value.count };
		c->link = (uint32_t)++p->link_count;
	}
	p->links[c->link - 1].n++;
	chain_add(h->hasher, &c->value, at->epoch, at->seq, packed);
	c->is_dirty = true;
	return 0;
}

static int add(struct store *s, const char *agent, uint64_t epoch, uint64_t seq, struct slice packed,
	       const Picket__Record *rec, struct err *err)
{
	struct history *h = s->history;
	unsigned class_no = history_class_of(rec);
	struct pending *p = &h->pending[class_no];
	struct source *src = NULL;
	struct chain *c = NULL;
	int r = h->write ? 0 : begin(s, err);

	if (r >= 0)
		r = find_source(s, agent, epoch, &src, err);
	if (r < 0 || !src || seq <= src->mark)
		return r;
	if (!segment_has_room(p->g, packed.n) || term_set_room(&p->terms) < RECORD_TERMS_MAX ||
	    p->link_count == SEGMENT_SOURCES) {
		r = flush_class(s, class_no, err);
		if (r < 0)
			return r;
	}
	r = history_chain_find(s, src, class_no, &c, err);
	if (r < 0)
		return r;
	const struct segment_place at = { agent, epoch, seq, h->next_rid, rec->time_unix_ns };
	r = add_linked(h, p, c, &at, packed, err);
	if (r < 0)
		return r;
	record_terms(agent, rec, term_set_add, &p->terms);
	h->next_rid++;
	src->mark = seq;
	src->is_dirty = true;
	return 0;
}

int store_history_add(struct store *s, const char *agent, uint64_t epoch, uint64_t seq,
		      struct slice packed, const Picket__Record *rec, struct err *err)
{
	if (!store_in_tx(s))
		return err_set(err, EINVAL, "history: no transaction is open");
	if (packed.n > LIMIT_RECORD_BYTES || seq > INT64_MAX)
		return err_set(err, ERR_LIMIT, "history: record %llu of agent '%.64s' has %zu bytes",
			       (unsigned long long)seq, agent, packed.n);
	int r = add(s, agent, epoch, seq, packed, rec, err);
	/* Counted with the state, and so also when the history had it before a kill. */
	if (r >= 0 && rec->body_case == PICKET__RECORD__BODY_GAP)
		r = agents_count_gap(s, agent, epoch, seq, rec->gap, err);
	/* A half-added batch must not be committed by a caller that overlooks this. */
	if (r < 0 && !s->state.tx_failed)
		s->state.tx_failed = -r;
	return r;
}

int history_commit(struct store *s, struct err *err)
{
	struct history *h = s->history;

	if (!h->write)
		return 0;
	int r = flush(s, err);
	if (r >= 0)
		r = write_marks(h, err);
	if (r >= 0)
		r = history_chains_write(s, err);
	if (r >= 0)
		r = db_commit(&h->write->db, err);
	if (r < 0)
		return r;
	h->seal = NULL;
	for (size_t i = 0; i < CLASS_COUNT; i++)
		if (h->pending[i].tail_count >= SEGMENT_RECORDS || h->pending[i].tail_bytes >= SEGMENT_BYTES)
			h->seal = h->write;
	h->write = NULL;
	return 0;
}

/* In a transaction of its own: on a disk that is nearly full a batch may still fit when the room to work
 * in doesn't. A failure is ignored: the tail stays as good as it was and is tried again with the next
 * commit, and by store_history_tidy, which says so. */
void history_committed(struct store *s)
{
	struct history *h = s->history;
	struct day *day = h->seal;

	h->seal = NULL;
	if (!day || db_begin(&day->db, NULL) < 0)
		return;
	if (history_seal(s, day, false, NULL) < 0 || db_commit(&day->db, NULL) < 0)
		db_rollback(&day->db);
}

void history_rollback(struct store *s)
{
	struct history *h = s->history;

	if (!h)
		return;
	h->seal = NULL;
	history_chains_unknown(h);
	if (!h->write)
		return;
	for (size_t i = 0; i < CLASS_COUNT; i++)
		if (h->pending[i].g)
			forget_pending(h, &h->pending[i]);
	db_rollback(&h->write->db);
	h->write = NULL;
	h->noted_date = 0;
	forget_sources(h); /* what they said may not have happened */
}
