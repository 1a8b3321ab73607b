/* checks_query.c - findings of checks as people ask for them. The order is (rank, id); a cursor is the last row's. */
#include "collector/store/checks_priv.h"
#include "collector/store/paging.h"
#include "collector/store/terms.h"

enum { FILTER_ARENA_BYTES = 256 * 1024, BUDGET_EVERY = 64, SHORT_ID = 12 };

static const char *const finding_keys[] = { "id",	"check",   "severity", "status",   "host",    "container", "subject",
					    "kind",	"image",   "title",    "cis",	   "mitre",   "trigger",   "differs",
					    "result",	"waiver",  "evidence", "text",	   "time",    "since",	   "until",
					    NULL };

#define FINDING_COLUMNS                                                                                           \
	"f.id, s.agent, s.kind, s.name, s.last_id, s.image, s.image_id, f.check_id, coalesce(t.title, ''),"         \
	" coalesce(t.cis, ''), coalesce(t.mitre, ''), f.catalogue, f.status, f.severity, f.evidence, f.fix,"        \
	" f.trigger, f.mended_why, f.differs, s.is_here, f.first_seen, f.opened, f.last_seen, f.mended, f.reopened," \
	" f.waiver, f.state, f.rank"
#define FINDING_FROM                                                                                 \
	" FROM check_finding f JOIN check_subject s ON s.id = f.subject"                             \
	" LEFT JOIN check_text t ON t.catalogue = f.catalogue AND t.id = f.check_id"
enum { FINDING_RANK = 27 };

static const char *status_of(uint64_t mended, int64_t waiver, uint64_t state)
{
	static const char *const states[] = { "new", "still", "reopened" };

	if (mended)
		return "mended";
	if (waiver)
		return "waived";
	return state < ARRAY_LEN(states) ? states[state] : "still";
}

static void read_row(struct store *s, sqlite3_stmt *st, struct store_check_finding *ret)
{
	const char *agent = db_text(st, 1);
	const struct agent_brief *a = agents_find(s, agent);

	*ret = (struct store_check_finding){ .id = sqlite3_column_int64(st, 0),
					     .agent = agent,
					     .host = a ? a->host : agent,
					     .kind = db_text(st, 2),
					     .subject = db_text(st, 3),
					     .subject_id = db_text(st, 4),
					     .image = db_text(st, 5),
					     .image_id = db_text(st, 6),
					     .check = db_text(st, 7),
					     .title = db_text(st, 8),
					     .cis = db_text(st, 9),
					     .mitre = db_text(st, 10),
					     .catalogue = db_text(st, 11),
					     .result = db_text(st, 12),
					     .severity = (enum msg_severity)db_u64(st, 13),
					     .evidence = db_text(st, 14),
					     .fix = db_text(st, 15),
					     .trigger = db_text(st, 16),
					     .mended_why = db_text(st, 17),
					     .differs = db_u64(st, 18) != 0,
					     .is_here = db_u64(st, 19) != 0,
					     .first_seen_unix_ns = db_u64(st, 20),
					     .opened_unix_ns = db_u64(st, 21),
					     .last_seen_unix_ns = db_u64(st, 22),
					     .mended_unix_ns = db_u64(st, 23),
					     .reopened = db_u64(st, 24),
					     .waiver = sqlite3_column_int64(st, 25) };
	ret->status = status_of(ret->mended_unix_ns, ret->waiver, db_u64(st, 26));
}

/* ---- the filter ---- */

/* "open" is every status that is neither mended nor waived. */
static bool match_status(const struct filter_term *t, const struct store_check_finding *f)
{
	bool is_not = t->is_negated != (t->op == FILTER_NE);

	if (!strcmp(t->value, "open") && (t->op == FILTER_EQ || t->op == FILTER_NE))
		return (!f->mended_unix_ns && !f->waiver) != is_not;
	return filter_match_text(t, slice_of(f->status));
}

