/* engine_close.c - conditions with an upper bound or `not`: [first, first + timespan] of a group, decided once.
 *
 * A heap of open windows by (end, rule, group's age): however far the clock leaps, they are decided in that order and
 * with the clock as it was then, so that a slow clock, a fast one and a replay of the history agree. */
#include "collector/correlate/engine_priv.h"

static int64_t end_of(const struct engine *e, const struct group *g)
{
	return g->opened_ns + group_rule(e, g)->timespan_ns;
}

/* ---- the heap ---- */

static bool is_before(const struct engine *e, const struct group *a, const struct group *b)
{
	int64_t x = end_of(e, a), y = end_of(e, b);

	if (x != y)
		return x < y;
	return a->rule != b->rule ? a->rule < b->rule : a->serial < b->serial;
}

static void set(struct engine *e, size_t at, struct group *g)
{
	e->heap[at] = g;
	g->heap_at = (uint32_t)at;
}

static void rise(struct engine *e, size_t at, struct group *g)
{
	for (; at && is_before(e, g, e->heap[(at - 1) / 2]); at = (at - 1) / 2)
		set(e, at, e->heap[(at - 1) / 2]);
	set(e, at, g);
}

static void sink(struct engine *e, size_t at, struct group *g)
{
	for (size_t child; (child = 2 * at + 1) < e->heap_count; at = child) {
		if (child + 1 < e->heap_count && is_before(e, e->heap[child + 1], e->heap[child]))
			child++;
		if (!is_before(e, e->heap[child], g))
			break;
		set(e, at, e->heap[child]);
	}
	set(e, at, g);
}

void close_forget(struct engine *e, struct group *g)
{
	size_t at = g->heap_at;

	g->opened_ns = -1;
	if (at == ENGINE_NOT_OPEN)
		return;
	g->heap_at = ENGINE_NOT_OPEN;
	struct group *last = e->heap[--e->heap_count];
	e->stats.windows_open = e->heap_count;
	if (last == g)
		return;
	rise(e, at, last);
	sink(e, last->heap_at, last);
}

static void open_at(struct engine *e, struct group *g, int64_t time_ns)
{
	size_t at = g->heap_at;

	if (at == ENGINE_NOT_OPEN) {
		if (e->heap_count == e->heap_size) {
			size_t size = e->heap_size ? e->heap_size * 2 : 64;
			struct group **wider = realloc(e->heap, size * sizeof(struct group *));

			if (!wider) {
				e->stats.lost++;
				return;
			}
			e->heap = wider;
			e->heap_size = size;
		}
		at = e->heap_count++;
		e->stats.windows_open = e->heap_count;
	}
	g->opened_ns = time_ns; /* only ever earlier for one that is open */
	rise(e, at, g);
}

/* ---- windows ---- */

static bool may_open(const struct correlation *c, const struct hit *h)
{
	if (c->type != CORRELATION_TEMPORAL || !c->steps)
		return true;
	return c->positive >> h->ref & 1;
}

void close_hit(struct engine *e, struct group *g, const struct hit *h)
{
	if (may_open(group_rule(e, g), h) && h->time_ns > g->closed_ns && (g->opened_ns < 0 || h->time_ns < g->opened_ns))
		open_at(e, g, h->time_ns);
}

void close_reopen(struct engine *e, struct group *g)
{
	const struct correlation *c = group_rule(e, g);

	for (uint32_t i = window_upper(g, g->closed_ns); i < g->count; i++) {
		if (!may_open(c, hit_at(g, i)))
			continue;
		open_at(e, g, hit_at(g, i)->time_ns);
		return;
	}
}

static void decide(struct engine *e, struct group *g)
{
	int64_t from_ns = g->opened_ns, end_ns = end_of(e, g);
	struct window w = window_between(e, g, from_ns, end_ns);

	close_forget(e, g);
	g->closed_ns = end_ns;
	close_reopen(e, g);
	window_age(e, g);
	if (w.holds)
		engine_emit(e, g, &w, from_ns);
}

void engine_close_until(struct engine *e, int64_t now_ns)
{
	const int64_t second_ns = 1000000000;
	int64_t before = e->now_ns;

	while (e->heap_count && end_of(e, e->heap[0]) + e->config.close_ns <= now_ns) {
		int64_t at = end_of(e, e->heap[0]) + e->config.close_ns;

		if (at > e->now_ns)
			e->now_ns = at;
		decide(e, e->heap[0]);
	}
	if (now_ns > e->now_ns)
		e->now_ns = now_ns;
	if (e->now_ns / second_ns == before / second_ns)
		return;
	for (size_t i = 0; i < e->rule_count; i++)
		engine_expire(e, &e->rules[i]);
}
