/* cond.h - a condition of Falco's language as a tree, and the way there from its text. Private to
 * agent/rules. */
#pragma once
#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"

enum cond_kind {
	COND_OR,
	COND_AND,
	COND_NOT,
	COND_MACRO,	/* text: its name; child: the macro's tree once it is resolved */
	COND_CHECK,	/* child: what is compared; child->next: with what, absent for `exists` */
	COND_FIELD,	/* text, maybe arg */
	COND_TRANSFORM, /* text: its name; children: arguments; maybe arg */
	COND_VALUE,	/* text, escapes already undone */
	COND_LIST,	/* children: values; inside a transformer also fields and transformers */
};

/* OP(name, spelling, class): the operators; a string operator written in letters needs a blank. */
#define COND_OPS(OP)                                                                               \
	OP(EXISTS, "exists", UNARY)                                                                \
	OP(LE, "<=", NUM)                                                                          \
	OP(LT, "<", NUM)                                                                           \
	OP(GE, ">=", NUM)                                                                          \
	OP(GT, ">", NUM)                                                                           \
	OP(EQ2, "==", STR)                                                                         \
	OP(EQ, "=", STR)                                                                           \
	OP(NE, "!=", STR)                                                                          \
	OP(GLOB, "glob", STR)                                                                      \
	OP(IGLOB, "iglob", STR)                                                                    \
	OP(CONTAINS, "contains", STR)                                                              \
	OP(ICONTAINS, "icontains", STR)                                                            \
	OP(BCONTAINS, "bcontains", STR)                                                            \
	OP(STARTSWITH, "startswith", STR)                                                          \
	OP(BSTARTSWITH, "bstartswith", STR)                                                        \
	OP(ENDSWITH, "endswith", STR)                                                              \
	OP(REGEX, "regex", STR)                                                                    \
	OP(INTERSECTS, "intersects", LIST)                                                         \
	OP(IN, "in", LIST)                                                                         \
	OP(PMATCH, "pmatch", LIST)

enum cond_op {
#define OP(name, text, class) OP_##name,
	COND_OPS(OP)
#undef OP
	OP_COUNT
};
enum cond_mod { MOD_NONE, MOD_ONEOF, MOD_ANYOF, MOD_ALLOF, MOD_COUNT };

struct cond {
	enum cond_kind kind;
	enum cond_op op;   /* COND_CHECK */
	enum cond_mod mod; /* COND_CHECK */
	bool has_arg, is_quoted;
	bool is_visited; /* by a walk that changes shared macros once */
	unsigned line, column; /* in the condition's text, from 1 */
	struct slice text, arg;
	struct cond *child, *next;
};

enum {
	COND_DEPTH = 100,	  /* of a condition on its own */
	COND_DEPTH_RULES = 1000,  /* of one in a rule file */
	COND_TEXT_MAX = 1 << 20, /* bytes, after the lists are put in */
};

/* Parses text (borrowed; the tree refers to copies in a). Error: ERR_SYNTAX "LINE:COL: what". */
int cond_parse(struct arena *a, struct slice text, unsigned max_depth, const struct cond **ret,
	       struct err *err) WARN_UNUSED;
/* The same, when the tree is to be resolved: macros are found with cond_each_macro. */
int cond_parse_mutable(struct arena *a, struct slice text, unsigned max_depth, struct cond **ret,
		       struct err *err) WARN_UNUSED;
/* Is name (whole) a field, or a transformer of one, by the grammar? The tree in *ret, nullable. */
bool cond_parse_operand(struct arena *a, struct slice text, struct cond **ret);

const char *cond_op_text(enum cond_op op);
const char *cond_mod_text(enum cond_mod mod);
/* "startswith oneof" -> op and modifier, blanks around and between allowed. */
bool cond_op_find(struct slice text, enum cond_op *ret_op, enum cond_mod *ret_mod);
bool cond_op_is_list(enum cond_op op);
/* Canonical text, as Falco prints a compiled condition. */
void cond_print(const struct cond *c, struct buf *out);
