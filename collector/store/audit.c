/* audit.c - who changed what: people through the API and the command line, agents by their responses. */
#include <errno.h>

#include "collector/store/store_priv.h"

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

static int read_cursor(const char *cursor, uint64_t *ret, struct err *err)
{
	struct slice rest = slice_of(cursor);

	if (slice_starts(rest, SLICE_LIT("l")) && slice_to_u64(slice_sub(rest, 1, rest.n), ret) &&
	    *ret <= INT64_MAX)
		return 0;
	return err_set(err, ERR_SYNTAX, "the cursor is not one of ours");
}

struct run {
	const struct store_query *q;
	const struct filter *filter;
	uint64_t now, since, until, deadline_boot_ns;
	int (*fn)(void *arg, const struct store_audit *row);
	void *arg;
};

/* 1 when there may be more after *last. */
static int give_rows(struct store *s, sqlite3_stmt *st, const struct run *run, int64_t *last, struct err *err)
{
	uint64_t given = 0, looked_at = 0;
	int r;

	while ((r = db_step(&s->state, st, err)) > 0) {
		const struct store_audit row = { .id = sqlite3_column_int64(st, 0),
						 .time_unix_ns = db_u64(st, 1),
						 .who = db_text(st, 2),
						 .what = db_text(st, 3),
						 .subject = db_text(st, 4) };

		*last = row.id;
		if (row.time_unix_ns >= run->since && (!run->until || row.time_unix_ns <= run->until) &&
		    match_row(run->filter, &row, run->now)) {
			r = run->fn(run->arg, &row);
			if (r < 0)
				return r;
			given++;
		}
		if (given == run->q->limit)
			return 1;
		if (++looked_at % BUDGET_EVERY == 0 && clock_boot_ns(s->clk) > run->deadline_boot_ns)
			return 1;
	}
	return r;
}

int store_audit_query(struct store *s, const struct store_query *q,
		      int (*fn)(void *arg, const struct store_audit *row), void *arg, char *ret_cursor,
		      size_t cursor_size, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(FILTER_ARENA_BYTES);
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint64_t from = q->oldest_first ? 0 : INT64_MAX, begun = clock_boot_ns(s->clk);
	int64_t last = 0;
	struct filter f;

	if (!a)
		return err_set(err, ENOMEM, "audit query");
	if (!q->limit || q->limit > QUERY_LIMIT_MAX)
		return err_set(err, ERR_LIMIT, "the limit must be 1 to %d", QUERY_LIMIT_MAX);
	int r = filter_parse(q->filter, audit_keys, a, &f, err);
	if (r >= 0 && q->cursor && q->cursor[0])
		r = read_cursor(q->cursor, &from, err);
	if (r < 0)
		return r;
	struct run run = { q, &f, clock_unix_ns(s->clk), q->since_unix_ns, q->until_unix_ns, 0, fn, arg };
	filter_window(&f, run.now, &run.since, &run.until);
	r = DB_PREPARE(&s->state, &st, err,
		       q->oldest_first ? "SELECT id, at, who, what, subject FROM audit_log WHERE id > ? ORDER BY id" :
					 "SELECT id, at, who, what, subject FROM audit_log WHERE id < ?"
					 " ORDER BY id DESC",
		       B_INT(from));
	if (r < 0)
		return r;
	run.deadline_boot_ns = store_query_begin(s);
	r = give_rows(s, st, &run, &last, err);
	store_query_end(s, begun);
	if (r < 0)
		return r;
	snprintf(ret_cursor, cursor_size, r ? "l%lld" : "", (long long)last);
	return 0;
}
