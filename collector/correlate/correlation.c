/* correlation.c - see correlation.h. The mapping `correlation` and what is ours under `x`. */
#include "collector/correlate/correlation.h"

#include <math.h>

#include "collector/correlate/correlation_priv.h"
#include "common/text.h"

static const char *const type_names[CORRELATION_TYPE_COUNT] = {
	"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile",
};

const char *correlation_type_name(enum correlation_type t)
{
	return type_names[t];
}

static const char *nearest(struct slice s, const char *const *names, size_t count)
{
	const char *near = text_nearest(s, names, count);

	return near ? near : names[0];
}

int correlation_full(const struct correlation_reader *r)
{
	return err_set(r->err, ERR_LIMIT, "%s: the rules are too large", r->rule->file);
}

/* ---- the keys ---- */

static int read_type(const struct correlation_reader *r, const struct conf_node *n, struct correlation *c)
{
	const struct conf_node *at = n ? n : r->rule->correlation;

	if (!n || n->kind != CONF_NODE_SCALAR)
		return sigma_fail(r->rule, at, r->err, "'type' is missing: one of event_count, value_count, temporal, …");
	for (int i = 0; i < CORRELATION_TYPE_COUNT; i++) {
		if (slice_is(n->text, type_names[i])) {
			c->type = (enum correlation_type)i;
			return 0;
		}
	}
	if (slice_is(n->text, "value_median"))
		return sigma_fail(r->rule, n, r->err, "type 'value_median' is not Sigma's: value_percentile with percentile: 50");
	return sigma_fail(r->rule, n, r->err, "unknown type '%.*s', did you mean '%s'?", SLICE_FMT(slice_sub(n->text, 0, 40)),
			  nearest(n->text, type_names, CORRELATION_TYPE_COUNT));
}

int correlation_span(struct slice s, int64_t *ret_ns)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 }, { 'M', 30 * 86400 } };
	uint64_t n, max = CORRELATION_TIMESPAN_DAYS_MAX * 86400ull;

	if (s.n < 2 || !slice_to_u64(slice_sub(s, 0, s.n - 1), &n))
		return -ERR_SYNTAX;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (units[i].unit != s.p[s.n - 1])
			continue;
		if (!n || n > max / units[i].seconds)
			return -ERR_LIMIT;
		*ret_ns = (int64_t)(n * units[i].seconds) * 1000000000;
		return 0;
	}
	return -ERR_SYNTAX;
}

static int read_span(const struct correlation_reader *r, const struct conf_node *n, const char *key, int64_t *ret)
{
	if (!n)
		return sigma_fail(r->rule, NULL, r->err, "'%s' is missing, such as %s: 5m", key, key);
	int e = n->kind == CONF_NODE_SCALAR ? correlation_span(n->text, ret) : -ERR_SYNTAX;
	if (e == -ERR_LIMIT)
		return sigma_fail(r->rule, n, r->err, "'%s' must be 1s to %dd", key, CORRELATION_TIMESPAN_DAYS_MAX);
	if (e < 0)
		return sigma_fail(r->rule, n, r->err, "'%s' must be a number with s, m, h, d or w, such as 5m", key);
	return 0;
}

/* Texts without doubles, at most max of them. */
static int read_names(const struct correlation_reader *r, const struct conf_node *n, const char *key, size_t max,
		      struct sigma_list *ret)
{
	int e = sigma_texts(r->rule, n, r->arena, ret, r->err);

	if (e < 0)
		return e;
	if (!ret->count || ret->count > max)
		return sigma_fail(r->rule, n, r->err, "'%s' must name 1 to %zu, not %zu", key, max, ret->count);
	for (size_t i = 0; i < ret->count; i++) {
		if (!ret->items[i][0])
			return sigma_fail(r->rule, n, r->err, "'%s' has an empty name", key);
		for (size_t k = 0; k < i && ret->count <= CORRELATION_GROUP_MAX; k++)
			if (!strcmp(ret->items[i], ret->items[k]))
				return sigma_fail(r->rule, n, r->err, "'%s' names '%.80s' twice", key, ret->items[i]);
	}
	return 0;
}

