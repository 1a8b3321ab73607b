/* alert_actions.c - the responses of an alert. One may come before its alert: a finding waits for its
 * container's name, and what the kernel killed was killed before anything was said. */
#include "collector/store/alerts_priv.h"

#include "common/json.h"

enum { ACTIONS_MAX = 20, ACTION_BYTES = 16 * 1024, LIST_BYTES = ACTIONS_MAX * ACTION_BYTES + 64 };
enum { WAITING_MAX = 10000 };
static const uint64_t wait_ns = 3600ull * 1000000000;

/* action in front of the list, the newest ACTIONS_MAX kept. Each element is our own writing. */
static void put_before(struct buf *out, const char *action, const char *list)
{
	CLEANUP(cJSON_Deletep) cJSON *old = NULL;
	const cJSON *item;
	size_t n = 1;
	struct json j;

	/* Ignored: an old list that can't be read must not keep the new one out. */
	if (json_parse(slice_of(list), LIST_BYTES, &old, NULL) < 0)
		old = NULL;
	json_init(&j, out);
	json_array_open(&j);
	json_raw(&j, slice_of(action));
	cJSON_ArrayForEach(item, old)
	{
		char *text = n++ < ACTIONS_MAX ? cJSON_PrintUnformatted(item) : NULL;

		if (text)
			json_raw(&j, slice_of(text));
		free(text);
	}
	json_array_close(&j);
}

static int add(struct store *s, int64_t id, const char *action, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	CLEANUP(buf_finip) struct buf list = { 0 };
	int r = DB_PREPARE(&s->state, &st, err, "SELECT actions FROM alert WHERE id = ?", B_INT(id));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	buf_init(&list, LIST_BYTES);
	put_before(&list, action, r ? db_text(st, 0) : "[]");
	if (list.failed)
		return err_set(err, ERR_LIMIT, "actions of alert %lld", (long long)id);
	return DB_RUN(&s->state, err, "UPDATE alert SET actions = ?2 WHERE id = ?1", B_INT(id),
		      B_TEXT(buf_slice(&list)));
}

static int wait(struct store *s, const char *fold_key, const char *action, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int r = DB_RUN(&s->state, err, "INSERT INTO action_waiting(fold_key, at, action) VALUES (?,?,?)",
		       B_STR(fold_key), B_INT(now), B_STR(action));

	/* By id, oldest first: looking at all that wait would cost a hostile agent's every row milliseconds. */
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "DELETE FROM action_waiting WHERE id <= (SELECT max(id) FROM action_waiting) - ?",
			   B_INT(WAITING_MAX));
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "DELETE FROM action_waiting WHERE id IN (SELECT id FROM action_waiting ORDER BY id LIMIT 8)"
			   " AND at < ?",
			   B_INT(now > wait_ns ? now - wait_ns : 0));
	return r;
}

static int put_action(struct store *s, const char *fold_key, uint64_t since, const char *action,
		      struct err *err)
{
	int64_t id;
	int r = DB_NUMBER(&s->state, &id, err,
			  "SELECT id FROM alert WHERE fold_key = ? AND is_current = 1 AND last_seen >= ?",
			  B_STR(fold_key), B_INT(since));

	if (r < 0)
		return r;
	return id ? add(s, id, action, err) : wait(s, fold_key, action, err);
}

int store_alert_action(struct store *s, const char *fold_key, uint64_t since_unix_ns, const char *action,
		       struct err *err)
{
	bool is_own;

	if (strlen(action) > ACTION_BYTES)
		return err_set(err, ERR_LIMIT, "action: %zu bytes", strlen(action));
	int r = store_own_begin(s, &is_own, err);
	if (r < 0)
		return r;
	return store_own_end(s, is_own, put_action(s, fold_key, since_unix_ns, action, err), err);
}

int alerts_take_actions(struct store *s, int64_t id, const char *fold_key, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint64_t now = clock_unix_ns(s->clk);
	size_t count = 0;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT action FROM (SELECT id, action FROM action_waiting WHERE fold_key = ?"
			   " AND at >= ? ORDER BY id DESC LIMIT ?) ORDER BY id",
			   B_STR(fold_key), B_INT(now > wait_ns ? now - wait_ns : 0), B_INT(ACTIONS_MAX));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		r = add(s, id, db_text(st, 0), err);
		count++;
	}
	if (r < 0 || !count)
		return r;
	return DB_RUN(&s->state, err, "DELETE FROM action_waiting WHERE fold_key = ?", B_STR(fold_key));
}
