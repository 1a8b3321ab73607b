/* inhibit.c - open alerts that make others not worth telling. Whoever may inhibit stands in a row by (rule, values
 * that must be equal), so that a storm of targets costs one look each, whatever the number of alerts. */
#include <errno.h>
#include <inttypes.h>

#include "collector/store/alerts_priv.h"
#include "collector/store/store_quiet.h"

enum { SLICE_IDS = 2000, CANDIDATES = 20, ROW_ARENA_BYTES = 2 * 1024 * 1024, KEY_BYTES = 8192 };

struct inhibit_rule {
	int64_t hash; /* of all it says: another text is another rule */
	char name[64];
	struct store_matcher *source, *target;
	char equal[STORE_EQUAL_MAX][16];
	size_t equal_count;
};
struct inhibit {
	struct inhibit_rule rules[STORE_INHIBITIONS_MAX];
	size_t count;
};

void inhibit_free(struct store *s)
{
	for (size_t i = 0; s->inhibit && i < s->inhibit->count; i++) {
		store_matcher_free(s->inhibit->rules[i].source);
		store_matcher_free(s->inhibit->rules[i].target);
	}
	free(s->inhibit);
	s->inhibit = NULL;
}

static const char *value_of(const struct store_alert *al, const char *field)
{
	const struct {
		const char *field, *value;
	} all[] = { { "host", al->host },   { "container", al->container }, { "container.id", al->container_id },
		    { "image", al->image }, { "rule", al->rule },	    { "agent", al->agent },
		    { "source", al->source }, { "severity", msg_severity_name(al->severity) } };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i].field, field))
			return all[i].value ? all[i].value : "";
	return NULL;
}

static int read_rule(const struct store_inhibition *from, struct inhibit_rule *to, struct err *err)
{
	static const struct store_alert none = { .host = "" };
	uint64_t hash = slice_hash(slice_of(from->source)) * 31 + slice_hash(slice_of(from->target));

	if (!from->name || !from->name[0] || !slice_copy(slice_of(from->name), to->name, sizeof(to->name)))
		return err_set(err, ERR_SYNTAX, "a rule of inhibition needs a name of at most %zu bytes", sizeof(to->name) - 1);
	if (!from->source || !from->target || from->equal_count > STORE_EQUAL_MAX)
		return err_set(err, ERR_SYNTAX, "inhibition '%s' needs source and target, and at most %d equal fields",
			       from->name, STORE_EQUAL_MAX);
	for (size_t i = 0; i < from->equal_count; i++) {
		if (!value_of(&none, from->equal[i]) && strcmp(from->equal[i], "host") != 0)
			return err_set(err, ERR_SYNTAX,
				       "inhibition '%s': equal: '%.40s' is none of host, container, container.id, image, rule,"
				       " agent, source, severity", from->name, from->equal[i]);
		slice_copy(slice_of(from->equal[i]), to->equal[i], sizeof(to->equal[i]));
		hash = hash * 31 + slice_hash(slice_of(from->equal[i]));
	}
	to->equal_count = from->equal_count;
	to->hash = (int64_t)(hash >> 1);
	int r = store_matcher_new(slice_of(from->source), &to->source, err);
	if (r < 0)
		return err_wrap(err, r, "inhibition '%s': source", from->name);
	r = store_matcher_new(slice_of(from->target), &to->target, err);
	return r < 0 ? err_wrap(err, r, "inhibition '%s': target", from->name) : 0;
}

/* Rules that are no longer there leave nothing; new ones look at what was there before them. */
static int take_over(struct store *s, struct err *err)
{
	int r = db_run(&s->state, "UPDATE inhibit_rule SET at = -1 - at WHERE at >= 0", NULL, 0, err);

	for (size_t i = 0; i < s->inhibit->count && r >= 0; i++) {
		r = DB_RUN(&s->state, err, "UPDATE inhibit_rule SET at = -1 - at WHERE rule = ? AND at < 0",
			   B_INT(s->inhibit->rules[i].hash));
		if (r >= 0)
			r = DB_RUN(&s->state, err,
				   "INSERT OR IGNORE INTO inhibit_rule(rule, at) VALUES (?, (SELECT ifnull(max(id), 0) + 1 FROM alert))",
				   B_INT(s->inhibit->rules[i].hash));
	}
	if (r >= 0)
		r = db_run(&s->state, "DELETE FROM inhibit_source WHERE rule IN (SELECT rule FROM inhibit_rule WHERE at < 0)",
			   NULL, 0, err);
	return r < 0 ? r : db_run(&s->state, "DELETE FROM inhibit_rule WHERE at < 0", NULL, 0, err);
}

