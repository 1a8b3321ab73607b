/* audit.c - who changed what: people through the API and the command line, agents by their responses. */
#include "collector/store/audit_chain.h"
#include "collector/store/paging.h"

enum { FILTER_ARENA_BYTES = 256 * 1024, BUDGET_EVERY = 256 };
/* The newest that are kept, of people and of agents. */
enum { PEOPLE_MAX = 1000000, AGENTS_MAX = 100000 };

static const char *const audit_keys[] = { "who", "what", "subject", "text", "time", "since", "until", NULL };

static int add_row(struct store *s, const struct store_audit *row, bool is_agent, struct err *err)
{
	struct audit_chain c;
	int64_t id = 0;
	int r = audit_chain_read(s, is_agent, &c, err);

	if (r >= 0)
		r = db_number(&s->state, "SELECT coalesce(max(id), 0) + 1 FROM audit_log", NULL, 0, &id, err);
	if (r < 0)
		return r;
	/* a number is never used again, and so the last row can't be replaced unseen */
	if (id <= c.last)
		id = c.last + 1;
	struct store_audit numbered = *row;
	numbered.id = id;
	audit_chain_add(s, &c, &numbered, is_agent);
	r = DB_RUN(&s->state, err,
		   "INSERT INTO audit_log(id, at, who, what, subject, is_agent, chain) VALUES (?,?,?,?,?,?,?)",
		   B_INT(id), B_INT(row->time_unix_ns), B_STR(row->who), B_STR(row->what), B_STR(row->subject),
		   B_INT(is_agent), B_BLOB(slice_from(c.value.hash, CHAIN_BYTES)));
	return r < 0 ? r : audit_chain_write(s, is_agent, &c, err);
}

static int add(struct store *s, bool is_agent, const char *who, const char *what, const char *subject,
	       struct err *err)
{
	const struct store_audit row = { .time_unix_ns = clock_unix_ns(s->clk),
					 .who = who ? who : "",
					 .what = what ? what : "",
					 .subject = subject ? subject : "" };
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, add_row(s, &row, is_agent, err), err);
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

static int prune_kind(struct store *s, bool is_agent, int64_t most, struct err *err)
{
	int64_t last = 0;
	int r = DB_NUMBER(&s->state, &last, err,
			  "SELECT id FROM audit_log WHERE is_agent = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
			  B_INT(is_agent), B_INT(most));

	if (r < 0 || !last)
		return r;
	bool is_own;
	r = store_own_begin(s, &is_own, err);
	if (r < 0)
		return r;
	r = audit_chain_rebase(s, is_agent, last, err);
	if (r >= 0)
		r = DB_RUN(&s->state, err, "DELETE FROM audit_log WHERE is_agent = ? AND id <= ?", B_INT(is_agent),
			   B_INT(last));
	return store_own_end(s, is_own, r, err);
}

int audit_prune(struct store *s, struct err *err)
{
	int r = prune_kind(s, false, PEOPLE_MAX, err);

	return r < 0 ? r : prune_kind(s, true, AGENTS_MAX, err);
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