static int read_rules(const struct correlation_reader *r, const struct conf_node *n, struct correlation *c)
{
	bool is_temporal = c->type == CORRELATION_TEMPORAL || c->type == CORRELATION_TEMPORAL_ORDERED;
	size_t max = is_temporal ? CORRELATION_TEMPORAL_MAX : CORRELATION_RULES_MAX;
	struct sigma_list names;
	int e = n->kind == CONF_NODE_LIST && !n->count ? sigma_fail(r->rule, n, r->err, "'rules' is empty")
						      : read_names(r, n, "rules", max, &names);

	if (e < 0)
		return e;
	c->refs = arena_zalloc(r->arena, names.count, sizeof(*c->refs));
	if (!c->refs)
		return correlation_full(r);
	const struct conf_node *at = n->kind == CONF_NODE_LIST ? n->items : n;
	for (size_t i = 0; i < names.count; i++, at = at->next)
		c->refs[c->ref_count++] = (struct correlation_ref){ .text = slice_of(names.items[i]), .at = at };
	return 0;
}

static bool is_in(const struct sigma_list *l, struct slice s)
{
	for (size_t i = 0; i < l->count; i++)
		if (slice_is(s, l->items[i]))
			return true;
	return false;
}

static int read_aliases(const struct correlation_reader *r, const struct conf_node *n, struct correlation *c)
{
	if (n->kind != CONF_NODE_MAP)
		return sigma_fail(r->rule, n, r->err, "'aliases' must be a mapping of alias: {rule: field}");
	struct correlation_alias *a = arena_zalloc(r->arena, n->count + 1, sizeof(*a));
	if (!a)
		return correlation_full(r);
	c->aliases = a;
	for (const struct conf_node *k = n->items; k; k = k->next->next) {
		if (k->next->kind != CONF_NODE_MAP || !k->next->count)
			return sigma_fail(r->rule, k->next, r->err, "alias '%.80s' must be a mapping of rule: field", k->text.p);
		for (const struct conf_node *m = k->next->items; m; m = m->next->next)
			if (m->next->kind != CONF_NODE_SCALAR || !m->next->text.n)
				return sigma_fail(r->rule, m->next, r->err, "alias '%.80s' needs a field for '%.80s'", k->text.p,
						  m->text.p);
		if (!is_in(&c->group_by, k->text))
			return sigma_fail(r->rule, k, r->err, "alias '%.80s' is not used in group-by", k->text.p);
		a[c->alias_count++] = (struct correlation_alias){ .name = k->text.p, .map = k->next };
	}
	return 0;
}

/* ---- x ---- */

static int read_number(const struct correlation_reader *r, const struct conf_node *n, const char *key, double min, double max,
		       double *ret)
{
	if (n->kind == CONF_NODE_SCALAR && correlation_number(n->text, ret) && *ret >= min && *ret <= max)
		return 0;
	return sigma_fail(r->rule, n, r->err, "'%s' must be a number from %g to %g", key, min, max);
}

static int read_x(const struct correlation_reader *r, struct correlation *c)
{
	static const char *const keys[] = { "refire", "suppress", "include_events", "score", "rules_by_tag" };
	const struct conf_node *x = r->rule->x, *n;
	double number = CORRELATION_EVIDENCE_DEFAULT;
	int e = 0;

	c->evidence_max = CORRELATION_EVIDENCE_DEFAULT;
	if (!x)
		return 0;
	e = sigma_check_keys(r->rule, x, keys, ARRAY_LEN(keys), "'x' of a correlation", r->err);
	if (e >= 0 && (n = sigma_get(x, "refire"))) {
		c->is_refire = n->kind == CONF_NODE_SCALAR && slice_is(n->text, "every");
		if (!c->is_refire && !(n->kind == CONF_NODE_SCALAR && slice_is(n->text, "edge")))
			e = sigma_fail(r->rule, n, r->err, "'refire' must be edge or every");
	}
	if (e >= 0 && (n = sigma_get(x, "suppress")))
		e = read_span(r, n, "suppress", &c->suppress_ns);
	if (e >= 0 && (n = sigma_get(x, "include_events"))) {
		e = read_number(r, n, "include_events", 0, CORRELATION_EVIDENCE_MAX, &number);
		c->evidence_max = e < 0 ? 0 : (unsigned)number;
	}
	if (e >= 0 && (n = sigma_get(x, "score")))
		e = read_number(r, n, "score", 0, 1000, &c->score);
	if (e >= 0 && (n = sigma_get(x, "rules_by_tag")))
		e = read_names(r, n, "rules_by_tag", 16, &c->tags);
	return e;
}

