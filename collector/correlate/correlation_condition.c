/* correlation_condition.c - `condition`: a mapping of gt, gte … or a boolean text over the names of rules. */
#include <errno.h>
#include <math.h>

#include "collector/correlate/correlation_priv.h"

const char *const correlation_op_names[CORRELATION_OP_COUNT] = { "gt", "gte", "lt", "lte", "eq", "neq" };

enum { BOUNDING = 1 << CORRELATION_LT | 1 << CORRELATION_LTE | 1 << CORRELATION_EQ | 1 << CORRELATION_NEQ };

bool correlation_number(struct slice s, double *ret)
{
	char text[64], *end;

	if (!s.n || !slice_copy(s, text, sizeof(text)) || strspn(text, "+-.0123456789eE") != s.n)
		return false;
	errno = 0;
	*ret = strtod(text, &end);
	return !*end && isfinite(*ret) && fabs(*ret) < 1e300;
}

bool correlation_meets(const struct correlation *c, double v)
{
	const double *l = c->limits;

	return !(((c->ops >> CORRELATION_GT & 1) && !(v > l[CORRELATION_GT])) ||
		 ((c->ops >> CORRELATION_GTE & 1) && !(v >= l[CORRELATION_GTE])) ||
		 ((c->ops >> CORRELATION_LT & 1) && !(v < l[CORRELATION_LT])) ||
		 ((c->ops >> CORRELATION_LTE & 1) && !(v <= l[CORRELATION_LTE])) ||
		 ((c->ops >> CORRELATION_EQ & 1) && v != l[CORRELATION_EQ]) ||
		 ((c->ops >> CORRELATION_NEQ & 1) && v == l[CORRELATION_NEQ]));
}

bool correlation_holds(const struct correlation *c, uint64_t matched)
{
	bool stack[CORRELATION_STEPS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < c->step_count; i++) {
		const struct correlation_step *s = &c->steps[i];

		switch ((enum correlation_step_kind)s->kind) {
		case CORRELATION_STEP_RULE:
			stack[n++] = matched >> s->arg & 1;
			break;
		case CORRELATION_STEP_NOT:
			stack[n - 1] = !stack[n - 1];
			break;
		case CORRELATION_STEP_AND:
			n--;
			stack[n - 1] = stack[n - 1] && stack[n];
			break;
		case CORRELATION_STEP_OR:
			n--;
			stack[n - 1] = stack[n - 1] || stack[n];
			break;
		}
	}
	return n && stack[0];
}

/* ---- boolean ---- */

enum { DEPTH_MAX = 32 };

struct parser {
	const struct correlation_reader *r;
	const struct conf_node *at;
	struct correlation *c;
	struct slice rest, token; /* token: the next, empty at the end */
	struct correlation_step *steps;
	bool has_rules; /* `rules` was given: names must be among them */
	unsigned depth;
};

