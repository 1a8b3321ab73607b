/* apk.c - Alpine: number{.number}[letter]{_suffix[number]}[~hash][-rN], ordered as apk-tools 3 does.
 *
 * Both texts are cut into tokens and compared pair by pair; where the kinds differ, the kind decides. A
 * text that stops being a version ends there with a token of its own, so that any text has an order. */
#include "common/version/version_priv.h"

/* In the order in which they may follow each other; at a place where kinds differ the earlier one is
 * the newer version (1.1 > 1a > 1_p > 1-r0 > 1), but a pre-release is older than all. */
enum token { FIRST, NUMBER, LETTER, SUFFIX, SUFFIX_NUMBER, HASH, REVISION, END, WRONG };

struct cursor {
	const char *p, *end;
	enum token token;
	struct slice value;
	int rank; /* of a suffix: below 0 before the release */
};

static const struct {
	const char *name;
	int rank;
} suffixes[] = {
	{ "alpha", -4 }, { "beta", -3 }, { "pre", -2 }, { "rc", -1 }, { "cvs", 1 },
	{ "svn", 2 },	 { "git", 3 },	 { "hg", 4 },	{ "p", 5 },
};

static struct slice take(struct cursor *c, bool (*is_of)(char c))
{
	const char *start = c->p;

	while (c->p < c->end && is_of(*c->p))
		c->p++;
	return slice_from(start, (size_t)(c->p - start));
}

static bool is_small(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_hex(char c)
{
	return version_is_digit(c) || (c >= 'a' && c <= 'f');
}

static void take_number(struct cursor *c, enum token token)
{
	c->value = take(c, version_is_digit);
	c->token = c->value.n ? token : WRONG;
}

static void take_suffix(struct cursor *c)
{
	c->p++;
	c->value = take(c, is_small);
	c->token = WRONG;
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (slice_is(c->value, suffixes[i].name)) {
			c->rank = suffixes[i].rank;
			c->token = SUFFIX;
		}
}

static void first(struct cursor *c, struct slice text)
{
	*c = (struct cursor){ .p = text.p, .end = text.p + text.n };
	take_number(c, FIRST);
}

static void next(struct cursor *c)
{
	enum token was = c->token;

	c->token = WRONG;
	if (c->p == c->end) {
		c->token = END;
	} else if (*c->p == '.' && was <= NUMBER) {
		c->p++;
		take_number(c, NUMBER);
	} else if (is_small(*c->p) && was <= NUMBER) {
		c->value = slice_from(c->p++, 1);
		c->token = LETTER;
	} else if (version_is_digit(*c->p) && was == SUFFIX) {
		take_number(c, SUFFIX_NUMBER);
	} else if (*c->p == '_' && was <= SUFFIX_NUMBER) {
		take_suffix(c);
	} else if (*c->p == '~' && was < HASH) {
		c->p++;
		c->value = take(c, is_hex);
		c->token = c->value.n ? HASH : WRONG;
	} else if (*c->p == '-' && was < REVISION && c->end - c->p > 1 && c->p[1] == 'r') {
		c->p += 2;
		take_number(c, REVISION);
	}
}

static int value_order(const struct cursor *a, const struct cursor *b)
{
	switch (a->token) {
	case NUMBER:
		/* as Gentoo: a number that begins with 0 is a decimal fraction */
		if (a->value.p[0] == '0' || b->value.p[0] == '0')
			return version_bytes_order(a->value, b->value);
		return version_number_order(a->value, b->value);
	case FIRST:
	case SUFFIX_NUMBER:
	case REVISION:
		return version_number_order(a->value, b->value);
	case SUFFIX:
		return version_sign(a->rank - b->rank);
	case LETTER:
	case HASH:
		return version_bytes_order(a->value, b->value);
	case END:
	case WRONG:
		break;
	}
	return 0;
}

static int order(const struct version *v, const struct version *w, bool is_fuzzy)
{
	struct cursor a, b;

	first(&a, v->text);
	first(&b, w->text);
	while (a.token == b.token && a.token < END) {
		int r = value_order(&a, &b);

		if (r)
			return r;
		next(&a);
		next(&b);
	}
	if (a.token == b.token || (is_fuzzy && b.token == END))
		return 0;
	if (a.token == SUFFIX && a.rank < 0)
		return -1;
	if (b.token == SUFFIX && b.rank < 0)
		return 1;
	return a.token > b.token ? -1 : 1;
}

size_t apk_parse(struct version *v)
{
	return version_check_visible(v->text);
}

bool apk_is_strict(const struct version *v)
{
	struct cursor c;

	for (first(&c, v->text); c.token < END; next(&c))
		;
	return c.token == END;
}

int apk_order(const struct version *a, const struct version *b)
{
	return order(a, b, false);
}

int apk_order_fuzzy(const struct version *a, const struct version *b)
{
	return order(a, b, true);
}
