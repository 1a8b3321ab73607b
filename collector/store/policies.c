/* policies.c - versions of the access-control policy, and which of them each host has. */
#include <errno.h>

#include "collector/store/checks_priv.h"

int store_policy_add(struct store *s, const struct store_policy *p, int64_t *ret_id, struct err *err)
{
	int r = DB_RUN(&s->state, err, "INSERT INTO policy(digest, text, who, comment, created) VALUES (?,?,?,?,?)",
		       B_STR(p->digest), B_BLOB(p->text), B_STR(p->who), B_STR(p->comment), B_INT(clock_unix_ns(s->clk)));

	if (r >= 0)
		*ret_id = sqlite3_last_insert_rowid(s->state.h);
	return r;
}

int store_policy_get(struct store *s, int64_t id, struct arena *a, struct store_policy *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, digest, who, comment, created, text FROM policy WHERE ?1 = 0 OR id = ?1 ORDER BY id DESC"
			   " LIMIT 1",
			   B_INT(id));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r && !id)
		return err_set(err, ERR_NOT_FOUND, "there is no policy here: picketctl policy apply FILE");
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "no policy %lld", (long long)id);
	struct slice text = db_blob(st, 5);
	*ret = (struct store_policy){ .id = sqlite3_column_int64(st, 0),
				      .digest = arena_dup(a, slice_of(db_text(st, 1))),
				      .who = arena_dup(a, slice_of(db_text(st, 2))),
				      .comment = arena_dup(a, slice_of(db_text(st, 3))),
				      .text = { arena_dup(a, text), text.n },
				      .created_unix_ns = db_u64(st, 4) };
	return ret->digest && ret->who && ret->comment && ret->text.p ? 0 : err_set(err, ERR_LIMIT, "policy");
}

int store_policies_each(struct store *s, uint64_t limit, int (*fn)(void *arg, const struct store_policy *p), void *arg,
			struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT id, digest, who, comment, created FROM policy ORDER BY id DESC LIMIT ?",
			   B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_policy p = { .id = sqlite3_column_int64(st, 0),
						.digest = db_text(st, 1),
						.who = db_text(st, 2),
						.comment = db_text(st, 3),
						.created_unix_ns = db_u64(st, 4) };

		r = fn(arg, &p);
		if (r < 0)
			return r;
	}
	return r;
}

int store_policy_digest(struct store *s, char dst[65], struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state, "SELECT digest FROM policy ORDER BY id DESC LIMIT 1", NULL, 0, &st, err);

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	(void)slice_copy(slice_of(r ? db_text(st, 0) : ""), dst, 65);
	return 0;
}

/* ---- of one host ---- */

enum { FLAG_TOLD = 1, FLAG_ADMISSION = 2, FLAG_NETWORK = 4 };

int store_policy_state_get(struct store *s, const char *agent, struct arena *a, struct store_policy_state *ret,
			   struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	const char **texts[] = { &ret->digest, &ret->source, &ret->mode, &ret->error, &ret->sent };
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT policy_digest, policy_source, policy_mode, policy_error, policy_sent, policy_sent_at, policy_flags,"
			   " denied, would_deny, policy_alert FROM agent WHERE id = ?",
			   B_STR(agent));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "no agent '%.100s'", agent);
	uint64_t flags = db_u64(st, 6);
	*ret = (struct store_policy_state){ .is_told = flags & FLAG_TOLD,
					    .has_admission = flags & FLAG_ADMISSION,
					    .has_network = flags & FLAG_NETWORK,
					    .denied = db_u64(st, 7),
					    .would_deny = db_u64(st, 8),
					    .sent_unix_ns = db_u64(st, 5),
					    .alert = sqlite3_column_int64(st, 9) };
	for (int i = 0; i < (int)ARRAY_LEN(texts); i++) {
		*texts[i] = arena_dup(a, slice_of(db_text(st, i)));
		if (!*texts[i])
			return err_set(err, ERR_LIMIT, "policy of '%.100s'", agent);
	}
	return 0;
}

int store_policy_state_put(struct store *s, const char *agent, const Picket__PolicyState *p, struct err *err)
{
	unsigned flags = FLAG_TOLD | (p->has_admission ? FLAG_ADMISSION : 0u) | (p->has_network ? FLAG_NETWORK : 0u);

	/* The counters start again with the agent: kept are the sums over all its starts. */
	return DB_RUN(&s->state, err,
		      "UPDATE agent SET policy_digest = ?2, policy_source = ?3, policy_mode = ?4, policy_error = ?5,"
		      " policy_flags = ?6,"
		      " denied = min(denied + CASE WHEN ?7 >= denied_said THEN ?7 - denied_said ELSE ?7 END, 1 << 60),"
		      " denied_said = ?7,"
		      " would_deny = min(would_deny + CASE WHEN ?8 >= would_deny_said THEN ?8 - would_deny_said ELSE ?8 END, 1 << 60),"
		      " would_deny_said = ?8 WHERE id = ?1",
		      B_STR(agent), B_STR(p->digest), B_STR(p->source), B_STR(p->mode), B_STR(p->error), B_INT(flags),
		      B_INT(p->denied), B_INT(p->would_deny));
}

int store_policy_sent(struct store *s, const char *agent, const char *digest, struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE agent SET policy_sent = ?2, policy_sent_at = ?3 WHERE id = ?1", B_STR(agent),
		      B_STR(digest), B_INT(clock_unix_ns(s->clk)));
}

int store_policy_alert_set(struct store *s, const char *agent, int64_t alert, struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE agent SET policy_alert = ?2 WHERE id = ?1", B_STR(agent), B_INT(alert));
}
