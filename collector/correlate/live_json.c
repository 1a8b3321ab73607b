/* live_json.c - the rules in force as people ask for them. */
#include "collector/correlate/live_priv.h"

#include <errno.h>
#include <inttypes.h>

enum { GROUPS_SHOWN = 50, TEXT_BYTES = 4096 };

const char *live_error(const struct live *l)
{
	return l->stats.error;
}

void live_stats(const struct live *l, struct live_stats *ret)
{
	struct engine_stats st;

	*ret = l->stats;
	engine_stats(l->engine, &st);
	ret->detections = l->rules->detections;
	ret->correlations = l->rules->correlations;
	ret->groups = st.groups;
	ret->bytes = st.bytes;
	ret->bytes_max = l->cfg.bytes_max;
	ret->late = st.late;
	ret->overruns = detect_set_overruns(l->rules->set);
	ret->evicted = ret->no_group = ret->overflowed = 0;
	for (size_t i = 0; i < l->rules->count; i++) {
		struct engine_rule_stats one;

		if (!l->rules->rules[i].correlation)
			continue;
		engine_rule_stats(l->engine, (uint32_t)i, &one);
		ret->evicted += one.evicted;
		ret->no_group += one.no_group;
		ret->overflowed += one.overflowed;
	}
}

const struct observed_world *live_world(struct live *l)
{
	return live_world_ops(l->world);
}

const struct ruleset *live_rules(const struct live *l)
{
	return l->rules;
}

/* ---- list ---- */

static void add_rule(struct json *j, const struct ruleset_rule *x)
{
	const struct sigma_rule *r = x->rule;
	char place[300];

	snprintf(place, sizeof(place), "%.250s:%u", r->file, r->line);
	json_kv_str(j, "id", r->id);
	json_kv_str(j, "name", r->name);
	json_kv_str(j, "title", sigma_rule_label(r));
	json_kv_str(j, "level", sigma_level_name(r->level));
	json_kv_str(j, "status", sigma_status_name(r->status));
	json_kv_str(j, "file", place);
	json_kv_bool(j, "alerts", x->is_told);
}

static void add_correlation(struct json *j, const struct live *l, size_t at)
{
	const struct correlation *c = l->rules->rules[at].correlation;
	struct engine_rule_stats st;

	engine_rule_stats(l->engine, (uint32_t)at, &st);
	json_kv_str(j, "type", correlation_type_name(c->type));
	json_kv_u64(j, "timespan_seconds", (uint64_t)(c->timespan_ns / 1000000000));
	json_kv_array(j, "group_by");
	for (size_t i = 0; i < c->group_by.count; i++)
		json_str(j, slice_of(c->group_by.items[i]));
	json_array_close(j);
	json_kv_u64(j, "hits", st.hits);
	json_kv_u64(j, "groups", st.groups);
	json_kv_u64(j, "bytes", st.bytes);
	json_kv_u64(j, "evicted", st.evicted);
	json_kv_u64(j, "overflowed", st.overflowed);
	json_kv_u64(j, "late", st.late);
	json_kv_u64(j, "without_group", st.no_group);
	json_kv_u64(j, "without_value", st.no_value);
	json_kv_u64(j, "suppressed", st.suppressed);
}

static int add_item(struct json *j, struct live *l, size_t at, struct err *err)
{
	const struct ruleset_rule *x = &l->rules->rules[at];
	uint64_t fired, last;
	int r = store_rule_last(l->store, x->name, &fired, &last, err);

	if (r < 0)
		return r;
	json_object_open(j);
	add_rule(j, x);
	if (x->correlation) {
		add_correlation(j, l, at);
	} else {
		json_kv_str(j, "source", detect_source_name(x->source));
		json_kv_bool(j, "can_match", x->can_match);
		json_kv_bool(j, "correlated", x->is_named);
	}
	json_kv_u64(j, "fired", fired);
	json_kv_time(j, "last_fired", last);
	json_object_close(j);
	return 0;
}

int live_list_json(struct live *l, bool is_correlations, struct buf *out, struct err *err)
{
	struct json j;
	int r = 0;

	json_init(&j, out);
	json_object_open(&j);
	json_kv_array(&j, "items");
	for (size_t i = 0; i < l->rules->count && r >= 0; i++)
		if (is_correlations == (l->rules->rules[i].correlation != NULL))
			r = add_item(&j, l, i, err);
	json_array_close(&j);
	json_kv_str(&j, "cursor", "");
	json_kv_u64(&j, "error_count", l->stats.error_count);
	json_kv_str(&j, "error", l->stats.error);
	json_kv_time(&j, "loaded", l->stats.reloaded_unix_ns);
	json_object_close(&j);
	return r < 0 ? r : out->failed ? err_set(err, ERR_LIMIT, "there are too many rules for one answer") : 0;
}

/* ---- explain ---- */

struct groups {
	struct json *j;
	const struct correlation *c;
	size_t count;
};