int store_inhibitions_set(struct store *s, const struct store_inhibition *rules, size_t count, struct err *err)
{
	bool is_own;
	int r = 0;

	if (count > STORE_INHIBITIONS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d rules of inhibition", STORE_INHIBITIONS_MAX);
	inhibit_free(s);
	s->inhibit = calloc(1, sizeof(*s->inhibit));
	if (!s->inhibit)
		return err_set(err, ENOMEM, "inhibition");
	for (size_t i = 0; i < count && r >= 0; i++) {
		s->inhibit->count++;
		r = read_rule(&rules[i], &s->inhibit->rules[i], err);
	}
	if (r < 0 || (r = store_own_begin(s, &is_own, err)) < 0) {
		inhibit_free(s);
		return r;
	}
	return store_own_end(s, is_own, take_over(s, err), err);
}

static bool write_key(struct buf *out, const struct inhibit_rule *rule, const struct store_alert *al)
{
	buf_reset(out);
	for (size_t i = 0; i < rule->equal_count; i++) {
		/* Length first, so that no name can pass for two. */
		const char *value = value_of(al, rule->equal[i]);

		buf_printf(out, "%zu:%s", strlen(value), value);
	}
	return !out->failed;
}

static int note(struct store *s, const struct inhibit_rule *rule, const struct store_alert *al, struct err *err)
{
	CLEANUP(buf_finip) struct buf key = { 0 };

	buf_init(&key, KEY_BYTES);
	if (!store_matcher_matches(rule->source, al, clock_unix_ns(s->clk)) || !write_key(&key, rule, al))
		return 0;
	return DB_RUN(&s->state, err, "INSERT OR IGNORE INTO inhibit_source(rule, key, alert) VALUES (?,?,?)",
		      B_INT(rule->hash), B_TEXT(buf_slice(&key)), B_INT(al->id));
}

int store_inhibit_note(struct store *s, const struct store_alert *al, struct err *err)
{
	int r = 0;

	for (size_t i = 0; s->inhibit && i < s->inhibit->count && r >= 0; i++)
		r = note(s, &s->inhibit->rules[i], al, err);
	return r;
}

/* Of two that are source and target both neither inhibits the other. */
static int is_also_target(struct store *s, const struct inhibit_rule *rule, int64_t id, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_alert other;
	int r = a ? store_alert_get(s, id, a, &other, err) : err_set(err, ENOMEM, "inhibition");

	return r < 0 ? r : store_matcher_matches(rule->target, &other, clock_unix_ns(s->clk));
}

static int sources_of(struct store *s, const struct inhibit_rule *rule, const struct store_alert *al, int64_t *ids,
		      size_t *ret_count, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	CLEANUP(buf_finip) struct buf key = { 0 };

	*ret_count = 0;
	buf_init(&key, KEY_BYTES);
	if (!write_key(&key, rule, al))
		return 0;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT i.alert FROM inhibit_source i JOIN alert a ON a.id = i.alert WHERE i.rule = ? AND i.key = ?"
			   " AND i.alert <> ?3 AND a.status <> 'resolved'"
			   /* what it holds back itself, by another rule, holds it back no less: nobody would hear of either */
			   " AND NOT EXISTS (SELECT 1 FROM alert_held h WHERE h.alert = i.alert AND h.kind = ?4 AND h.holder = ?3)"
			   " LIMIT ?5",
			   B_INT(rule->hash), B_TEXT(buf_slice(&key)), B_INT(al->id), B_INT(HOLD_INHIBITION), B_INT(CANDIDATES));
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0)
		ids[(*ret_count)++] = sqlite3_column_int64(st, 0);
	return r;
}

static int inhibited_by(struct store *s, const struct inhibit_rule *rule, const struct store_alert *al, int64_t *ret_by,
			struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int64_t ids[CANDIDATES];
	size_t count;

	if (!store_matcher_matches(rule->target, al, now))
		return 0;
	int r = sources_of(s, rule, al, ids, &count, err);
	bool is_both = r >= 0 && count && store_matcher_matches(rule->source, al, now);
	for (size_t i = 0; i < count && r >= 0; i++) {
		r = is_both ? is_also_target(s, rule, ids[i], err) : 0;
		if (r == 0) {
			*ret_by = ids[i];
			return 1;
		}
	}
	return r < 0 ? r : 0;
}

int store_inhibit_by(struct store *s, const struct store_alert *al, int64_t *ret_by, const char **ret_rule,
		     struct err *err)
{
	int r = 0;

	for (size_t i = 0; s->inhibit && i < s->inhibit->count && !r; i++) {
		*ret_rule = s->inhibit->rules[i].name;
		r = inhibited_by(s, &s->inhibit->rules[i], al, ret_by, err);
	}
	return r;
}

/* ---- alerts that were there before the rule ---- */

/* The next one below *at, at most SLICE_IDS further down: 1, copied. 0: none in this slice. */
static int before(struct store *s, int64_t at, int64_t last, int64_t *ret, struct err *err)
{
	int r = DB_NUMBER(&s->state, ret, err,
			  "SELECT id FROM alert WHERE id < ? AND id >= ? AND status <> 'resolved' ORDER BY id DESC LIMIT 1",
			  B_INT(at), B_INT(last));

	return r < 0 ? r : *ret != 0;
}

static int catch_up(struct store *s, const struct inhibit_rule *rule, int64_t at, struct err *err)
{
	int64_t last = at > SLICE_IDS ? at - SLICE_IDS : 0, id;
	int r;

	while ((r = before(s, at, last, &id, err)) > 0) {
		CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
		struct store_alert al;

		r = a ? store_alert_get(s, id, a, &al, err) : err_set(err, ENOMEM, "inhibition");
		if (r >= 0)
			r = note(s, rule, &al, err);
		if (r < 0)
			return r;
		at = id;
	}
	if (r >= 0)
		r = DB_RUN(&s->state, err, "UPDATE inhibit_rule SET at = ?2 WHERE rule = ?1", B_INT(rule->hash), B_INT(last));
	return r < 0 ? r : 1;
}

int store_inhibit_catch_up(struct store *s, struct err *err)
{
	bool is_own;
	int64_t at = 0;
	int r = 0;

	for (size_t i = 0; s->inhibit && i < s->inhibit->count; i++) {
		const struct inhibit_rule *rule = &s->inhibit->rules[i];

		r = DB_NUMBER(&s->state, &at, err, "SELECT at FROM inhibit_rule WHERE rule = ?", B_INT(rule->hash));
		if (r < 0)
			return r;
		if (!at)
			continue;
		r = store_own_begin(s, &is_own, err);
		return r < 0 ? r : store_own_end(s, is_own, catch_up(s, rule, at, err), err);
	}
	return 0;
}
