/* doc.c - the path of a value; see doc.h. */
#include "agent/image/lang/doc.h"

#include "agent/image/lang/doc_priv.h"

void doc_init(struct doc *d, doc_fn fn, void *arg, struct err *err)
{
	*d = (struct doc){ .fn = fn, .arg = arg, .err = err };
	buf_init(&d->keys, DOC_PATH_MAX);
}

void doc_fini(struct doc *d)
{
	buf_fini(&d->keys);
}

int doc_set_key(struct doc *d, struct slice key)
{
	struct doc_open *o = &d->open[d->depth - 1];

	d->keys.n = o->key_at;
	buf_add_slice(&d->keys, key);
	if (d->keys.failed)
		return err_set(d->err, ERR_LIMIT, "names longer than %d bytes in all", DOC_PATH_MAX);
	o->key_n = (uint32_t)key.n;
	return 0;
}

static int open_level(struct doc *d, bool is_list)
{
	int r = d->fn(d->arg, d, is_list ? DOC_LIST : DOC_MAP, SLICE_NONE);

	if (r)
		return r;
	if (d->depth == DOC_DEPTH_MAX)
		return err_set(d->err, ERR_LIMIT, "nested deeper than %d", DOC_DEPTH_MAX);
	d->open[d->depth++] = (struct doc_open){ .key_at = (uint32_t)d->keys.n, .is_list = is_list };
	return 0;
}

int doc_open_map(struct doc *d)
{
	return open_level(d, false);
}

int doc_open_list(struct doc *d)
{
	return open_level(d, true);
}

int doc_close(struct doc *d)
{
	bool is_list = d->open[--d->depth].is_list;

	d->keys.n = d->open[d->depth].key_at;
	return d->fn(d->arg, d, is_list ? DOC_LIST_END : DOC_MAP_END, SLICE_NONE);
}

int doc_value(struct doc *d, enum doc_event e, struct slice text)
{
	return d->fn(d->arg, d, e, text);
}

size_t doc_depth(const struct doc *d)
{
	return d->depth;
}

struct slice doc_key(const struct doc *d, size_t level)
{
	if (level >= d->depth || !d->open[level].key_n)
		return SLICE_NONE;
	return slice_from(d->keys.p + d->open[level].key_at, d->open[level].key_n);
}

bool doc_is(const struct doc *d, size_t level, const char *pattern)
{
	struct slice rest = *pattern ? slice_of(pattern) : SLICE_NONE, part;

	for (; slice_split(&rest, '/', &part); level++) {
		if (level >= d->depth || d->open[level].is_list != slice_is(part, "#"))
			return false;
		if (d->open[level].is_list || slice_is(part, "*"))
			continue;
		if (!slice_eq(part, doc_key(d, level)))
			return false;
	}
	return level == d->depth;
}

size_t doc_line(struct slice text, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at && i < text.n; i++)
		line += text.p[i] == '\n';
	return line;
}
