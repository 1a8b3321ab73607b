/* silences.c - alerts that people do not want to be told of for a time. Those in force are kept in memory, parsed. */
#include <errno.h>
#include <inttypes.h>

#include "collector/store/alerts_priv.h"
#include "collector/store/store_quiet.h"

enum { ARENA_BYTES = 256 * 1024 };
static const uint64_t day_ns = 24ull * 3600 * 1000000000;

/* ---- matchers ---- */

struct store_matcher {
	struct arena *arena;
	struct filter filter;
};

int store_matcher_new(struct slice text, struct store_matcher **ret, struct err *err)
{
	CLEANUP(store_matcher_freep) struct store_matcher *m = calloc(1, sizeof(*m));
	bool is_positive = false;

	if (!m || !(m->arena = arena_new(ARENA_BYTES)))
		return err_set(err, ENOMEM, "matchers");
	int r = filter_parse(text, silence_keys, m->arena, &m->filter, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m->filter.count; i++)
		is_positive |= !m->filter.terms[i].is_negated && m->filter.terms[i].op != FILTER_NE;
	if (!is_positive)
		return err_set(err, ERR_SYNTAX, "at least one term must say what it is, not what it is not");
	*ret = take_ptr(m);
	return 0;
}

bool store_matcher_matches(const struct store_matcher *m, const struct store_alert *al, uint64_t now_unix_ns)
{
	return alerts_match(&m->filter, al, NULL, now_unix_ns);
}

void store_matcher_free(struct store_matcher *m)
{
	if (!m)
		return;
	arena_free(m->arena);
	free(m);
}

/* ---- those in force or to come, in memory ---- */

struct silences {
	struct silence {
		int64_t id;
		uint64_t begins, until;
		struct store_matcher *matcher;
		char reason[160];
	} *rows;
	size_t count;
};

void silences_stale(struct store *s)
{
	struct silences *all = s->silences;

	if (!all)
		return;
	for (size_t i = 0; i < all->count; i++)
		store_matcher_free(all->rows[i].matcher);
	free(all->rows);
	free(all);
	s->silences = NULL;
}

void silences_free(struct store *s)
{
	silences_stale(s);
}

static int read_one(struct silences *all, sqlite3_stmt *st, struct err *err)
{
	struct silence *x = &all->rows[all->count];
	int r = store_matcher_new(db_blob(st, 1), &x->matcher, err);

	/* Of a newer picket that knows more keys: it silences nothing here. */
	if (r < 0)
		return r == -ERR_SYNTAX ? 0 : r;
	x->id = sqlite3_column_int64(st, 0);
	x->begins = db_u64(st, 2);
	x->until = db_u64(st, 3);
	slice_copy(db_blob(st, 4), x->reason, sizeof(x->reason));
	all->count++;
	return 0;
}

static int load(struct store *s, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct silences *all = calloc(1, sizeof(*all));

	if (!all || !(all->rows = calloc(STORE_SILENCES_MAX, sizeof(*all->rows)))) {
		free(all);
		return err_set(err, ENOMEM, "silences");
	}
	s->silences = all;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, matchers, begins, until, reason FROM silence WHERE ended = 0 ORDER BY id LIMIT ?",
			   B_INT(STORE_SILENCES_MAX));
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0)
		r = read_one(all, st, err);
	if (r < 0)
		silences_stale(s);
	return r;
}

