/* range_interval.c - Maven and NuGet: "[1.0,2.0)", "[1.2]", "(,1.0],[1.2,)", "[1.2.*]". */
#include "common/version/range_priv.h"

struct reader {
	const struct version *v;
	struct slice text;
	size_t at;
};

static void skip_blanks(struct reader *r)
{
	while (r->at < r->text.n && version_is_blank(r->text.p[r->at]))
		r->at++;
}

static char current(const struct reader *r)
{
	return r->at < r->text.n ? r->text.p[r->at] : 0;
}

bool range_is_interval(const struct version *v, struct slice range)
{
	struct reader r = { v, range, 0 };

	if (v->scheme != VERSION_MAVEN && v->scheme != VERSION_MAVEN_GENERIC && v->scheme != VERSION_NUGET)
		return false;
	skip_blanks(&r);
	return current(&r) == '[' || current(&r) == '(';
}

/* Up to a comma or a bracket, without blanks at its end. */
static struct slice take_bound(struct reader *r)
{
	size_t start;

	skip_blanks(r);
	start = r->at;
	while (r->at < r->text.n && !memchr(",[]()", r->text.p[r->at], 5))
		r->at++;
	struct slice bound = slice_sub(r->text, start, r->at - start);
	while (bound.n && version_is_blank(bound.p[bound.n - 1]))
		bound.n--;
	return bound;
}

/* "1.2.*": the numbers before the first that differs in kind; missing ones are 0. */
static bool begins_with(struct slice text, struct slice prefix)
{
	const char *p = text.p, *p_end = p + text.n, *q = prefix.p, *q_end = q + prefix.n;

	while (q < q_end) {
		if (version_digits_order(&p, p_end, &q, q_end))
			return false;
		if (q < q_end && *q != '.')
			return false;
		q += q < q_end;
		if (p < p_end && *p == '.')
			p++;
		else
			p_end = p;
	}
	return true;
}

/* Returns 0 or the column in the whole text. */
static size_t bound_order(const struct reader *r, struct slice bound, int *ret)
{
	struct version w;
	size_t wrong = version_read(r->v->scheme, bound, &w);

	if (wrong)
		return wrong + (size_t)(bound.p - r->text.p);
	*ret = version_order(r->v, &w);
	return 0;
}

static size_t match_one(struct reader *r, bool *ret)
{
	bool is_low_in = current(r) == '[', has_comma;
	struct slice low, high;
	int from_low = 1, to_high = -1;
	size_t wrong = 0;

	r->at++;
	low = take_bound(r);
	has_comma = current(r) == ',';
	r->at += has_comma;
	high = has_comma ? take_bound(r) : low;
	if (current(r) != ']' && current(r) != ')')
		return r->at + 1;
	bool is_high_in = current(r) == ']';
	if (!has_comma && (!low.n || !is_low_in || !is_high_in))
		return r->at + 1;
	r->at++;
	if (!has_comma && slice_ends(low, SLICE_LIT(".*"))) {
		*ret = begins_with(r->v->text, slice_sub(low, 0, low.n - 2));
		return 0;
	}
	if (low.n)
		wrong = bound_order(r, low, &from_low);
	if (high.n && !wrong)
		wrong = bound_order(r, high, &to_high);
	*ret = from_low >= !is_low_in && to_high < is_high_in;
	return wrong;
}

size_t range_match_interval(const struct version *v, struct slice range, bool *ret)
{
	struct reader r = { v, range, 0 };
	bool is_in = false, is_one = false;

	for (skip_blanks(&r); r.at < range.n; skip_blanks(&r)) {
		if (current(&r) != '[' && current(&r) != '(')
			return r.at + 1;
		size_t wrong = match_one(&r, &is_one);
		if (wrong)
			return wrong;
		is_in |= is_one;
		skip_blanks(&r);
		if (current(&r) == ',')
			r.at++;
	}
	*ret = is_in;
	return 0;
}
