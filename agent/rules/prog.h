/* prog.h - a condition compiled to instructions, the comparisons they refer to, and their evaluation.
 * Private to agent/rules.
 *
 * A pool holds what all rules of a set share: each distinct field is fetched once an event and each
 * distinct comparison judged once, however many rules and macros name them. */
#pragma once
#include "agent/rules/cond.h"
#include "agent/rules/rules_fields.h"

struct pool;

/* Everything it makes lives in a (borrowed), except regular expressions. NULL: out of memory.
 * Caller frees with pool_free. */
struct pool *pool_new(struct arena *a) WARN_UNUSED;
void pool_free(struct pool *p);
DEFINE_CLEANUP(struct pool, pool_free)
/* Ends the building: makes room for the results, so that evaluation allocates nothing. */
int pool_finish(struct pool *p, struct err *err) WARN_UNUSED;

enum { PROG_ACCEPT = -1, PROG_REJECT = -2, PROG_MAX = 65536 /* instructions of one condition */ };
struct prog_step {
	uint32_t check;
	int32_t on_true, on_false; /* index of a step, or PROG_ACCEPT, PROG_REJECT */
};
struct prog {
	struct prog_step *steps; /* in the pool's arena */
	uint32_t count;
	int32_t start;
};

/* Checks types and compiles; macros in c must be resolved. Error: ERR_SYNTAX "LINE:COL: what";
 * *ret_unknown_field (nullable) tells whether it was a field that does not exist. */
int prog_compile(struct pool *p, const struct cond *c, struct prog *ret, bool *ret_unknown_field,
		 struct err *err) WARN_UNUSED;
/* The same program for events of one type, in a: comparisons of evt.type are decided. false: no room. */
bool prog_specialise(struct pool *p, struct arena *a, const struct prog *prog, const char *type,
		     struct prog *ret);
/* A field or a transformer of fields, for outputs: a number for pool_text. */
int pool_add_operand(struct pool *p, const struct cond *c, uint32_t *ret, bool *ret_unknown_field,
		     struct err *err) WARN_UNUSED;

/* One event: forgets what the last one had. src is borrowed until the next begin. */
void pool_begin(struct pool *p, const struct rules_source *src);
bool prog_run(struct pool *p, const struct prog *prog);
/* The operand's value as text, for an output; false: null. Lives until the next begin. */
bool pool_text(struct pool *p, uint32_t operand, struct slice *ret);

/* Names of the fields in use, as rules write them ("proc.aname[2]"). */
size_t pool_field_count(const struct pool *p);
const char *pool_field_name(const struct pool *p, size_t i);
