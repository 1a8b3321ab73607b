/* blob.c - see blob.h. */
#include "agent/image/blob.h"

#include <errno.h>

static int read_slice(void *arg, uint64_t off, void *buf, size_t n, size_t *ret_n, struct err *err)
{
	const struct slice *s = arg;
	size_t left = off < s->n ? s->n - (size_t)off : 0;

	(void)err;
	if (n > left)
		n = left;
	if (n)
		memcpy(buf, s->p + off, n);
	*ret_n = n;
	return 0;
}

struct blob blob_from_slice(const struct slice *s)
{
	return (struct blob){ .size = s->n, .read_at = read_slice, .arg = (void *)(uintptr_t)s };
}

static int read_fd(void *arg, uint64_t off, void *buf, size_t n, size_t *ret_n, struct err *err)
{
	const int *fd = arg;
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(*fd, (char *)buf + got, n - got, (off_t)(off + got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_set(err, errno, "read at %llu", (unsigned long long)off);
		if (!r)
			break;
		got += (size_t)r;
	}
	*ret_n = got;
	return 0;
}

struct blob blob_from_fd(const int *fd, uint64_t size)
{
	return (struct blob){ .size = size, .read_at = read_fd, .arg = (void *)(uintptr_t)fd };
}

int blob_read(const struct blob *b, uint64_t off, void *buf, size_t n, struct err *err)
{
	size_t got = 0;

	if (off > b->size || n > b->size - off)
		return err_set(err, ERR_CORRUPT, "the file ends at %llu, %zu bytes wanted at %llu",
			       (unsigned long long)b->size, n, (unsigned long long)off);
	int r = b->read_at(b->arg, off, buf, n, &got, err);
	if (r < 0)
		return r;
	return got == n ? 0 : err_set(err, ERR_CORRUPT, "the file was cut while it was read");
}
