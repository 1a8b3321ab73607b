/* held.c - alerts that were made but not told, by what holds them back; told when that is over. */
#include <inttypes.h>

#include "collector/store/store_priv.h"
#include "collector/store/store_quiet.h"
#include "collector/store/store_triage.h"

static int hold(struct store *s, int64_t alert, struct store_held by, const char *why, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int64_t same;
	int r = DB_NUMBER(&s->state, &same, err, "SELECT count(*) FROM alert_held WHERE alert = ? AND kind = ? AND holder = ?",
			  B_INT(alert), B_INT(by.kind), B_INT(by.holder));

	if (r < 0 || same)
		return r;
	r = DB_RUN(&s->state, err, "INSERT OR REPLACE INTO alert_held(alert, kind, holder, at) VALUES (?,?,?,?)", B_INT(alert),
		   B_INT(by.kind), B_INT(by.holder), B_INT(now));
	if (r >= 0)
		r = DB_RUN(&s->state, err, "INSERT OR IGNORE INTO alert_holder(kind, holder) VALUES (?,?)", B_INT(by.kind),
			   B_INT(by.holder));
	if (r >= 0 && by.kind == HOLD_SILENCE)
		r = DB_RUN(&s->state, err, "UPDATE silence SET hits = hits + 1, last_hit = ?2 WHERE id = ?1", B_INT(by.holder),
			   B_INT(now));
	if (r < 0)
		return r;
	return store_trail_add(s, alert, TRAIL_SYSTEM, by.kind == HOLD_SILENCE ? "silenced" : "inhibited", why, err);
}

int store_alert_hold(struct store *s, int64_t alert, struct store_held by, const char *why, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, hold(s, alert, by, why, err), err);
}

int store_alert_unhold(struct store *s, int64_t alert, struct err *err)
{
	return DB_RUN(&s->state, err, "DELETE FROM alert_held WHERE alert = ?", B_INT(alert));
}

int store_holder_over(struct store *s, struct store_held *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT h.kind, h.holder FROM alert_holder h LEFT JOIN silence s ON h.kind = ?1 AND s.id = h.holder"
			   " LEFT JOIN alert a ON h.kind = ?2 AND a.id = h.holder"
			   " WHERE (h.kind = ?1 AND (s.id IS NULL OR s.ended > 0))"
			   " OR (h.kind = ?2 AND (a.id IS NULL OR a.status = 'resolved')) LIMIT 1",
			   B_INT(HOLD_SILENCE), B_INT(HOLD_INHIBITION));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r > 0)
		*ret = (struct store_held){ .kind = (enum store_hold)db_u64(st, 0), .holder = sqlite3_column_int64(st, 1) };
	return r;
}

int store_held_ids(struct store *s, struct store_held by, size_t max, int64_t *ret_ids, size_t *ret_count, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT alert FROM alert_held WHERE kind = ? AND holder = ? AND is_due = 0 LIMIT ?", B_INT(by.kind),
			   B_INT(by.holder), B_INT(max));

	*ret_count = 0;
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0)
		ret_ids[(*ret_count)++] = sqlite3_column_int64(st, 0);
	return r;
}

int store_held_due(struct store *s, int64_t alert, struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE alert_held SET is_due = 1 WHERE alert = ?", B_INT(alert));
}

int store_held_rules(struct store *s, struct store_held by, size_t max,
		     int (*fn)(void *arg, const struct store_held_rule *x), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT a.rule, count(*), max(a.severity), max(a.id) FROM alert_held h JOIN alert a ON a.id = h.alert"
			   " WHERE h.kind = ? AND h.holder = ? AND h.is_due = 1 GROUP BY a.rule"
			   " ORDER BY a.rule LIMIT ?",
			   B_INT(by.kind), B_INT(by.holder), B_INT(max));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_held_rule x = { .rule = db_text(st, 0),
						   .count = db_u64(st, 1),
						   .severity = (enum msg_severity)db_u64(st, 2),
						   .alert = sqlite3_column_int64(st, 3) };
		r = fn(arg, &x);
		if (r < 0)
			return r;
	}
	return r;
}

int store_held_told(struct store *s, struct store_held by, const char *last_rule, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "DELETE FROM alert_held WHERE kind = ?1 AND holder = ?2 AND is_due = 1"
		      " AND ifnull((SELECT a.rule FROM alert a WHERE a.id = alert_held.alert), '') <= ?3",
		      B_INT(by.kind), B_INT(by.holder), B_STR(last_rule));
}

int store_holder_done(struct store *s, struct store_held by, struct err *err)
{
	int r = DB_RUN(&s->state, err, "DELETE FROM alert_held WHERE kind = ? AND holder = ?", B_INT(by.kind), B_INT(by.holder));

	if (r < 0)
		return r;
	return DB_RUN(&s->state, err, "DELETE FROM alert_holder WHERE kind = ? AND holder = ?", B_INT(by.kind),
		      B_INT(by.holder));
}
