/* detect.h - Sigma detection rules compiled into one set of programs, and events judged by it.
 *
 * A set is built once and then only asked: comparisons that several rules share are judged once for an event, each
 * field is fetched at most once, fields are numbers, and a match allocates nothing (a regular expression's own stack
 * grows once, at most to DETECT_REGEX_HEAP_KIB, and is kept). A set serves one thread. */
#pragma once
#include "collector/correlate/sigma.h"

enum {
	DETECT_RULES_MAX = 20000,
	DETECT_VALUES_MAX = 16, /* of one field; what an event has beyond is not looked at */
	DETECT_TEXTS_MAX = 64,	/* of an event, for keywords */
	DETECT_FIELD_MAX = 0xffff,
	DETECT_FIELD_NONE = -1, /* nobody has it: what asks for it is never true */
	DETECT_REGEX_HEAP_KIB = 4096
};

/* Which events a rule looks at; by `logsource`, see sigma_sources.def. */
enum detect_source {
#define SOURCE(name, word, what) DETECT_SOURCE_##name,
#include "collector/correlate/sigma_sources.def"
#undef SOURCE
	DETECT_SOURCE_COUNT,
	DETECT_SOURCE_ANY = DETECT_SOURCE_COUNT, /* of a rule: every event */
	DETECT_SOURCE_NONE			 /* of a rule: nothing that picket records */
};
/* "process" … "any", "none" */
const char *detect_source_name(enum detect_source s);

enum detect_kind {
	DETECT_TEXT,
	DETECT_NUMBER,
	DETECT_TIME, /* Unix nanoseconds */
	DETECT_NULL  /* the field is there, without a value */
};
struct detect_value {
	enum detect_kind kind;
	struct slice text; /* borrowed until the match is over */
	int64_t number;
};

struct detect_event;
struct detect_ops {
	/* Up to max values of a field (a number that resolve gave out); how many, 0 = the event has no such field. */
	size_t (*get)(const struct detect_event *ev, unsigned field, struct detect_value *ret, size_t max);
	/* The event's texts, in which keywords are looked for. Nullable: there are none. */
	size_t (*texts)(const struct detect_event *ev, struct slice *ret, size_t max);
};
/* First member of whatever the caller knows of an event. */
struct detect_event {
	const struct detect_ops *ops;
	enum detect_source source;
};

/* What a field is called, and by whom. */
struct detect_fields {
	/* name: ours ("process.exe"), where Sigma's name for it stands in sigma_fields.def, else as the rule says.
	 * A number 0 .. DETECT_FIELD_MAX, or DETECT_FIELD_NONE. The same name gives the same number. */
	int (*resolve)(void *arg, enum detect_source source, struct slice name);
	void *arg;
};

/* A row of sigma_fields.def. */
struct detect_field_name {
	const char *sigma;
	const char *ours; /* NULL: Sigma has it, picket's records don't */
	const char *why;  /* not; or what is meant */
};
/* NULL where Sigma's name is not in the table. Upper and lower case are told apart, as Sigma does. */
const struct detect_field_name *detect_field_find(enum detect_source source, struct slice sigma);
/* What a rule looks at; a note says why where that is nothing. */
enum detect_source detect_source_of(const struct sigma_rule *r, struct sigma_notes *notes);

struct detect_set;
/* fields: copied; arg borrowed until the set is freed. *caller frees* with detect_set_free. NULL: out of memory. */
struct detect_set *detect_set_new(const struct detect_fields *fields) WARN_UNUSED;
/* Compiles rule->detection. The rule (and its arena) may go afterwards. *ret_index: out, numbers from 0 in the order
 * of adding. Error: ERR_SYNTAX "NAME:LINE:COL: what", ERR_LIMIT; the set is as before. notes: nullable. */
int detect_set_add(struct detect_set *s, const struct sigma_rule *rule, unsigned *ret_index, struct sigma_notes *notes,
		   struct err *err) WARN_UNUSED;
size_t detect_set_count(const struct detect_set *s);
/* Of a rule: what it looks at, and whether it could ever match (it asks for what nobody records). */
enum detect_source detect_set_source(const struct detect_set *s, unsigned index);
bool detect_set_can_match(const struct detect_set *s, unsigned index);

/* The kinds of events it sees, a bit each (1 << source), DETECT_SOURCE_ANY for what is of none. */
uint32_t detect_set_wants(const struct detect_set *s, unsigned index);

/* Which rules match? Gives their numbers, ascending, to ret (room for detect_set_count of them); how many. */
size_t detect_match(struct detect_set *s, const struct detect_event *ev, unsigned *ret);
/* Does one? Its source counts, too. */
bool detect_match_one(struct detect_set *s, unsigned index, const struct detect_event *ev);
/* Comparisons by a regular expression that took too long, and so were no match, since the set was made. */
uint64_t detect_set_overruns(const struct detect_set *s);
/* NULL is allowed and does nothing. */
void detect_set_free(struct detect_set *s);
DEFINE_CLEANUP(struct detect_set, detect_set_free)
