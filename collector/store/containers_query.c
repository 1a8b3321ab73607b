/* containers_query.c - what runs where, how it was made, and how much is wrong with it. */
#include <errno.h>

#include "collector/store/checks_priv.h"
#include "collector/store/paging.h"
#include "collector/store/record_json.h"
#include "collector/store/terms.h"

enum { FILTER_ARENA_BYTES = 256 * 1024, ROW_ARENA_BYTES = 2 * 1024 * 1024, BUDGET_EVERY = 16, SHORT_ID = 12 };

static const char *const container_keys[] = { "host", "container", "container.id", "image", "running", "privileged",
					      "user", "network",   "port",	   "mount", "cap",     "label",
					      "risk", "text", NULL };

#define RUNS                                                                                                     \
	"(c.life = 1 OR (c.life = 0 AND EXISTS (SELECT 1 FROM container_use u WHERE u.agent = c.agent AND"       \
	" u.container = c.id)))"
#define CONTAINER_COLUMNS                                                                                        \
	"c.agent, a.host, c.id, c.name, c.image, c.user, c.image_id, c.image_digest, c.engine, c.labels,"       \
	" c.is_privileged, c.created, c.started, c.seen, c.config, " RUNS ", coalesce(r.score, 0)"
#define CONTAINER_FROM                                                                                           \
	" FROM container c JOIN agent a ON a.id = c.agent AND a.is_revoked = 0 LEFT JOIN risk_container r ON"    \
	" r.agent = c.agent AND r.container = c.id"
/* In the order of an index of risks. */
#define RISK_FROM                                                                                                \
	" FROM risk_container r JOIN container c ON c.agent = r.agent AND c.id = r.container"                    \
	" JOIN agent a ON a.id = c.agent AND a.is_revoked = 0"
enum { CONTAINER_SEEN = 13 };

/* config is unpacked into the arena; what was packed here is read back without a doubt, but a file can be damaged. */
static void read_row(sqlite3_stmt *st, struct arena *a, struct store_container *ret)
{
	struct slice config = db_blob(st, 14);

	*ret = (struct store_container){ .agent = db_text(st, 0),
					 .host = db_text(st, 1),
					 .id = db_text(st, 2),
					 .name = db_blob(st, 3),
					 .image = db_blob(st, 4),
					 .user = db_blob(st, 5),
					 .image_id = db_text(st, 6),
					 .image_digest = db_text(st, 7),
					 .engine = db_text(st, 8),
					 .labels = db_text(st, 9),
					 .is_privileged = db_u64(st, 10) != 0,
					 .created_unix_ns = db_u64(st, 11),
					 .started_unix_ns = db_u64(st, 12),
					 .seen_unix_ns = db_u64(st, CONTAINER_SEEN),
					 .is_running = db_u64(st, 15) != 0,
					 .risk = db_u64(st, 16) };
	if (config.n)
		ret->config = msg_unpack_config(config, a);
}

static int count_findings(struct store *s, struct store_container *c, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT count(*), coalesce(max(f.severity), 0) FROM check_subject s JOIN check_finding f ON"
			   " f.subject = s.id AND f.rank >= 24 WHERE s.agent = ? AND s.last_id = ? AND s.kind = 'container'",
			   B_STR(c->agent), B_STR(c->id));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r > 0) {
		c->findings = db_u64(st, 0);
		c->worst = (enum msg_severity)db_u64(st, 1);
	}
	return r < 0 ? r : 0;
}

/* ---- the filter ---- */

static bool match_id(const struct filter_term *t, struct slice id)
{
	struct slice want = slice_of(t->value);

	if (t->op == FILTER_EQ && want.n >= SHORT_ID && want.n < id.n)
		return slice_starts(id, want) != t->is_negated;
	return filter_match_text(t, id);
}

/* Is it any of them? "not" means of all. */
struct any {
	struct filter_term t;
	bool is_not, is_met;
};

static struct any any_of(const struct filter_term *t)
{
	struct any x = { .t = *t, .is_not = t->is_negated != (t->op == FILTER_NE) };

	x.t.is_negated = false;
	x.t.op = t->op == FILTER_NE ? FILTER_EQ : t->op;
	return x;
}

static void look_at(struct any *x, struct slice s)
{
	x->is_met |= filter_match_text(&x->t, s);
}

