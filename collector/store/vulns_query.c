/* vulns_query.c - the list of vulnerabilities, urgent ones first.
 *
 * What a vulnerability's row says of all its places decides first. Where the filter asks for more than a row can
 * tell (which image, or two things of one and the same place), places are looked at until one satisfies. */
#include "collector/store/paging.h"
#include "collector/store/terms.h"
#include "collector/store/vulns_priv.h"
#include "common/json.h"

enum { FILTER_ARENA_BYTES = 256 * 1024, BUDGET_EVERY = 16 };

static const char *const vuln_keys[] = { "vuln",    "severity",	 "kev",	    "epss",  "score",	 "package",  "ecosystem",
					 "fixable", "image",	 "host",    "container", "running", "used", "exposed",
					 "accepted", "title",	 "text",    "time",  "since",	 "until",    NULL };

/* Of one place: a row's word on it is only "somewhere". */
static const char *const place_keys[] = { "severity", "package", "ecosystem", "fixable", "image",
					  "host",     "container", "running", "used",	 "exposed" };
/* The row says nothing of these. */
static const char *const far_keys[] = { "ecosystem", "image", "host", "container" };

static bool is_among(const char *key, const char *const *keys, size_t count)
{
	for (size_t i = 0; key && i < count; i++)
		if (!strcmp(keys[i], key))
			return true;
	return false;
}

static bool match_anywhere(const struct store_vuln *v, const struct filter_term *t)
{
	const char *const texts[] = { v->id, v->title, v->aliases, v->packages, v->description };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (filter_contains(slice_of(texts[i]), slice_of(t->value)))
			return !t->is_negated;
	return t->is_negated;
}

/* used:yes, used:no, used:executed, used:loaded. */
static bool match_used(const struct filter_term *t, unsigned used)
{
	bool is_not = t->is_negated != (t->op == FILTER_NE);

	if (!strcmp(t->value, "executed"))
		return ((used & STORE_USED_EXECUTED) != 0) != is_not;
	if (!strcmp(t->value, "loaded"))
		return ((used & STORE_USED_LOADED) != 0) != is_not;
	return terms_match_flag(t, used != 0);
}

static bool match_name(const struct filter_term *t, const struct store_vuln *v)
{
	bool is_not = t->is_negated != (t->op == FILTER_NE);
	struct filter_term p = *t;

	p.is_negated = false;
	p.op = t->op == FILTER_NE ? FILTER_EQ : t->op;
	return (filter_match_text(&p, slice_of(v->id)) || terms_match_list(&p, v->aliases)) != is_not;
}

/* What the row says; of places: can there be one? */
static bool match_row_term(const struct filter_term *t, const struct store_vuln *v, bool is_exact, uint64_t now)
{
	const char *key = t->key;

	if (!key || !strcmp(key, "text"))
		return match_anywhere(v, t);
	if (!is_exact && is_among(key, place_keys, ARRAY_LEN(place_keys)))
		return true;
	if (!strcmp(key, "vuln"))
		return match_name(t, v);
	if (!strcmp(key, "severity"))
		return terms_match_severity(t, (unsigned)v->severity);
	if (!strcmp(key, "kev"))
		return terms_match_flag(t, v->is_kev);
	if (!strcmp(key, "epss"))
		return terms_match_real(t, v->epss < 0 ? 0 : v->epss);
	if (!strcmp(key, "score"))
		return terms_match_real(t, v->score);
	if (!strcmp(key, "package"))
		return terms_match_list(t, v->packages);
	if (!strcmp(key, "fixable"))
		return terms_match_flag(t, v->is_fixable);
	if (!strcmp(key, "running"))
		return terms_match_flag(t, v->running > 0);
	if (!strcmp(key, "used"))
		return match_used(t, v->used);
	if (!strcmp(key, "exposed"))
		return terms_match_flag(t, v->is_exposed);
	if (!strcmp(key, "accepted"))
		return terms_match_flag(t, v->is_accepted);
	if (!strcmp(key, "title"))
		return filter_match_text(t, slice_of(v->title));
	return filter_match_time(t, now, v->first_seen_unix_ns);
}

/* ---- places ---- */

enum { FOUND = 1 << 20 };

struct search {
	struct store *s;
	const struct filter *filter;
	struct err *err;
};

