/* conf.h - YAML configuration read through a table: a key that is not in it is an error with file,
 * line and column, and the nearest known key. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

enum conf_kind {
	CONF_STR,      /* char *, malloc'd; the target is replaced and the old one freed */
	CONF_BOOL,     /* bool */
	CONF_U64,      /* uint64_t, min..max */
	CONF_SIZE,     /* uint64_t bytes, "64MiB", min..max */
	CONF_DURATION, /* uint64_t ms, "30s", min..max */
	CONF_STR_LIST, /* struct conf_list of strings */
	CONF_LIST,     /* struct conf_list of structs: sub is the table of one, item_size its size */
	CONF_ENUM,     /* int: index into names (NULL-terminated) */
	CONF_SKIP,     /* anything, read past: of a file that others read, too */
};

struct conf_list {
	void *items; /* owned: char *[] for CONF_STR_LIST, else structs of item_size */
	size_t count;
};

struct conf_key {
	const char *name; /* dotted for nested mappings: "spool.max_size" */
	enum conf_kind kind;
	size_t offset; /* of the field in the target struct */
	uint64_t min, max; /* max 0: no bound above */
	const struct conf_key *sub; /* for CONF_LIST */
	size_t sub_count, item_size;
	const char *const *names; /* for CONF_ENUM */
	const char *doc;	  /* one line, what it is for */
};

/* Reads text (borrowed; name is for the messages) into target, which holds the defaults before.
 * Bounds: 1 MiB, nesting 16, 10,000 nodes. Error: ERR_SYNTAX, "NAME:LINE:COL: what". On error the
 * target may be partly set; conf_fini it all the same. */
int conf_parse(const char *name, struct slice text, const struct conf_key *keys, size_t count,
	       void *target, struct err *err) WARN_UNUSED;
int conf_read(const char *path, const struct conf_key *keys, size_t count, void *target,
	      struct err *err) WARN_UNUSED;
/* Frees what the table's strings and lists own. */
void conf_fini(const struct conf_key *keys, size_t count, void *target);
/* strdup for a default; aborts when out of memory, as only start-up code calls it. */
char *conf_strdup(const char *s);
