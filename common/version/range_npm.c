/* range_npm.c - npm's ranges: every clause is a span of versions, from a lower to an upper bound. */
#include "common/version/range_priv.h"

#define LOWEST SLICE_LIT("0") /* "-0": before every other pre-release */

struct span {
	struct range_triple low, high;
	bool has_low, has_high;
	bool is_low_out, is_high_in; /* the bound itself */
	bool is_empty;
};

/* Behind the numbers: "-pre" and "+build". */
static size_t read_tail(struct slice s, size_t at, struct range_triple *ret)
{
	size_t start = at + 1;
	bool is_pre = at < s.n && s.p[at] == '-';

	if (at == s.n)
		return 0;
	if (!is_pre && s.p[at] != '+')
		return at + 1;
	for (at = start; at <= s.n; at++) {
		char c = at < s.n ? s.p[at] : 0;

		if (version_is_alnum(c) || c == '-')
			continue;
		if (at == start || s.p[at - 1] == '.' || s.p[at - 1] == '+' || (c && c != '.' && c != '+'))
			return at + 1;
		if (is_pre && c != '.') {
			ret->pre = slice_sub(s, start, at - start);
			is_pre = false;
		} else if (c == '+') {
			return at + 1; /* a second one */
		}
	}
	return 0;
}

size_t range_read_triple(struct slice s, struct range_triple *ret)
{
	size_t at = 0, part = 0;

	*ret = (struct range_triple){ 0 };
	while (at < s.n && memchr("vV=", s.p[at], 3))
		at++;
	for (;; at++, part++) {
		size_t start = at;
		bool is_wild = at < s.n && range_is_wildcard(s.p[at]);

		at = is_wild ? at + 1 : (size_t)(version_skip_digits(s.p + at, s.p + s.n) - s.p);
		if (at == start || part == 3 || (!is_wild && ret->count < part))
			return start + 1;
		if (!is_wild && (!slice_to_u64(slice_sub(s, start, at - start), &ret->n[part]) ||
				 ret->n[part] >= INT64_MAX))
			return start + 1;
		ret->count += !is_wild;
		if (at == s.n || s.p[at] != '.')
			break;
	}
	size_t wrong = read_tail(s, at, ret);
	if (ret->count < 3)
		ret->pre = SLICE_NONE; /* of what? */
	return wrong;
}

struct range_triple range_triple_of(const struct version *v)
{
	struct slice core = version_part(v, SEMVER_CORE), number;
	struct range_triple t = { .count = 3, .pre = version_part(v, SEMVER_PRE) };

	for (unsigned i = 0; i < 3 && slice_split(&core, '.', &number); i++)
		if (!slice_to_u64(number, &t.n[i]))
			t.n[i] = UINT64_MAX;
	return t;
}

static int triple_order(const struct range_triple *a, const struct range_triple *b)
{
	for (unsigned i = 0; i < 3; i++)
		if (a->n[i] != b->n[i])
			return a->n[i] < b->n[i] ? -1 : 1;
	return semver_pre_order(a->pre, b->pre);
}

/* The first one after all that begin with t's first numbers. */
static struct range_triple after(const struct range_triple *t, unsigned numbers)
{
	struct range_triple next = { .count = 3, .pre = LOWEST };

	for (unsigned i = 0; i < numbers; i++)
		next.n[i] = t->n[i];
	next.n[numbers - 1]++;
	return next;
}

static struct range_triple from(const struct range_triple *t, bool with_pre)
{
	struct range_triple low = *t;

	if (with_pre)
		low.pre = LOWEST;
	return low;
}

/* ^ keeps what stands up to the first number that is not 0. */
static unsigned caret_keeps(const struct range_triple *t)
{
	if (t->count < 2 || t->n[0])
		return 1;
	return t->count < 3 || t->n[1] ? 2 : 3;
}

static void set_span(struct span *s, const struct range_triple *t, unsigned keeps, bool with_pre)
{
	s->has_low = s->has_high = true;
	s->low = from(t, with_pre && t->count < 3);
	s->high = after(t, keeps);
}

static struct span partial_span(enum range_op op, const struct range_triple *t, bool with_pre)
{
	struct span s = { 0 };

	set_span(&s, t, t->count, with_pre);
	if (op == RANGE_GT) {
		s.low = s.high;
		s.low.pre = with_pre ? s.low.pre : SLICE_NONE;
	} else if (op == RANGE_LT) {
		s.high = from(t, true);
	}
	s.has_low = op != RANGE_LT && op != RANGE_LE;
	s.has_high = op != RANGE_GT && op != RANGE_GE;
	return s;
}

static struct span span_of(enum range_op op, const struct range_triple *t, bool with_pre)
{
	struct span s = { 0 };

	if (!t->count) {
		s.is_empty = op == RANGE_LT || op == RANGE_GT;
	} else if (op == RANGE_TILDE) {
		set_span(&s, t, t->count == 1 ? 1 : 2, with_pre);
	} else if (op == RANGE_CARET) {
		set_span(&s, t, caret_keeps(t), with_pre);
	} else if (t->count < 3) {
		return partial_span(op, t, with_pre);
	} else {
		s.low = s.high = *t;
		s.has_low = op != RANGE_LT && op != RANGE_LE;
		s.has_high = op != RANGE_GT && op != RANGE_GE;
		s.is_low_out = op == RANGE_GT;
		s.is_high_in = op != RANGE_LT;
	}
	return s;
}

static struct span hyphen_span(const struct range_triple *low, const struct range_triple *high, bool with_pre)
{
	struct span s = { .has_low = low->count > 0, .has_high = high->count > 0 };

	s.low = from(low, with_pre && !low->pre.n);
	s.high = *high;
	s.is_high_in = high->count == 3 && (high->pre.n || !with_pre);
	if (s.has_high && !s.is_high_in)
		s.high = after(high, high->count);
	return s;
}

static bool is_within(const struct range_triple *t, const struct span *s)
{
	if (s->is_empty)
		return false;
	if (s->has_low && triple_order(t, &s->low) < s->is_low_out)
		return false;
	return !s->has_high || triple_order(t, &s->high) < s->is_high_in;
}

static bool names(const struct range_triple *clause, const struct range_triple *v)
{
	return clause->pre.n && !memcmp(clause->n, v->n, sizeof(v->n));
}

size_t range_test_npm(const struct version *v, const struct range_clause *c, struct range_verdict *ret)
{
	struct range_triple have = range_triple_of(v), t, to = { 0 };
	bool with_pre = v->scheme == VERSION_NPM_PRERELEASE;
	struct span s;

	size_t wrong = range_read_triple(c->text, &t);
	if (wrong)
		return wrong;
	if (c->op == RANGE_HYPHEN) {
		wrong = range_read_triple(c->to, &to);
		if (wrong)
			return wrong + (size_t)(c->to.p - c->text.p);
		s = hyphen_span(&t, &to, with_pre);
	} else {
		s = span_of(c->op == RANGE_NE ? RANGE_EQ : c->op, &t, with_pre);
	}
	ret->names_pre |= names(&t, &have) || names(&to, &have);
	if (is_within(&have, &s) == (c->op == RANGE_NE))
		ret->holds = false;
	return 0;
}
