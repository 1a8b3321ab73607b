/* alerts_query.c - the inbox, filtered. The order is (last_seen, id); a cursor is the last row's. */
#include "collector/store/alerts_priv.h"
#include "collector/store/paging.h"
#include "collector/store/store_notify.h"
#include "common/json.h"

enum { FILTER_ARENA_BYTES = 256 * 1024, BUDGET_EVERY = 256, DOCUMENT_BYTES = 1024 * 1024 };

static const char *const alert_keys[] = { "id",	   "severity", "status",    "host",	"container",
					  "container.id", "image", "rule",   "source",	"assignee",
					  "priority",	  "title", "agent",  "count", "text",
					  "time",	  "since", "until",  NULL };

struct row {
	struct store_alert al;
	struct slice container, image;
};

static bool match_anywhere(const struct row *row, struct slice needle)
{
	const struct slice texts[] = { slice_of(row->al.rule),	   slice_of(row->al.title),
				       slice_of(row->al.host),	   slice_of(row->al.container_id),
				       row->container,		   row->image,
				       slice_of(row->al.assignee), slice_of(row->al.priority),
				       slice_of(row->al.document) };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (filter_contains(texts[i], needle))
			return true;
	return false;
}

/* Twelve digits or more of a container's id name it, as docker prints them. */
static bool match_container_id(const struct filter_term *t, const char *id)
{
	struct slice want = slice_of(t->value), have = slice_of(id);

	if (t->op == FILTER_EQ && want.n >= 12 && want.n < have.n)
		return slice_starts(have, want) != t->is_negated;
	return filter_match_text(t, have);
}

/* A scan's alert is of all the hosts and containers that run the image, a check's of all that fail it: they stand in
 * its document. */
static bool is_of_places(const struct store_alert *al)
{
	return !strcmp(al->source, "scan") || !strcmp(al->source, "audit") ||
	       (!strcmp(al->source, "policy") && strstr(al->document, "\"hosts\":["));
}

static bool match_places(const struct filter_term *t, const struct store_alert *al)
{
	CLEANUP(cJSON_Deletep) cJSON *document = NULL;
	bool is_not = t->is_negated != (t->op == FILTER_NE), is_host = !strcmp(t->key, "host");
	struct filter_term p = *t;
	const cJSON *host, *box;

	p.is_negated = false;
	p.op = t->op == FILTER_NE ? FILTER_EQ : t->op;
	if (json_parse(slice_of(al->document), DOCUMENT_BYTES, &document, NULL) < 0)
		return is_not;
	cJSON_ArrayForEach(host, cJSON_GetObjectItemCaseSensitive(document, "hosts"))
	{
		if (is_host && filter_match_text(&p, json_get_str(host, "name")))
			return !is_not;
		cJSON_ArrayForEach(box, cJSON_GetObjectItemCaseSensitive(host, "containers"))
		{
			if (!is_host && filter_match_text(&p, json_get_str(box, "name")))
				return !is_not;
		}
	}
	return is_not;
}

static bool match_term(const struct filter_term *t, const struct row *row, uint64_t now)
{
	const struct store_alert *al = &row->al;
	const struct {
		const char *key, *text;
	} texts[] = { { "status", al->status },	    { "host", al->host },
		      { "rule", al->rule },	    { "source", al->source },
		      { "assignee", al->assignee }, { "priority", al->priority },
		      { "title", al->title },	    { "agent", al->agent },
		      { "severity", msg_severity_name(al->severity) } };

	if (!t->key || !strcmp(t->key, "text"))
		return match_anywhere(row, slice_of(t->value)) != t->is_negated;
	if (is_of_places(al) && (!strcmp(t->key, "host") || !strcmp(t->key, "container")))
		return match_places(t, al);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!strcmp(t->key, texts[i].key))
			return filter_match_text(t, slice_of(texts[i].text));
	if (!strcmp(t->key, "container"))
		return filter_match_text(t, row->container);
	if (!strcmp(t->key, "image"))
		return filter_match_text(t, row->image);
	if (!strcmp(t->key, "container.id"))
		return match_container_id(t, al->container_id);
	if (!strcmp(t->key, "id"))
		return filter_match_number(t, al->id);
	if (!strcmp(t->key, "count"))
		return filter_match_number(t, (int64_t)al->count);
	return filter_match_time(t, now, al->last_seen_unix_ns);
}

static bool match_row(const struct filter *f, const struct row *row, uint64_t now)
{
	for (size_t i = 0; i < f->count; i++)
		if (!match_term(&f->terms[i], row, now))
			return false;
	return true;
}

