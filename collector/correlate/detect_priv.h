/* detect_priv.h - between the files of detect: how a rule's values, comparisons and programs are kept. */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "collector/correlate/detect.h"
#include "common/buf.h"

enum {
	VALUE_BYTES_MAX = 8192,	  /* of one value in a rule, before and after its modifiers */
	VALUES_MAX = 20000,	  /* of one comparison */
	STEPS_MAX = 65536,	  /* of one rule */
	FIELDS_MAX = 4096,	  /* different ones of a set */
	MODIFIERS_MAX = 8,	  /* behind one field */
	CONDITION_DEPTH_MAX = 48, /* parentheses and `not` in each other */
	SET_BYTES = 256 << 20,
	BUILD_BYTES = 64 << 20, /* while one rule is compiled */
	REGEX_MATCH_LIMIT = 100000, /* backtracks from one place */
	REGEX_STEPS_MAX = 1000000,  /* of one match, from all places: about ten milliseconds */
	NEEDLES_LEAST = 4, /* from so many texts on one pass looks for all */
	NEEDLES_PAIRED = 48, /* up to so many texts asking their pairs first costs less than the pass */
	NUMBER_TEXT = 48,
	REGEX_BYTES_MAX = 64 << 20 /* compiled, of a set */
};

/* A byte is itself; these stand for more. */
enum token { TOKEN_ONE = 256, /* ? one character */ TOKEN_MANY, /* * any number of bytes */ TOKEN_DASH /* - / or a longer dash */ };

struct pattern {
	uint16_t *tokens;
	size_t count;
};

/* ---- detect_pattern.c: a value's text ---- */

/* Reads wildcards and their escapes. NULL-tokens: no room. */
struct pattern pattern_parse(struct arena *a, struct slice text);
struct pattern pattern_bytes(struct arena *a, struct slice text); /* every byte is itself */
bool pattern_has_wildcards(const struct pattern *p);
/* With * before and behind. */
bool pattern_surround(struct arena *a, struct pattern *p, bool before, bool behind);
void pattern_mark_dashes(struct pattern *p);
/* UTF-8 into UTF-16; wildcards stay. false: no room, or too long. */
bool pattern_utf16(struct arena *a, struct pattern *p, bool is_big_endian, bool has_mark);
bool pattern_base64(struct arena *a, struct pattern *p, unsigned offset, bool is_cut);
/* Each way to write its dashes, for encodings that must know bytes; how many, 0: too many, or no room. */
enum { DASH_WAYS_MAX = 125 };
size_t pattern_dash_ways(struct arena *a, const struct pattern *p, struct pattern *ret);

enum form { FORM_EXACT, FORM_PREFIX, FORM_SUFFIX, FORM_CONTAINS, FORM_GLOB };
/* Which pairs of neighbouring bytes, in lower case, a value has: what lacks one of a text's is not looked through. */
enum { PAIRS_BITS = 4096, PAIRS_OF_TEXT = 4, PAIRS_LEAST = 16 /* bytes of a value; shorter ones are looked through at once */ };
struct pairs {
	uint64_t words[PAIRS_BITS / 64];
};
void pairs_make(struct pairs *p, struct slice s);

struct text {
	enum form form;
	uint16_t pairs[PAIRS_OF_TEXT]; /* of CONTAINS and GLOB: some of its bytes' */
	uint8_t pair_count;
	struct slice bytes;   /* lower case, unless cased; of a GLOB its longest run of bytes: must be in there */
	struct pattern glob; /* of FORM_GLOB; likewise */
};
/* Takes p apart; false: no room. */
bool text_make(struct arena *a, const struct pattern *p, bool is_cased, struct text *ret);
bool text_match(const struct text *t, struct slice s, bool is_cased);
/* Could it match a value with these pairs? */
bool text_may_match(const struct text *t, const struct pairs *p);
/* Bytes in either case; needle must be in lower case unless is_cased. */
bool bytes_equal(struct slice s, struct slice needle, bool is_cased);
bool bytes_contain(struct slice s, struct slice needle, bool is_cased);
/* ASCII only: what Linux calls a name need not be UTF-8, and is not the same in another case. */
extern const uint8_t detect_lower[256];

/* ---- detect_needles.c: one of many texts somewhere in a value, in one pass ---- */

struct needles;
/* NULL: too large, or no room; the texts are then looked for one by one. */
const struct needles *needles_new(struct arena *a, const struct text *texts, size_t count, bool is_cased);
bool needles_find(const struct needles *n, struct slice s);

/* ---- comparisons ---- */

enum check_kind {
	CHECK_TEXTS,
	CHECK_REGEXES,
	CHECK_NETS,
	CHECK_NUMBERS,
	CHECK_FIELDS, /* against another field of the event */
	CHECK_EXISTS
};
enum number_op { NUMBER_EQ, NUMBER_LT, NUMBER_LTE, NUMBER_GT, NUMBER_GTE };
enum time_part { PART_NONE, PART_MINUTE, PART_HOUR, PART_DAY, PART_WEEK, PART_MONTH, PART_YEAR };
/* The numbers of fields' places in a set; KEYWORDS is all of an event's texts. */
enum { SLOT_KEYWORDS = 0 };

struct net {
	uint8_t address[16], length, prefix; /* length: 4 or 16 bytes */
};
/* Of an address as text; ::ffff:a.b.c.d is a.b.c.d. With /prefix where may_have_prefix. */
bool net_parse(struct slice s, bool may_have_prefix, struct net *ret);

