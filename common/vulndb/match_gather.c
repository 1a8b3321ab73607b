/* match_gather.c - the rows about a package, each judged. */
#include "common/vulndb/match_priv.h"
#include "common/vulndb/range.h"

static int find_package(struct vulndb *db, int64_t space, struct slice name, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_PACKAGE_FIND, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, space);
	sql_text(st, 2, name);
	r = sql_step(db, st, err);
	*ret = r > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

/* An rpm of a module stream ("….module+el8…") has nothing to do with an advisory for the package outside of
 * modules, nor the other way round, whatever their versions. */
static bool is_other_stream(const struct match *m, struct slice ranges)
{
	static const struct slice mark = SLICE_LIT(".module");

	if (strcmp(m->in->ecosystem->purl, "rpm") || slice_find_char(ranges, '<') < 0)
		return false;
	return (slice_find(ranges, mark) >= 0) != (slice_find(m->version, mark) >= 0);
}

static int keep_texts(struct match *m, struct hit *h, struct slice ranges, struct slice versions, struct slice note,
		      struct slice fixed, struct err *err)
{
	int r = match_keep(m->arena, ranges, &h->ranges, err);

	if (r >= 0)
		r = match_keep(m->arena, versions, &h->versions, err);
	if (r >= 0)
		r = match_keep(m->arena, note, &h->note, err);
	return r < 0 ? r : match_keep(m->arena, fixed, &h->fixed, err);
}

static int add_hit(struct match *m, sqlite3_stmt *st, unsigned space, struct err *err)
{
	struct slice ranges = sql_column(st, 4), versions = sql_column(st, 5);
	enum version_scheme scheme = m->in->ecosystem->scheme;
	int status = sqlite3_column_int(st, 2), severity = sqlite3_column_int(st, 3);
	void *grown = m->hits;

	if (status < 0 || status > VULN_INVESTIGATING || severity < -1 || severity > VULN_CRITICAL)
		return err_set(err, ERR_CORRUPT, "vulnerability database: a status or severity that is none");
	if (m->hit_count == MATCH_ROWS_MAX)
		return err_set(err, ERR_LIMIT, "a package has over %d advisories", MATCH_ROWS_MAX);
	int r = match_grow(m->arena, &grown, m->hit_count, sizeof(*m->hits), err);
	m->hits = grown;
	if (r < 0)
		return r;
	struct range_verdict v = { 0 };
	if (!is_other_stream(m, ranges))
		v = range_judge(scheme, ranges, versions, m->version);
	struct hit *h = &m->hits[m->hit_count++];
	*h = (struct hit){ .advisory = sqlite3_column_int64(st, 0),
			   .cve = sqlite3_column_int64(st, 1),
			   .space = space,
			   .is_affected = v.is_affected,
			   .status = (enum vuln_status)status,
			   .severity = severity };
	return v.is_affected ? keep_texts(m, h, ranges, versions, sql_column(st, 6), v.fixed, err) : 0;
}

static int gather_space(struct vulndb *db, struct match *m, unsigned space, struct err *err)
{
	sqlite3_stmt *st;
	int64_t package;
	int r = find_package(db, m->in->spaces[space], m->name, &package, err);

	if (r < 0 || !package)
		return r;
	r = sql_start(db, SQL_AFFECTED_OF_PACKAGE, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, package);
	while ((r = sql_step(db, st, err)) > 0) {
		r = add_hit(m, st, space, err);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}

int match_read_advisory(struct vulndb *db, struct match *m, struct hit *h, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_ADVISORY_SHORT, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, h->advisory);
	r = sql_step(db, st, err);
	if (r == 0)
		return err_set(err, ERR_CORRUPT, "vulnerability database: a row without its advisory");
	if (r > 0)
		r = match_keep(m->arena, sql_column(st, 0), &h->groups, err);
	if (r >= 0)
		r = match_keep(m->arena, sql_column(st, 2), &h->record, err);
	if (r >= 0)
		r = match_keep(m->arena, sql_column(st, 4), &h->severity_source, err);
	if (r >= 0)
		r = match_keep(m->arena, sql_column(st, 6), &h->vector, err);
	if (r >= 0) {
		int severity = sqlite3_column_int(st, 3);
		h->advisory_severity = severity < 0 || severity > VULN_CRITICAL ? VULN_UNKNOWN : (enum vuln_severity)severity;
		h->cvss = sqlite3_column_double(st, 5);
	}
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

int match_gather(struct vulndb *db, struct match *m, struct err *err)
{
	int r = 0;

	m->hits = NULL;
	m->hit_count = 0;
	for (unsigned i = 0; i < m->in->count && r >= 0; i++)
		r = gather_space(db, m, i, err);
	for (size_t i = 0; i < m->hit_count && r >= 0; i++)
		if (m->hits[i].is_affected)
			r = match_read_advisory(db, m, &m->hits[i], err);
	return r;
}
