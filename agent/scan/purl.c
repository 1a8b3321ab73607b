/* purl.c - see purl.h. Packages as purls and back are in purl_package.c. */
#include "agent/scan/purl.h"

#include <strings.h>

#include "agent/scan/os_names.h"

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Types and the keys of qualifiers. */
static bool is_word(struct slice s)
{
	if (!s.n || is_digit(s.p[0]))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && !memchr("+.-_", s.p[i], 4))
			return false;
	}
	return true;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- reading ---- */

static int no_room(struct err *err)
{
	return err_set(err, ERR_LIMIT, "no room for more package URLs");
}

/* %XX resolved. An encoded NUL would cut our C strings short. */
static int decode(struct slice s, struct arena *a, struct slice *ret, struct err *err)
{
	char *dst = arena_alloc(a, s.n + 1);
	size_t n = 0;

	if (!dst)
		return no_room(err);
	for (size_t i = 0; i < s.n; i++) {
		int c = (uint8_t)s.p[i];

		if (c == '%') {
			int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
			int low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return err_set(err, ERR_SYNTAX, "a '%%' without two hexadecimal digits");
			c = high << 4 | low;
			i += 2;
		}
		if (!c)
			return err_set(err, ERR_SYNTAX, "a NUL byte");
		dst[n++] = (char)c;
	}
	dst[n] = 0;
	*ret = (struct slice){ dst, n };
	return 0;
}

static int lower(struct slice s, struct arena *a, struct slice *ret, struct err *err)
{
	char *dst = arena_dup(a, s);

	if (!dst)
		return no_room(err);
	for (size_t i = 0; i < s.n; i++) {
		if (dst[i] >= 'A' && dst[i] <= 'Z')
			dst[i] = (char)(dst[i] - 'A' + 'a');
	}
	*ret = (struct slice){ dst, s.n };
	return 0;
}

