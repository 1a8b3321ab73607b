/* containers.c - which container had which name and image, for events that only know its id; how it was made, and
 * whether it runs. */
#include "collector/store/checks_priv.h"
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

/* It came in a record, so it fits one. The packed form is what the policy is judged on, later. */
static struct slice pack_config(const Picket__Container *c, char room[LIMIT_RECORD_BYTES])
{
	if (!c->config || picket__container_config__get_packed_size(c->config) > LIMIT_RECORD_BYTES)
		return SLICE_NONE;
	return slice_from(room, picket__container_config__pack(c->config, (uint8_t *)room));
}

int store_container_put(struct store *s, const char *agent, const Picket__Container *c,
			struct err *err)
{
	CLEANUP(buf_finip) struct buf labels = { 0 };
	char config[LIMIT_RECORD_BYTES];

	if (!c->id || !c->id[0])
		return 0; /* nothing could ever refer to it */
	buf_init(&labels, LIMIT_RECORD_BYTES * 6);
	write_labels(&labels, c);
	/* What is told later wins, but not by knowing less. */
	return DB_RUN(&s->state, err,
		      "INSERT INTO container(agent, id, name, image, image_id, image_digest, user,"
		      " is_privileged, engine, created, started, labels, seen, config)"
		      " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)"
		      " ON CONFLICT(agent, id) DO UPDATE SET"
		      " name = CASE WHEN length(?3) THEN ?3 ELSE name END,"
		      " image = CASE WHEN length(?4) THEN ?4 ELSE image END,"
		      " image_id = CASE WHEN length(?5) THEN ?5 ELSE image_id END,"
		      " image_digest = CASE WHEN length(?6) THEN ?6 ELSE image_digest END,"
		      " user = ?7, is_privileged = ?8, engine = ?9, created = max(created, ?10),"
		      " started = max(started, ?11), labels = ?12, seen = ?13,"
		      " config = CASE WHEN length(?14) THEN ?14 ELSE config END",
		      B_STR(agent), B_STR(c->id), B_BLOB(msg_slice(c->name)), B_BLOB(msg_slice(c->image)),
		      B_STR(c->image_id), B_STR(c->image_digest), B_BLOB(msg_slice(c->user)),
		      B_INT(c->privileged), B_STR(c->engine), B_INT(c->created_unix_ns),
		      B_INT(c->started_unix_ns), B_TEXT(buf_slice(&labels)), B_INT(clock_unix_ns(s->clk)),
		      B_BLOB(pack_config(c, config)));
}

static int put_life(struct store *s, const char *agent, const char *id, bool is_running, struct err *err)
{
	int64_t subject;
	int r = DB_RUN(&s->state, err, "UPDATE container SET life = ?3, life_at = ?4 WHERE agent = ?1 AND id = ?2 AND life <> ?3",
		       B_STR(agent), B_STR(id), B_INT(is_running ? LIFE_RUNS : LIFE_STOPPED), B_INT(clock_unix_ns(s->clk)));

	if (r < 0 || !sqlite3_changes(s->state.h))
		return r;
	/* What is wrong with one that doesn't run is not urgent. */
	r = DB_NUMBER(&s->state, &subject, err, "SELECT id FROM check_subject WHERE agent = ? AND last_id = ? AND kind = 'container'",
		      B_STR(agent), B_STR(id));
	return r < 0 || !subject ? r : checks_due_of_subject(s, subject, err);
}

/* An event names its container in short: what it does not say stays as it was. */
static int put_short(struct store *s, const char *agent, const Picket__Container *c, struct err *err)
{
	char config[LIMIT_RECORD_BYTES];

	return DB_RUN(&s->state, err,
		      "INSERT INTO container(agent, id, name, image, image_id, image_digest, user, is_privileged, engine, created,"
		      " started, labels, seen, config) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,'{}',?12,?13)"
		      " ON CONFLICT(agent, id) DO UPDATE SET name = CASE WHEN length(?3) THEN ?3 ELSE name END,"
		      " image = CASE WHEN length(?4) THEN ?4 ELSE image END,"
		      " config = CASE WHEN length(?13) THEN ?13 ELSE config END, seen = ?12",
		      B_STR(agent), B_STR(c->id), B_BLOB(msg_slice(c->name)), B_BLOB(msg_slice(c->image)), B_STR(c->image_id),
		      B_STR(c->image_digest), B_BLOB(msg_slice(c->user)), B_INT(c->privileged), B_STR(c->engine),
		      B_INT(c->created_unix_ns), B_INT(c->started_unix_ns), B_INT(clock_unix_ns(s->clk)),
		      B_BLOB(pack_config(c, config)));
}

static int put_event(struct store *s, const char *agent, const Picket__Event *ev, struct err *err)
{
	int r = 0;

	if (ev->type != PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP)
		r = put_short(s, agent, ev->container, err);
	if (r >= 0 && ev->type == PICKET__EVENT_TYPE__EVENT_CONTAINER_START)
		r = put_life(s, agent, ev->container->id, true, err);
	if (r >= 0 && ev->type == PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP)
		r = put_life(s, agent, ev->container->id, false, err);
	return r;
}

int store_container_event(struct store *s, const char *agent, const Picket__Event *ev, struct err *err)
{
	bool is_own;
	int r;

	if (!ev->container || !ev->container->id[0] ||
	    (ev->type != PICKET__EVENT_TYPE__EVENT_CONTAINER_CREATE && ev->type != PICKET__EVENT_TYPE__EVENT_CONTAINER_START &&
	     ev->type != PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP && ev->type != PICKET__EVENT_TYPE__EVENT_CONTAINER_UPDATE))
		return 0;
	r = store_own_begin(s, &is_own, err);
	return r < 0 ? r : store_own_end(s, is_own, put_event(s, agent, ev, err), err);
}

int containers_end_lives(struct store *s, const char *agent, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk), grace = 10 * minute_ns;

	return DB_RUN(&s->state, err,
		      "UPDATE container SET life = ?2, life_at = ?3 WHERE agent = ?1 AND life = ?4 AND life_at < ?5 AND id NOT IN"
		      " (SELECT container FROM container_use WHERE agent = ?1)",
		      B_STR(agent), B_INT(LIFE_STOPPED), B_INT(now), B_INT(LIFE_RUNS), B_INT(now > grace ? now - grace : 0));
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
