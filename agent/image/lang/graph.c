/* graph.c - see graph.h. Edges are sorted by where they begin, roots grow into the list of what is reached. */
#include "agent/image/lang/graph.h"

struct edge {
	uint64_t from, to;
};

void graph_init(struct graph *g)
{
	*g = (struct graph){ 0 };
	buf_init(&g->edges, GRAPH_EDGES_MAX * sizeof(struct edge));
	buf_init(&g->roots, GRAPH_EDGES_MAX * sizeof(uint64_t));
}

void graph_fini(struct graph *g)
{
	buf_fini(&g->edges);
	buf_fini(&g->roots);
}

void graph_add(struct graph *g, uint64_t from, uint64_t to)
{
	struct edge e = { from, to };

	buf_add(&g->edges, &e, sizeof(e));
}

void graph_add_root(struct graph *g, uint64_t node)
{
	buf_add(&g->roots, &node, sizeof(node));
}

static int by_from(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->from != y->from ? (x->from < y->from ? -1 : 1) : (x->to > y->to) - (x->to < y->to);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The first edge that begins at node, or where it would stand. */
static size_t find(const struct edge *edges, size_t count, uint64_t node)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (edges[middle].from < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Each edge is followed once: what begins at a node is taken off by making it lead nowhere (0). */
void graph_reach(struct graph *g)
{
	size_t count = g->edges.n / sizeof(struct edge);
	struct edge *edges = (struct edge *)(void *)g->edges.p;

	g->is_reached = g->roots.n && !g->edges.failed && !g->roots.failed;
	if (!g->is_reached)
		return;
	if (count)
		qsort(edges, count, sizeof(*edges), by_from);
	for (size_t at = 0; at < g->roots.n; at += sizeof(uint64_t)) {
		uint64_t node;

		memcpy(&node, g->roots.p + at, sizeof(node));
		for (size_t i = find(edges, count, node); i < count && edges[i].from == node && edges[i].to; i++) {
			graph_add_root(g, edges[i].to);
			edges[i].to = 0;
		}
	}
	g->is_reached = !g->roots.failed;
	qsort(g->roots.p, g->roots.n / sizeof(uint64_t), sizeof(uint64_t), by_value);
}

bool graph_is_reached(const struct graph *g, uint64_t node)
{
	if (!g->is_reached)
		return true;
	return bsearch(&node, g->roots.p, g->roots.n / sizeof(uint64_t), sizeof(uint64_t), by_value);
}
