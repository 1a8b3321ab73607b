/* outbox.c - what is to be sent, until it was. Rows go when they are done. */
#include "collector/store/store_notify.h"
#include "collector/store/store_priv.h"

enum { DEAD_MAX = 10000 };

int store_outbox_add(struct store *s, const struct store_outbox *o, struct err *err)
{
	uint64_t created = o->created_unix_ns ? o->created_unix_ns : clock_unix_ns(s->clk);

	/* The same key for the same route is the same message: once is enough. */
	return DB_RUN(&s->state, err,
		      "INSERT OR IGNORE INTO outbox(route, receiver, kind, grp, key, body, thread, grp_id, serial, attempts,"
		      " due, created) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
		      B_STR(o->route), B_STR(o->receiver ? o->receiver : o->route), B_STR(o->kind), B_STR(o->group),
		      B_STR(o->key), B_STR(o->body), B_STR(o->thread), B_INT(o->group_id), B_INT(o->serial),
		      B_INT(o->attempts), B_INT(o->due_unix_ns), B_INT(created));
}

static int each_row(struct store *s, sqlite3_stmt *st,
		    int (*fn)(void *arg, const struct store_outbox *o), void *arg, struct err *err)
{
	int r;

	while ((r = db_step(&s->state, st, err)) > 0) {
		struct store_outbox o = {
			.id = sqlite3_column_int64(st, 0),
			.route = db_text(st, 1),
			.kind = db_text(st, 2),
			.group = db_text(st, 3),
			.key = db_text(st, 4),
			.body = db_text(st, 5),
			.attempts = (uint32_t)db_u64(st, 6),
			.due_unix_ns = db_u64(st, 7),
			.created_unix_ns = db_u64(st, 8),
			.last_error = db_text(st, 9),
			.is_dead = db_u64(st, 10) != 0,
			.receiver = db_text(st, 11),
			.thread = db_text(st, 12),
			.group_id = sqlite3_column_int64(st, 13),
			.serial = db_u64(st, 14),
		};
		r = fn(arg, &o);
		if (r < 0)
			return r;
	}
	return r;
}

#define COLUMNS "id, route, kind, grp, key, body, attempts, due, created, last_error, is_dead, receiver, thread, grp_id, serial"

int store_outbox_due(struct store *s, uint64_t now_unix_ns, size_t limit,
		     int (*fn)(void *arg, const struct store_outbox *o), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " COLUMNS " FROM outbox WHERE is_dead = 0 AND due <= ?"
			   " ORDER BY due, id LIMIT ?",
			   B_INT(now_unix_ns), B_INT(limit > 100000 ? 100000 : limit));

	return r < 0 ? r : each_row(s, st, fn, arg, err);
}

int store_outbox_due_lane(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns,
			  size_t limit, int (*fn)(void *arg, const struct store_outbox *o), void *arg,
			  struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " COLUMNS " FROM outbox WHERE route = ? AND receiver = ? AND is_dead = 0 AND due <= ?"
			   " ORDER BY due, id LIMIT ?",
			   B_STR(route), B_STR(receiver), B_INT(now_unix_ns), B_INT(limit > 100000 ? 100000 : limit));

	return r < 0 ? r : each_row(s, st, fn, arg, err);
}

int store_outbox_each(struct store *s, int (*fn)(void *arg, const struct store_outbox *o), void *arg,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state, "SELECT " COLUMNS " FROM outbox ORDER BY id", NULL, 0, &st, err);

	return r < 0 ? r : each_row(s, st, fn, arg, err);
}

int store_outbox_done(struct store *s, int64_t id, struct err *err)
{
	return DB_RUN(&s->state, err, "DELETE FROM outbox WHERE id = ?", B_INT(id));
}

int store_outbox_retry(struct store *s, int64_t id, uint64_t due_unix_ns, const char *error,
		       struct err *err)
{
	int r = DB_RUN(&s->state, err,
		       "UPDATE outbox SET attempts = attempts + 1, due = ?, is_dead = ?, last_error = ?"
		       " WHERE id = ?",
		       B_INT(due_unix_ns), B_INT(!due_unix_ns), B_STR(error), B_INT(id));

	if (r < 0 || due_unix_ns)
		return r;
	/* Its group goes on without it. Sent again or dropped later, it must not free the group of a newer message. */
	r = DB_RUN(&s->state, err, "UPDATE outbox SET grp_id = 0 WHERE id = ?", B_INT(id));
	return r < 0 ? r : outbox_prune_dead(s, err);
}

int outbox_prune_dead(struct store *s, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE is_dead = 1"
		      " ORDER BY id DESC LIMIT -1 OFFSET ?)",
		      B_INT(DEAD_MAX));
}

int store_notify_list(struct store *s, bool is_dead, uint64_t skip, uint64_t limit,
		      int (*fn)(void *arg, const struct store_outbox *o), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	const struct bind b[] = { B_INT(limit), B_INT(skip) };
	int r = db_prepare(&s->state,
			   is_dead ? "SELECT " COLUMNS " FROM outbox WHERE is_dead = 1 ORDER BY id DESC LIMIT ? OFFSET ?" :
				     "SELECT " COLUMNS " FROM outbox WHERE is_dead = 0 ORDER BY id LIMIT ? OFFSET ?",
			   b, ARRAY_LEN(b), &st, err);

	return r < 0 ? r : each_row(s, st, fn, arg, err);
}

struct one {
	struct arena *arena;
	struct store_outbox *ret;
	bool is_found;
};

static int keep_one(void *arg, const struct store_outbox *o)
{
	struct one *one = arg;
	struct store_outbox *to = one->ret;
	const char **texts[] = { &to->route, &to->receiver, &to->kind, &to->group,
				 &to->key,   &to->body,	    &to->thread, &to->last_error };

	*to = *o;
	one->is_found = true;
	return arena_keep(one->arena, texts, ARRAY_LEN(texts)) ? 0 : -ERR_LIMIT;
}

int store_notify_get(struct store *s, int64_t message, struct arena *a, struct store_outbox *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct one one = { a, ret, false };
	int r = DB_PREPARE(&s->state, &st, err, "SELECT " COLUMNS " FROM outbox WHERE id = ?", B_INT(message));

	if (r >= 0)
		r = each_row(s, st, keep_one, &one, err);
	if (r == -ERR_LIMIT)
		return err_set(err, ERR_LIMIT, "message %lld", (long long)message);
	if (r < 0)
		return r;
	return one.is_found ? 0 : err_set(err, ERR_NOT_FOUND, "no message %lld", (long long)message);
}
