/* wire_client.c - the dialing side: one raw REQ socket for each connection.
 *
 * A socket is not used again after its connection ends: what waits in its queues would be sent to
 * the next connection, behind the spool's back. nng's blocking dial is the only one that tells why
 * it failed, so it runs in a thread of its own, which owns nothing but the dialer's number and its
 * result:
 *
 *   WAITING --timer--> DIALING (thread) --eventfd--> OPEN --REM_POST, eventfd--> WAITING
 *      ^                   |
 *      +---- failed -------+ */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include <nng/nng.h>

#include <nng/protocol/reqrep0/req.h>

#include "common/text.h"
#include "common/wire_priv.h"

enum {
	QUEUE = WIRE_MAX_OPEN, /* so that the socket takes whatever wire_request lets through */
	BACKOFF_MIN_MS = 500,
	BACKOFF_MAX_MS = 30000,
	DIAL_MAX_MS = 12000, /* connect, TLS and nng's greeting */
	OPEN_MAX_MS = 60000, /* a request without a reply for so long no longer counts as open */
	STOP_MAX_MS = 3000,
	STOP_AGAIN_MS = 100,
	DIAL_STACK_BYTES = 128 * 1024,
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
	bool timed_out;

	nng_socket sock;
	bool has_sock;
	nng_dialer dialer;
	pthread_t thread;
	int fd;		  /* eventfd: dialed or removed changed */
	int dial_rv;	  /* the thread's, before dialed */
	bool dialed;	  /* atomic */

