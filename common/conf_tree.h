/* conf_tree.h - YAML as a tree with places, for files whose shape no table of conf.h tells: the same part of YAML
 * (no anchors, aliases, tags), the same bounds, the same words for what is wrong. */
#pragma once
#include "common/arena.h"
#include "common/err.h"
#include "common/slice.h"

enum conf_node_kind { CONF_NODE_NULL, CONF_NODE_SCALAR, CONF_NODE_LIST, CONF_NODE_MAP };
struct conf_node {
	enum conf_node_kind kind;
	bool is_plain;		/* a scalar without quotes */
	unsigned line, column;	/* from 1 */
	struct slice text;	/* of a scalar; NUL-terminated, without one inside */
	struct conf_node *next; /* in what holds it; in a mapping key, value, key, value … */
	struct conf_node *items;
	size_t count; /* of items; of a mapping: of pairs */
};

/* *ret: in the arena, NULL where there are only comments. Bounds: 1 MiB, nesting 16, nodes_max nodes.
 * ERR_SYNTAX, "NAME:LINE:COL: what"; a key twice in one mapping is one. */
int conf_tree_parse(const char *name, struct slice text, unsigned nodes_max, struct arena *a, struct conf_node **ret,
		    struct err *err) WARN_UNUSED;
/* The same of several documents, parted by `---`: *ret is the first, next leads on; empty ones are left out. Places
 * are the file's; nodes_max is for all together. */
int conf_tree_parse_all(const char *name, struct slice text, unsigned nodes_max, unsigned documents_max, struct arena *a,
			struct conf_node **ret, struct err *err) WARN_UNUSED;
