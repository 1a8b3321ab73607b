/* links.c - links inside an image: where a path leads, and which package databases stand behind one. */
#include <errno.h>

#include "agent/image/image_limits.h"
#include "agent/image/merge.h"
#include "agent/image/path.h"
#include "common/arena.h"
#include "proto/limits.h"

static const struct facts_link *find_link(const struct merged *m, struct slice path)
{
	for (size_t i = m->link_count; i-- > 0;)
		if (!m->links[i].is_hard && slice_is(path, m->links[i].path))
			return &m->links[i];
	return NULL;
}

/* The first component that is a link replaced by its target; false: none is. */
static bool follow_one(const struct merged *m, struct slice path, char *dst, struct slice *ret, bool *ret_ok)
{
	for (size_t i = 1; i <= path.n; i++) {
		if (i < path.n && path.p[i] != '/')
			continue;
		const struct facts_link *l = find_link(m, slice_sub(path, 0, i));
		char target[LIMIT_PATH_BYTES + 1];

		if (!l)
			continue;
		struct slice rest = slice_sub(path, i, path.n);
		*ret_ok = path_join(slice_of(l->path), slice_of(l->target), target, ret) &&
			  ret->n + rest.n <= LIMIT_PATH_BYTES;
		if (!*ret_ok)
			return true;
		/* the link's folder may end at the root */
		if (!ret->n && rest.n)
			rest = slice_sub(rest, 1, rest.n);
		size_t n = ret->n;
		if (rest.n)
			memmove(dst + n, rest.p, rest.n); /* rest may lie in dst */
		memcpy(dst, target, n);
		dst[n + rest.n] = 0;
		*ret = slice_from(dst, n + rest.n);
		return true;
	}
	return false;
}

bool merged_resolve(const struct merged *m, struct slice path, char *dst, struct slice *ret)
{
	bool ok = true;

	if (path.n > LIMIT_PATH_BYTES)
		return false;
	memcpy(dst, path.p, path.n);
	dst[path.n] = 0;
	path.p = dst;
	for (size_t hops = 0; hops <= IMAGE_LINK_HOPS; hops++) {
		if (!follow_one(m, path, dst, ret, &ok)) {
			*ret = path;
			return true;
		}
		if (!ok)
			return false;
		path = *ret;
	}
	return false;
}

/* ---- aliases ---- */

static bool has_key(const struct merged *m, uint64_t hash, enum facts_tag tag)
{
	for (size_t i = 0; i < m->layer_count; i++) {
		const struct facts f = { .keys = m->layers[i].keys, .key_count = m->layers[i].key_count };

		if (facts_has(&f, hash, tag))
			return true;
	}
	return false;
}

/* Does something stand there in any layer, or a link on the way that nobody has looked at yet? */
static bool may_exist(const struct merged *m, struct slice path)
{
	uint64_t h = path_hash(path);

	if (has_key(m, h, FACTS_FILE) || has_key(m, h, FACTS_FOLDER))
		return true;
	for (path = path_folder(path); path.n; path = path_folder(path))
		if (has_key(m, path_hash(path), FACTS_FILE))
			return true;
	return false;
}

struct finding {
	struct merged *m;
	struct arena *arena;
	struct facts_alias *list;
	size_t max, count;
};

static int add(struct finding *f, struct slice real, struct slice name, bool is_hard, struct err *err)
{
	for (size_t i = 0; i < f->count; i++)
		if (slice_eq(f->list[i].real, real) && slice_eq(f->list[i].name, name))
			return 0;
	if (f->count >= f->max)
		return 0;
	char *r = arena_dup(f->arena, real), *n = arena_dup(f->arena, name);
	if (!r || !n)
		return err_set(err, ENOMEM, "follow links");
	f->list[f->count++] = (struct facts_alias){ slice_from(r, real.n), slice_from(n, name.n), is_hard };
	return 0;
}

static void tell_circle(struct merged *m, struct slice path)
{
	static const char why[] = ": its links lead in a circle\n";

	if (m->problem_count >= LIMIT_PROBLEMS || slice_find(buf_slice(&m->problems), slice_of(why)) >= 0)
		return;
	buf_add_slice(&m->problems, path);
	buf_add_str(&m->problems, why);
	m->problem_count++;
}

/* Does a row with the same parser want the real path by itself? */
static bool is_wanted_anyway(const struct matcher *matcher, const struct pkg_parser *p, struct slice real)
{
	uint16_t found[MATCH_FOUND_MAX];

	for (size_t n = matcher_find(matcher, real, found); n; n--) {
		const struct pkg_parser *q = matcher_row(matcher, found[n - 1]);
		if (q->parse == p->parse && q->read == p->read)
			return true;
	}
	return false;
}

/* p: nullable, the parser that wants the file `name`. */
static int add_fixed(struct finding *f, const struct matcher *matcher, const struct pkg_parser *p,
		     struct slice name, struct err *err)
{
	char dst[LIMIT_PATH_BYTES + 1];
	struct slice real;

	if (!name.n)
		return 0;
	if (!merged_resolve(f->m, name, dst, &real)) {
		tell_circle(f->m, name);
		return 0;
	}
	if (slice_eq(real, name) || !real.n || !may_exist(f->m, real) ||
	    (p && p->match == PKG_PATH && is_wanted_anyway(matcher, p, real)))
		return 0;
	return add(f, real, name, false, err);
}

int merged_aliases(struct merged *m, const struct matcher *matcher, struct arena *a, struct facts_alias *list,
		   size_t max, size_t *count, struct err *err)
{
	struct finding f = { m, a, list, max < IMAGE_ALIASES ? max : IMAGE_ALIASES, *count };
	char dst[LIMIT_PATH_BYTES + 1];
	struct slice path;
	int r = 0;

	for (size_t i = 0; r >= 0 && matcher_fixed(matcher, i, &path); i++)
		r = add_fixed(&f, matcher, matcher_row(matcher, (uint16_t)i), path, err);
	/* os-release is found behind its usual link without another look */
	if (r >= 0 && merged_resolve(m, SLICE_LIT("etc/os-release"), dst, &path) &&
	    !slice_is(path, "usr/lib/os-release"))
		r = add_fixed(&f, matcher, NULL, SLICE_LIT("etc/os-release"), err);
	if (r >= 0)
		r = add_fixed(&f, matcher, NULL, SLICE_LIT("etc/passwd"), err);
	f.max = max;
	for (size_t i = 0; r >= 0 && i < m->link_count; i++)
		if (m->links[i].is_hard)
			r = add(&f, slice_of(m->links[i].target), slice_of(m->links[i].path), true, err);
	if (r >= 0)
		r = f.count > *count;
	*count = f.count;
	return r;
}
