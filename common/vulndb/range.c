/* range.c - see range.h. */
#include "common/vulndb/range.h"

#include "common/vulndb/limits.h"

enum { COMPARE_MAX = 40000 }; /* listed versions held against intervals at import, before they are just kept */
enum op { OP_NONE = 0, OP_FIXED = '<', OP_LAST = '=', OP_LIMIT = '!' };

struct interval {
	struct slice from, to;
	enum op op;
};

static bool is_first(struct slice v)
{
	return !v.n || slice_is(v, "0");
}

/* Of two versions; *ok false where one of them is none. */
static int compare(enum version_scheme s, struct slice a, struct slice b, bool *ok)
{
	int order = 0;

	if (version_compare(s, a, b, &order, NULL) < 0)
		*ok = false;
	return order;
}

static bool contains(enum version_scheme s, const struct interval *iv, struct slice v, bool *ok)
{
	if (!is_first(iv->from) && compare(s, v, iv->from, ok) < 0)
		return false;
	if (iv->op == OP_NONE)
		return *ok;
	int order = compare(s, v, iv->to, ok);
	return *ok && (iv->op == OP_LAST ? order <= 0 : order < 0);
}

/* ---- compiling ---- */

struct sorting {
	enum version_scheme scheme;
	bool ok;
};

struct indexed {
	struct advisory_event e;
	size_t at;
};

static int by_version(const void *x, const void *y, void *arg)
{
	const struct indexed *a = x, *b = y;
	struct sorting *s = arg;
	bool a_first = a->e.kind == ADVISORY_INTRODUCED && is_first(a->e.version);
	bool b_first = b->e.kind == ADVISORY_INTRODUCED && is_first(b->e.version);
	int order = a_first || b_first ? b_first - a_first : compare(s->scheme, a->e.version, b->e.version, &s->ok);

	return order ? order : a->at < b->at ? -1 : 1;
}

/* In the scheme's order; as they stood where one is no version. */
static void sort_events(enum version_scheme scheme, struct indexed *v, size_t count)
{
	struct sorting s = { scheme, true };

	if (count == 2 && v[0].e.kind == ADVISORY_INTRODUCED && v[1].e.kind != ADVISORY_INTRODUCED)
		return;
	for (size_t i = 0; i < count && s.ok; i++)
		if (!is_first(v[i].e.version))
			(void)compare(scheme, v[i].e.version, v[i].e.version, &s.ok); /* has it a place in the order? */
	if (!s.ok)
		return;
	qsort_r(v, count, sizeof(*v), by_version, &s);
}

/* The limit, where it is nearer than the interval's own end. */
static void apply_limit(enum version_scheme s, struct interval *iv, struct slice limit)
{
	bool ok = true;

	if (!limit.n || slice_is(limit, "*"))
		return;
	if (iv->op != OP_NONE && compare(s, limit, iv->to, &ok) >= 0)
		return;
	if (ok || iv->op == OP_NONE)
		*iv = (struct interval){ iv->from, limit, OP_LIMIT };
}

/* events: of one range, sorted. Returns how many intervals were made, at most count. */
static size_t intervals_of(enum version_scheme s, const struct indexed *v, size_t count, struct interval *ret)
{
	struct slice limit = SLICE_NONE, from = SLICE_NONE;
	size_t n = 0, ends = 0;
	bool is_open = true; /* a range that begins with an end begins at the first version */

	for (size_t i = 0; i < count; i++) {
		switch (v[i].e.kind) {
		case ADVISORY_LIMIT:
			limit = v[i].e.version;
			break;
		case ADVISORY_INTRODUCED:
			if (!is_open || (!ends && !from.p))
				from = v[i].e.version;
			is_open = true;
			break;
		case ADVISORY_FIXED:
		case ADVISORY_LAST_AFFECTED:
			ends++;
			if (is_open)
				ret[n++] = (struct interval){ from, v[i].e.version,
							      v[i].e.kind == ADVISORY_FIXED ? OP_FIXED : OP_LAST };
			is_open = false;
			break;
		}
	}
	if (is_open && count)
		ret[n++] = (struct interval){ .from = from };
	for (size_t i = 0; i < n; i++)
		apply_limit(s, &ret[i], limit);
	return n;
}

static void put_interval(struct buf *b, const struct interval *iv)
{
	if (b->n)
		buf_add_char(b, '\n');
	if (!is_first(iv->from))
		buf_add_slice(b, iv->from);
	buf_add_char(b, '\t');
	if (iv->op == OP_NONE)
		return;
	buf_add_char(b, (char)iv->op);
	buf_add_slice(b, iv->to);
}

static bool is_covered(enum version_scheme s, const struct interval *iv, size_t count, struct slice v)
{
	for (size_t i = 0; i < count; i++) {
		bool ok = true;

		if (contains(s, &iv[i], v, &ok))
			return true;
	}
	return false;
}

static int put_versions(enum version_scheme s, const struct advisory_affected *af, const struct interval *iv,
			size_t count, struct buf *b)
{
	bool hold = count && count * af->version_count <= COMPARE_MAX;

	for (size_t i = 0; i < af->version_count; i++) {
		if (hold && is_covered(s, iv, count, af->versions[i]))
			continue;
		if (b->n)
			buf_add_char(b, '\n');
		buf_add_slice(b, af->versions[i]);
	}
	return b->failed ? -1 : 0;
}

