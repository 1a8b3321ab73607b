/* range_pep440.c - Python's version specifiers. Pre-releases are let in as if pip ran with --pre: who
 * asks about a version has it already. */
#include "common/version/range_priv.h"

static struct version without_local(const struct version *v)
{
	struct version w = *v;

	w.kind &= ~(unsigned)PEP440_HAS_LOCAL;
	w.part[PEP440_LOCAL].n = 0;
	return w;
}

/* The release alone, with its epoch. */
static struct version base(const struct version *v)
{
	struct version w = *v;

	w.kind = 0;
	for (int i = PEP440_PRE; i <= PEP440_LOCAL; i++)
		w.part[i].n = 0;
	return w;
}

static bool is_same_base(const struct version *a, const struct version *b)
{
	struct version x = base(a), y = base(b);

	return !pep440_order(&x, &y);
}

/* Does v begin with the prefix's numbers? Missing ones are 0. */
static bool has_prefix(const struct version *v, const struct version *prefix)
{
	struct slice a = version_part(v, PEP440_RELEASE), b = version_part(prefix, PEP440_RELEASE);
	const char *p = a.p, *p_end = p + a.n, *q = b.p, *q_end = q + b.n;

	if (version_number_order(version_part(v, PEP440_EPOCH), version_part(prefix, PEP440_EPOCH)))
		return false;
	while (q < q_end) {
		if (version_digits_order(&p, p_end, &q, q_end))
			return false;
		p += p < p_end;
		q += q < q_end;
	}
	return true;
}

/* "~= 2.1.3": not before it, and 2.1.* */
static bool is_compatible(const struct version *v, const struct version *w)
{
	struct version prefix = base(w);
	struct slice release = version_part(w, PEP440_RELEASE);

	while (release.p[release.n - 1] != '.')
		release.n--;
	prefix.part[PEP440_RELEASE].n = (uint16_t)(release.n - 1);
	return pep440_order(v, w) >= 0 && has_prefix(v, &prefix);
}

/* "< 2" is not for 2's own pre-releases, "> 2" not for its post-releases. */
static bool is_beside(const struct version *v, enum range_op op, const struct version *w)
{
	unsigned what = op == RANGE_LT ? PEP440_PRE_MASK | PEP440_HAS_DEV : PEP440_HAS_POST;

	return (op == RANGE_LT || op == RANGE_GT) && v->kind & what && !(w->kind & what) && is_same_base(v, w);
}

static bool holds(const struct version *v, enum range_op op, const struct version *w)
{
	/* a local label counts where the clause has one */
	struct version plain = without_local(v);
	const struct version *have = w->kind & PEP440_HAS_LOCAL ? v : &plain;

	if (op == RANGE_COMPATIBLE)
		return is_compatible(have, w);
	return range_holds(op, pep440_order(have, w)) && !is_beside(have, op, w);
}

static bool is_same_text(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (version_lower(a.p[i]) != version_lower(b.p[i]))
			return false;
	return true;
}

static size_t test_prefix(const struct version *v, const struct range_clause *c, struct range_verdict *ret)
{
	struct slice text = slice_sub(c->text, 0, c->text.n - 2);
	struct version prefix;

	size_t wrong = version_read(VERSION_PEP440, text, &prefix);
	if (wrong)
		return wrong;
	if (prefix.kind || (c->op != RANGE_EQ && c->op != RANGE_NE && c->op != RANGE_BARE))
		return c->text.n; /* a prefix is numbers, and either it is that or not */
	if (has_prefix(v, &prefix) == (c->op == RANGE_NE))
		ret->holds = false;
	return 0;
}

size_t range_test_pep440(const struct version *v, const struct range_clause *c, struct range_verdict *ret)
{
	struct version w;

	if (c->op == RANGE_BARE && slice_is(c->text, "*"))
		return 0;
	if (c->op == RANGE_SAME) {
		ret->holds &= is_same_text(v->text, c->text);
		return 0;
	}
	if (slice_ends(c->text, SLICE_LIT(".*")))
		return test_prefix(v, c, ret);
	size_t wrong = version_read(VERSION_PEP440, c->text, &w);
	if (wrong)
		return wrong;
	if (c->op == RANGE_COMPATIBLE && slice_find_char(version_part(&w, PEP440_RELEASE), '.') < 0)
		return c->text.n; /* needs two numbers */
	if (!holds(v, c->op, &w))
		ret->holds = false;
	return 0;
}
