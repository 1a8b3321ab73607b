/* backtest.c - see backtest.h. */
#include "collector/correlate/backtest.h"

#include <errno.h>

#include "common/text.h"

enum { ARENA_BYTES = 16 << 20, GROUP_BYTES = 4096, CURSOR_BYTES = 300 };

struct tally {
	uint64_t fired, first_unix_ns, last_unix_ns;
};
struct firing {
	uint32_t rule;
	uint64_t time_unix_ns;
	double value;
	const char *group;
};
struct backtest {
	struct store *store;
	struct backtest_config cfg;
	struct ruleset *rules;
	struct engine *engine;
	struct arena *arena, *event_arena; /* arena: groups of firings */
	unsigned *matched;
	struct tally *tallies; /* by document */
	struct firing firings[BACKTEST_FIRINGS_MAX];
	size_t firing_count;
	uint64_t events, late, fired, at_unix_ns;
	char cursor[CURSOR_BYTES];
	const char *filter; /* "type=exec": rules ask for nothing else */
	bool is_over;
};

/* ---- what fired ---- */

static void note(struct backtest *b, uint32_t rule, uint64_t time_unix_ns, double value, struct slice group)
{
	struct tally *t = &b->tallies[rule];

	if (!b->rules->rules[rule].is_told)
		return;
	b->fired++;
	t->fired++;
	if (!t->first_unix_ns || time_unix_ns < t->first_unix_ns)
		t->first_unix_ns = time_unix_ns;
	if (time_unix_ns > t->last_unix_ns)
		t->last_unix_ns = time_unix_ns;
	if (b->firing_count == BACKTEST_FIRINGS_MAX)
		return;
	const char *kept = arena_dup(b->arena, group);
	if (kept)
		b->firings[b->firing_count++] = (struct firing){ rule, time_unix_ns, value, kept };
}

static void on_fired(void *arg, const struct engine_match *m)
{
	struct backtest *b = arg;
	CLEANUP(buf_finip) struct buf group = { 0 };
	const struct correlation *c = b->rules->rules[m->rule].correlation;
	struct json j;

	buf_init(&group, GROUP_BYTES * CORRELATION_GROUP_MAX);
	json_init(&j, &group);
	json_object_open(&j);
	for (size_t i = 0; i < m->group_count; i++) {
		json_key(&j, c->group_by.items[i]);
		if (m->group[i].kind == ENGINE_TEXT)
			json_str(&j, slice_sub(m->group[i].text, 0, GROUP_BYTES / 8));
		else if (m->group[i].kind == ENGINE_INT)
			json_i64(&j, m->group[i].i);
		else
			json_f64(&j, m->group[i].real);
	}
	json_object_close(&j);
	note(b, m->rule, (uint64_t)m->time_ns, m->value, group.failed ? SLICE_LIT("{}") : buf_slice(&group));
}

/* ---- events ---- */

static void get(const void *arg, unsigned field, struct engine_value *ret)
{
	ruleset_value(arg, field, ret);
}

static void note_match(struct backtest *b, uint32_t rule, const struct observed *o)
{
	CLEANUP(buf_finip) struct buf group = { 0 };
	struct json j;

	json_init(&j, &group);
	json_object_open(&j);
	json_kv_str(&j, "host", o->host);
	if (o->container && o->container->name.len)
		json_kv_slice(&j, "container.name", slice_sub(msg_slice(o->container->name), 0, GROUP_BYTES / 8));
	json_object_close(&j);
	note(b, rule, o->record->time_unix_ns, 1, buf_slice(&group));
}

static void feed(struct backtest *b, const struct observed *o, const struct store_event *e, bool is_first)
{
	size_t n = ruleset_match(b->rules, o, b->matched), named = 0;

	for (size_t i = 0; i < n; i++) {
		const struct ruleset_rule *x = &b->rules->rules[b->matched[i]];

		if (x->is_told)
			note_match(b, b->matched[i], o);
		if (x->is_named)
			b->matched[named++] = b->matched[i];
	}
	if (!named)
		return;
	const struct engine_event ev = { .time_ns = (int64_t)o->record->time_unix_ns,
					 .ref = is_first ? (struct engine_ref){ slice_of(e->agent), e->epoch, e->seq } :
							   (struct engine_ref){ .epoch = 0 },
					 .rules = b->matched,
					 .rule_count = named,
					 .get = get,
					 .arg = o };
	b->late += engine_event(b->engine, &ev) == ENGINE_LATE;
}

static int on_event(void *arg, const struct store_event *e)
{
	struct backtest *b = arg;
	size_t count = observed_count(e->record);

	/* One clock that is ahead must not end the windows of all. */
	if (e->record->time_unix_ns > b->cfg.until_unix_ns)
		return 0;
	for (size_t i = 0; i < count; i++) {
		struct observed o;

		arena_reset(b->event_arena);
		observed_init(&o, e->agent, e->host, e->record, i, b->event_arena);
		o.world = b->cfg.world;
		feed(b, &o, e, !i);
	}
	b->events++;
	if (e->record->time_unix_ns > b->at_unix_ns)
		b->at_unix_ns = e->record->time_unix_ns;
	return 0;
}

int backtest_step(struct backtest *b, struct err *err)
{
	char next[CURSOR_BYTES] = "";
	const struct store_query q = { .filter = slice_of(b->filter),
				       .since_unix_ns = b->cfg.since_unix_ns,
				       .until_unix_ns = b->cfg.until_unix_ns,
				       .limit = BACKTEST_SLICE_ROWS,
				       .cursor = b->cursor[0] ? b->cursor : NULL,
				       .oldest_first = true };

	if (b->is_over)
		return 0;
	int r = store_history_query(b->store, &q, on_event, b, next, sizeof(next), err);
	if (r < 0)
		return r;
	(void)slice_copy(slice_of(next), b->cursor, sizeof(b->cursor));
	if (next[0])
		return 1;
	b->is_over = true;
	engine_advance(b->engine, (int64_t)b->cfg.until_unix_ns);
	return 0;
}

