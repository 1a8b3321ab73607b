/* history_walk.c - through the days, newest or oldest first: blocks by their filters, records one by one.
 *
 * A class has its blocks and then its tail rows, one behind the other; classes overlap. So each class is a lane,
 * and the next record is that of the lane whose number is next. */
#include <errno.h>
#include <limits.h>
#include <time.h>

#include "collector/store/bloom.h"
#include "collector/store/history_query.h"

enum { BUDGET_EVERY = 256, PIECES_MAX = 1 << 20 };

/* A block or a tail row that may have something. */
struct piece {
	struct block_place place; /* id: of a tail row its first record */
	uint64_t first, last, n, t0, t1, raw_bytes;
	bool is_tail;
};
struct walk {
	struct query *run;
	struct day *day;
	struct lane_walk {
		struct piece *pieces;
		size_t count, size, at;
		struct lane *lane;
		size_t next;  /* the record that comes next, in the open piece */
		bool is_open;
		bool may[SEGMENT_SOURCES];
	} lanes[CLASS_COUNT];
	uint8_t *mark; /* of blocks of before there were filters: how many of the plan's sets they are in */
	int64_t mark_count;
};

/* Before the cursor, seen from the direction we walk? */
static bool is_passed(const struct query *run, uint64_t rid)
{
	if (run->date != run->from_date)
		return false;
	return run->q->oldest_first ? rid <= run->from_rid : rid >= run->from_rid;
}

/* Of a cursor behind the last record of a day. */
static uint64_t end_of_day(const struct query *run)
{
	return run->q->oldest_first ? INT64_MAX : 0;
}

static bool is_outside(const struct plan *p, uint64_t t0, uint64_t t1)
{
	return t1 < p->since || (p->until && t0 > p->until);
}

static void look_at_the_clock(struct query *run)
{
	if (clock_boot_ns(run->s->clk) > run->deadline_boot_ns)
		run->is_stopped = true;
}

static void count_row(struct query *run)
{
	if (++run->given == run->q->limit)
		run->is_stopped = true;
}

/* ---- which pieces there are ---- */

static int add_piece(struct walk *w, const struct piece *p, struct err *err)
{
	struct query *run = w->run;
	struct lane_walk *l = &w->lanes[p->place.class_no];

	if (!p->n || is_outside(&run->plan, p->t0, p->t1) ||
	    is_passed(run, run->q->oldest_first ? p->last : p->first))
		return 0;
	if (l->count == PIECES_MAX)
		return err_set(err, ERR_CORRUPT, "'%s' has too many blocks", w->day->db.path);
	if (l->count == l->size) {
		size_t size = l->size ? l->size * 2 : 256;
		struct piece *grown = realloc(l->pieces, size * sizeof(*grown));
		if (!grown)
			return err_set(err, ENOMEM, "history query");
		l->pieces = grown;
		l->size = size;
	}
	l->pieces[l->count++] = *p;
	return 0;
}

/* Blocks by the index that has all of this: their rows have links of every agent in them. */
static int list_pieces(struct walk *w, unsigned class_no, bool is_tail, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	const char *sql = is_tail ? "SELECT first, 0, 0, 0, first, last, n, t0, t1, raw_bytes FROM tail"
				    " WHERE class = ? ORDER BY first" :
				    "SELECT id, part, at, bytes, first, last, n, t0, t1, raw_bytes FROM block"
				    " WHERE class = ? ORDER BY id";
	int r = DB_PREPARE(&w->day->db, &st, err, sql, B_INT(class_no));

	while (r >= 0 && (r = db_step(&w->day->db, st, err)) > 0) {
		const struct piece p = { .place = { .id = sqlite3_column_int64(st, 0),
						    .class_no = class_no,
						    .part = (unsigned)db_u64(st, 1),
						    .at = db_u64(st, 2),
						    .bytes = db_u64(st, 3) },
					 .first = db_u64(st, 4),
					 .last = db_u64(st, 5),
					 .n = db_u64(st, 6),
					 .t0 = db_u64(st, 7),
					 .t1 = db_u64(st, 8),
					 .raw_bytes = db_u64(st, 9),
					 .is_tail = is_tail };

		r = add_piece(w, &p, err);
		if (!is_tail && p.place.id > w->mark_count && p.place.id < PIECES_MAX && !p.place.part)
			w->mark_count = p.place.id;
	}
	return r < 0 ? r : 0;
}

