/* find.c - one vulnerability by an id of it, without a package. */
#include "common/vulndb/advisory.h"
#include "common/vulndb/match_priv.h"
#include "common/vulndb/range.h"

enum { ADVISORIES_MAX = 1000, PLACE_SHOWN = 1000 };

struct advisories {
	int64_t v[ADVISORIES_MAX];
	size_t count;
};

static int collect(struct vulndb *db, struct slice id, struct advisories *ret, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_ALIAS_FIND, &st, err);

	ret->count = 0;
	if (r < 0)
		return r;
	sql_text(st, 1, id);
	while (ret->count < ADVISORIES_MAX && (r = sql_step(db, st, err)) > 0)
		ret->v[ret->count++] = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	if (r >= 0 && !ret->count)
		return err_set(err, ERR_NOT_FOUND, "no advisory by the id '%.*s'", SLICE_FMT(slice_sub(id, 0, 100)));
	return r < 0 ? r : 0;
}

static bool has_id(struct slice ids, struct slice id)
{
	struct slice one;

	while (ids.n && slice_split(&ids, ' ', &one))
		if (slice_eq(one, id))
			return true;
	return false;
}

/* The line of the advisory's groups that has the id; a record asked for by its own id: its first. */
static struct slice line_of(const struct hit *h, struct slice id)
{
	struct slice rest = h->groups, line, first = SLICE_NONE;

	while (rest.n && slice_split(&rest, '\n', &line)) {
		if (has_id(line, id))
			return line;
		if (!first.p)
			first = line;
	}
	return first;
}

static int make_candidates(struct vulndb *db, struct match *m, const struct advisories *a, struct slice id,
			   struct err *err)
{
	m->hits = arena_zalloc(m->arena, a->count, sizeof(*m->hits));
	m->candidates = arena_zalloc(m->arena, a->count, sizeof(*m->candidates));
	if (!m->hits || !m->candidates)
		return err_set(err, ERR_LIMIT, "over %d MiB of advisories", MATCH_ARENA >> 20);
	m->hit_count = m->candidate_count = a->count;
	for (size_t i = 0; i < a->count; i++) {
		m->hits[i] = (struct hit){ .advisory = a->v[i], .is_affected = true, .severity = -1 };
		int r = match_read_advisory(db, m, &m->hits[i], err);
		if (r < 0)
			return r;
		m->candidates[i] = (struct candidate){ .hit = &m->hits[i],
						       .ids = line_of(&m->hits[i], id),
						       .is_one = slice_find_char(m->hits[i].groups, '\n') < 0 };
	}
	return 0;
}

struct finder {
	int (*fn)(void *arg, const struct vulndb_found *f);
	void *arg;
};

static int on_found(void *arg, size_t package, const struct vulndb_found *f)
{
	const struct finder *finder = arg;

	(void)package;
	return finder->fn(finder->arg, f);
}

static int find(struct vulndb *db, struct slice id, struct finder *finder, struct err *err)
{
	static const struct asked nowhere;
	struct match *m = db->match;
	struct advisories a;

	int r = collect(db, id, &a, err);
	if (r < 0)
		return r;
	arena_reset(m->arena);
	m->in = &nowhere;
	m->found = on_found;
	m->arg = finder;
	r = make_candidates(db, m, &a, id, err);
	if (r >= 0)
		r = match_tell(db, m, err);
	return r < 0 ? r : 0;
}

int vulndb_find(struct vulndb *db, struct slice id, int (*fn)(void *arg, const struct vulndb_found *f), void *arg,
		struct err *err)
{
	struct finder finder = { fn, arg };
	int r = match_prepare(db, err);

	if (r >= 0)
		r = read_begin(db, err);
	return r < 0 ? r : read_end(db, find(db, id, &finder, err), err);
}

/* ---- places ---- */

struct places {
	struct match *m;
	int (*fn)(void *arg, const struct vulndb_place *p);
	void *arg;
	struct vulndb_place place; /* of the record at hand */
};

/* 1: the caller has enough. */
static int tell_package(struct vulndb *db, struct places *p, int64_t advisory, int64_t package, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_AFFECTED_OF_ADVISORY, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, package);
	sql_int(st, 2, advisory);
	while ((r = sql_step(db, st, err)) > 0) {
		struct vulndb_place place = p->place;
		int severity = sqlite3_column_int(st, 3);

		buf_reset(&p->m->range);
		range_show(sql_column(st, 4), sql_column(st, 5), PLACE_SHOWN, &p->m->range);
		place.ecosystem = sql_column(st, 0);
		place.package = sql_column(st, 1);
		place.status = (enum vuln_status)sqlite3_column_int(st, 2);
		place.severity = severity < 0 || severity > VULN_CRITICAL ? VULN_UNKNOWN : (enum vuln_severity)severity;
		place.note = sql_column(st, 6);
		place.range = buf_slice(&p->m->range);
		if (p->fn(p->arg, &place)) {
			sqlite3_reset(st);
			return 1;
		}
	}
	return r;
}

static int tell_record(struct vulndb *db, struct places *p, int64_t advisory, struct err *err)
{
	struct slice packages, word;
	sqlite3_stmt *st;
	uint64_t id;

	int r = sql_start(db, SQL_ADVISORY_PLACES, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, advisory);
	r = sql_step(db, st, err);
	if (r <= 0)
		return r;
	arena_reset(p->m->arena);
	r = match_keep(p->m->arena, sql_column(st, 1), &packages, err);
	if (r >= 0)
		r = match_keep(p->m->arena, sql_column(st, 2), &p->place.record, err);
	if (r >= 0)
		r = match_keep(p->m->arena, sql_column(st, 4), &p->place.feed, err);
	p->place.is_withdrawn = sqlite3_column_int(st, 3) != 0;
	sqlite3_reset(st);
	if (r >= 0 && !packages.n)
		return p->fn(p->arg, &p->place) != 0;
	while (r == 0 && packages.n && slice_split(&packages, ' ', &word))
		if (slice_to_u64(word, &id))
			r = tell_package(db, p, advisory, (int64_t)id, err);
	return r;
}

int vulndb_places(struct vulndb *db, struct slice id, int (*fn)(void *arg, const struct vulndb_place *p), void *arg,
		  struct err *err)
{
	struct advisories a;
	int r = match_prepare(db, err);

	if (r >= 0)
		r = read_begin(db, err);
	if (r < 0)
		return r;
	struct places p = { .m = db->match, .fn = fn, .arg = arg };
	r = collect(db, id, &a, err);
	for (size_t i = 0; i < a.count && r == 0; i++)
		r = tell_record(db, &p, a.v[i], err);
	return read_end(db, r < 0 ? r : 0, err);
}
