/* match_merge.c - one finding a vulnerability: what the distribution decided goes before what others say of its
 * package, and advisories that share an id are one. */
#include "common/vulndb/advisory.h"
#include "common/vulndb/match_priv.h"

enum { LOOKUPS = 4 };

/* ---- candidates ---- */

static int add_candidate(struct match *m, const struct hit *h, struct slice ids, bool is_one, struct err *err)
{
	void *grown = m->candidates;

	if (m->candidate_count == MATCH_ROWS_MAX)
		return err_set(err, ERR_LIMIT, "a package has over %d vulnerabilities", MATCH_ROWS_MAX);
	int r = match_grow(m->arena, &grown, m->candidate_count, sizeof(*m->candidates), err);
	m->candidates = grown;
	if (r < 0)
		return r;
	m->candidates[m->candidate_count] =
		(struct candidate){ .hit = h, .ids = ids, .is_one = is_one, .parent = m->candidate_count };
	m->candidate_count++;
	return 0;
}

static int add_candidates(struct match *m, const struct hit *h, struct err *err)
{
	struct slice rest = h->groups, line;
	bool is_one = slice_find_char(rest, '\n') < 0;
	int r = 0;

	while (r >= 0 && rest.n && slice_split(&rest, '\n', &line))
		r = add_candidate(m, h, line, is_one, err);
	return r;
}

static struct slice first_id(struct slice ids)
{
	struct slice first = SLICE_NONE;

	(void)slice_split(&ids, ' ', &first);
	return first;
}

/* The ids of another advisory that names this one and a CVE. */
static int find_cve(struct vulndb *db, struct match *m, struct slice id, struct slice *ret, struct err *err)
{
	sqlite3_stmt *st;
	int64_t found[LOOKUPS];
	size_t count = 0;
	int r = sql_start(db, SQL_ALIAS_FIND, &st, err);

	*ret = SLICE_NONE;
	if (r < 0)
		return r;
	sql_text(st, 1, id);
	while (count < LOOKUPS && (r = sql_step(db, st, err)) > 0)
		found[count++] = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	for (size_t i = 0; i < count && r >= 0 && !ret->n; i++) {
		struct hit other = { .advisory = found[i] };

		r = match_read_advisory(db, m, &other, err);
		bool is_one = slice_find_char(other.groups, '\n') < 0;
		if (r >= 0 && is_one && advisory_cve(first_id(other.groups)))
			*ret = other.groups;
	}
	return r < 0 ? r : 0;
}

/* A GHSA, GO or RUSTSEC id whose record does not say its CVE: perhaps another record does. */
static int complete_ids(struct vulndb *db, struct match *m, struct candidate *c, struct err *err)
{
	struct slice more;

	if (ecosystem_is_distro(m->in->ecosystem) || advisory_cve(first_id(c->ids)))
		return 0;
	int r = find_cve(db, m, first_id(c->ids), &more, err);
	if (r < 0 || !more.n)
		return r;
	char *text = arena_printf(m->arena, "%.*s %.*s", SLICE_FMT(more), SLICE_FMT(c->ids));
	if (text)
		c->ids = slice_of(text);
	return 0;
}

/* ---- who decides ---- */

/* Of a CVE something was said in a space, perhaps by the distribution itself. */
struct decided {
	int64_t cve;
	unsigned space;
	bool is_own;
};

struct decisions {
	struct decided *v;
	size_t count;
};

static int add_decided(struct match *m, struct decisions *d, int64_t cve, const struct hit *h, struct err *err)
{
	void *grown = d->v;
	int r = match_grow(m->arena, &grown, d->count, sizeof(*d->v), err);

	d->v = grown;
	if (r >= 0)
		d->v[d->count++] = (struct decided){ cve, h->space, h->cve != 0 };
	return r;
}

static int decide_groups(struct vulndb *db, struct match *m, struct decisions *d, struct hit *h, struct err *err)
{
	struct slice rest, line;
	int r = h->is_affected ? 0 : match_read_advisory(db, m, h, err);

	rest = h->groups;
	while (r >= 0 && rest.n && slice_split(&rest, '\n', &line)) {
		int64_t cve = advisory_cve(first_id(line));

		if (cve)
			r = add_decided(m, d, cve, h, err);
	}
	return r;
}

static int by_cve(const void *a, const void *b)
{
	const struct decided *x = a, *y = b;

	return (x->cve > y->cve) - (x->cve < y->cve);
}

