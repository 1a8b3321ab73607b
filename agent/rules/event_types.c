/* event_types.c - which event types a condition can be true for: sets of names, or all but some. A
 * comparison of another field says nothing, and neither does its negation. */
#include "agent/rules/load.h"

static const struct type_set every_type = { .is_complement = true }, no_type = { 0 };

static int order(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

/* Two sorted lists into one: what stands in the first alone, in both, in the second alone. */
static struct strings merge(struct loader *l, const struct strings *a, const struct strings *b,
			    bool only_a, bool both, bool only_b)
{
	struct strings out = { 0 };
	size_t i = 0, k = 0;

	while (i < a->count || k < b->count) {
		int d = i == a->count ? 1 : k == b->count ? -1 : order(a->p[i], b->p[k]);
		bool keep = d < 0 ? only_a : d > 0 ? only_b : both;
		struct slice x = d <= 0 ? a->p[i] : b->p[k];

		i += d <= 0;
		k += d >= 0;
		if (keep && !strings_add(l, &out, x))
			break;
	}
	return out;
}

static struct type_set both(struct loader *l, struct type_set a, struct type_set b)
{
	if (a.is_complement && b.is_complement)
		return (struct type_set){ true, merge(l, &a.names, &b.names, true, true, true) };
	if (a.is_complement)
		return (struct type_set){ false, merge(l, &a.names, &b.names, false, false, true) };
	if (b.is_complement)
		return (struct type_set){ false, merge(l, &a.names, &b.names, true, false, false) };
	return (struct type_set){ false, merge(l, &a.names, &b.names, false, true, false) };
}

static struct type_set negate(struct type_set a)
{
	a.is_complement = !a.is_complement;
	return a;
}

/* a or b = not (not a and not b) */
static struct type_set either(struct loader *l, struct type_set a, struct type_set b)
{
	return negate(both(l, negate(a), negate(b)));
}

static int order_slices(const void *a, const void *b)
{
	return order(*(const struct slice *)a, *(const struct slice *)b);
}

static struct type_set named(struct loader *l, const struct cond *value)
{
	struct type_set all = no_type;
	const struct cond *v = value->kind == COND_LIST ? value->child : value;
	size_t kept = 0;

	for (; v; v = value->kind == COND_LIST ? v->next : NULL)
		if (!strings_add(l, &all.names, v->text))
			return every_type;
	struct slice *p = all.names.p;
	if (p)
		qsort(p, all.names.count, sizeof(*p), order_slices);
	for (size_t i = 0; i < all.names.count; i++)
		if (!i || !slice_eq(p[i], p[kept - 1]))
			p[kept++] = p[i];
	all.names.count = kept;
	return all;
}

static struct type_set of_check(struct loader *l, const struct cond *c, bool negated)
{
	const struct cond *left = c->child, *right = left->next;
	bool is_constant = right && (right->kind == COND_VALUE || right->kind == COND_LIST);

	if (left->kind != COND_FIELD || !is_constant)
		return every_type;
	/* The way upstream's never_true is written. */
	if (slice_is(left->text, "evt.num") && c->op == OP_EQ && slice_is(right->text, "0"))
		return negated ? every_type : no_type;
	if (!slice_is(left->text, "evt.type") || c->mod == MOD_ALLOF || (c->mod && c->op == OP_NE))
		return every_type;
	if (c->op == OP_EQ || c->op == OP_IN || c->op == OP_INTERSECTS)
		return negated ? negate(named(l, right)) : named(l, right);
	if (c->op == OP_NE)
		return negated ? named(l, right) : negate(named(l, right));
	return every_type;
}

static struct type_set of(struct loader *l, const struct cond *c, bool negated)
{
	struct type_set all;

	switch (c->kind) {
	case COND_AND:
	case COND_OR:
		all = of(l, c->child, negated);
		for (const struct cond *x = c->child->next; x; x = x->next)
			all = (c->kind == COND_AND) != negated ? both(l, all, of(l, x, negated)) :
								 either(l, all, of(l, x, negated));
		return all;
	case COND_NOT:
		return of(l, c->child, !negated);
	case COND_MACRO:
		return c->child ? of(l, c->child, negated) : every_type;
	case COND_CHECK:
		return of_check(l, c, negated);
	case COND_FIELD:
	case COND_TRANSFORM:
	case COND_VALUE:
	case COND_LIST:
		break;
	}
	return every_type;
}

struct type_set event_types(struct loader *l, const struct cond *c)
{
	return of(l, c, false);
}
