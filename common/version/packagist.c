/* packagist.c - Composer: numbers and words by turns, all else between them only divides. Before the first
 * word there are four numbers, as Composer fills them up ("1.0-p1" is "1.0.0.0-patch1"). */
#include "common/version/version_priv.h"

enum { PLAIN }; /* without "v" and what "+" begins */
enum { NUMBERS = 4 };

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
	size_t end = start, wrong = version_check_visible(v->text);
	bool is_empty = true;

	if (wrong)
		return wrong;
	for (; end < v->text.n && v->text.p[end] != '+'; end++)
		is_empty &= !version_is_alnum(v->text.p[end]);
	version_set(v, PLAIN, start, end);
	return is_empty ? start + 1 : 0;
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

struct cursor {
	const char *p, *end;
	unsigned numbers; /* so far, before the first word */
	bool is_branch;	  /* "2.x-dev": the end of 2, whatever comes there */
};

/* An "x" in a number's place. */
static bool is_wild(const struct cursor *c)
{
	return c->end - c->p > 1 && version_lower(*c->p) == 'x' && !version_is_alnum(c->p[1]);
}

static struct token take(struct cursor *c)
{
	struct token t = { .rank = RELEASE };
	const char *start;

	while (c->p < c->end && !version_is_alnum(*c->p))
		c->p++;
	start = c->p;
	if (c->numbers < NUMBERS && is_wild(c)) {
		c->is_branch = true;
		c->p++;
	}
	if (c->p < c->end && version_is_digit(*c->p)) {
		c->p = version_skip_digits(c->p, c->end);
		c->numbers++;
		t.number = slice_from(start, (size_t)(c->p - start));
	} else if (c->numbers < NUMBERS) {
		c->numbers++;
		t.number = c->is_branch ? SLICE_LIT("9999999") : SLICE_LIT("0");
	} else if (c->p < c->end) {
		while (c->p < c->end && version_is_letter(*c->p))
			c->p++;
		t.rank = rank_of(slice_from(start, (size_t)(c->p - start)));
	} else {
		t.is_end = true;
	}
	return t;
}

static struct cursor cursor_of(const struct version *v)
{
	struct slice text = version_part(v, PLAIN);

	/* a branch ("dev-main") has no numbers */
	return (struct cursor){ text.p, text.p + text.n, version_is_letter(text.p[0]) ? NUMBERS : 0, false };
}

int packagist_order(const struct version *a, const struct version *b)
{
	struct cursor c = cursor_of(a), d = cursor_of(b);

	for (;;) {
		struct token x = take(&c), y = take(&d);

		if (x.is_end && y.is_end)
			return 0;
		int r = version_sign((int)x.rank - (int)y.rank);
		if (!r)
			r = version_number_order(x.number, y.number);
		if (r)
			return r;
	}
}
