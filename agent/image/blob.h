/* blob.h - a file inside an image, readable at any offset, never in memory as a whole. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

struct blob {
	uint64_t size; /* bytes */
	/* Reads up to n bytes at off. *ret_n < n only at the end. */
	int (*read_at)(void *arg, uint64_t off, void *buf, size_t n, size_t *ret_n, struct err *err);
	void *arg;
};

/* s is borrowed as long as the blob is used: keep it beside. */
struct blob blob_from_slice(const struct slice *s);
/* fd borrowed; regular file. */
struct blob blob_from_fd(const int *fd, uint64_t size);
/* Exactly n bytes or ERR_CORRUPT (the file ends before). */
int blob_read(const struct blob *b, uint64_t off, void *buf, size_t n, struct err *err) WARN_UNUSED;
