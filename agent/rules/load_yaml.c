/* load_yaml.c - YAML events into a tree with places, counted: a file of four megabytes can ask libyaml's
 * own document loader for hundreds of times that. */
#include <errno.h>
#include <yaml.h>

#include "agent/rules/load.h"

enum { ANCHORS_MAX = 1024 };

struct reader {
	yaml_parser_t parser;
	struct arena *arena;
	struct {
		struct slice name;
		struct ynode *node;
	} anchors[ANCHORS_MAX];
	size_t anchor_count, node_count;
	unsigned line, column; /* of a failure */
	struct err *err;
};

static int fail(struct reader *r, const yaml_mark_t *at, const char *what)
{
	r->line = (unsigned)at->line + 1;
	r->column = (unsigned)at->column + 1;
	return err_set(r->err, ERR_SYNTAX, "%s", what);
}

static int next(struct reader *r, yaml_event_t *e)
{
	if (yaml_parser_parse(&r->parser, e))
		return 0;
	const yaml_mark_t *at = r->parser.problem_mark.line || r->parser.problem_mark.column ?
					&r->parser.problem_mark :
					&r->parser.context_mark;
	return fail(r, at, r->parser.problem ? r->parser.problem : "not YAML");
}

static struct ynode *new_node(struct reader *r, enum ynode_kind kind, const yaml_event_t *e,
			      const yaml_char_t *anchor)
{
	struct ynode *n = NULL;

	if (r->node_count++ < LOAD_NODES_MAX)
		n = arena_zalloc(r->arena, 1, sizeof(*n));
	if (!n) {
		(void)fail(r, &e->start_mark, "the file has too many values");
		return NULL;
	}
	n->kind = kind;
	n->line = (unsigned)e->start_mark.line + 1;
	n->column = (unsigned)e->start_mark.column + 1;
	if (!anchor)
		return n;
	char *name = arena_dup(r->arena, slice_of((const char *)anchor));
	if (r->anchor_count == ANCHORS_MAX || !name) {
		(void)fail(r, &e->start_mark, "the file has too many anchors");
		return NULL;
	}
	r->anchors[r->anchor_count].name = slice_of(name);
	r->anchors[r->anchor_count++].node = n;
	return n;
}

static bool add_item(struct reader *r, struct ynode *n, struct ynode *item)
{
	if (n->count == n->size) {
		size_t size = n->size ? n->size * 2 : 4;
		struct ynode **items = arena_alloc(r->arena, size * sizeof(*items));

		if (!items)
			return false;
		if (n->count)
			memcpy(items, n->items, n->count * sizeof(*items));
		n->items = items;
		n->size = size;
	}
	n->items[n->count++] = item;
	return true;
}

static struct ynode *read_scalar(struct reader *r, const yaml_event_t *e)
{
	struct slice s = slice_from(e->data.scalar.value, e->data.scalar.length);
	bool is_plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	bool is_null = is_plain && (!s.n || slice_is(s, "~") || slice_is(s, "null"));
	struct ynode *n = new_node(r, is_null ? YNODE_NULL : YNODE_SCALAR, e, e->data.scalar.anchor);

	if (!n)
		return NULL;
	char *text = arena_dup(r->arena, s);
	if (!text) {
		(void)fail(r, &e->start_mark, "the file is too large");
		return NULL;
	}
	n->text = slice_from(text, s.n);
	n->is_literal = e->data.scalar.style == YAML_LITERAL_SCALAR_STYLE;
	n->is_quoted = !is_plain;
	return n;
}

static struct ynode *read_alias(struct reader *r, const yaml_event_t *e)
{
	struct slice name = slice_of((const char *)e->data.alias.anchor);

	for (size_t i = r->anchor_count; i-- > 0;)
		if (slice_eq(r->anchors[i].name, name))
			return r->anchors[i].node;
	(void)fail(r, &e->start_mark, "found undefined alias");
	return NULL;
}

static int read_node(struct reader *r, const yaml_event_t *e, unsigned depth, struct ynode **ret);

static int read_items(struct reader *r, struct ynode *n, yaml_event_type_t end, unsigned depth)
{
	for (;;) {
		yaml_event_t e;
		struct ynode *item = NULL;
		int result = next(r, &e);

		if (result < 0)
			return result;
		bool is_end = e.type == end;
		if (!is_end)
			result = read_node(r, &e, depth, &item);
		yaml_event_delete(&e);
		if (is_end || result < 0)
			return result;
		if (!add_item(r, n, item))
			return fail(r, &r->parser.mark, "the file is too large");
	}
}

static int read_node(struct reader *r, const yaml_event_t *e, unsigned depth, struct ynode **ret)
{
	bool is_map = e->type == YAML_MAPPING_START_EVENT;
	int result = 0;

	if (depth > LOAD_DEPTH_MAX)
		return fail(r, &e->start_mark, "nested too deep");
	if (e->type == YAML_SCALAR_EVENT) {
		*ret = read_scalar(r, e);
	} else if (e->type == YAML_ALIAS_EVENT) {
		*ret = read_alias(r, e);
	} else {
		*ret = new_node(r, is_map ? YNODE_MAP : YNODE_SEQUENCE, e,
				is_map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor);
		if (*ret)
			result = read_items(r, *ret, is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT,
					    depth + 1);
	}
	return *ret ? result : -ERR_SYNTAX;
}

static int read_all(struct reader *r, struct ynode *all)
{
	for (;;) {
		yaml_event_t e;
		struct ynode *n = NULL;
		int result = next(r, &e);

		if (result < 0)
			return result;
		yaml_event_type_t type = e.type;
		if (type == YAML_DOCUMENT_START_EVENT)
			r->anchor_count = 0;
		if (type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT ||
		    type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
			result = read_node(r, &e, 0, &n);
		yaml_event_delete(&e);
		if (result < 0 || type == YAML_STREAM_END_EVENT)
			return result;
		if (n && !add_item(r, all, n))
			return fail(r, &r->parser.mark, "the file is too large");
	}
}

int ynode_parse(struct arena *a, struct slice text, struct ynode ***ret, size_t *ret_count,
		unsigned *ret_line, unsigned *ret_column, struct err *err)
{
	CLEANUP(freep) struct reader *r = calloc(1, sizeof(*r));
	struct ynode all = { .kind = YNODE_SEQUENCE };

	*ret_line = *ret_column = 1;
	if (!r || !yaml_parser_initialize(&r->parser))
		return err_set(err, ENOMEM, "read YAML");
	r->arena = a;
	r->err = err;
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
	int result = read_all(r, &all);
	yaml_parser_delete(&r->parser);
	*ret_line = r->line;
	*ret_column = r->column;
	*ret = all.items;
	*ret_count = all.count;
	return result;
}

const struct ynode *ynode_get(const struct ynode *map, const char *key)
{
	for (size_t i = 0; map->kind == YNODE_MAP && i + 1 < map->count; i += 2)
		if (map->items[i]->kind == YNODE_SCALAR && slice_is(map->items[i]->text, key))
			return map->items[i + 1];
	return NULL;
}
