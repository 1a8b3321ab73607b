/* doc_toml.c - TOML's lines as events. Nothing is kept of a table once it is left, so a table that is
 * opened twice comes twice, and what a strict reader would call a clash is not seen.
 *
 * Open at any time: the root; the tables of the header above; while a pair is read, its dotted keys and
 * the arrays and inline tables of its value. No recursion. */
#include "agent/image/lang/doc_priv.h"

enum kind {
	TABLE,
	TABLES, /* the list that [[x]] names */
	ITEM,	/* its last element */
	DOTTED, /* a of "a.b = 1": ends with its one value */
	ARRAY,
	INLINE,
};

struct reader {
	struct doc d;
	struct slice text;
	size_t at;
	uint8_t kind[DOC_DEPTH_MAX]; /* beside d.open */
	struct buf str;		     /* the string or key just read */
};

static int wrong(const struct reader *r, const char *what)
{
	return err_set(r->d.err, ERR_SYNTAX, "line %zu: %s", doc_line(r->text, r->at), what);
}

static int peek(const struct reader *r)
{
	return r->at < r->text.n ? (uint8_t)r->text.p[r->at] : -1;
}

static bool sees(const struct reader *r, const char *s)
{
	return slice_starts(slice_sub(r->text, r->at, r->text.n), slice_of(s));
}

static bool skip(struct reader *r, const char *s)
{
	bool is_there = sees(r, s);

	if (is_there)
		r->at += strlen(s);
	return is_there;
}

static void skip_blanks(struct reader *r)
{
	while (peek(r) == ' ' || peek(r) == '\t')
		r->at++;
}

static void skip_comment(struct reader *r)
{
	skip_blanks(r);
	if (peek(r) != '#')
		return;
	while (peek(r) >= 0 && peek(r) != '\n')
		r->at++;
}

static void skip_lines(struct reader *r)
{
	do
		skip_comment(r);
	while (skip(r, "\n") || skip(r, "\r"));
}

static int end_line(struct reader *r)
{
	skip_comment(r);
	(void)skip(r, "\r");
	if (peek(r) < 0 || skip(r, "\n"))
		return 0;
	return wrong(r, "more text than the line should have");
}

/* strings */

static void add_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_add_char(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_add_char(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_add_char(b, (char)(0xe0 | c >> 12));
		} else {
			buf_add_char(b, (char)(0xf0 | c >> 18));
			buf_add_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_add_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_add_char(b, (char)(0x80 | (c & 0x3f)));
}

static int read_hex(struct reader *r, size_t digits)
{
	uint32_t c = 0;

	for (; digits; digits--, r->at++) {
		static const char hex[] = "0123456789abcdef";
		int x = peek(r);
		const char *p = x > 0 ? strchr(hex, x | 0x20) : NULL;

		if (!p || x < '0')
			return wrong(r, "an escape without its digits");
		c = c << 4 | (uint32_t)(p - hex);
	}
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return wrong(r, "an escape that is no character");
	add_utf8(&r->str, c);
	return 0;
}

/* Behind the backslash. */
static int read_escape(struct reader *r, bool is_long)
{
	static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\033\"\\";
	int c = peek(r);
	const char *p = c > 0 ? strchr(from, c) : NULL;

	if (is_long && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
		while (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			r->at++;
			c = peek(r);
		}
		return 0;
	}
	r->at++;
	if (p) {
		buf_add_char(&r->str, to[p - from]);
		return 0;
	}
	if (c == 'x' || c == 'u' || c == 'U')
		return read_hex(r, c == 'x' ? 2 : c == 'u' ? 4 : 8);
	return wrong(r, "an unknown escape");
}

/* At a quote; afterwards r->str has the text. */
static int read_string(struct reader *r)
{
	char quote = (char)peek(r);
	const char *end = quote == '"' ? "\"\"\"" : "'''";
	bool is_long = skip(r, end);

	buf_reset(&r->str);
	if (is_long)
		(void)(skip(r, "\n") || skip(r, "\r\n"));
	else
		r->at++;
	for (;;) {
		int c = peek(r), result = 0;

		if (c < 0 || (c == '\n' && !is_long))
			return wrong(r, "a string without an end");
		if (c == quote && (!is_long || sees(r, end)))
			break;
		r->at++;
		if (c == '\\' && quote == '"')
			result = read_escape(r, is_long);
		else
			buf_add_char(&r->str, (char)c);
		if (result < 0)
			return result;
	}
	if (is_long) {
		r->at += 3;
		/* Up to two more quotes are the text's own. */
		for (int i = 0; i < 2 && peek(r) == quote; i++, r->at++)
			buf_add_char(&r->str, quote);
	} else {
		r->at++;
	}
	return r->str.failed ? err_set(r->d.err, ERR_LIMIT, "a string is too long") : 0;
}

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-';
}

static int read_key(struct reader *r)
{
	if (peek(r) == '"' || peek(r) == '\'')
		return read_string(r);
	buf_reset(&r->str);
	for (; is_bare(peek(r)); r->at++)
		buf_add_char(&r->str, (char)peek(r));
	if (r->str.failed)
		return err_set(r->d.err, ERR_LIMIT, "a name is too long");
	return r->str.n ? 0 : wrong(r, "a name should be here");
}

/* values */

static int opened(struct reader *r, int result, enum kind k)
{
	if (!result)
		r->kind[r->d.depth - 1] = (uint8_t)k;
	return result;
}

