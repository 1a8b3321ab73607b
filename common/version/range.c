/* range.c - alternatives and clauses; the clauses of the schemes that have only <, <=, =, >=, >. */
#include "common/version/range_priv.h"

enum {
	DEB = 1 << VERSION_DEB,
	APK = 1 << VERSION_APK,
	NPM = 1 << VERSION_NPM | 1 << VERSION_NPM_PRERELEASE,
	PEP440 = 1 << VERSION_PEP440,
	GEM = 1 << VERSION_GEM,
	PACKAGIST = 1 << VERSION_PACKAGIST,
	CARGO = 1 << VERSION_CARGO,
	SEMVER = 1 << VERSION_SEMVER,
	ALL = (1 << VERSION_SCHEME_COUNT) - 1,
	HAS_HYPHEN = NPM | PACKAGIST,
	HIDES_PRE = 1 << VERSION_NPM | CARGO,
	EMPTY_IS_ANY = NPM, /* one of several alternatives */
};

/* The longer ones first. */
static const struct {
	const char *text;
	enum range_op op;
	unsigned schemes;
} ops[] = {
	{ "===", RANGE_SAME, PEP440 },	     { "<=~", RANGE_FUZZY_LT, APK },
	{ ">=~", RANGE_FUZZY_GT, APK },	     { "==", RANGE_EQ, ALL },
	{ "=~", RANGE_FUZZY, APK },	     { "!=", RANGE_NE, ALL },
	{ "<>", RANGE_NE, ALL },	     { "~=", RANGE_COMPATIBLE, PEP440 },
	{ "~>", RANGE_PESSIMIST, GEM },	     { "~>", RANGE_TILDE, NPM | SEMVER },
	{ "<~", RANGE_FUZZY_LT, APK },	     { ">~", RANGE_FUZZY_GT, APK },
	{ "<<", RANGE_LT, DEB },	     { ">>", RANGE_GT, DEB },
	{ "<=", RANGE_LE, ALL },	     { ">=", RANGE_GE, ALL },
	{ "<", RANGE_LT, ALL },		     { ">", RANGE_GT, ALL },
	{ "=", RANGE_EQ, ALL },		     { "~", RANGE_FUZZY, APK },
	{ "~", RANGE_TILDE, NPM | CARGO | SEMVER | PACKAGIST },
	{ "^", RANGE_CARET, NPM | CARGO | SEMVER | PACKAGIST },
};

struct reader {
	struct slice text;
	size_t at;
	unsigned scheme; /* its bit */
};

bool range_is_wildcard(char c)
{
	return c == '*' || c == 'x' || c == 'X';
}

bool range_holds(enum range_op op, int order)
{
	switch (op) {
	case RANGE_NE:
		return order != 0;
	case RANGE_LT:
		return order < 0;
	case RANGE_LE:
	case RANGE_FUZZY_LT:
		return order <= 0;
	case RANGE_GT:
		return order > 0;
	case RANGE_GE:
	case RANGE_FUZZY_GT:
		return order >= 0;
	default:
		return order == 0;
	}
}

/* ---- clauses of most schemes ---- */

static bool plain_holds(const struct version *v, enum range_op op, const struct version *w)
{
	if (op >= RANGE_FUZZY && op <= RANGE_FUZZY_GT)
		return range_holds(op, apk_order_fuzzy(v, w));
	if (op == RANGE_PESSIMIST)
		return gem_is_pessimistic(v, w);
	return range_holds(op, v->scheme == VERSION_RPM ? rpm_order_loose(v, w) : version_order(v, w));
}

static size_t test_plain(const struct version *v, const struct range_clause *c, struct range_verdict *ret)
{
	struct version w;

	if (c->op == RANGE_BARE && slice_is(c->text, "*"))
		return 0;
	size_t wrong = version_read(v->scheme, c->text, &w);
	if (!wrong && !plain_holds(v, c->op, &w))
		ret->holds = false;
	return wrong;
}

/* SemVer by itself has no ranges; "^1.2", "~1.2" and "1.2.*" are read as everybody does. */
static size_t test_semver(const struct version *v, const struct range_clause *c, struct range_verdict *ret)
{
	char last = c->text.p[c->text.n - 1];

	if (c->op == RANGE_TILDE || c->op == RANGE_CARET || range_is_wildcard(last))
		return range_test_npm(v, c, ret);
	return test_plain(v, c, ret);
}

/* NuGet: a version alone is the least one, and so is what stands before ".*". */
static size_t test_nuget(const struct version *v, const struct range_clause *c, struct range_verdict *ret)
{
	struct range_clause least = *c;

	if (c->op == RANGE_BARE && !slice_is(c->text, "*")) {
		least.op = RANGE_GE;
		if (slice_ends(c->text, SLICE_LIT(".*")))
			least.text.n -= 2;
	}
	return test_plain(v, &least, ret);
}