static bool match_config(const struct filter_term *t, const Picket__ContainerConfig *c)
{
	struct any x = any_of(t);

	for (size_t i = 0; c && !strcmp(t->key, "network") && i < c->n_networks; i++)
		look_at(&x, msg_slice(c->networks[i]));
	if (c && !strcmp(t->key, "network"))
		look_at(&x, slice_of(c->network_mode));
	for (size_t i = 0; c && !strcmp(t->key, "cap") && i < c->n_cap_add; i++)
		look_at(&x, slice_of(c->cap_add[i]));
	for (size_t i = 0; c && !strcmp(t->key, "mount") && i < c->n_mounts; i++) {
		look_at(&x, msg_slice(c->mounts[i]->source));
		look_at(&x, msg_slice(c->mounts[i]->target));
	}
	for (size_t i = 0; c && !strcmp(t->key, "port") && i < c->n_ports; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", c->ports[i]->host_port);
		if (c->ports[i]->host_port)
			look_at(&x, slice_of(text));
		snprintf(text, sizeof(text), "%u", c->ports[i]->port);
		look_at(&x, slice_of(text));
	}
	return x.is_met != x.is_not;
}

/* label=key or label=key=value, over the JSON object. */
static bool match_label(const struct filter_term *t, const char *labels)
{
	CLEANUP(cJSON_Deletep) cJSON *all = NULL;
	struct any x = any_of(t);
	const cJSON *item;

	if (json_parse(slice_of(labels), 1024 * 1024, &all, NULL) < 0)
		return x.is_not;
	cJSON_ArrayForEach(item, all)
	{
		char both[LIMIT_NAME_BYTES + LIMIT_TEXT_BYTES + 2];

		snprintf(both, sizeof(both), "%s=%s", item->string, cJSON_IsString(item) ? item->valuestring : "");
		look_at(&x, slice_of(both));
		look_at(&x, slice_of(item->string));
	}
	return x.is_met != x.is_not;
}

static bool match_anywhere(const struct filter_term *t, const struct store_container *c)
{
	const struct slice texts[] = { slice_of(c->host), slice_of(c->id), c->name, c->image, c->user, slice_of(c->image_id),
				       slice_of(c->labels) };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (filter_contains(texts[i], slice_of(t->value)))
			return !t->is_negated;
	return t->is_negated;
}

static bool match_term(const struct filter_term *t, const struct store_container *c)
{
	if (!t->key || !strcmp(t->key, "text"))
		return match_anywhere(t, c);
	if (!strcmp(t->key, "host"))
		return filter_match_text(t, slice_of(c->host));
	if (!strcmp(t->key, "container"))
		return filter_match_text(t, c->name);
	if (!strcmp(t->key, "container.id"))
		return match_id(t, slice_of(c->id));
	if (!strcmp(t->key, "image"))
		return filter_match_text(t, c->image);
	if (!strcmp(t->key, "running"))
		return terms_match_flag(t, c->is_running);
	if (!strcmp(t->key, "privileged"))
		return terms_match_flag(t, c->is_privileged);
	if (!strcmp(t->key, "risk"))
		return filter_match_number(t, (int64_t)c->risk);
	if (!strcmp(t->key, "user"))
		return filter_match_text(t, c->user);
	if (!strcmp(t->key, "label"))
		return match_label(t, c->labels);
	return match_config(t, c->config);
}

struct place {
	uint64_t seen;
	char agent[64], id[LIMIT_NAME_BYTES + 1];
};

struct run {
	const struct filter *filter;
	struct arena *row;
	struct place at; /* the row we are at */
	bool only_running, by_risk;
	int (*fn)(void *arg, const struct store_container *c);
	void *arg;
};

static bool matches(const struct run *run, const struct store_container *c)
{
	if (run->only_running && !c->is_running)
		return false;
	for (size_t i = 0; i < run->filter->count; i++)
		if (!match_term(&run->filter->terms[i], c))
			return false;
	return true;
}

static int give_row(struct store *s, sqlite3_stmt *st, void *arg, struct err *err)
{
	struct run *run = arg;
	struct store_container c;

	arena_reset(run->row);
	read_row(st, run->row, &c);
	run->at.seen = run->by_risk ? c.risk : c.seen_unix_ns; /* what it is in the order of */
	(void)slice_copy(slice_of(c.agent), run->at.agent, sizeof(run->at.agent));
	(void)slice_copy(slice_of(c.id), run->at.id, sizeof(run->at.id));
	if (!matches(run, &c))
		return 0;
	int r = count_findings(s, &c, err);
	if (r >= 0)
		r = run->fn(run->arg, &c);
	return r < 0 ? r : 1;
}

