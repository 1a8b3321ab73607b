/* containers.c - which container had which name and image, for events that only know its id. */
#include "collector/store/store_priv.h"
#include "common/json.h"

static void write_labels(struct buf *out, const Picket__Container *c)
{
	struct json j;

	json_init(&j, out);
	json_object_open(&j);
	for (size_t i = 0; i < c->n_labels && i < LIMIT_LABELS; i++)
		json_kv_str(&j, c->labels[i]->key, c->labels[i]->value);
	json_object_close(&j);
}

int store_container_put(struct store *s, const char *agent, const Picket__Container *c,
			struct err *err)
{
	CLEANUP(buf_finip) struct buf labels = { 0 };

	if (!c->id || !c->id[0])
		return 0; /* nothing could ever refer to it */
	buf_init(&labels, LIMIT_RECORD_BYTES * 6);
	write_labels(&labels, c);
	/* What is told later wins, but not by knowing less. */
	return DB_RUN(&s->state, err,
		      "INSERT INTO container(agent, id, name, image, image_id, image_digest, user,"
		      " is_privileged, engine, created, started, labels, seen)"
		      " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)"
		      " ON CONFLICT(agent, id) DO UPDATE SET"
		      " name = CASE WHEN length(?3) THEN ?3 ELSE name END,"
		      " image = CASE WHEN length(?4) THEN ?4 ELSE image END,"
		      " image_id = CASE WHEN length(?5) THEN ?5 ELSE image_id END,"
		      " image_digest = CASE WHEN length(?6) THEN ?6 ELSE image_digest END,"
		      " user = ?7, is_privileged = ?8, engine = ?9, created = max(created, ?10),"
		      " started = max(started, ?11), labels = ?12, seen = ?13",
		      B_STR(agent), B_STR(c->id), B_BLOB(msg_slice(c->name)), B_BLOB(msg_slice(c->image)),
		      B_STR(c->image_id), B_STR(c->image_digest), B_BLOB(msg_slice(c->user)),
		      B_INT(c->privileged), B_STR(c->engine), B_INT(c->created_unix_ns),
		      B_INT(c->started_unix_ns), B_TEXT(buf_slice(&labels)), B_INT(clock_unix_ns(s->clk)));
}

int containers_names_of(struct store *s, const char *agent, const char *id, struct arena *a,
			struct slice *ret_name, struct slice *ret_image, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT name, image FROM container WHERE agent = ? AND id = ?", B_STR(agent),
			   B_STR(id));

	if (r < 0)
		return r;
	r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	struct slice name = db_blob(st, 0), image = db_blob(st, 1);
	const char *n = arena_dup(a, name), *i = arena_dup(a, image);
	if (!n || !i)
		return err_set(err, ERR_LIMIT, "container '%.64s'", id);
	*ret_name = slice_from(n, name.n);
	*ret_image = slice_from(i, image.n);
	return 1;
}

int containers_named(struct store *s, const char *key, struct slice value, size_t max,
		     struct arena *a, const char **ret_ids, size_t *ret_count, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	const char *sql = strcmp(key, "image") ? "SELECT id FROM container WHERE name = ? LIMIT ?" :
						 "SELECT id FROM container WHERE image = ? LIMIT ?";
	int r = DB_PREPARE(&s->state, &st, err, sql, B_BLOB(value), B_INT(max + 1));

	*ret_count = 0;
	if (r < 0)
		return r;
	while ((r = db_step(&s->state, st, err)) > 0) {
		if (*ret_count == max) {
			*ret_count = max + 1;
			return 0;
		}
		ret_ids[*ret_count] = arena_dup(a, slice_of(db_text(st, 0)));
		if (!ret_ids[(*ret_count)++])
			return err_set(err, ERR_LIMIT, "containers of one name");
	}
	return r;
}

int containers_prune(struct store *s, uint64_t before_unix_ns, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "DELETE FROM container WHERE (agent, id) IN"
		      " (SELECT agent, id FROM container WHERE seen < ? LIMIT 1000)",
		      B_INT(before_unix_ns));
}