static bool match_subject(const struct filter_term *t, const struct store_check_finding *f)
{
	struct slice want = slice_of(t->value), id = slice_of(f->subject_id);

	if (t->op == FILTER_EQ && want.n >= SHORT_ID && want.n < id.n && slice_starts(id, want))
		return !t->is_negated;
	if (t->op == FILTER_EQ && slice_eq(want, id))
		return !t->is_negated;
	return filter_match_text(t, slice_of(f->subject));
}

static bool match_anywhere(const struct filter_term *t, const struct store_check_finding *f)
{
	const char *const texts[] = { f->host,	f->subject, f->subject_id, f->image, f->check,
				      f->title, f->evidence, f->fix,	   f->cis,   f->mitre };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (filter_contains(slice_of(texts[i]), slice_of(t->value)))
			return !t->is_negated;
	return t->is_negated;
}

static bool match_term(const struct filter_term *t, const struct store_check_finding *f, uint64_t now)
{
	const struct {
		const char *key, *text;
	} texts[] = { { "check", f->check },   { "severity", msg_severity_name(f->severity) },
		      { "host", f->host },     { "kind", f->kind },
		      { "image", f->image },   { "title", f->title },
		      { "cis", f->cis },       { "mitre", f->mitre },
		      { "trigger", f->trigger }, { "result", f->result },
		      { "evidence", f->evidence } };

	if (!t->key || !strcmp(t->key, "text"))
		return match_anywhere(t, f);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!strcmp(t->key, texts[i].key))
			return filter_match_text(t, slice_of(texts[i].text));
	if (!strcmp(t->key, "container"))
		return !strcmp(f->kind, "container") ? match_subject(t, f) : t->is_negated;
	if (!strcmp(t->key, "subject"))
		return match_subject(t, f);
	if (!strcmp(t->key, "status"))
		return match_status(t, f);
	if (!strcmp(t->key, "differs"))
		return terms_match_flag(t, f->differs);
	if (!strcmp(t->key, "id"))
		return filter_match_number(t, f->id);
	if (!strcmp(t->key, "waiver"))
		return filter_match_number(t, f->waiver);
	return filter_match_time(t, now, f->first_seen_unix_ns);
}

struct run {
	const struct filter *filter;
	uint64_t now, since, until;
	bool speaks_of_status;
	int (*fn)(void *arg, const struct store_check_finding *f);
	void *arg;
	int64_t at[2]; /* rank and id of the row we are at */
};

static bool match_row(const struct run *run, const struct store_check_finding *f)
{
	if ((f->mended_unix_ns || f->waiver) && !run->speaks_of_status)
		return false;
	if (f->first_seen_unix_ns < run->since || (run->until && f->first_seen_unix_ns > run->until))
		return false;
	for (size_t i = 0; i < run->filter->count; i++)
		if (!match_term(&run->filter->terms[i], f, run->now))
			return false;
	return true;
}

static bool speaks_of_status(const struct filter *f)
{
	static const char *const keys[] = { "status", "id", "waiver" };

	for (size_t i = 0; i < f->count; i++)
		for (size_t k = 0; k < ARRAY_LEN(keys); k++)
			if (f->terms[i].key && !strcmp(f->terms[i].key, keys[k]))
				return true;
	return false;
}

static int give_row(struct store *s, sqlite3_stmt *st, void *arg, struct err *err)
{
	struct store_check_finding f;
	struct run *run = arg;

	read_row(s, st, &f);
	run->at[0] = sqlite3_column_int64(st, FINDING_RANK);
	run->at[1] = f.id;
	if (!match_row(run, &f))
		return 0;
	int r = run->fn(run->arg, &f);
	return r < 0 ? r : 1;
}