/* "a.b.c =": opens a and b. Afterwards at the value. */
static int read_keys(struct reader *r)
{
	for (;;) {
		int result = read_key(r);

		if (!result)
			result = doc_set_key(&r->d, buf_slice(&r->str));
		if (result)
			return result;
		skip_blanks(r);
		bool is_last = peek(r) == '=';
		if (!is_last && peek(r) != '.')
			return wrong(r, "'=' should be here");
		r->at++;
		skip_blanks(r);
		if (is_last)
			return 0;
		result = opened(r, doc_open_map(&r->d), DOTTED);
		if (result)
			return result;
	}
}

static int read_word(struct reader *r)
{
	size_t from = r->at;

	while (is_bare(peek(r)) || peek(r) == '.' || peek(r) == ':' || peek(r) == '+' || peek(r) == ' ')
		r->at++;
	struct slice word = slice_trim(slice_sub(r->text, from, r->at - from));
	return word.n ? doc_value(&r->d, DOC_WORD, word) : wrong(r, "a value should be here");
}

static int close_with(struct reader *r)
{
	r->at++;
	return doc_close(&r->d);
}

/* Begins a value. *ret_is_open: an array or inline table was entered, and its first value comes next. */
static int begin_value(struct reader *r, bool *ret_is_open)
{
	int c = peek(r), result;

	*ret_is_open = false;
	if (c == '"' || c == '\'') {
		result = read_string(r);
		return result ? result : doc_value(&r->d, DOC_TEXT, buf_slice(&r->str));
	}
	if (c != '[' && c != '{')
		return read_word(r);
	bool is_array = c == '[';
	result = opened(r, is_array ? doc_open_list(&r->d) : doc_open_map(&r->d), is_array ? ARRAY : INLINE);
	if (result)
		return result;
	r->at++;
	skip_lines(r);
	if (peek(r) == (is_array ? ']' : '}'))
		return close_with(r);
	*ret_is_open = true;
	return is_array ? 0 : read_keys(r);
}

/* A value ended: ends what ends with it, down to base. *ret_has_more: another value comes before. */
static int end_value(struct reader *r, size_t base, bool *ret_has_more)
{
	*ret_has_more = false;
	while (r->d.depth > base) {
		enum kind k = r->kind[r->d.depth - 1];
		int result, end = k == ARRAY ? ']' : '}';

		if (k != DOTTED) {
			skip_lines(r);
			bool has_comma = skip(r, ",");
			skip_lines(r);
			if (has_comma && peek(r) != end) {
				*ret_has_more = true;
				return k == ARRAY ? 0 : read_keys(r);
			}
			if (peek(r) != end)
				return wrong(r, "',' or an end should be here");
			r->at++;
		}
		result = doc_close(&r->d);
		if (result)
			return result;
	}
	return 0;
}

static int read_pair(struct reader *r)
{
	size_t base = r->d.depth;
	int result = read_keys(r);
	bool has_more = true;

	while (!result && has_more) {
		result = begin_value(r, &has_more);
		if (!result && !has_more)
			result = end_value(r, base, &has_more);
	}
	return result ? result : end_line(r);
}

/* headers */

static int close_down_to(struct reader *r, size_t depth)
{
	int result = 0;

	while (!result && r->d.depth > depth)
		result = doc_close(&r->d);
	return result;
}

/* The last name of a header, in map number `level`. */
static int enter(struct reader *r, size_t level, bool is_open, bool is_tables)
{
	bool is_next = is_tables && is_open && r->kind[level + 1] == TABLES;
	int result = close_down_to(r, level + (is_next ? 2 : 1));

	if (!result && !is_next)
		result = doc_set_key(&r->d, buf_slice(&r->str));
	if (!result && !is_next && is_tables)
		result = opened(r, doc_open_list(&r->d), TABLES);
	if (!result)
		result = opened(r, doc_open_map(&r->d), is_tables ? ITEM : TABLE);
	return result;
}

/* "a.b.c]": what is open of it already stays open. */
static int read_path(struct reader *r, bool is_tables)
{
	size_t level = 0;

	for (;;) {
		skip_blanks(r);
		int result = read_key(r);
		if (result)
			return result;
		skip_blanks(r);
		bool is_open = r->d.depth > level + 1 && slice_eq(doc_key(&r->d, level), buf_slice(&r->str));
		if (!skip(r, "."))
			return enter(r, level, is_open, is_tables);
		if (!is_open)
			result = enter(r, level, false, false);
		if (result)
			return result;
		level += r->kind[level + 1] == TABLES ? 2 : 1;
	}
}

static int read_header(struct reader *r)
{
	r->at++;
	bool is_tables = skip(r, "[");
	int result = read_path(r, is_tables);

	if (result)
		return result;
	return skip(r, is_tables ? "]]" : "]") ? end_line(r) : wrong(r, "']' should be here");
}

static int read_all(struct reader *r)
{
	int result = opened(r, doc_open_map(&r->d), TABLE);

	(void)skip(r, "\xef\xbb\xbf");
	for (;;) {
		skip_lines(r);
		if (result || peek(r) < 0)
			break;
		result = peek(r) == '[' ? read_header(r) : read_pair(r);
	}
	return result ? result : close_down_to(r, 0);
}

int doc_toml(struct slice text, doc_fn fn, void *arg, struct err *err)
{
	struct reader r = { .text = text };

	doc_init(&r.d, fn, arg, err);
	buf_init(&r.str, text.n + 16);
	int result = read_all(&r);
	buf_fini(&r.str);
	doc_fini(&r.d);
	return result;
}
