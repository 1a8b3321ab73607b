/* notify_groups.c - groups of alerts that are told together, and what is pending in them. */
#include "collector/store/store_notify.h"
#include "collector/store/store_priv.h"

bool store_notify_may_begin(const struct store *s)
{
	return !store_in_tx(s);
}

/* ---- news ---- */

/* *ret_due: when it is due now, 0: not. */
static int find_group(struct store *s, const struct store_news *n, int64_t *ret_id, uint64_t *ret_due, uint64_t *ret_sent,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, due, sent FROM notify_group WHERE route = ? AND receiver = ? AND key = ?",
			   B_STR(n->route), B_STR(n->receiver), B_STR(n->key));

	*ret_id = 0;
	*ret_due = *ret_sent = 0;
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r > 0) {
		*ret_id = sqlite3_column_int64(st, 0);
		*ret_due = db_u64(st, 1);
		*ret_sent = db_u64(st, 2);
	}
	return r < 0 ? r : 0;
}

static int put(struct store *s, const struct store_news *n, uint64_t *ret_due, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk), due, sent;
	int64_t id;
	int r = find_group(s, n, &id, &due, &sent, err);

	if (r < 0)
		return r;
	if (!id) {
		due = now + n->wait_ns;
		r = DB_RUN(&s->state, err,
			   "INSERT INTO notify_group(route, receiver, key, label, created, due) VALUES (?,?,?,?,?,?)",
			   B_STR(n->route), B_STR(n->receiver), B_STR(n->key), B_STR(n->label), B_INT(now), B_INT(due));
		id = sqlite3_last_insert_rowid(s->state.h);
	} else if (!due) {
		/* later than now: a clock that was set back since */
		due = sent && sent <= now && sent + n->interval_ns > now ? sent + n->interval_ns : now + n->wait_ns;
		r = DB_RUN(&s->state, err, "UPDATE notify_group SET due = ?2 WHERE id = ?1", B_INT(id), B_INT(due));
	}
	if (r < 0)
		return r;
	*ret_due = due;
	return DB_RUN(&s->state, err,
		      "INSERT INTO notify_member(grp, alert, pending, at) VALUES (?1,?2,?3,?4)"
		      " ON CONFLICT DO UPDATE SET at = CASE WHEN pending > 0 THEN at ELSE excluded.at END,"
		      " pending = excluded.pending",
		      B_INT(id), B_INT(n->alert), B_INT(n->why), B_INT(now));
}

int store_notify_put(struct store *s, const struct store_news *n, uint64_t *ret_due, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, put(s, n, ret_due, err), err);
}

/* ---- what is due ---- */

#define GROUP_COLUMNS "id, route, receiver, key, label, created, due, sent, again, serial, is_held"

static int each_group(struct store *s, sqlite3_stmt *st, int (*fn)(void *arg, const struct store_group *g), void *arg,
		      struct err *err)
{
	int r;

	while ((r = db_step(&s->state, st, err)) > 0) {
		struct store_group g = { .id = sqlite3_column_int64(st, 0),
					 .route = db_text(st, 1),
					 .receiver = db_text(st, 2),
					 .key = db_text(st, 3),
					 .label = db_text(st, 4),
					 .created_unix_ns = db_u64(st, 5),
					 .due_unix_ns = db_u64(st, 6),
					 .sent_unix_ns = db_u64(st, 7),
					 .again_unix_ns = db_u64(st, 8),
					 .serial = db_u64(st, 9),
					 .is_held = db_u64(st, 10) != 0 };

		r = fn(arg, &g);
		if (r < 0)
			return r;
	}
	return r;
}

int store_notify_due(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, size_t limit,
		     int (*fn)(void *arg, const struct store_group *g), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " GROUP_COLUMNS " FROM notify_group WHERE route = ? AND receiver = ? AND due > 0"
			   " AND due <= ? AND is_busy = 0 ORDER BY due, id LIMIT ?",
			   B_STR(route), B_STR(receiver), B_INT(now_unix_ns), B_INT(limit));

	return r < 0 ? r : each_group(s, st, fn, arg, err);
}

