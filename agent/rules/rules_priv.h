/* rules_priv.h - the set of rules as it is in memory. Private to agent/rules. */
#pragma once
#include "agent/rules/box.h"
#include "agent/rules/prog.h"
#include "agent/rules/rules.h"

struct output_part {
	struct slice literal;
	int32_t operand; /* -1: the literal alone */
};
struct output {
	const struct output_part *parts;
	size_t count;
	const struct output_name {
		const char *name;
		uint32_t operand;
	} *names; /* each field once */
	size_t name_count;
};
/* text: "%proc.name ..."; *ret_unknown nullable. Error: ERR_SYNTAX, the text Falco has. */
int output_compile(struct pool *p, struct arena *a, struct slice text, struct output *ret,
		   bool *ret_deprecated, struct err *err) WARN_UNUSED;
/* Formats into out (reset first); fields: at least o->name_count. Returns the number of fields. */
size_t output_format(struct pool *p, const struct output *o, struct buf *out,
		     struct rules_output_field *fields);

struct rule {
	const char *name, *description, *source, *file;
	unsigned line;
	enum rules_priority priority;
	bool enabled, is_complement;
	const char *const *tags;
	size_t tag_count;
	const char *const *types; /* sorted; with is_complement all others */
	size_t type_count;
	struct prog prog;
	struct output output;
	struct boxes boxes; /* what it could match */
	bool wants_data;
	bool may_kill; /* kill says the whole condition */
	struct filter_kill kill;
	const char *const *macros; /* used, each once */
	size_t macro_count;
	const char *const *host_names; /* compared with a name of an address */
	size_t host_name_count;
};

struct type_index {
	const char *type;
	const uint32_t *rules; /* in order of definition */
	const struct prog *progs; /* of each of them, for this type */
	size_t count;
};

struct rules {
	struct arena *arena; /* owns everything but the pool's own */
	struct pool *pool;
	struct rule *all;
	size_t count, enabled;
	const struct type_index *types; /* sorted; of every type that is named */
	size_t type_count;
	uint32_t *slots; /* types by hash of the name: index + 1; 0: none */
	uint32_t slot_mask;
	struct type_index others; /* for types that no rule names */
	size_t steps;		  /* of the programs in types */
	struct buf output;	  /* of one match */
	struct rules_output_field *fields;
	char version[17];
	enum rules_matching matching;
};
/* rules_filter.c: boxes, wants_data, kill and host_names of a rule with this condition (macros resolved);
 * false: no room. */
bool rules_narrow(struct rules *r, struct rule *rule, const struct cond *c);
/* rules_kill.c: may: *ret says the whole condition; its texts are in a. false: no room. */
bool kill_of(struct arena *a, const struct cond *c, const char *rule, bool *ret_may, struct filter_kill *ret);
/* Fills types and others from the rules. */
int rules_index(struct rules *r, struct err *err) WARN_UNUSED;
