/* event_types.c - which event types a condition can be true for: sets of names, or all but some. A
 * comparison of another field says nothing, and neither does its negation. */
#include "agent/rules/load.h"

enum { NAMES_MAX = 1024 }; /* of one set; Linux has some 450 system calls */

static const struct type_set every_type = { .is_complement = true }, no_type = { 0 };

static int order(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

/* Which of two sorted lists are kept: what stands in the first alone, in both, in the second alone. */
enum keep { FIRST = 1, BOTH = 2, SECOND = 4 };

/* Past the bound the answer is "every type", which is never wrong, only slow. */
static struct type_set merge(struct loader *l, const struct type_set *a, const struct type_set *b,
			     unsigned keep, bool is_complement)
{
	struct type_set out = { .is_complement = is_complement };
	size_t i = 0, k = 0;

	while (i < a->names.count || k < b->names.count) {
		int d = i == a->names.count ? 1 :
			k == b->names.count ? -1 : order(a->names.p[i], b->names.p[k]);
		struct slice x = d <= 0 ? a->names.p[i] : b->names.p[k];

		i += d <= 0;
		k += d >= 0;
		if (!(keep & (d < 0 ? FIRST : d > 0 ? SECOND : BOTH)))
			continue;
		if (out.names.count == NAMES_MAX || !strings_add(l, &out.names, x))
			return every_type;
	}
	return out;
}

static struct type_set both(struct loader *l, struct type_set a, struct type_set b)
{
	if (a.is_complement && b.is_complement)
		return merge(l, &a, &b, FIRST | BOTH | SECOND, true);
	if (a.is_complement)
		return merge(l, &a, &b, SECOND, false);
	return merge(l, &a, &b, b.is_complement ? FIRST : BOTH, false);
}

static struct type_set either(struct loader *l, struct type_set a, struct type_set b)
{
	if (a.is_complement && b.is_complement)
		return merge(l, &a, &b, BOTH, true);
	if (a.is_complement)
		return merge(l, &a, &b, FIRST, true);
	return b.is_complement ? merge(l, &a, &b, SECOND, true) :
				 merge(l, &a, &b, FIRST | BOTH | SECOND, false);
}

static int order_slices(const void *a, const void *b)
{
	return order(*(const struct slice *)a, *(const struct slice *)b);
}

/* The constants on the right of an evt.type, or all others. */
static struct type_set named(struct loader *l, const struct cond *value, bool negated)
{
	struct type_set all = { .is_complement = negated };
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
	return kept <= NAMES_MAX ? all : every_type;
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
	if (!slice_is(left->text, "evt.type") || c->mod)
		return c->mod == MOD_ANYOF && c->op == OP_EQ && slice_is(left->text, "evt.type") ?
			       named(l, right, negated) :
			       every_type;
	if (c->op == OP_EQ || c->op == OP_IN || c->op == OP_INTERSECTS)
		return named(l, right, negated);
	return c->op == OP_NE ? named(l, right, !negated) : every_type;
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