static int to_arena(struct buf *b, struct arena *a, struct slice *ret, struct err *err)
{
	char *p = b->failed ? NULL : arena_dup(a, buf_slice(b));

	if (!p)
		return err_set(err, ERR_LIMIT, "the versions of a record need over %d MiB of memory",
			       VULNDB_RECORD_ARENA >> 20);
	*ret = slice_from(p, b->n);
	return 0;
}

int range_compile(enum version_scheme s, const struct advisory_affected *af, struct arena *a,
		  struct slice *ret_ranges, struct slice *ret_versions, struct err *err)
{
	CLEANUP(buf_finip) struct buf ranges = { 0 }, versions = { 0 };
	const struct advisory_events *ev = &af->events;
	struct indexed *v = arena_alloc(a, (ev->count + 1) * sizeof(*v));
	struct interval *iv = arena_alloc(a, (ev->count + 1) * sizeof(*iv));
	size_t n = 0;

	if (!v || !iv)
		return err_set(err, ERR_LIMIT, "the versions of a record need over %d MiB of memory",
			       VULNDB_RECORD_ARENA >> 20);
	buf_init(&ranges, VULNDB_RECORD_MAX);
	buf_init(&versions, VULNDB_RECORD_MAX);
	for (size_t i = 0, end; i < ev->count; i = end) {
		for (end = i; end < ev->count && ev->range[end] == ev->range[i]; end++)
			v[end] = (struct indexed){ ev->v[end], end };
		sort_events(s, v + i, end - i);
		n += intervals_of(s, v + i, end - i, iv + n);
	}
	for (size_t i = 0; i < n; i++)
		put_interval(&ranges, &iv[i]);
	(void)!put_versions(s, af, iv, n, &versions);
	int r = to_arena(&ranges, a, ret_ranges, err);
	return r < 0 ? r : to_arena(&versions, a, ret_versions, err);
}

/* ---- judging ---- */

static bool next_interval(struct slice *rest, struct interval *ret)
{
	struct slice line, from;

	if (!rest->n || !slice_split(rest, '\n', &line))
		return false;
	(void)slice_split(&line, '\t', &from);
	*ret = (struct interval){ .from = from };
	if (line.n) {
		ret->op = (enum op)line.p[0];
		ret->to = slice_sub(line, 1, SIZE_MAX);
	}
	return true;
}

/* The first fixed version after v. */
static struct slice next_fix(enum version_scheme s, struct slice ranges, struct slice v)
{
	struct slice best = SLICE_NONE;
	struct interval iv;

	while (next_interval(&ranges, &iv)) {
		bool ok = true;

		if (iv.op != OP_FIXED || compare(s, v, iv.to, &ok) >= 0 || !ok)
			continue;
		if (!best.n || (compare(s, iv.to, best, &ok) < 0 && ok))
			best = iv.to;
	}
	return best;
}

static bool is_listed(struct slice versions, struct slice v)
{
	struct slice one;

	while (versions.n && slice_split(&versions, '\n', &one))
		if (slice_eq(one, v))
			return true;
	return false;
}

/* The same version written in another way: "1.0" for "1.0.0". */
static bool is_listed_equal(enum version_scheme s, struct slice versions, struct slice v)
{
	struct slice one;

	while (versions.n && slice_split(&versions, '\n', &one)) {
		bool ok = true;

		if (compare(s, one, v, &ok) == 0 && ok)
			return true;
	}
	return false;
}

struct range_verdict range_judge(enum version_scheme s, struct slice ranges, struct slice versions,
				 struct slice version)
{
	struct slice rest = ranges;
	struct interval iv;

	while (next_interval(&rest, &iv)) {
		bool ok = true;

		if (!contains(s, &iv, version, &ok))
			continue;
		return (struct range_verdict){ true, iv.op == OP_FIXED ? iv.to : SLICE_NONE };
	}
	if (versions.n && (is_listed(versions, version) || (!ranges.n && is_listed_equal(s, versions, version))))
		return (struct range_verdict){ true, next_fix(s, ranges, version) };
	return (struct range_verdict){ 0 };
}

/* ---- showing ---- */

static bool is_full(struct buf *out, size_t max)
{
	if (out->n < max)
		return false;
	buf_add_str(out, " …");
	return true;
}

void range_show(struct slice ranges, struct slice versions, size_t max, struct buf *out)
{
	static const char or[] = " || ";
	struct slice one, rest = versions;
	struct interval iv;
	size_t start = out->n;

	while (next_interval(&ranges, &iv)) {
		if (is_full(out, start + max))
			return;
		if (out->n > start)
			buf_add_str(out, or);
		if (iv.from.n)
			buf_printf(out, ">=%.*s%s", SLICE_FMT(iv.from), iv.op == OP_NONE ? "" : ", ");
		if (iv.op != OP_NONE)
			buf_printf(out, "%s%.*s", iv.op == OP_LAST ? "<=" : "<", SLICE_FMT(iv.to));
		else if (!iv.from.n)
			buf_add_char(out, '*');
	}
	while (rest.n && slice_split(&rest, '\n', &one)) {
		if (is_full(out, start + max))
			return;
		buf_printf(out, "%s=%.*s", out->n > start ? or : "", SLICE_FMT(one));
	}
}
