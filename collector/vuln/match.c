/* match.c - packages that are due, against the database.
 *
 * A call of the database can't be interrupted, so the number of packages it gets follows the time the last one
 * took. One package that the database can't answer for must not hold up all others: it is looked for one by one,
 * and left out, said in the log. */
#include <errno.h>

#include "collector/vuln/vuln_priv.h"
#include "common/log.h"

struct answer {
	struct vuln *v;
	struct store_match *m;
	struct err *err;
	bool is_ours; /* it was the store that failed */
};

static int on_found(void *arg, size_t package, const struct vulndb_found *f)
{
	struct answer *a = arg;

	int r = store_match_found(a->v->store, a->m, package, f, a->v->data.info.generation, a->err);

	a->is_ours = r < 0;
	return r;
}

/* 1: go on. */
static int judge_failure(struct vuln *v, const struct answer *a, int r)
{
	struct store_match *m = a->m;

	if (a->is_ours)
		return r;
	if (r == -ERR_CORRUPT || r == -ERR_VERSION) {
		data_give_up(v, a->err->msg);
		return r;
	}
	if (r != -ERR_LIMIT && r != -ERR_SYNTAX)
		return r; /* busy, out of memory: later */
	if (m->count > 1) {
		v->one_by_one = m->count; /* rolled back, and then so */
		return r;
	}
	LOG(ERROR, "vuln.match", KV_STR("why", a->err->msg), KV_SLICE("ecosystem", m->packages[0].ecosystem),
	    KV_SLICE("package", m->packages[0].name), KV_SLICE("version", m->packages[0].version));
	v->one_by_one -= v->one_by_one > 0;
	r = store_match_skip(v->store, m, a->err);
	return r < 0 ? r : 1;
}

static void adapt(struct vuln *v, size_t count, uint64_t took_ns)
{
	if (v->one_by_one) {
		v->one_by_one--;
		return;
	}
	const uint64_t want_ns = VULN_SLICE_MS * 1000000ull / 2;
	size_t limit = took_ns ? (size_t)(count * want_ns / took_ns) : VULN_MATCH_MAX;

	v->match_limit = limit < VULN_MATCH_MIN ? VULN_MATCH_MIN : limit > VULN_MATCH_MAX ? VULN_MATCH_MAX : limit;
}

/* 1: some were matched. */
static int match_few(struct vuln *v, struct err *err)
{
	struct store_match m;
	struct err why;
	struct answer a = { v, &m, err ? err : &why, false };
	uint64_t begun = clock_boot_ns(v->clk);

	arena_reset(v->match_arena);
	int r = store_match_next(v->store, v->one_by_one ? 1 : v->match_limit, v->match_arena, &m, err);
	if (r < 0 || !m.count)
		return r;
	r = vulndb_match(v->data.db, &m.os_text, m.packages, m.count, on_found, &a, a.err);
	if (r < 0)
		return judge_failure(v, &a, r);
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
