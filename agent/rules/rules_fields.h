/* rules_fields.h - the table of fields.def, and what a field's name with its argument means. */
#pragma once
#include "agent/rules/rules.h"

enum rules_field_flags {
	FIELD_IS_LIST = 1 << 0,	    /* the value is a list: only in, intersects, exists */
	FIELD_IS_INDEX = 1 << 1,    /* takes [number] */
	FIELD_IS_KEY = 1 << 2,	    /* takes [text] */
	FIELD_IS_FAMILY = 1 << 3,   /* takes .text after its name */
	FIELD_IS_ARG_REQUIRED = 1 << 4,
	FIELD_IS_FILTER_ONLY = 1 << 5, /* not in an output */
	FIELD_IS_DEPRECATED = 1 << 6,
	FIELD_IS_ANCESTOR = 1 << 7,  /* without an index: any ancestor, whatever the operator */
	FIELD_IS_EITHER = 1 << 8,    /* several values: one must match, with != all must differ */
	FIELD_IS_NO_RIGHT = 1 << 9,  /* not on the right of an operator */
	FIELD_IS_NO_TRANSFORM = 1 << 10,
	FIELD_IS_DYNAMIC = 1 << 11,  /* type depends on the argument */
	FIELD_IS_ARGUMENTS = 1 << 12, /* a string whose words are in the value's list too */
};

enum rules_field_id {
#define FIELD(id, name, type, flags, doc) FIELD_##id,
#include "agent/rules/fields.def"
#undef FIELD
	FIELD_COUNT
};

struct rules_field {
	const char *name;
	enum rules_type type;
	unsigned flags;
	const char *doc;
};

/* A field as a condition or an output names it. */
struct rules_field_ref {
	const struct rules_field *field;
	enum rules_type type; /* of the field, or of the argument where the field is dynamic */
	int index;	      /* -1: none */
	struct slice arg;     /* borrowed from what was asked for; empty: none */
	bool is_family_arg;   /* written with a dot, not with brackets */
};

enum field_problem { FIELD_OK, FIELD_UNKNOWN, FIELD_WRONG_ARG };
/* name: "evt.arg.flags", "proc.aname"; arg: what stood in brackets. err: nullable. */
enum field_problem rules_field_resolve(struct slice name, bool has_arg, struct slice arg,
				       struct rules_field_ref *ret, struct err *err);
