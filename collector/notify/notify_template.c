/* notify_template.c - see notify_template.h. Parsed once into a list of nodes; a section knows where it ends. */
#include "collector/notify/notify_template.h"

#include <ctype.h>
#include <errno.h>

#include "common/json.h"
#include "common/show.h"

enum { TEXT_MAX = 64 * 1024, NODES_MAX = 2000, DEPTH_MAX = 16, PATH_MAX_CHARS = 128, SHORT_CHARS = 12, VALUE_CHARS = 64 * 1024 };
/* A list of lists of lists: what one message may make of it. */
enum { STEPS_MAX = 200000 };

enum node_kind { NODE_TEXT, NODE_VALUE, NODE_SECTION, NODE_INVERTED, NODE_END };
enum filter_kind { PLAIN, AS_JSON, UPPER, LOWER, SHORT, URL };
struct node {
	enum node_kind kind;
	enum filter_kind filter;
	struct slice text; /* of the template: text, or the path */
	size_t end;	   /* of a section: its NODE_END */
};
struct notify_template {
	char *text; /* owned */
	struct node *nodes;
	size_t count;
};

/* ---- parsing ---- */

static unsigned line_at(const struct notify_template *t, const char *p)
{
	unsigned line = 1;

	for (const char *q = t->text; q < p; q++)
		line += *q == '\n';
	return line;
}

static bool is_path(struct slice s)
{
	if (!s.n || s.n > PATH_MAX_CHARS)
		return false;
	if (slice_is(s, "."))
		return true;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr("_.-", s.p[i]))
			return false;
	return s.p[0] != '.' && s.p[s.n - 1] != '.' && slice_find(s, SLICE_LIT("..")) < 0;
}

static bool read_filter(struct slice s, enum filter_kind *ret)
{
	static const char *const names[] = { "", "json", "upper", "lower", "short", "url" };

	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		if (slice_is(s, names[i])) {
			*ret = (enum filter_kind)i;
			return true;
		}
	return false;
}

struct parser {
	struct notify_template *t;
	size_t open[DEPTH_MAX], depth;
	struct err *err;
};

static int fail(const struct parser *p, const char *at, const char *what, struct slice shown)
{
	return err_set(p->err, ERR_SYNTAX, "line %u: %s '%.*s'", line_at(p->t, at), what,
		       SLICE_FMT(slice_sub(shown, 0, 40)));
}

static int add(struct parser *p, struct node n, const char *at)
{
	if (p->t->count == NODES_MAX)
		return fail(p, at, "too many tags at", n.text);
	p->t->nodes[p->t->count++] = n;
	return 0;
}

static int close_section(struct parser *p, struct slice path, const char *at)
{
	if (!p->depth)
		return fail(p, at, "nothing to be closed by", path);
	struct node *open = &p->t->nodes[p->open[--p->depth]];
	if (!slice_eq(open->text, path))
		return fail(p, at, "another section is open than", path);
	open->end = p->t->count;
	return add(p, (struct node){ .kind = NODE_END }, at);
}

/* What stands between {{ and }}. */
static int add_tag(struct parser *p, struct slice tag)
{
	const char *at = tag.p;
	struct node n = { .kind = NODE_VALUE };
	char sign = tag.n ? tag.p[0] : 0;

	if (sign == '!')
		return 0;
	if (sign == '#' || sign == '^' || sign == '/')
		tag = slice_sub(tag, 1, tag.n);
	tag = slice_trim(tag);
	ptrdiff_t bar = slice_find_char(tag, '|');
	n.text = slice_trim(slice_sub(tag, 0, bar < 0 ? tag.n : (size_t)bar));
	if (!is_path(n.text))
		return fail(p, at, "no name:", tag);
	if (bar >= 0 && (sign == '#' || sign == '^' || sign == '/' ||
			 !read_filter(slice_trim(slice_sub(tag, (size_t)bar + 1, tag.n)), &n.filter)))
		return fail(p, at, "filters are json upper lower short url, not", slice_sub(tag, (size_t)bar, tag.n));
	if (sign == '/')
		return close_section(p, n.text, at);
	if (sign == '#' || sign == '^') {
		n.kind = sign == '#' ? NODE_SECTION : NODE_INVERTED;
		if (p->depth == DEPTH_MAX)
			return fail(p, at, "nested too deep:", n.text);
		p->open[p->depth++] = p->t->count;
	}
	return add(p, n, at);
}

