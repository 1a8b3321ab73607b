/* watched.c - see watched.h. */
#include "agent/watched.h"

/* Writes of the host's programs, of any name, told when they succeed. */
static bool is_of_writes(const struct filter_row *r)
{
	return filter_row_has_call(r, CALL_OPENAT) && (r->outcome & FILTER_OK) && (r->access & FILTER_WRITE) &&
	       (r->where & FILTER_HOST) && !r->comm_count && !r->port_count && !(r->raw_count && r->raws_bind_success);
}

/* "/etc/" is the folder; "/etc" as a prefix is at least the file or folder of that name. */
static void add(struct slice path, size_t *count, struct buf *out)
{
	size_t n = path.n;

	while (n > 1 && path.p[n - 1] == '/')
		n--;
	if (!n || path.p[0] != '/' || memchr(path.p, '\n', path.n) || *count >= WATCHED_MAX || out->n + n + 1 > WATCHED_BYTES)
		return;
	buf_add(out, path.p, n);
	buf_add_char(out, '\n');
	++*count;
}

void watched_paths(const struct filter *f, struct buf *out)
{
	size_t count = 0;

	for (size_t i = 0; i < f->row_count; i++) {
		const struct filter_row *r = &f->rows[i];

		if (!is_of_writes(r))
			continue;
		if (!r->path_count)
			add(SLICE_LIT("/"), &count, out);
		for (size_t k = 0; k < r->path_count; k++)
			if (r->paths[k].kind == FILTER_EXACT || r->paths[k].kind == FILTER_PREFIX)
				add(r->paths[k].text, &count, out);
	}
}
