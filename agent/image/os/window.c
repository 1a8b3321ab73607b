/* window.c - see window.h. */
#include "agent/image/os/window.h"

#include <errno.h>

int window_init(struct window *w, const struct blob *b, size_t size, struct err *err)
{
	*w = (struct window){ .b = b, .size = size, .p = malloc(size) };
	return w->p ? 0 : err_set(err, ENOMEM, "read a file");
}

void window_fini(struct window *w)
{
	free(w->p);
	w->p = NULL;
}

/* As much as there is from off on. */
static int fill(struct window *w, uint64_t off, struct err *err)
{
	uint64_t left = off < w->b->size ? w->b->size - off : 0;
	size_t n = left < w->size ? (size_t)left : w->size;

	w->n = 0;
	int r = n ? blob_read(w->b, off, w->p, n, err) : 0;
	if (r < 0)
		return r;
	w->off = off;
	w->n = n;
	return 0;
}

static size_t have(const struct window *w, uint64_t off)
{
	return off >= w->off && off - w->off < w->n ? w->n - (size_t)(off - w->off) : 0;
}

int window_get(struct window *w, uint64_t off, size_t n, const char **ret, struct err *err)
{
	if (n > w->size)
		return err_set(err, ERR_LIMIT, "%zu bytes in one piece at %llu", n, (unsigned long long)off);
	if (have(w, off) < n) {
		int r = fill(w, off, err);

		if (r < 0)
			return r;
	}
	if (have(w, off) < n)
		return err_set(err, ERR_CORRUPT, "the file ends at %llu, %zu bytes wanted at %llu",
			       (unsigned long long)w->b->size, n, (unsigned long long)off);
	*ret = n ? w->p + (off - w->off) : w->p;
	return 0;
}

int window_text(struct window *w, uint64_t off, size_t max, char end, struct slice *ret, struct err *err)
{
	for (int try = 0; try < 2; try++) {
		size_t n = have(w, off);
		const char *at = n ? w->p + (off - w->off) : w->p;
		const char *stop = memchr(at, end, n <= max ? n : max + 1);

		if (stop) {
			*ret = slice_from(at, (size_t)(stop - at));
			return 0;
		}
		int r = n > max || try ? 0 : fill(w, off, err);
		if (r < 0)
			return r;
	}
	return err_set(err, ERR_CORRUPT, "a text without an end at %llu", (unsigned long long)off);
}

int lines_init(struct lines *l, const struct blob *b, struct err *err)
{
	*l = (struct lines){ 0 };
	return window_init(&l->w, b, 8 * LINES_MAX, err);
}

void lines_fini(struct lines *l)
{
	window_fini(&l->w);
}

/* Leaves l->off after the next line's end. */
static int skip_line(struct lines *l, struct err *err)
{
	while (l->off < l->w.b->size && l->off <= LINES_BYTES_MAX) {
		int r = have(&l->w, l->off) ? 0 : fill(&l->w, l->off, err);

		if (r < 0)
			return r;
		size_t n = have(&l->w, l->off);
		const char *at = l->w.p + (l->off - l->w.off), *end = memchr(at, '\n', n);
		l->off += end ? (size_t)(end - at) + 1 : n;
		if (end)
			break;
	}
	return 0;
}

int lines_next(struct lines *l, struct slice *ret, struct err *err)
{
	uint64_t left = l->off < l->w.b->size ? l->w.b->size - l->off : 0;
	size_t n = left < LINES_MAX ? (size_t)left : LINES_MAX;
	const char *at;

	if (!left)
		return 0;
	if (l->off > LINES_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a text of more than %d bytes", LINES_BYTES_MAX);
	l->number++;
	int r = window_get(&l->w, l->off, n, &at, err);
	if (r < 0)
		return r;
	const char *end = memchr(at, '\n', n);
	if (!end && n == LINES_MAX) {
		/* The rest of the line is skipped first: that moves the window, so the line is got again. */
		uint64_t start = l->off;

		r = skip_line(l, err);
		if (r >= 0)
			r = window_get(&l->w, start, n, &at, err);
		*ret = slice_from(at, n);
		return r < 0 ? r : 1;
	}
	*ret = slice_from(at, end ? (size_t)(end - at) : n);
	l->off += ret->n + (end ? 1 : 0);
	if (ret->n && ret->p[ret->n - 1] == '\r')
		ret->n--;
	return 1;
}

static int read_part(void *arg, uint64_t off, void *buf, size_t n, size_t *ret_n, struct err *err)
{
	const struct part *p = arg;
	uint64_t left = off < p->b.size ? p->b.size - off : 0;

	*ret_n = 0;
	if (n > left)
		n = (size_t)left;
	return n ? p->whole->read_at(p->whole->arg, p->off + off, buf, n, ret_n, err) : 0;
}

int part_init(struct part *p, const struct blob *whole, uint64_t off, uint64_t n, struct err *err)
{
	if (off > whole->size || n > whole->size - off)
		return err_set(err, ERR_CORRUPT, "the file ends at %llu, %llu bytes should be at %llu",
			       (unsigned long long)whole->size, (unsigned long long)n, (unsigned long long)off);
	*p = (struct part){ .b = { .size = n, .read_at = read_part, .arg = p }, .whole = whole, .off = off };
	return 0;
}

uint16_t get_le16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

uint32_t get_le32(const void *p)
{
	return get_le16(p) | (uint32_t)get_le16((const char *)p + 2) << 16;
}

uint64_t get_le64(const void *p)
{
	return get_le32(p) | (uint64_t)get_le32((const char *)p + 4) << 32;
}

uint16_t get_be16(const void *p)
{
	return __builtin_bswap16(get_le16(p));
}

uint32_t get_be32(const void *p)
{
	return __builtin_bswap32(get_le32(p));
}

uint64_t get_be64(const void *p)
{
	return __builtin_bswap64(get_le64(p));
}
