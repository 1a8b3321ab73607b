/* range_composer.c - Composer's constraints. A bound without a stability of its own begins with the
 * development versions: ">=1.0" is >=1.0.0.0-dev, "<2.0" is <2.0.0.0-dev. */
#include "common/version/range_priv.h"

#include <stdio.h>

enum { NUMBERS = 4, BOUND_MAX = 96 };

struct operand {
	uint64_t n[NUMBERS];
	unsigned count; /* numbers that were written */
	bool has_wildcard;
	bool has_stability;
	struct slice text; /* without "@dev" */
};

static bool is_branch(struct slice s)
{
	return slice_starts(s, SLICE_LIT("dev-"));
}

static size_t read_operand(struct slice s, struct operand *ret)
{
	ptrdiff_t flag = slice_find_char(s, '@');
	size_t at;

	*ret = (struct operand){ .text = flag >= 0 ? slice_sub(s, 0, (size_t)flag) : s };
	s = ret->text;
	at = s.n && version_lower(s.p[0]) == 'v';
	for (; ret->count < NUMBERS; at++) {
		size_t start = at;

		if (at < s.n && range_is_wildcard(s.p[at])) {
			ret->has_wildcard = true;
			return at + 1 == s.n ? 0 : at + 2;
		}
		at = (size_t)(version_skip_digits(s.p + at, s.p + s.n) - s.p);
		if (at == start || !slice_to_u64(slice_sub(s, start, at - start), &ret->n[ret->count]) ||
		    ret->n[ret->count] >= INT64_MAX)
			return start + 1;
		ret->count++;
		if (at == s.n || s.p[at] != '.')
			break;
	}
	ret->has_stability = at < s.n && s.p[at] != '+';
	return 0;
}

/* v against numbers with "-dev" behind them, or without. */
static int bound_order(const struct version *v, const uint64_t *n, bool is_dev)
{
	char text[BOUND_MAX];
	struct version bound;

	int length = snprintf(text, sizeof(text), "%llu.%llu.%llu.%llu%s", (unsigned long long)n[0],
			      (unsigned long long)n[1], (unsigned long long)n[2], (unsigned long long)n[3],
			      is_dev ? "-dev" : "");
	(void)version_read(VERSION_PACKAGIST, slice_from(text, (size_t)length), &bound);
	return packagist_order(v, &bound);
}

static int own_order(const struct version *v, const struct operand *o, bool is_dev)
{
	struct version bound;

	if (!o->has_stability && is_dev)
		return bound_order(v, o->n, true);
	(void)version_read(VERSION_PACKAGIST, o->text, &bound);
	return packagist_order(v, &bound);
}

/* Before all that begin otherwise than the first numbers. */
static bool is_before_next(const struct version *v, const struct operand *o, unsigned numbers)
{
	uint64_t next[NUMBERS] = { 0 };

	memcpy(next, o->n, numbers * sizeof(next[0]));
	next[numbers - 1]++;
	return bound_order(v, next, true) < 0;
}

static unsigned caret_keeps(const struct operand *o)
{
	if (o->n[0] || o->count < 2)
		return 1;
	return o->n[1] || o->count < 3 ? 2 : 3;
}

static bool holds(const struct version *v, enum range_op op, const struct operand *o)
{
	if (op == RANGE_TILDE)
		return own_order(v, o, true) >= 0 && is_before_next(v, o, o->count > 1 ? o->count - 1 : 1);
	if (op == RANGE_CARET)
		return own_order(v, o, true) >= 0 && is_before_next(v, o, caret_keeps(o));
	if (o->has_wildcard && op != RANGE_NE)
		return bound_order(v, o->n, true) >= 0 && is_before_next(v, o, o->count);
	if (o->has_wildcard)
		return bound_order(v, o->n, true) < 0 || !is_before_next(v, o, o->count);
	return range_holds(op, own_order(v, o, op == RANGE_LT || op == RANGE_GE));
}

/* "1.0 - 2.0" takes all of 2.0.*, "1.0 - 2.0.0" ends with it. */
static bool hyphen_holds(const struct version *v, const struct operand *low, const struct operand *high)
{
	if (own_order(v, low, true) < 0)
		return false;
	if (high->count < 3 && !high->has_stability)
		return is_before_next(v, high, high->count);
	return own_order(v, high, false) <= 0;
}

size_t range_test_composer(const struct version *v, const struct range_clause *c, struct range_verdict *ret)
{
	struct operand o, to;
	struct version branch;

	if (slice_is(c->text, "*"))
		return 0;
	if (is_branch(c->text)) {
		size_t bad = version_read(VERSION_PACKAGIST, c->text, &branch);

		ret->holds &= slice_eq(v->text, c->text) == (c->op != RANGE_NE);
		return bad;
	}
	size_t wrong = read_operand(c->text, &o);
	if (wrong || (o.has_wildcard && !o.count))
		return wrong ? wrong : 1;
	if (c->op != RANGE_HYPHEN) {
		ret->holds &= holds(v, c->op, &o);
		return 0;
	}
	wrong = read_operand(c->to, &to);
	if (wrong || !to.count)
		return (wrong ? wrong : 1) + (size_t)(c->to.p - c->text.p);
	ret->holds &= hyphen_holds(v, &o, &to);
	return 0;
}
