/* paging.h - lists by filter, page after page: what those of alerts, images, findings … do alike.
 * Private to the store. */
#pragma once
#include "collector/store/store_priv.h"

/* Is the number of rows asked for one that may be? ERR_LIMIT. */
int paging_limit(const struct store_query *q, struct err *err) WARN_UNUSED;
/* The limit and the filter, whose terms are in a (nullable: ENOMEM). ERR_LIMIT, ERR_SYNTAX. */
int paging_filter(const struct store_query *q, const char *const *keys, struct arena *a, struct filter *ret,
		  struct err *err) WARN_UNUSED;
/* A cursor is kind and count numbers (1 .. 3) with dots between. 1 and at, or 0 when q has none. ERR_SYNTAX. */
int paging_cursor(const struct store_query *q, char kind, int64_t *ret_at, size_t count, struct err *err) WARN_UNUSED;
/* Not one that we gave out: returns ERR_SYNTAX. */
int paging_not_ours(struct err *err);

struct paging {
	uint64_t limit;	     /* of rows given out */
	unsigned look_every; /* after so many rows the clock is looked at */
	/* Notes in arg where st stands, for the cursor. 1 when it was given out, 0 when it is not asked for. */
	int (*row)(struct store *s, sqlite3_stmt *st, void *arg, struct err *err);
	void *arg;
};
/* Rows until the limit, the time of a query or the end; 1 when there may be more. */
int paging_run(struct store *s, sqlite3_stmt *st, const struct paging *p, struct err *err) WARN_UNUSED;
