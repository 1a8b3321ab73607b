/* wire_client.c - the dialing side: one link (a raw REQ socket and its thread) for each connection.
 *
 * A socket is not used again after its connection ends: what waits in its queues would be sent to
 * the next connection, behind the spool's back. nng's blocking dial is the only one that tells why
 * it failed, so it runs in the link's thread:
 *
 *   WAITING --timer--> DIALING (link's thread) --eventfd--> OPEN --eventfd--> WAITING
 *      ^                   |
 *      +-- failed, late ---+
 *
 * Whatever a link is doing when its time is over, it is let go and ends behind our back. */
#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>

#include <nng/nng.h>

#include "common/text.h"
#include "common/wire_link.h"

enum {
	BACKOFF_MIN_MS = 500,
	BACKOFF_MAX_MS = 30000,
	DIAL_MAX_MS = 12000, /* connect, TLS and nng's greeting */
	OPEN_MAX_MS = 60000, /* a request without a reply for so long no longer counts as open */
};

enum state { WAITING, DIALING, OPEN };

struct open_request {
	uint32_t id;
	uint64_t since_ms; /* 0: free */
};

struct wire_client {
	struct loop *loop;
	const struct wire_client_ops *ops;
	void *arg;
	char *url;
	struct tls_hub *hub;
	enum state state;
	unsigned failures; /* in a row; a reply ends the row */
	uint64_t dial_max_ms;
	struct wire_link *link; /* WAITING: only the first one, which checks the address */
	int fd;			/* eventfd: the link's state changed */
	struct loop_fd *on_recv, *on_change;
	struct loop_timer *timer;
	struct open_request open[WIRE_MAX_OPEN];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Half of the interval is random, so that a fleet does not come back in step. */
static void wait_to_dial(struct wire_client *c)
{
	unsigned doublings = c->failures < 6 ? c->failures : 6;
	uint32_t ms = BACKOFF_MIN_MS << doublings, random;

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	text_random(&random, sizeof(random));
	c->failures++;
	c->state = WAITING;
	loop_timer_once(c->timer, ms / 2 + random % (ms / 2 + 1));
}

static void let_go(struct wire_client *c, unsigned max_ms)
{
	loop_fd_free(c->on_recv);
	c->on_recv = NULL;
	wire_link_close(c->link, max_ms);
	c->link = NULL;
}

static void take_replies(struct wire_client *c)
{
	nng_socket sock = wire_link_socket(c->link);
	nng_msg *m;
	uint32_t id;

	/* Bounded, as the loop's other descriptors want their turn; the rest is still readable. */
	for (unsigned n = 0; n < 4 * WIRE_MAX_OPEN; n++) {
		if (c->state != OPEN || nng_recvmsg(sock, &m, NNG_FLAG_NONBLOCK))
			return;
		if (nng_msg_header_chop_u32(m, &id)) {
			nng_msg_free(m);
			continue;
		}
		id &= ~(uint32_t)WIRE_REQUEST_BIT;
		for (size_t i = 0; i < WIRE_MAX_OPEN; i++)
			if (c->open[i].since_ms && c->open[i].id == id)
				c->open[i].since_ms = 0;
		c->failures = 0;
		if (c->ops->on_reply)
			c->ops->on_reply(c->arg, id, slice_from(nng_msg_body(m), nng_msg_len(m)));
		nng_msg_free(m);
	}
}

static void on_recv(void *arg, int fd, unsigned ready)
{
	(void)fd, (void)ready;
	take_replies(arg);
}

static void end_connection(struct wire_client *c)
{
	let_go(c, 0);
	memset(c->open, 0, sizeof(c->open));
	wait_to_dial(c);
	if (c->ops->on_close)
		c->ops->on_close(c->arg);
}

static void failed(struct wire_client *c, const char *why)
{
	let_go(c, 0);
	wait_to_dial(c);
	if (c->ops->on_failed)
		c->ops->on_failed(c->arg, why);
}

/* The reason the engine gave last; else nng's. */
static void dial_failed(struct wire_client *c, int rv)
{
	struct tls_hub_refusal r, last = {.why = ""};

	while (tls_hub_take(c->hub, &r))
		last = r;
	failed(c, last.why[0] ? last.why : wire_words(rv));
}

static void after_dial(struct wire_client *c, int rv)
{
	int fd;

	loop_timer_stop(c->timer);
	if (!rv)
		rv = nng_socket_get_int(wire_link_socket(c->link), NNG_OPT_RECVFD, &fd);
	if (!rv && !(c->on_recv = loop_fd_new(c->loop, fd, LOOP_READ, on_recv, c)))
		rv = NNG_ENOMEM;
	if (rv) {
		dial_failed(c, rv);
		return;
	}
	c->state = OPEN;
	if (c->ops->on_open)
		c->ops->on_open(c->arg);
}

static void on_change(void *arg, int fd, unsigned ready)
{
	struct wire_client *c = arg;
	uint64_t n;
	int rv;

	(void)ready;
	(void)!read(fd, &n, sizeof(n));
	if (c->state == DIALING && wire_link_has_dialed(c->link, &rv))
		after_dial(c, rv);
	/* Replies that came before the end are good. */
	if (c->state == OPEN && wire_link_is_removed(c->link)) {
		take_replies(c);
		if (c->state == OPEN)
			end_connection(c);
	}
}

static void dial(struct wire_client *c)
{
	struct tls_hub_refusal old;
	int rv = 0;

	while (tls_hub_take(c->hub, &old))
		; /* of a connection that is history */
	if (wire_lost() >= WIRE_MAX_LOST) {
		failed(c, "too many earlier connections have not ended");
		return;
	}
	if (!c->link)
		rv = wire_link_new(c->hub, c->url, c->fd, &c->link);
	if (rv) {
		dial_failed(c, rv);
		return;
	}
	c->state = DIALING;
	wire_link_dial(c->link);
	loop_timer_once(c->timer, c->dial_max_ms);
}

static void on_timer(void *arg)
{
	struct wire_client *c = arg;

	if (c->state == WAITING)
		dial(c);
	else if (c->state == DIALING)
		failed(c, wire_words(NNG_ETIMEDOUT));
}

int wire_client_new(struct loop *l, const char *url, const struct wire_tls *tls,
		    const struct wire_client_ops *ops, void *arg, struct wire_client **ret,
		    struct err *err)
{
	CLEANUP(wire_client_freep) struct wire_client *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(err, ENOMEM, "dial %s", url);
	c->loop = l;
	c->ops = ops;
	c->arg = arg;
	c->dial_max_ms = DIAL_MAX_MS;
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->fd < 0)
		return err_set(err, errno, "make an eventfd");
	int r = tls_hub_new(false, tls, &c->hub, err);
	if (r < 0)
		return err_wrap(err, r, "%s", url);
	c->url = strdup(url);
	c->on_change = loop_fd_new(l, c->fd, LOOP_READ, on_change, c);
	c->timer = loop_timer_new(l, on_timer, c);
	if (!c->url || !c->on_change || !c->timer)
		return err_set(err, ENOMEM, "dial %s", url);
	/* A wrong address is told now, not every 30 s. */
	int rv = wire_link_new(c->hub, url, c->fd, &c->link);
	if (rv)
		return err_wrap(err, wire_err(err, rv, "set up the dialer"), "%s", url);
	loop_timer_once(c->timer, 0);
	*ret = take_ptr(c);
	return 0;
}

