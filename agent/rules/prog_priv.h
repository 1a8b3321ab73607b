/* prog_priv.h - what prog_*.c share: operands, constants, comparisons. */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <netinet/in.h>
#include <pcre2.h>

#include "agent/rules/prog.h"

enum {
	REGEX_MATCH_LIMIT = 100000, /* steps of one regex match: about a millisecond */
	SCRATCH_MAX = 4 << 20,	    /* bytes of values made up for one event */
	KEYS_MAX = 64 << 20,	    /* bytes of canonical texts while building */
	SET_HASH_MIN = 9,	    /* from this many constants on a list is hashed */
	NEEDLES_MIN = 6, /* from this many on texts are looked for at once: at 103 bytes measured faster from 5 */
	VALUES_MAX = 65536,	    /* constants of one comparison */
	ANCESTORS_MAX = 64,
};

enum transform { TR_TOLOWER, TR_TOUPPER, TR_B64, TR_BASENAME, TR_LEN, TR_JOIN, TR_CONCAT, TR_GETOPT,
	TR_VAL, TR_COUNT };

struct operand {
	enum { OPERAND_FIELD, OPERAND_CONST, OPERAND_LIST, OPERAND_CALL } kind;
	enum rules_type type;
	bool is_list;
	unsigned flags; /* of the field; 0 for others */
	struct rules_field_ref ref; /* OPERAND_FIELD */
	struct slice text;	    /* OPERAND_CONST; and the name of a field, for people */
	enum transform transform;   /* OPERAND_CALL */
	struct slice arg;	    /* of getopt */
	bool has_arg;
	const uint32_t *args; /* operand numbers; OPERAND_LIST too */
	uint32_t arg_count;
};

/* How a comparison works, from the type on its left. */
enum cmp_class { CMP_TEXT, CMP_BYTES, CMP_SIGNED, CMP_UNSIGNED, CMP_BOOL, CMP_NET, CMP_COUNT };

struct net {
	uint8_t address[16];
	uint8_t length; /* 4 or 16 bytes */
	uint8_t prefix; /* bits */
};

struct path_prefix {
	struct slice *parts;
	size_t count;
};

/* The right side, prepared; which array is filled depends on class and operator. */
struct constants {
	size_t count;
	struct slice *texts; /* CMP_TEXT, CMP_BYTES */
	uint32_t *hash;	     /* nullable: texts by hash, index + 1; size is mask + 1 */
	uint32_t hash_mask;
	int64_t *numbers;
	struct net *nets;
	struct path_prefix *prefixes;
	pcre2_code **regexes;
	const struct needles *needles; /* nullable: all texts, to be looked for at once */
};

/* How a value that is no list is compared. */
enum short_way { SHORT_NONE, SHORT_TEXT, SHORT_NUMBER };

struct check {
	uint32_t left, right; /* operand numbers; right only if has_right */
	enum cond_op op;
	enum cond_mod mod;
	enum cmp_class class;
	enum short_way way;
	bool has_right;
	struct constants k;
};

struct cached_value {
	uint32_t generation;
	bool is_null;
	struct rules_value value;
};
struct cached_result {
	uint32_t generation;
	bool result;
};

struct pool {
	struct arena *arena;   /* borrowed */
	struct arena *scratch; /* for values of one event */
	struct arena *build;   /* keys, until pool_finish */
	struct operand *operands;
	uint32_t operand_count, operand_size;
	struct check *checks;
	uint32_t check_count, check_size;
	/* Canonical texts, to find equal operands and comparisons while building. */
	struct key_table {
		struct slice *keys;
		uint32_t *slots; /* index + 1 */
		uint32_t count, size, mask;
	} operand_keys, check_keys;
	pcre2_code **regexes; /* all, for pool_free */
	size_t regex_count, regex_size;
	pcre2_match_data *match;
	pcre2_match_context *match_context;
	/* the event */
	const struct rules_source *src;
	uint32_t generation;
	struct cached_value *values;  /* by operand */
	struct cached_result *results; /* by check */
};

/* prog.c: keeps a finished operand, made from c. */
int pool_push_operand(struct pool *p, const struct operand *o, const struct cond *c, uint32_t *ret,
		      struct err *err) WARN_UNUSED;
/* prog_operand.c */
int operand_make(struct pool *p, const struct cond *c, uint32_t *ret, bool *ret_unknown_field,
		 struct err *err) WARN_UNUSED;
/* prog_const.c: the constants of c (COND_VALUE, COND_LIST) for a comparison that has op and class. */
int constants_make(struct pool *p, struct check *check, const struct cond *c, struct err *err) WARN_UNUSED;
bool constant_number(struct slice s, int64_t *ret);
/* A number, or the name of a service. */
bool constant_port(struct slice s, int64_t *ret);
bool net_parse(struct slice s, bool may_have_prefix, struct net *ret);
/* prog_value.c */
bool operand_value(struct pool *p, uint32_t operand, struct rules_value *ret);
/* The same, borrowed until the next event; NULL: no value. */
const struct rules_value *operand_get(struct pool *p, uint32_t operand);
/* prog_transform.c: false: null. */
bool transform_value(struct pool *p, const struct operand *o, struct rules_value *ret);
/* prog_compare.c */
bool check_judge(struct pool *p, const struct check *c);
bool check_judge_value(struct pool *p, const struct check *c, const struct rules_value *v);
enum short_way check_short_way(const struct check *c, const struct operand *left);
/* prog_join.c: the operands of an `or`, searches in one field put together into one. Returns how many are
 * left. New nodes are in a. */
size_t chain_join(struct arena *a, const struct cond **all, size_t count);
/* needles.c: many texts looked for in one pass. In a; NULL: too long, or no room. */
const struct needles *needles_new(struct arena *a, const struct slice *texts, size_t count);
bool needles_find(const struct needles *n, struct slice s);
/* match.c: a glob with * ? [..] and backslash over the whole string. */
bool match_glob(struct slice pattern, struct slice s, bool ignore_case);
bool match_contains(struct slice s, struct slice part, bool ignore_case);
/* Is path at or below the prefix, part by part? */
bool match_prefix(const struct path_prefix *prefix, struct slice path);
bool match_net(const struct net *net, const struct net *address);
/* Grows an array to hold one more; NULL past memory. */
void *grow(void *array, size_t element, uint32_t count, uint32_t *size);
