/* cond_parse.c - recursive descent without a token stream: whether `b64` is a transformer, a string
 * or a macro depends on what follows it, so every rule looks at the text itself. */
#include "agent/rules/cond_priv.h"

enum op_class { CLASS_UNARY, CLASS_NUM, CLASS_STR, CLASS_LIST };

static const struct op_row {
	const char *text;
	enum op_class class;
} ops[OP_COUNT] = {
#define OP(name, text, class) { text, CLASS_##class },
	COND_OPS(OP)
#undef OP
};
static const char *const mods[MOD_COUNT] = { "", "oneof", "anyof", "allof" };
static const char *const transformers[] = { "tolower", "toupper", "b64", "basename",
					    "len",     "join",	  "concat", "getopt" };

const char *cond_op_text(enum cond_op op)
{
	return ops[op].text;
}

const char *cond_mod_text(enum cond_mod mod)
{
	return mods[mod];
}

bool cond_op_is_list(enum cond_op op)
{
	return ops[op].class == CLASS_LIST;
}

bool cond_op_find(struct slice text, enum cond_op *ret_op, enum cond_mod *ret_mod)
{
	struct slice t = slice_trim(text), op = t, mod = SLICE_NONE;

	for (size_t i = 0; i < t.n && !mod.n; i++) {
		if (t.p[i] != ' ' && t.p[i] != '\t')
			continue;
		op = slice_sub(t, 0, i);
		mod = slice_trim(slice_sub(t, i, t.n));
	}
	for (unsigned o = 0; o < OP_COUNT; o++) {
		if (!slice_is(op, ops[o].text))
			continue;
		for (unsigned m = 0; m < MOD_COUNT; m++) {
			if (!slice_is(mod, mods[m]) || (m && ops[o].class != CLASS_STR))
				continue;
			*ret_op = (enum cond_op)o;
			*ret_mod = (enum cond_mod)m;
			return true;
		}
	}
	return false;
}

static struct cond *new_node(struct parser *p, enum cond_kind kind, size_t at)
{
	struct cond *c = arena_zalloc(p->arena, 1, sizeof(*c));

	if (!c) {
		lex_fail(p, "the condition is too large");
		return NULL;
	}
	c->kind = kind;
	lex_position(p, at, &c->line, &c->column);
	return c;
}

static struct cond *new_text(struct parser *p, enum cond_kind kind, size_t at)
{
	struct cond *c = new_node(p, kind, at);

	if (c)
		c->text = p->token;
	return c;
}

static bool enter(struct parser *p)
{
	if (++p->depth <= p->max_depth)
		return true;
	lex_fail(p, "nested deeper than %u", p->max_depth);
	return false;
}

static struct cond *parse_or(struct parser *p);

/* What follows a "(" that was read. */
static struct cond *parse_group(struct parser *p)
{
	if (!enter(p))
		return NULL;
	struct cond *c = parse_or(p);
	if (!c)
		return NULL;
	p->depth--;
	lex_blank(p);
	if (!lex_str(p, ")")) {
		lex_fail(p, "expected a ')' token");
		return NULL;
	}
	return c;
}

/* "[arg]" if it is there. */
static bool parse_arg(struct parser *p, struct cond *c)
{
	if (!lex_str(p, "["))
		return true;
	if (!lex_quoted(p) && !lex_bare_arg(p)) {
		lex_fail(p, "expected a valid field argument: a quoted string or a bare string");
		return false;
	}
	c->arg = p->token;
	c->has_arg = true;
	if (lex_str(p, "]"))
		return true;
	lex_fail(p, "expected a ']' token");
	return false;
}

static struct cond *parse_field(struct parser *p)
{
	size_t at = p->pos;

	if (!lex_field(p))
		return NULL;
	struct cond *c = new_text(p, COND_FIELD, at);
	return c && parse_arg(p, c) ? c : NULL;
}

static bool lex_transformer(struct parser *p)
{
	for (size_t i = 0; i < ARRAY_LEN(transformers); i++) {
		if (!lex_call(p, transformers[i]))
			continue;
		p->token = slice_of(transformers[i]);
		return true;
	}
	return false;
}

static struct cond *parse_transformer(struct parser *p);

/* A value that stands inside a transformer: no bare words, so that a macro's name or a forgotten
 * quote is an error and not a string. */
static struct cond *parse_transformer_item(struct parser *p)
{
	lex_blank(p);
	size_t at = p->pos;
	struct cond *c = parse_transformer(p);
	if (!c && !p->failed)
		c = parse_field(p);
	if (c || p->failed)
		return c;
	if (lex_quoted(p)) {
		c = new_text(p, COND_VALUE, at);
		if (c)
			c->is_quoted = true;
		return c;
	}
	if (!p->failed && lex_number(p))
		return new_text(p, COND_VALUE, at);
	lex_fail(p, "expected a field, a quoted string, a number or a nested valid transformer");
	return NULL;
}

