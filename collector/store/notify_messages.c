/* notify_messages.c - messages of groups, digests while they are collected, and how each lane is doing. */
#include <errno.h>

#include "collector/store/alerts_priv.h"
#include "collector/store/store_notify.h"

/* A digest that is collected waits for the end of time. */
#define NEVER_DUE INT64_MAX

/* *ret_first (nullable): the position before them. */
static int add_parts(struct store *s, int64_t message, const struct store_part *parts, size_t count, int64_t *ret_first,
		     struct err *err)
{
	int64_t first;
	int r = DB_NUMBER(&s->state, &first, err, "SELECT max(position) FROM notify_part WHERE message = ?", B_INT(message));

	for (size_t i = 0; i < count && r >= 0; i++)
		r = DB_RUN(&s->state, err,
			   "INSERT INTO notify_part(message, position, alert, why, severity)"
			   " VALUES (?1,?2,?3,?4,coalesce((SELECT severity FROM alert WHERE id = ?3), 0))",
			   B_INT(message), B_INT(first + (int64_t)i + 1), B_INT(parts[i].alert), B_INT(parts[i].why));
	if (ret_first)
		*ret_first = first;
	return r;
}

#define COUNT_UP(what, name)                                                                                            \
	"INSERT INTO notify_tally(message, what, name, count) SELECT ?1, '" what "', " name ", count(*)"                \
	" FROM notify_part p JOIN alert a ON a.id = p.alert WHERE p.message = ?1 AND p.position > ?2 GROUP BY 3"        \
	" ON CONFLICT DO UPDATE SET count = count + excluded.count"

static int collect(struct store *s, int64_t message, const struct store_part *parts, size_t count, uint64_t *ret_total,
		   struct err *err)
{
	static const char *const counts[] = { COUNT_UP("rule", "a.rule"), COUNT_UP("host", "a.host"),
					      COUNT_UP("image", "a.image"), COUNT_UP("severity", "a.severity") };
	int64_t first;
	int r = add_parts(s, message, parts, count, &first, err);

	for (size_t i = 0; i < ARRAY_LEN(counts) && r >= 0 && count; i++)
		r = DB_RUN(&s->state, err, counts[i], B_INT(message), B_INT(first));
	if (r >= 0)
		*ret_total = (uint64_t)first + count;
	return r;
}

int store_notify_collect(struct store *s, int64_t message, const struct store_part *parts, size_t count,
			 uint64_t *ret_total, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, collect(s, message, parts, count, ret_total, err), err);
}

static int form(struct store *s, const struct store_outbox *o, const struct store_part *parts, size_t count,
		int64_t *ret_id, struct err *err)
{
	int r = store_outbox_add(s, o, err);

	if (r < 0)
		return r;
	if (!sqlite3_changes(s->state.h))
		return err_set(err, EEXIST, "a message of '%.100s' has this key already", o->route);
	*ret_id = sqlite3_last_insert_rowid(s->state.h);
	r = add_parts(s, *ret_id, parts, count, NULL, err);
	if (r >= 0 && o->group_id)
		r = DB_RUN(&s->state, err, "UPDATE notify_group SET is_busy = 1, sent = ?2, serial = ?3 WHERE id = ?1",
			   B_INT(o->group_id), B_INT(clock_unix_ns(s->clk)), B_INT(o->serial));
	return r;
}

int store_notify_form(struct store *s, const struct store_outbox *o, const struct store_part *parts, size_t count,
		      int64_t *ret_id, struct err *err)
{
	struct store_outbox row = *o;
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	if (!strcmp(o->kind, "digest"))
		row.due_unix_ns = NEVER_DUE;
	return r < 0 ? r : store_own_end(s, is_own, form(s, &row, parts, count, ret_id, err), err);
}

int store_notify_close(struct store *s, int64_t message, const char *kind, const char *body, struct err *err)
{
	return DB_RUN(&s->state, err, "UPDATE outbox SET kind = ?2, body = ?3, due = ?4 WHERE id = ?1", B_INT(message),
		      B_STR(kind), B_STR(body), B_INT(clock_unix_ns(s->clk)));
}

