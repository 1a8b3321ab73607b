/* maven_generic.c - the order Maven's resolver chooses by (Aether's GenericVersion): numbers and words in
 * one flat list. Advisories are matched by maven.c; this is for asking what the resolver would say. */
#include "common/version/version_priv.h"

enum { LIVE }; /* the text up to the end of its last item that means something */

/* later is newer, where kinds differ */
enum kind { END = -1, MIN, QUALIFIER = 2, WORD, NUMBER, MAX = 8 };

struct item {
	enum kind kind;
	struct slice text;
	int rank; /* of a qualifier; 0 is the release */
	const char *next;
};

static const struct {
	const char *word;
	int rank;
} ranks[] = {
	{ "alpha", -5 },    { "beta", -4 }, { "milestone", -3 }, { "cr", -2 },	   { "rc", -2 },
	{ "snapshot", -1 }, { "ga", 0 },    { "final", 0 },	 { "release", 0 }, { "sp", 1 },
};

static bool is_mark(char c)
{
	return c == '.' || c == '-' || c == '_';
}

static bool is_word(struct slice s, const char *word)
{
	size_t i = 0;

	while (i < s.n && word[i] && version_lower(s.p[i]) == word[i])
		i++;
	return i == s.n && !word[i];
}

static void read_word(struct item *i, bool is_last, bool has_digit_next)
{
	char c = version_lower(i->text.p[0]);

	i->kind = WORD;
	if (is_last && is_word(i->text, "min"))
		i->kind = MIN;
	else if (is_last && is_word(i->text, "max"))
		i->kind = MAX;
	else if (has_digit_next && i->text.n == 1 && (c == 'a' || c == 'b' || c == 'm')) {
		i->kind = QUALIFIER;
		i->rank = c == 'm' ? -3 : c - 'a' - 5;
	}
	for (size_t k = 0; k < ARRAY_LEN(ranks) && i->kind == WORD; k++)
		if (is_word(i->text, ranks[k].word)) {
			i->kind = QUALIFIER;
			i->rank = ranks[k].rank;
		}
}

static struct item read_item(const char *p, const char *end)
{
	bool is_number = is_mark(*p) || version_is_digit(*p);
	struct item i = { .kind = NUMBER };
	const char *start = p;

	while (p < end && !is_mark(*p) && version_is_digit(*p) == is_number)
		p++;
	i.text = slice_from(start, (size_t)(p - start));
	i.next = p + (p < end && is_mark(*p));
	if (!is_number)
		read_word(&i, i.next == end, p < end && version_is_digit(*p));
	return i;
}

static bool is_numeric(const struct item *i)
{
	return i->kind != QUALIFIER && i->kind != WORD;
}

/* Against nothing, which is 0 and "ga". */
static int null_order(const struct item *i)
{
	switch (i->kind) {
	case MIN:
		return -1;
	case QUALIFIER:
		return version_sign(i->rank);
	case NUMBER:
		return version_number_order(i->text, SLICE_NONE);
	case WORD:
	case MAX:
		return 1;
	case END:
		break;
	}
	return 0;
}

size_t generic_parse(struct version *v)
{
	const char *p = v->text.p, *end = p + v->text.n, *live = p;
	size_t wrong = version_check_visible(v->text);

	if (wrong)
		return wrong;
	while (p < end) {
		struct item i = read_item(p, end);

		if (p == v->text.p || null_order(&i))
			live = i.next;
		p = i.next;
	}
	version_set(v, LIVE, 0, (size_t)(live - v->text.p));
	return 0;
}

struct cursor {
	const char *start, *p, *live, *end;
	const char *kept; /* what stands before it is followed by something of its kind */
	bool was_numeric;
};

/* In a run of numbers or of words those that mean nothing are dropped at its end, but for the first. */
static bool is_followed(struct cursor *c, struct item i)
{
	bool numeric = is_numeric(&i);

	while (is_numeric(&i) == numeric) {
		if (null_order(&i)) {
			c->kept = i.text.p;
			return true;
		}
		c->p = i.next;
		if (c->p >= c->live)
			break;
		i = read_item(c->p, c->end);
	}
	return false;
}

static struct item next(struct cursor *c)
{
	while (c->p < c->live) {
		struct item i = read_item(c->p, c->end);
		bool is_first = c->p == c->start || c->was_numeric != is_numeric(&i);

		c->was_numeric = is_numeric(&i);
		if (!is_first && c->p >= c->kept && !null_order(&i) && !is_followed(c, i))
			continue;
		c->p = i.next;
		return i;
	}
	return (struct item){ .kind = END };
}

enum run { ANY, NUMBERS, WORDS };

static int rest_order(struct item i, struct cursor *c, enum run only)
{
	for (; i.kind != END; i = next(c)) {
		if (only != ANY && is_numeric(&i) != (only == NUMBERS))
			break;
		int r = null_order(&i);
		if (r)
			return r;
	}
	return 0;
}

static int item_order(const struct item *a, const struct item *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == NUMBER)
		return version_number_order(a->text, b->text);
	if (a->kind == QUALIFIER)
		return version_sign(a->rank - b->rank);
	for (size_t i = 0; a->kind == WORD && i < a->text.n && i < b->text.n; i++) {
		int r = (unsigned char)version_lower(a->text.p[i]) - (unsigned char)version_lower(b->text.p[i]);

		if (r)
			return version_sign(r);
	}
	return a->kind == WORD ? (a->text.n > b->text.n) - (a->text.n < b->text.n) : 0;
}

static struct cursor cursor_of(const struct version *v)
{
	const char *p = v->text.p;

	return (struct cursor){ p, p, p + v->part[LIVE].n, p + v->text.n, p, false };
}

int generic_order(const struct version *a, const struct version *b)
{
	struct cursor c = cursor_of(a), d = cursor_of(b);
	bool numeric = true;

	for (bool is_first = true;; is_first = false) {
		struct item x = next(&c), y = next(&d);

		if (x.kind == END || y.kind == END)
			return y.kind == END ? rest_order(x, &c, ANY) : -rest_order(y, &d, ANY);
		if (is_numeric(&x) != is_numeric(&y) && !is_first) {
			enum run only = numeric ? NUMBERS : WORDS;

			return is_numeric(&x) == numeric ? rest_order(x, &c, only) :
							   -rest_order(y, &d, only);
		}
		int r = item_order(&x, &y);
		if (r)
			return r;
		numeric = is_numeric(&x);
	}
}
