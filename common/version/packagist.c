/* packagist.c - Composer: numbers and words by turns, all else between them only divides. Missing
 * numbers are 0, as Composer fills them up ("1.0" is "1.0.0.0"). */
#include "common/version/version_priv.h"

enum { WITHOUT_V };

/* A word by how it begins, as PHP's version_compare has it; a number is the release. */
enum rank { UNKNOWN, DEV, ALPHA, BETA, RC, RELEASE, PATCH };

struct token {
	enum rank rank;
	struct slice number;
	bool is_end;
};

size_t packagist_parse(struct version *v)
{
	size_t start = v->text.n > 1 && version_lower(v->text.p[0]) == 'v' && version_is_digit(v->text.p[1]);
	size_t wrong = version_check_visible(v->text);

	if (wrong)
		return wrong;
	version_set(v, WITHOUT_V, start, v->text.n);
	for (size_t i = start; i < v->text.n; i++)
		if (version_is_alnum(v->text.p[i]))
			return 0;
	return 1;
}

static bool begins(struct slice s, const char *word)
{
	for (size_t i = 0; word[i]; i++)
		if (i == s.n || version_lower(s.p[i]) != word[i])
			return false;
	return true;
}

static enum rank rank_of(struct slice word)
{
	if (begins(word, "a"))
		return ALPHA;
	if (begins(word, "b"))
		return BETA;
	if (begins(word, "rc"))
		return RC;
	if (begins(word, "p"))
		return PATCH;
	if (begins(word, "stable"))
		return RELEASE;
	return begins(word, "dev") ? DEV : UNKNOWN;
}

static struct token take(struct slice *rest)
{
	const char *p = rest->p, *end = p + rest->n, *start;
	struct token t = { .rank = RELEASE };

	while (p < end && !version_is_alnum(*p))
		p++;
	start = p;
	if (p == end) {
		t.is_end = true;
	} else if (version_is_digit(*p)) {
		p = version_skip_digits(p, end);
		t.number = slice_from(start, (size_t)(p - start));
	} else {
		while (p < end && version_is_letter(*p))
			p++;
		t.rank = rank_of(slice_from(start, (size_t)(p - start)));
	}
	*rest = slice_from(p, (size_t)(end - p));
	return t;
}

int packagist_order(const struct version *a, const struct version *b)
{
	struct slice s = version_part(a, WITHOUT_V), t = version_part(b, WITHOUT_V);

	for (;;) {
		struct token x = take(&s), y = take(&t);

		if (x.is_end && y.is_end)
			return 0;
		int r = version_sign((int)x.rank - (int)y.rank);
		if (!r)
			r = version_number_order(x.number, y.number);
		if (r)
			return r;
	}
}
