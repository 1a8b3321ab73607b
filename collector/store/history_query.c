/* history_query.c - asking the history: day files by time, blocks by postings, records one by one. */
#include <errno.h>
#include <limits.h>

#include "collector/store/history_query.h"
#include "collector/store/paging.h"

enum { BUDGET_EVERY = 256, PLAN_ARENA_BYTES = 1024 * 1024 };

struct query {
	struct store *s;
	const struct store_query *q;
	struct plan plan;
	int (*fn)(void *arg, const struct store_event *e);
	void *arg;
	uint64_t given, looked_at, deadline_boot_ns;
	uint32_t from_date; /* the cursor: 0 = none */
	uint64_t from_rid;
	uint32_t date;	   /* where we are */
	uint64_t last_rid; /* the record looked at last */
	bool is_stopped;   /* by the limit or the budget */
};

static int read_cursor(struct query *run, struct err *err)
{
	int64_t at[2] = { 0, 0 };
	int r = paging_cursor(run->q, 'h', at, 2, err);

	if (r > 0 && (at[0] < 19700101 || at[0] > 99991231))
		return paging_not_ours(err);
	run->from_date = (uint32_t)at[0];
	run->from_rid = (uint64_t)at[1];
	return r;
}

/* Before the cursor, seen from the direction we walk? */
static bool is_passed(const struct query *run, uint64_t rid)
{
	if (run->date != run->from_date)
		return false;
	return run->q->oldest_first ? rid <= run->from_rid : rid >= run->from_rid;
}

static void count_row(struct query *run)
{
	if (++run->given == run->q->limit)
		run->is_stopped = true;
}

static int give_record(struct query *run, const struct segment *g, size_t i, struct err *err)
{
	struct history *h = run->s->history;
	const struct segment_source *src = &g->sources[g->source[i]];
	Picket__Record *rec;

	arena_reset(h->arena);
	/* Ignored: what can't be read can't be shown; store_verify names it. */
	if (msg_read_record(segment_record(g, i), h->arena, &rec, NULL) < 0)
		return 0;
	int r = plan_match(run->s, &run->plan, src->agent, rec, h->arena, err);
	if (r <= 0)
		return r;
	const struct agent_brief *agent = agents_find(run->s, src->agent);
	const struct store_event e = { .agent = src->agent,
				       .host = agent ? agent->host : "",
				       .epoch = src->epoch,
				       .seq = g->seq[i],
				       .record = rec };
	r = run->fn(run->arg, &e);
	if (r < 0)
		return r;
	count_row(run);
	return 0;
}

