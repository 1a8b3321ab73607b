/* load.h - rule files into definitions, definitions into a set of rules. Private to agent/rules. */
#pragma once
#include "agent/rules/cond.h"
#include "agent/rules/rules_priv.h"

enum {
	LOAD_FILE_MAX = 4 << 20,    /* bytes of one file */
	LOAD_NODES_MAX = 400000,    /* YAML nodes of one file */
	LOAD_DEPTH_MAX = 32,	    /* of YAML */
	LOAD_DEFS_MAX = 10000,	    /* lists, macros and rules, each */
	LOAD_MESSAGES_MAX = 200,    /* errors and warnings kept */
	LOAD_ARENA_MAX = 256 << 20, /* while loading */
	LOAD_ITEMS_MAX = 65536,	    /* of one list, after lists in it are put in */
};

/* ---- YAML as a tree with places ---- */
enum ynode_kind { YNODE_NULL, YNODE_SCALAR, YNODE_SEQUENCE, YNODE_MAP };
struct ynode {
	enum ynode_kind kind;
	bool is_quoted, is_literal; /* "..", '..' ; block scalar with | */
	unsigned line, column;	    /* from 1 */
	struct slice text;
	struct ynode **items; /* of a map: key, value, key, value ... */
	size_t count, size;   /* of items */
};
/* All documents of text. *ret: array in a. Error: ERR_SYNTAX with ret_line, ret_column. */
int ynode_parse(struct arena *a, struct slice text, struct ynode ***ret, size_t *ret_count,
		unsigned *ret_line, unsigned *ret_column, struct err *err) WARN_UNUSED;
/* NULL if the map has no such key. */
const struct ynode *ynode_get(const struct ynode *map, const char *key);

/* ---- definitions ---- */
struct place {
	const char *file;
	unsigned line, column;
};
struct strings {
	struct slice *p;
	size_t count, size;
};
struct def_list {
	struct slice name;
	struct strings items, resolved;
	struct place at;
	unsigned index, visibility; /* order of the first definition, of the last change */
	bool is_used;
};
struct cond_text {
	struct slice text;
	struct place at; /* of the YAML value */
	bool is_plain, is_literal; /* one line as it stands in the file; | block */
};
struct def_macro {
	struct slice name;
	struct cond_text cond;
	struct place at;
	unsigned index, visibility;
	struct cond *tree;
	bool is_broken, is_used;
};
struct exception {
	struct slice name;
	struct place at;
	bool has_fields, has_comps, is_field_list, is_comp_list;
	struct strings fields, comps;
	const struct ynode **values;
	size_t value_count, value_size;
};
struct def_rule {
	struct slice name, output, desc, source;
	struct cond_text cond;
	struct place at, output_at;
	enum rules_priority priority;
	struct strings tags;
	struct exception *exceptions;
	size_t exception_count, exception_size;
	bool enabled, warn_evttypes, skip_unknown, unknown_source;
	unsigned index, visibility;
};

struct loader {
	struct arena *arena; /* definitions; owned */
	struct rules_report *report;
	const char *file;
	struct def_list *lists;
	struct def_macro *macros;
	struct def_rule *rules;
	size_t list_count, list_size, macro_count, macro_size, rule_count, rule_size;
	unsigned next_index;
	struct rules_file_count in_file; /* of the file being read */
	uint64_t hash; /* of all texts */
	/* For tests: each rule's condition, resolved. Nullable. */
	void (*on_condition)(void *arg, struct slice rule, const struct cond *c);
	void *arg;
};
int loader_init(struct loader *l, struct rules_report *report, struct err *err) WARN_UNUSED;
void loader_fini(struct loader *l);
/* Reads one file's text; problems go to the report. */
void loader_add(struct loader *l, const char *file, struct slice text);
/* Compiles what was read, if there was no error. */
int loader_build(struct loader *l, struct rules **ret, struct err *err) WARN_UNUSED;

/* ---- between the load_*.c ---- */
void load_error(struct loader *l, struct place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void load_warn(struct loader *l, struct place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* One more definition in this file, unless the one before it stands here too. before: nullable. */
void count_in_file(struct loader *l, const struct place *before, size_t *count);
struct place place_of(const struct loader *l, const struct ynode *n);
/* Grows an array in the arena; NULL past it. */
void *load_grow(struct loader *l, void *array, size_t element, size_t count, size_t *size);
bool strings_add(struct loader *l, struct strings *s, struct slice x);
struct def_list *load_find_list(struct loader *l, struct slice name);
struct def_macro *load_find_macro(struct loader *l, struct slice name);
struct def_rule *load_find_rule(struct loader *l, struct slice name);

/* Typed reading of a map's values; false: wrong or missing, reported. */
bool load_text(struct loader *l, const struct ynode *map, const char *key, struct slice *ret);
bool load_bool(struct loader *l, const struct ynode *map, const char *key, bool *ret);
bool load_strings(struct loader *l, const struct ynode *map, const char *key, struct strings *ret);
bool load_cond(struct loader *l, const struct ynode *map, struct cond_text *ret);
void load_unknown_keys(struct loader *l, const struct ynode *map, const char *const *known, size_t count);

/* load_override.c: the `override` and `append` keys of an item. */
struct overrides {
	uint32_t append, replace; /* bits of the caller's key tables */
	bool append_key; /* append: true */
};
struct override_keys {
	const char *const *names; /* bit i is names[i] */
	size_t count;
	uint32_t may_append, may_replace;
};
bool load_overrides(struct loader *l, const struct ynode *item, const struct override_keys *keys,
		    struct overrides *ret);

/* load_rule.c, load_exception.c */
void load_rule(struct loader *l, const struct ynode *item);
/* need_fields: a definition, not an appendix. */
bool load_exceptions(struct loader *l, const struct ynode *item, bool need_fields, struct def_rule *ret);
/* Checks one exception against the rest of the rule; false: reported. */
bool exception_check(struct loader *l, const struct def_rule *r, struct exception *e);
bool exceptions_append(struct loader *l, struct def_rule *to, const struct def_rule *from);
/* The whole condition with the exceptions behind it; empty: reported. */
struct slice exceptions_condition(struct loader *l, const struct def_rule *r);

/* load_lists.c: lists put into a text; *ret_changed nullable. An empty slice: too large. */
void lists_resolve(struct loader *l);
struct slice lists_substitute(struct loader *l, struct slice text, bool *ret_changed);
/* x as it stands in a condition: quoted if it has blanks and no quotes. */
void list_quote(struct buf *out, struct slice x);

/* event_types.c: the event types a condition can be true for. */
struct type_set {
	bool is_complement; /* all but names */
	struct strings names; /* sorted */
};
struct type_set event_types(struct loader *l, const struct cond *c);