/* Items up to ")", which is read too. */
static bool parse_transformer_items(struct parser *p, struct cond *parent, bool may_be_list)
{
	struct cond **tail = &parent->child;

	do {
		struct cond *c;

		lex_blank(p);
		size_t at = p->pos;
		if (may_be_list && lex_str(p, "(")) {
			c = new_node(p, COND_LIST, at);
			lex_blank(p);
			if (!c || (!lex_str(p, ")") && !parse_transformer_items(p, c, false)))
				return false;
		} else {
			c = parse_transformer_item(p);
		}
		if (!c)
			return false;
		*tail = c;
		tail = &c->next;
		lex_blank(p);
	} while (lex_str(p, ","));
	if (lex_str(p, ")"))
		return true;
	lex_fail(p, "expected a ')' token closing the transformer");
	return false;
}

/* NULL without a failure: there is none here. */
static struct cond *parse_transformer(struct parser *p)
{
	size_t at = p->pos;

	if (!lex_transformer(p))
		return NULL;
	struct cond *c = new_text(p, COND_TRANSFORM, at);
	if (!c || !enter(p) || !parse_transformer_items(p, c, true))
		return NULL;
	p->depth--;
	return parse_arg(p, c) ? c : NULL;
}

/* val(field), only on the right of an operator. */
static struct cond *parse_right_transformer(struct parser *p)
{
	size_t at = p->pos;

	if (!lex_call(p, "val"))
		return parse_transformer(p);
	p->token = SLICE_LIT("val");
	struct cond *c = new_text(p, COND_TRANSFORM, at);
	lex_blank(p);
	struct cond *field = c ? parse_field(p) : NULL;
	if (!field) {
		lex_fail(p, "expected a field within 'val' transformer");
		return NULL;
	}
	c->child = field;
	lex_blank(p);
	if (lex_str(p, ")"))
		return c;
	lex_fail(p, "expected a ')' token closing the transformer");
	return NULL;
}

static struct cond *parse_string(struct parser *p)
{
	lex_blank(p);
	size_t at = p->pos;
	bool quoted = lex_quoted(p);
	if (p->failed || (!quoted && !lex_bare(p)))
		return NULL;
	struct cond *c = new_text(p, COND_VALUE, at);
	if (c)
		c->is_quoted = quoted;
	return c;
}

/* What follows the "(" of a list of values. */
static struct cond *parse_list(struct parser *p, size_t at)
{
	struct cond *list = new_node(p, COND_LIST, at);
	if (!list)
		return NULL;
	struct cond **tail = &list->child;

	lex_blank(p);
	if (lex_str(p, ")"))
		return list;
	do {
		*tail = parse_string(p);
		if (!*tail) {
			lex_fail(p, "expected a string value");
			return NULL;
		}
		tail = &(*tail)->next;
		lex_blank(p);
	} while (lex_str(p, ","));
	if (lex_str(p, ")"))
		return list;
	lex_fail(p, "expected a ')' token");
	return NULL;
}

static struct cond *parse_list_value(struct parser *p, bool may_transform)
{
	lex_blank(p);
	size_t at = p->pos;
	if (lex_str(p, "("))
		return parse_list(p, at);
	struct cond *c = may_transform ? parse_right_transformer(p) : NULL;
	if (c || p->failed)
		return c;
	if (lex_identifier(p))
		return new_text(p, COND_VALUE, at);
	lex_fail(p, "expected a list, an identifier, or a field with a valid transformer");
	return NULL;
}

static struct cond *parse_number_value(struct parser *p)
{
	lex_blank(p);
	size_t at = p->pos;
	struct cond *c = parse_right_transformer(p);
	if (c || p->failed)
		return c;
	if (lex_number(p))
		return new_text(p, COND_VALUE, at);
	lex_fail(p, "expected a number value or a field with a valid transformer");
	return NULL;
}

static struct cond *parse_string_value(struct parser *p)
{
	lex_blank(p);
	struct cond *c = parse_right_transformer(p);
	if (!c && !p->failed)
		c = parse_string(p);
	if (!c)
		lex_fail(p, "expected a string value or a field with a valid transformer");
	return c;
}

/* The operator at the cursor, of any class. */
static bool lex_op(struct parser *p, enum cond_op *ret)
{
	for (unsigned o = 0; o < OP_COUNT; o++) {
		bool is_word = ops[o].text[0] >= 'a';

		if (ops[o].class == CLASS_STR && is_word ? lex_word(p, ops[o].text) :
							   lex_str(p, ops[o].text)) {
			*ret = (enum cond_op)o;
			return true;
		}
	}
	return false;
}

static enum cond_mod lex_mod(struct parser *p)
{
	for (unsigned m = 1; m < MOD_COUNT; m++)
		if (lex_modifier(p, mods[m]))
			return (enum cond_mod)m;
	return MOD_NONE;
}