static int match_place_term(struct search *se, const struct filter_term *t, const struct store_place *p, bool *ret)
{
	const char *key = t->key;

	*ret = true;
	if (!is_among(key, place_keys, ARRAY_LEN(place_keys)))
		return 0;
	if (!strcmp(key, "image"))
		return terms_match_image(se->s, t, p->image, p->image_id, p->names, ret, se->err);
	if (!strcmp(key, "host"))
		return terms_match_hosts(se->s, t, "SELECT agent FROM image_use WHERE image = ?", p->image, ret, se->err);
	if (!strcmp(key, "container"))
		return terms_match_any(se->s, t, "SELECT name FROM container_use WHERE image = ?", p->image, ret, se->err);
	if (!strcmp(key, "severity"))
		*ret = terms_match_severity(t, (unsigned)p->severity);
	else if (!strcmp(key, "package"))
		*ret = filter_match_text(t, slice_of(p->package));
	else if (!strcmp(key, "ecosystem"))
		*ret = filter_match_text(t, slice_of(p->ecosystem));
	else if (!strcmp(key, "fixable"))
		*ret = terms_match_flag(t, p->fixed[0] != '\0');
	else if (!strcmp(key, "running"))
		*ret = terms_match_flag(t, p->hosts > 0);
	else if (!strcmp(key, "used"))
		*ret = match_used(t, p->used);
	else
		*ret = terms_match_flag(t, p->is_exposed);
	return 0;
}

static int on_place(void *arg, const struct store_place *p)
{
	struct search *se = arg;

	for (size_t i = 0; i < se->filter->count; i++) {
		bool is_met;
		int r = match_place_term(se, &se->filter->terms[i], p, &is_met);

		if (r < 0 || !is_met)
			return r;
	}
	return -FOUND;
}

/* 1: there is a place that satisfies all that is asked of one. */
static int has_place(struct store *s, const struct filter *f, int64_t vuln, struct err *err)
{
	struct search se = { s, f, err };
	int r = store_vuln_places(s, vuln, 0, 0, on_place, &se, err);

	return r == -FOUND ? 1 : r;
}

/* ---- the list ---- */

struct run {
	const struct filter *filter;
	uint64_t now;
	bool is_far, speaks_of_accepted; /* places must be looked at; accepted: … */
	int (*fn)(void *arg, const struct store_vuln *v);
	void *arg;
	int64_t at[2]; /* rank and row we are at */
};

/* A filter that asks two things of one place can't be answered by the row. */
static void look_at_filter(struct run *run)
{
	size_t places = 0;

	for (size_t i = 0; i < run->filter->count; i++) {
		const char *key = run->filter->terms[i].key;

		places += is_among(key, place_keys, ARRAY_LEN(place_keys));
		run->is_far |= is_among(key, far_keys, ARRAY_LEN(far_keys));
		run->speaks_of_accepted |= key && !strcmp(key, "accepted");
	}
	run->is_far |= places > 1;
}

static int match_row(struct store *s, const struct run *run, const struct store_vuln *v, struct err *err)
{
	if (!v->images || (v->is_accepted && !run->speaks_of_accepted))
		return 0;
	for (size_t i = 0; i < run->filter->count; i++)
		if (!match_row_term(&run->filter->terms[i], v, !run->is_far, run->now))
			return 0;
	return run->is_far ? has_place(s, run->filter, v->row, err) : 1;
}

static int give_row(struct store *s, sqlite3_stmt *st, void *arg, struct err *err)
{
	struct store_vuln v;
	struct run *run = arg;

	vulns_read_row(st, &v);
	run->at[0] = sqlite3_column_int64(st, VULN_RANK);
	run->at[1] = v.row;
	int met = match_row(s, run, &v, err);
	int r = met > 0 ? run->fn(run->arg, &v) : met;
	return r < 0 ? r : met;
}

int store_vuln_query(struct store *s, const struct store_query *q,
		     int (*fn)(void *arg, const struct store_vuln *v), void *arg, char *ret_cursor,
		     size_t cursor_size, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(FILTER_ARENA_BYTES);
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int64_t at[2] = { INT64_MAX, INT64_MAX };
	uint64_t since = q->since_unix_ns, until = q->until_unix_ns;
	struct filter f;

	int r = paging_filter(q, vuln_keys, a, &f, err);
	if (r >= 0)
		r = paging_cursor(q, 'v', at, 2, err);
	if (r < 0)
		return r;
	struct run run = { .filter = &f, .now = clock_unix_ns(s->clk), .fn = fn, .arg = arg };
	filter_window(&f, run.now, &since, &until);
	look_at_filter(&run);
	r = DB_PREPARE(&s->state, &st, err,
		       "SELECT " VULN_COLUMNS " FROM vuln v WHERE (v.rank, v.id) < (?1, ?2) AND v.first_seen >= ?3"
		       " AND (?4 = 0 OR v.first_seen <= ?4) ORDER BY v.rank DESC, v.id DESC",
		       B_INT(at[0]), B_INT(at[1]), B_INT(since), B_INT(until));
	if (r < 0)
		return r;
	const struct paging p = { q->limit, run.is_far ? 1 : BUDGET_EVERY, give_row, &run };
	r = paging_run(s, st, &p, err);
	if (r < 0)
		return r;
	snprintf(ret_cursor, cursor_size, r ? "v%lld.%lld" : "", (long long)run.at[0], (long long)run.at[1]);
	return 0;
}
