/* stock_priv.h - between stock.c (taking stock, from target to inventory), serve.c (the worker's process and its
 * questions) and cache.c. */
#pragma once
#include "agent/image/source.h"

enum stock_state { STOCK_WORKING, STOCK_ASKED, STOCK_DONE, STOCK_FAILED };

struct stock {
	const struct image_options *o;
	struct image_limits limits; /* none is 0 */
	struct source source;
	uint64_t deadline_ns; /* monotonic */
	enum stock_state state;
	int sock;
	int pid; /* 0: none */
	struct chan_msg *msg;	      /* the last; STOCK_ASKED: the question to be answered */
	struct buf parts[CHAN_PART_COUNT];
	struct err worker_err, source_err; /* what the worker says; what went wrong on this side while it read */
};

/* Starts the worker and serves it until it is done. Parts are complete then. */
int stock_serve(struct stock *st, struct err *err) WARN_UNUSED;

/* The result of an earlier look at the same image: 1 with the parts, 0 none. */
int cache_read(const struct stock *st, const char *image_id, struct buf *ret_inventory, struct buf *ret_owners,
	       struct err *err) WARN_UNUSED;
/* Failing costs the next look some time: ignored. */
void cache_write(const struct stock *st, const char *image_id);