/* mark[b] = how many of the plan's sets block b is in; only those in all of them are candidates. */
static int mark_old_blocks(struct walk *w, struct err *err)
{
	const struct plan *p = &w->run->plan;

	if (!w->mark_count)
		return 0;
	w->mark = calloc((size_t)w->mark_count + 1, 1);
	if (!w->mark)
		return err_set(err, ENOMEM, "history query");
	for (size_t i = 0; i < p->set_count; i++) {
		for (size_t k = 0; k < p->sets[i].count; k++) {
			CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
			int r = DB_PREPARE(&w->day->db, &st, err, "SELECT block FROM posting WHERE term = ?",
					   B_INT(p->sets[i].terms[k]));

			while (r >= 0 && (r = db_step(&w->day->db, st, err)) > 0) {
				int64_t b = sqlite3_column_int64(st, 0);

				if (b > 0 && b <= w->mark_count && w->mark[b] == i)
					w->mark[b] = (uint8_t)(i + 1);
			}
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- may a piece match? ---- */

static bool filter_may(const struct plan *p, struct slice filter)
{
	for (size_t i = 0; i < p->set_count; i++) {
		bool is_met = false;

		for (size_t k = 0; k < p->sets[i].count && !is_met; k++)
			is_met = bloom_may(filter, p->sets[i].terms[k]);
		if (!is_met)
			return false;
	}
	return true;
}

static bool terms_may(const struct plan *p, struct slice sorted)
{
	for (size_t i = 0; i < p->set_count; i++) {
		bool is_met = false;

		for (size_t k = 0; k < p->sets[i].count && !is_met; k++)
			is_met = term_set_has(sorted, p->sets[i].terms[k]);
		if (!is_met)
			return false;
	}
	return true;
}

/* 1: yes, 0: no. */
static int piece_may(struct walk *w, const struct piece *p, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	const struct plan *plan = &w->run->plan;

	if (!plan->set_count)
		return 1;
	if (!p->is_tail && !p->place.part)
		return p->place.id > w->mark_count || w->mark[p->place.id] == plan->set_count;
	int r = DB_PREPARE(&w->day->db, &st, err,
			   p->is_tail ? "SELECT terms FROM tail WHERE first = ?" :
					"SELECT filter FROM block_filter WHERE block = ?",
			   B_INT(p->place.id));
	if (r >= 0)
		r = db_step(&w->day->db, st, err);
	if (r <= 0)
		return r < 0 ? r : 1; /* without one it may hold anything */
	return p->is_tail ? terms_may(plan, db_blob(st, 0)) : filter_may(plan, db_blob(st, 0));
}

/* ---- lanes ---- */

/* A hole in what can be shown is shown as one. lost 0: nobody knows. */
static int give_hole(struct query *run, char *reason, uint64_t lost, uint64_t t0, uint64_t t1)
{
	Picket__Gap gap = PICKET__GAP__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;

	gap.lost = lost;
	gap.from_unix_ns = t0;
	gap.to_unix_ns = t1;
	gap.reason = reason;
	rec.time_unix_ns = t1;
	rec.body_case = PICKET__RECORD__BODY_GAP;
	rec.gap = &gap;
	const struct store_event e = { .agent = "", .host = "", .record = &rec };
	int r = run->fn(run->arg, &e);
	if (r == 0)
		count_row(run);
	return r < 0 ? r : 0;
}

static int give_damage(struct query *run, const struct piece *p)
{
	static char reason[] = "block_damaged";

	return give_hole(run, reason, p->n, p->t0, p->t1);
}

static int read_tail_row(struct walk *w, const struct piece *p, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct history *h = w->run->s->history;
	int r = DB_PREPARE(&w->day->db, &st, err, "SELECT data FROM tail WHERE first = ?", B_INT(p->place.id));

	if (r >= 0)
		r = db_step(&w->day->db, st, err);
	if (r <= 0)
		return r < 0 ? r : err_set(err, ERR_CORRUPT, "a tail row is gone");
	buf_reset(&h->bytes);
	buf_add_slice(&h->bytes, db_blob(st, 0));
	return h->bytes.failed ? err_set(err, ERR_CORRUPT, "is too large") : 0;
}

/* 1: taken by retention, so that it is neither there nor missing. */
static int is_gone(struct walk *w, const struct piece *p, struct err *err)
{
	int64_t n = 0;
	int r = DB_NUMBER(&w->day->db, &n, err, "SELECT count(*) FROM part_gone WHERE class = ? AND part = ?",
			  B_INT(p->place.class_no), B_INT(p->place.part));

	return r < 0 ? r : n > 0;
}

static int open_segment(struct walk *w, const struct piece *p, struct lane *lane, struct err *err)
{
	struct history *h = w->run->s->history;
	int r = p->is_tail ? read_tail_row(w, p, err) :
			     parts_read(w->run->s, w->day, &p->place, &h->bytes, err);

	if (r >= 0)
		r = history_unpack(h, buf_slice(&h->bytes), p->raw_bytes, &lane->unpacked, err);
	if (r >= 0)
		r = segment_decode(buf_slice(&lane->unpacked), p->first, lane->g, err);
	if (r >= 0 && lane->g->count && (lane->g->rid[0] != p->first || lane->g->rid[lane->g->count - 1] != p->last))
		r = err_set(err, ERR_CORRUPT, "has other records than noted");
	return r;
}

/* The lane's next piece; opened if it may match, else passed over. */
static int open_piece(struct walk *w, struct lane_walk *l, struct err *err)
{
	struct query *run = w->run;
	const struct piece *p = &l->pieces[l->at];
	int r = piece_may(w, p, err);

	if (r > 0 && !p->is_tail && p->place.part) {
		r = is_gone(w, p, err);
		r = r < 0 ? r : !r;
	}
	if (r <= 0) {
		/* what lies before it in every lane is done, so that a cursor may stand here */
		run->last_rid = run->q->oldest_first ? p->first : p->last;
		l->at++;
		if (l->at % 16 == 0)
			look_at_the_clock(run);
		return r;
	}
	r = open_segment(w, p, l->lane, err);
	if (r == -ERR_CORRUPT) {
		run->last_rid = run->q->oldest_first ? p->last : p->first;
		l->at++;
		return give_damage(run, p);
	}
	if (r < 0)
		return r;
	const struct segment *g = l->lane->g;
	for (size_t i = 0; i < g->source_count; i++)
		l->may[i] = plan_match_agent(run->s, &run->plan, g->sources[i].agent);
	l->is_open = g->count > 0;
	l->next = run->q->oldest_first ? 0 : g->count - 1;
	l->at += !l->is_open;
	return 0;
}

static void close_piece(struct lane_walk *l)
{
	segment_reset(l->lane->g);
	l->is_open = false;
	l->at++;
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
	if (r == 0)
		count_row(run);
	return r < 0 ? r : 0;
}

/* The lane's record that comes next. */
static int take_record(struct walk *w, struct lane_walk *l, struct err *err)
{
	struct query *run = w->run;
	const struct segment *g = l->lane->g;
	size_t i = l->next;
	bool is_last = run->q->oldest_first ? i + 1 == g->count : i == 0;
	int r = 0;

	if (!is_passed(run, g->rid[i])) {
		if (++run->looked_at % BUDGET_EVERY == 0)
			look_at_the_clock(run);
		run->last_rid = g->rid[i];
		if (l->may[g->source[i]] && plan_may_match(&run->plan, segment_record(g, i)))
			r = give_record(run, g, i, err);
	}
	if (is_last)
		close_piece(l);
	else
		l->next = run->q->oldest_first ? i + 1 : i - 1;
	return r;
}

/* Where a lane goes on; 0: nowhere. */
static uint64_t next_of(const struct query *run, const struct lane_walk *l)
{
	if (l->is_open)
		return l->lane->g->rid[l->next];
	if (l->at == l->count)
		return 0;
	return run->q->oldest_first ? l->pieces[l->at].first : l->pieces[l->at].last;
}

static struct lane_walk *choose_lane(struct walk *w)
{
	struct lane_walk *best = NULL;
	uint64_t best_rid = 0;

	for (size_t i = 0; i < CLASS_COUNT; i++) {
		uint64_t rid = next_of(w->run, &w->lanes[i]);

		if (rid && (!best || (w->run->q->oldest_first ? rid < best_rid : rid > best_rid))) {
			best = &w->lanes[i];
			best_rid = rid;
		}
	}
	return best;
}

static void turn_round(struct lane_walk *l)
{
	for (size_t i = 0; i < l->count / 2; i++) {
		struct piece p = l->pieces[i];

		l->pieces[i] = l->pieces[l->count - 1 - i];
		l->pieces[l->count - 1 - i] = p;
	}
}

static int walk_lanes(struct walk *w, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < CLASS_COUNT && r >= 0; i++) {
		if (!(w->run->plan.classes & 1u << i))
			continue;
		r = list_pieces(w, i, false, err);
		if (r >= 0)
			r = list_pieces(w, i, true, err);
	}
	if (r >= 0)
		r = mark_old_blocks(w, err);
	for (size_t i = 0; i < CLASS_COUNT && !w->run->q->oldest_first; i++)
		turn_round(&w->lanes[i]);
	while (r >= 0 && !w->run->is_stopped) {
		struct lane_walk *l = choose_lane(w);

		if (!l)
			break;
		r = l->is_open ? take_record(w, l, err) : open_piece(w, l, err);
	}
	return r;
}

/* ---- days ---- */

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

static int walk_open_day(struct query *run, struct day *day, struct err *err)
{
	struct history *h = run->s->history;
	struct walk *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_set(err, ENOMEM, "history query");
	w->run = run;
	w->day = day;
	for (size_t i = 0; i < CLASS_COUNT; i++)
		w->lanes[i].lane = &h->lanes[i];
	r = walk_lanes(w, err);
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		segment_reset(h->lanes[i].g);
		free(w->lanes[i].pieces);
	}
	free(w->mark);
	free(w);
	return r;
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
	run->last_rid = date == run->from_date ? run->from_rid : run->q->oldest_first ? 0 : INT64_MAX;
	/* One view of tail and blocks, though another process may be sealing. */
	bool is_own = sqlite3_get_autocommit(day->db.h);
	if (is_own)
		r = db_exec(&day->db, "BEGIN", err);
	if (r < 0)
		return r;
	r = is_day_outside(run, day, err);
	if (!r)
		r = walk_open_day(run, day, err);
	if (is_own)
		sqlite3_exec(day->db.h, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
	return r < 0 ? r : 0;
}

/* One that can't be read hides no other, as with blocks. The cursor behind it is that of its end. */
static int give_damaged_day(struct query *run, uint32_t date)
{
	static char reason[] = "day_damaged";
	struct tm tm = { .tm_year = (int)(date / 10000) - 1900,
			 .tm_mon = (int)(date / 100 % 100) - 1,
			 .tm_mday = (int)(date % 100) };
	uint64_t t0 = (uint64_t)timegm(&tm) * 1000000000, t1 = t0 + 24 * 3600 * 1000000000ull - 1;

	run->date = date;
	run->last_rid = end_of_day(run);
	return is_outside(&run->plan, t0, t1) ? 0 : give_hole(run, reason, 0, t0, t1);
}

int history_walk(struct query *run, struct err *err)
{
	uint32_t dates[DAYS_MAX];
	size_t count;
	int r = history_dates(run->s, dates, &count, err);

	bool has_walked = false;
	for (size_t k = 0; r >= 0 && k < count && !run->is_stopped; k++) {
		uint32_t date = run->q->oldest_first ? dates[k] : dates[count - 1 - k];

		if (run->from_date &&
		    (run->q->oldest_first ? date < run->from_date : date > run->from_date))
			continue;
		if (date == run->from_date && run->from_rid == end_of_day(run))
			continue;
		/* Days without a match cost their opening. Out of time the cursor stands before the next one, so that
		 * each page gets on. */
		if (has_walked)
			look_at_the_clock(run);
		if (run->is_stopped) {
			run->date = date;
			run->last_rid = run->q->oldest_first ? 0 : INT64_MAX;
			break;
		}
		r = walk_day(run, date, err);
		has_walked = true;
		if (r == -ERR_CORRUPT || r == -ERR_VERSION)
			r = give_damaged_day(run, date);
	}
	return r;
}