/* The one status asked for, so that its index is used; NULL when the filter is wider. */
static const char *only_status(const struct filter *f)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct filter_term *t = &f->terms[i];

		if (t->key && !strcmp(t->key, "status") && t->op == FILTER_EQ && !t->is_negated)
			return t->value;
	}
	return NULL;
}

static const char *choose_sql(bool has_status, bool is_oldest_first)
{
	/* ?1 since, ?2 until, ?3 and ?4 the cursor, ?5 status */
	static const char *const sql[2][2] = {
		{ "SELECT " ALERT_COLUMNS " FROM alert WHERE last_seen BETWEEN ?1 AND ?2"
		  " AND (last_seen, id) < (?3, ?4) AND ?5 = '' ORDER BY last_seen DESC, id DESC",
		  "SELECT " ALERT_COLUMNS " FROM alert WHERE last_seen BETWEEN ?1 AND ?2"
		  " AND (last_seen, id) > (?3, ?4) AND ?5 = '' ORDER BY last_seen, id" },
		{ "SELECT " ALERT_COLUMNS " FROM alert WHERE status = ?5 AND last_seen BETWEEN ?1 AND ?2"
		  " AND (last_seen, id) < (?3, ?4) ORDER BY last_seen DESC, id DESC",
		  "SELECT " ALERT_COLUMNS " FROM alert WHERE status = ?5 AND last_seen BETWEEN ?1 AND ?2"
		  " AND (last_seen, id) > (?3, ?4) ORDER BY last_seen, id" },
	};

	return sql[has_status][is_oldest_first];
}

struct run {
	const struct filter *filter;
	uint64_t now;
	int (*fn)(void *arg, const struct store_alert *al);
	void *arg;
	int64_t seen, id; /* the row we are at */
};

static int give_row(struct store *s, sqlite3_stmt *st, void *arg, struct err *err)
{
	struct row row = { .container = db_blob(st, ALERT_CONTAINER), .image = db_blob(st, ALERT_IMAGE) };
	struct run *run = arg;

	alerts_read_row(st, &row.al);
	run->seen = (int64_t)row.al.last_seen_unix_ns;
	run->id = row.al.id;
	if (!match_row(run->filter, &row, run->now))
		return 0;
	int r = run->fn(run->arg, &row.al);
	return r < 0 ? r : 1;
}

int store_alert_query(struct store *s, const struct store_query *q,
		      int (*fn)(void *arg, const struct store_alert *al), void *arg, char *ret_cursor,
		      size_t cursor_size, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(FILTER_ARENA_BYTES);
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint64_t now = clock_unix_ns(s->clk);
	uint64_t since = q->since_unix_ns, until = q->until_unix_ns;
	int64_t first = q->oldest_first ? -1 : INT64_MAX, at[2] = { first, first };
	struct filter f;

	int r = paging_filter(q, alert_keys, a, &f, err);
	if (r >= 0)
		r = paging_cursor(q, 'a', at, 2, err);
	if (r < 0)
		return r;
	filter_window(&f, now, &since, &until);
	const char *status = only_status(&f);
	r = DB_PREPARE(&s->state, &st, err, choose_sql(status != NULL, q->oldest_first),
		       B_INT(since > INT64_MAX ? INT64_MAX : since),
		       B_INT(!until || until > INT64_MAX ? INT64_MAX : until), B_INT(at[0]), B_INT(at[1]),
		       B_STR(status));
	if (r < 0)
		return r;
	struct run run = { &f, now, fn, arg, 0, 0 };
	const struct paging p = { q->limit, BUDGET_EVERY, give_row, &run };
	r = paging_run(s, st, &p, err);
	if (r < 0)
		return r;
	snprintf(ret_cursor, cursor_size, r ? "a%lld.%lld" : "", (long long)run.seen, (long long)run.id);
	return 0;
}

/* ---- one alert against filters: of notification routes ---- */

int store_alert_filter(struct slice text, struct arena *a, struct filter *ret, struct err *err)
{
	return filter_parse(text, alert_keys, a, ret, err);
}

int store_alert_matches(struct store *s, int64_t id, const struct filter *const *filters, size_t count, bool *ret,
			struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint64_t now = clock_unix_ns(s->clk);
	int r = DB_PREPARE(&s->state, &st, err, "SELECT " ALERT_COLUMNS " FROM alert WHERE id = ?", B_INT(id));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r < 0 ? r : err_set(err, ERR_NOT_FOUND, "no alert %lld", (long long)id);
	struct row row = { .container = db_blob(st, ALERT_CONTAINER), .image = db_blob(st, ALERT_IMAGE) };
	alerts_read_row(st, &row.al);
	for (size_t i = 0; i < count; i++)
		ret[i] = match_row(filters[i], &row, now);
	return 0;
}
