/* graph.h - what is reached from the project's own needs: where a lock file doesn't say of each package
 * whether it is only for development, what is not reached is. */
#pragma once
#include "common/buf.h"
#include "common/err.h"

enum { GRAPH_EDGES_MAX = 1 << 19 }; /* 8 MiB, and half of it for what is reached */

/* Nodes are hashes of names (give_hash). {0} is an empty graph. */
struct graph {
	struct buf edges, roots;
	bool is_reached; /* graph_reach was called */
};

void graph_init(struct graph *g);
void graph_fini(struct graph *g);
/* from needs to. Past the maximum the edge is forgotten, and graph_reach says that all is reached. */
void graph_add(struct graph *g, uint64_t from, uint64_t to);
void graph_add_root(struct graph *g, uint64_t node);
/* Follows all edges from the roots. Without roots nothing can be told: all is reached. */
void graph_reach(struct graph *g);
bool graph_is_reached(const struct graph *g, uint64_t node);
