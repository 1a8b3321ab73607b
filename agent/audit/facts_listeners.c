/* facts_listeners.c - ports that something in a network namespace listens on.
 *
 * By sock_diag, asked for listening sockets alone: /proc/PID/net/tcp walks the host's whole table of connections for
 * each container, milliseconds on a large host. sock_diag speaks of the namespace it is opened in, so a thread goes
 * there; where that fails the tables of /proc say it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "agent/audit/facts_priv.h"

enum { ANSWER_BYTES = 32768, NET_BYTES = 2 << 20, TCP_IS_LISTENING = 10, UDP_IS_UNCONNECTED = 7 };

static const struct table {
	const char *file, *protocol;
	uint8_t family, number;
	unsigned state;
} tables[] = {
	{ "net/tcp", "tcp", AF_INET, IPPROTO_TCP, TCP_IS_LISTENING },
	{ "net/tcp6", "tcp6", AF_INET6, IPPROTO_TCP, TCP_IS_LISTENING },
	{ "net/udp", "udp", AF_INET, IPPROTO_UDP, UDP_IS_UNCONNECTED },
	{ "net/udp6", "udp6", AF_INET6, IPPROTO_UDP, UDP_IS_UNCONNECTED },
};

struct found {
	uint8_t address[16];
	uint16_t port;
	uint8_t table;
};
struct work {
	int dir; /* of the process's /proc folder */
	int code;
	struct found v[FACTS_LISTENERS_MAX];
	size_t count;
};

/* ---- sock_diag ---- */

static void add_message(struct work *w, const struct inet_diag_msg *m, size_t table)
{
	static const uint32_t nobody[4];
	size_t bytes = tables[table].family == AF_INET ? 4 : 16;

	if (m->idiag_family != tables[table].family || !m->id.idiag_sport || m->id.idiag_dport ||
	    memcmp(m->id.idiag_dst, nobody, bytes) || w->count >= FACTS_LISTENERS_MAX)
		return;
	struct found *f = &w->v[w->count++];
	f->port = ntohs(m->id.idiag_sport);
	f->table = (uint8_t)table;
	memcpy(f->address, m->id.idiag_src, bytes);
}

/* 1 the end, 0 go on, -errno. */
static int read_answer(struct work *w, size_t table, const char *p, size_t left)
{
	while (left >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const void *)p;
		const struct nlmsgerr *e = NLMSG_DATA(h);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > left)
			return -EPROTO;
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0 ? e->error : -EPROTO;
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			add_message(w, NLMSG_DATA(h), table);
		size_t step = NLMSG_ALIGN(h->nlmsg_len);
		if (step >= left)
			break;
		p += step;
		left -= step;
	}
	return 0;
}

static int ask(struct work *w, int fd, size_t table, char *answer)
{
	const struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} q = {
		.h = { .nlmsg_len = sizeof(q),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = tables[table].family,
		       .sdiag_protocol = tables[table].number,
		       .idiag_states = 1U << tables[table].state },
	};

	if (send(fd, &q, sizeof(q), 0) != (ssize_t)sizeof(q))
		return -errno;
	for (;;) {
		ssize_t n = recv(fd, answer, ANSWER_BYTES, 0);

		if (n < 0 && errno == EINTR)
			continue;
		int r = n <= 0 ? -(n ? errno : EPROTO) : read_answer(w, table, answer, (size_t)n);
		if (r)
			return r < 0 ? r : 0;
	}
}

static void *ask_there(void *arg)
{
	struct work *w = arg;
	const struct timeval patience = { .tv_usec = 200000 };
	CLEANUP(freep) char *answer = malloc(ANSWER_BYTES);
	CLEANUP(fd_closep) int ns = openat(w->dir, "ns/net", O_RDONLY | O_CLOEXEC);

	w->code = -EIO;
	if (!answer || ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		return NULL;
	CLEANUP(fd_closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return NULL;
	w->code = 0;
	for (size_t i = 0; i < ARRAY_LEN(tables) && w->code == 0; i++)
		w->code = ask(w, fd, i, answer);
	return NULL;
}

static void keep(const struct work *w, struct facts_out *o, struct facts_real *r)
{
	r->listeners = facts_rows(o, w->count, sizeof(*r->listeners));
	for (size_t i = 0; r->listeners && i < w->count; i++) {
		const struct table *t = &tables[w->v[i].table];
		char text[INET6_ADDRSTRLEN] = "";

		if (!inet_ntop(t->family, w->v[i].address, text, sizeof(text)))
			continue;
		r->listeners[r->listener_count++] = (struct facts_listener){
			.address = facts_text(o, slice_of(text)),
			.port = w->v[i].port,
			.protocol = t->protocol,
		};
	}
}

/* ---- /proc ---- */

static void read_tables(int dir, struct facts_out *o, struct facts_real *r)
{
	r->listeners = facts_rows(o, FACTS_LISTENERS_MAX, sizeof(*r->listeners));
	for (size_t i = 0; r->listeners && i < ARRAY_LEN(tables); i++) {
		CLEANUP(buf_finip) struct buf b = { 0 };
		struct facts_listener *v = NULL;
		size_t count = 0;

		/* Those that listen come first, so a cut table has them. */
		if (facts_read_at(dir, tables[i].file, NET_BYTES, &b) < 0 ||
		    facts_parse_sockets(buf_slice(&b), tables[i].protocol, o->a, &v, &count, NULL) < 0)
			continue;
		for (size_t n = 0; n < count && r->listener_count < FACTS_LISTENERS_MAX; n++)
			r->listeners[r->listener_count++] = v[n];
	}
}

void facts_read_listeners(int dir, struct facts_out *o, struct facts_real *r)
{
	CLEANUP(freep) struct work *w = calloc(1, sizeof(*w));

	if (!w) {
		o->failed = true;
		return;
	}
	w->dir = dir;
	if (facts_in_thread(ask_there, w) == 0 && w->code == 0)
		keep(w, o, r);
	else
		read_tables(dir, o, r);
}
