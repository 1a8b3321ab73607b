/* path.c - what a request is about: its target as the engine's router will see it, against the table of endpoints.
 *
 * The engine sends the target as it came. Its router decodes it, takes off the version and cleans it, so a judge
 * that looks at the raw text judges another request than the one that is done. */
#include <errno.h>

#include "agent/guard/authz/authz_priv.h"

enum { URI_MAX = 8192 };

struct endpoint {
	const char *method, *path;
	enum authz_kind kind;
};

static const struct endpoint endpoints[] = {
#define ENDPOINT(method, path, kind) { method, path, kind },
#include "agent/guard/authz/endpoints.def"
#undef ENDPOINT
};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int authz_percent(struct slice s, bool is_query, char *dst, size_t size, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			int high = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
			int low = i + 2 < s.n ? hex(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return err_set(err, ERR_SYNTAX, "a percent sign without two hex digits");
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && is_query) {
			c = ' ';
		}
		if (!c)
			return err_set(err, ERR_SYNTAX, "a NUL byte");
		if (n + 1 >= size)
			return err_set(err, ERR_SYNTAX, "longer than %zu bytes", size);
		dst[n++] = c;
	}
	dst[n] = 0;
	return (int)n;
}

/* Without scheme and host, "http://docker/v1.41/x" -> "/v1.41/x". Nothing before the first slash: opaque forms are
 * no path of the engine's. */
static struct slice without_origin(struct slice uri)
{
	ptrdiff_t colon = slice_find(uri, SLICE_LIT("://"));
	struct slice rest;

	if (!uri.n || *uri.p == '/' || colon <= 0)
		return uri;
	for (ptrdiff_t i = 0; i < colon; i++)
		if (uri.p[i] == '/' || uri.p[i] == '?')
			return uri;
	rest = slice_sub(uri, (size_t)colon + 3, uri.n);
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] == '/' || rest.p[i] == '?')
			return slice_sub(rest, i, rest.n);
	return SLICE_NONE;
}

void authz_clean(char *path)
{
	size_t out = 0;

	for (const char *p = path; *p;) {
		size_t n;

		while (*p == '/')
			p++;
		n = strcspn(p, "/");
		if (n == 2 && !memcmp(p, "..", 2)) {
			while (out && path[--out] != '/')
				;
		} else if (n && !(n == 1 && *p == '.')) {
			path[out++] = '/';
			memmove(path + out, p, n);
			out += n;
		}
		p += n;
	}
	if (!out)
		path[out++] = '/';
	path[out] = 0;
}

static bool take_number(const char **p, unsigned *ret)
{
	const char *from = *p;
	unsigned v = 0;

	while (**p >= '0' && **p <= '9' && *p - from < 6)
		v = v * 10 + (unsigned)(*(*p)++ - '0');
	*ret = v;
	return *p > from;
}

/* "/v1.41/x" -> "/x". The engine's route is /v{version:[0-9.]+}; what is odd among those is refused. */
static int take_version(const char **path, struct authz_path *ret, struct err *err)
{
	const char *p = *path;
	size_t n;

	if (p[0] != '/' || p[1] != 'v')
		return 0;
	n = strspn(p + 2, "0123456789.");
	if (!n || (p[2 + n] && p[2 + n] != '/'))
		return 0;
	p += 2;
	if (!take_number(&p, &ret->api_major) || *p++ != '.' || !take_number(&p, &ret->api_minor) ||
	    (*p && *p != '/') || !ret->api_major)
		return err_set(err, ERR_SYNTAX, "a version of the API that is none");
	*path = *p ? p : "/";
	return 0;
}

