/* prog_join.c - comparisons in an `or` that become one: they have no effects, and a missing value makes them
 * false wherever they stand. Putting the cheap operands first, too, was tried and measured slower by half:
 * those who write rules put the telling ones first. */
#include "agent/rules/prog_priv.h"

enum { JOIN_MAX = 4096 /* operands; each may be compared with each */ };

/* "a contains x or a contains y" is "a contains anyof (x, y)", which is one pass over a. */
static bool is_search(const struct cond *c)
{
	return c->kind == COND_CHECK && c->op == OP_CONTAINS && !c->mod && c->child->kind == COND_FIELD &&
	       c->child->next && c->child->next->kind == COND_VALUE;
}

static bool is_same(const struct cond *a, const struct cond *b)
{
	return is_search(a) && is_search(b) && slice_eq(a->child->text, b->child->text) &&
	       a->child->has_arg == b->child->has_arg && slice_eq(a->child->arg, b->child->arg);
}

static struct cond *copy(struct arena *a, const struct cond *c)
{
	struct cond *x = arena_alloc(a, sizeof(*x));

	if (x) {
		*x = *c;
		x->next = NULL;
	}
	return x;
}

/* One check of all[at] and those like it behind; NULL: no room. */
static const struct cond *join(struct arena *a, const struct cond *const *all, size_t count, size_t at)
{
	struct cond *check = copy(a, all[at]), *left = copy(a, all[at]->child), *list = copy(a, all[at]->child->next);
	struct cond **end;

	if (!check || !left || !list)
		return NULL;
	check->mod = MOD_ANYOF;
	check->child = left;
	left->next = list;
	list->kind = COND_LIST;
	end = &list->child;
	for (size_t i = at; i < count; i++) {
		if (!is_same(all[at], all[i]))
			continue;
		*end = copy(a, all[i]->child->next);
		if (!*end)
			return NULL;
		end = &(*end)->next;
	}
	return check;
}

size_t chain_join(struct arena *a, const struct cond **all, size_t count)
{
	for (size_t i = 0; i < count && count <= JOIN_MAX; i++) {
		size_t same = 0, kept = i + 1;

		for (size_t k = i; k < count && is_search(all[i]); k++)
			same += is_same(all[i], all[k]);
		const struct cond *joined = same >= NEEDLES_MIN ? join(a, all, count, i) : NULL;
		if (!joined)
			continue;
		for (size_t k = i + 1; k < count; k++)
			if (!is_same(all[i], all[k]))
				all[kept++] = all[k];
		all[i] = joined;
		count = kept;
	}
	return count;
}