static range_test_fn test_of(enum version_scheme s)
{
	switch (s) {
	case VERSION_NPM:
	case VERSION_NPM_PRERELEASE:
		return range_test_npm;
	case VERSION_CARGO:
		return range_test_cargo;
	case VERSION_PEP440:
		return range_test_pep440;
	case VERSION_PACKAGIST:
		return range_test_composer;
	case VERSION_NUGET:
		return test_nuget;
	case VERSION_SEMVER:
		return test_semver;
	default:
		return test_plain;
	}
}

/* ---- the text ---- */

static void skip_blanks(struct reader *r)
{
	while (r->at < r->text.n && version_is_blank(r->text.p[r->at]))
		r->at++;
}

static bool at_char(const struct reader *r, const char *set)
{
	char c = r->at < r->text.n ? r->text.p[r->at] : 0;

	return c && strchr(set, c);
}

static enum range_op take_op(struct reader *r)
{
	struct slice rest = slice_sub(r->text, r->at, r->text.n);

	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (ops[i].schemes & r->scheme && slice_starts(rest, slice_of(ops[i].text))) {
			r->at += strlen(ops[i].text);
			return ops[i].op;
		}
	return RANGE_BARE;
}

static struct slice take_operand(struct reader *r)
{
	size_t start = r->at;

	while (r->at < r->text.n && !version_is_blank(r->text.p[r->at]) && !at_char(r, ",|<>="))
		r->at++;
	return slice_sub(r->text, start, r->at - start);
}

/* "1.2 - 2.3": the dash stands free. */
static void take_hyphen(struct reader *r, struct range_clause *c)
{
	size_t start = r->at;

	skip_blanks(r);
	if (r->at > start && at_char(r, "-")) {
		r->at++;
		if (r->at < r->text.n && version_is_blank(r->text.p[r->at])) {
			skip_blanks(r);
			c->to = take_operand(r);
			c->op = RANGE_HYPHEN;
			return;
		}
	}
	r->at = start;
}

static int fail(struct err *err, size_t at, const char *what)
{
	return err_set(err, ERR_SYNTAX, "range, column %zu: %s", at + 1, what);
}

/* Some schemes order any text; what has no letter nor digit is a slip of the finger all the same. */
static bool is_version_like(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (version_is_alnum(s.p[i]) || (unsigned char)s.p[i] >= 0x80)
			return true;
	return slice_is(s, "*");
}

static int take_clause(struct reader *r, struct range_clause *c, struct err *err)
{
	*c = (struct range_clause){ .op = take_op(r) };
	skip_blanks(r);
	c->text = take_operand(r);
	if (!is_version_like(c->text))
		return fail(err, r->at - c->text.n, "a version is expected");
	if (r->scheme & HAS_HYPHEN && c->op == RANGE_BARE)
		take_hyphen(r, c);
	if (c->op == RANGE_HYPHEN && !c->to.n)
		return fail(err, r->at, "a version is expected");
	return 0;
}

/* Up to "||" or the end. */
static int match_alternative(struct reader *r, const struct version *v, bool *ret, unsigned *ret_clauses,
			     struct err *err)
{
	struct range_verdict verdict = { .holds = true };
	bool is_pre = v->part[SEMVER_PRE].n && r->scheme & HIDES_PRE;
	struct range_clause c;

	*ret_clauses = 0;
	for (skip_blanks(r); r->at < r->text.n && !at_char(r, "|"); skip_blanks(r)) {
		if (*ret_clauses && at_char(r, ",")) {
			r->at++;
			skip_blanks(r);
		}
		int x = take_clause(r, &c, err);
		if (x < 0)
			return x;
		size_t wrong = test_of(v->scheme)(v, &c, &verdict);
		if (wrong)
			return fail(err, (size_t)(c.text.p - r->text.p) + wrong - 1, "not a version here");
		++*ret_clauses;
	}
	*ret = verdict.holds && (!is_pre || verdict.names_pre);
	return 0;
}

static bool take_or(struct reader *r)
{
	if (slice_starts(slice_sub(r->text, r->at, r->text.n), SLICE_LIT("||")))
		r->at += 2;
	else if (r->scheme == PACKAGIST)
		r->at++; /* Composer's single bar */
	else
		return false;
	return true;
}

int range_match(const struct version *v, struct slice range, bool *ret, struct err *err)
{
	struct reader r = { range, 0, 1u << v->scheme };
	bool is_in = false, is_one = false;
	unsigned clauses = 0, alternatives = 0;

	if (range_is_interval(v, range)) {
		size_t wrong = range_match_interval(v, range, ret);

		return wrong ? fail(err, wrong - 1, "not an interval") : 0;
	}
	for (;;) {
		int x = match_alternative(&r, v, &is_one, &clauses, err);
		if (x < 0)
			return x;
		is_in |= is_one;
		alternatives++;
		if (!clauses && (alternatives > 1 || r.at < range.n) && !(r.scheme & EMPTY_IS_ANY))
			return fail(err, r.at, "a version is expected");
		if (r.at == range.n)
			break;
		if (!take_or(&r))
			return fail(err, r.at, "\"||\" is expected");
	}
	*ret = is_in;
	return 0;
}
