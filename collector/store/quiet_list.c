/* quiet_list.c - see store_quiet_list.h. */
#include "collector/store/store_quiet_list.h"

#include "collector/store/store_priv.h"
#include "collector/store/store_quiet.h"

enum { SLICE_IDS = 2000 };

int store_inhibited_each(struct store *s, uint64_t limit, int (*fn)(void *arg, const struct store_inhibited *x), void *arg,
			 struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT a.id, b.id, a.title, a.rule, a.host, b.title, b.rule, b.host, a.severity, h.at FROM alert_held h"
			   " JOIN alert a ON a.id = h.alert JOIN alert b ON b.id = h.holder"
			   " WHERE h.kind = ? AND h.is_due = 0 AND a.status <> 'resolved' ORDER BY h.alert DESC LIMIT ?",
			   B_INT(HOLD_INHIBITION), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_inhibited x = { .alert = sqlite3_column_int64(st, 0),
						   .by = sqlite3_column_int64(st, 1),
						   .title = db_text(st, 2),
						   .rule = db_text(st, 3),
						   .host = db_text(st, 4),
						   .by_title = db_text(st, 5),
						   .by_rule = db_text(st, 6),
						   .by_host = db_text(st, 7),
						   .severity = (enum msg_severity)db_u64(st, 8),
						   .since_unix_ns = db_u64(st, 9) };
		r = fn(arg, &x);
		if (r < 0)
			return r;
	}
	return r;
}

int store_escalating_each(struct store *s, uint64_t limit, int (*fn)(void *arg, const struct store_escalating *x), void *arg,
			  struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT e.alert, e.policy, a.title, a.rule, a.host, a.severity, e.due, e.done FROM escalation e"
			   " JOIN alert a ON a.id = e.alert WHERE a.status = 'new' ORDER BY e.due, e.alert, e.policy LIMIT ?",
			   B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_escalating x = { .alert = sqlite3_column_int64(st, 0),
						    .policy = db_text(st, 1),
						    .title = db_text(st, 2),
						    .rule = db_text(st, 3),
						    .host = db_text(st, 4),
						    .severity = (enum msg_severity)db_u64(st, 5),
						    .due_unix_ns = db_u64(st, 6),
						    .done = db_u64(st, 7) };
		r = fn(arg, &x);
		if (r < 0)
			return r;
	}
	return r;
}

int store_quiet_counts(struct store *s, struct store_quiet_counts *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT (SELECT count(*) FROM silence WHERE ended = 0 AND begins <= ?1 AND until > ?1),"
			   " (SELECT count(*) FROM silence WHERE ended = 0 AND begins > ?1),"
			   " (SELECT ifnull(sum(hits), 0) FROM silence WHERE ended = 0 AND begins <= ?1 AND until > ?1),"
			   " (SELECT count(*) FROM exception WHERE ended = 0 AND (until = 0 OR until > ?1)),"
			   " (SELECT ifnull(sum(hits), 0) FROM exception WHERE ended = 0 AND (until = 0 OR until > ?1)),"
			   " (SELECT count(*) FROM alert_held h JOIN alert a ON a.id = h.alert WHERE h.kind = ?2 AND is_due = 0"
			   " AND a.status <> 'resolved'),"
			   " (SELECT count(*) FROM alert_held h JOIN alert a ON a.id = h.alert WHERE h.kind = ?3 AND is_due = 0"
			   " AND a.status <> 'resolved'),"
			   " (SELECT count(*) FROM escalation)",
			   B_INT(clock_unix_ns(s->clk)), B_INT(HOLD_SILENCE), B_INT(HOLD_INHIBITION));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	*ret = (struct store_quiet_counts){ db_u64(st, 0), db_u64(st, 1), db_u64(st, 2), db_u64(st, 3),
					    db_u64(st, 4), db_u64(st, 5), db_u64(st, 6), db_u64(st, 7) };
	return 0;
}

/* ---- policies that are new to alerts that are there ---- */

static int take_over(struct store *s, const struct store_policy_key *keys, size_t count, struct err *err)
{
	int r = db_run(&s->state, "UPDATE escalation_policy SET is_gone = 1", NULL, 0, err);

	for (size_t i = 0; i < count && r >= 0; i++)
		r = DB_RUN(&s->state, err,
			   "INSERT INTO escalation_policy(policy, hash, at, is_gone)"
			   " VALUES (?1, ?2, (SELECT ifnull(max(id), 0) + 1 FROM alert), 0) ON CONFLICT(policy) DO UPDATE SET"
			   " is_gone = 0, at = CASE WHEN hash = excluded.hash THEN at ELSE excluded.at END, hash = excluded.hash",
			   B_STR(keys[i].name), B_INT(keys[i].hash >> 1));
	return r < 0 ? r : db_run(&s->state, "DELETE FROM escalation_policy WHERE is_gone = 1", NULL, 0, err);
}

int store_escalation_policies(struct store *s, const struct store_policy_key *keys, size_t count, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, take_over(s, keys, count, err), err);
}

int store_escalation_before(struct store *s, const char *policy, int64_t *ret, bool *ret_done, struct err *err)
{
	int64_t at = 0, id = 0;
	int r = DB_NUMBER(&s->state, &at, err, "SELECT at FROM escalation_policy WHERE policy = ?", B_STR(policy));

	*ret_done = !at;
	if (r < 0 || !at)
		return r < 0 ? r : 0;
	int64_t last = at > SLICE_IDS ? at - SLICE_IDS : 0;
	r = DB_NUMBER(&s->state, &id, err, "SELECT id FROM alert WHERE id < ? AND id >= ? AND status = 'new' ORDER BY id DESC LIMIT 1",
		      B_INT(at), B_INT(last));
	if (r >= 0)
		r = DB_RUN(&s->state, err, "UPDATE escalation_policy SET at = ?2 WHERE policy = ?1", B_STR(policy),
			   B_INT(id ? id : last));
	*ret = id;
	return r < 0 ? r : id != 0;
}