int store_notify_open(struct store *s, const char *route, const char *receiver, int64_t *ret, struct err *err)
{
	return DB_NUMBER(&s->state, ret, err,
			 "SELECT id FROM outbox WHERE route = ? AND receiver = ? AND is_dead = 0 AND due = ?"
			 " AND kind = 'digest'",
			 B_STR(route), B_STR(receiver), B_INT(NEVER_DUE));
}

int store_notify_parts(struct store *s, int64_t message, size_t limit, int (*fn)(void *arg, const struct store_part *p),
		       void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT alert, why FROM notify_part WHERE message = ? ORDER BY position LIMIT ?", B_INT(message),
			   B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_part p = { sqlite3_column_int64(st, 0), sqlite3_column_int(st, 1) };

		r = fn(arg, &p);
	}
	return r;
}

int store_notify_tally(struct store *s, int64_t message, const char *what, size_t limit,
		       int (*fn)(void *arg, const char *name, uint64_t count), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT name, count FROM notify_tally WHERE message = ? AND what = ? ORDER BY count DESC, name LIMIT ?",
			   B_INT(message), B_STR(what), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const char *name = db_text(st, 0);

		if (!strcmp(what, "severity"))
			name = msg_severity_name((enum msg_severity)sqlite3_column_int(st, 0));
		r = fn(arg, name, db_u64(st, 1));
	}
	return r;
}

int store_notify_worst(struct store *s, int64_t message, size_t limit,
		       int (*fn)(void *arg, const struct store_alert *al), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " ALERT_COLUMNS " FROM alert WHERE id IN (SELECT alert FROM notify_part WHERE message = ?"
			   " ORDER BY severity DESC, alert DESC LIMIT ?)"
			   " ORDER BY severity DESC, id DESC",
			   B_INT(message), B_INT(limit));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_alert al;

		alerts_read_row(st, &al);
		r = fn(arg, &al);
	}
	return r;
}

/* ---- dead letters and lists ---- */

int store_notify_resend(struct store *s, int64_t message, uint64_t *ret, struct err *err)
{
	int r = DB_RUN(&s->state, err,
		       "UPDATE outbox SET is_dead = 0, attempts = 0, due = ?2 WHERE is_dead = 1 AND (?1 = 0 OR id = ?1)",
		       B_INT(message), B_INT(clock_unix_ns(s->clk)));

	if (r < 0)
		return r;
	*ret = (uint64_t)sqlite3_changes(s->state.h);
	if (message && !*ret)
		return err_set(err, ERR_NOT_FOUND, "no dead letter %lld", (long long)message);
	return 0;
}

int store_notify_drop(struct store *s, int64_t message, struct err *err)
{
	int r = DB_RUN(&s->state, err, "DELETE FROM outbox WHERE id = ? AND is_dead = 1", B_INT(message));

	if (r >= 0 && !sqlite3_changes(s->state.h))
		return err_set(err, ERR_NOT_FOUND, "no dead letter %lld", (long long)message);
	return r;
}

/* ---- lanes ---- */

static int read_lane(struct store *s, const char *route, const char *receiver, struct store_lane *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT sent, failures, digests, success, failure, error FROM notify_lane"
			   " WHERE route = ? AND receiver = ?",
			   B_STR(route), B_STR(receiver));

	*ret = (struct store_lane){ 0 };
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r > 0) {
		ret->sent = db_u64(st, 0);
		ret->failures = db_u64(st, 1);
		ret->digests = db_u64(st, 2);
		ret->success_unix_ns = db_u64(st, 3);
		ret->failure_unix_ns = db_u64(st, 4);
		slice_copy(slice_of(db_text(st, 5)), ret->error, sizeof(ret->error));
	}
	return r < 0 ? r : 0;
}