int store_notify_due_all(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, int64_t after,
			 size_t limit, int (*fn)(void *arg, const struct store_group *g), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " GROUP_COLUMNS " FROM notify_group WHERE id > ? AND +route = ? AND +receiver = ?"
			   " AND +due > 0 AND due <= ? ORDER BY id LIMIT ?",
			   B_INT(after), B_STR(route), B_STR(receiver), B_INT(now_unix_ns), B_INT(limit));

	return r < 0 ? r : each_group(s, st, fn, arg, err);
}

int store_notify_count_pending(struct store *s, const char *route, const char *receiver, uint64_t since_unix_ns,
			       uint64_t *ret, struct err *err)
{
	int64_t n;
	int r = DB_NUMBER(&s->state, &n, err,
			  "SELECT count(*) FROM notify_group g JOIN notify_member m ON m.grp = g.id WHERE g.route = ? AND"
			  " g.receiver = ? AND m.pending > 0 AND (g.is_busy = 0 OR m.at >= ?)",
			  B_STR(route), B_STR(receiver), B_INT(since_unix_ns));

	*ret = r < 0 ? 0 : (uint64_t)n;
	return r;
}

int store_notify_due_again(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, size_t limit,
			   int (*fn)(void *arg, const struct store_group *g), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " GROUP_COLUMNS " FROM notify_group WHERE route = ? AND receiver = ? AND again > 0"
			   " AND again <= ? ORDER BY again LIMIT ?",
			   B_STR(route), B_STR(receiver), B_INT(now_unix_ns), B_INT(limit));

	return r < 0 ? r : each_group(s, st, fn, arg, err);
}

int store_notify_count_due(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, size_t limit,
			   size_t *ret, struct err *err)
{
	int64_t n;
	int r = DB_NUMBER(&s->state, &n, err,
			  "SELECT count(*) FROM (SELECT 1 FROM notify_group WHERE route = ? AND receiver = ? AND due > 0"
			  " AND due <= ? AND is_busy = 0 LIMIT ?)",
			  B_STR(route), B_STR(receiver), B_INT(now_unix_ns), B_INT(limit));

	*ret = r < 0 ? 0 : (size_t)n;
	return r;
}

int store_notify_next(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, uint64_t *ret,
		      struct err *err)
{
	const struct bind b[] = { B_STR(route), B_STR(receiver), B_INT(now_unix_ns) };
	int64_t group, message, again;
	int r = db_number(&s->state,
			  "SELECT due FROM notify_group WHERE route = ? AND receiver = ? AND due > max(?, 0) AND is_busy = 0"
			  " ORDER BY due LIMIT 1",
			  b, ARRAY_LEN(b), &group, err);

	if (r >= 0)
		r = db_number(&s->state,
			      "SELECT due FROM outbox WHERE route = ? AND receiver = ? AND is_dead = 0 AND due > ?"
			      " AND kind <> 'digest' ORDER BY due LIMIT 1",
			      b, ARRAY_LEN(b), &message, err);
	if (r >= 0)
		r = db_number(&s->state,
			      "SELECT again FROM notify_group WHERE route = ? AND receiver = ? AND again > max(?, 0)"
			      " ORDER BY again LIMIT 1",
			      b, ARRAY_LEN(b), &again, err);
	if (r < 0)
		return r;
	const uint64_t all[] = { (uint64_t)group, (uint64_t)message, (uint64_t)again };
	*ret = 0;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] && (!*ret || all[i] < *ret))
			*ret = all[i];
	return 0;
}

int store_notify_set_due(struct store *s, int64_t group, uint64_t due_unix_ns, bool is_held, struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE notify_group SET due = ?2, is_held = ?3 WHERE id = ?1", B_INT(group),
		      B_INT(due_unix_ns), B_INT(is_held));
}

int store_notify_hurry(struct store *s, int64_t group, uint64_t interval_ns, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "UPDATE notify_group SET due = CASE WHEN due > 0 THEN due ELSE max(?2, min(sent, ?2) + ?3) END WHERE id = ?1",
		      B_INT(group), B_INT(clock_unix_ns(s->clk)), B_INT(interval_ns));
}

int store_notify_set_again(struct store *s, int64_t group, uint64_t again_unix_ns, struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE notify_group SET again = ?2 WHERE id = ?1", B_INT(group), B_INT(again_unix_ns));
}