/* Several spaces are rare (RHEL's minor releases, Ubuntu Pro): only then is every row's advisory read. */
static int collect_decisions(struct vulndb *db, struct match *m, struct decisions *d, struct err *err)
{
	unsigned last = 0;
	int r = 0;

	for (size_t i = 0; i < m->candidate_count; i++)
		if (m->candidates[i].hit->space > last)
			last = m->candidates[i].hit->space;
	for (size_t i = 0; i < m->hit_count && r >= 0; i++) {
		struct hit *h = &m->hits[i];

		if (h->cve)
			r = add_decided(m, d, h->cve, h, err);
		else if (h->space < last)
			r = decide_groups(db, m, d, h, err);
	}
	if (d->count)
		qsort(d->v, d->count, sizeof(*d->v), by_cve);
	return r;
}

static bool is_overruled(const struct decisions *d, const struct candidate *c)
{
	int64_t cve = advisory_cve(first_id(c->ids));
	size_t low = 0, high = d->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (d->v[mid].cve < cve)
			low = mid + 1;
		else
			high = mid;
	}
	for (; cve && low < d->count && d->v[low].cve == cve; low++)
		if (d->v[low].space < c->hit->space ||
		    (d->v[low].space == c->hit->space && d->v[low].is_own && !c->hit->cve))
			return true;
	return false;
}

static int drop_overruled(struct vulndb *db, struct match *m, struct err *err)
{
	struct decisions d = { 0 };

	if (!ecosystem_is_distro(m->in->ecosystem))
		return 0;
	int r = collect_decisions(db, m, &d, err);
	for (size_t i = 0; i < m->candidate_count && r >= 0; i++)
		m->candidates[i].is_dropped = is_overruled(&d, &m->candidates[i]);
	return r;
}

/* ---- the same ones ---- */

struct named {
	struct slice id;
	size_t candidate;
};

static int by_id(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	size_t n = x->id.n < y->id.n ? x->id.n : y->id.n;
	int c = n ? memcmp(x->id.p, y->id.p, n) : 0;

	if (c || x->id.n != y->id.n)
		return c ? c : x->id.n < y->id.n ? -1 : 1;
	return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

static size_t root_of(struct match *m, size_t i)
{
	while (m->candidates[i].parent != i) {
		m->candidates[i].parent = m->candidates[m->candidates[i].parent].parent;
		i = m->candidates[i].parent;
	}
	return i;
}

static void unite(struct match *m, size_t a, size_t b)
{
	a = root_of(m, a);
	b = root_of(m, b);
	if (a < b)
		m->candidates[b].parent = a;
	else
		m->candidates[a].parent = b;
}

static int collect_names(struct match *m, struct named **ret, size_t *ret_count, struct err *err)
{
	struct named *v = NULL;
	size_t count = 0;

	for (size_t i = 0; i < m->candidate_count; i++) {
		struct slice rest = m->candidates[i].ids, id;

		while (!m->candidates[i].is_dropped && rest.n && slice_split(&rest, ' ', &id)) {
			void *grown = v;
			int r = match_grow(m->arena, &grown, count, sizeof(*v), err);

			v = grown;
			if (r < 0)
				return r;
			v[count++] = (struct named){ id, i };
		}
	}
	*ret = v;
	*ret_count = count;
	return 0;
}

int match_merge(struct vulndb *db, struct match *m, struct err *err)
{
	struct named *names = NULL;
	size_t count = 0;
	int r = 0;

	m->candidates = NULL;
	m->candidate_count = 0;
	for (size_t i = 0; i < m->hit_count && r >= 0; i++)
		if (m->hits[i].is_affected)
			r = add_candidates(m, &m->hits[i], err);
	for (size_t i = 0; i < m->candidate_count && r >= 0; i++)
		r = complete_ids(db, m, &m->candidates[i], err);
	if (r >= 0)
		r = drop_overruled(db, m, err);
	if (r >= 0)
		r = collect_names(m, &names, &count, err);
	if (r < 0 || !count)
		return r;
	qsort(names, count, sizeof(*names), by_id);
	for (size_t i = 1; i < count; i++)
		if (slice_eq(names[i].id, names[i - 1].id))
			unite(m, names[i].candidate, names[i - 1].candidate);
	for (size_t i = 0; i < m->candidate_count; i++)
		m->candidates[i].parent = root_of(m, i);
	return 0;
}
