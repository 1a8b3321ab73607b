/* body.c - JSON as Go's encoding/json sees it: yajl's events into a tree, names folded.
 *
 * Go finds a field by its name without regard to case, and folds U+017F (long s) to s and U+212A (Kelvin) to k as
 * Unicode does. Of two members that fold alike it takes the last, or merges them when they are objects: other readers
 * see other values. So a text with two such members is refused, whatever they hold. */
#include <errno.h>
#include <yajl/yajl_parse.h>

#include "agent/guard/authz/authz_priv.h"
#include "common/text.h"

enum { DEPTH_MAX = 64, NODES_MAX = 4096, ENGINE_NODES_MAX = 200000 };

struct reader {
	struct arena *arena;
	struct authz_body *root, *stack[DEPTH_MAX];
	unsigned depth;
	size_t nodes;
	struct slice name, folded; /* of the member to come */
	bool is_strict;
	int r;
	struct err *err;
};

/* ---- before yajl: what it reads otherwise than Go does ---- */

static bool hex4(struct slice s, uint32_t *ret)
{
	uint32_t v = 0;

	if (s.n < 4)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		char c = s.p[i], low = (char)(c | 0x20);

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (low >= 'a' && low <= 'f')
			v = v << 4 | (uint32_t)(low - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

/* At a backslash: half a surrogate pair, which yajl joins with whatever follows, and \u0000. Returns bytes read. */
static int check_escape(struct slice s, struct err *err)
{
	uint32_t high, low;

	if (s.n < 2 || s.p[1] != 'u')
		return 2;
	if (!hex4(slice_sub(s, 2, 4), &high) || !high)
		return err_set(err, ERR_SYNTAX, "an escape that is none, or of a NUL");
	if (high < 0xd800 || high > 0xdfff)
		return 6;
	if (high >= 0xdc00 || s.n < 12 || s.p[6] != '\\' || s.p[7] != 'u' || !hex4(slice_sub(s, 8, 4), &low) ||
	    low < 0xdc00 || low > 0xdfff)
		return err_set(err, ERR_SYNTAX, "half a surrogate pair");
	return 12;
}

static int check_text(struct slice s, struct err *err)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n;) {
		uint8_t c = (uint8_t)s.p[i];
		uint32_t point;
		size_t n = 1;

		if (!c)
			return err_set(err, ERR_SYNTAX, "a NUL byte at %zu", i);
		if (c >= 0x80)
			n = text_utf8(slice_sub(s, i, 4), &point);
		if (!n)
			return err_set(err, ERR_SYNTAX, "no UTF-8 at %zu", i);
		if (quoted && c == '\\') {
			int r = check_escape(slice_sub(s, i, 12), err);

			if (r < 0)
				return r;
			n = (size_t)r;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (quoted && c < 0x20) {
			return err_set(err, ERR_SYNTAX, "a control character in a string at %zu", i);
		}
		i += n;
	}
	return 0;
}

/* ---- names ---- */

/* Lower case in the arena; what doesn't fold to ASCII stays as it is, since no field's name has any of it. */
static bool fold(struct arena *a, struct slice name, struct slice *ret)
{
	char *p = arena_alloc(a, name.n + 1);
	size_t n = 0;

	if (!p)
		return false;
	for (size_t i = 0; i < name.n;) {
		uint32_t point = 0;
		size_t bytes = text_utf8(slice_sub(name, i, 4), &point);

		bytes = bytes ? bytes : 1;
		if (point == 0x17f) {
			p[n++] = 's';
		} else if (point == 0x212a) {
			p[n++] = 'k';
		} else if (bytes == 1) {
			char c = name.p[i];

			p[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		} else {
			memcpy(p + n, name.p + i, bytes);
			n += bytes;
		}
		i += bytes;
	}
	p[n] = 0;
	*ret = (struct slice){ p, n };
	return true;
}

static int by_folded(const void *a, const void *b)
{
	const struct authz_body *x = *(const struct authz_body *const *)a, *y = *(const struct authz_body *const *)b;
	size_t n = x->folded.n < y->folded.n ? x->folded.n : y->folded.n;
	int order = n ? memcmp(x->folded.p, y->folded.p, n) : 0;

	return order ? order : (x->folded.n > y->folded.n) - (x->folded.n < y->folded.n);
}

static int check_members(struct reader *r, const struct authz_body *o)
{
	const struct authz_body **v = arena_zalloc(r->arena, o->count + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return err_set(r->err, ERR_LIMIT, "JSON is too large");
	for (const struct authz_body *m = o->first; m; m = m->next)
		v[n++] = m;
	qsort(v, n, sizeof(*v), by_folded);
	for (size_t i = 1; i < n; i++)
		if (slice_eq(v[i - 1]->folded, v[i]->folded))
			return err_set(r->err, ERR_SYNTAX, "two members that Go reads as one: '%.*s' and '%.*s'",
				       (int)(v[i - 1]->name.n > 60 ? 60 : v[i - 1]->name.n), v[i - 1]->name.p,
				       (int)(v[i]->name.n > 60 ? 60 : v[i]->name.n), v[i]->name.p);
	return 0;
}

/* ---- yajl's events; it goes on for 1 and stops for 0 ---- */

static bool copy(struct reader *r, const void *p, size_t n, struct slice *ret)
{
	char *text = arena_dup(r->arena, slice_from(p, n));

	if (!text) {
		r->r = err_set(r->err, ERR_LIMIT, "JSON is too large");
		return false;
	}
	*ret = (struct slice){ text, n };
	return true;
}

static struct authz_body *add(struct reader *r, enum authz_json type)
{
	size_t most = r->is_strict ? NODES_MAX : ENGINE_NODES_MAX;
	struct authz_body *b = ++r->nodes > most ? NULL : arena_zalloc(r->arena, 1, sizeof(*b));
	struct authz_body *in = r->depth ? r->stack[r->depth - 1] : NULL;

	if (!b) {
		r->r = err_set(r->err, ERR_LIMIT, "JSON is too large");
		return NULL;
	}
	b->type = type;
	if (!in) {
		r->root = b;
		return b;
	}
	if (in->type == AUTHZ_OBJECT) {
		b->name = r->name;
		b->folded = r->folded;
	}
	*(in->last ? &in->last->next : &in->first) = b;
	in->last = b;
	in->count++;
	return b;
}

static int on_null(void *arg)
{
	return add(arg, AUTHZ_NULL) != NULL;
}

static int on_bool(void *arg, int is_true)
{
	struct authz_body *b = add(arg, AUTHZ_BOOL);

	if (b)
		b->is_true = is_true;
	return b != NULL;
}

static int on_number(void *arg, const char *p, size_t n)
{
	struct authz_body *b = add(arg, AUTHZ_NUMBER);

	return b && copy(arg, p, n, &b->text);
}

static int on_string(void *arg, const unsigned char *p, size_t n)
{
	struct authz_body *b = add(arg, AUTHZ_STRING);

	return b && copy(arg, p, n, &b->text);
}

static int on_key(void *arg, const unsigned char *p, size_t n)
{
	struct reader *r = arg;

	if (!copy(r, p, n, &r->name))
		return 0;
	if (!fold(r->arena, r->name, &r->folded))
		r->r = err_set(r->err, ERR_LIMIT, "JSON is too large");
	return !r->r;
}

static int open_level(struct reader *r, enum authz_json type)
{
	struct authz_body *b = add(r, type);

	if (!b)
		return 0;
	if (r->depth == DEPTH_MAX) {
		r->r = err_set(r->err, ERR_SYNTAX, "JSON is nested deeper than %d", DEPTH_MAX);
		return 0;
	}
	r->stack[r->depth++] = b;
	return 1;
}

static int on_map(void *arg)
{
	return open_level(arg, AUTHZ_OBJECT);
}

static int on_list(void *arg)
{
	return open_level(arg, AUTHZ_LIST);
}

static int on_end(void *arg)
{
	struct reader *r = arg;
	const struct authz_body *b = r->stack[--r->depth];

	if (b->type == AUTHZ_OBJECT && r->is_strict)
		r->r = check_members(r, b);
	return !r->r;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_map_key = on_key,
	.yajl_start_map = on_map,
	.yajl_end_map = on_end,
	.yajl_start_array = on_list,
	.yajl_end_array = on_end,
};

static int read_text(struct slice text, struct arena *a, bool is_strict, const struct authz_body **ret, struct err *err)
{
	struct reader r = { .arena = a, .is_strict = is_strict, .err = err };
	int checked = check_text(text, err);

	if (checked < 0)
		return checked;
	yajl_handle y = yajl_alloc(&callbacks, NULL, &r);
	if (!y)
		return err_set(err, ENOMEM, "JSON");
	yajl_status s = yajl_parse(y, (const unsigned char *)text.p, text.n);
	if (s == yajl_status_ok)
		s = yajl_complete_parse(y);
	yajl_free(y);
	if (r.r < 0)
		return r.r;
	if (s != yajl_status_ok || !r.root || r.depth)
		return err_set(err, ERR_SYNTAX, "no JSON, or more than one");
	*ret = r.root;
	return 0;
}

int authz_body_read(struct slice text, struct arena *a, const struct authz_body **ret, struct err *err)
{
	return read_text(text, a, true, ret, err);
}

int authz_body_of_engine(struct slice text, struct arena *a, const struct authz_body **ret, struct err *err)
{
	return read_text(text, a, false, ret, err);
}

/* ---- looking things up ---- */

const struct authz_body *authz_get(const struct authz_body *o, const char *name)
{
	size_t n = strlen(name);

	if (!o || o->type != AUTHZ_OBJECT)
		return NULL;
	for (const struct authz_body *m = o->first; m; m = m->next) {
		size_t i = 0;

		if (m->folded.n != n || m->type == AUTHZ_NULL)
			continue;
		while (i < n && m->folded.p[i] == (name[i] >= 'A' && name[i] <= 'Z' ? (name[i] | 0x20) : name[i]))
			i++;
		if (i == n)
			return m;
	}
	return NULL;
}

static int wrong(const char *name, const char *what, struct err *err)
{
	return err_set(err, ERR_SYNTAX, "%s is no %s", name, what);
}

int authz_object(const struct authz_body *o, const char *name, const struct authz_body **ret, struct err *err)
{
	*ret = authz_get(o, name);
	return *ret && (*ret)->type != AUTHZ_OBJECT ? wrong(name, "object", err) : 0;
}

int authz_list(const struct authz_body *o, const char *name, const struct authz_body **ret, struct err *err)
{
	*ret = authz_get(o, name);
	return *ret && (*ret)->type != AUTHZ_LIST ? wrong(name, "list", err) : 0;
}

int authz_text(const struct authz_body *o, const char *name, const char **ret, struct err *err)
{
	const struct authz_body *m = authz_get(o, name);

	if (m && m->type != AUTHZ_STRING)
		return wrong(name, "text", err);
	*ret = m ? m->text.p : "";
	return 0;
}

int authz_bool(const struct authz_body *o, const char *name, bool *ret, struct err *err)
{
	const struct authz_body *m = authz_get(o, name);

	if (m && m->type != AUTHZ_BOOL)
		return wrong(name, "true or false", err);
	*ret = m && m->is_true;
	return 0;
}

/* Go reads a number into an int64 only if it is written as one: no point, no exponent. */
int authz_i64(const struct authz_body *o, const char *name, int64_t *ret, struct err *err)
{
	const struct authz_body *m = authz_get(o, name);
	char *end;

	*ret = 0;
	if (!m)
		return 0;
	if (m->type != AUTHZ_NUMBER)
		return wrong(name, "number", err);
	errno = 0;
	*ret = strtoll(m->text.p, &end, 10);
	return errno || *end ? wrong(name, "whole number of 64 bits", err) : 0;
}

int authz_texts(const struct authz_body *o, const char *name, struct arena *a, struct policy_texts *ret, struct err *err)
{
	const struct authz_body *m = authz_get(o, name);
	const char **v;
	size_t n = 0;

	*ret = (struct policy_texts){ 0 };
	if (!m)
		return 0;
	v = arena_zalloc(a, (m->type == AUTHZ_LIST ? m->count : 1) + 1, sizeof(*v));
	if (!v)
		return err_set(err, ERR_LIMIT, "%s is too long", name);
	if (m->type == AUTHZ_STRING) { /* the engine's StrSlice: one text stands for a list of one */
		v[n++] = m->text.p;
	} else if (m->type == AUTHZ_LIST) {
		for (const struct authz_body *e = m->first; e; e = e->next) {
			if (e->type != AUTHZ_STRING && e->type != AUTHZ_NULL)
				return wrong(name, "list of texts", err);
			v[n++] = e->type == AUTHZ_STRING ? e->text.p : "";
		}
	} else {
		return wrong(name, "list of texts", err);
	}
	*ret = (struct policy_texts){ v, n };
	return 0;
}