	pthread_mutex_t mutex; /* guards the next two */
	int conn_fd;	       /* of the open pipe; -1: none */
	bool removed;

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

static void wake(struct wire_client *c)
{
	uint64_t one = 1;

	(void)!write(c->fd, &one, sizeof(one));
}

/* ---- other threads ---- */

static void *dial_thread(void *arg)
{
	struct wire_client *c = arg;

	c->dial_rv = nng_dialer_start(c->dialer, 0);
	__atomic_store_n(&c->dialed, true, __ATOMIC_RELEASE);
	wake(c);
	return NULL;
}

/* Tells the engine that this connection is negotiated. */
static void on_pipe_added(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct wire_client *c = arg;
	struct tls_hub_conn conn;

	(void)ev;
	if (!tls_hub_conn(pipe, &conn)) {
		nng_pipe_close(pipe);
		return;
	}
	pthread_mutex_lock(&c->mutex);
	c->conn_fd = conn.fd;
	pthread_mutex_unlock(&c->mutex);
}

static void on_pipe_removed(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct wire_client *c = arg;

	(void)pipe, (void)ev;
	pthread_mutex_lock(&c->mutex);
	c->conn_fd = -1;
	c->removed = true;
	pthread_mutex_unlock(&c->mutex);
	wake(c);
}

/* ---- the loop ---- */

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

static bool is_removed(struct wire_client *c)
{
	pthread_mutex_lock(&c->mutex);
	bool removed = c->removed;
	pthread_mutex_unlock(&c->mutex);
	return removed;
}

/* From below, and waiting until nng has noticed: see fault 4 in nng_guard.h. */
static void stop_pipe(struct wire_client *c)
{
	const struct timespec ms = {.tv_nsec = 1000000};
	bool is_there = true;

	for (unsigned waited = 0; is_there && waited < STOP_MAX_MS; waited++) {
		pthread_mutex_lock(&c->mutex);
		is_there = c->conn_fd >= 0;
		if (is_there)
			shutdown(c->conn_fd, SHUT_RDWR);
		pthread_mutex_unlock(&c->mutex);
		/* A pipe whose message nobody takes does not look at its connection. */
		nng_msg *m;
		while (is_there && !nng_recvmsg(c->sock, &m, NNG_FLAG_NONBLOCK))
			nng_msg_free(m);
		if (is_there)
			nanosleep(&ms, NULL);
	}
}

static void close_socket(struct wire_client *c)
{
	loop_fd_free(c->on_recv);
	c->on_recv = NULL;
	if (!c->has_sock)
		return;
	stop_pipe(c);
	nng_close(c->sock);
	c->has_sock = false;
}

/* Makes the dial thread end soon; to be called again until it has. Once no connection is expected
 * any more, none can begin, and nng_dialer_close is safe: what connects just now is turned away, and
 * the dial told so. (With one that begins meanwhile, nng would forget to wake the dial.) If one has
 * begun, ending it ends the dial; it may not be in the hub's list for a moment yet. */
static void stop_dial(struct wire_client *c)
{
	if (tls_hub_unexpect(c->hub))
		nng_dialer_close(c->dialer);
	else
		tls_hub_cut_all(c->hub);
}

static void take_replies(struct wire_client *c)
{
	nng_msg *m;
	uint32_t id;

	/* Bounded, as the loop's other descriptors want their turn; the rest is still readable. */
	for (unsigned n = 0; n < 4 * WIRE_MAX_OPEN; n++) {
		if (c->state != OPEN || nng_recvmsg(c->sock, &m, NNG_FLAG_NONBLOCK))
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
	close_socket(c);
	memset(c->open, 0, sizeof(c->open));
	wait_to_dial(c);
	if (c->ops->on_close)
		c->ops->on_close(c->arg);
}

/* The reason the engine gave last; else nng's. */
static void failed(struct wire_client *c, int rv)
{
	struct tls_hub_refusal r, last = {.why = ""};

	while (tls_hub_take(c->hub, &r))
		last = r;
	close_socket(c);
	wait_to_dial(c);
	if (!c->ops->on_failed)
		return;
	if (c->timed_out)
		c->ops->on_failed(c->arg, "timed out");
	else
		c->ops->on_failed(c->arg, last.why[0] ? last.why : wire_words(rv));
}

static void after_dial(struct wire_client *c)
{
	int fd;

	pthread_join(c->thread, NULL);
	__atomic_store_n(&c->dialed, false, __ATOMIC_RELAXED);
	loop_timer_stop(c->timer);
	int rv = c->timed_out ? NNG_ETIMEDOUT : c->dial_rv;
	if (!rv)
		rv = nng_socket_get_int(c->sock, NNG_OPT_RECVFD, &fd);
	if (!rv && !(c->on_recv = loop_fd_new(c->loop, fd, LOOP_READ, on_recv, c)))
		rv = NNG_ENOMEM;
	if (rv) {
		failed(c, rv);
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

	(void)ready;
	(void)!read(fd, &n, sizeof(n));
	if (c->state == DIALING && __atomic_load_n(&c->dialed, __ATOMIC_ACQUIRE))
		after_dial(c);
	/* Replies that came before the end are good. */
	if (c->state == OPEN && is_removed(c)) {
		take_replies(c);
		if (c->state == OPEN)
			end_connection(c);
	}
}

static int open_socket(struct wire_client *c)
{
	int rv = nng_req0_open_raw(&c->sock);

	if (rv)
		return rv;
	c->has_sock = true;
	if ((rv = nng_socket_set_size(c->sock, NNG_OPT_RECVMAXSZ,
				      WIRE_MAX_MESSAGE_BYTES + WIRE_ID_BYTES)) ||
	    (rv = nng_socket_set_int(c->sock, NNG_OPT_RECVBUF, QUEUE)) ||
	    (rv = nng_socket_set_int(c->sock, NNG_OPT_SENDBUF, QUEUE)) ||
	    /* We dial. nng dials again by itself as soon as a pipe is gone, in half of the cases at
	     * once: the engine turns that away (fault 5 in nng_guard.h). */
	    (rv = nng_socket_set_ms(c->sock, NNG_OPT_RECONNMINT, 3600 * 1000)) ||
	    (rv = nng_socket_set_ms(c->sock, NNG_OPT_RECONNMAXT, 3600 * 1000)) ||
	    (rv = nng_pipe_notify(c->sock, NNG_PIPE_EV_ADD_PRE, on_pipe_added, c)) ||
	    (rv = nng_pipe_notify(c->sock, NNG_PIPE_EV_REM_POST, on_pipe_removed, c)) ||
	    (rv = nng_dialer_create(&c->dialer, c->sock, c->url)))
		return rv;
	return nng_dialer_set_ptr(c->dialer, NNG_OPT_TLS_CONFIG, tls_hub_config(c->hub));
}

static int start_thread(struct wire_client *c)
{
	pthread_attr_t attr;

	if (pthread_attr_init(&attr))
		return NNG_ENOMEM;
	(void)pthread_attr_setstacksize(&attr, DIAL_STACK_BYTES);
	int r = pthread_create(&c->thread, &attr, dial_thread, c);
	pthread_attr_destroy(&attr);
	return r ? NNG_ENOMEM : 0;
}

static void dial(struct wire_client *c)
{
	struct tls_hub_refusal old;

	while (tls_hub_take(c->hub, &old))
		; /* of a connection that is history */
	c->timed_out = false;
	__atomic_store_n(&c->dialed, false, __ATOMIC_RELAXED);
	c->removed = false;
	c->conn_fd = -1;
	tls_hub_expect(c->hub);
	int rv = open_socket(c);
	if (!rv)
		rv = start_thread(c);
	if (rv) {
		failed(c, rv);
		return;
	}
	c->state = DIALING;
	loop_timer_once(c->timer, DIAL_MAX_MS);
}

static void on_timer(void *arg)
{
	struct wire_client *c = arg;

	if (c->state == WAITING) {
		dial(c);
	} else if (c->state == DIALING) {
		c->timed_out = true;
		stop_dial(c);
		loop_timer_once(c->timer, STOP_AGAIN_MS);
	}
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
	pthread_mutex_init(&c->mutex, NULL);
	c->conn_fd = -1;
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
	int rv = open_socket(c);
	close_socket(c);
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
		rv = nng_sendmsg(c->sock, m, NNG_FLAG_NONBLOCK);
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

void wire_client_free(struct wire_client *c)
{
	if (!c)
		return;
	loop_timer_free(c->timer);
	loop_fd_free(c->on_change);
	if (c->state == DIALING) {
		const struct timespec ms = {.tv_nsec = 1000000};

		stop_dial(c);
		while (!__atomic_load_n(&c->dialed, __ATOMIC_ACQUIRE)) {
			nanosleep(&ms, NULL);
			stop_dial(c);
		}
		pthread_join(c->thread, NULL);
	}
	close_socket(c);
	pthread_mutex_destroy(&c->mutex);
	tls_hub_free(c->hub);
	if (c->fd >= 0)
		close(c->fd);
	free(c->url);
	free(c);
}
