/* paging.c - lists by filter, page after page. */
#include "collector/store/paging.h"

#include <assert.h>
#include <errno.h>

enum { NUMBERS_MAX = 3 };

int paging_limit(const struct store_query *q, struct err *err)
{
	if (!q->limit || q->limit > QUERY_LIMIT_MAX)
		return err_set(err, ERR_LIMIT, "the limit must be 1 to %d", QUERY_LIMIT_MAX);
	return 0;
}

int paging_filter(const struct store_query *q, const char *const *keys, struct arena *a, struct filter *ret,
		  struct err *err)
{
	if (!a)
		return err_set(err, ENOMEM, "query");
	int r = paging_limit(q, err);
	return r < 0 ? r : filter_parse(q->filter, keys, a, ret, err);
}

int paging_not_ours(struct err *err)
{
	return err_set(err, ERR_SYNTAX, "the cursor is not one of ours");
}

int paging_cursor(const struct store_query *q, char kind, int64_t *ret_at, size_t count, struct err *err)
{
	uint64_t n[NUMBERS_MAX];

	assert(count <= NUMBERS_MAX);
	if (!q->cursor || !q->cursor[0])
		return 0;
	struct slice rest = slice_of(q->cursor + 1), part;
	if (q->cursor[0] != kind)
		return paging_not_ours(err);
	for (size_t i = 0; i < count; i++)
		if (!slice_split(&rest, '.', &part) || !slice_to_u64(part, &n[i]) || n[i] > INT64_MAX)
			return paging_not_ours(err);
	if (rest.p)
		return paging_not_ours(err);
	for (size_t i = 0; i < count; i++)
		ret_at[i] = (int64_t)n[i];
	return 1;
}

static int give_rows(struct store *s, sqlite3_stmt *st, const struct paging *p, uint64_t deadline_boot_ns,
		     struct err *err)
{
	uint64_t given = 0, looked_at = 0;
	int r;

	while ((r = db_step(&s->state, st, err)) > 0) {
		r = p->row(s, st, p->arg, err);
		if (r < 0)
			return r;
		given += r > 0;
		if (given == p->limit)
			return 1;
		if (++looked_at % p->look_every == 0 && clock_boot_ns(s->clk) > deadline_boot_ns)
			return 1;
	}
	return r;
}

int paging_run(struct store *s, sqlite3_stmt *st, const struct paging *p, struct err *err)
{
	uint64_t begun = clock_boot_ns(s->clk);
	int r = give_rows(s, st, p, store_query_begin(s), err);

	store_query_end(s, begun);
	return r;
}
