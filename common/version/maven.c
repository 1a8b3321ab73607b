/* maven.c - Maven's ComparableVersion, the order its advisories mean.
 *
 * There a version is a list of numbers and words whose last item may be a list again: "-" and each change
 * between digits and letters open one. At the end of every list what means nothing (0, "ga", an empty
 * list) is dropped. Here nothing is built: a cursor yields the items in turn, LIST where one opens (the
 * lists can only end together), and leaves out what would be dropped. */
#include "common/version/version_priv.h"

enum { LIVE }; /* the text up to the end of its last item that means something */

struct token {
	struct slice text;
	const char *next;
	bool is_number;
	bool opens_before, opens_after; /* a list */
	bool has_digit_next;
};

enum kind { END, WORD, LIST, NUMBER }; /* later is newer, where kinds differ */

struct item {
	enum kind kind;
	struct slice text;
	int rank; /* of a word */
};

enum { RANK_RELEASE = 5, RANK_UNKNOWN = 7 };
static const struct {
	const char *word;
	int rank;
} ranks[] = {
	{ "alpha", 0 },	  { "beta", 1 }, { "milestone", 2 },	       { "rc", 3 },
	{ "cr", 3 },	  { "snapshot", 4 }, { "final", RANK_RELEASE }, { "ga", RANK_RELEASE },
	{ "release", RANK_RELEASE }, { "sp", 6 },
};

static bool is_word(struct slice s, const char *word)
{
	size_t i = 0;

	while (i < s.n && word[i] && version_lower(s.p[i]) == word[i])
		i++;
	return i == s.n && !word[i];
}

static int rank_of(const struct token *t)
{
	char c = version_lower(t->text.p[0]);

	if (t->has_digit_next && t->text.n == 1 && (c == 'a' || c == 'b' || c == 'm'))
		return c == 'm' ? 2 : c - 'a';
	for (size_t i = 0; i < ARRAY_LEN(ranks); i++)
		if (is_word(t->text, ranks[i].word))
			return ranks[i].rank;
	return RANK_UNKNOWN;
}

static bool is_mark(char c)
{
	return c == '.' || c == '-';
}

static struct token read_token(const char *p, const char *end)
{
	struct token t = { .is_number = is_mark(*p) || version_is_digit(*p) };
	const char *start = p;

	while (p < end && !is_mark(*p) && version_is_digit(*p) == t.is_number)
		p++;
	t.text = slice_from(start, (size_t)(p - start));
	t.next = p + (p < end && is_mark(*p));
	if (p < end && *p == '.')
		return t;
	/* a word before a digit or at the end is as if "-" stood before it: 1.x1 = 1-x1 */
	t.opens_before = !t.is_number && (p == end || *p != '-');
	t.opens_after = p < end;
	t.has_digit_next = p < end && *p != '-';
	return t;
}

static bool means_nothing(const struct token *t)
{
	if (!t->is_number)
		return rank_of(t) == RANK_RELEASE;
	for (size_t i = 0; i < t->text.n; i++)
		if (t->text.p[i] != '0')
			return false;
	return true;
}

size_t maven_parse(struct version *v)
{
	const char *p = v->text.p, *end = p + v->text.n, *live = p;
	size_t wrong = version_check_visible(v->text);

	if (wrong)
		return wrong;
	while (p < end) {
		struct token t = read_token(p, end);

		if (!means_nothing(&t))
			live = t.text.p + t.text.n;
		p = t.next;
	}
	version_set(v, LIVE, 0, (size_t)(live - v->text.p));
	return 0;
}

struct cursor {
	const char *p, *live, *end;
	const char *kept; /* what stands before it in this list is followed by something */
	bool is_filled;	  /* the list has an item */
	bool opens;	  /* a list */
};

/* Does something follow t in its list? Else the cursor is moved to the list's end. */
static bool is_followed(struct cursor *c, struct token t)
{
	for (;;) {
		if (!means_nothing(&t)) {
			c->kept = t.text.p;
			return true;
		}
		c->p = t.next;
		if (t.opens_after || t.next == c->end)
			break;
		t = read_token(t.next, c->end);
		if (t.opens_before)
			break;
	}
	c->opens = true;
	return false;
}

static struct item next(struct cursor *c)
{
	while (c->p < c->live) {
		if (c->opens) {
			c->opens = c->is_filled = false;
			return (struct item){ .kind = LIST };
		}
		struct token t = read_token(c->p, c->end);
		if (t.opens_before && c->is_filled) {
			c->opens = true;
			continue;
		}
		if (c->p >= c->kept && means_nothing(&t) && !is_followed(c, t))
			continue;
		c->p = t.next;
		c->is_filled = true;
		c->opens = t.opens_after;
		return (struct item){ t.is_number ? NUMBER : WORD, t.text,
				      t.is_number ? 0 : rank_of(&t) };
	}
	return (struct item){ .kind = END };
}

/* The rest of a text against nothing: the first item that means something decides. */
static int rest_order(struct item i, struct cursor *c)
{
	for (; i.kind != END; i = next(c)) {
		int r = 0;

		if (i.kind == WORD)
			r = i.rank - RANK_RELEASE;
		else if (i.kind == NUMBER)
			r = version_number_order(i.text, SLICE_NONE);
		if (r)
			return version_sign(r);
	}
	return 0;
}

static int word_order(const struct item *a, const struct item *b)
{
	if (a->rank != b->rank || a->rank != RANK_UNKNOWN)
		return version_sign(a->rank - b->rank);
	for (size_t i = 0; i < a->text.n && i < b->text.n; i++) {
		int r = (unsigned char)version_lower(a->text.p[i]) - (unsigned char)version_lower(b->text.p[i]);

		if (r)
			return version_sign(r);
	}
	return (a->text.n > b->text.n) - (a->text.n < b->text.n);
}

static struct cursor cursor_of(const struct version *v)
{
	const char *p = v->text.p;

	return (struct cursor){ .p = p, .live = p + v->part[LIVE].n, .end = p + v->text.n, .kept = p };
}

int maven_order(const struct version *a, const struct version *b)
{
	struct cursor c = cursor_of(a), d = cursor_of(b);

	for (;;) {
		struct item x = next(&c), y = next(&d);
		int r = 0;

		if (x.kind == END || y.kind == END)
			return y.kind == END ? rest_order(x, &c) : -rest_order(y, &d);
		if (x.kind != y.kind)
			return x.kind < y.kind ? -1 : 1;
		if (x.kind == NUMBER)
			r = version_number_order(x.text, y.text);
		else if (x.kind == WORD)
			r = word_order(&x, &y);
		if (r)
			return r;
	}
}
