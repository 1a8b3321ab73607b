/* engine_explain.c - what is in a group's window, what is missing, why it did or did not fire. */
#include "collector/correlate/engine_priv.h"
#include "common/json.h"

#include <math.h>

enum { SHOWN_MAX = 100, TEXT_MAX = 300 };

static void put_values(struct json *j, const struct correlation *c, const struct engine_value *values)
{
	json_object_open(j);
	for (size_t i = 0; i < c->group_by.count; i++) {
		json_key(j, c->group_by.items[i]);
		if (values[i].kind == ENGINE_TEXT)
			json_str(j, values[i].text);
		else if (values[i].kind == ENGINE_INT)
			json_i64(j, values[i].i);
		else
			json_f64(j, values[i].real);
	}
	json_object_close(j);
}

static const char *ref_name(const struct engine *e, const struct correlation *c, size_t ref)
{
	return sigma_rule_label(e->documents[c->refs[ref].rule].rule);
}

static bool has_steps(const struct correlation *c)
{
	return c->type == CORRELATION_TEMPORAL || c->type == CORRELATION_TEMPORAL_ORDERED;
}

static void put_condition(struct json *j, const struct correlation *c)
{
	char text[TEXT_MAX] = "";
	size_t at = 0;
	const struct conf_node *n = sigma_get(c->rule->correlation, "condition");

	json_key(j, "condition");
	if (c->steps && n) {
		json_str(j, n->text);
		return;
	}
	for (int i = 0; i < CORRELATION_OP_COUNT && at < sizeof(text); i++)
		if (c->ops >> i & 1)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %.12g", at ? " and " : "", correlation_op_names[i], c->limits[i]);
	json_str(j, at ? slice_of(text) : SLICE_LIT("every rule"));
}

/* The newest of the window, oldest first, with how many there are of each rule. */
static void put_hits(struct json *j, const struct engine *e, const struct group *g, uint32_t lo, uint32_t hi)
{
	const struct correlation *c = group_rule(e, g);
	uint32_t from = hi - lo > SHOWN_MAX ? hi - SHOWN_MAX : lo;

	json_kv_u64(j, "events", hi - lo);
	json_key(j, "newest");
	json_array_open(j);
	for (uint32_t i = from; i < hi; i++) {
		const struct hit *h = hit_at(g, i);

		json_object_open(j);
		json_kv_time(j, "time", (uint64_t)h->time_ns);
		if (has_steps(c))
			json_kv_str(j, "rule", ref_name(e, c, h->ref));
		else if (c->type != CORRELATION_EVENT_COUNT && c->type != CORRELATION_VALUE_COUNT && !isnan(h->number)) {
			json_key(j, "value");
			json_f64(j, h->number);
		}
		json_object_close(j);
	}
	json_array_close(j);
}

static uint64_t matched(const struct group *g, uint32_t lo, uint32_t hi)
{
	uint64_t mask = 0;

	for (uint32_t i = lo; i < hi; i++)
		mask |= 1ull << hit_at(g, i)->ref;
	return mask;
}

static void put_rules(struct json *j, const struct engine *e, const struct correlation *c, const char *key, uint64_t mask)
{
	json_key(j, key);
	json_array_open(j);
	for (size_t i = 0; i < c->ref_count; i++)
		if (mask >> i & 1)
			json_str(j, slice_of(ref_name(e, c, i)));
	json_array_close(j);
}

/* ---- why ---- */

struct finding {
	const struct group *g;
	struct window w;
	int64_t from_ns, to_ns;
	uint32_t hits;
	bool is_open;
};

static void why_not(char *dst, size_t size, const struct engine *e, const struct correlation *c, const struct finding *f)
{
	if (c->type == CORRELATION_TEMPORAL_ORDERED && f->w.value < (double)c->ref_count)
		snprintf(dst, size, "the steps came as far as %.0f of %zu; next would be '%.100s'", f->w.value, c->ref_count,
			 ref_name(e, c, (size_t)f->w.value));
	else if (c->steps)
		snprintf(dst, size, "the condition is false for the rules that matched");
	else if (has_steps(c))
		snprintf(dst, size, "%.0f of %zu rules matched", f->w.value, c->ref_count);
	else if (!f->w.has_value)
		snprintf(dst, size, "none of the %u events has a number in '%.80s'", f->hits, c->fields.items[0]);
	else
		snprintf(dst, size, "the value %.12g does not meet the condition", f->w.value);
}

static void why(char *dst, size_t size, const struct engine *e, const struct correlation *c, const struct finding *f)
{
	const struct rule *r = &e->rules[f->g->rule];

	if (!f->hits && r->stats.overflowed)
		snprintf(dst, size, "nothing in this window is kept; one group had more than %u events, the oldest went", e->config.events_max);
	else if (!f->hits)
		snprintf(dst, size, "nothing was counted in this window");
	else if (f->is_open)
		snprintf(dst, size, "not decided yet: the condition has an upper bound or a 'not', and the window is open");
	else if (!f->w.holds)
		why_not(dst, size, e, c, f);
	else if (f->g->fired_ns >= 0 && c->suppress_ns && f->to_ns > f->g->fired_ns && f->to_ns < f->g->fired_ns + c->suppress_ns)
		snprintf(dst, size, "the condition is met; suppressed since it fired");
	else if (!c->is_bounded && f->g->is_active && f->g->fired_ns >= 0 && f->to_ns > f->g->fired_ns && !c->is_refire)
		snprintf(dst, size, "the condition is met; it fired already and has not been false since");
	else
		snprintf(dst, size, "the condition is met");
}