static ptrdiff_t find_last(struct slice s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

/* Cuts s at the last c: what stands behind it, empty when it is not there. */
static struct slice cut_last(struct slice *s, char c)
{
	ptrdiff_t at = find_last(*s, c);

	if (at < 0)
		return SLICE_NONE;
	struct slice rest = slice_sub(*s, (size_t)at + 1, s->n);
	*s = slice_sub(*s, 0, (size_t)at);
	return rest;
}

static struct slice strip(struct slice s, char c)
{
	while (s.n && s.p[0] == c)
		s = slice_sub(s, 1, s.n);
	while (s.n && s.p[s.n - 1] == c)
		s.n--;
	return s;
}

static int read_qualifiers(struct slice text, struct arena *a, struct purl *p, struct err *err)
{
	struct slice pair;

	while (slice_split(&text, '&', &pair)) {
		ptrdiff_t eq = slice_find_char(pair, '=');
		struct slice key = slice_sub(pair, 0, eq < 0 ? pair.n : (size_t)eq);

		if (!pair.n)
			continue;
		if (!is_word(key))
			return err_set(err, ERR_SYNTAX, "a qualifier that is no 'key=value'");
		if (eq < 0 || (size_t)eq + 1 == pair.n)
			continue; /* without a value it says nothing */
		if (p->qualifier_count == PURL_QUALIFIERS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d qualifiers", PURL_QUALIFIERS_MAX);
		struct purl_qualifier *q = &p->qualifiers[p->qualifier_count++];
		int r = lower(key, a, &q->key, err);
		if (r >= 0)
			r = decode(slice_sub(pair, (size_t)eq + 1, pair.n), a, &q->value, err);
		if (r < 0)
			return r;
		if (purl_get(p, q->key.p).p != q->value.p)
			return err_set(err, ERR_SYNTAX, "a qualifier that is there twice");
	}
	return 0;
}

/* "TYPE/NAMESPACE/NAME@VERSION", the version still in s. An '@' before a slash begins an npm scope that
 * somebody left unencoded. */
static int read_path(struct slice s, struct arena *a, struct purl *p, struct err *err)
{
	struct slice version = SLICE_NONE;
	ptrdiff_t slash = slice_find_char(s, '/'), at;

	if (slash < 0 || !is_word(slice_sub(s, 0, (size_t)slash)))
		return err_set(err, ERR_SYNTAX, "no 'pkg:TYPE/NAME'");
	int r = lower(slice_sub(s, 0, (size_t)slash), a, &p->type, err);
	if (r < 0)
		return r;
	s = slice_sub(s, (size_t)slash + 1, s.n);
	at = find_last(s, '@');
	if (at >= 0 && slice_find_char(slice_sub(s, (size_t)at, s.n), '/') < 0)
		version = cut_last(&s, '@');
	s = strip(s, '/');
	slash = find_last(s, '/');
	struct slice name = slice_sub(s, (size_t)(slash + 1), s.n);
	struct slice space = strip(slice_sub(s, 0, slash < 0 ? 0 : (size_t)slash), '/');

	r = decode(name, a, &p->name, err);
	if (r >= 0)
		r = decode(space, a, &p->space, err);
	if (r >= 0)
		r = decode(version, a, &p->version, err);
	if (r >= 0 && !p->name.n)
		return err_set(err, ERR_SYNTAX, "no name");
	return r;
}

int purl_parse(struct slice text, struct arena *a, struct purl *ret, struct err *err)
{
	struct purl p = { 0 };

	if (text.n > PURL_TEXT_MAX)
		return err_set(err, ERR_LIMIT, "a package URL of more than %d bytes", PURL_TEXT_MAX);
	if (text.n < 4 || strncasecmp(text.p, "pkg:", 4) != 0)
		return err_set(err, ERR_SYNTAX, "no 'pkg:'");
	struct slice rest = slice_sub(text, 4, text.n);
	struct slice subpath = cut_last(&rest, '#');
	struct slice qualifiers = cut_last(&rest, '?');
	int r = decode(strip(subpath, '/'), a, &p.subpath, err);
	if (r >= 0)
		r = read_qualifiers(qualifiers, a, &p, err);
	if (r >= 0)
		r = read_path(strip(rest, '/'), a, &p, err);
	if (r < 0)
		return r;
	*ret = p;
	return 0;
}

struct slice purl_get(const struct purl *p, const char *key)
{
	for (size_t i = 0; i < p->qualifier_count; i++) {
		if (slice_is(p->qualifiers[i].key, key))
			return p->qualifiers[i].value;
	}
	return SLICE_NONE;
}

/* ---- writing ---- */

/* also: a character that stands for itself here ('/' in a namespace). */
static void encode(struct slice s, char also, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (is_alpha(c) || is_digit(c) || memchr(".-_~:", c, 5) || (also && c == also))
			buf_add_char(out, c);
		else
			buf_printf(out, "%%%02X", (unsigned)(uint8_t)c);
	}
}

/* The canonical order is by key. At most 16, so the smallest is looked for each time. */
static void write_qualifiers(const struct purl *p, struct buf *out)
{
	uint32_t done = 0;

	for (size_t n = 0; n < p->qualifier_count; n++) {
		size_t best = PURL_QUALIFIERS_MAX;

		for (size_t i = 0; i < p->qualifier_count; i++) {
			struct slice a = p->qualifiers[i].key;
			struct slice b = best < PURL_QUALIFIERS_MAX ? p->qualifiers[best].key : SLICE_NONE;

			if (done & 1U << i)
				continue;
			int order = memcmp(a.p, b.p ? b.p : "", a.n < b.n ? a.n : b.n);
			if (best == PURL_QUALIFIERS_MAX || order < 0 || (!order && a.n < b.n))
				best = i;
		}
		done |= 1U << best;
		buf_add_char(out, n ? '&' : '?');
		buf_add_slice(out, p->qualifiers[best].key);
		buf_add_char(out, '=');
		encode(p->qualifiers[best].value, 0, out);
	}
}

void purl_write(const struct purl *p, struct buf *out)
{
	buf_add_str(out, "pkg:");
	buf_add_slice(out, p->type);
	buf_add_char(out, '/');
	if (p->space.n) {
		encode(p->space, '/', out);
		buf_add_char(out, '/');
	}
	encode(p->name, 0, out);
	if (p->version.n) {
		buf_add_char(out, '@');
		encode(p->version, 0, out);
	}
	write_qualifiers(p, out);
	if (p->subpath.n) {
		buf_add_char(out, '#');
		encode(p->subpath, '/', out);
	}
}

/* ---- comparing ---- */

static bool eq_nocase(struct slice a, struct slice b)
{
	return a.n == b.n && (!a.n || !strncasecmp(a.p, b.p, a.n));
}

/* Python's names are equal in any case and with any of "-_." between words. */
static bool eq_pypi(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		bool separates = memchr("-_.", a.p[i], 3) && memchr("-_.", b.p[i], 3);

		if (!separates && !eq_nocase(slice_sub(a, i, 1), slice_sub(b, i, 1)))
			return false;
	}
	return true;
}

static bool eq_name(struct slice type, struct slice a, struct slice b)
{
	if (slice_is(type, "pypi"))
		return eq_pypi(a, b);
	if (slice_is(type, "golang") || slice_is(type, "nuget") || slice_is(type, "npm") ||
	    slice_is(type, "composer") || slice_is(type, "oci"))
		return eq_nocase(a, b);
	return slice_eq(a, b);
}

/* A distribution has several names: rpm/redhat is rpm/rhel. */
static bool eq_space(const struct purl *a, const struct purl *b)
{
	if (purl_is_os(a->type))
		return slice_eq(os_names_id(a->space), os_names_id(b->space));
	return eq_name(a->type, a->space, b->space);
}

bool purl_covers(const struct purl *pattern, const struct purl *p)
{
	if (!slice_eq(pattern->type, p->type) || !eq_space(pattern, p) ||
	    !eq_name(p->type, pattern->name, p->name))
		return false;
	if (pattern->version.n && !slice_eq(pattern->version, p->version))
		return false;
	for (size_t i = 0; i < pattern->qualifier_count; i++) {
		const struct purl_qualifier *q = &pattern->qualifiers[i];
		struct slice key = q->key, has = SLICE_NONE;

		for (size_t k = 0; k < p->qualifier_count && !has.n; k++)
			has = slice_eq(p->qualifiers[k].key, key) ? p->qualifiers[k].value : SLICE_NONE;
		if (!slice_eq(q->value, has))
			return false;
	}
	return !pattern->subpath.n || slice_eq(pattern->subpath, p->subpath);
}
