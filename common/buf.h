/* buf.h - bytes that grow, up to a cap. A failed append sticks: check buf_failed once at the end. */
#pragma once
#include "common/slice.h"

struct buf {
	char *p;    /* owned; NUL-terminated whenever n > 0 */
	size_t n;   /* bytes, without the NUL */
	size_t size; /* allocated */
	size_t cap; /* most bytes ever; 0 = 64 MiB */
	bool failed; /* the cap or memory was passed; what is there is incomplete */
};

void buf_init(struct buf *b, size_t cap_bytes);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_slice(struct buf *b, struct slice s);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Room for n more bytes at b->p + b->n, for a caller that adds to b->n itself and then calls
 * buf_written. NULL (and the sticky failure) past the cap. */
char *buf_reserve(struct buf *b, size_t n) WARN_UNUSED;
/* n bytes of what buf_reserve gave were filled. */
void buf_written(struct buf *b, size_t n);
/* Forgets the content and the failure, keeps the memory. */
void buf_reset(struct buf *b);
/* Releases the memory; the buffer may be used again. */
void buf_fini(struct buf *b);
static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ b->p, b->n };
}
/* For CLEANUP(buf_finip) on a struct buf. */
static inline void buf_finip(struct buf *b)
{
	buf_fini(b);
}
