/* pep440.c - Python: [epoch!]release[pre][post][dev][+local], as PEP 440 has it. */
#include "common/version/version_priv.h"

struct reader {
	const char *text, *p, *end;
};

static bool take_word(struct reader *r, const char *word)
{
	const char *p = r->p;

	for (; *word; word++, p++)
		if (p == r->end || version_lower(*p) != *word)
			return false;
	r->p = p;
	return true;
}

static void skip_separator(struct reader *r)
{
	if (r->p < r->end && (*r->p == '.' || *r->p == '-' || *r->p == '_'))
		r->p++;
}

static void take_number(struct reader *r, struct version *v, int part)
{
	const char *start = r->p;

	r->p = version_skip_digits(start, r->end);
	version_set(v, part, (size_t)(start - r->text), (size_t)(r->p - r->text));
}

/* A word with separators on both sides, and a number that may be missing. */
static bool take_suffix(struct reader *r, const char *word, struct version *v, int part)
{
	const char *start = r->p;

	skip_separator(r);
	if (!take_word(r, word)) {
		r->p = start;
		return false;
	}
	skip_separator(r);
	take_number(r, v, part);
	return true;
}

static bool take_release(struct reader *r, struct version *v)
{
	const char *start = r->p;

	r->p = version_skip_digits(start, r->end);
	if (r->p == start)
		return false;
	if (r->p < r->end && *r->p == '!') {
		version_set(v, PEP440_EPOCH, (size_t)(start - r->text), (size_t)(r->p - r->text));
		start = ++r->p;
		r->p = version_skip_digits(start, r->end);
		if (r->p == start)
			return false;
	}
	while (r->end - r->p > 1 && *r->p == '.' && version_is_digit(r->p[1]))
		r->p = version_skip_digits(r->p + 1, r->end);
	version_set(v, PEP440_RELEASE, (size_t)(start - r->text), (size_t)(r->p - r->text));
	return true;
}

static void take_pre(struct reader *r, struct version *v)
{
	/* the longer word first */
	static const struct {
		const char *word;
		unsigned kind;
	} words[] = {
		{ "alpha", PEP440_ALPHA }, { "a", PEP440_ALPHA }, { "beta", PEP440_BETA },
		{ "b", PEP440_BETA },	   { "preview", PEP440_RC }, { "pre", PEP440_RC },
		{ "rc", PEP440_RC },	   { "c", PEP440_RC },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (take_suffix(r, words[i].word, v, PEP440_PRE)) {
			v->kind |= words[i].kind;
			return;
		}
}

static void take_post(struct reader *r, struct version *v)
{
	if (r->end - r->p > 1 && *r->p == '-' && version_is_digit(r->p[1])) {
		r->p++;
		take_number(r, v, PEP440_POST);
	} else if (!take_suffix(r, "post", v, PEP440_POST) && !take_suffix(r, "rev", v, PEP440_POST) &&
		   !take_suffix(r, "r", v, PEP440_POST)) {
		return;
	}
	v->kind |= PEP440_HAS_POST;
}

static bool take_local(struct reader *r, struct version *v)
{
	const char *start = ++r->p;

	for (;; r->p++) {
		const char *from = r->p;

		while (r->p < r->end && version_is_alnum(*r->p))
			r->p++;
		if (r->p == from)
			return false;
		if (r->p == r->end || (*r->p != '.' && *r->p != '-' && *r->p != '_'))
			break;
	}
	version_set(v, PEP440_LOCAL, (size_t)(start - r->text), (size_t)(r->p - r->text));
	v->kind |= PEP440_HAS_LOCAL;
	return true;
}

size_t pep440_parse(struct version *v)
{
	struct reader r = { v->text.p, v->text.p, v->text.p + v->text.n };

	(void)take_word(&r, "v");
	bool is_right = take_release(&r, v);
	if (is_right && r.p < r.end && *r.p != '+') {
		take_pre(&r, v);
		take_post(&r, v);
		if (take_suffix(&r, "dev", v, PEP440_DEV))
			v->kind |= PEP440_HAS_DEV;
	}
	if (is_right && r.p < r.end && *r.p == '+')
		is_right = take_local(&r, v);
	return is_right && r.p == r.end ? 0 : (size_t)(r.p - r.text) + 1;
}

static int release_order(struct slice a, struct slice b)
{
	const char *p = a.p, *p_end = p + a.n, *q = b.p, *q_end = q + b.n;

	while (p < p_end || q < q_end) {
		int r = version_digits_order(&p, p_end, &q, q_end);

		if (r)
			return r;
		p += p < p_end;
		q += q < q_end;
	}
	return 0;
}

static bool has(const struct version *v, unsigned what)
{
	return (v->kind & what) != 0;
}

/* A development release alone is before its alphas, a release after its candidates. */
static int pre_rank(const struct version *v)
{
	if (has(v, PEP440_PRE_MASK))
		return (int)(v->kind & PEP440_PRE_MASK);
	return has(v, PEP440_HAS_DEV) && !has(v, PEP440_HAS_POST) ? 0 : PEP440_RC + 1;
}

static bool take_segment(struct slice *rest, struct slice *ret)
{
	size_t n = 0;

	if (!rest->n)
		return false;
	while (n < rest->n && version_is_alnum(rest->p[n]))
		n++;
	*ret = slice_sub(*rest, 0, n);
	*rest = slice_sub(*rest, n + 1, rest->n);
	return true;
}

/* Numbers are after words. */
static int segment_order(struct slice a, struct slice b)
{
	bool x = version_skip_digits(a.p, a.p + a.n) == a.p + a.n;
	bool y = version_skip_digits(b.p, b.p + b.n) == b.p + b.n;

	if (x && y)
		return version_number_order(a, b);
	if (x != y)
		return x ? 1 : -1;
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		char c = version_lower(a.p[i]), d = version_lower(b.p[i]);

		if (c != d)
			return c < d ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

static int local_order(struct slice a, struct slice b)
{
	for (;;) {
		struct slice x, y;
		bool is_more = take_segment(&a, &x), is_other = take_segment(&b, &y);

		if (!is_more || !is_other)
			return is_more - is_other;
		int r = segment_order(x, y);
		if (r)
			return r;
	}
}

static int number_order(const struct version *a, const struct version *b, int part)
{
	return version_number_order(version_part(a, part), version_part(b, part));
}

int pep440_order(const struct version *a, const struct version *b)
{
	int r = number_order(a, b, PEP440_EPOCH);

	if (!r)
		r = release_order(version_part(a, PEP440_RELEASE), version_part(b, PEP440_RELEASE));
	if (r || !(a->kind | b->kind)) /* most have no more */
		return r;
	r = version_sign(pre_rank(a) - pre_rank(b));
	if (!r)
		r = number_order(a, b, PEP440_PRE);
	if (!r)
		r = has(a, PEP440_HAS_POST) - has(b, PEP440_HAS_POST);
	if (!r)
		r = number_order(a, b, PEP440_POST);
	if (!r)
		r = has(b, PEP440_HAS_DEV) - has(a, PEP440_HAS_DEV);
	if (!r)
		r = number_order(a, b, PEP440_DEV);
	return r ? r : local_order(version_part(a, PEP440_LOCAL), version_part(b, PEP440_LOCAL));
}