int store_check_finding_query(struct store *s, const struct store_query *q,
			      int (*fn)(void *arg, const struct store_check_finding *f), void *arg, char *ret_cursor,
			      size_t cursor_size, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(FILTER_ARENA_BYTES);
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int64_t at[2] = { INT64_MAX, INT64_MAX };
	struct filter f;

	int r = paging_filter(q, finding_keys, a, &f, err);
	if (r >= 0)
		r = paging_cursor(q, 'f', at, 2, err);
	if (r >= 0)
		r = agents_refresh(s, err);
	if (r < 0)
		return r;
	struct run run = { .filter = &f, .now = clock_unix_ns(s->clk), .since = q->since_unix_ns,
			   .until = q->until_unix_ns, .speaks_of_status = speaks_of_status(&f), .fn = fn, .arg = arg };
	filter_window(&f, run.now, &run.since, &run.until);
	/* 24: the least rank of what is open and not waived */
	r = DB_PREPARE(&s->state, &st, err,
		       "SELECT " FINDING_COLUMNS FINDING_FROM " WHERE (f.rank, f.id) < (?1, ?2) AND f.rank >= ?3"
		       " ORDER BY f.rank DESC, f.id DESC",
		       B_INT(at[0]), B_INT(at[1]), B_INT(run.speaks_of_status ? 0 : 24));
	if (r < 0)
		return r;
	const struct paging p = { q->limit, BUDGET_EVERY, give_row, &run };
	r = paging_run(s, st, &p, err);
	if (r < 0)
		return r;
	snprintf(ret_cursor, cursor_size, r ? "f%lld.%lld" : "", (long long)run.at[0], (long long)run.at[1]);
	return 0;
}

int store_check_finding_get(struct store *s, int64_t id, struct arena *a, struct store_check_finding *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct store_check_finding f;
	const char **texts[] = { &f.agent, &f.host,	&f.kind,   &f.subject, &f.subject_id, &f.image,	 &f.image_id,
				 &f.check, &f.title,	&f.cis,	   &f.mitre,   &f.catalogue,  &f.result, &f.evidence,
				 &f.fix,   &f.trigger, &f.mended_why };
	int r = agents_refresh(s, err);

	if (r >= 0)
		r = DB_PREPARE(&s->state, &st, err, "SELECT " FINDING_COLUMNS FINDING_FROM " WHERE f.id = ?", B_INT(id));
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "no finding %lld", (long long)id);
	read_row(s, st, &f);
	if (!arena_keep(a, texts, ARRAY_LEN(texts)))
		return err_set(err, ERR_LIMIT, "finding %lld", (long long)id);
	*ret = f;
	return 0;
}

/* ---- sums ---- */

int store_check_counts(struct store *s, struct store_check_counts *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int64_t subjects = 0, hosts = 0;
	int r = db_prepare(&s->state, "SELECT rank, count(*) FROM check_finding GROUP BY rank", NULL, 0, &st, err);

	*ret = (struct store_check_counts){ 0 };
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		uint64_t rank = db_u64(st, 0), n = db_u64(st, 1);

		if (rank >= 24 && rank - 24 < ARRAY_LEN(ret->open))
			ret->open[rank - 24] += n;
		else if (rank >= 16)
			ret->waived += n;
		else
			ret->mended += n;
	}
	if (r >= 0)
		r = db_number(&s->state, "SELECT count(*) FROM check_subject WHERE is_here = 1", NULL, 0, &subjects, err);
	if (r >= 0)
		r = db_number(&s->state, "SELECT count(DISTINCT agent) FROM check_subject WHERE is_here = 1", NULL, 0, &hosts,
			      err);
	ret->subjects = (uint64_t)subjects;
	ret->hosts = (uint64_t)hosts;
	return r < 0 ? r : 0;
}

int store_check_tops(struct store *s, uint64_t limit,
		     int (*fn)(void *arg, const char *check, const char *title, enum msg_severity severity, uint64_t count),
		     void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT g.check_id, coalesce((SELECT title FROM check_text t WHERE t.catalogue = g.catalogue AND"
			   " t.id = g.check_id), ''), g.severity, g.n FROM (SELECT check_id, max(catalogue) AS catalogue,"
			   " max(severity) AS severity, count(*) AS n FROM check_finding WHERE rank >= 24 GROUP BY check_id"
			   " ORDER BY max(severity) DESC, count(*) DESC, check_id LIMIT ?) g",
			   B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		r = fn(arg, db_text(st, 0), db_text(st, 1), (enum msg_severity)db_u64(st, 2), db_u64(st, 3));
		if (r < 0)
			return r;
	}
	return r;
}
