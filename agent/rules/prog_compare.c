/* prog_compare.c - one comparison of one event. A missing value makes it false, whatever the operator. */
#include <strings.h>

#include "agent/rules/prog_priv.h"

/* What stands on the left, one value of it. */
struct left {
	struct slice text;
	int64_t num;
	struct net net;
};

static int order_texts(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

static bool by_order(enum cond_op op, int order)
{
	return op == OP_LT ? order < 0 : op == OP_LE ? order <= 0 : op == OP_GT ? order > 0 : order >= 0;
}

/* A match that takes too many steps, or has no memory, is no match. */
static bool match_regex(struct pool *p, const pcre2_code *code, struct slice s)
{
	return pcre2_match(code, (PCRE2_SPTR)(s.n ? s.p : ""), s.n, 0, 0, p->match, p->match_context) >= 0;
}

static bool judge_text(struct pool *p, const struct check *c, struct slice s, size_t i)
{
	struct slice k = c->k.texts[i];

	switch (c->op) {
	case OP_EQ:
	case OP_EQ2:
	case OP_IN:
	case OP_INTERSECTS:
		return slice_eq(s, k);
	case OP_NE:
		return !slice_eq(s, k);
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
		return by_order(c->op, order_texts(s, k));
	case OP_GLOB:
	case OP_IGLOB:
		return match_glob(k, s, c->op == OP_IGLOB);
	case OP_CONTAINS:
	case OP_ICONTAINS:
	case OP_BCONTAINS:
		return match_contains(s, k, c->op == OP_ICONTAINS);
	case OP_STARTSWITH:
	case OP_BSTARTSWITH:
		return slice_starts(s, k);
	case OP_ENDSWITH:
		return slice_ends(s, k);
	case OP_REGEX:
		return match_regex(p, c->k.regexes[i], s);
	case OP_PMATCH:
		return match_prefix(&c->k.prefixes[i], s);
	case OP_EXISTS:
		return true;
	case OP_COUNT:
		break;
	}
	return false;
}

static bool judge_number(const struct check *c, int64_t a, int64_t b)
{
	int order = c->class == CMP_UNSIGNED ? ((uint64_t)a > (uint64_t)b) - ((uint64_t)a < (uint64_t)b) :
					       (a > b) - (a < b);

	if (c->op == OP_NE)
		return order != 0;
	if (c->op == OP_LT || c->op == OP_LE || c->op == OP_GT || c->op == OP_GE)
		return by_order(c->op, order);
	return order == 0;
}

/* The left value against constant i. */
static bool judge_one(struct pool *p, const struct check *c, const struct left *l, size_t i)
{
	switch (c->class) {
	case CMP_TEXT:
	case CMP_BYTES:
		return judge_text(p, c, l->text, i);
	case CMP_SIGNED:
	case CMP_UNSIGNED:
	case CMP_BOOL:
		return judge_number(c, l->num, c->k.numbers[i]);
	case CMP_NET:
		return match_net(&c->k.nets[i], &l->net) == (c->op != OP_NE);
	case CMP_COUNT:
		break;
	}
	return false;
}

static bool in_hash(const struct constants *k, struct slice s)
{
	for (uint32_t at = (uint32_t)slice_hash(s) & k->hash_mask; k->hash[at]; at = (at + 1) & k->hash_mask)
		if (slice_eq(k->texts[k->hash[at] - 1], s))
			return true;
	return false;
}

/* One left value against all constants, as operator and modifier say. */
static bool judge_all(struct pool *p, const struct check *c, const struct left *l)
{
	size_t matches = 0;

	if (c->k.hash)
		return in_hash(&c->k, l->text);
	if (c->k.needles)
		return needles_find(c->k.needles, l->text);
	for (size_t i = 0; i < c->k.count; i++) {
		bool m = judge_one(p, c, l, i);

		if (c->mod == MOD_ALLOF ? !m : m && c->mod != MOD_ONEOF)
			return m;
		matches += m;
	}
	return c->mod == MOD_ALLOF ? c->k.count > 0 : matches == 1 && c->mod == MOD_ONEOF;
}

/* The i-th of the value's elements, or the value itself; false: it is no address. */
static bool left_of(const struct check *c, const struct rules_value *v, bool is_element, size_t i,
		    struct left *ret)
{
	ret->text = is_element ? v->list[i] : v->str;
	ret->num = v->num;
	if (is_element && (c->class == CMP_SIGNED || c->class == CMP_UNSIGNED)) {
		bool negative = ret->text.n && ret->text.p[0] == '-';
		uint64_t u;

		if (!slice_to_u64(slice_sub(ret->text, negative, ret->text.n), &u))
			return false;
		ret->num = negative ? -(int64_t)u : (int64_t)u;
	}
	return c->class != CMP_NET || net_parse(ret->text, false, &ret->net);
}

/* A list (fd.types), both ends (fd.ip), any ancestor (proc.aname): is there one element that fits?
 * `in` of a list wants every element, as `a in (..)` reads for sets; != of both ends, that neither. */
static bool judge_elements(struct pool *p, const struct check *c, const struct rules_value *v,
			   unsigned flags)
{
	bool want_all = (v->is_list && c->op == OP_IN) || (flags & FIELD_IS_EITHER && c->op == OP_NE);
	bool any = false;

	for (size_t i = 0; i < v->list_count; i++) {
		struct left l = { .num = 0 };
		bool m = left_of(c, v, true, i, &l) && judge_all(p, c, &l);

		any |= m;
		if (m != want_all)
			return m;
	}
	return any;
}

/* One value of the right side as the only constant of the same comparison. */
static bool judge_pair(struct pool *p, const struct check *c, const struct left *l, struct slice text,
		       int64_t num)
{
	struct check one = *c;
	struct net net = { 0 };
	struct path_prefix prefix = { 0 };

	one.mod = MOD_NONE;
	one.k = (struct constants){ .count = 1, .texts = &text, .numbers = &num, .nets = &net,
				    .prefixes = &prefix };
	if (c->class == CMP_NET && !net_parse(text, true, &net))
		return false;
	if (c->op == OP_PMATCH)
		return slice_starts(l->text, text) &&
		       (l->text.n == text.n || slice_ends(text, SLICE_LIT("/")) || l->text.p[text.n] == '/');
	return judge_one(p, &one, l, 0);
}

static bool judge_right(struct pool *p, const struct check *c, const struct left *l)
{
	struct rules_value v;

	if (!operand_value(p, c->right, &v))
		return false;
	if (!v.list_count)
		return !v.is_list && judge_pair(p, c, l, v.str, v.num);
	for (size_t i = 0; i < v.list_count; i++)
		if (judge_pair(p, c, l, v.list[i], v.num))
			return true;
	return false;
}

static bool judge_value(struct pool *p, const struct check *c, const struct rules_value *v, unsigned flags)
{
	bool has_elements = v->is_list || (v->list_count && flags & (FIELD_IS_EITHER | FIELD_IS_ANCESTOR)) ||
			    (v->list_count && flags & FIELD_IS_ARGUMENTS && c->op == OP_INTERSECTS);
	struct left l = { .num = 0 };

	if (c->has_right) {
		for (size_t i = 0; has_elements && i < v->list_count; i++)
			if (left_of(c, v, true, i, &l) && judge_right(p, c, &l))
				return true;
		return !has_elements && left_of(c, v, false, 0, &l) && judge_right(p, c, &l);
	}
	if (has_elements)
		return judge_elements(p, c, v, flags);
	return left_of(c, v, false, 0, &l) && judge_all(p, c, &l);
}

/* ---- the short ways ---- */

/* One text against constants of which any may fit, as most comparisons are. */
static bool judge_any_text(const struct check *c, struct slice s)
{
	const struct slice *k = c->k.texts, *end = k + c->k.count;

	switch (c->op) {
	case OP_EQ:
	case OP_EQ2:
	case OP_IN:
	case OP_INTERSECTS:
		if (c->k.hash)
			return in_hash(&c->k, s);
		for (; k < end; k++)
			if (slice_eq(s, *k))
				return true;
		return false;
	case OP_STARTSWITH:
		for (; k < end; k++)
			if (slice_starts(s, *k))
				return true;
		return false;
	case OP_ENDSWITH:
		for (; k < end; k++)
			if (slice_ends(s, *k))
				return true;
		return false;
	case OP_CONTAINS:
		if (c->k.needles)
			return needles_find(c->k.needles, s);
		for (; k < end; k++)
			if (match_contains(s, *k, false))
				return true;
		return false;
	case OP_NE:
		for (; k < end; k++)
			if (!slice_eq(s, *k))
				return true;
		return false;
	case OP_EXISTS:
	case OP_LE:
	case OP_LT:
	case OP_GE:
	case OP_GT:
	case OP_GLOB:
	case OP_IGLOB:
	case OP_ICONTAINS:
	case OP_BCONTAINS:
	case OP_BSTARTSWITH:
	case OP_REGEX:
	case OP_PMATCH:
	case OP_COUNT:
		break;
	}
	return false;
}

static bool judge_any_number(const struct check *c, int64_t n)
{
	for (size_t i = 0; i < c->k.count; i++)
		if (judge_number(c, n, c->k.numbers[i]))
			return true;
	return false;
}

/* Which comparisons have a short way; a value that turns out to be a list goes the long one. */
enum short_way check_short_way(const struct check *c, const struct operand *left)
{
	static const unsigned texts = 1U << OP_EQ | 1U << OP_EQ2 | 1U << OP_IN | 1U << OP_INTERSECTS |
				      1U << OP_STARTSWITH | 1U << OP_ENDSWITH | 1U << OP_CONTAINS | 1U << OP_NE;

	if (c->has_right || left->is_list || (c->mod && c->mod != MOD_ANYOF))
		return SHORT_NONE;
	if (c->op == OP_EXISTS)
		return SHORT_NONE;
	if (c->class == CMP_TEXT)
		return texts & 1U << c->op ? SHORT_TEXT : SHORT_NONE;
	return c->class == CMP_SIGNED || c->class == CMP_UNSIGNED || c->class == CMP_BOOL ? SHORT_NUMBER :
											   SHORT_NONE;
}

bool check_judge_value(struct pool *p, const struct check *c, const struct rules_value *v)
{
	if (c->op == OP_EXISTS)
		return true;
	if (c->way != SHORT_NONE && !v->list_count && !v->is_list)
		return c->way == SHORT_TEXT ? judge_any_text(c, v->str) : judge_any_number(c, v->num);
	return judge_value(p, c, v, p->operands[c->left].flags);
}

bool check_judge(struct pool *p, const struct check *c)
{
	const struct rules_value *v = operand_get(p, c->left);

	return v && check_judge_value(p, c, v);
}
