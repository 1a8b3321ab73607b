/* match_tell.c - what is known of each vulnerability found: from its own advisory first, then from others that
 * share the id, KEV and EPSS. */
#include "common/vulndb/advisory.h"
#include "common/vulndb/cvss.h"
#include "common/vulndb/groups.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/match_priv.h"
#include "common/vulndb/range.h"

enum { RANGE_SHOWN = 240 };

/* Candidates that are one vulnerability; the first speaks for it. */
struct finding {
	const struct candidate **v;
	size_t count;
	struct slice id;
};

/* ---- sets ---- */

static int by_set(const void *a, const void *b)
{
	const struct candidate *x = *(const struct candidate *const *)a, *y = *(const struct candidate *const *)b;
	bool x_word = x->hit->severity_source.n && !slice_is(x->hit->severity_source, "cvss");
	bool y_word = y->hit->severity_source.n && !slice_is(y->hit->severity_source, "cvss");

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (!x->hit->cve != !y->hit->cve)
		return x->hit->cve ? -1 : 1;
	if (x->hit->space != y->hit->space)
		return x->hit->space < y->hit->space ? -1 : 1;
	if (x->is_one != y->is_one)
		return x->is_one ? -1 : 1;
	if (x_word != y_word)
		return x_word ? -1 : 1;
	if (!slice_eq(x->hit->record, y->hit->record))
		return groups_is_better(x->hit->record, y->hit->record) ? -1 : 1;
	return x < y ? -1 : x > y;
}

static struct slice best_id(const struct finding *f)
{
	struct slice best = SLICE_NONE, id;

	for (size_t i = 0; i < f->count; i++) {
		struct slice rest = f->v[i]->ids;

		while (rest.n && slice_split(&rest, ' ', &id))
			if (!best.n || groups_is_better(id, best))
				best = id;
	}
	return best;
}

static int by_id(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	size_t n = x->id.n < y->id.n ? x->id.n : y->id.n;
	int c = n ? memcmp(x->id.p, y->id.p, n) : 0;

	return c ? c : (x->id.n > y->id.n) - (x->id.n < y->id.n);
}

/* *ret: in the arena, in order of id. */
static int make_findings(struct match *m, struct finding **ret, size_t *ret_count, struct err *err)
{
	const struct candidate **v = arena_alloc(m->arena, (m->candidate_count + 1) * sizeof(const void *));
	struct finding *f = arena_alloc(m->arena, (m->candidate_count + 1) * sizeof(*f));
	size_t n = 0, count = 0;

	if (!v || !f)
		return err_set(err, ERR_LIMIT, "a package has advisories of over %d MiB", MATCH_ARENA >> 20);
	for (size_t i = 0; i < m->candidate_count; i++)
		if (!m->candidates[i].is_dropped)
			v[n++] = &m->candidates[i];
	if (n)
		qsort(v, n, sizeof(const void *), by_set);
	for (size_t i = 0; i < n; i += f[count++].count) {
		f[count] = (struct finding){ .v = v + i };
		while (i + f[count].count < n && v[i + f[count].count]->parent == v[i]->parent)
			f[count].count++;
		f[count].id = best_id(&f[count]);
	}
	if (count)
		qsort(f, count, sizeof(*f), by_id);
	*ret = f;
	*ret_count = count;
	return 0;
}

/* ---- fixed, status, severity ---- */

/* The version that has every fix: the highest of those that the deciding advisories name. */
static struct slice fixed_of(const struct finding *f, enum version_scheme scheme)
{
	const struct hit *best = f->v[0]->hit;
	struct slice fixed = SLICE_NONE;

	for (size_t i = 0; i < f->count; i++) {
		const struct hit *h = f->v[i]->hit;
		int order = 0;

		if (!h->fixed.n || h->space != best->space || !h->cve != !best->cve)
			continue;
		if (!fixed.n || (version_compare(scheme, h->fixed, fixed, &order, NULL) >= 0 && order > 0))
			fixed = h->fixed;
	}
	return fixed;
}