static int parse(struct parser *p, struct slice rest)
{
	while (rest.n) {
		ptrdiff_t open = slice_find(rest, SLICE_LIT("{{"));
		struct slice text = slice_sub(rest, 0, open < 0 ? rest.n : (size_t)open);
		int r = text.n ? add(p, (struct node){ .kind = NODE_TEXT, .text = text }, text.p) : 0;

		if (r < 0 || open < 0)
			return r;
		rest = slice_sub(rest, (size_t)open + 2, rest.n);
		ptrdiff_t close = slice_find(rest, SLICE_LIT("}}"));
		if (close < 0)
			return fail(p, rest.p, "not closed:", rest);
		r = add_tag(p, slice_sub(rest, 0, (size_t)close));
		if (r < 0)
			return r;
		rest = slice_sub(rest, (size_t)close + 2, rest.n);
	}
	if (p->depth)
		return fail(p, p->t->nodes[p->open[p->depth - 1]].text.p, "not closed:", p->t->nodes[p->open[p->depth - 1]].text);
	return 0;
}

int notify_template_parse(struct slice text, struct notify_template **ret, struct err *err)
{
	CLEANUP(notify_template_freep) struct notify_template *t = calloc(1, sizeof(*t));
	struct parser p = { .t = t, .err = err };

	if (!t)
		return err_set(err, ENOMEM, "template");
	if (text.n > TEXT_MAX)
		return err_set(err, ERR_SYNTAX, "a template has at most %d bytes", TEXT_MAX);
	t->text = slice_dup(text);
	t->nodes = calloc(NODES_MAX, sizeof(*t->nodes));
	if (!t->text || !t->nodes)
		return err_set(err, ENOMEM, "template");
	int r = parse(&p, slice_from(t->text, text.n));
	if (r < 0)
		return r;
	*ret = take_ptr(t);
	return 0;
}

void notify_template_free(struct notify_template *t)
{
	if (!t)
		return;
	free(t->text);
	free(t->nodes);
	free(t);
}

/* ---- writing ---- */

struct writer {
	const struct notify_template *t;
	enum notify_escape escape;
	const cJSON *stack[DEPTH_MAX + 1];
	size_t depth;
	unsigned steps;
	struct buf *out;
};

static const cJSON *walk(const cJSON *v, struct slice path)
{
	struct slice name;
	char key[PATH_MAX_CHARS + 1];

	while (v && slice_split(&path, '.', &name)) {
		slice_copy(name, key, sizeof(key));
		v = cJSON_GetObjectItemCaseSensitive(v, key);
	}
	return v;
}

/* The first name decides where; the rest is looked for there only. */
static const cJSON *find(const struct writer *w, struct slice path)
{
	struct slice rest = path, first;
	char key[PATH_MAX_CHARS + 1];

	if (slice_is(path, "."))
		return w->stack[w->depth];
	if (!slice_split(&rest, '.', &first))
		return NULL;
	slice_copy(first, key, sizeof(key));
	for (size_t i = w->depth + 1; i-- > 0;)
		if (cJSON_GetObjectItemCaseSensitive(w->stack[i], key))
			return walk(w->stack[i], path);
	return NULL;
}

static bool is_true(const cJSON *v)
{
	if (!v || cJSON_IsNull(v) || cJSON_IsFalse(v))
		return false;
	if (cJSON_IsArray(v))
		return cJSON_GetArraySize(v) > 0;
	if (cJSON_IsString(v))
		return v->valuestring[0] != 0;
	return !cJSON_IsNumber(v) || v->valuedouble != 0;
}