/* A field's values against constants of which any may fit. */
struct check {
	uint8_t kind, op, part, form; /* form: of FIELDS */
	bool is_cased;
	bool is_neq;	/* none of them, and the field is there */
	bool has_null;	/* or: the field is not there */
	bool is_wanted; /* of EXISTS */
	uint16_t slot;
	uint32_t count;
	const struct text *texts;
	const struct needles *needles; /* nullable: all texts at once */
	pcre2_code **regexes;
	const struct net *nets;
	const long double *numbers;
	const uint16_t *slots; /* of FIELDS */
};

/* ---- programs: comparisons with jumps ---- */

/* Where a jump leads: a step of the set, or an end. */
#define STEP_ACCEPT UINT32_MAX
#define STEP_REJECT (UINT32_MAX - 1)
struct step {
	uint32_t check, on_true, on_false;
};

enum expr_kind { EXPR_CONST, EXPR_CHECK, EXPR_NOT, EXPR_AND, EXPR_OR };
struct expr {
	uint8_t kind;
	bool value;	/* of CONST */
	uint32_t check;		/* of CHECK */
	uint32_t cost, order; /* of a mapping's items: what is asked first */
	struct expr **items;
	size_t count;
};

struct program {
	uint32_t entry;
	uint8_t source;
	bool asks_hash;
};

/* Does it see events of that kind? */
bool program_looks_at(const struct program *p, enum detect_source source);

struct slot {
	uint16_t field;
	uint8_t count, count_max;
	uint32_t is_written; /* by value: a bit */
	uint64_t is_paired;  /* likewise: pairs are made */
	uint32_t generation;
	struct detect_value *values;	  /* room for DETECT_VALUES_MAX; of keywords for DETECT_TEXTS_MAX */
	char (*written)[NUMBER_TEXT];	  /* numbers and times as text, once asked for */
	struct pairs *pairs;
};

struct detect_set {
	struct arena *arena, *build;
	struct detect_fields fields;
	struct check *checks;
	uint32_t *memo; /* by check: generation << 1 | result */
	size_t check_count, check_size;
	uint32_t *table; /* of keys, by hash: check + 1 */
	struct slice *keys;
	size_t table_size;
	struct slot *slots;
	size_t slot_count, slot_size;
	struct step *steps;
	size_t step_count, step_size;
	struct program *programs;
	size_t count, size;
	struct {
		uint32_t *rules;
		size_t count, size;
	} by_source[DETECT_SOURCE_COUNT + 1];
	pcre2_code **regexes; /* all, to be freed */
	size_t regex_count, regex_size, regex_bytes;
	pcre2_compile_context *compile_context;
	pcre2_match_data *match_data;
	pcre2_match_context *match_context;
	uint64_t overruns;
	size_t regex_steps, regex_at; /* of the match that runs: what it cost so far, where it is */
	/* the event */
	const struct detect_event *ev;
	uint32_t generation;
};

/* What one rule's compilation needs. */
struct compiler {
	struct detect_set *set;
	struct arena *arena; /* scratch, until the rule is done */
	const struct sigma_rule *rule;
	struct sigma_notes *notes;
	struct err *err;
	enum detect_source source;
	bool asks_hash; /* a field of the rule is one */
};
int compile_no_room(struct compiler *c);
struct expr *expr_new(struct compiler *c, enum expr_kind kind, size_t room);

/* What stands behind a field's name, in the order written. */
enum modifier {
#define MODIFIER(word, name) MOD_##name,
#include "collector/correlate/modifiers.def"
#undef MODIFIER
	MOD_COUNT
};

/* A comparison before it is made: "Field|contains: [a, b]". */
struct item {
	const struct conf_node *key;
	struct slice field; /* none: keywords */
	enum check_kind kind;
	uint8_t op, part;
	bool is_all, is_cased, is_neq, starts, ends; /* starts, ends: text may stand before, behind */
	bool is_folded;				     /* regex: i */
	bool is_multiline, is_dotall;
	enum modifier encodings[MODIFIERS_MAX];
	size_t encoding_count;
};
/* One value of a rule, read as the item says; `also`: what it expands to. */
struct constant {
	const struct conf_node *at;
	const struct pattern *patterns;
	size_t pattern_count;
	struct slice regex;
	struct net net;
	long double number;
	uint16_t slot;
};

/* detect_value.c: one value, by the item's modifiers. */
int value_read(struct compiler *c, const struct item *item, const struct conf_node *at, struct constant *ret);
bool number_parse(struct slice s, long double *ret);
long double time_part(enum time_part part, int64_t unix_ns);
/* detect_check.c: constants -> the number of a check, an old one if there is the same. */
int check_make(struct compiler *c, const struct item *item, uint16_t slot, const struct constant *constants, size_t count,
	       bool has_null, bool is_wanted, struct expr **ret);
/* A field's slot, a new one if need be; -ERR_LIMIT. */
int slot_make(struct compiler *c, unsigned field, unsigned values);
/* The number of a field as a rule names it, or DETECT_FIELD_NONE, with a note. */
int field_resolve(struct compiler *c, const struct conf_node *at, struct slice name);
/* detect_item.c: "Field|modifier: values" -> an expression. A key without a field, or none (nullable): keywords. */
int item_compile(struct compiler *c, const struct conf_node *key, const struct conf_node *value, struct expr **ret);
/* detect_condition.c */
struct selection {
	const struct conf_node *key;
	struct expr *expr;
	bool is_used;
};
int condition_compile(struct compiler *c, const struct conf_node *text, struct selection *selections, size_t count,
		      struct expr **ret);
/* detect_match.c */
bool check_judge(struct detect_set *s, uint32_t check);
/* PCRE2's callout before each item of a pattern; data: the set. */
int regex_step(pcre2_callout_block *b, void *data);
