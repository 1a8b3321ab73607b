/* history.c - writing the day files: what a commit brings, its watermark, rollback. */
#include <errno.h>
#include <limits.h>

#include "collector/store/history_priv.h"

static void free_work(struct history *h)
{
	segment_free(h->pending);
	segment_free(h->sealing);
	segment_free(h->reading);
	buf_fini(&h->encoded);
	buf_fini(&h->packed);
	buf_fini(&h->unpacked);
	free(h->terms);
	free(h->term_slots);
	free(h->term_list);
	arena_free(h->arena);
	ZSTD_freeCCtx(h->zc);
	ZSTD_freeDCtx(h->zd);
}

static void forget_sources(struct history *h)
{
	for (size_t i = 0; i < h->source_count; i++)
		free(h->sources[i].agent);
	h->source_count = h->source_last = 0;
}

void history_close(struct history *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < DAYS_OPEN; i++)
		db_close(&h->days[i].db);
	forget_sources(h);
	free(h->sources);
	free_work(h);
	free(h);
}
DEFINE_CLEANUP(struct history, history_close)

int history_open(struct store *s, struct history **ret, struct err *err)
{
	CLEANUP(history_closep) struct history *h = calloc(1, sizeof(*h));

	(void)s;
	if (!h)
		return err_set(err, ENOMEM, "open history");
	buf_init(&h->encoded, SEGMENT_RAW_MAX + 64 * 1024);
	buf_init(&h->unpacked, SEGMENT_RAW_MAX + 64 * 1024);
	buf_init(&h->packed, SEGMENT_RAW_MAX + 256 * 1024);
	h->pending = segment_new();
	h->sealing = segment_new();
	h->reading = segment_new();
	h->sources = calloc(SOURCES_MAX, sizeof(*h->sources));
	h->terms = calloc(TERM_SLOTS, sizeof(*h->terms));
	h->term_slots = calloc(TERM_SLOTS, sizeof(*h->term_slots));
	h->term_list = calloc(TERM_SLOTS, sizeof(*h->term_list));
	h->arena = arena_new(LIMIT_ARENA_BYTES);
	h->zc = ZSTD_createCCtx();
	h->zd = ZSTD_createDCtx();
	if (!h->pending || !h->sealing || !h->reading || !h->sources || !h->terms || !h->term_slots ||
	    !h->term_list || !h->arena || !h->zc || !h->zd)
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

static int find_source(struct store *s, const char *agent, uint64_t epoch, struct source **ret,
		       struct err *err)
{
	struct history *h = s->history;

	if (h->source_count && is_source(&h->sources[h->source_last], agent, epoch)) {
		*ret = &h->sources[h->source_last];
		return 0;
	}
	for (size_t i = 0; i < h->source_count; i++)
		if (is_source(&h->sources[i], agent, epoch)) {
			h->source_last = i;
			*ret = &h->sources[i];
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

static int begin(struct store *s, struct err *err)
{
	struct history *h = s->history;
	struct day *day;
	int64_t tail_end, block_end, tail_count, tail_bytes = 0;
	int r = history_day(s, history_date(clock_unix_ns(s->clk)), true, &day, err);

	if (r >= 0)
		r = db_begin(&day->db, err);
	if (r < 0)
		return r;
	h->write = day;
	if (h->source_count > SOURCES_MAX / 2)
		forget_sources(h);
	r = db_number(&day->db, "SELECT first + n FROM tail ORDER BY first DESC LIMIT 1", NULL, 0,
		      &tail_end, err);
	if (r >= 0)
		r = db_number(&day->db, "SELECT first + n FROM block ORDER BY id DESC LIMIT 1", NULL, 0,
			      &block_end, err);
	if (r >= 0)
		r = db_number(&day->db, "SELECT sum(n) FROM tail", NULL, 0, &tail_count, err);
	if (r >= 0)
		r = db_number(&day->db, "SELECT sum(raw_bytes) FROM tail", NULL, 0, &tail_bytes, err);
	if (r < 0)
		return r; /* the caller rolls back */
	h->next_rid = (uint64_t)(tail_end > block_end ? tail_end : block_end);
	if (!h->next_rid)
		h->next_rid = 1;
	h->tail_count = (uint64_t)tail_count;
	h->tail_bytes = (uint64_t)tail_bytes;
	return 0;
}

/* What is pending becomes a tail row of the open transaction. */
static int flush(struct store *s, struct err *err)
{
	struct history *h = s->history;
	struct segment *g = h->pending;

	if (!g->count)
		return 0;
	buf_reset(&h->encoded);
	segment_encode(g, &h->encoded);
	int r = history_pack(h, TAIL_LEVEL, err);
	if (r < 0)
		return r;
	r = DB_RUN(&h->write->db, err,
		       "INSERT INTO tail(first, n, t0, t1, received, terms, raw_bytes, data)"
		       " VALUES (?,?,?,?,?,?,?,?)",
		       B_INT(h->next_rid), B_INT(g->count), B_INT(g->t0), B_INT(g->t1),
		       B_INT(clock_unix_ns(s->clk)), B_BLOB(terms_sorted(h)),
		       B_INT(h->encoded.n), B_BLOB(buf_slice(&h->packed)));
	if (r < 0)
		return r;
	terms_clear(h);
	h->next_rid += g->count;
	h->tail_count += g->count;
	h->tail_bytes += h->encoded.n;
	segment_reset(g);
	return 0;
}

static int add(struct store *s, const char *agent, uint64_t epoch, uint64_t seq, struct slice packed,
	       const Picket__Record *rec, struct err *err)
{
	struct history *h = s->history;
	struct source *src = NULL;
	int r = h->write ? 0 : begin(s, err);

	if (r >= 0)
		r = find_source(s, agent, epoch, &src, err);
	if (r < 0 || !src || seq <= src->mark)
		return r;
	if (!segment_has_room(h->pending, packed.n)) {
		r = flush(s, err);
		if (r < 0)
			return r;
	}
	r = segment_add(h->pending, agent, epoch, seq, rec->time_unix_ns, packed, err);
	if (r < 0)
		return r;
	record_terms(agent, rec, terms_add, h);
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
		r = db_commit(&h->write->db, err);
	if (r < 0)
		return r;
	h->seal = h->tail_count >= SEGMENT_RECORDS || h->tail_bytes >= SEGMENT_BYTES ? h->write : NULL;
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
	if (history_seal(h, &day->db, false, NULL) < 0 || db_commit(&day->db, NULL) < 0)
		db_rollback(&day->db);
}

void history_rollback(struct store *s)
{
	struct history *h = s->history;

	if (!h)
		return;
	h->seal = NULL;
	if (!h->write)
		return;
	segment_reset(h->pending);
	terms_clear(h);
	db_rollback(&h->write->db);
	h->write = NULL;
	forget_sources(h); /* what they said may not have happened */
}
