/* load_lists.c - lists put into lists, and into conditions as text. */
#include "agent/rules/load.h"

void list_quote(struct buf *out, struct slice x)
{
	bool has_blank = slice_find_char(x, ' ') >= 0 || slice_find_char(x, '\t') >= 0 || !x.n;
	bool is_quoted = x.n > 1 && (x.p[0] == '"' || x.p[0] == '\'') && x.p[x.n - 1] == x.p[0];
	bool add = has_blank && !is_quoted;

	if (add)
		buf_add_char(out, '"');
	buf_add_slice(out, x);
	if (add)
		buf_add_char(out, '"');
}

/* An item that names a list defined before is replaced by that list's items, which are resolved. */
static bool resolve(struct loader *l, struct def_list *d)
{
	for (size_t i = 0; i < d->items.count; i++) {
		struct def_list *inner = load_find_list(l, d->items.p[i]);
		bool ok = true;

		if (inner && inner != d && inner->index < d->visibility && inner->index < d->index) {
			inner->is_used = true;
			for (size_t k = 0; ok && k < inner->resolved.count; k++)
				ok = d->resolved.count < LOAD_ITEMS_MAX &&
				     strings_add(l, &d->resolved, inner->resolved.p[k]);
		} else {
			ok = d->resolved.count < LOAD_ITEMS_MAX && strings_add(l, &d->resolved, d->items.p[i]);
		}
		if (!ok) {
			load_error(l, d->at, "List '%.*s' has more than %d items",
				   SLICE_FMT(slice_sub(d->name, 0, 80)), LOAD_ITEMS_MAX);
			return false;
		}
	}
	return true;
}

void lists_resolve(struct loader *l)
{
	for (size_t i = 0; i < l->list_count; i++)
		if (!resolve(l, &l->lists[i]))
			return;
}

static bool is_border(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '(' || c == ')' || c == ',' || c == '=';
}

/* Length of the quoted string at the start of s, as cond_lex.c reads it. */
static size_t quoted_length(struct slice s)
{
	size_t i = 1;

	while (i < s.n && (s.p[i] != s.p[0] || s.p[i - 1] == '\\'))
		i++;
	return i < s.n ? i + 1 : s.n;
}

/* An empty list leaves no item behind: the comma before it goes too, or the one after. */
static size_t drop_comma(struct buf *b, struct slice text, size_t at)
{
	size_t n = b->n;

	while (n && (b->p[n - 1] == ' ' || b->p[n - 1] == '\n' || b->p[n - 1] == '\t'))
		n--;
	if (n && b->p[n - 1] == ',') {
		b->n = n - 1;
		b->p[b->n] = 0;
		return at;
	}
	size_t i = at;
	while (i < text.n && (text.p[i] == ' ' || text.p[i] == '\n' || text.p[i] == '\t'))
		i++;
	return i < text.n && text.p[i] == ',' ? i + 1 : at;
}

static size_t add_word(struct loader *l, struct buf *b, struct slice text, size_t at, size_t end,
		       bool *changed)
{
	struct slice word = slice_sub(text, at, end - at);
	struct def_list *d = load_find_list(l, word);

	if (!d) {
		buf_add_slice(b, word);
		return end;
	}
	d->is_used = true;
	*changed = true;
	for (size_t i = 0; i < d->resolved.count; i++) {
		if (i)
			buf_add_str(b, ", ");
		list_quote(b, d->resolved.p[i]);
	}
	return d->resolved.count ? end : drop_comma(b, text, end);
}

struct slice lists_substitute(struct loader *l, struct slice text, bool *ret_changed)
{
	bool changed = false;
	CLEANUP(buf_finip) struct buf b = { 0 };
	buf_init(&b, COND_TEXT_MAX);

	for (size_t i = 0; i < text.n && !b.failed;) {
		size_t end = i;

		if (text.p[i] == '"' || text.p[i] == '\'')
			end = i + quoted_length(slice_sub(text, i, text.n));
		if (end > i || is_border(text.p[i])) {
			end = end > i ? end : i + 1;
			buf_add_slice(&b, slice_sub(text, i, end - i));
			i = end;
			continue;
		}
		while (end < text.n && !is_border(text.p[end]) && text.p[end] != '"' && text.p[end] != '\'')
			end++;
		i = add_word(l, &b, text, i, end, &changed);
	}
	if (ret_changed)
		*ret_changed = changed;
	if (!changed && !b.failed)
		return text;
	char *copy = b.failed ? NULL : arena_dup(l->arena, buf_slice(&b));
	return copy ? slice_from(copy, b.n) : SLICE_NONE;
}