/* ---- the whole ---- */

static int read_keys(const struct correlation_reader *r, struct correlation *c)
{
	const struct conf_node *map = r->rule->correlation, *n;
	int e = read_type(r, sigma_get(map, "type"), c);

	if (e >= 0)
		e = read_x(r, c);
	if (e >= 0 && (n = sigma_get(map, "rules")))
		e = read_rules(r, n, c);
	n = sigma_get(map, "group-by");
	if (e >= 0 && n && !(n->kind == CONF_NODE_NULL || (n->kind == CONF_NODE_LIST && !n->count)))
		e = read_names(r, n, "group-by", CORRELATION_GROUP_MAX, &c->group_by);
	if (e >= 0)
		e = read_span(r, sigma_get(map, "timespan"), "timespan", &c->timespan_ns);
	if (e >= 0)
		e = correlation_condition(r, sigma_get(map, "condition"), c);
	if (e >= 0 && (n = sigma_get(map, "aliases")))
		e = read_aliases(r, n, c);
	if (e >= 0 && (n = sigma_get(map, "generate")))
		e = sigma_bool(r->rule, n, &c->is_generate, r->err);
	c->is_generate |= r->rule->is_generate;
	return e;
}

/* What is known of refs only when the condition was read, too. */
static int check_rules(const struct correlation_reader *r, struct correlation *c)
{
	const struct conf_node *map = r->rule->correlation;

	if (!c->ref_count && !c->tags.count)
		return sigma_fail(r->rule, map, r->err, "'rules' is missing");
	if (c->tags.count && (c->steps || c->type == CORRELATION_TEMPORAL_ORDERED))
		return sigma_fail(r->rule, sigma_get(r->rule->x, "rules_by_tag"), r->err,
				  "rules_by_tag has no order and no names: not with %s", c->steps ? "a boolean condition" : "temporal_ordered");
	for (size_t i = 0; i < c->ref_count; i++)
		for (size_t k = 0; k < i; k++)
			if (slice_eq(c->refs[i].text, c->refs[k].text))
				return sigma_fail(r->rule, c->refs[i].at, r->err, "rule '%.80s' is named twice", c->refs[i].text.p);
	return 0;
}

int correlation_parse(const struct sigma_rule *rule, struct arena *a, struct correlation **ret, struct sigma_notes *notes,
		      struct err *err)
{
	static const char *const keys[] = { "type", "rules", "group-by", "timespan", "condition", "aliases", "generate" };
	struct correlation_reader r = { .rule = rule, .arena = a, .notes = notes, .err = err };
	struct correlation *c = arena_zalloc(a, 1, sizeof(*c));

	if (!c)
		return correlation_full(&r);
	c->rule = rule;
	if (rule->correlation->kind != CONF_NODE_MAP)
		return sigma_fail(rule, rule->correlation, err, "'correlation' must be a mapping");
	int e = sigma_check_keys(rule, rule->correlation, keys, ARRAY_LEN(keys), "'correlation'", err);
	if (e >= 0)
		e = read_keys(&r, c);
	if (e >= 0)
		e = check_rules(&r, c);
	if (e < 0)
		return e;
	if (!c->steps)
		c->positive = UINT64_MAX;
	if (!c->group_by.count)
		sigma_note(notes, rule, rule->correlation, "no group-by: the whole fleet is counted as one group");
	*ret = c;
	return 0;
}
