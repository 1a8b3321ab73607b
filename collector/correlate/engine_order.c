/* engine_order.c - temporal_ordered: how far along its steps a window has come.
 *
 * best[i] is the latest start of a chain of steps 0 .. i: the longest chain within a window is the longest whose start is
 * in it. One pass over the hits in order of time, no search. */
#include "collector/correlate/engine_priv.h"

void order_add(int64_t *best, const struct hit *h)
{
	best[h->ref] = h->ref ? best[h->ref - 1] : h->time_ns;
}

void order_rebuild(const struct correlation *c, const struct group *g, int64_t *best)
{
	for (size_t i = 0; i < c->ref_count; i++)
		best[i] = INT64_MIN;
	for (uint32_t i = 0; i < g->count; i++)
		order_add(best, hit_at(g, i));
}

uint32_t order_length(const struct correlation *c, const int64_t *best, int64_t after_ns)
{
	size_t n = c->ref_count;

	while (n && best[n - 1] <= after_ns)
		n--;
	return (uint32_t)n;
}
