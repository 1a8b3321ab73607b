/* cond_print.c - a tree back into text, in the canonical form that Falco shows and compares. */
#include "agent/rules/cond.h"

static bool is_bare(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || strchr("()\"'=,\\", s.p[i]))
			return false;
	return s.n > 0;
}

static void print_quoted(struct slice s, struct buf *out)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\\' && i + 1 == s.n)
			buf_add_str(out, "\\x5c"); /* a quote behind a backslash does not close (cond_lex.c) */
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ')
			buf_printf(out, "\\x%02x", c);
		else
			buf_add_char(out, (char)c);
	}
	buf_add_char(out, '"');
}

static void print_value(struct slice s, struct buf *out)
{
	if (is_bare(s))
		buf_add_slice(out, s);
	else
		print_quoted(s, out);
}

/* Inside a transformer a constant is always quoted: without quotes it would be a field. */
static void print_items(const struct cond *first, struct buf *out)
{
	buf_add_char(out, '(');
	for (const struct cond *c = first; c; c = c->next) {
		if (c != first)
			buf_add_str(out, ", ");
		if (c->kind == COND_VALUE)
			print_quoted(c->text, out);
		else if (c->kind == COND_LIST)
			print_items(c->child, out);
		else
			cond_print(c, out);
	}
	buf_add_char(out, ')');
}

static void print_chain(const struct cond *first, const char *between, struct buf *out)
{
	for (const struct cond *c = first; c; c = c->next) {
		if (c != first)
			buf_add_str(out, between);
		cond_print(c, out);
	}
}

static void print_arg(const struct cond *c, struct buf *out)
{
	if (!c->has_arg)
		return;
	buf_add_char(out, '[');
	print_value(c->arg, out);
	buf_add_char(out, ']');
}

static void print_check(const struct cond *c, struct buf *out)
{
	cond_print(c->child, out);
	buf_printf(out, " %s", cond_op_text(c->op));
	if (c->mod)
		buf_printf(out, " %s", cond_mod_text(c->mod));
	if (c->child->next) {
		buf_add_char(out, ' ');
		cond_print(c->child->next, out);
	}
}

/* The parser folds "not not x" into x, so a negation in a negation keeps its parentheses. */
static void print_not(const struct cond *child, struct buf *out)
{
	const struct cond *inner = child;

	while (inner->kind == COND_MACRO && inner->child)
		inner = inner->child;
	buf_add_str(out, inner->kind == COND_NOT ? "not (" : "not ");
	cond_print(child, out);
	if (inner->kind == COND_NOT)
		buf_add_char(out, ')');
}

void cond_print(const struct cond *c, struct buf *out)
{
	switch (c->kind) {
	case COND_OR:
	case COND_AND:
	case COND_LIST:
		buf_add_char(out, '(');
		print_chain(c->child, c->kind == COND_OR ? " or " : c->kind == COND_AND ? " and " : ", ",
			    out);
		buf_add_char(out, ')');
		return;
	case COND_NOT:
		print_not(c->child, out);
		return;
	case COND_MACRO:
		if (c->child)
			cond_print(c->child, out);
		else
			buf_add_slice(out, c->text);
		return;
	case COND_CHECK:
		print_check(c, out);
		return;
	case COND_FIELD:
		buf_add_slice(out, c->text);
		print_arg(c, out);
		return;
	case COND_TRANSFORM:
		buf_add_slice(out, c->text);
		print_items(c->child, out);
		print_arg(c, out);
		return;
	case COND_VALUE:
		print_value(c->text, out);
		return;
	}
}