/* ---- the whole ---- */

/* Where all rules look at one type of records, the history need not open the others. */
static const char *filter_for(const struct ruleset *rs)
{
	static const struct {
		uint32_t sources;
		const char *filter;
	} types[] = {
		{ 1U << DETECT_SOURCE_PROCESS, "type=exec" },
		{ 1U << DETECT_SOURCE_EXIT, "type=exit" },
		{ 1U << DETECT_SOURCE_NETWORK, "type=network" },
		{ 1U << DETECT_SOURCE_FILE | 1U << DETECT_SOURCE_FILE_ACCESS | 1U << DETECT_SOURCE_FILE_DELETE, "type=file" },
		{ 1U << DETECT_SOURCE_FINDING, "type=finding" },
		{ 1U << DETECT_SOURCE_ADMISSION, "type=admission" },
		{ 1U << DETECT_SOURCE_AUDIT, "type=audit" },
		{ 1U << DETECT_SOURCE_TRAFFIC, "type=traffic" },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (rs->wants && !(rs->wants & ~types[i].sources))
			return types[i].filter;
	return "";
}

int backtest_new(struct store *s, const struct backtest_config *cfg, struct ruleset *rules, struct backtest **ret, struct err *err)
{
	CLEANUP(backtest_freep) struct backtest *b = calloc(1, sizeof(*b));
	/* As it is in force: a group is armed again after as long a silence. */
	struct engine_config ec = { .bytes_max = cfg->bytes_max, .lateness_ns = cfg->lateness_ns, .close_ns = cfg->lateness_ns };

	if (!b)
		return err_set(err, ENOMEM, "backtest");
	*b = (struct backtest){ .store = s, .cfg = *cfg, .at_unix_ns = cfg->since_unix_ns };
	b->arena = arena_new(ARENA_BYTES);
	b->event_arena = arena_new(OBSERVED_ARENA_BYTES);
	b->matched = calloc(detect_set_count(rules->set) + 1, sizeof(*b->matched));
	b->tallies = calloc(rules->count + 1, sizeof(*b->tallies));
	if (!b->arena || !b->event_arena || !b->matched || !b->tallies)
		return err_set(err, ENOMEM, "backtest");
	text_random(ec.seed, sizeof(ec.seed));
	int r = engine_new(&ec, rules->documents, rules->count, on_fired, b, &b->engine, err);
	if (r < 0)
		return r;
	b->rules = rules;
	b->filter = filter_for(rules);
	*ret = take_ptr(b);
	return 0;
}

void backtest_free(struct backtest *b)
{
	if (!b)
		return;
	engine_free(b->engine);
	ruleset_free(b->rules);
	arena_free(b->arena);
	arena_free(b->event_arena);
	free(b->matched);
	free(b->tallies);
	free(b);
}

/* ---- told ---- */

static double progress(const struct backtest *b)
{
	uint64_t all = b->cfg.until_unix_ns - b->cfg.since_unix_ns, done = b->at_unix_ns - b->cfg.since_unix_ns;

	return b->is_over || !all ? 1 : (double)(done < all ? done : all) / (double)all;
}

static void add_rules(const struct backtest *b, struct json *j)
{
	json_kv_array(j, "rules");
	for (size_t i = 0; i < b->rules->count; i++) {
		if (!b->rules->rules[i].is_told)
			continue;
		json_object_open(j);
		json_kv_str(j, "rule", sigma_rule_label(b->rules->rules[i].rule));
		json_kv_str(j, "name", b->rules->rules[i].name);
		json_kv_u64(j, "fired", b->tallies[i].fired);
		json_kv_time(j, "first", b->tallies[i].first_unix_ns);
		json_kv_time(j, "last", b->tallies[i].last_unix_ns);
		json_object_close(j);
	}
	json_array_close(j);
}

void backtest_json(const struct backtest *b, struct json *j)
{
	uint64_t evicted = 0;

	json_kv_time(j, "since", b->cfg.since_unix_ns);
	json_kv_time(j, "until", b->cfg.until_unix_ns);
	json_kv_time(j, "at", b->at_unix_ns);
	json_key(j, "progress");
	json_f64(j, progress(b));
	json_kv_u64(j, "events", b->events);
	json_kv_u64(j, "late", b->late);
	json_kv_u64(j, "fired", b->fired);
	for (size_t i = 0; i < b->rules->count; i++) {
		struct engine_rule_stats st;

		if (!b->rules->rules[i].correlation)
			continue;
		engine_rule_stats(b->engine, (uint32_t)i, &st);
		evicted += st.evicted;
	}
	json_kv_u64(j, "evicted", evicted);
	add_rules(b, j);
	json_kv_array(j, "items");
	for (size_t i = 0; i < b->firing_count; i++) {
		json_object_open(j);
		json_kv_str(j, "rule", sigma_rule_label(b->rules->rules[b->firings[i].rule].rule));
		json_kv_time(j, "time", b->firings[i].time_unix_ns);
		json_key(j, "group");
		json_raw(j, slice_of(b->firings[i].group));
		json_key(j, "value");
		json_f64(j, b->firings[i].value);
		json_object_close(j);
	}
	json_array_close(j);
}
