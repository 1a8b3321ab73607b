/* engine_tally.c - what the hits of a window come to: counted up and down as the window slides. */
#include <math.h>

#include "collector/correlate/engine_priv.h"

/* Whole numbers below this add up exactly, all that a group keeps of them. */
static const double whole_max = 1ll << 46;
static const uint64_t count_mask = (1u << 20) - 1;
enum { TABLE_BITS_MIN = 6 };

/* ---- sums ---- */

static bool is_whole(double v)
{
	return fabs(v) < whole_max && v == floor(v);
}

static void sum_step(struct tally *t, double v, int by)
{
	if (isnan(v))
		return;
	t->numbers += (uint32_t)by;
	if (is_whole(v))
		t->sum += by * (int64_t)v;
	else
		t->odd += (uint32_t)by;
}

static double sum_of(const struct tally *t, const struct group *g, uint32_t lo, uint32_t hi)
{
	double sum = 0;

	if (!t->odd)
		return (double)t->sum;
	for (uint32_t i = lo; i < hi; i++)
		if (!isnan(hit_at(g, i)->number))
			sum += hit_at(g, i)->number;
	return sum;
}

/* ---- sorted numbers ---- */

static uint32_t sorted_place(const struct tally *t, double v)
{
	uint32_t from = 0, to = t->sorted_count;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (t->sorted[mid] < v)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool sorted_grow(struct tally *t, uint32_t size)
{
	double *wider = realloc(t->sorted, size * sizeof(*wider));

	if (!wider)
		return false;
	t->sorted = wider;
	t->sorted_size = size;
	return true;
}

/* false: out of memory. */
static bool sorted_add(struct tally *t, double v)
{
	if (isnan(v))
		return true;
	if (t->sorted_count == t->sorted_size && !sorted_grow(t, t->sorted_size ? t->sorted_size * 2 : 4))
		return false;
	uint32_t at = sorted_place(t, v);
	memmove(&t->sorted[at + 1], &t->sorted[at], (t->sorted_count - at) * sizeof(v));
	t->sorted[at] = v;
	t->sorted_count++;
	return true;
}

static void sorted_remove(struct tally *t, double v)
{
	uint32_t at = isnan(v) ? t->sorted_count : sorted_place(t, v);

	if (at == t->sorted_count || t->sorted[at] != v)
		return; /* it could not be added */
	t->sorted_count--;
	memmove(&t->sorted[at], &t->sorted[at + 1], (t->sorted_count - at) * sizeof(v));
}

/* ---- different values ---- */

static uint32_t home(uint64_t hash, uint32_t bits)
{
	return (uint32_t)(hash >> (64 - bits));
}

static uint64_t *slot_of(const struct tally *t, uint64_t hash)
{
	uint32_t mask = (1u << t->bits) - 1, at = home(hash, t->bits);

	while (t->slots[at] && (t->slots[at] & ~count_mask) != (hash & ~count_mask))
		at = (at + 1) & mask;
	return &t->slots[at];
}

static bool table_resize(struct tally *t, uint32_t bits)
{
	struct tally wider = { .bits = bits, .used = t->used };

	wider.slots = calloc(1u << bits, sizeof(*wider.slots));
	if (!wider.slots)
		return false;
	for (uint32_t i = 0; t->slots && i < 1u << t->bits; i++)
		if (t->slots[i])
			*slot_of(&wider, t->slots[i]) = t->slots[i];
	free(t->slots);
	*t = wider;
	return true;
}

static bool table_add(struct tally *t, uint64_t hash)
{
	if (!hash)
		return true;
	uint64_t *slot = slot_of(t, hash);
	if (*slot) {
		*slot += (*slot & count_mask) != count_mask;
		return true;
	}
	if ((t->used + 1) * 4 > 3u << t->bits) {
		if (!table_resize(t, t->bits + 1))
			return false;
		slot = slot_of(t, hash);
	}
	*slot = (hash & ~count_mask) | 1;
	t->used++;
	return true;
}

/* What stands behind moves up, so that no look-up ends too early. */
static void table_delete(struct tally *t, uint32_t at)
{
	uint32_t mask = (1u << t->bits) - 1;

	for (uint32_t next = (at + 1) & mask; t->slots[next]; next = (next + 1) & mask) {
		if (((next - home(t->slots[next], t->bits)) & mask) < ((next - at) & mask))
			continue;
		t->slots[at] = t->slots[next];
		at = next;
	}
	t->slots[at] = 0;
	t->used--;
}

static void table_remove(struct tally *t, uint64_t hash)
{
	uint64_t *slot = hash ? slot_of(t, hash) : NULL;

	if (!slot || !*slot)
		return;
	--*slot;
	if (!(*slot & count_mask))
		table_delete(t, (uint32_t)(slot - t->slots));
}

uint32_t tally_different(const struct group *g, uint32_t lo, uint32_t hi)
{
	uint32_t n = 0;

	for (uint32_t i = lo; i < hi; i++) {
		uint32_t k = lo;

		while (k < i && hit_at(g, k)->hash != hit_at(g, i)->hash)
			k++;
		n += k == i && hit_at(g, i)->hash;
	}
	return n;
}

/* ---- a group's own ---- */

static size_t bytes_of(const struct correlation *c, const struct tally *t)
{
	if (c->type == CORRELATION_VALUE_PERCENTILE)
		return t->sorted_size * sizeof(*t->sorted);
	return c->type == CORRELATION_VALUE_COUNT && t->slots ? sizeof(*t->slots) << t->bits : 0;
}

static bool add_different(struct group *g, const struct hit *h)
{
	struct tally *t = &g->tally;

	if (!t->slots) {
		if (g->count - g->lo < ENGINE_LINEAR_MAX)
			return true;
		if (!table_resize(t, TABLE_BITS_MIN))
			return false;
		for (uint32_t i = g->lo; i < g->count; i++)
			if (!table_add(t, hit_at(g, i)->hash))
				return false;
	}
	return table_add(t, h->hash);
}

static void remove_different(struct tally *t, const struct hit *h)
{
	if (!t->slots)
		return;
	table_remove(t, h->hash);
	if (t->used)
		return;
	free(t->slots);
	*t = (struct tally){ 0 };
}

static void count_step(struct tally *t, const struct hit *h)
{
	t->counts[h->ref]++;
	t->mask |= 1ull << h->ref;
}

static void count_back(struct tally *t, const struct hit *h)
{
	if (t->counts[h->ref] && !--t->counts[h->ref])
		t->mask &= ~(1ull << h->ref);
}

void tally_add(struct engine *e, struct group *g, const struct hit *h)
{
	const struct correlation *c = group_rule(e, g);
	size_t before = bytes_of(c, &g->tally);
	bool is_added = true;

	switch (c->type) {
	case CORRELATION_VALUE_SUM:
	case CORRELATION_VALUE_AVG:
		sum_step(&g->tally, h->number, 1);
		break;
	case CORRELATION_VALUE_PERCENTILE:
		is_added = sorted_add(&g->tally, h->number);
		break;
	case CORRELATION_VALUE_COUNT:
		is_added = add_different(g, h);
		break;
	case CORRELATION_TEMPORAL:
		count_step(&g->tally, h);
		break;
	case CORRELATION_EVENT_COUNT:
	case CORRELATION_TEMPORAL_ORDERED:
	case CORRELATION_TYPE_COUNT:
		break;
	}
	e->stats.lost += !is_added;
	group_charge(e, g, (int64_t)bytes_of(c, &g->tally) - (int64_t)before);
}

void tally_remove(struct engine *e, struct group *g, const struct hit *h)
{
	const struct correlation *c = group_rule(e, g);
	size_t before = bytes_of(c, &g->tally);

	switch (c->type) {
	case CORRELATION_VALUE_SUM:
	case CORRELATION_VALUE_AVG:
		sum_step(&g->tally, h->number, -1);
		break;
	case CORRELATION_VALUE_PERCENTILE:
		sorted_remove(&g->tally, h->number);
		break;
	case CORRELATION_VALUE_COUNT:
		remove_different(&g->tally, h);
		break;
	case CORRELATION_TEMPORAL:
		count_back(&g->tally, h);
		break;
	case CORRELATION_EVENT_COUNT:
	case CORRELATION_TEMPORAL_ORDERED:
	case CORRELATION_TYPE_COUNT:
		break;
	}
	group_charge(e, g, (int64_t)bytes_of(c, &g->tally) - (int64_t)before);
}

void tally_fini(struct engine *e, struct group *g)
{
	const struct correlation *c = group_rule(e, g);

	if (c->is_bounded)
		return;
	group_charge(e, g, -(int64_t)bytes_of(c, &g->tally));
	if (c->type == CORRELATION_VALUE_PERCENTILE)
		free(g->tally.sorted);
	else if (c->type == CORRELATION_VALUE_COUNT)
		free(g->tally.slots);
	if (c->type != CORRELATION_TEMPORAL)
		g->tally = (struct tally){ 0 };
}

bool tally_rebuild(struct engine *e, struct group *g, uint32_t bits)
{
	const struct correlation *c = group_rule(e, g);
	struct tally *t = &g->tally;
	uint32_t count = g->count;
	bool is_made = true;

	if (bits && c->type == CORRELATION_VALUE_COUNT)
		is_made = table_resize(t, bits);
	else if (bits && c->type == CORRELATION_VALUE_PERCENTILE)
		is_made = sorted_grow(t, 1u << bits);
	if (!is_made)
		return false;
	group_charge(e, g, (int64_t)bytes_of(c, t));
	for (g->count = g->lo; g->count < count; g->count++) /* as if they came now */
		tally_add(e, g, hit_at(g, g->count));
	return true;
}

/* ---- looking ---- */

static double percentile_of(const struct correlation *c, const struct tally *t)
{
	double rank = ceil(c->percentile / 100 * (double)t->sorted_count) - 1;

	return t->sorted[rank > 0 ? (uint32_t)rank : 0];
}

struct window tally_look(const struct correlation *c, const struct tally *t, const struct group *g, uint32_t lo, uint32_t hi)
{
	struct window w = { .has_value = true };

	switch (c->type) {
	case CORRELATION_EVENT_COUNT:
		w.value = hi - lo;
		break;
	case CORRELATION_VALUE_COUNT:
		w.value = t->slots ? t->used : tally_different(g, lo, hi);
		break;
	case CORRELATION_VALUE_SUM:
		w.value = sum_of(t, g, lo, hi);
		break;
	case CORRELATION_VALUE_AVG:
		w.has_value = t->numbers;
		w.value = t->numbers ? sum_of(t, g, lo, hi) / t->numbers : 0;
		break;
	case CORRELATION_VALUE_PERCENTILE:
		w.has_value = t->sorted_count;
		w.value = t->sorted_count ? percentile_of(c, t) : 0;
		break;
	case CORRELATION_TEMPORAL:
		w.value = __builtin_popcountll(c->is_bounded ? t->mask & c->positive : t->mask);
		if (c->steps) {
			w.holds = correlation_holds(c, t->mask);
			return w;
		}
		w.holds = c->ops ? correlation_meets(c, w.value) : w.value >= (double)c->ref_count;
		return w;
	case CORRELATION_TEMPORAL_ORDERED:
	case CORRELATION_TYPE_COUNT:
		break;
	}
	w.holds = w.has_value && correlation_meets(c, w.value);
	return w;
}

/* ---- walks ---- */

void walk_begin(struct engine *e, const struct correlation *c)
{
	e->walk = (struct tally){ 0 };
	if (c->type == CORRELATION_TEMPORAL) {
		memset(e->walk_counts, 0, sizeof(e->walk_counts));
		e->walk.counts = e->walk_counts;
	} else if (c->type == CORRELATION_VALUE_COUNT) {
		(void)table_resize(&e->walk, TABLE_BITS_MIN); /* without one it is slow, not wrong */
	}
}

void walk_add(struct engine *e, const struct correlation *c, const struct hit *h)
{
	bool is_added = true;

	if (c->type == CORRELATION_TEMPORAL)
		count_step(&e->walk, h);
	else if (c->type == CORRELATION_VALUE_COUNT)
		is_added = !e->walk.slots || table_add(&e->walk, h->hash);
	else if (c->type == CORRELATION_VALUE_PERCENTILE)
		is_added = sorted_add(&e->walk, h->number);
	else if (c->type != CORRELATION_EVENT_COUNT)
		sum_step(&e->walk, h->number, 1);
	e->stats.lost += !is_added;
}

void walk_remove(struct engine *e, const struct correlation *c, const struct hit *h)
{
	if (c->type == CORRELATION_TEMPORAL)
		count_back(&e->walk, h);
	else if (c->type == CORRELATION_VALUE_COUNT && e->walk.slots)
		table_remove(&e->walk, h->hash);
	else if (c->type == CORRELATION_VALUE_PERCENTILE)
		sorted_remove(&e->walk, h->number);
	else if (c->type == CORRELATION_VALUE_SUM || c->type == CORRELATION_VALUE_AVG)
		sum_step(&e->walk, h->number, -1);
}

void tally_walk_end(struct engine *e, const struct correlation *c)
{
	if (c->type == CORRELATION_VALUE_COUNT)
		free(e->walk.slots);
	else if (c->type == CORRELATION_VALUE_PERCENTILE)
		free(e->walk.sorted);
	e->walk = (struct tally){ 0 };
}