/* id: what the star stands for. */
static bool matches(const char *pattern, const char *path, struct slice *id)
{
	const char *star = strchr(pattern, '*'), *second;
	size_t n = strlen(path), head, tail;

	if (!star)
		return !strcmp(pattern, path);
	head = (size_t)(star - pattern);
	if (strncmp(pattern, path, head) != 0)
		return false;
	second = strchr(star + 1, '*');
	if (second) { /* the pattern's end: anything behind the word between the two */
		char word[64];

		(void)slice_copy((struct slice){ star + 1, (size_t)(second - star) - 1 }, word, sizeof(word));
		return strstr(path + head, word) != NULL;
	}
	tail = strlen(star + 1);
	if (n <= head + tail || strcmp(path + n - tail, star + 1) != 0)
		return false;
	*id = (struct slice){ path + head, n - head - tail };
	return true;
}

static bool is_reading(struct slice method)
{
	return slice_is(method, "GET") || slice_is(method, "HEAD") || slice_is(method, "OPTIONS");
}

int authz_path_read(struct slice method, struct slice uri, struct authz_path *ret, struct err *err)
{
	struct authz_path out = { .kind = AUTHZ_UNKNOWN };
	char text[URI_MAX + 1];
	struct slice target = without_origin(uri), id = SLICE_NONE;
	const char *path = text;
	ptrdiff_t mark;

	if (uri.n > URI_MAX)
		return err_set(err, ERR_SYNTAX, "longer than %d bytes", URI_MAX);
	mark = slice_find_char(target, '#'); /* Go's parser of a request's target keeps it; no client sends it */
	if (mark >= 0)
		return err_set(err, ERR_SYNTAX, "a fragment");
	mark = slice_find_char(target, '?');
	if (mark >= 0) {
		out.query = slice_sub(target, (size_t)mark + 1, target.n);
		target = slice_sub(target, 0, (size_t)mark);
	}
	int r = authz_percent(target, false, text, sizeof(text), err);
	if (r < 0)
		return r;
	if (*text == '/') {
		authz_clean(text);
		r = take_version(&path, &out, err);
		if (r < 0)
			return r;
	}
	(void)slice_copy(slice_of(path), out.path, sizeof(out.path));
	/* What has no path is no endpoint, of whatever method: "http:/x" has one to the engine, and none here. */
	if (is_reading(method) && *text == '/')
		out.kind = AUTHZ_READ;
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		if (!slice_is(method, endpoints[i].method) || !matches(endpoints[i].path, path, &id))
			continue;
		out.kind = endpoints[i].kind;
		break;
	}
	/* A name that is cut would be another's. */
	if (!slice_copy(id, out.id, sizeof(out.id)))
		return err_set(err, ERR_SYNTAX, "a name longer than %zu bytes", sizeof(out.id) - 1);
	*ret = out;
	return 0;
}

int authz_query(struct slice query, const char *name, struct arena *a, const char **ret, struct err *err)
{
	struct slice pair, key, value;
	bool is_found = false;

	*ret = "";
	while (slice_split(&query, '&', &pair)) {
		ptrdiff_t eq = slice_find_char(pair, '=');
		char decoded[64];

		if (slice_find_char(pair, ';') >= 0)
			return err_set(err, ERR_SYNTAX, "a semicolon in the query");
		key = eq < 0 ? pair : slice_sub(pair, 0, (size_t)eq);
		value = eq < 0 ? SLICE_NONE : slice_sub(pair, (size_t)eq + 1, pair.n);
		int r = authz_percent(key, true, decoded, sizeof(decoded), err);
		if (r < 0)
			return err_wrap(err, r, "the query");
		if (strcmp(decoded, name) != 0)
			continue;
		/* The engine takes the first; who sends two means to be read differently. */
		if (is_found)
			return err_set(err, ERR_SYNTAX, "two %s in the query", name);
		is_found = true;
		char *text = arena_alloc(a, value.n + 1);
		if (!text)
			return err_set(err, ENOMEM, "the query");
		r = authz_percent(value, true, text, value.n + 1, err);
		if (r < 0)
			return err_wrap(err, r, "the query");
		*ret = text;
	}
	return 0;
}
