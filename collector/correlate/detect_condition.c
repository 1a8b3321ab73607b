/* detect_condition.c - "selection and not 1 of filter_*" into an expression over the selections.
 *
 *	or    := and { "or" and }
 *	and   := not { "and" not }
 *	not   := "not" not | "(" or ")" | ("1" | "any" | "all") "of" ("them" | PATTERN) | NAME */
#include <strings.h>

#include "collector/correlate/detect_priv.h"
#include "common/log.h"
#include "common/text.h"

enum { CONDITION_BYTES_MAX = 64 << 10, SHOWN_MAX = 60, NAMES_MAX = 256 };

struct parser {
	struct compiler *c;
	const struct conf_node *node;
	struct selection *selections;
	size_t count;
	struct slice text; /* all of it */
	struct slice word; /* the next one; empty at the end */
	size_t at;	   /* behind it */
	unsigned depth;
};

static int fail(struct parser *p, const char *what)
{
	char text[SHOWN_MAX];
	size_t column = p->word.n ? (size_t)(p->word.p - p->text.p) + 1 : p->text.n + 1;

	log_escape(p->word, text, sizeof(text));
	if (!p->word.n)
		return sigma_fail(p->c->rule, p->node, p->c->err, "condition: %s, at its end", what);
	return sigma_fail(p->c->rule, p->node, p->c->err, "condition: %s, at '%s' (character %zu)", what, text, column);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A name's, a pattern's and a number's characters; everything else is a word by itself. */
static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_-.*", c)) ||
	       (uint8_t)c >= 0x80;
}

static void next(struct parser *p)
{
	size_t i = p->at, from;

	while (i < p->text.n && is_blank(p->text.p[i]))
		i++;
	from = i;
	if (i < p->text.n && !is_name(p->text.p[i]))
		i++;
	else
		while (i < p->text.n && is_name(p->text.p[i]))
			i++;
	p->word = slice_from(p->text.p + from, i - from);
	p->at = i;
}

static bool is_word(const struct parser *p, const char *word)
{
	return p->word.n == strlen(word) && !strncasecmp(p->word.p, word, p->word.n);
}

static bool accept(struct parser *p, const char *word)
{
	if (!is_word(p, word))
		return false;
	next(p);
	return true;
}

static int parse_or(struct parser *p, struct expr **ret);

static int add_item(struct parser *p, struct expr *list, size_t *room, struct expr *item)
{
	if (list->count == *room) {
		size_t size = *room * 2;
		struct expr **items = arena_alloc(p->c->arena, size * sizeof(struct expr *));

		if (!items)
			return compile_no_room(p->c);
		memcpy(items, list->items, list->count * sizeof(struct expr *));
		list->items = items;
		*room = size;
	}
	list->items[list->count++] = item;
	return 0;
}

static int unknown_name(struct parser *p)
{
	const char *names[NAMES_MAX], *nearest;
	char text[SHOWN_MAX];
	size_t n = 0;

	for (size_t i = 0; i < p->count && n < NAMES_MAX; i++)
		names[n++] = p->selections[i].key->text.p;
	nearest = text_nearest(p->word, names, n);
	log_escape(p->word, text, sizeof(text));
	if (nearest)
		return sigma_fail(p->c->rule, p->node, p->c->err, "condition: no selection '%s', did you mean '%s'?", text,
				  nearest);
	return sigma_fail(p->c->rule, p->node, p->c->err, "condition: no selection '%s'", text);
}

static int parse_name(struct parser *p, struct expr **ret)
{
	if (!is_name(p->word.p[0]) || slice_find_char(p->word, '*') >= 0)
		return fail(p, "expected the name of a selection");
	for (size_t i = 0; i < p->count; i++) {
		if (!slice_eq(p->selections[i].key->text, p->word))
			continue;
		p->selections[i].is_used = true;
		*ret = p->selections[i].expr;
		next(p);
		return 0;
	}
	return unknown_name(p);
}

