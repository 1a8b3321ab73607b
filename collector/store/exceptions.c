/* exceptions.c - findings that people know, by rule and conditions. Those in force are kept in memory, parsed. */
#include <errno.h>
#include <inttypes.h>

#include "collector/store/alerts_priv.h"
#include "collector/store/store_exceptions.h"
#include "collector/store/store_quiet.h"

enum { RULE_BYTES = 512, ARENA_BYTES = 64 * 1024 };
static const uint64_t day_ns = 24ull * 3600 * 1000000000;

struct exceptions {
	struct exception {
		int64_t id;
		uint64_t rule_hash, until; /* 0 = for ever */
		struct store_matcher *matcher;
	} *rows;
	size_t count;
};

void exceptions_stale(struct store *s)
{
	struct exceptions *all = s->exceptions;

	for (size_t i = 0; all && i < all->count; i++)
		store_matcher_free(all->rows[i].matcher);
	if (all)
		free(all->rows);
	free(all);
	s->exceptions = NULL;
}

static int read_one(struct exceptions *all, sqlite3_stmt *st, struct err *err)
{
	struct exception *x = &all->rows[all->count];
	int r = store_matcher_new(db_blob(st, 2), &x->matcher, err);

	/* Of a newer picket that knows more keys: no exception here, and the alert is made. */
	if (r < 0)
		return r == -ERR_SYNTAX ? 0 : r;
	x->id = sqlite3_column_int64(st, 0);
	x->rule_hash = slice_hash(db_blob(st, 1));
	x->until = db_u64(st, 3);
	all->count++;
	return 0;
}

static int load(struct store *s, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct exceptions *all = calloc(1, sizeof(*all));

	if (!all || !(all->rows = calloc(STORE_EXCEPTIONS_MAX, sizeof(*all->rows)))) {
		free(all);
		return err_set(err, ENOMEM, "exceptions");
	}
	s->exceptions = all;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, rule, conditions, until FROM exception WHERE ended = 0 ORDER BY id LIMIT ?",
			   B_INT(STORE_EXCEPTIONS_MAX));
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0)
		r = read_one(all, st, err);
	if (r < 0)
		exceptions_stale(s);
	return r;
}

static bool is_in_force(const struct exception *x, uint64_t rule_hash, uint64_t now)
{
	return x->rule_hash == rule_hash && (!x->until || now < x->until);
}

bool store_exceptions_has(struct store *s, const char *rule)
{
	uint64_t now = clock_unix_ns(s->clk), hash = slice_hash(slice_of(rule));

	if (!s->exceptions && load(s, NULL) < 0)
		return false;
	for (size_t i = 0; i < s->exceptions->count; i++)
		if (is_in_force(&s->exceptions->rows[i], hash, now))
			return true;
	return false;
}

int64_t store_exception_of(struct store *s, const struct store_alert *al)
{
	uint64_t now = clock_unix_ns(s->clk), hash = slice_hash(slice_of(al->rule));

	if (!s->exceptions && load(s, NULL) < 0)
		return 0;
	for (size_t i = 0; i < s->exceptions->count; i++) {
		const struct exception *x = &s->exceptions->rows[i];

		if (is_in_force(x, hash, now) && store_matcher_matches(x->matcher, al, now))
			return x->id;
	}
	return 0;
}

int store_exception_hit(struct store *s, int64_t id, uint64_t count, struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE exception SET hits = min(hits + ?2, 9007199254740992), last_hit = ?3 WHERE id = ?1",
		      B_INT(id), B_INT(count < 1u << 31 ? count : 1u << 31), B_INT(clock_unix_ns(s->clk)));
}

/* ---- making and ending ---- */

