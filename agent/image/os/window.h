/* window.h - a part of a blob in memory that moves along, and lines read through it. Bounded. */
#pragma once
#include "agent/image/blob.h"

struct window {
	const struct blob *b; /* borrowed */
	char *p;	      /* owned */
	size_t size;	      /* bytes at most at once */
	uint64_t off;	      /* where in the blob p[0] stands */
	size_t n;	      /* bytes there are */
};

/* Caller frees with window_fini, also after an error. */
int window_init(struct window *w, const struct blob *b, size_t size, struct err *err) WARN_UNUSED;
void window_fini(struct window *w);
static inline void window_finip(struct window *w)
{
	window_fini(w);
}
/* n <= size bytes at off, borrowed until the next call. ERR_CORRUPT where the blob ends before. */
int window_get(struct window *w, uint64_t off, size_t n, const char **ret, struct err *err) WARN_UNUSED;
/* The text from off up to (without) the first `end`, at most max < size bytes of it; ERR_CORRUPT where
 * there is no end within them. */
int window_text(struct window *w, uint64_t off, size_t max, char end, struct slice *ret,
		struct err *err) WARN_UNUSED;

enum {
	LINES_MAX = 8192, /* what is longer is cut: no field asked for is */
	LINES_BYTES_MAX = 256 * 1024 * 1024, /* of a file; ERR_LIMIT past it, for its time's sake */
};

/* Lines of a blob, without their ends ("\n", "\r\n"). */
struct lines {
	struct window w;
	uint64_t off;
	uint32_t number; /* of the line given last, from 1 */
};
/* Caller frees with lines_fini, also after an error. */
int lines_init(struct lines *l, const struct blob *b, struct err *err) WARN_UNUSED;
void lines_fini(struct lines *l);
static inline void lines_finip(struct lines *l)
{
	lines_fini(l);
}
/* 1 and the line, borrowed until the next call; 0 at the end. */
int lines_next(struct lines *l, struct slice *ret, struct err *err) WARN_UNUSED;

/* n bytes of a blob from off on, as a blob. Borrows it; itself must stay where it is. */
struct part {
	struct blob b;
	const struct blob *whole;
	uint64_t off;
};
/* ERR_CORRUPT where the whole ends before. */
int part_init(struct part *p, const struct blob *whole, uint64_t off, uint64_t n, struct err *err) WARN_UNUSED;

/* Numbers where they are not aligned. */
uint16_t get_le16(const void *p);
uint32_t get_le32(const void *p);
uint64_t get_le64(const void *p);
uint16_t get_be16(const void *p);
uint32_t get_be32(const void *p);
uint64_t get_be64(const void *p);
