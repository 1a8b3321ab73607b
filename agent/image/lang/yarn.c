/* yarn.c - yarn.lock: its own format up to yarn 1, YAML from 2 on ("berry"), told apart by __metadata. */
#include "agent/image/lang/items.h"
#include "agent/image/lang/lang.h"

/* "name@range" -> name, and the range in *ret_range. The first byte may be the "@" of a scope. */
static struct slice split_pattern(struct slice s, struct slice *ret_range)
{
	ptrdiff_t at = slice_find_char(slice_sub(s, 1, s.n), '@');

	*ret_range = at < 0 ? SLICE_NONE : slice_sub(s, (size_t)at + 2, s.n);
	return at < 0 ? s : slice_sub(s, 0, (size_t)at + 1);
}

/* "alias@npm:name@range" is name. */
static struct slice pattern_name(struct slice pattern)
{
	struct slice range, rest, name = split_pattern(pattern, &range);

	if (!slice_starts(range, SLICE_LIT("npm:")))
		return name;
	struct slice real = split_pattern(slice_sub(range, 4, range.n), &rest);
	return rest.n ? real : name;
}

/* berry */

static int found(struct give *e, const struct item *it)
{
	struct slice range, by = it->text[ITEM_PLACE];

	if (slice_is(it->key, "__metadata"))
		return 0;
	struct slice name = split_pattern(by, &range), patterns = it->key;
	if (!by.n)
		name = slice_split(&patterns, ',', &by) ? pattern_name(by) : SLICE_NONE;
	else if (slice_is(range, "workspace:."))
		return 0; /* the project itself */
	return give_package(e, name, it->text[ITEM_VERSION], false);
}

static const struct items_format berry = {
	.ecosystem = "npm",
	.read = doc_yaml,
	.shapes = { { "*", false } },
	.fields = { { "version", ITEM_VERSION }, { "resolution", ITEM_PLACE } },
	.found = found,
};

/* yarn 1 */

/* The next word of a line, with or without quotes; cut off s. */
static struct slice next_word(struct slice *s)
{
	*s = slice_trim(*s);
	bool is_quoted = s->n && s->p[0] == '"';
	size_t from = is_quoted, n = 0;
	while (from + n < s->n && s->p[from + n] != '"' &&
	       (is_quoted || (s->p[from + n] != ' ' && s->p[from + n] != ',' && s->p[from + n] != ':')))
		n++;
	struct slice w = slice_sub(*s, from, n);
	*s = slice_sub(*s, from + n + is_quoted, s->n);
	return w;
}

/* "a@^1, b@^2:" -> the name of the first; a range without quotes may have ':' in it, its end matters not. */
static struct slice header_name(struct slice line)
{
	return pattern_name(next_word(&line));
}

static int read_lines(struct give *e, struct slice text)
{
	struct slice line, name = SLICE_NONE;

	while (slice_split(&text, '\n', &line)) {
		if (!slice_trim(line).n || line.p[0] == '#')
			continue;
		if (line.p[0] != ' ') {
			name = header_name(line);
			continue;
		}
		/* Two blanks: a value of the package; four: one of its dependencies. */
		if (slice_starts(line, SLICE_LIT("   ")) || !slice_is(next_word(&line), "version"))
			continue;
		int r = give_package(e, name, next_word(&line), false);
		if (r)
			return r;
		name = SLICE_NONE;
	}
	return 0;
}

int lang_yarn(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct give e;

	if (lang_is_inside(path, "node_modules"))
		return 0;
	if (slice_starts(text, SLICE_LIT("__metadata:")) || slice_find(text, SLICE_LIT("\n__metadata:")) >= 0)
		return items_read(&berry, text, NULL, out, err);
	give_init(&e, "npm", out);
	return give_end(&e, read_lines(&e, text), err);
}
