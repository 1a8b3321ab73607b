/* semver.c - SemVer 2.0 and what descends from it: Go, npm, crates, NuGet.
 *
 * Read generously, as advisories and packages write them: "v", one to many numbers (missing ones are 0),
 * numbers of any size, a pre-release without its dash ("1.21rc2", "1.0.0.beta1"). */
#include "common/version/version_priv.h"

/* kind: how the pre-release was joined on */
enum { JOINED = 1, DOTTED = 2 };

static bool is_ident(char c)
{
	return version_is_alnum(c) || c == '-';
}

/* Identifiers with dots between; NULL and *wrong where one is missing. */
static const char *skip_idents(const char *p, const char *end, const char **wrong)
{
	for (;;) {
		const char *start = p;

		while (p < end && is_ident(*p))
			p++;
		if (p == start) {
			*wrong = p;
			return NULL;
		}
		if (p == end || *p != '.')
			return p;
		p++;
	}
}

/* Numbers with dots between, at least one; a dot that no number follows is left. */
static const char *skip_numbers(const char *p, const char *end)
{
	const char *start = p;

	p = version_skip_digits(p, end);
	while (p > start && end - p > 1 && *p == '.' && version_is_digit(p[1]))
		p = version_skip_digits(p + 1, end);
	return p;
}

static const char *skip_prefix(const struct version *v, const char **end)
{
	const char *p = v->text.p;

	if (v->scheme == VERSION_GO && slice_starts(v->text, SLICE_LIT("go"))) {
		/* what the toolchain says of itself goes on after a blank: "go1.22.3 X:boringcrypto" */
		const char *blank = memchr(p, ' ', v->text.n);

		if (blank)
			*end = blank;
		return p + 2;
	}
	if (v->scheme == VERSION_NPM && p < *end && *p == '=')
		p++;
	return p < *end && (*p == 'v' || *p == 'V') ? p + 1 : p;
}

static const char *join(struct version *v, const char *p, const char *end)
{
	if (*p == '-')
		return p + 1;
	if (version_is_letter(*p)) {
		v->kind = JOINED;
		return p;
	}
	if (*p == '.' && end - p > 1 && version_is_letter(p[1])) {
		v->kind = DOTTED;
		return p + 1;
	}
	return NULL;
}

size_t semver_parse(struct version *v)
{
	const char *text = v->text.p, *end = text + v->text.n, *wrong = NULL;
	const char *p = skip_prefix(v, &end), *start = p;

	p = skip_numbers(p, end);
	if (p == start)
		return (size_t)(p - text) + 1;
	version_set(v, SEMVER_CORE, (size_t)(start - text), (size_t)(p - text));
	if (p < end && *p != '+') {
		start = join(v, p, end);
		if (!start)
			return (size_t)(p - text) + 1;
		p = skip_idents(start, end, &wrong);
		if (!p)
			return (size_t)(wrong - text) + 1;
		version_set(v, SEMVER_PRE, (size_t)(start - text), (size_t)(p - text));
	}
	if (p < end && *p == '+') {
		p = skip_idents(p + 1, end, &wrong);
		if (!p)
			return (size_t)(wrong - text) + 1;
	}
	return p < end ? (size_t)(p - text) + 1 : 0;
}

/* ---- npm's own word ---- */

static bool is_plain_number(struct slice s)
{
	return s.n < 16 ? s.n == 1 || s.p[0] != '0' :
			  s.n == 16 && memcmp(s.p, "9007199254740991", 16) <= 0 && s.p[0] != '0';
}

bool npm_is_strict(const struct version *v)
{
	struct slice core = version_part(v, SEMVER_CORE), pre = version_part(v, SEMVER_PRE), s;
	unsigned count = 0;

	for (; slice_split(&core, '.', &s); count++)
		if (!is_plain_number(s))
			return false;
	while (slice_split(&pre, '.', &s))
		if (s.n > 1 && s.p[0] == '0' && version_skip_digits(s.p, s.p + s.n) == s.p + s.n)
			return false;
	return count == 3 && !v->kind && v->text.p[0] != '=' && v->text.p[0] != 'V';
}

