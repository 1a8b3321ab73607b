/* correlation.h - the `correlation` part of a Sigma document: read, checked, and linked to the rules it names.
 *
 *	sigma_parse -> correlation_parse for each document that has one -> correlation_link over all documents
 *	-> engine_new (engine.h)
 *
 * A document's number is its place in the array given to correlation_link: matches, names and hits go by it.
 * What the specification leaves open is decided in README.md (correlate-050 …). */
#pragma once
#include "collector/correlate/sigma.h"

enum {
	CORRELATION_GROUP_MAX = 8,	/* fields of group-by */
	CORRELATION_FIELDS_MAX = 8,	/* of value_count's field */
	CORRELATION_TEMPORAL_MAX = 64,	/* rules of the temporal types and of a boolean condition */
	CORRELATION_RULES_MAX = 1024,	/* of the others */
	CORRELATION_STEPS_MAX = 256,	/* of a boolean condition */
	CORRELATION_EVIDENCE_MAX = 100, /* x.include_events */
	CORRELATION_EVIDENCE_DEFAULT = 10,
	CORRELATION_DEPTH_MAX = 16,	  /* of correlations over correlations */
	CORRELATION_COUNT_MAX = 65536,	  /* of a condition on a number of events */
	CORRELATION_TIMESPAN_DAYS_MAX = 31,
	CORRELATION_HASH_BYTES = 32
};

enum correlation_type {
	CORRELATION_EVENT_COUNT,
	CORRELATION_VALUE_COUNT,
	CORRELATION_TEMPORAL,
	CORRELATION_TEMPORAL_ORDERED,
	CORRELATION_VALUE_SUM,
	CORRELATION_VALUE_AVG,
	CORRELATION_VALUE_PERCENTILE,
	CORRELATION_TYPE_COUNT
};
const char *correlation_type_name(enum correlation_type t);

enum correlation_op {
	CORRELATION_GT,
	CORRELATION_GTE,
	CORRELATION_LT,
	CORRELATION_LTE,
	CORRELATION_EQ,
	CORRELATION_NEQ,
	CORRELATION_OP_COUNT
};
extern const char *const correlation_op_names[CORRELATION_OP_COUNT]; /* "gt" … */

/* A boolean condition in postfix; RULE pushes whether rule number `arg` of `rules` matched. */
enum correlation_step_kind { CORRELATION_STEP_RULE, CORRELATION_STEP_AND, CORRELATION_STEP_OR, CORRELATION_STEP_NOT };
struct correlation_step {
	uint8_t kind, arg;
};

/* One of `rules`, and after linking where its fields come from: a number that resolve gave out; of a rule that is a
 * correlation the place in its group-by; CORRELATION_FIELD_NONE where it has none of that name. */
enum { CORRELATION_FIELD_NONE = -1 };
struct correlation_ref {
	struct slice text; /* id or name, as written */
	const struct conf_node *at;
	uint32_t rule; /* document; set by correlation_link */
	bool is_correlation;
	int32_t group[CORRELATION_GROUP_MAX], field[CORRELATION_FIELDS_MAX];
};

struct correlation_alias {
	const char *name;
	const struct conf_node *map; /* rule: field */
};

struct correlation {
	const struct sigma_rule *rule;
	enum correlation_type type;
	struct correlation_ref *refs; /* in the order of `rules`, none twice */
	size_t ref_count;
	struct sigma_list group_by, fields, tags; /* tags: x.rules_by_tag; refs gets those rules when linked */
	const struct correlation_alias *aliases;
	size_t alias_count;
	int64_t timespan_ns;
	unsigned ops; /* bit correlation_op: `limits` has one */
	double limits[CORRELATION_OP_COUNT];
	const struct correlation_step *steps; /* NULL: no boolean condition */
	size_t step_count;
	uint64_t positive; /* bit n: rules[n] stands without `not`; of other conditions all bits */
	double percentile;
	bool is_generate;
	/* Has an upper bound (lt, lte, eq, neq) or a `not`: decided when the window closes. */
	bool is_bounded;
	/* x */
	bool is_refire; /* refire: every */
	int64_t suppress_ns;
	unsigned evidence_max;
	double score;
	/* Set by correlation_link; of everything that matters for the state: a rule with the same hash keeps it. */
	uint8_t hash[CORRELATION_HASH_BYTES];
};

/* Reads rule->correlation. *ret: in the arena, which must outlive it as must the rule. notes: nullable.
 * Error: ERR_SYNTAX "NAME:LINE:COL: what", ERR_LIMIT where the arena is full. */
int correlation_parse(const struct sigma_rule *rule, struct arena *a, struct correlation **ret, struct sigma_notes *notes,
		      struct err *err) WARN_UNUSED;

struct correlation_document {
	const struct sigma_rule *rule;
	struct correlation *correlation; /* NULL: a detection */
};
struct correlation_fields {
	/* A field of the events that detection rule `document` matches, by the name a correlation has for it: a number
	 * >= 0, or CORRELATION_FIELD_NONE. The same name and document give the same number. */
	int (*resolve)(void *arg, size_t document, struct slice name);
	void *arg;
};
/* Finds what the correlations name, in any order of documents. Fails for a rule that nobody has, two rules with one
 * name, a rule named twice, a circle, a field that a named correlation does not carry. A field that resolve doesn't
 * know is a note: events of that rule never take part.
 * *ret_bad (nullable): set on failure, the document it is about; without it the others may be linked anew. */
int correlation_link(const struct correlation_document *documents, size_t count, const struct correlation_fields *fields,
		     struct arena *a, size_t *ret_bad, struct sigma_notes *notes, struct err *err) WARN_UNUSED;

/* Does the value meet gt, gte …? true where there are none. */
bool correlation_meets(const struct correlation *c, double value);
/* The boolean condition, over bits of the rules that matched. */
bool correlation_holds(const struct correlation *c, uint64_t matched);
