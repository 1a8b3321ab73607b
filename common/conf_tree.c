/* conf_tree.c - see conf_tree.h. Events of conf.c's reader, kept. */
#include "common/conf_tree.h"

#include "common/conf_priv.h"
#include "common/log.h"

enum { SHOWN_MAX = 60 };

struct builder {
	struct arena *arena;
	struct conf_node *root, **tail;
};

static int read_node(struct conf_reader *r, struct arena *a, struct conf_node **ret);

static int read_scalar(struct conf_reader *r, struct arena *a, struct conf_node *n)
{
	struct slice s = conf_scalar(r);

	if (slice_find_char(s, 0) >= 0)
		return conf_fail(r, "a text contains a NUL");
	n->kind = conf_is_null(r) ? CONF_NODE_NULL : CONF_NODE_SCALAR;
	n->is_plain = r->ev.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	char *copy = arena_dup(a, s);
	if (!copy)
		return conf_fail(r, "too large");
	n->text = slice_from(copy, s.n);
	return 0;
}

/* Mappings of people's files are short where a linear look is used; a long one is sorted out by a table. */
struct seen {
	const struct conf_node **slots;
	size_t size, count;
};

static bool seen_grow(struct seen *s)
{
	struct seen wider = { .size = s->size ? s->size * 2 : 16, .count = s->count };

	wider.slots = calloc(wider.size, sizeof(*wider.slots));
	if (!wider.slots)
		return false;
	for (size_t i = 0; i < s->size; i++) {
		if (!s->slots[i])
			continue;
		size_t at = slice_hash(s->slots[i]->text) & (wider.size - 1);
		while (wider.slots[at])
			at = (at + 1) & (wider.size - 1);
		wider.slots[at] = s->slots[i];
	}
	free(s->slots);
	*s = wider;
	return true;
}

/* The key as the current event; a failure if it was there. */
static int seen_add(struct conf_reader *r, struct seen *s, const struct conf_node *key)
{
	char shown[SHOWN_MAX];

	if (s->count * 2 >= s->size && !seen_grow(s))
		return conf_fail(r, "out of memory");
	size_t at = slice_hash(key->text) & (s->size - 1);
	for (; s->slots[at]; at = (at + 1) & (s->size - 1)) {
		if (!slice_eq(s->slots[at]->text, key->text))
			continue;
		log_escape(key->text, shown, sizeof(shown));
		return conf_fail(r, "duplicate key '%s'", shown);
	}
	s->slots[at] = key;
	s->count++;
	return 0;
}

static void seen_fini(struct seen *s)
{
	free(s->slots);
}

static int read_items(struct conf_reader *r, struct arena *a, struct conf_node *n)
{
	CLEANUP(seen_fini) struct seen seen = { 0 };
	bool is_map = n->kind == CONF_NODE_MAP, is_key = is_map;
	struct conf_node **tail = &n->items;
	yaml_event_type_t end = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;

	for (;; tail = &(*tail)->next) {
		int e = conf_next(r);

		if (e < 0 || r->ev.type == end)
			return e;
		if (is_key && r->ev.type != YAML_SCALAR_EVENT)
			return conf_fail(r, "a key must be text");
		e = read_node(r, a, tail);
		if (e >= 0 && is_key)
			e = seen_add(r, &seen, *tail);
		if (e < 0)
			return e;
		n->count += !is_key;
		is_key = is_map && !is_key;
	}
}

/* Depth is bounded by conf_next. */
static int read_node(struct conf_reader *r, struct arena *a, struct conf_node **ret)
{
	struct conf_node *n = arena_zalloc(a, 1, sizeof(*n));

	if (!n)
		return conf_fail(r, "too large");
	*ret = n;
	n->line = (unsigned)r->ev.start_mark.line + 1;
	n->column = (unsigned)r->ev.start_mark.column + 1;
	if (r->ev.type == YAML_SCALAR_EVENT)
		return read_scalar(r, a, n);
	n->kind = r->ev.type == YAML_MAPPING_START_EVENT ? CONF_NODE_MAP : CONF_NODE_LIST;
	return read_items(r, a, n);
}

static int read_root(struct conf_reader *r, void *arg)
{
	struct builder *b = arg;
	struct conf_node *n = NULL;
	int e = read_node(r, b->arena, &n);

	/* Of one document nothing but comments is no tree, "~" is one of a null. */
	if (e < 0 || (r->documents_max && n->kind == CONF_NODE_NULL))
		return e;
	*b->tail = n;
	b->tail = &n->next;
	return 0;
}

static int parse(struct conf_reader *r, struct arena *a, struct conf_node **ret)
{
	struct builder b = { .arena = a, .tail = &b.root };
	int e = conf_document(r, read_root, &b);

	if (e >= 0)
		*ret = b.root;
	return e;
}

int conf_tree_parse(const char *name, struct slice text, unsigned nodes_max, struct arena *a, struct conf_node **ret,
		    struct err *err)
{
	struct conf_reader r = { .name = name, .text = text, .err = err, .nodes_max = nodes_max };

	return parse(&r, a, ret);
}

int conf_tree_parse_all(const char *name, struct slice text, unsigned nodes_max, unsigned documents_max, struct arena *a,
			struct conf_node **ret, struct err *err)
{
	struct conf_reader r = { .name = name,
				 .text = text,
				 .err = err,
				 .nodes_max = nodes_max,
				 .documents_max = documents_max };

	return parse(&r, a, ret);
}