/* `them` and patterns don't mean what begins with an underscore, unless they say so. */
static bool is_meant(const struct parser *p, const struct selection *s)
{
	bool is_hidden = slice_starts(s->key->text, SLICE_LIT("_"));

	if (is_word(p, "them"))
		return !is_hidden;
	return (!is_hidden || p->word.p[0] == '_') && text_glob(p->word, s->key->text);
}

static int parse_quantity(struct parser *p, enum expr_kind kind, struct expr **ret)
{
	struct expr *list = expr_new(p->c, kind, p->count);

	if (!list)
		return compile_no_room(p->c);
	if (!p->word.n || !is_name(p->word.p[0]))
		return fail(p, "expected 'them' or the names' pattern behind 'of'");
	for (size_t i = 0; i < p->count; i++)
		if (is_meant(p, &p->selections[i])) {
			p->selections[i].is_used = true;
			list->items[list->count++] = p->selections[i].expr;
		}
	if (!list->count)
		return fail(p, "no selection has such a name");
	next(p);
	*ret = list;
	return 0;
}

/* Is the word behind this one "of"? Then "1", "any" and "all" are no names. */
static bool is_quantity(const struct parser *p)
{
	struct parser ahead = *p;

	next(&ahead);
	return is_word(&ahead, "of");
}

static int parse_atom(struct parser *p, struct expr **ret)
{
	int e;

	if (!p->word.n)
		return fail(p, "something is missing");
	if (accept(p, "(")) {
		e = parse_or(p, ret);
		if (e >= 0 && !accept(p, ")"))
			return fail(p, "expected ')'");
		return e;
	}
	if (!is_quantity(p))
		return parse_name(p, ret);
	bool is_all = is_word(p, "all");
	if (!is_all && !is_word(p, "1") && !is_word(p, "any"))
		return fail(p, "expected '1 of', 'any of' or 'all of'");
	next(p);
	next(p);
	return parse_quantity(p, is_all ? EXPR_AND : EXPR_OR, ret);
}

static int parse_not(struct parser *p, struct expr **ret)
{
	struct expr *x;
	bool is_not = is_word(p, "not");
	int e;

	if (++p->depth > CONDITION_DEPTH_MAX)
		return fail(p, "nested too deep");
	if (!is_not) {
		e = parse_atom(p, ret);
	} else {
		next(p);
		x = expr_new(p->c, EXPR_NOT, 1);
		if (!x)
			return compile_no_room(p->c);
		e = parse_not(p, &x->items[0]);
		x->count = 1;
		*ret = x;
	}
	p->depth--;
	return e;
}

static int parse_list(struct parser *p, const char *word, enum expr_kind kind,
		      int (*part)(struct parser *p, struct expr **ret), struct expr **ret)
{
	size_t room = 4;
	struct expr *list = expr_new(p->c, kind, room), *item = NULL;
	int e;

	if (!list)
		return compile_no_room(p->c);
	do {
		e = part(p, &item);
		if (e >= 0)
			e = add_item(p, list, &room, item);
	} while (e >= 0 && accept(p, word));
	*ret = list->count == 1 ? list->items[0] : list;
	return e;
}

static int parse_and(struct parser *p, struct expr **ret)
{
	return parse_list(p, "and", EXPR_AND, parse_not, ret);
}

static int parse_or(struct parser *p, struct expr **ret)
{
	return parse_list(p, "or", EXPR_OR, parse_and, ret);
}

int condition_compile(struct compiler *c, const struct conf_node *node, struct selection *selections, size_t count,
		      struct expr **ret)
{
	struct parser p = { .c = c, .node = node, .selections = selections, .count = count, .text = node->text };
	int e;

	if (node->kind != CONF_NODE_SCALAR)
		return sigma_fail(c->rule, node, c->err, "a condition must be a text");
	if (node->text.n > CONDITION_BYTES_MAX)
		return sigma_fail(c->rule, node, c->err, "a condition longer than %d bytes", CONDITION_BYTES_MAX);
	next(&p);
	e = parse_or(&p, ret);
	if (e < 0 || !p.word.n)
		return e;
	if (slice_is(p.word, "|"))
		return fail(&p, "aggregations were given up by Sigma: write a correlation");
	return fail(&p, "expected 'and', 'or' or the end");
}
