/* doc.h - one way through JSON, YAML and TOML: a document as events, each with the path it stands at. No
 * tree is built: the memory is the path, the library's buffers and one value. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

enum doc_event {
	DOC_MAP, /* opens, at its path */
	DOC_MAP_END,
	DOC_LIST,
	DOC_LIST_END,
	DOC_TEXT, /* a string */
	DOC_WORD, /* a number, true, null, a date: as it was written. YAML: any plain scalar */
};
enum {
	DOC_DEPTH_MAX = 128,	 /* npm's first format nests a package in a package: two levels each */
	DOC_PATH_MAX = 256 << 10, /* bytes of a path; pnpm names a package by all its peers */
};

struct doc;
/* text: borrowed for the call, empty for maps and lists. Not 0 ends the walk with that code. */
typedef int (*doc_fn)(void *arg, const struct doc *d, enum doc_event e, struct slice text);

/* Each calls fn for every value in order. ERR_SYNTAX "line N: …"; ERR_LIMIT past the bounds above; or what
 * fn returned. Cost is linear in the text. */
int doc_json(struct slice text, doc_fn fn, void *arg, struct err *err) WARN_UNUSED;
/* Aliases and directives are refused: lock files have none, and both multiply work. All documents of a
 * stream come one after the other. */
int doc_yaml(struct slice text, doc_fn fn, void *arg, struct err *err) WARN_UNUSED;
/* What lock files use of TOML 1.0; it reads some texts that TOML forbids (a table opened twice). */
int doc_toml(struct slice text, doc_fn fn, void *arg, struct err *err) WARN_UNUSED;

/* Of the value the event is about: how many keys lead to it, and which; an element of a list has the
 * empty key. Borrowed for the call. */
size_t doc_depth(const struct doc *d);
struct slice doc_key(const struct doc *d, size_t level);
/* Do the keys from `level` on read like pattern? Parts are divided by "/": "*" is any key of a map, "#" any
 * element of a list. "packages/#/name". The empty pattern: no key is left. */
bool doc_is(const struct doc *d, size_t level, const char *pattern);
/* Which line holds byte `at`, from 1. */
size_t doc_line(struct slice text, size_t at);
