/* alerts.c - the rows of the inbox. */
#include "collector/store/alerts_priv.h"

#include "collector/store/store_triage.h"
#include "common/json.h"

void alerts_read_light(sqlite3_stmt *st, struct store_alert *ret)
{
	*ret = (struct store_alert){
		.id = sqlite3_column_int64(st, 0),
		.first_seen_unix_ns = db_u64(st, 1),
		.last_seen_unix_ns = db_u64(st, 2),
		.count = db_u64(st, 3),
		.severity = (enum msg_severity)db_u64(st, 4),
		.priority = db_text(st, 5),
		.status = db_text(st, 6),
		.assignee = db_text(st, 7),
		.source = db_text(st, 8),
		.rule = db_text(st, 9),
		.title = db_text(st, 10),
		.host = db_text(st, 11),
		.agent = db_text(st, 12),
		.container_id = db_text(st, 13),
	};
}

void alerts_read_row(sqlite3_stmt *st, struct store_alert *ret)
{
	alerts_read_light(st, ret);
	ret->document = db_text(st, ALERT_DOCUMENT);
	ret->evidence = db_text(st, 15);
	ret->fold_key = db_text(st, 16);
	ret->container = db_text(st, 17);
	ret->image = db_text(st, 18);
	ret->actions = db_text(st, 19);
	ret->resolution = db_text(st, 20);
	ret->duplicate_of = sqlite3_column_int64(st, 21);
	ret->wake_unix_ns = db_u64(st, 22);
}

static int keep_row(struct store_alert *row, struct arena *a, struct err *err)
{
	const char **texts[] = { &row->priority, &row->status, &row->assignee, &row->source,
				 &row->rule,	 &row->title,  &row->host,     &row->agent,
				 &row->container_id, &row->document, &row->evidence, &row->fold_key,
				 &row->actions, &row->container, &row->image, &row->resolution };

	if (!arena_keep(a, texts, ARRAY_LEN(texts)))
		return err_set(err, ERR_LIMIT, "alert %lld", (long long)row->id);
	return 0;
}

/* 1: *ret is filled. */
static int read_one(struct store *s, sqlite3_stmt *st, struct arena *a, struct store_alert *ret,
		    struct err *err)
{
	int r = db_step(&s->state, st, err);

	if (r <= 0)
		return r;
	alerts_read_row(st, ret);
	r = keep_row(ret, a, err);
	return r < 0 ? r : 1;
}

int store_alert_find_open(struct store *s, const char *fold_key, uint64_t since_unix_ns,
			  struct arena *a, struct store_alert *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " ALERT_COLUMNS " FROM alert WHERE fold_key = ? AND is_current = 1"
			   " AND status <> 'resolved' AND last_seen >= ?",
			   B_STR(fold_key), B_INT(since_unix_ns));

	if (r >= 0)
		r = read_one(s, st, a, ret, err);
	if (r < 0)
		return r;
	return r ? 0 : err_set(err, ERR_NOT_FOUND, "no open alert of '%.100s'", fold_key);
}

int store_alert_find_last(struct store *s, const char *fold_key, uint64_t since_unix_ns,
			  struct arena *a, struct store_alert *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " ALERT_COLUMNS " FROM alert WHERE fold_key = ? AND is_current = 1"
			   " AND last_seen >= ?",
			   B_STR(fold_key), B_INT(since_unix_ns));

	if (r >= 0)
		r = read_one(s, st, a, ret, err);
	if (r < 0)
		return r;
	return r ? 0 : err_set(err, ERR_NOT_FOUND, "no alert of '%.100s'", fold_key);
}

int store_alert_get(struct store *s, int64_t id, struct arena *a, struct store_alert *ret,
		    struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT " ALERT_COLUMNS " FROM alert WHERE id = ?",
			   B_INT(id));

	if (r >= 0)
		r = read_one(s, st, a, ret, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "no alert %lld", (long long)id);
	ret->silence = silences_of(s, ret, NULL, clock_unix_ns(s->clk));
	return 0;
}

/* Container name and image stand in the document; filters need them as columns. */
static void read_document(const char *document, cJSON **ret, struct slice *ret_name,
			  struct slice *ret_image)
{
	*ret_name = *ret_image = SLICE_NONE;
	if (!document || json_parse(slice_of(document), 4 * 1024 * 1024, ret, NULL) < 0)
		return; /* not ours to judge: the alert is kept without them */
	const cJSON *container = cJSON_GetObjectItemCaseSensitive(*ret, "container");
	if (!container)
		return;
	*ret_name = json_get_str(container, "name");
	*ret_image = json_get_str(container, "image");
}

static int insert_row(struct store *s, const struct store_alert *al, int64_t *ret_id, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *document = NULL;
	struct slice name, image;

	read_document(al->document, &document, &name, &image);
	int r = DB_RUN(&s->state, err,
		       "UPDATE alert SET is_current = 0 WHERE fold_key = ? AND is_current = 1",
		       B_STR(al->fold_key));
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "INSERT INTO alert(first_seen, last_seen, count, severity, priority, status,"
			   " assignee, source, rule, title, host, agent, container_id, container, image,"
			   " document, evidence, fold_key) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
			   B_INT(al->first_seen_unix_ns), B_INT(al->last_seen_unix_ns), B_INT(al->count),
			   B_INT(al->severity), B_STR(al->priority),
			   B_STR(al->status && al->status[0] ? al->status : "new"), B_STR(al->assignee),
			   B_STR(al->source), B_STR(al->rule), B_STR(al->title), B_STR(al->host),
			   B_STR(al->agent), B_STR(al->container_id), B_TEXT(name), B_TEXT(image),
			   B_STR(al->document), B_STR(al->evidence), B_STR(al->fold_key));
	if (r < 0)
		return r;
	*ret_id = sqlite3_last_insert_rowid(s->state.h);
	r = store_trail_add(s, *ret_id, TRAIL_SYSTEM, "created", "", err);
	return r < 0 ? r : alerts_take_actions(s, *ret_id, al->fold_key, err);
}

int store_alert_insert(struct store *s, const struct store_alert *al, int64_t *ret_id,
		       struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	if (r < 0)
		return r;
	return store_own_end(s, is_own, insert_row(s, al, ret_id, err), err);
}

int store_alert_update(struct store *s, const struct store_alert *al, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *document = NULL;
	struct slice name, image;

	read_document(al->document, &document, &name, &image);
	int r = DB_RUN(&s->state, err,
		       "UPDATE alert SET count = ?2, last_seen = ?3, document = ?4, evidence = ?5,"
		       " severity = ?6, priority = ?7, title = ?8, container = ?9, image = ?10"
		       " WHERE id = ?1",
		       B_INT(al->id), B_INT(al->count), B_INT(al->last_seen_unix_ns), B_STR(al->document),
		       B_STR(al->evidence), B_INT(al->severity), B_STR(al->priority), B_STR(al->title),
		       B_TEXT(name), B_TEXT(image));
	if (r >= 0 && !sqlite3_changes(s->state.h))
		return err_set(err, ERR_NOT_FOUND, "no alert %lld", (long long)al->id);
	return r;
}
