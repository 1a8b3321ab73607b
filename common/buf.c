/* buf.c - see buf.h. Grows by doubling; one byte is always kept for the NUL. */
#include "common/buf.h"

#include <stdarg.h>

enum { FIRST_SIZE = 64 };
static const size_t default_cap = (size_t)64 << 20;

void buf_init(struct buf *b, size_t cap_bytes)
{
	*b = (struct buf){ .cap = cap_bytes };
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : default_cap;

	/* A failure sticks: pieces after a lost one would make text that was never meant. */
	if (b->failed || n > cap || b->n > cap - n) {
		b->failed = true;
		return NULL;
	}
	size_t need = b->n + n + 1;
	if (need <= b->size)
		return b->p + b->n;
	size_t size = b->size ? b->size : FIRST_SIZE;
	while (size < need)
		size *= 2; /* need <= cap + 1, so this ends long before it overflows */
	if (size > cap + 1)
		size = cap + 1;
	char *p = realloc(b->p, size);
	if (!p) {
		b->failed = true;
		return NULL;
	}
	b->p = p;
	b->size = size;
	return p + b->n;
}

void buf_written(struct buf *b, size_t n)
{
	if (!n)
		return;
	b->n += n;
	b->p[b->n] = 0;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (!n)
		return;
	char *dst = buf_reserve(b, n);
	if (!dst)
		return;
	memcpy(dst, p, n);
	buf_written(b, n);
}

void buf_add_slice(struct buf *b, struct slice s)
{
	buf_add(b, s.p, s.n);
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add_slice(b, slice_of(s));
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *dst = n < 0 ? NULL : buf_reserve(b, (size_t)n);
	if (dst) {
		vsnprintf(dst, (size_t)n + 1, fmt, again);
		buf_written(b, (size_t)n);
	} else {
		b->failed = true;
	}
	va_end(again);
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	b->failed = false;
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .cap = b->cap };
}
