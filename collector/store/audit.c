/* audit.c - who changed what: people through the API and the command line, agents by their responses. */
#include "collector/store/paging.h"

enum { FILTER_ARENA_BYTES = 256 * 1024, BUDGET_EVERY = 256 };
/* The newest that are kept, of people and of agents. */
enum { PEOPLE_MAX = 1000000, AGENTS_MAX = 100000 };

static const char *const audit_keys[] = { "who", "what", "subject", "text", "time", "since", "until", NULL };

static int add(struct store *s, bool is_agent, const char *who, const char *what, const char *subject,
	       struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO audit_log(at, who, what, subject, is_agent) VALUES (?,?,?,?,?)",
		      B_INT(clock_unix_ns(s->clk)), B_STR(who), B_STR(what), B_STR(subject),
		      B_INT(is_agent));
}

int store_audit_log(struct store *s, const char *who, const char *what, const char *subject,
		    struct err *err)
{
	return add(s, false, who, what, subject, err);
}

int store_audit_log_agent(struct store *s, const char *who, const char *what, const char *subject,
			  struct err *err)
{
	return add(s, true, who, what, subject, err);
}

int audit_prune(struct store *s, struct err *err)
{
	static const int64_t most[] = { PEOPLE_MAX, AGENTS_MAX };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(most) && r >= 0; i++)
		r = DB_RUN(&s->state, err,
			   "DELETE FROM audit_log WHERE is_agent = ?1 AND id <="
			   " (SELECT id FROM audit_log WHERE is_agent = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
			   B_INT(i), B_INT(most[i]));
	return r;
}

static bool match_term(const struct filter_term *t, const struct store_audit *row, uint64_t now)
{
	const struct slice texts[] = { slice_of(row->who), slice_of(row->what), slice_of(row->subject) };
	bool is_met = false;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (t->key && !strcmp(t->key, audit_keys[i]))
			return filter_match_text(t, texts[i]);
		is_met |= filter_contains(texts[i], slice_of(t->value));
	}
	if (!t->key || !strcmp(t->key, "text"))
		return is_met != t->is_negated;
	return filter_match_time(t, now, row->time_unix_ns);
}

static bool match_row(const struct filter *f, const struct store_audit *row, uint64_t now)
{
	for (size_t i = 0; i < f->count; i++)
		if (!match_term(&f->terms[i], row, now))
			return false;
	return true;
}

struct run {
	const struct filter *filter;
	uint64_t now, since, until;
	int (*fn)(void *arg, const struct store_audit *row);
	void *arg;
	int64_t id; /* the row we are at */
};

static int give_row(struct store *s, sqlite3_stmt *st, void *arg, struct err *err)
{
	const struct store_audit row = { .id = sqlite3_column_int64(st, 0),
					 .time_unix_ns = db_u64(st, 1),
					 .who = db_text(st, 2),
					 .what = db_text(st, 3),
					 .subject = db_text(st, 4) };
	struct run *run = arg;

	run->id = row.id;
	if (row.time_unix_ns < run->since || (run->until && row.time_unix_ns > run->until) ||
	    !match_row(run->filter, &row, run->now))
		return 0;
	int r = run->fn(run->arg, &row);
	return r < 0 ? r : 1;
}

int store_audit_query(struct store *s, const struct store_query *q,
		      int (*fn)(void *arg, const struct store_audit *row), void *arg, char *ret_cursor,
		      size_t cursor_size, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(FILTER_ARENA_BYTES);
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int64_t from = q->oldest_first ? 0 : INT64_MAX;
	struct filter f;

	int r = paging_filter(q, audit_keys, a, &f, err);
	if (r >= 0)
		r = paging_cursor(q, 'l', &from, 1, err);
	if (r < 0)
		return r;
	struct run run = { &f, clock_unix_ns(s->clk), q->since_unix_ns, q->until_unix_ns, fn, arg, 0 };
	filter_window(&f, run.now, &run.since, &run.until);
	r = DB_PREPARE(&s->state, &st, err,
		       q->oldest_first ? "SELECT id, at, who, what, subject FROM audit_log WHERE id > ? ORDER BY id" :
					 "SELECT id, at, who, what, subject FROM audit_log WHERE id < ?"
					 " ORDER BY id DESC",
		       B_INT(from));
	if (r < 0)
		return r;
	const struct paging p = { q->limit, BUDGET_EVERY, give_row, &run };
	r = paging_run(s, st, &p, err);
	if (r < 0)
		return r;
	snprintf(ret_cursor, cursor_size, r ? "l%lld" : "", (long long)run.id);
	return 0;
}