static struct cond *parse_right(struct parser *p, struct cond *check)
{
	switch (ops[check->op].class) {
	case CLASS_UNARY:
		return NULL;
	case CLASS_NUM:
		return parse_number_value(p);
	case CLASS_LIST:
		return parse_list_value(p, true);
	case CLASS_STR:
		check->mod = lex_mod(p);
		return check->mod ? parse_list_value(p, false) : parse_string_value(p);
	}
	return NULL;
}

static struct cond *parse_comparison(struct parser *p, struct cond *left, size_t at)
{
	struct cond *c = new_node(p, COND_CHECK, at);
	if (!c)
		return NULL;
	lex_blank(p);
	if (!lex_op(p, &c->op)) {
		lex_fail(p, "expected a valid check operator: one of exists, <=, <, >=, >, ==, =, !=, glob, "
			    "iglob, contains, icontains, bcontains, startswith, bstartswith, endswith, "
			    "regex, intersects, in, pmatch");
		return NULL;
	}
	if (c->op == OP_EQ2)
		c->op = OP_EQ;
	c->child = left;
	left->next = parse_right(p, c);
	return p->failed ? NULL : c;
}

static struct cond *parse_check(struct parser *p)
{
	lex_blank(p);
	size_t at = p->pos;
	if (lex_str(p, "("))
		return parse_group(p);
	struct cond *left = parse_field(p);
	if (!left && !p->failed)
		left = parse_transformer(p);
	if (p->failed)
		return NULL;
	if (left)
		return parse_comparison(p, left, at);
	if (lex_identifier(p))
		return new_text(p, COND_MACRO, at);
	lex_fail(p, "expected a '(' token, a field check, or an identifier");
	return NULL;
}

static struct cond *parse_not(struct parser *p)
{
	bool is_not = false;

	lex_blank(p);
	size_t at = p->pos;
	while (lex_word(p, "not")) {
		is_not = !is_not;
		lex_blank(p);
	}
	struct cond *child;
	if (lex_call(p, "not")) {
		is_not = !is_not;
		child = parse_group(p);
	} else {
		child = parse_check(p);
	}
	if (!child || !is_not)
		return child;
	struct cond *c = new_node(p, COND_NOT, at);
	if (c)
		c->child = child;
	return c;
}

/* operand { word operand }: one node with all operands, or the only operand itself. */
static struct cond *parse_chain(struct parser *p, enum cond_kind kind, const char *word,
				struct cond *(*operand)(struct parser *p))
{
	lex_blank(p);
	size_t at = p->pos;
	struct cond *first = operand(p), *last = first, *all = NULL;

	lex_blank(p);
	while (!p->failed && lex_str(p, word)) {
		struct cond *c = NULL;

		if (lex_blank(p))
			c = operand(p);
		else if (lex_str(p, "("))
			c = parse_group(p);
		else
			lex_fail(p, "expected blank or '(' after '%s'", word);
		if (!c)
			return NULL;
		if (!all) {
			all = new_node(p, kind, at);
			if (!all)
				return NULL;
			all->child = first;
		}
		last->next = c;
		last = c;
		lex_blank(p);
	}
	return p->failed ? NULL : all ? all : first;
}

static struct cond *parse_and(struct parser *p)
{
	return parse_chain(p, COND_AND, "and", parse_not);
}

static struct cond *parse_or(struct parser *p)
{
	return parse_chain(p, COND_OR, "or", parse_and);
}

int cond_parse_mutable(struct arena *a, struct slice text, unsigned max_depth, struct cond **ret,
		       struct err *err)
{
	struct parser p = { .arena = a, .max_depth = max_depth, .err = err };

	if (text.n > COND_TEXT_MAX)
		return err_set(err, ERR_LIMIT, "1:1: the condition is larger than %d bytes",
			       COND_TEXT_MAX);
	char *copy = arena_dup(a, text);
	if (!copy)
		return err_set(err, ERR_LIMIT, "1:1: the condition is too large");
	p.text = slice_from(copy, text.n);
	if (!text.n)
		lex_fail(&p, "filter input string is empty");
	struct cond *c = p.failed ? NULL : parse_or(&p);
	if (c && p.pos != p.text.n)
		lex_fail(&p, "unexpected token after '%.*s', expecting 'or', 'and'",
			 SLICE_FMT(slice_sub(p.last, 0, 60)));
	if (p.failed)
		return -p.failed;
	*ret = c;
	return 0;
}

int cond_parse(struct arena *a, struct slice text, unsigned max_depth, const struct cond **ret,
	       struct err *err)
{
	struct cond *c = NULL;
	int r = cond_parse_mutable(a, text, max_depth, &c, err);

	if (!r)
		*ret = c;
	return r;
}

bool cond_parse_operand(struct arena *a, struct slice text, struct cond **ret)
{
	struct parser p = { .arena = a, .max_depth = COND_DEPTH, .text = text };

	lex_blank(&p);
	struct cond *c = parse_field(&p);
	if (!c && !p.failed)
		c = parse_transformer(&p);
	lex_blank(&p);
	if (!c || p.failed || p.pos != text.n)
		return false;
	if (ret)
		*ret = c;
	return true;
}
