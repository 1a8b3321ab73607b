/* engine_window.c - the hits of a group, and windows over them. */
#include "collector/correlate/engine_priv.h"

/* ---- the ring ---- */

uint32_t window_upper(const struct group *g, int64_t time_ns)
{
	uint32_t from = 0, to = g->count;

	if (!to || hit_at(g, to - 1)->time_ns <= time_ns)
		return to;
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (hit_at(g, mid)->time_ns <= time_ns)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

bool window_resize(struct engine *e, struct group *g, unsigned bits)
{
	size_t old = hit_bytes(g);
	struct hit *wider = bits > 1 ? malloc(sizeof(*wider) << bits) : g->small;

	if (!wider)
		return false;
	for (uint32_t i = 0; i < g->count; i++)
		wider[i] = *hit_at(g, i);
	if (g->hits != g->small)
		free(g->hits);
	g->hits = wider;
	g->first = 0;
	g->size_bits = (uint8_t)bits;
	group_charge(e, g, (int64_t)hit_bytes(g) - (int64_t)old);
	return true;
}

static bool grow(struct engine *e, struct group *g)
{
	if (!g->hits)
		return window_resize(e, g, 1);
	return g->count < 1u << g->size_bits || window_resize(e, g, g->size_bits + 1u);
}

static bool is_incremental(const struct engine *e, const struct group *g)
{
	return !group_rule(e, g)->is_bounded && !g->sketch;
}

void window_drop(struct engine *e, struct group *g, uint32_t n)
{
	if (!n)
		return;
	if (is_incremental(e, g)) {
		for (uint32_t i = g->lo; i < n; i++)
			tally_remove(e, g, hit_at(g, i));
		g->lo = g->lo > n ? g->lo - n : 0;
	}
	g->first = (g->first + n) & ((1u << g->size_bits) - 1);
	g->count -= n;
	e->rules[g->rule].events -= n;
	/* By count and size alone, so that a restored group takes the same way. */
	if (g->size_bits > 3 && g->count < 1u << (g->size_bits - 3))
		(void)window_resize(e, g, g->size_bits - 1u);
}

void window_age(struct engine *e, struct group *g)
{
	const struct correlation *c = group_rule(e, g);
	int64_t oldest = e->now_ns - e->config.lateness_ns;

	/* As if the group had been freed meanwhile, and perhaps it nearly was. */
	if (g->count && group_newest_ns(g) <= oldest - c->timespan_ns)
		g->is_active = false;
	if (!g->count || g->sketch)
		return;
	if (!c->is_bounded) {
		if (hit_at(g, 0)->time_ns <= oldest - c->timespan_ns)
			window_drop(e, g, window_upper(g, oldest - c->timespan_ns));
		return;
	}
	int64_t keep = g->opened_ns >= 0 && g->opened_ns < oldest ? g->opened_ns : oldest; /* from here on */
	uint32_t n = window_upper(g, keep - 1), closed = window_upper(g, g->closed_ns);
	window_drop(e, g, n > closed ? n : closed);
}

/* ---- a hit comes in ---- */

static bool has_steps(const struct correlation *c)
{
	return c->type == CORRELATION_TEMPORAL || c->type == CORRELATION_TEMPORAL_ORDERED;
}

/* Behind all of the same time, but rules that one event matched stand in the rule's order. */
static uint32_t place_of(const struct correlation *c, const struct group *g, const struct hit *h)
{
	uint32_t at = window_upper(g, h->time_ns);

	while (has_steps(c) && at) {
		const struct hit *before = hit_at(g, at - 1);

		if (before->time_ns != h->time_ns || before->order != h->order || before->ref < h->ref)
			break;
		at--;
	}
	return at;
}

static void put(struct group *g, uint32_t at, const struct hit *h)
{
	for (uint32_t i = g->count; i > at; i--)
		*hit_at(g, i) = *hit_at(g, i - 1);
	g->count++;
	*hit_at(g, at) = *h;
}

/* The window's end moves to the newest hit. */
static void slide(struct engine *e, struct group *g, int64_t after_ns)
{
	while (g->lo < g->count && hit_at(g, g->lo)->time_ns <= after_ns) {
		tally_remove(e, g, hit_at(g, g->lo));
		g->lo++;
	}
}

static bool add_sketched(struct engine *e, struct group *g, const struct hit *h)
{
	sketch_add(e, g, h);
	if (h->time_ns > group_newest_ns(g))
		*hit_at(g, 0) = *h;
	return true;
}

/* A sketch that has seen nothing for a timespan gives way to an exact count. */
static void leave_sketch(struct engine *e, struct group *g, const struct correlation *c, const struct hit *h)
{
	if (!g->sketch || group_newest_ns(g) > h->time_ns - c->timespan_ns)
		return;
	sketch_end(e, g);
	g->lo = g->count; /* the one hit left is out of the window */
}

bool window_add(struct engine *e, struct group *g, const struct hit *h)
{
	const struct correlation *c = group_rule(e, g);

	leave_sketch(e, g, c, h);
	if (g->sketch)
		return add_sketched(e, g, h);
	if (g->count >= e->config.events_max) {
		e->rules[g->rule].stats.overflowed++;
		if (c->is_bounded)
			return false;
		window_drop(e, g, 1);
	}
	if (!grow(e, g))
		return false;
	int64_t newest = group_newest_ns(g);
	uint32_t at = place_of(c, g, h);
	if (c->is_bounded) {
		put(g, at, h);
	} else if (h->time_ns >= newest) {
		slide(e, g, h->time_ns - c->timespan_ns);
		tally_add(e, g, h);
		put(g, at, h);
	} else if (h->time_ns > newest - c->timespan_ns) {
		tally_add(e, g, h);
		put(g, at, h);
	} else {
		put(g, at, h);
		g->lo++;
	}
	e->rules[g->rule].events++;
	if (c->type == CORRELATION_TEMPORAL_ORDERED && !c->is_bounded) {
		if (at + 1 == g->count)
			order_add(group_best(g), h);
		else
			order_rebuild(c, g, group_best(g));
	}
	if (c->type == CORRELATION_VALUE_COUNT && !c->is_bounded && g->tally.slots && g->tally.used > ENGINE_EXACT_MAX)
		(void)sketch_begin(e, g);
	return true;
}

/* ---- looking ---- */

static struct window look_newest(struct engine *e, struct group *g)
{
	const struct correlation *c = group_rule(e, g);
	struct window w;

	if (g->sketch) {
		w = (struct window){ .has_value = true, .is_approx = true, .value = sketch_look(e, g, group_newest_ns(g)) };
		w.holds = correlation_meets(c, w.value);
	} else if (c->type == CORRELATION_TEMPORAL_ORDERED) {
		w = (struct window){ .has_value = true };
		w.value = order_length(c, group_best(g), group_newest_ns(g) - c->timespan_ns);
		w.holds = c->ops ? correlation_meets(c, w.value) : w.value >= (double)c->ref_count;
	} else {
		w = tally_look(c, &g->tally, g, g->lo, g->count);
	}
	w.end_ns = group_newest_ns(g);
	return w;
}

static bool ends_here(const struct group *g, uint32_t i)
{
	return i + 1 == g->count || hit_at(g, i + 1)->time_ns != hit_at(g, i)->time_ns;
}

static struct window walk_order(const struct correlation *c, const struct group *g, int64_t from_ns)
{
	int64_t best[CORRELATION_TEMPORAL_MAX];
	struct window w = { .has_value = true };

	for (size_t i = 0; i < c->ref_count; i++)
		best[i] = INT64_MIN;
	for (uint32_t i = 0; i < g->count && !w.holds; i++) {
		order_add(best, hit_at(g, i));
		w.end_ns = hit_at(g, i)->time_ns;
		if (w.end_ns < from_ns || !ends_here(g, i))
			continue;
		w.value = order_length(c, best, w.end_ns - c->timespan_ns);
		w.holds = c->ops ? correlation_meets(c, w.value) : w.value >= (double)c->ref_count;
	}
	return w;
}

/* The window's end goes back to the hit before its last ones. */
static void step_back(struct engine *e, struct group *g, int64_t timespan_ns)
{
	int64_t end_ns = hit_at(g, g->count - 1)->time_ns;

	while (g->count && hit_at(g, g->count - 1)->time_ns == end_ns) {
		tally_remove(e, g, hit_at(g, g->count - 1));
		g->count--;
	}
	for (; g->count && g->lo && hit_at(g, g->lo - 1)->time_ns > group_newest_ns(g) - timespan_ns; g->lo--)
		tally_add(e, g, hit_at(g, g->lo - 1));
}

/* A late hit: the earliest of the windows that end with it or after it and meet the condition. From the newest back and
 * forth again, so that it costs what came since, not what is in the window. newest: known already. */
static struct window walk(struct engine *e, const struct correlation *c, struct group *g, int64_t from_ns, struct window newest)
{
	struct window found = newest;
	uint32_t count = g->count;

	while (group_newest_ns(g) > from_ns) {
		step_back(e, g, c->timespan_ns);
		struct window w = tally_look(c, &g->tally, g, g->lo, g->count);

		w.end_ns = group_newest_ns(g);
		if (w.holds && w.end_ns >= from_ns)
			found = w;
	}
	for (; g->count < count; g->count++) {
		slide(e, g, hit_at(g, g->count)->time_ns - c->timespan_ns);
		tally_add(e, g, hit_at(g, g->count));
	}
	return found;
}

struct window window_look(struct engine *e, struct group *g, int64_t from_ns)
{
	const struct correlation *c = group_rule(e, g);
	struct window w = look_newest(e, g);

	if (from_ns >= w.end_ns || g->sketch)
		return w;
	/* Which window it is matters only to who fires. */
	if (w.holds && g->is_active && !c->is_refire)
		return w;
	return c->type == CORRELATION_TEMPORAL_ORDERED ? walk_order(c, g, from_ns) : walk(e, c, g, from_ns, w);
}

struct window window_between(struct engine *e, const struct group *g, int64_t from_ns, int64_t to_ns)
{
	const struct correlation *c = group_rule(e, g);
	uint32_t lo = window_upper(g, from_ns - 1), hi = window_upper(g, to_ns);
	struct window w = { .has_value = true };

	if (c->type == CORRELATION_TEMPORAL_ORDERED) {
		int64_t best[CORRELATION_TEMPORAL_MAX];

		for (size_t i = 0; i < c->ref_count; i++)
			best[i] = INT64_MIN;
		for (uint32_t i = lo; i < hi; i++)
			order_add(best, hit_at(g, i));
		w.value = order_length(c, best, INT64_MIN);
		w.holds = c->ops ? correlation_meets(c, w.value) : w.value >= (double)c->ref_count;
	} else {
		walk_begin(e, c);
		for (uint32_t i = lo; i < hi; i++)
			walk_add(e, c, hit_at(g, i));
		w = tally_look(c, &e->walk, g, lo, hi);
		tally_walk_end(e, c);
	}
	w.end_ns = to_ns;
	return w;
}