/* ---- order ---- */

static int core_order(struct slice a, struct slice b)
{
	const char *p = a.p, *p_end = p + a.n, *q = b.p, *q_end = q + b.n;

	while (p < p_end || q < q_end) {
		int r = version_digits_order(&p, p_end, &q, q_end);

		if (r)
			return r;
		p += p < p_end;
		q += q < q_end;
	}
	return 0;
}

/* A number with a zero before it is a word, and for NuGet one beyond 32 bits, too. */
static bool is_number(struct slice s, enum version_scheme scheme)
{
	if (version_skip_digits(s.p, s.p + s.n) < s.p + s.n || (s.n > 1 && s.p[0] == '0'))
		return false;
	return scheme != VERSION_NUGET || s.n < 10 || (s.n == 10 && memcmp(s.p, "2147483647", 10) <= 0);
}

static int word_order(struct slice a, struct slice b, enum version_scheme scheme)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		char x = a.p[i], y = b.p[i];

		if (scheme == VERSION_NUGET) {
			x = version_lower(x);
			y = version_lower(y);
		}
		/* a dot within an identifier: see take_ident */
		x = x == '.' ? '-' : x;
		y = y == '.' ? '-' : y;
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

static int ident_order(struct slice a, struct slice b, enum version_scheme scheme)
{
	bool x = is_number(a, scheme), y = is_number(b, scheme);

	if (x && y)
		return version_number_order(a, b);
	return x != y ? (x ? -1 : 1) : word_order(a, b, scheme);
}

/* "1.0.0.rc.alpha" is one identifier more than its dots say: written with dashes it is "rc-alpha". */
static bool is_dotted_word(const char *p, const char *end)
{
	struct slice rest = slice_from(p, (size_t)(end - p));

	return slice_starts(rest, SLICE_LIT("alpha")) || slice_starts(rest, SLICE_LIT("beta")) ||
	       slice_starts(rest, SLICE_LIT("rc"));
}

struct idents {
	const char *p, *end;
	bool is_dotted;
	bool splits; /* Go: "rc2" is "rc.2" */
};

static struct idents idents_of(const struct version *v)
{
	struct slice pre = version_part(v, SEMVER_PRE);

	return (struct idents){ pre.p, pre.p + pre.n, v->kind == DOTTED,
				v->kind == JOINED && v->scheme == VERSION_GO };
}

static struct slice take_ident(struct idents *i)
{
	const char *start = i->p, *p = start;

	if (i->splits) {
		i->splits = false;
		while (p < i->end && version_is_letter(*p))
			p++;
		if (p < i->end && version_is_digit(*p)) {
			i->p = p;
			return slice_from(start, (size_t)(p - start));
		}
	}
	while (p < i->end && (*p != '.' || (i->is_dotted && is_dotted_word(p + 1, i->end))))
		p++;
	i->p = p + (p < i->end);
	return slice_from(start, (size_t)(p - start));
}

static int idents_order(struct idents a, struct idents b, enum version_scheme scheme)
{
	while (a.p < a.end && b.p < b.end) {
		struct slice x = take_ident(&a);
		int r = ident_order(x, take_ident(&b), scheme);

		if (r)
			return r;
	}
	return (a.p < a.end) - (b.p < b.end);
}

int semver_pre_order(struct slice a, struct slice b)
{
	if (!a.n || !b.n)
		return (b.n > 0) - (a.n > 0);
	return idents_order((struct idents){ .p = a.p, .end = a.p + a.n },
			    (struct idents){ .p = b.p, .end = b.p + b.n }, VERSION_SEMVER);
}

int semver_order(const struct version *a, const struct version *b)
{
	int r = core_order(version_part(a, SEMVER_CORE), version_part(b, SEMVER_CORE));

	if (r)
		return r;
	if (!a->part[SEMVER_PRE].n || !b->part[SEMVER_PRE].n)
		return (b->part[SEMVER_PRE].n > 0) - (a->part[SEMVER_PRE].n > 0);
	return idents_order(idents_of(a), idents_of(b), a->scheme);
}
