/* cond_lex.c - the words of a condition. */
#include "agent/rules/cond_priv.h"

#include <stdarg.h>

void lex_position(struct parser *p, size_t at, unsigned *ret_line, unsigned *ret_column)
{
	/* Nodes come nearly in order: counting on from the last one keeps a long list linear. */
	if (at < p->counted || !p->line) {
		p->counted = 0;
		p->line = p->column = 1;
	}
	for (; p->counted < at && p->counted < p->text.n; p->counted++) {
		p->column++;
		if (p->text.p[p->counted] == '\n') {
			p->line++;
			p->column = 1;
		}
	}
	*ret_line = p->line;
	*ret_column = p->column;
}

void lex_fail(struct parser *p, const char *fmt, ...)
{
	char what[200];
	unsigned line, column;
	va_list ap;

	if (p->failed)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	lex_position(p, p->pos, &line, &column);
	p->failed = -err_set(p->err, ERR_SYNTAX, "%u:%u: %s", line, column, what);
}

static char at(const struct parser *p, size_t i)
{
	return i < p->text.n ? p->text.p[i] : 0;
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_alpha(c) || is_digit(c) || c == '_';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\b' || c == '\r' || c == '\n';
}

static bool is_space(char c)
{
	return is_blank(c) ? c != '\b' : c == '\v' || c == '\f';
}

static bool take_token(struct parser *p, size_t end)
{
	p->token = slice_sub(p->text, p->pos, end - p->pos);
	p->last = p->token;
	p->pos = end;
	return true;
}

bool lex_blank(struct parser *p)
{
	size_t start = p->pos;

	while (is_blank(at(p, p->pos)))
		p->pos++;
	return p->pos > start;
}

static bool stands_here(const struct parser *p, const char *s)
{
	return slice_starts(slice_sub(p->text, p->pos, p->text.n), slice_of(s));
}

bool lex_str(struct parser *p, const char *s)
{
	return stands_here(p, s) && take_token(p, p->pos + strlen(s));
}

bool lex_word(struct parser *p, const char *s)
{
	size_t end = p->pos + strlen(s);

	return stands_here(p, s) && is_space(at(p, end)) && take_token(p, end);
}

bool lex_call(struct parser *p, const char *s)
{
	size_t end = p->pos + strlen(s);

	if (!stands_here(p, s) || at(p, end) != '(')
		return false;
	take_token(p, end);
	p->pos = end + 1;
	return true;
}

static bool is_keyword(struct slice s)
{
	return slice_is(s, "and") || slice_is(s, "or") || slice_is(s, "not");
}

bool lex_modifier(struct parser *p, const char *s)
{
	struct parser ahead = *p;

	if (!lex_blank(&ahead) || !lex_word(&ahead, s))
		return false;
	struct parser after = ahead;
	lex_blank(&ahead);
	if (!lex_str(&ahead, "(") && (!lex_identifier(&ahead) || is_keyword(ahead.token)))
		return false;
	*p = after;
	return true;
}

static size_t identifier_end(const struct parser *p, size_t i)
{
	if (!is_alpha(at(p, i)))
		return i;
	while (is_word(at(p, i)))
		i++;
	return i;
}

bool lex_identifier(struct parser *p)
{
	size_t end = identifier_end(p, p->pos);

	return end > p->pos && take_token(p, end);
}

bool lex_field(struct parser *p)
{
	size_t end = identifier_end(p, p->pos);
	bool has_dot = false;

	if (end == p->pos)
		return false;
	while (at(p, end) == '.' && is_alpha(at(p, end + 1))) {
		end = identifier_end(p, end + 1);
		has_dot = true;
	}
	return has_dot && take_token(p, end);
}

bool lex_number(struct parser *p)
{
	size_t i = p->pos;

	if (at(p, i) == '0' && (at(p, i + 1) == 'x' || at(p, i + 1) == 'X') &&
	    (is_digit(at(p, i + 2)) || is_alpha(at(p, i + 2)))) {
		for (i += 2; is_digit(at(p, i)) || is_alpha(at(p, i));)
			i++;
		return take_token(p, i);
	}
	if (at(p, i) == '+' || at(p, i) == '-')
		i++;
	size_t digits = i;
	while (is_digit(at(p, i)))
		i++;
	if (i == digits)
		return false;
	if (at(p, i) == '.')
		i++;
	while (is_digit(at(p, i)))
		i++;
	if ((at(p, i) == 'e' || at(p, i) == 'E') && (at(p, i + 1) == '+' || at(p, i + 1) == '-') &&
	    is_digit(at(p, i + 2)))
		for (i += 3; is_digit(at(p, i));)
			i++;
	return take_token(p, i);
}

static bool lex_until(struct parser *p, const char *stops)
{
	size_t i = p->pos;

	/* strchr would find the NUL at the end of stops: a NUL stops too. */
	while (i < p->text.n && !is_space(p->text.p[i]) && !strchr(stops, p->text.p[i]))
		i++;
	return i > p->pos && take_token(p, i);
}

bool lex_bare(struct parser *p)
{
	return lex_until(p, "()\"'=,");
}

bool lex_bare_arg(struct parser *p)
{
	return lex_until(p, "[]\"'");
}

static int hex_digit(char c)
{
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One escape at raw.p[*i] (after the backslash) into *ret; false: there is no such escape. */
static bool unescape(struct slice raw, size_t *i, char quote, char *ret)
{
	static const char from[] = "bfnrt\\/ ", to[] = "\b\f\n\r\t\\/\\";
	char c = raw.p[*i];
	const char *known = c ? strchr(from, c) : NULL;

	if (known) {
		*ret = to[known - from];
	} else if (c == quote) {
		*ret = quote;
	} else if (c == 'x' && *i + 2 < raw.n && hex_digit(raw.p[*i + 1]) >= 0 &&
		   hex_digit(raw.p[*i + 2]) >= 0) {
		*ret = (char)(hex_digit(raw.p[*i + 1]) << 4 | hex_digit(raw.p[*i + 2]));
		*i += 2;
	} else {
		return false;
	}
	return true;
}

bool lex_quoted(struct parser *p)
{
	char quote = at(p, p->pos);
	size_t end = p->pos + 1, n = 0;

	if (quote != '\'' && quote != '"')
		return false;
	/* As in Falco a quote after any backslash does not close, not even after a pair of them. */
	while (end < p->text.n && (p->text.p[end] != quote || p->text.p[end - 1] == '\\'))
		end++;
	if (end >= p->text.n) {
		lex_fail(p, "the string that begins here has no closing quote");
		return false;
	}
	struct slice raw = slice_sub(p->text, p->pos + 1, end - p->pos - 1);
	char *out = arena_alloc(p->arena, raw.n + 1);
	if (!out) {
		lex_fail(p, "the condition is too large");
		return false;
	}
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] != '\\') {
			out[n++] = raw.p[i];
			continue;
		}
		i++;
		if (i >= raw.n || !unescape(raw, &i, quote, &out[n++])) {
			lex_fail(p, "invalid string escape sequence");
			return false;
		}
	}
	out[n] = 0;
	p->token = p->last = slice_from(out, n);
	p->pos = end + 1;
	return true;
}
