/* agent_silences.c - when agents were not heard of: noted when they are heard of again. */
#include "collector/store/agent_silences.h"

#include <errno.h>

#include "collector/store/store_history.h"

enum { KEPT = 1000 };
static const char alive[] = "collector_alive_s"; /* a minute's resolution: in seconds */

static int note(struct store *s, const char *agent, uint64_t from, uint64_t to, struct err *err)
{
	int r = DB_RUN(&s->state, err, "INSERT INTO agent_silence(agent, since, until) VALUES (?,?,?)", B_STR(agent),
		       B_INT(from), B_INT(to));

	return r < 0 ? r :
		       DB_RUN(&s->state, err,
			      "DELETE FROM agent_silence WHERE agent = ?1 AND id <= (SELECT id FROM agent_silence"
			      " WHERE agent = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
			      B_STR(agent), B_INT(KEPT));
}

int silences_heard(struct store *s, const char *agent, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int64_t last = 0;
	int r = DB_NUMBER(&s->state, &last, err, "SELECT last_seen FROM agent WHERE id = ?", B_STR(agent));

	if (r < 0 || last <= 0 || (uint64_t)last + minute_ns > now)
		return r;
	return note(s, agent, (uint64_t)last, now, err);
}

int silences_alive(struct store *s, bool is_start, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int64_t last = 0;
	bool is_own;
	int r = DB_NUMBER(&s->state, &last, err, "SELECT value FROM number WHERE name = ?", B_STR(alive));

	if (r >= 0)
		r = store_own_begin(s, &is_own, err);
	if (r < 0)
		return r;
	uint64_t from = (uint64_t)last * 1000000000;
	if (is_start && last > 0 && from + 2 * minute_ns < now)
		r = note(s, "", from, now, err);
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "INSERT INTO number(name, value) VALUES (?1,?2) ON CONFLICT(name) DO UPDATE SET value = ?2",
			   B_STR(alive), B_INT(now / 1000000000));
	return store_own_end(s, is_own, r, err);
}

static int each_row(struct store *s, sqlite3_stmt *st, uint64_t since, uint64_t until,
		    int (*fn)(void *arg, const struct store_agent_silence *x), void *arg, struct err *err)
{
	int r;

	while ((r = db_step(&s->state, st, err)) > 0) {
		const struct agent_brief *a = agents_find(s, db_text(st, 0));
		const struct store_agent_silence x = { .agent = db_text(st, 0),
						 .host = a ? a->host : "",
						 .from_unix_ns = db_u64(st, 1),
						 .to_unix_ns = db_u64(st, 2) };

		if ((x.to_unix_ns && x.to_unix_ns < since) || (until && x.from_unix_ns > until))
			continue;
		r = fn(arg, &x);
		if (r < 0)
			return r;
	}
	return r;
}

int store_agent_silences_each(struct store *s, const char *id_or_host, uint64_t since, uint64_t until,
			int (*fn)(void *arg, const struct store_agent_silence *x), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *still = NULL, *over = NULL;
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	uint64_t now = clock_unix_ns(s->clk);
	struct store_agent agent = { .id = "" };

	if (!a)
		return err_set(err, ENOMEM, "silences");
	int r = agents_refresh(s, err);
	if (r >= 0 && id_or_host)
		r = store_agent_get(s, id_or_host, &agent, a, err);
	if (r >= 0)
		r = DB_PREPARE(&s->state, &still, err,
			       "SELECT id, last_seen, 0 FROM agent WHERE is_revoked = 0 AND last_seen > 0 AND last_seen < ?"
			       " AND (? = '' OR id = ?) ORDER BY last_seen",
			       B_INT(now > minute_ns ? now - minute_ns : 0), B_STR(agent.id), B_STR(agent.id));
	if (r >= 0)
		r = each_row(s, still, since, until, fn, arg, err);
	if (r >= 0)
		r = DB_PREPARE(&s->state, &over, err,
			       "SELECT agent, since, until FROM agent_silence WHERE ?1 = '' OR agent = ?1 OR agent = ''"
			       " ORDER BY until DESC, id DESC",
			       B_STR(agent.id));
	return r < 0 ? r : each_row(s, over, since, until, fn, arg, err);
}
