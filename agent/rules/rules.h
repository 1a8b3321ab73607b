/* rules.h - Falco's rule language: load, check, compile, evaluate, format.
 *
 * Fields come through a source, so that the same engine runs on live events (rules_live.h) and on a
 * flat JSON object (rules_json.h). Loading never half-succeeds: a file with an error leaves the set
 * as it was. */
#pragma once
#include "agent/event.h"
#include "agent/filter.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"

struct rules;

enum rules_priority { PRIORITY_EMERGENCY, PRIORITY_ALERT, PRIORITY_CRITICAL, PRIORITY_ERROR,
	PRIORITY_WARNING, PRIORITY_NOTICE, PRIORITY_INFORMATIONAL, PRIORITY_DEBUG, PRIORITY_COUNT };
/* "Emergency" … "Informational", "Debug" as Falco prints them. */
const char *rules_priority_name(enum rules_priority p);

/* What a load or check found, in the order of the files. */
struct rules_message {
	bool is_error;
	const char *file;
	unsigned line, column; /* from 1 */
	const char *text;
};

struct rules_report {
	struct arena *arena; /* owns the texts */
	struct rules_message *messages;
	size_t count, errors, warnings;
	size_t rules, macros, lists; /* defined after the load */
	struct rules_file_count {
		const char *file;
		size_t rules, macros, lists, warnings; /* defined in this file, whether new or again */
	} *files; /* in the order of the files */
	size_t file_count;
};
void rules_report_fini(struct rules_report *r);

/* Loads files in order (later ones may append and override). *ret: caller frees with rules_free;
 * set only when there was no error. Returns -ERR_SYNTAX with the first error in err.
 * report: nullable, initialised here, caller calls rules_report_fini. */
int rules_load(const char *const *paths, size_t count, struct rules **ret,
	       struct rules_report *report, struct err *err) WARN_UNUSED;
/* The same from memory; name stands for the path. For tests and the fuzzer. */
int rules_load_text(const char *name, struct slice text, struct rules **ret,
		    struct rules_report *report, struct err *err) WARN_UNUSED;
void rules_free(struct rules *r);
DEFINE_CLEANUP(struct rules, rules_free)

/* grammar only / grammar and field types. Error: ERR_SYNTAX "LINE:COL: what". */
int rules_parse_condition(struct slice text, struct err *err) WARN_UNUSED;
int rules_compile_condition(struct slice text, struct err *err) WARN_UNUSED;

/* ---- values and where they come from ---- */
enum rules_type { RT_STRING, RT_PATH, RT_INT, RT_UINT, RT_BOOL, RT_BYTES, RT_IPADDR, RT_IPNET,
	RT_PORT, RT_TIME, RT_DURATION };
struct rules_value {
	struct slice str;     /* RT_STRING, RT_PATH, RT_BYTES; and the text of others if the source has it */
	int64_t num;	      /* numbers, booleans, times */
	const struct slice *list; /* list-valued fields */
	size_t list_count;
	bool is_list;
};
struct rules_field; /* one row of fields.def */
const struct rules_field *rules_field_find(struct slice name);
const char *rules_field_name(const struct rules_field *f);
enum rules_type rules_field_type(const struct rules_field *f);
/* Index in fields.def: FIELD_PROC_NAME … (rules_fields.h). */
unsigned rules_field_id(const struct rules_field *f);

struct rules_source {
	/* index: the number in [..], -1 without; arg: its text, empty without.
	 * scratch: borrowed arena for made-up values, reset after the event.
	 * false: no value (null): the comparison is false. */
	bool (*get)(void *ctx, const struct rules_field *f, int index, struct slice arg,
		    struct arena *scratch, struct rules_value *ret);
	void *ctx;
};

/* One match. All borrowed for the callback. */
struct rules_match {
	const char *rule, *description, *source;
	enum rules_priority priority;
	struct slice output; /* formatted, without time and priority */
	const char *const *tags;
	size_t tag_count;
	const struct rules_output_field {
		const char *name;
		struct slice text; /* "<NA>" is left out */
	} *fields;
	size_t field_count;
};
typedef void (*rules_match_fn)(void *arg, const struct rules_match *m);

/* Runs every enabled rule for the event type ("execve" …). Returns the number of matches. */
unsigned rules_eval(struct rules *r, const char *evt_type, const struct rules_source *src,
		    rules_match_fn fn, void *arg);
size_t rules_count(const struct rules *r); /* enabled rules */
/* A short hash over the loaded files; borrowed until rules_free. */
const char *rules_version(const struct rules *r);
/* Does any enabled rule look at this event type? */
bool rules_wants(const struct rules *r, const char *evt_type);

/* Does any enabled rule look at every event type, whatever its name? */
bool rules_wants_all(const struct rules *r);
/* 16 hexadecimal digits that change with the texts the set was loaded from. Borrowed until rules_free. */
const char *rules_version(const struct rules *r);
/* Event types that enabled rules name, sorted; fields of all conditions and outputs, each once. */
void rules_each_type(const struct rules *r, void (*fn)(void *arg, const char *name), void *arg);
void rules_each_field(const struct rules *r, void (*fn)(void *arg, const char *name), void *arg);
/* One condition on one event; macros are errors. *ret set only on success. */
int rules_eval_condition(struct slice text, const struct rules_source *src, bool *ret,
			 struct err *err) WARN_UNUSED;

/* First: of the rules of an event type that match, only the first defined; all: each of them (default). */
enum rules_matching { RULES_MATCH_ALL, RULES_MATCH_FIRST };
void rules_set_matching(struct rules *r, enum rules_matching m);

/* What the enabled rules could match; see filter.h. f: initialised here, caller calls filter_fini. */
int rules_filter(const struct rules *r, struct filter *f, struct err *err) WARN_UNUSED;
/* Adds a kill row for the rule when its condition is decided by what a filter_kill can say, exactly.
 * Returns 1 when added, 0 when it can't be said. */
int rules_filter_kill(const struct rules *r, const char *rule, struct filter *f, struct err *err) WARN_UNUSED;

struct rules_info {
	const char *name, *description, *source, *file;
	unsigned line;
	enum rules_priority priority;
	bool enabled;
	const char *const *tags;
	size_t tag_count;
	const char *const *types; /* event types, sorted; empty: all */
	size_t type_count;
	const char *const *macros; /* that its condition uses, itself or through others; each once */
	size_t macro_count;
};
/* Every rule in order of definition, disabled ones too. */
void rules_each(const struct rules *r, void (*fn)(void *arg, const struct rules_info *i), void *arg);
/* Is there such a rule? */
bool rules_has(const struct rules *r, const char *name);
/* Host names that rules compare with fd.*ip.name, each once. */
void rules_each_host_name(const struct rules *r, void (*fn)(void *arg, const char *name), void *arg);

/* ---- live events ---- */
struct world;
struct container;
struct rules_live {
	struct world *world; /* for ancestors, users; borrowed */
	const struct event *event;
	const struct container *container; /* NULL on the host */
	uint64_t number; /* of the event in this run, from 1: evt.num. 0 reads as 1 */
};
/* "execve", "procexit", "clone", "container_stats"; NULL for what is no event to rules. */
const char *rules_live_type(const struct event *e);
/* A source over one live event; live is borrowed as long as it is used. */
struct rules_source rules_live_source(struct rules_live *live);
