/* walk.h - JSON as a stream: a reader is told of the places it asked for, the rest is skipped unseen.
 * Memory and depth are bounded whatever comes. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

enum walk_what { WALK_OPEN, WALK_CLOSE, WALK_TEXT, WALK_NUMBER, WALK_BOOL, WALK_NULL };

struct walk_event {
	enum walk_what what;
	bool is_array;	   /* OPEN, CLOSE: "[" */
	struct slice text; /* TEXT; NUMBER as written; BOOL "true" "false"; OPEN: the key it stands under */
	size_t at;	   /* the place's own */
};
/* Texts are borrowed for the call. Negative ends the walk. */
typedef int (*walk_fn)(void *arg, const struct walk_event *e, struct err *err);

/* A place is an object, an array or a value: `key` inside the place `parent`; "*" is any key, "[]" an
 * element. Place 0 is the document. Rows of one parent stand together, "*" last. */
struct walk_place {
	unsigned char parent, place;
	const char *key;
	walk_fn on; /* nullable */
	size_t at;  /* handed to `on`: an offset, a kind */
};

struct walk;
enum { WALK_PLACES_MAX = 64 };

/* places: borrowed until walk_free. NULL when out of memory. */
struct walk *walk_new(const struct walk_place *places, size_t count, void *arg) WARN_UNUSED;
/* The next bytes, as many as come. ERR_SYNTAX with line:col, ERR_LIMIT, or what `on` gave; then no more. */
int walk_feed(struct walk *w, struct slice bytes, struct err *err) WARN_UNUSED;
/* The document must be complete. */
int walk_end(struct walk *w, struct err *err) WARN_UNUSED;
/* Ready for the next document. */
int walk_reset(struct walk *w, struct err *err) WARN_UNUSED;
/* Line of what is being read, from 1. */
unsigned long walk_line(const struct walk *w);
void walk_free(struct walk *w);
DEFINE_CLEANUP(struct walk, walk_free)
