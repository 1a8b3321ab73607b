/* chan.c - see chan.h. */
#include "agent/image/chan.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct head {
	uint32_t kind, what;
	uint64_t a, b;
};

int chan_send(int sock, enum chan_kind kind, uint32_t what, uint64_t a, uint64_t b, struct slice data, int fd,
	      struct err *err)
{
	struct head h = { kind, what, a, b };
	struct iovec v[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)data.p, data.n } };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = data.n ? 2 : 1 };
	ssize_t n;

	if (data.n > CHAN_DATA_BYTES)
		return err_set(err, ERR_LIMIT, "a message of %zu bytes", data.n);
	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_set(err, errno, "send") : 0;
}

/* The descriptors that came; all but the first are closed at once. Returns how many. */
static size_t take_fds(struct msghdr *m, int *ret)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++, count++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (count)
				close(fd);
			else
				*ret = fd;
		}
	}
	return count;
}

int chan_receive(int sock, struct chan_msg *ret, struct err *err)
{
	struct head h;
	struct iovec v[2] = { { &h, sizeof(h) }, { ret->buf, sizeof(ret->buf) } };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2, .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	ssize_t n;

	ret->fd = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n <= 0)
		return n < 0 ? err_set(err, errno, "receive") : 0;
	size_t fds = take_fds(&m, &ret->fd);
	if ((size_t)n < sizeof(h) || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || fds > 1) {
		if (ret->fd >= 0)
			close(ret->fd);
		ret->fd = -1;
		return err_set(err, ERR_CORRUPT, "a broken message");
	}
	ret->kind = h.kind;
	ret->what = h.what;
	ret->a = h.a;
	ret->b = h.b;
	ret->data = slice_from(ret->buf, (size_t)n - sizeof(h));
	return 1;
}