static const struct silence *find(struct store *s, const struct store_alert *al, sqlite3_stmt *st, uint64_t now)
{
	/* Without them nothing is silenced: better told than not. */
	if (!s->silences && load(s, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < s->silences->count; i++) {
		const struct silence *x = &s->silences->rows[i];

		if (x->begins <= now && now < x->until && alerts_match(&x->matcher->filter, al, st, now))
			return x;
	}
	return NULL;
}

int64_t silences_of(struct store *s, const struct store_alert *al, sqlite3_stmt *st, uint64_t now_unix_ns)
{
	const struct silence *x = find(s, al, st, now_unix_ns);

	return x ? x->id : 0;
}

int64_t store_silence_of(struct store *s, const struct store_alert *al, uint64_t *ret_until, char ret_reason[160])
{
	const struct silence *x = find(s, al, NULL, clock_unix_ns(s->clk));

	if (!x)
		return 0;
	*ret_until = x->until;
	memcpy(ret_reason, x->reason, sizeof(x->reason));
	return x->id;
}

/* ---- making and ending ---- */

static int check(struct store *s, const struct store_silence *x, struct err *err)
{
	CLEANUP(store_matcher_freep) struct store_matcher *m = NULL;
	uint64_t now = clock_unix_ns(s->clk);
	int64_t count;
	int r = store_matcher_new(slice_of(x->matchers), &m, err);

	if (r < 0)
		return r;
	if (x->until_unix_ns <= x->begins_unix_ns || x->until_unix_ns <= now || x->until_unix_ns > now + 366 * day_ns)
		return err_set(err, ERR_SYNTAX, "a silence ends after it begins, and within the next 366 days");
	r = db_number(&s->state, "SELECT count(*) FROM silence WHERE ended = 0", NULL, 0, &count, err);
	if (r >= 0 && count >= STORE_SILENCES_MAX)
		return err_set(err, ERR_LIMIT, "there are %d silences already: end some first", STORE_SILENCES_MAX);
	return r;
}

int store_silence_add(struct store *s, const struct store_silence *x, int64_t *ret_id, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int r = check(s, x, err);

	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "INSERT INTO silence(matchers, reason, who, created, begins, until) VALUES (?,?,?,?,?,?)",
			   B_STR(x->matchers), B_STR(x->reason), B_STR(x->who), B_INT(now),
			   B_INT(x->begins_unix_ns ? x->begins_unix_ns : now), B_INT(x->until_unix_ns));
	if (r < 0)
		return r;
	*ret_id = sqlite3_last_insert_rowid(s->state.h);
	silences_stale(s);
	return 0;
}

int store_silence_end(struct store *s, int64_t id, const char *who, struct err *err)
{
	int r = DB_RUN(&s->state, err, "UPDATE silence SET ended = ?2, ended_by = ?3 WHERE id = ?1 AND ended = 0", B_INT(id),
		       B_INT(clock_unix_ns(s->clk)), B_STR(who));

	if (r >= 0 && !sqlite3_changes(s->state.h))
		return err_set(err, ERR_NOT_FOUND, "no silence %" PRId64 " in force", id);
	silences_stale(s);
	return r;
}

static int expire(struct store *s, struct err *err)
{
	int64_t id;
	char subject[64];
	int r;

	while ((r = DB_NUMBER(&s->state, &id, err, "SELECT id FROM silence WHERE ended = 0 AND until <= ? LIMIT 1",
			      B_INT(clock_unix_ns(s->clk)))) >= 0 && id) {
		r = store_silence_end(s, id, "expired", err);
		snprintf(subject, sizeof(subject), "silence %" PRId64 " expired", id);
		if (r >= 0)
			r = store_audit_log(s, "picket", "silence.end", subject, err);
		if (r < 0)
			return r;
	}
	return r;
}

int store_silences_expire(struct store *s, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, expire(s, err), err);
}

int store_silences_each(struct store *s, bool is_ended, uint64_t limit,
			int (*fn)(void *arg, const struct store_silence *x), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, matchers, reason, who, created, begins, until, ended, ended_by, hits, last_hit"
			   " FROM silence WHERE ?1 OR ended = 0 ORDER BY id DESC LIMIT ?2",
			   B_INT(is_ended), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_silence x = { .id = sqlite3_column_int64(st, 0),
						 .matchers = db_text(st, 1),
						 .reason = db_text(st, 2),
						 .who = db_text(st, 3),
						 .created_unix_ns = db_u64(st, 4),
						 .begins_unix_ns = db_u64(st, 5),
						 .until_unix_ns = db_u64(st, 6),
						 .ended_unix_ns = db_u64(st, 7),
						 .ended_by = db_text(st, 8),
						 .hits = db_u64(st, 9),
						 .last_hit_unix_ns = db_u64(st, 10) };
		r = fn(arg, &x);
		if (r < 0)
			return r;
	}
	return r;
}