int store_notify_lane(struct store *s, const char *route, const char *receiver, struct store_lane *ret,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = read_lane(s, route, receiver, ret, err);

	if (r >= 0)
		r = DB_PREPARE(&s->state, &st, err,
			       "SELECT (SELECT count(*) FROM outbox WHERE route = ?1 AND receiver = ?2 AND is_dead = 0),"
			       " (SELECT coalesce(min(created), 0) FROM outbox WHERE route = ?1 AND receiver = ?2 AND is_dead = 0),"
			       " (SELECT count(*) FROM outbox WHERE route = ?1 AND receiver = ?2 AND is_dead = 1),"
			       " (SELECT count(*) FROM notify_group g JOIN notify_member m ON m.grp = g.id"
			       " WHERE g.route = ?1 AND g.receiver = ?2 AND m.pending > 0)",
			       B_STR(route), B_STR(receiver));
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	ret->waiting = db_u64(st, 0);
	ret->oldest_unix_ns = db_u64(st, 1);
	ret->dead = db_u64(st, 2);
	ret->pending = db_u64(st, 3);
	return 0;
}

int store_notify_attempt(struct store *s, const char *route, const char *receiver, const char *error,
			 struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);

	if (!error)
		return DB_RUN(&s->state, err,
			      "INSERT INTO notify_lane(route, receiver, sent, success) VALUES (?1,?2,1,?3)"
			      " ON CONFLICT DO UPDATE SET sent = sent + 1, success = ?3",
			      B_STR(route), B_STR(receiver), B_INT(now));
	return DB_RUN(&s->state, err,
		      "INSERT INTO notify_lane(route, receiver, failures, failure, error) VALUES (?1,?2,1,?3,?4)"
		      " ON CONFLICT DO UPDATE SET failures = failures + 1, failure = ?3, error = ?4",
		      B_STR(route), B_STR(receiver), B_INT(now), B_STR(error));
}

int store_notify_digested(struct store *s, const char *route, const char *receiver, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO notify_lane(route, receiver, digests) VALUES (?1,?2,1)"
		      " ON CONFLICT DO UPDATE SET digests = digests + 1",
		      B_STR(route), B_STR(receiver));
}

int store_notify_lanes(struct store *s, int (*fn)(void *arg, const char *route, const char *receiver), void *arg,
		       struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state, "SELECT DISTINCT route, receiver FROM notify_group", NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0)
		r = fn(arg, db_text(st, 0), db_text(st, 1));
	return r;
}

static int bury(struct store *s, const char *route, const char *receiver, const char *why, struct err *err)
{
	const struct bind lane[] = { B_STR(route), B_STR(receiver) };
	struct store_outbox o = { .route = route, .receiver = receiver, .kind = "buried", .group = why, .key = "" };
	int64_t pending, id;
	char key[64];
	int r = db_number(&s->state,
			  "SELECT count(*) FROM notify_group g JOIN notify_member m ON m.grp = g.id WHERE g.route = ? AND"
			  " g.receiver = ? AND m.pending > 0",
			  lane, 2, &pending, err);

	if (r < 0)
		return r;
	if (pending) {
		snprintf(key, sizeof(key), "buried %llu", (unsigned long long)clock_unix_ns(s->clk));
		o.key = key;
		o.due_unix_ns = clock_unix_ns(s->clk);
		r = form(s, &o, NULL, 0, &id, err);
		if (r >= 0)
			r = DB_RUN(&s->state, err,
				   "INSERT INTO notify_part SELECT ?1, row_number() OVER (ORDER BY m.at), m.alert, m.pending"
				   " FROM notify_group g JOIN notify_member m ON m.grp = g.id WHERE g.route = ?2 AND"
				   " g.receiver = ?3 AND m.pending > 0",
				   B_INT(id), B_STR(route), B_STR(receiver));
		if (r >= 0)
			r = store_outbox_retry(s, id, 0, why, err);
	}
	if (r >= 0)
		r = db_run(&s->state,
			   "DELETE FROM notify_member WHERE grp IN (SELECT id FROM notify_group WHERE route = ? AND receiver = ?)",
			   lane, 2, err);
	if (r >= 0)
		r = db_run(&s->state, "DELETE FROM notify_group WHERE route = ? AND receiver = ?", lane, 2, err);
	return r;
}

int store_notify_bury(struct store *s, const char *route, const char *receiver, const char *why, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, bury(s, route, receiver, why, err), err);
}
