/* engine_sketch.c - HyperLogLog by slices of time: how many different values, beyond what is counted exactly.
 *
 * A sketch can't forget, so there is one for each sixteenth of the timespan, and the newest seventeen are merged: the
 * window is up to a sixteenth too long, the number 3 % off (standard error). */
#include <math.h>

#include "collector/correlate/engine_priv.h"

enum { REGISTERS = 1 << ENGINE_SKETCH_BITS, KEPT = ENGINE_SLICES + 1 };

static int64_t slice_at(const struct correlation *c, int64_t time_ns)
{
	int64_t n = c->timespan_ns / ENGINE_SLICES, at = time_ns / n;

	return time_ns % n < 0 ? at - 1 : at; /* a window may reach back beyond 1970 */
}

static uint8_t *slice_of_number(struct sketch *s, int64_t n)
{
	return s->registers[((n % KEPT) + KEPT) % KEPT];
}

static void add(struct sketch *s, int64_t slice, uint64_t hash)
{
	uint32_t at = (uint32_t)(hash >> (64 - ENGINE_SKETCH_BITS));
	uint64_t rest = hash << ENGINE_SKETCH_BITS | 1ull << (ENGINE_SKETCH_BITS - 1);
	uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1), *reg = slice_of_number(s, slice) + at;

	if (*reg >= rank)
		return;
	*reg = rank;
	s->is_stale = true;
}

void sketch_add(struct engine *e, struct group *g, const struct hit *h)
{
	struct sketch *s = g->sketch;
	int64_t slice = slice_at(group_rule(e, g), h->time_ns);

	if (slice > s->newest + KEPT)
		s->newest = slice - KEPT;
	while (s->newest < slice) {
		memset(slice_of_number(s, ++s->newest), 0, REGISTERS);
		s->is_stale = true;
	}
	if (h->hash && slice > s->newest - KEPT)
		add(s, slice, h->hash);
}

bool sketch_begin(struct engine *e, struct group *g)
{
	struct sketch *s = calloc(1, sizeof(*s));

	if (!s)
		return false;
	s->is_stale = true;
	s->newest = slice_at(group_rule(e, g), group_newest_ns(g));
	g->sketch = s;
	for (uint32_t i = g->lo; i < g->count; i++)
		sketch_add(e, g, hit_at(g, i));
	group_charge(e, g, sizeof(*s));
	e->rules[g->rule].stats.approximate++;
	tally_fini(e, g);
	window_drop(e, g, g->count - 1);
	g->lo = 0;
	while (g->size_bits > 1 && window_resize(e, g, g->size_bits - 1u))
		;
	return true;
}

static double estimate(const uint8_t *merged)
{
	double m = REGISTERS, sum = 0;
	unsigned zeros = 0;

	for (size_t i = 0; i < REGISTERS; i++) {
		sum += 1.0 / (double)(1ull << merged[i]);
		zeros += !merged[i];
	}
	double n = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (n <= 2.5 * m && zeros)
		n = m * log(m / zeros);
	return floor(n + 0.5);
}

double sketch_look(const struct engine *e, struct group *g, int64_t end_ns)
{
	const struct correlation *c = group_rule(e, g);
	struct sketch *s = g->sketch;
	int64_t lo = slice_at(c, end_ns - c->timespan_ns);
	uint8_t merged[REGISTERS] = { 0 };

	if (lo <= s->newest - KEPT)
		lo = s->newest - KEPT + 1;
	if (!s->is_stale && s->cached_lo == lo)
		return s->cached;
	for (int64_t n = lo; n <= s->newest; n++) {
		const uint8_t *from = slice_of_number(s, n);

		for (size_t i = 0; i < REGISTERS; i++)
			merged[i] = merged[i] > from[i] ? merged[i] : from[i];
	}
	s->cached = estimate(merged);
	s->cached_lo = lo;
	s->is_stale = false;
	return s->cached;
}

void sketch_end(struct engine *e, struct group *g)
{
	if (!g->sketch)
		return;
	group_charge(e, g, -(int64_t)sizeof(*g->sketch));
	free(g->sketch);
	g->sketch = NULL;
}