static void add_value(struct json *j, const struct engine_value *v)
{
	if (v->kind == ENGINE_TEXT)
		json_str(j, v->text);
	else if (v->kind == ENGINE_INT)
		json_i64(j, v->i);
	else if (v->kind == ENGINE_REAL)
		json_f64(j, v->real);
	else
		json_null(j);
}

static bool on_group(void *arg, const struct engine_value *group, size_t count, size_t events, bool is_active)
{
	struct groups *g = arg;

	json_object_open(g->j);
	json_kv_object(g->j, "group");
	for (size_t i = 0; i < count; i++) {
		json_key(g->j, g->c->group_by.items[i]);
		add_value(g->j, &group[i]);
	}
	json_object_close(g->j);
	json_kv_u64(g->j, "events", events);
	json_kv_bool(g->j, "active", is_active);
	json_object_close(g->j);
	return ++g->count < GROUPS_SHOWN;
}

static int explain_groups(struct live *l, size_t at, struct buf *out, struct err *err)
{
	struct json j;
	struct groups g = { .j = &j, .c = l->rules->rules[at].correlation };

	json_init(&j, out);
	json_object_open(&j);
	json_kv_str(&j, "rule", sigma_rule_label(l->rules->rules[at].rule));
	json_kv_array(&j, "groups");
	engine_each_group(l->engine, (uint32_t)at, on_group, &g);
	json_array_close(&j);
	json_object_close(&j);
	return out->failed ? err_set(err, ERR_LIMIT, "the answer is too large") : 0;
}

/* A number counts as one where the group's value is one: of both the one that has a group is taken. */
static void read_value(struct slice text, bool as_number, struct engine_value *ret)
{
	bool is_negative = slice_starts(text, SLICE_LIT("-"));
	uint64_t n;

	*ret = (struct engine_value){ .kind = ENGINE_TEXT, .text = text };
	if (as_number && slice_to_u64(slice_sub(text, is_negative, text.n), &n) && n <= INT64_MAX)
		*ret = (struct engine_value){ .kind = ENGINE_INT, .i = is_negative ? -(int64_t)n : (int64_t)n };
}

static int find_values(const struct correlation *c, const struct slice *group, size_t count, bool as_number,
		       struct engine_value *ret, struct err *err)
{
	for (size_t k = 0; k < count; k += 2) {
		bool is_known = false;

		for (size_t i = 0; i < c->group_by.count; i++)
			is_known |= slice_is(group[k], c->group_by.items[i]);
		if (!is_known)
			return err_set(err, ERR_SYNTAX, "'%.*s' is no field of its group-by", SLICE_FMT(group[k]));
	}
	for (size_t i = 0; i < c->group_by.count; i++) {
		const struct slice *value = NULL;

		for (size_t k = 0; k < count; k += 2)
			if (slice_is(group[k], c->group_by.items[i]))
				value = &group[k + 1];
		if (!value)
			return err_set(err, ERR_SYNTAX, "a value for '%s' is needed: its group-by names it", c->group_by.items[i]);
		read_value(*value, as_number, &ret[i]);
	}
	return 0;
}

struct wanted {
	const struct engine_value *group;
	size_t count;
	bool is_found;
};

static bool same(const struct engine_value *a, const struct engine_value *b)
{
	return a->kind == b->kind && (a->kind == ENGINE_TEXT ? slice_eq(a->text, b->text) : a->i == b->i);
}

static bool is_it(void *arg, const struct engine_value *group, size_t count, size_t events, bool is_active)
{
	struct wanted *w = arg;
	bool is_same = count == w->count;

	(void)events, (void)is_active;
	for (size_t i = 0; i < count && is_same; i++)
		is_same = same(&group[i], &w->group[i]);
	w->is_found |= is_same;
	return !w->is_found;
}

int live_explain(struct live *l, struct slice rule, const struct slice *group, size_t count, uint64_t time_unix_ns, struct buf *out,
		 struct err *err)
{
	ptrdiff_t at = ruleset_find(l->rules, rule);
	struct engine_value values[CORRELATION_GROUP_MAX];

	if (at < 0 || !l->rules->rules[at].correlation)
		return err_set(err, ERR_NOT_FOUND, "there is no correlation '%.*s'", SLICE_FMT(rule));
	const struct correlation *c = l->rules->rules[at].correlation;
	if (c->group_by.count && !count)
		return explain_groups(l, (size_t)at, out, err);
	int r = find_values(c, group, count, true, values, err);
	if (r < 0)
		return r;
	struct wanted w = { .group = values, .count = c->group_by.count };
	engine_each_group(l->engine, (uint32_t)at, is_it, &w);
	if (!w.is_found)
		r = find_values(c, group, count, false, values, err);
	return r < 0 ? r : engine_explain(l->engine, (uint32_t)at, values, c->group_by.count, (int64_t)time_unix_ns, out, err);
}
