/* escalations.c - alerts that nobody acknowledged yet, and when who is told next. */
#include <inttypes.h>

#include "collector/store/store_priv.h"
#include "collector/store/store_triage.h"

int store_escalation_begin(struct store *s, int64_t alert, const char *policy, uint64_t due_unix_ns, struct err *err)
{
	return DB_RUN(&s->state, err, "INSERT OR IGNORE INTO escalation(alert, policy, due) VALUES (?,?,?)", B_INT(alert),
		      B_STR(policy), B_INT(due_unix_ns));
}

int store_escalation_next(struct store *s, int64_t alert, const char *policy, uint64_t due_unix_ns, uint64_t done,
			  struct err *err)
{
	if (!due_unix_ns)
		return DB_RUN(&s->state, err, "DELETE FROM escalation WHERE alert = ? AND policy = ?", B_INT(alert),
			      B_STR(policy));
	return DB_RUN(&s->state, err, "UPDATE escalation SET due = ?3, done = ?4 WHERE alert = ?1 AND policy = ?2",
		      B_INT(alert), B_STR(policy), B_INT(due_unix_ns), B_INT(done));
}

int store_escalation_at_most(struct store *s, uint64_t most_unix_ns, struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE escalation SET due = ?1 WHERE due > ?1", B_INT(most_unix_ns));
}

int store_escalation_due(struct store *s, uint64_t now_unix_ns, struct store_escalation *ret, char policy[64],
			 struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT alert, policy, due, done FROM escalation WHERE due <= ? ORDER BY due LIMIT 1",
			   B_INT(now_unix_ns));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	if (!slice_copy(db_blob(st, 1), policy, 64))
		return err_set(err, ERR_CORRUPT, "escalation of alert %" PRId64, (int64_t)sqlite3_column_int64(st, 0));
	*ret = (struct store_escalation){ .alert = sqlite3_column_int64(st, 0),
					  .policy = policy,
					  .due_unix_ns = db_u64(st, 2),
					  .done = db_u64(st, 3) };
	return 1;
}
