/* match.c - packages that are due, against the database.
 *
 * A call of the database can't be interrupted, so the number of packages it gets follows the time the last one
 * took. */
#include <errno.h>

#include "collector/vuln/vuln_priv.h"

struct answer {
	struct vuln *v;
	struct store_match *m;
	struct err *err;
};

static int on_found(void *arg, size_t package, const struct vulndb_found *f)
{
	struct answer *a = arg;

	return store_match_found(a->v->store, a->m, package, f, a->v->data.info.generation, a->err);
}

static void adapt(struct vuln *v, size_t count, uint64_t took_ns)
{
	const uint64_t want_ns = VULN_SLICE_MS * 1000000ull / 2;
	size_t limit = took_ns ? (size_t)(count * want_ns / took_ns) : VULN_MATCH_MAX;

	v->match_limit = limit < VULN_MATCH_MIN ? VULN_MATCH_MIN : limit > VULN_MATCH_MAX ? VULN_MATCH_MAX : limit;
}

/* 1: some were matched. */
static int match_few(struct vuln *v, struct err *err)
{
	struct store_match m;
	struct answer a = { v, &m, err };
	uint64_t begun = clock_boot_ns(v->clk);

	arena_reset(v->match_arena);
	int r = store_match_next(v->store, v->match_limit, v->match_arena, &m, err);
	if (r < 0 || !m.count)
		return r;
	r = vulndb_match(v->data.db, &m.os_text, m.packages, m.count, on_found, &a, err);
	if (r >= 0)
		r = store_match_done(v->store, &m, err);
	adapt(v, m.count, clock_boot_ns(v->clk) - begun);
	return r < 0 ? r : 1;
}

int match_some(struct vuln *v, uint64_t until_boot_ns, struct err *err)
{
	int r;

	if (!v->data.db)
		return 0;
	do {
		r = match_few(v, err);
	} while (r > 0 && clock_boot_ns(v->clk) < until_boot_ns);
	return r;
}