static void put_group(struct json *j, struct engine *e, const struct correlation *c, const struct finding *f)
{
	const struct group *g = f->g;
	char text[TEXT_MAX];
	uint32_t lo = window_upper(g, c->is_bounded ? f->from_ns - 1 : f->from_ns), hi = window_upper(g, f->to_ns);

	json_kv_time(j, "from", f->from_ns > 0 ? (uint64_t)f->from_ns : 0);
	json_kv_time(j, "to", (uint64_t)f->to_ns);
	put_hits(j, e, g, lo, hi);
	if (has_steps(c)) {
		uint64_t mask = matched(g, lo, hi), all = c->ref_count == 64 ? UINT64_MAX : (1ull << c->ref_count) - 1;

		put_rules(j, e, c, "matched", mask);
		put_rules(j, e, c, "missing", all & c->positive & ~mask);
	}
	if (f->w.has_value) {
		json_key(j, "value");
		json_f64(j, f->w.value);
	}
	json_kv_bool(j, "approximate", f->w.is_approx);
	json_kv_bool(j, "met", f->w.holds && !f->is_open);
	json_kv_bool(j, "active", g->is_active);
	json_kv_time(j, "last_fired", g->fired_ns > 0 ? (uint64_t)g->fired_ns : 0);
	why(text, sizeof(text), e, c, f);
	json_kv_str(j, "why", text);
}

/* The window that time falls in: of bounded rules the open one, of others the one that ends there. */
static struct finding find(struct engine *e, const struct correlation *c, struct group *g, int64_t time_ns)
{
	struct finding f = { .g = g };
	int64_t newest = group_newest_ns(g);

	f.to_ns = time_ns ? time_ns : newest == INT64_MIN ? e->now_ns : newest;
	f.from_ns = f.to_ns - c->timespan_ns;
	if (c->is_bounded && g->opened_ns >= 0) {
		f.is_open = true;
		f.from_ns = g->opened_ns;
		f.to_ns = g->opened_ns + c->timespan_ns;
	}
	if (g->sketch) {
		f.w = window_look(e, g, f.to_ns);
		f.hits = g->count;
		return f;
	}
	/* Of a window (from, to] as well as of [from, to]: times are whole nanoseconds. */
	f.w = window_between(e, g, c->is_bounded ? f.from_ns : f.from_ns + 1, f.to_ns);
	f.hits = window_upper(g, f.to_ns) - window_upper(g, c->is_bounded ? f.from_ns - 1 : f.from_ns);
	return f;
}

static void put_unknown(struct json *j, const struct engine *e, const struct rule *r)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof(text),
		 "nothing is counted for this group now: no event of these rules with these values came within the timespan%s%s",
		 r->stats.evicted ? "; groups of this rule were evicted for want of room" : "",
		 r->stats.no_group ? "; events without a value for group-by were seen" : "");
	json_kv_u64(j, "events", 0);
	json_kv_bool(j, "met", false);
	json_kv_str(j, "why", text);
}

int engine_explain(struct engine *e, uint32_t rule, const struct engine_value *group, size_t group_count, int64_t time_ns,
		   struct buf *out, struct err *err)
{
	uint8_t key[ENGINE_KEY_MAX];
	struct json j;

	if (rule >= e->document_count || e->rule_of[rule] == UINT32_MAX)
		return err_set(err, ERR_NOT_FOUND, "no such correlation");
	struct rule *r = &e->rules[e->rule_of[rule]];
	const struct correlation *c = r->c;
	if (group_count != c->group_by.count)
		return err_set(err, ERR_USAGE, "the group has %zu fields, not %zu", c->group_by.count, group_count);
	size_t n = engine_key_build(e, group, group_count, key);
	if (group_count && !n)
		return err_set(err, ERR_USAGE, "a field of the group has no value");
	struct group *g = group_find(r, slice_from(key, n), engine_hash(e->config.seed, key, n));
	json_init(&j, out);
	json_object_open(&j);
	json_kv_str(&j, "rule", sigma_rule_label(c->rule));
	json_kv_str(&j, "type", correlation_type_name(c->type));
	json_key(&j, "group");
	put_values(&j, c, group);
	json_kv_u64(&j, "timespan_s", (uint64_t)c->timespan_ns / 1000000000);
	put_condition(&j, c);
	if (g) {
		struct finding f = find(e, c, g, time_ns);

		put_group(&j, e, c, &f);
	} else {
		put_unknown(&j, e, r);
	}
	json_object_close(&j);
	return out->failed ? err_set(err, ERR_LIMIT, "the explanation is too long") : 0;
}

void engine_each_group(struct engine *e, uint32_t rule,
		       bool (*each)(void *arg, const struct engine_value *group, size_t group_count, size_t events, bool is_active),
		       void *arg)
{
	struct engine_value values[CORRELATION_GROUP_MAX];

	if (rule >= e->document_count || e->rule_of[rule] == UINT32_MAX)
		return;
	const struct rule *r = &e->rules[e->rule_of[rule]];
	for (struct group *g = r->newest; g; g = g->older) {
		(void)engine_key_split(group_key(e, g), values, r->c->group_by.count);
		if (!each(arg, values, r->c->group_by.count, g->count, g->is_active))
			return;
	}
}