int store_notify_renew(struct store *s, int64_t group, int why, size_t *ret, struct err *err)
{
	int r = DB_RUN(&s->state, err,
		       "UPDATE notify_member SET pending = ?2, at = ?3 WHERE grp = ?1 AND pending = 0 AND said = ?4 AND"
		       " (SELECT status FROM alert a WHERE a.id = notify_member.alert) = 'new'",
		       B_INT(group), B_INT(why), B_INT(clock_unix_ns(s->clk)), B_INT(SAID_OPEN));

	*ret = r < 0 ? 0 : (size_t)sqlite3_changes(s->state.h);
	return r;
}

/* ---- members ---- */

int store_notify_pending(struct store *s, int64_t group, size_t limit, int (*fn)(void *arg, const struct store_member *m),
			 void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT alert, pending, said FROM notify_member WHERE grp = ? AND pending > 0"
			   " ORDER BY at, alert LIMIT ?",
			   B_INT(group), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_member m = { .group = group,
						.alert = sqlite3_column_int64(st, 0),
						.pending = sqlite3_column_int(st, 1),
						.said = (enum store_said)sqlite3_column_int(st, 2),
						.route = "", .receiver = "", .status = "" };

		r = fn(arg, &m);
	}
	return r;
}

int store_notify_members_after(struct store *s, int64_t group, int64_t alert, size_t limit,
			       int (*fn)(void *arg, const struct store_member *m), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT m.grp, m.alert, m.pending, m.said, g.route, g.receiver, a.status FROM notify_member m"
			   " JOIN notify_group g ON g.id = m.grp LEFT JOIN alert a ON a.id = m.alert"
			   " WHERE (m.grp, m.alert) > (?1, ?2) AND m.pending = 0 ORDER BY m.grp, m.alert LIMIT ?3",
			   B_INT(group), B_INT(alert), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_member m = { .group = sqlite3_column_int64(st, 0),
						.alert = sqlite3_column_int64(st, 1),
						.pending = sqlite3_column_int(st, 2),
						.said = (enum store_said)sqlite3_column_int(st, 3),
						.route = db_text(st, 4),
						.receiver = db_text(st, 5),
						.status = db_text(st, 6) };

		r = fn(arg, &m);
	}
	return r;
}

int store_notify_member_set(struct store *s, int64_t group, int64_t alert, int pending, enum store_said said,
			    struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE notify_member SET pending = ?3, said = ?4 WHERE grp = ?1 AND alert = ?2",
		      B_INT(group), B_INT(alert), B_INT(pending), B_INT(said));
}

int store_notify_member_drop(struct store *s, int64_t group, int64_t alert, struct err *err)
{
	return DB_RUN(&s->state, err, "DELETE FROM notify_member WHERE grp = ? AND alert = ?", B_INT(group), B_INT(alert));
}

static int set_back(struct store *s, uint64_t now, const struct store_notify_longest *most, struct err *err)
{
	int r = DB_RUN(&s->state, err, "UPDATE notify_group SET due = ?1 WHERE due > ?2", B_INT(now), B_INT(now + most->group_ns));

	if (r >= 0)
		r = DB_RUN(&s->state, err, "UPDATE notify_group SET sent = ?1 WHERE sent > ?1", B_INT(now));
	if (r >= 0)
		r = DB_RUN(&s->state, err, "UPDATE notify_group SET again = ?1 WHERE again > ?1", B_INT(now + most->repeat_ns));
	if (r >= 0)
		r = DB_RUN(&s->state, err, "UPDATE outbox SET due = ?1 WHERE is_dead = 0 AND kind <> 'digest' AND due > ?2",
			   B_INT(now), B_INT(now + most->retry_ns));
	return r;
}

int store_notify_set_back(struct store *s, const struct store_notify_longest *most, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, set_back(s, clock_unix_ns(s->clk), most, err), err);
}

int store_notify_tidy(struct store *s, uint64_t before_unix_ns, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "DELETE FROM notify_group WHERE id IN (SELECT id FROM notify_group g WHERE due = 0 AND is_busy = 0"
		      " AND sent < ? AND NOT EXISTS (SELECT 1 FROM notify_member m WHERE m.grp = g.id) LIMIT 500)",
		      B_INT(before_unix_ns));
}