/* The slot for id: its own, a free one, or one whose reply will not come any more. */
static struct open_request *slot_for(struct wire_client *c, uint32_t id, uint64_t now)
{
	struct open_request *found = NULL;

	for (size_t i = 0; i < WIRE_MAX_OPEN; i++) {
		struct open_request *o = &c->open[i];

		if (o->since_ms && o->id == id)
			return o;
		if (!o->since_ms || now - o->since_ms > OPEN_MAX_MS)
			found = o;
	}
	return found;
}

int wire_request(struct wire_client *c, uint32_t id, struct slice msg, struct err *err)
{
	uint64_t now = now_ms();
	struct open_request *o;
	nng_msg *m;

	if (msg.n > WIRE_MAX_MESSAGE_BYTES)
		return err_set(err, EMSGSIZE, "send a request of %zu bytes", msg.n);
	if (c->state != OPEN)
		return err_set(err, ENOTCONN, "send a request");
	if (id & WIRE_REQUEST_BIT)
		return err_set(err, EINVAL, "send request %u", id);
	if (!(o = slot_for(c, id, now)))
		return err_set(err, EAGAIN, "%d requests are open", WIRE_MAX_OPEN);
	if (nng_msg_alloc(&m, msg.n))
		return err_set(err, ENOMEM, "send a request");
	if (msg.n)
		memcpy(nng_msg_body(m), msg.p, msg.n);
	int rv = nng_msg_header_append_u32(m, id | WIRE_REQUEST_BIT);
	if (!rv)
		rv = nng_sendmsg(wire_link_socket(c->link), m, NNG_FLAG_NONBLOCK);
	if (rv) {
		nng_msg_free(m);
		return wire_err(err, rv, "send a request");
	}
	*o = (struct open_request){.id = id, .since_ms = now};
	return 0;
}

bool wire_client_is_open(const struct wire_client *c)
{
	return c->state == OPEN;
}

void wire_client_restart(struct wire_client *c)
{
	if (c->state == OPEN)
		end_connection(c);
}

void wire_client_set_dial_max(struct wire_client *c, uint64_t max_ms)
{
	c->dial_max_ms = max_ms;
}

void wire_client_free(struct wire_client *c)
{
	if (!c)
		return;
	loop_timer_free(c->timer);
	loop_fd_free(c->on_change);
	let_go(c, WIRE_CLOSE_MAX_MS);
	tls_hub_free(c->hub);
	if (c->fd >= 0)
		close(c->fd);
	free(c->url);
	free(c);
}