/* "c" (in the order of risk "r") seen "." agent "." id */
static int read_cursor(const char *cursor, const char *kind, struct place *ret, struct err *err)
{
	struct slice rest = slice_of(cursor), seen, agent;

	if (!slice_starts(rest, slice_of(kind)))
		return paging_not_ours(err);
	rest = slice_sub(rest, 1, rest.n);
	if (!slice_split(&rest, '.', &seen) || !slice_to_u64(seen, &ret->seen) || ret->seen > INT64_MAX ||
	    !slice_split(&rest, '.', &agent) || !slice_copy(agent, ret->agent, sizeof(ret->agent)) ||
	    !slice_copy(rest, ret->id, sizeof(ret->id)))
		return paging_not_ours(err);
	return 0;
}

static bool speaks_of_rest(const struct filter *f)
{
	for (size_t i = 0; i < f->count; i++) {
		const char *key = f->terms[i].key;

		if (key && (!strcmp(key, "running") || !strcmp(key, "container.id")))
			return true;
	}
	return false;
}

int store_container_query(struct store *s, const struct store_query *q,
			  int (*fn)(void *arg, const struct store_container *c), void *arg, char *ret_cursor,
			  size_t cursor_size, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(FILTER_ARENA_BYTES), *row = arena_new(ROW_ARENA_BYTES);
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct run run = { .row = row, .at = { .seen = INT64_MAX }, .by_risk = q->by_risk, .fn = fn, .arg = arg };
	const char *kind = q->by_risk ? "r" : "c";
	struct filter f;

	if (!row)
		return err_set(err, ENOMEM, "container query");
	int r = paging_filter(q, container_keys, a, &f, err);
	if (r >= 0 && q->cursor && q->cursor[0])
		r = read_cursor(q->cursor, kind, &run.at, err);
	if (r < 0)
		return r;
	run.filter = &f;
	run.only_running = !speaks_of_rest(&f);
	r = DB_PREPARE(&s->state, &st, err,
		       q->by_risk ? "SELECT " CONTAINER_COLUMNS RISK_FROM " WHERE (r.score, r.agent, r.container) < (?1, ?2, ?3)"
				    " ORDER BY r.score DESC, r.agent DESC, r.container DESC" :
				    "SELECT " CONTAINER_COLUMNS CONTAINER_FROM " WHERE (c.seen, c.agent, c.id) < (?1, ?2, ?3)"
				    " ORDER BY c.seen DESC, c.agent DESC, c.id DESC",
		       B_INT(run.at.seen), B_STR(run.at.agent), B_STR(run.at.id));
	if (r < 0)
		return r;
	const struct paging p = { q->limit, BUDGET_EVERY, give_row, &run };
	r = paging_run(s, st, &p, err);
	if (r < 0)
		return r;
	ret_cursor[0] = 0;
	if (r)
		snprintf(ret_cursor, cursor_size, "%s%llu.%s.%.150s", kind, (unsigned long long)run.at.seen, run.at.agent,
			 run.at.id);
	return 0;
}

static int keep_row(struct store_container *c, struct arena *a, struct err *err)
{
	const char **texts[] = { &c->agent, &c->host, &c->id, &c->image_id, &c->image_digest, &c->engine, &c->labels };
	struct slice *slices[] = { &c->name, &c->image, &c->user };

	if (!arena_keep(a, texts, ARRAY_LEN(texts)))
		return err_set(err, ERR_LIMIT, "container");
	for (size_t i = 0; i < ARRAY_LEN(slices); i++) {
		const char *p = arena_dup(a, *slices[i]);

		if (!p)
			return err_set(err, ERR_LIMIT, "container");
		slices[i]->p = p;
	}
	return 0;
}

int store_container_get(struct store *s, const char *id_or_name, const char *host, struct arena *a,
			struct store_container *ret, struct err *err)
{
	struct slice want = slice_of(id_or_name);
	struct store_container c;
	{
		CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
		/* A range instead of a pattern: ids are hex, and the value is a person's. */
		int r = DB_PREPARE(&s->state, &st, err,
				   "SELECT " CONTAINER_COLUMNS CONTAINER_FROM " WHERE (c.id = ?1 OR c.name = ?2 OR (?3 AND c.id >= ?1"
				   " AND c.id < ?1 || 'g')) AND (?4 = '' OR a.host = ?4 OR a.id = ?4) ORDER BY " RUNS " DESC, c.seen DESC"
				   " LIMIT 1",
				   B_TEXT(want), B_BLOB(want), B_INT(want.n >= SHORT_ID), B_STR(host));

		if (r >= 0)
			r = db_step(&s->state, st, err);
		if (r < 0)
			return r;
		if (!r)
			return err_set(err, ERR_NOT_FOUND, "no container '%.80s'", id_or_name);
		read_row(st, a, &c);
		r = keep_row(&c, a, err);
		if (r < 0)
			return r;
	}
	*ret = c;
	return count_findings(s, ret, err);
}