static void settle_severity(const struct match *m, const struct finding *f, struct vulndb_found *ret)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct hit *h = f->v[i]->hit;

		if (h->severity < 0)
			continue;
		ret->severity = (enum vuln_severity)h->severity;
		ret->severity_source = slice_of(m->in->source);
		return;
	}
	for (size_t i = 0; i < f->count; i++) {
		const struct hit *h = f->v[i]->hit;

		if (!h->severity_source.n || slice_is(h->severity_source, "cvss"))
			continue;
		ret->severity = h->advisory_severity;
		ret->severity_source = h->severity_source;
		return;
	}
}

/* Of an advisory about this vulnerability only; one about many has the score of its worst. */
static void take_cvss(const struct finding *f, bool of_one, struct vulndb_found *ret)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct hit *h = f->v[i]->hit;
		unsigned had = cvss_version(ret->cvss_vector), has = cvss_version(h->vector);

		if (!h->vector.n || f->v[i]->is_one != of_one || has < had || (has == had && h->cvss <= ret->cvss))
			continue;
		ret->cvss = h->cvss;
		ret->cvss_vector = h->vector;
	}
}

static enum vuln_severity severity_of_score(struct slice vector)
{
	enum vuln_severity s = VULN_UNKNOWN;
	double ignored;

	return cvss_score(vector, &ignored, &s, NULL) < 0 ? VULN_UNKNOWN : s;
}

/* ---- what others say of the id ---- */

static int find_rich(struct vulndb *db, struct slice id, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_ALIAS_RICH, &st, err);

	if (r < 0)
		return r;
	sql_text(st, 1, id);
	r = sql_step(db, st, err);
	*ret = r > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

/* Score and words, where the advisory itself has none: Debian's tracker never has a score. */
static int borrow(struct vulndb *db, struct match *m, struct vulndb_found *f, struct err *err)
{
	sqlite3_stmt *st;
	int64_t rich;

	if (f->cvss_vector.n && f->title.n)
		return 0;
	int r = find_rich(db, f->id, &rich, err);
	if (r < 0 || !rich)
		return r;
	r = sql_start(db, SQL_ADVISORY_RICH, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, rich);
	r = sql_step(db, st, err);
	if (r > 0 && !f->title.n)
		r = match_keep(m->texts, sql_column(st, 0), &f->title, err) < 0 ? -1 : 1;
	if (r > 0 && !f->description.n)
		r = match_keep(m->texts, sql_column(st, 1), &f->description, err) < 0 ? -1 : 1;
	if (r > 0 && !f->cvss_vector.n) {
		r = match_keep(m->texts, sql_column(st, 3), &f->cvss_vector, err) < 0 ? -1 : 1;
		f->cvss = sqlite3_column_double(st, 2);
	}
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

static int take_kev(struct vulndb *db, struct match *m, int64_t cve, struct vulndb_found *f, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_KEV_GET, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, cve);
	r = sql_step(db, st, err);
	if (r > 0) {
		f->kev = true;
		f->kev_ransomware = sqlite3_column_int(st, 2) != 0;
		r = match_keep(m->texts, sql_column(st, 0), &f->kev_added, err);
		if (r >= 0)
			r = match_keep(m->texts, sql_column(st, 1), &f->kev_due, err);
		if (r >= 0 && !f->title.n)
			r = match_keep(m->texts, sql_column(st, 3), &f->title, err);
	}
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

static int take_epss(struct vulndb *db, int64_t cve, struct vulndb_found *f, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_EPSS_GET, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, cve);
	r = sql_step(db, st, err);
	if (r > 0 && sqlite3_column_double(st, 0) > f->epss) {
		f->epss = sqlite3_column_double(st, 0);
		f->epss_percentile = sqlite3_column_double(st, 1);
	}
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

/* Of every CVE among the ids: the worst counts. */
static int take_scores(struct vulndb *db, struct match *m, struct vulndb_found *f, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i <= f->alias_count && r >= 0; i++) {
		int64_t cve = advisory_cve(i ? f->aliases[i - 1] : f->id);

		if (!cve)
			continue;
		if (!f->kev)
			r = take_kev(db, m, cve, f, err);
		if (r >= 0)
			r = take_epss(db, cve, f, err);
	}
	return r;
}

/* ---- telling ---- */

static int by_text(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	return groups_is_better(*x, *y) ? -1 : groups_is_better(*y, *x);
}

