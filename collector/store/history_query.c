/* history_query.c - asking the history: the question made ready, its time, its cursor. */
#include <errno.h>
#include <limits.h>

#include "collector/store/history_query.h"
#include "collector/store/paging.h"

enum { PLAN_ARENA_BYTES = 1024 * 1024 };

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
	r = history_walk(run, err);
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

static const uint64_t lost_most = 1ull << 53; /* what JSON readers are exact about */

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return b < lost_most - a ? a + b : lost_most;
}

static bool is_near(const struct store_gap *g, const struct store_gap *other)
{
	const uint64_t near_ns = 60 * 1000000000ull;

	return g->loss_class == other->loss_class && !strcmp(g->host, other->host) && !strcmp(g->reason, other->reason) &&
	       g->from_unix_ns <= other->to_unix_ns + near_ns && other->from_unix_ns <= g->to_unix_ns + near_ns;
}

/* A host that loses records tells it each second: as one line it can be read. */
static void add_gap(struct store_lost *ret, const struct store_event *e)
{
	const Picket__Gap *gap = e->record->gap;
	struct store_gap g = { .loss_class = msg_loss_class_name((int)gap->loss_class),
			       .lost = add_capped(0, gap->lost),
			       .from_unix_ns = gap->from_unix_ns < lost_most * 1024 ? gap->from_unix_ns : 0,
			       .to_unix_ns = gap->to_unix_ns < lost_most * 1024 ? gap->to_unix_ns : 0 };

	snprintf(g.host, sizeof(g.host), "%s", e->host ? e->host : "");
	snprintf(g.reason, sizeof(g.reason), "%s", gap->reason ? gap->reason : "");
	for (size_t i = 0; i < ret->gap_count; i++) {
		struct store_gap *known = &ret->gaps[i];

		if (!is_near(known, &g))
			continue;
		known->lost = add_capped(known->lost, g.lost);
		if (g.from_unix_ns < known->from_unix_ns)
			known->from_unix_ns = g.from_unix_ns;
		if (g.to_unix_ns > known->to_unix_ns)
			known->to_unix_ns = g.to_unix_ns;
		return;
	}
	if (ret->gap_count < STORE_GAPS_MAX)
		ret->gaps[ret->gap_count++] = g;
	else
		ret->gaps_left_out++;
}

static int add_lost(void *arg, const struct store_event *e)
{
	struct store_lost *ret = arg;
	const Picket__Gap *gap = e->record->gap;
	uint64_t *sum = gap->loss_class == PICKET__LOSS_CLASS__LOSS_PROCESS ? &ret->process :
			gap->loss_class == PICKET__LOSS_CLASS__LOSS_RARE    ? &ret->rare :
			gap->loss_class == PICKET__LOSS_CLASS__LOSS_VOLUME  ? &ret->volume :
									      &ret->other;

	*sum = add_capped(*sum, gap->lost);
	add_gap(ret, e);
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
