/* alerts_query.c - the inbox, filtered. The order is (last_seen, id); a cursor is the last row's. */
#include "collector/store/alerts_priv.h"
#include "collector/store/paging.h"
#include "collector/store/store_notify.h"

enum { FILTER_ARENA_BYTES = 256 * 1024, BUDGET_EVERY = 256 };

/* What the filter says must be equal, so that an index of it is used. */
enum by { BY_NOTHING, BY_STATUS, BY_RULE, BY_HOST };

static const char *only(const struct filter *f, const char *key)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct filter_term *t = &f->terms[i];

		if (t->key && !strcmp(t->key, key) && t->op == FILTER_EQ && !t->is_negated)
			return t->value;
	}
	return NULL;
}

static enum by choose_index(const struct filter *f, const char **ret_value)
{
	static const struct {
		enum by by;
		const char *key;
	} order[] = { { BY_RULE, "rule" }, { BY_HOST, "host" }, { BY_STATUS, "status" } };

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		*ret_value = only(f, order[i].key);
		if (*ret_value)
			return order[i].by;
	}
	*ret_value = NULL;
	return BY_NOTHING;
}

/* ?1 since, ?2 until, ?3 and ?4 the cursor, ?5 what must be equal */
#define FROM_THE_INBOX "SELECT " ALERT_COLUMNS " FROM alert WHERE last_seen BETWEEN ?1 AND ?2 AND (last_seen, id) "
#define NEWEST FROM_THE_INBOX "< (?3, ?4) AND "
#define OLDEST FROM_THE_INBOX "> (?3, ?4) AND "
#define NEWEST_ORDER " ORDER BY last_seen DESC, id DESC"
#define OLDEST_ORDER " ORDER BY last_seen, id"
#define OF_PLACES "source IN ('scan', 'audit', 'policy')"

/* Two of one name differ: filters compare without the letters' case only where they say ~. */
static const char *choose_sql(enum by by, bool is_oldest_first)
{
	static const char *const sql[][2] = {
		[BY_NOTHING] = { NEWEST "?5 = ''" NEWEST_ORDER, OLDEST "?5 = ''" OLDEST_ORDER },
		[BY_STATUS] = { NEWEST "status = ?5" NEWEST_ORDER, OLDEST "status = ?5" OLDEST_ORDER },
		[BY_RULE] = { NEWEST "rule = ?5" NEWEST_ORDER, OLDEST "rule = ?5" OLDEST_ORDER },
		/* Each half in the order of an index of its own; SQLite merges them. */
		[BY_HOST] = { NEWEST "host = ?5 AND NOT (" OF_PLACES ") UNION ALL " NEWEST OF_PLACES NEWEST_ORDER,
			      OLDEST "host = ?5 AND NOT (" OF_PLACES ") UNION ALL " OLDEST OF_PLACES OLDEST_ORDER },
	};

	return sql[by][is_oldest_first];
}

struct run {
	const struct filter *filter;
	uint64_t now;
	bool asks_silenced;
	int (*fn)(void *arg, const struct store_alert *al);
	void *arg;
	int64_t seen, id; /* the row we are at */
};

static int give_row(struct store *s, sqlite3_stmt *st, void *arg, struct err *err)
{
	struct store_alert al;
	struct run *run = arg;

	(void)err;
	alerts_read_light(st, &al);
	run->seen = (int64_t)al.last_seen_unix_ns;
	run->id = al.id;
	if (run->asks_silenced)
		al.silence = silences_of(s, &al, st, run->now);
	if (!alerts_match(run->filter, &al, st, run->now))
		return 0;
	int64_t silence = run->asks_silenced ? al.silence : silences_of(s, &al, st, run->now);
	alerts_read_row(st, &al);
	al.silence = silence;
	int r = run->fn(run->arg, &al);
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
	const char *value;
	enum by by = choose_index(&f, &value);
	r = DB_PREPARE(&s->state, &st, err, choose_sql(by, q->oldest_first),
		       B_INT(since > INT64_MAX ? INT64_MAX : since),
		       B_INT(!until || until > INT64_MAX ? INT64_MAX : until), B_INT(at[0]), B_INT(at[1]),
		       B_STR(value));
	if (r < 0)
		return r;
	struct run run = { &f, now, alerts_asks_silenced(&f), fn, arg, 0, 0 };
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
	struct store_alert al;
	bool asks = false;

	alerts_read_light(st, &al);
	for (size_t i = 0; i < count; i++)
		asks |= alerts_asks_silenced(filters[i]);
	if (asks)
		al.silence = silences_of(s, &al, st, now);
	for (size_t i = 0; i < count; i++)
		ret[i] = alerts_match(filters[i], &al, st, now);
	return 0;
}
