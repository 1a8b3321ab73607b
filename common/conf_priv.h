/* conf_priv.h - between conf.c (the shape of the YAML) and conf_value.c (one value into one field). */
#pragma once
#include <yaml.h>

#include "common/conf.h"

struct conf_reader {
	yaml_parser_t parser;
	yaml_event_t ev; /* the current one; what it owns lives until conf_next */
	const char *name;
	struct slice text;
	struct err *err;
	unsigned depth, nodes, nodes_max; /* nodes_max 0: conf.h's bound */
	unsigned documents_max;		  /* 0: one */
};

/* Reads r->text: root is called for each document with the current event being the root node's first (a mapping's or a
 * sequence's start, a scalar), and not at all where there are only comments. */
int conf_document(struct conf_reader *r, int (*root)(struct conf_reader *r, void *arg), void *arg) WARN_UNUSED;

/* "NAME:LINE:COL: what" for the start of the current event. */
int conf_fail(struct conf_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The next event into r->ev, within the bounds; anchors, aliases and tags are refused. */
int conf_next(struct conf_reader *r) WARN_UNUSED;
/* The current event's text; only for a scalar. */
struct slice conf_scalar(const struct conf_reader *r);
/* No value: "key:", "key: ~", "key: null". */
bool conf_is_null(const struct conf_reader *r);
/* From a mapping's start (the current event) to its end, into target. */
int conf_read_mapping(struct conf_reader *r, const struct conf_key *keys, size_t count,
		      void *target) WARN_UNUSED;
/* The current event (and what belongs to it) into the key's field of target. */
int conf_read_value(struct conf_reader *r, const struct conf_key *key, void *target) WARN_UNUSED;