static int list_aliases(struct match *m, const struct finding *f, struct vulndb_found *ret, struct err *err)
{
	struct slice *v = NULL, id;
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < f->count; i++) {
		struct slice rest = f->v[i]->ids;

		while (rest.n && slice_split(&rest, ' ', &id)) {
			void *grown = v;
			int r = slice_eq(id, f->id) ? 0 : match_grow(m->texts, &grown, n, sizeof(*v), err);

			v = grown;
			if (r < 0)
				return r;
			if (!slice_eq(id, f->id))
				v[n++] = id;
		}
	}
	if (n)
		qsort(v, n, sizeof(*v), by_text);
	for (size_t i = 0; i < n; i++)
		if (!kept || !slice_eq(v[i], v[kept - 1]))
			v[kept++] = v[i];
	ret->aliases = v;
	ret->alias_count = kept;
	return 0;
}

static int list_urls(struct match *m, struct slice text, struct vulndb_found *ret, struct err *err)
{
	struct slice *v = arena_alloc(m->texts, VULNDB_URLS_MAX * sizeof(*v)), rest;
	int r = v ? match_keep(m->texts, text, &rest, err) : err_set(err, ERR_LIMIT, "a package has too many advisories");

	if (r < 0)
		return r;
	ret->urls = v;
	while (rest.n && ret->url_count < VULNDB_URLS_MAX && slice_split(&rest, '\n', &v[ret->url_count]))
		ret->url_count++;
	return 0;
}

static int read_texts(struct vulndb *db, struct match *m, int64_t advisory, struct vulndb_found *f, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_ADVISORY_LONG, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, advisory);
	r = sql_step(db, st, err);
	if (r <= 0)
		return r < 0 ? r : err_set(err, ERR_CORRUPT, "vulnerability database: a row without its advisory");
	r = match_keep(m->texts, sql_column(st, 0), &f->title, err);
	if (r >= 0)
		r = list_urls(m, sql_column(st, 1), f, err);
	if (r >= 0)
		r = match_keep(m->texts, sql_column(st, 2), &f->description, err);
	if (r >= 0)
		r = match_keep(m->texts, sql_column(st, 5), &f->feed, err);
	f->published_unix_s = (uint64_t)sqlite3_column_int64(st, 3);
	f->modified_unix_s = (uint64_t)sqlite3_column_int64(st, 4);
	sqlite3_reset(st);
	return r;
}

static int fill(struct vulndb *db, struct match *m, const struct finding *f, struct vulndb_found *ret, struct err *err)
{
	const struct hit *best = f->v[0]->hit;
	enum version_scheme scheme = m->in->ecosystem ? m->in->ecosystem->scheme : VERSION_SEMVER;

	*ret = (struct vulndb_found){ .id = f->id,
				      .record = best->record,
				      .fixed = fixed_of(f, scheme),
				      .status = best->status,
				      .status_note = best->note,
				      .scheme = scheme,
				      .epss = -1,
				      .epss_percentile = -1 };
	if (ret->fixed.n && ret->status == VULN_AFFECTED)
		ret->status = VULN_FIXED;
	settle_severity(m, f, ret);
	take_cvss(f, true, ret);
	int r = list_aliases(m, f, ret, err);
	if (r >= 0)
		r = read_texts(db, m, best->advisory, ret, err);
	if (r >= 0)
		r = borrow(db, m, ret, err);
	if (r >= 0)
		r = take_scores(db, m, ret, err);
	if (r < 0)
		return r;
	if (!ret->cvss_vector.n)
		take_cvss(f, false, ret);
	if (!ret->severity_source.n && ret->cvss_vector.n) {
		ret->severity = severity_of_score(ret->cvss_vector);
		ret->severity_source = SLICE_LIT("cvss");
	}
	buf_reset(&m->range);
	range_show(best->ranges, best->versions, RANGE_SHOWN, &m->range);
	ret->range = buf_slice(&m->range);
	return 0;
}

int match_tell(struct vulndb *db, struct match *m, struct err *err)
{
	struct finding *f = NULL;
	size_t count = 0;

	if (!m->candidate_count)
		return 0;
	int r = make_findings(m, &f, &count, err);
	for (size_t i = 0; i < count && r >= 0; i++) {
		struct vulndb_found found;

		arena_reset(m->texts);
		r = fill(db, m, &f[i], &found, err);
		if (r >= 0 && m->found(m->arg, m->package, &found))
			return 1;
	}
	return r < 0 ? r : 0;
}
