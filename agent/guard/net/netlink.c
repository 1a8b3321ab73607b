/* netlink.c - see netlink.h. */
#include "agent/guard/net/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { ANSWER_MAX = 64 << 10, REQUEST_MAX = 256 };

bool netlink_attr(struct slice *rest, uint16_t *ret_type, struct slice *ret_value)
{
	struct rtattr a;

	if (rest->n < sizeof(a))
		return false;
	memcpy(&a, rest->p, sizeof(a));
	if (a.rta_len < sizeof(a) || a.rta_len > rest->n)
		return false;
	*ret_type = a.rta_type & NLA_TYPE_MASK;
	*ret_value = slice_from(rest->p + sizeof(a), a.rta_len - sizeof(a));
	size_t step = NLMSG_ALIGN((size_t)a.rta_len);
	*rest = step < rest->n ? slice_from(rest->p + step, rest->n - step) : SLICE_NONE;
	return true;
}

/* 1: there is more to come. */
static int take_answers(struct slice data, bool is_dump, void (*fn)(void *, uint16_t, struct slice), void *arg,
			struct err *err)
{
	while (data.n >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;

		memcpy(&h, data.p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > data.n)
			return err_set(err, ERR_CORRUPT, "an answer of netlink");
		struct slice payload = slice_from(data.p + sizeof(h), h.nlmsg_len - sizeof(h));
		if (h.nlmsg_type == NLMSG_DONE)
			return 0;
		if (h.nlmsg_type == NLMSG_ERROR) {
			int code = -EIO;

			if (payload.n >= sizeof(code))
				memcpy(&code, payload.p, sizeof(code));
			return code ? err_set(err, code < 0 ? -code : code, "netlink") : 0;
		}
		if (fn)
			fn(arg, h.nlmsg_type, payload);
		if (!is_dump)
			return 0;
		size_t step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		data = step < data.n ? slice_from(data.p + step, data.n - step) : SLICE_NONE;
	}
	return 1;
}

int netlink_ask(int fd, uint16_t type, uint16_t flags, struct slice payload,
		void (*fn)(void *arg, uint16_t type, struct slice payload), void *arg, struct err *err)
{
	CLEANUP(freep) char *answer = malloc(ANSWER_MAX);
	char request[REQUEST_MAX] = "";
	struct nlmsghdr h = { .nlmsg_len = (uint32_t)(sizeof(h) + payload.n), .nlmsg_type = type,
			      .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 1 };
	struct timeval patience = { 2, 0 };

	if (!answer)
		return err_set(err, ENOMEM, "netlink");
	if (sizeof(h) + payload.n > sizeof(request))
		return err_set(err, EINVAL, "a long request of netlink");
	memcpy(request, &h, sizeof(h));
	memcpy(request + sizeof(h), payload.p, payload.n);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(fd, request, sizeof(h) + payload.n, 0) < 0)
		return err_set(err, errno, "ask netlink");
	for (;;) {
		ssize_t n = recv(fd, answer, ANSWER_MAX, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(err, n ? errno : EIO, "netlink's answer");
		int r = take_answers(slice_from(answer, (size_t)n), flags & NLM_F_DUMP, fn, arg, err);
		if (r <= 0)
			return r;
	}
}
