/* range_cargo.c - requirements of Cargo.toml, as the semver crate tests them. */
#include "common/version/range_priv.h"

/* v's first count numbers against the clause's. */
static int numbers_order(const struct range_triple *v, const struct range_triple *t, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (v->n[i] != t->n[i])
			return v->n[i] < t->n[i] ? -1 : 1;
	return 0;
}

static bool is_exact(const struct range_triple *v, const struct range_triple *t)
{
	return !numbers_order(v, t, t->count) && !semver_pre_order(v->pre, t->pre);
}

/* Beyond all (side 1) or before all (side -1) that begin as t does. */
static bool is_beyond(const struct range_triple *v, const struct range_triple *t, int side)
{
	int r = numbers_order(v, t, t->count);

	if (!r && t->count == 3)
		r = semver_pre_order(v->pre, t->pre);
	return r == side;
}

/* The same up to what may change, and not before t. */
static bool is_since(const struct range_triple *v, const struct range_triple *t, unsigned keeps)
{
	if (numbers_order(v, t, keeps < t->count ? keeps : t->count))
		return false;
	int r = numbers_order(v, t, t->count);
	if (!r)
		r = semver_pre_order(v->pre, t->pre);
	return r >= 0;
}

static unsigned caret_keeps(const struct range_triple *t)
{
	if (t->count < 2 || t->n[0])
		return 1;
	return t->count < 3 || t->n[1] ? 2 : 3;
}

static bool holds(enum range_op op, const struct range_triple *v, const struct range_triple *t)
{
	switch (op) {
	case RANGE_NE:
		return !is_exact(v, t);
	case RANGE_GT:
		return is_beyond(v, t, 1);
	case RANGE_GE:
		return is_beyond(v, t, 1) || is_exact(v, t);
	case RANGE_LT:
		return is_beyond(v, t, -1);
	case RANGE_LE:
		return is_beyond(v, t, -1) || is_exact(v, t);
	case RANGE_TILDE:
		return is_since(v, t, 2);
	case RANGE_CARET:
		return is_since(v, t, caret_keeps(t));
	default:
		return is_exact(v, t);
	}
}

size_t range_test_cargo(const struct version *v, const struct range_clause *c, struct range_verdict *ret)
{
	struct range_triple have = range_triple_of(v), t;
	bool has_wildcard = range_is_wildcard(c->text.p[c->text.n - 1]);

	size_t wrong = range_read_triple(c->text, &t);
	if (wrong)
		return wrong;
	ret->names_pre |= t.pre.n && !numbers_order(&have, &t, 3);
	if (!t.count) /* "*": all but pre-releases, which the caller sees to */
		return 0;
	enum range_op op = c->op == RANGE_BARE && !has_wildcard ? RANGE_CARET : c->op;
	if (!holds(op, &have, &t))
		ret->holds = false;
	return 0;
}