/* The whole name of the rule that the conditions are of. */
static int read_rule(const char *conditions, char rule[RULE_BYTES], struct err *err)
{
	CLEANUP(store_matcher_freep) struct store_matcher *m = NULL;
	CLEANUP(arena_freep) struct arena *a = arena_new(ARENA_BYTES);
	struct filter f;
	int r = store_matcher_new(slice_of(conditions), &m, err);

	if (r >= 0)
		r = a ? filter_parse(slice_of(conditions), silence_keys, a, &f, err) : err_set(err, ENOMEM, "exception");
	if (r < 0)
		return r;
	for (size_t i = 0; i < f.count; i++) {
		const struct filter_term *t = &f.terms[i];

		if (t->key && !strcmp(t->key, "rule") && t->op == FILTER_EQ && !t->is_negated &&
		    slice_copy(slice_of(t->value), rule, RULE_BYTES) && rule[0])
			return 0;
	}
	return err_set(err, ERR_SYNTAX, "an exception is of one rule: rule=\"its whole name\"");
}

int store_exception_add(struct store *s, const struct store_exception *x, int64_t *ret_id, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	char rule[RULE_BYTES];
	int64_t count;
	int r = read_rule(x->conditions, rule, err);

	if (r >= 0 && x->until_unix_ns && (x->until_unix_ns <= now || x->until_unix_ns > now + 3660 * day_ns))
		r = err_set(err, ERR_SYNTAX, "an exception ends in the future, or never");
	if (r >= 0)
		r = db_number(&s->state, "SELECT count(*) FROM exception WHERE ended = 0", NULL, 0, &count, err);
	if (r >= 0 && count >= STORE_EXCEPTIONS_MAX)
		r = err_set(err, ERR_LIMIT, "there are %d exceptions already: end some first", STORE_EXCEPTIONS_MAX);
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "INSERT INTO exception(rule, conditions, alert, reason, who, created, until) VALUES (?,?,?,?,?,?,?)",
			   B_STR(rule), B_STR(x->conditions), B_INT(x->alert), B_STR(x->reason), B_STR(x->who), B_INT(now),
			   B_INT(x->until_unix_ns));
	if (r < 0)
		return r;
	*ret_id = sqlite3_last_insert_rowid(s->state.h);
	exceptions_stale(s);
	return 0;
}

int store_exception_end(struct store *s, int64_t id, const char *who, struct err *err)
{
	int r = DB_RUN(&s->state, err, "UPDATE exception SET ended = ?2, ended_by = ?3 WHERE id = ?1 AND ended = 0", B_INT(id),
		       B_INT(clock_unix_ns(s->clk)), B_STR(who));

	if (r >= 0 && !sqlite3_changes(s->state.h))
		return err_set(err, ERR_NOT_FOUND, "no exception %" PRId64 " in force", id);
	exceptions_stale(s);
	return r;
}

static int expire(struct store *s, struct err *err)
{
	int64_t id;
	char subject[64];
	int r;

	while ((r = DB_NUMBER(&s->state, &id, err, "SELECT id FROM exception WHERE ended = 0 AND until > 0 AND until <= ? LIMIT 1",
			      B_INT(clock_unix_ns(s->clk)))) >= 0 && id) {
		r = store_exception_end(s, id, "expired", err);
		snprintf(subject, sizeof(subject), "exception %" PRId64 " expired", id);
		if (r >= 0)
			r = store_audit_log(s, "picket", "exception.end", subject, err);
		if (r < 0)
			return r;
	}
	return r;
}

int store_exceptions_expire(struct store *s, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, expire(s, err), err);
}

int store_exceptions_each(struct store *s, bool is_ended, uint64_t limit,
			  int (*fn)(void *arg, const struct store_exception *x), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, rule, conditions, alert, reason, who, created, until, ended, ended_by, hits, last_hit"
			   " FROM exception WHERE ?1 OR ended = 0 ORDER BY id DESC LIMIT ?2",
			   B_INT(is_ended), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_exception x = { .id = sqlite3_column_int64(st, 0),
						   .rule = db_text(st, 1),
						   .conditions = db_text(st, 2),
						   .alert = sqlite3_column_int64(st, 3),
						   .reason = db_text(st, 4),
						   .who = db_text(st, 5),
						   .created_unix_ns = db_u64(st, 6),
						   .until_unix_ns = db_u64(st, 7),
						   .ended_unix_ns = db_u64(st, 8),
						   .ended_by = db_text(st, 9),
						   .hits = db_u64(st, 10),
						   .last_hit_unix_ns = db_u64(st, 11) };
		r = fn(arg, &x);
		if (r < 0)
			return r;
	}
	return r;
}