static bool is_blank(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

static void next_token(struct parser *p)
{
	size_t n = 0;

	while (p->rest.n && is_blank(p->rest.p[0]))
		p->rest = slice_sub(p->rest, 1, p->rest.n - 1);
	if (p->rest.n && (p->rest.p[0] == '(' || p->rest.p[0] == ')'))
		n = 1;
	else
		while (n < p->rest.n && !is_blank(p->rest.p[n]) && p->rest.p[n] != '(' && p->rest.p[n] != ')')
			n++;
	p->token = slice_sub(p->rest, 0, n);
	p->rest = slice_sub(p->rest, n, p->rest.n - n);
}

static int fail(struct parser *p, const char *what)
{
	if (!p->token.n)
		return sigma_fail(p->r->rule, p->at, p->r->err, "condition ends where %s", what);
	return sigma_fail(p->r->rule, p->at, p->r->err, "condition has '%.*s' where %s", SLICE_FMT(slice_sub(p->token, 0, 60)), what);
}

static int step(struct parser *p, enum correlation_step_kind kind, uint8_t arg)
{
	if (p->c->step_count == CORRELATION_STEPS_MAX)
		return sigma_fail(p->r->rule, p->at, p->r->err, "condition has more than %d parts", CORRELATION_STEPS_MAX);
	p->steps[p->c->step_count++] = (struct correlation_step){ (uint8_t)kind, arg };
	return 0;
}

static int read_name(struct parser *p, bool is_negated)
{
	struct correlation *c = p->c;
	size_t i = 0;

	while (i < c->ref_count && !slice_eq(c->refs[i].text, p->token))
		i++;
	if (i == c->ref_count) {
		if (p->has_rules)
			return fail(p, "one of 'rules' was expected");
		if (i == CORRELATION_TEMPORAL_MAX)
			return sigma_fail(p->r->rule, p->at, p->r->err, "condition names more than %d rules", CORRELATION_TEMPORAL_MAX);
		char *name = arena_dup(p->r->arena, p->token);
		if (!name)
			return correlation_full(p->r);
		c->refs[c->ref_count++] = (struct correlation_ref){ .text = slice_of(name), .at = p->at };
	}
	if (!is_negated)
		c->positive |= 1ull << i;
	else
		c->is_bounded = true;
	next_token(p);
	return step(p, CORRELATION_STEP_RULE, (uint8_t)i);
}

static bool is_word(struct slice s)
{
	return slice_is(s, "and") || slice_is(s, "or") || slice_is(s, "not");
}

static int read_or(struct parser *p, bool is_negated);

static int read_not(struct parser *p, bool is_negated)
{
	int e;

	if (++p->depth > DEPTH_MAX)
		return sigma_fail(p->r->rule, p->at, p->r->err, "condition is nested more than %d deep", DEPTH_MAX);
	if (slice_is(p->token, "not")) {
		next_token(p);
		e = read_not(p, !is_negated);
		if (e >= 0)
			e = step(p, CORRELATION_STEP_NOT, 0);
	} else if (slice_is(p->token, "(")) {
		next_token(p);
		e = read_or(p, is_negated);
		if (e >= 0 && !slice_is(p->token, ")"))
			return fail(p, "')' was expected");
		next_token(p);
	} else if (!p->token.n || slice_is(p->token, ")") || is_word(p->token)) {
		return fail(p, "a rule was expected");
	} else {
		e = read_name(p, is_negated);
	}
	p->depth--;
	return e;
}

static int read_and(struct parser *p, bool is_negated)
{
	int e = read_not(p, is_negated);

	while (e >= 0 && slice_is(p->token, "and")) {
		next_token(p);
		e = read_not(p, is_negated);
		if (e >= 0)
			e = step(p, CORRELATION_STEP_AND, 0);
	}
	return e;
}

static int read_or(struct parser *p, bool is_negated)
{
	int e = read_and(p, is_negated);

	while (e >= 0 && slice_is(p->token, "or")) {
		next_token(p);
		e = read_and(p, is_negated);
		if (e >= 0)
			e = step(p, CORRELATION_STEP_OR, 0);
	}
	return e;
}

static int read_boolean(const struct correlation_reader *r, const struct conf_node *n, struct correlation *c)
{
	struct parser p = { .r = r, .at = n, .c = c, .rest = n->text, .has_rules = c->ref_count > 0 };

	if (c->type != CORRELATION_TEMPORAL)
		return sigma_fail(r->rule, n, r->err, "a boolean condition needs type temporal");
	p.steps = arena_zalloc(r->arena, CORRELATION_STEPS_MAX, sizeof(*p.steps));
	if (!p.has_rules)
		c->refs = arena_zalloc(r->arena, CORRELATION_TEMPORAL_MAX, sizeof(*c->refs));
	if (!p.steps || !c->refs)
		return correlation_full(r);
	next_token(&p);
	int e = read_or(&p, false);
	if (e < 0)
		return e;
	if (p.token.n)
		return fail(&p, "'and', 'or' or the end was expected");
	c->steps = p.steps;
	if (!c->positive)
		return sigma_fail(r->rule, n, r->err, "condition needs a rule without 'not': nothing would open its window");
	if (correlation_holds(c, 0))
		return sigma_fail(r->rule, n, r->err, "condition is true where nothing matched");
	return 0;
}

/* ---- a mapping ---- */

/* Counts are bounded by what is kept of a group: a higher one could never be reached. */
static int check_limit(const struct correlation_reader *r, const struct conf_node *at, const struct correlation *c, double v)
{
	bool is_count = c->type != CORRELATION_VALUE_SUM && c->type != CORRELATION_VALUE_AVG && c->type != CORRELATION_VALUE_PERCENTILE;
	double max = c->type == CORRELATION_EVENT_COUNT ? CORRELATION_COUNT_MAX : 1e9;

	if (!is_count)
		return 0;
	if (v < 0 || v > max)
		return sigma_fail(r->rule, at, r->err, "a count must be from 0 to %g", max);
	if (v != floor(v))
		return sigma_fail(r->rule, at, r->err, "a count must be a whole number");
	return 0;
}

static int read_op(const struct correlation_reader *r, const struct conf_node *key, struct correlation *c, bool *ret_known)
{
	const struct conf_node *value = key->next;

	*ret_known = true;
	for (int i = 0; i < CORRELATION_OP_COUNT; i++) {
		double v;

		if (!slice_is(key->text, correlation_op_names[i]))
			continue;
		if (value->kind != CONF_NODE_SCALAR || !correlation_number(value->text, &v))
			return sigma_fail(r->rule, value, r->err, "'%s' must be a number", key->text.p);
		c->limits[i] = v;
		c->ops |= 1u << i;
		return check_limit(r, value, c, v);
	}
	*ret_known = false;
	return 0;
}

static int read_field(const struct correlation_reader *r, const struct conf_node *n, struct correlation *c)
{
	bool may_be_many = c->type == CORRELATION_VALUE_COUNT;
	int e = sigma_texts(r->rule, n, r->arena, &c->fields, r->err);

	if (e < 0)
		return e;
	if (!c->fields.count || c->fields.count > (may_be_many ? (size_t)CORRELATION_FIELDS_MAX : 1))
		return sigma_fail(r->rule, n, r->err, may_be_many ? "'field' must name 1 to 8 fields" : "'field' must name one field");
	for (size_t i = 0; i < c->fields.count; i++)
		if (!c->fields.items[i][0])
			return sigma_fail(r->rule, n, r->err, "'field' has an empty name");
	return 0;
}

static int read_percentile(const struct correlation_reader *r, const struct conf_node *n, struct correlation *c)
{
	if (c->type != CORRELATION_VALUE_PERCENTILE)
		return sigma_fail(r->rule, n, r->err, "'percentile' goes with value_percentile only");
	if (n->kind != CONF_NODE_SCALAR || !correlation_number(n->text, &c->percentile) || !(c->percentile > 0) || c->percentile > 100)
		return sigma_fail(r->rule, n, r->err, "'percentile' must be above 0 and at most 100");
	return 0;
}

static bool has_field(const struct correlation *c)
{
	return c->type != CORRELATION_EVENT_COUNT && c->type != CORRELATION_TEMPORAL && c->type != CORRELATION_TEMPORAL_ORDERED;
}

static int read_map(const struct correlation_reader *r, const struct conf_node *n, struct correlation *c)
{
	static const char *const keys[] = { "gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile" };
	int e = sigma_check_keys(r->rule, n, keys, ARRAY_LEN(keys), "'condition'", r->err);

	for (const struct conf_node *k = n->items; e >= 0 && k; k = k->next->next) {
		bool is_known;

		e = read_op(r, k, c, &is_known);
		if (e < 0 || is_known)
			continue;
		if (slice_is(k->text, "percentile"))
			e = read_percentile(r, k->next, c);
		else if (!has_field(c))
			e = sigma_fail(r->rule, k, r->err, "'field' does not go with %s", correlation_type_name(c->type));
		else
			e = read_field(r, k->next, c);
	}
	if (e < 0)
		return e;
	if (!c->ops)
		return sigma_fail(r->rule, n, r->err, "condition needs one of gt, gte, lt, lte, eq, neq");
	if (has_field(c) && !c->fields.count)
		return sigma_fail(r->rule, n, r->err, "%s needs condition.field", correlation_type_name(c->type));
	if (c->type == CORRELATION_VALUE_PERCENTILE && !(c->percentile > 0))
		return sigma_fail(r->rule, n, r->err, "value_percentile needs condition.percentile, such as percentile: 95");
	return 0;
}

/* A condition no window can meet is a rule that silently never fires. */
static int check_range(const struct correlation_reader *r, const struct conf_node *n, const struct correlation *c)
{
	const double *l = c->limits;
	bool has_low = c->ops & (1 << CORRELATION_GT | 1 << CORRELATION_GTE), has_high = c->ops & (1 << CORRELATION_LT | 1 << CORRELATION_LTE);
	double low = c->ops >> CORRELATION_GTE & 1 ? l[CORRELATION_GTE] : -INFINITY, high = c->ops >> CORRELATION_LTE & 1 ? l[CORRELATION_LTE] : INFINITY;
	bool is_open = false;

	if ((c->ops >> CORRELATION_GT & 1) && l[CORRELATION_GT] >= low) {
		low = l[CORRELATION_GT];
		is_open = true;
	}
	if ((c->ops >> CORRELATION_LT & 1) && l[CORRELATION_LT] <= high) {
		high = l[CORRELATION_LT];
		is_open = true;
	}
	if (has_low && has_high && (low > high || (low == high && is_open)))
		return sigma_fail(r->rule, n, r->err, "condition can never be met: no value lies between its bounds");
	if ((c->ops >> CORRELATION_EQ & 1) && !correlation_meets(c, l[CORRELATION_EQ]))
		return sigma_fail(r->rule, n, r->err, "condition can never be met: 'eq' is outside of its bounds");
	if ((c->type == CORRELATION_TEMPORAL || c->type == CORRELATION_TEMPORAL_ORDERED) && c->ref_count && !c->tags.count &&
	    has_low && low + is_open > (double)c->ref_count)
		return sigma_fail(r->rule, n, r->err, "condition asks for more rules than 'rules' names");
	return 0;
}

int correlation_condition(const struct correlation_reader *r, const struct conf_node *n, struct correlation *c)
{
	bool is_temporal = c->type == CORRELATION_TEMPORAL || c->type == CORRELATION_TEMPORAL_ORDERED;
	int e;

	if (!n || n->kind == CONF_NODE_NULL) {
		if (is_temporal)
			return 0;
		return sigma_fail(r->rule, n, r->err, "%s needs a condition, such as {gte: 10}", correlation_type_name(c->type));
	}
	if (n->kind == CONF_NODE_SCALAR)
		return read_boolean(r, n, c);
	if (n->kind != CONF_NODE_MAP)
		return sigma_fail(r->rule, n, r->err, "condition must be a mapping such as {gte: 10}, or a text such as 'a and not b'");
	e = read_map(r, n, c);
	if (e >= 0)
		e = check_range(r, n, c);
	c->is_bounded = c->ops & BOUNDING;
	return e;
}
