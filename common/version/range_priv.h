/* range_priv.h - a range is alternatives ("||") of clauses; each scheme tests a clause in its own way. */
#pragma once
#include "common/version/version_priv.h"

enum range_op {
	RANGE_BARE, /* no operator */
	RANGE_EQ,
	RANGE_NE,
	RANGE_LT,
	RANGE_LE,
	RANGE_GT,
	RANGE_GE,
	RANGE_TILDE,	  /* ~ */
	RANGE_CARET,	  /* ^ */
	RANGE_PESSIMIST,  /* gem ~> */
	RANGE_COMPATIBLE, /* PEP 440 ~= */
	RANGE_SAME,	  /* PEP 440 === */
	RANGE_FUZZY,	  /* apk ~ */
	RANGE_FUZZY_LT,
	RANGE_FUZZY_GT,
	RANGE_HYPHEN, /* text - to */
};

struct range_clause {
	enum range_op op;
	struct slice text, to; /* both in the range's text */
};

struct range_verdict {
	bool holds;	/* every clause so far */
	bool names_pre; /* one names a pre-release of just this version: npm and cargo let in no others */
};

/* Each clears ret->holds where v is outside. Returns 0, or the column within c->text that is wrong. */
typedef size_t (*range_test_fn)(const struct version *v, const struct range_clause *c, struct range_verdict *ret);
size_t range_test_npm(const struct version *v, const struct range_clause *c, struct range_verdict *ret);
size_t range_test_cargo(const struct version *v, const struct range_clause *c, struct range_verdict *ret);
size_t range_test_pep440(const struct version *v, const struct range_clause *c, struct range_verdict *ret);
size_t range_test_composer(const struct version *v, const struct range_clause *c, struct range_verdict *ret);

/* Does "op" hold for this order of the version and the operand? */
bool range_holds(enum range_op op, int order);
bool range_is_wildcard(char c); /* * x X */

/* Maven and NuGet: does the text begin like an interval? Then: "[1.0,2.0)", "(,1.0],[1.2,)". */
bool range_is_interval(const struct version *v, struct slice range);
/* Returns 0 or the column. */
size_t range_match_interval(const struct version *v, struct slice range, bool *ret);

/* major.minor.patch, of which the last may be missing or wildcards */
struct range_triple {
	uint64_t n[3];
	unsigned count; /* how many are numbers */
	struct slice pre;
};
size_t range_read_triple(struct slice text, struct range_triple *ret);
struct range_triple range_triple_of(const struct version *v);