static int walk_segment(struct query *run, const struct segment *g, uint64_t first, struct err *err)
{
	bool may[SEGMENT_SOURCES];

	for (size_t i = 0; i < g->source_count; i++)
		may[i] = plan_match_agent(run->s, &run->plan, g->sources[i].agent);
	for (size_t k = 0; k < g->count && !run->is_stopped; k++) {
		size_t i = run->q->oldest_first ? k : g->count - 1 - k;

		if (is_passed(run, first + i))
			continue;
		if (++run->looked_at % BUDGET_EVERY == 0 &&
		    clock_boot_ns(run->s->clk) > run->deadline_boot_ns)
			run->is_stopped = true;
		run->last_rid = first + i;
		if (!may[g->source[i]] || !plan_may_match(&run->plan, segment_record(g, i)))
			continue;
		int r = give_record(run, g, i, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_outside(const struct plan *p, uint64_t t0, uint64_t t1)
{
	return t1 < p->since || (p->until && t0 > p->until);
}

/* A hole in what can be shown is shown as one. */
static int give_damage(struct query *run, uint64_t n, uint64_t t0, uint64_t t1)
{
	Picket__Gap gap = PICKET__GAP__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;
	static char reason[] = "block_damaged";

	gap.lost = n;
	gap.from_unix_ns = t0;
	gap.to_unix_ns = t1;
	gap.reason = reason;
	rec.time_unix_ns = t1;
	rec.body_case = PICKET__RECORD__BODY_GAP;
	rec.gap = &gap;
	const struct store_event e = { .agent = "", .host = "", .record = &rec };
	int r = run->fn(run->arg, &e);
	if (r < 0)
		return r;
	count_row(run);
	return 0;
}

static int walk_tail_row(struct query *run, sqlite3_stmt *st, struct err *err)
{
	struct history *h = run->s->history;
	uint64_t first = db_u64(st, 0), n = db_u64(st, 5);
	uint64_t end = run->q->oldest_first ? first + n - 1 : first;

	if (!n || is_passed(run, end))
		return 0;
	int r = history_unpack(h, db_blob(st, 4), db_u64(st, 3), err);
	if (r >= 0)
		r = segment_decode(buf_slice(&h->unpacked), h->reading, err);
	if (r == -ERR_CORRUPT) {
		run->last_rid = end;
		return give_damage(run, n, db_u64(st, 1), db_u64(st, 2));
	}
	if (r >= 0)
		r = walk_segment(run, h->reading, first, err);
	segment_reset(h->reading);
	return r;
}

static int walk_tail(struct query *run, struct day *day, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	const char *sql = run->q->oldest_first ?
				  "SELECT first, t0, t1, raw_bytes, data, n FROM tail ORDER BY first" :
				  "SELECT first, t0, t1, raw_bytes, data, n FROM tail ORDER BY first DESC";
	int r = db_prepare(&day->db, sql, NULL, 0, &st, err);

	while (r >= 0 && !run->is_stopped && (r = db_step(&day->db, st, err)) > 0) {
		if (is_outside(&run->plan, db_u64(st, 1), db_u64(st, 2)))
			continue;
		r = walk_tail_row(run, st, err);
	}
	return r < 0 ? r : 0;
}

static int read_block(struct query *run, struct day *day, int64_t id, uint64_t raw_bytes,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct history *h = run->s->history;
	int r = DB_PREPARE(&day->db, &st, err, "SELECT data FROM block_data WHERE block = ?", B_INT(id));

	if (r < 0)
		return r;
	r = db_step(&day->db, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_CORRUPT, "block %lld has no data", (long long)id);
	r = history_unpack(h, db_blob(st, 0), raw_bytes, err);
	return r < 0 ? r : segment_decode(buf_slice(&h->unpacked), h->reading, err);
}

static int walk_block(struct query *run, struct day *day, int64_t id, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct segment *g = run->s->history->reading;
	int r = DB_PREPARE(&day->db, &st, err,
			   "SELECT first, n, t0, t1, raw_bytes FROM block WHERE id = ?", B_INT(id));

	if (r < 0)
		return r;
	r = db_step(&day->db, st, err);
	if (r <= 0)
		return r;
	uint64_t first = db_u64(st, 0), n = db_u64(st, 1), t0 = db_u64(st, 2), t1 = db_u64(st, 3);
	uint64_t end = run->q->oldest_first ? first + n - 1 : first;
	if (!n || is_passed(run, end) || is_outside(&run->plan, t0, t1))
		return 0;
	r = read_block(run, day, id, db_u64(st, 4), err);
	if (r == -ERR_CORRUPT) {
		run->last_rid = end;
		return give_damage(run, n, t0, t1);
	}
	if (r >= 0)
		r = walk_segment(run, g, first, err);
	segment_reset(g);
	return r;
}

/* mark[b] = how many of the plan's sets block b is in; only those in all of them are candidates. */
static int mark_blocks(struct day *day, const struct plan *p, uint8_t *mark, int64_t last,
		       struct err *err)
{
	for (size_t i = 0; i < p->set_count; i++) {
		const struct plan_set *set = &p->sets[i];

		for (size_t k = 0; k < set->count; k++) {
			CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
			int r = DB_PREPARE(&day->db, &st, err,
					   "SELECT block FROM posting WHERE term = ?",
					   B_INT(set->terms[k]));

			while (r >= 0 && (r = db_step(&day->db, st, err)) > 0) {
				int64_t b = sqlite3_column_int64(st, 0);

				if (b > 0 && b <= last && mark[b] == i)
					mark[b] = (uint8_t)(i + 1);
			}
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int walk_blocks(struct query *run, struct day *day, struct err *err)
{
	int64_t last;
	int r = db_number(&day->db, "SELECT max(id) FROM block", NULL, 0, &last, err);

	if (r < 0 || last <= 0)
		return r;
	if (last > 10 * 1000 * 1000)
		return err_set(err, ERR_CORRUPT, "'%s' has too many blocks", day->db.path);
	CLEANUP(freep) uint8_t *mark = calloc((size_t)last + 1, 1);
	if (!mark)
		return err_set(err, ENOMEM, "history query");
	r = mark_blocks(day, &run->plan, mark, last, err);
	for (int64_t k = 1; r >= 0 && k <= last && !run->is_stopped; k++) {
		int64_t id = run->q->oldest_first ? k : last + 1 - k;

		if (mark[id] == run->plan.set_count)
			r = walk_block(run, day, id, err);
	}
	return r;
}

/* Has the day anything of the time asked for? An agent's clock may differ from ours, so the file's
 * name doesn't tell. */
static int is_day_outside(struct query *run, struct day *day, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r;

	if (!run->plan.since && !run->plan.until)
		return 0;
	r = db_prepare(&day->db,
		       "SELECT min(t0), max(t1) FROM"
		       " (SELECT t0, t1 FROM block UNION ALL SELECT t0, t1 FROM tail)",
		       NULL, 0, &st, err);
	if (r < 0)
		return r;
	r = db_step(&day->db, st, err);
	return r <= 0 ? r : is_outside(&run->plan, db_u64(st, 0), db_u64(st, 1));
}

static int walk_day(struct query *run, uint32_t date, struct err *err)
{
	struct day *day;
	int r = history_day(run->s, date, false, &day, err);

	if (r == -ENOENT)
		return 0; /* its time came */
	if (r < 0)
		return r;
	run->date = date;
	/* One view of tail and blocks, though another process may be sealing. */
	bool is_own = sqlite3_get_autocommit(day->db.h);
	if (is_own)
		r = db_exec(&day->db, "BEGIN", err);
	if (r < 0)
		return r;
	r = is_day_outside(run, day, err);
	if (!r) {
		r = run->q->oldest_first ? walk_blocks(run, day, err) : walk_tail(run, day, err);
		if (r >= 0 && !run->is_stopped)
			r = run->q->oldest_first ? walk_tail(run, day, err) :
						   walk_blocks(run, day, err);
	}
	if (is_own)
		sqlite3_exec(day->db.h, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
	return r < 0 ? r : 0;
}

static int walk_days(struct query *run, struct err *err)
{
	uint32_t dates[DAYS_MAX];
	size_t count;
	int r = history_dates(run->s, dates, &count, err);

	for (size_t k = 0; r >= 0 && k < count && !run->is_stopped; k++) {
		uint32_t date = run->q->oldest_first ? dates[k] : dates[count - 1 - k];

		if (run->from_date &&
		    (run->q->oldest_first ? date < run->from_date : date > run->from_date))
			continue;
		r = walk_day(run, date, err);
	}
	return r;
}

/* run->plan is made, then walked within its time. */
static int answer(struct query *run,
		  int (*make)(struct store *s, const struct store_query *q, struct arena *a,
			      struct plan *ret, struct err *err),
		  struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(PLAN_ARENA_BYTES);
	struct store *s = run->s;
	const struct store_query *q = run->q;

	if (!a)
		return err_set(err, ENOMEM, "history query");
	int r = paging_limit(q, err);
	if (r < 0)
		return r;
	if (s->history->is_asking)
		return err_set(err, EBUSY, "the history is asked from within its own answer");
	r = read_cursor(run, err);
	if (r >= 0)
		r = agents_refresh(s, err);
	if (r >= 0)
		r = make(s, q, a, &run->plan, err);
	if (r < 0)
		return r;
	uint64_t begun = clock_boot_ns(s->clk);
	run->deadline_boot_ns = store_query_begin(s);
	s->history->is_asking = true;
	r = walk_days(run, err);
	s->history->is_asking = false;
	store_query_end(s, begun);
	return r;
}

int store_history_query(struct store *s, const struct store_query *q,
			int (*fn)(void *arg, const struct store_event *e), void *arg,
			char *ret_cursor, size_t cursor_size, struct err *err)
{
	struct query run = { .s = s, .q = q, .fn = fn, .arg = arg };
	int r = answer(&run, plan_make, err);

	if (r < 0)
		return r;
	snprintf(ret_cursor, cursor_size, "h%u.%llu", run.date, (unsigned long long)run.last_rid);
	if (!run.is_stopped)
		ret_cursor[0] = 0;
	return 0;
}

static int add_lost(void *arg, const struct store_event *e)
{
	const uint64_t most = 1ull << 53; /* what JSON readers are exact about */
	struct store_lost *ret = arg;
	const Picket__Gap *gap = e->record->gap;
	uint64_t *sum = gap->loss_class == PICKET__LOSS_CLASS__LOSS_PROCESS ? &ret->process :
			gap->loss_class == PICKET__LOSS_CLASS__LOSS_RARE    ? &ret->rare :
			gap->loss_class == PICKET__LOSS_CLASS__LOSS_VOLUME  ? &ret->volume :
									      &ret->other;

	*sum = gap->lost < most - *sum ? *sum + gap->lost : most;
	return 0;
}

int store_history_lost(struct store *s, const struct store_query *q, struct store_lost *ret, struct err *err)
{
	const struct store_query all = { .filter = q->filter,
					 .since_unix_ns = q->since_unix_ns,
					 .until_unix_ns = q->until_unix_ns,
					 .limit = QUERY_LIMIT_MAX };
	struct query run = { .s = s, .q = &all, .fn = add_lost, .arg = ret };

	*ret = (struct store_lost){ 0 };
	int r = answer(&run, plan_make_gaps, err);
	ret->is_partial = run.is_stopped;
	return r < 0 ? r : 0;
}