/* As a person writes it: texts without quotes. */
static void plain_text(const cJSON *v, struct buf *out)
{
	if (!v || cJSON_IsNull(v))
		return;
	if (cJSON_IsString(v)) {
		buf_add_str(out, v->valuestring);
		return;
	}
	char *text = cJSON_PrintUnformatted(v);
	buf_add_str(out, text ? text : "");
	free(text);
}

static void change_case(struct buf *b, int (*to)(int c))
{
	for (size_t i = 0; i < b->n; i++)
		b->p[i] = (char)to((unsigned char)b->p[i]);
}

static void add_url(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x80 && (isalnum(c) || (c && strchr("-._~", c))))
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

static void add_escaped(const struct writer *w, struct slice s)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct json j;

	buf_init(&text, 8 * VALUE_CHARS);
	if (w->escape == NOTIFY_ESCAPE_LINE) {
		show_text(&text, s, 1000);
		buf_add_slice(w->out, buf_slice(&text));
		return;
	}
	json_init(&j, &text);
	json_str(&j, s);
	if (text.n >= 2 && !text.failed)
		buf_add_slice(w->out, slice_from(text.p + 1, text.n - 2));
	w->out->failed |= text.failed;
}

static void add_value(const struct writer *w, const struct node *n)
{
	CLEANUP(buf_finip) struct buf text = { 0 }, made = { 0 };
	const cJSON *v = find(w, n->text);

	buf_init(&text, 8 * VALUE_CHARS);
	if (n->filter == AS_JSON && w->escape == NOTIFY_ESCAPE_JSON) {
		char *json = v ? cJSON_PrintUnformatted(v) : NULL;

		buf_add_str(w->out, json ? json : "null");
		free(json);
		return;
	}
	plain_text(v, &text);
	w->out->failed |= text.failed;
	struct slice s = buf_slice(&text);
	if (n->filter == UPPER)
		change_case(&text, toupper);
	else if (n->filter == LOWER)
		change_case(&text, tolower);
	else if (n->filter == SHORT) {
		buf_init(&made, 4096);
		s = show_fit(s, SHORT_CHARS, &(size_t){ 0 });
	} else if (n->filter == URL) {
		buf_init(&made, 8 * VALUE_CHARS);
		add_url(&made, s);
		s = buf_slice(&made);
	}
	add_escaped(w, s);
}

static void write_nodes(struct writer *w, size_t from, size_t to);

static void write_section(struct writer *w, size_t i)
{
	const struct node *n = &w->t->nodes[i];
	const cJSON *v = find(w, n->text), *item;

	if (is_true(v) != (n->kind == NODE_SECTION))
		return;
	w->depth++; /* at most DEPTH_MAX, as the parser saw to */
	if (n->kind == NODE_SECTION && cJSON_IsArray(v)) {
		cJSON_ArrayForEach(item, v)
		{
			w->stack[w->depth] = item;
			write_nodes(w, i + 1, n->end);
		}
	} else {
		w->stack[w->depth] = n->kind == NODE_SECTION ? v : w->stack[w->depth - 1];
		write_nodes(w, i + 1, n->end);
	}
	w->depth--;
}

static void write_nodes(struct writer *w, size_t from, size_t to)
{
	for (size_t i = from; i < to && !w->out->failed; i++) {
		const struct node *n = &w->t->nodes[i];

		if (w->steps++ > STEPS_MAX) {
			w->out->failed = true;
			return;
		}
		switch (n->kind) {
		case NODE_TEXT:
			buf_add_slice(w->out, n->text);
			break;
		case NODE_VALUE:
			add_value(w, n);
			break;
		case NODE_SECTION:
		case NODE_INVERTED:
			write_section(w, i);
			i = n->end;
			break;
		case NODE_END:
			break;
		}
	}
}

int notify_template_write(const struct notify_template *t, const cJSON *doc, enum notify_escape escape, struct buf *out,
			  struct err *err)
{
	struct writer w = { .t = t, .escape = escape, .stack = { doc }, .out = out };

	write_nodes(&w, 0, t->count);
	return out->failed ? err_set(err, ERR_LIMIT, "what the template makes is too large") : 0;
}
