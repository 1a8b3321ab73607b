/* wire_link.c - see wire_link.h.
 *
 *   the loop           the link's thread
 *   new  ------------> waits for an order
 *   dial ------------> nng_dialer_start ... dialed, wake_fd; waits
 *   close -----------> ends the pipe from below, nng_close; ended
 *
 * Nothing ever closes a dialer that dials (fault 6): a dial ends because its connection is cut or
 * turned away by the engine, or by itself: the kernel gives up a connection after two minutes, the
 * resolver sooner. */
#include "common/wire_link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>

#include <nng/protocol/reqrep0/req.h>

enum {
	QUEUE = WIRE_MAX_OPEN, /* so that the socket takes whatever wire_request lets through */
	/* For nng to notice that a pipe is shut; only the thread waits. Not for ever, as the pipe
	 * may be one that nng has forgotten. */
	STOP_MAX_MS = 60000,
};

enum order { NO_ORDER, DIAL, CLOSE };

struct wire_link {
	struct tls_hub *hub; /* the loop's */
	nng_socket sock;
	bool has_sock;
	nng_dialer dialer;
	int wake_fd;

	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t changed;
	unsigned refs; /* the loop's and the thread's */
	enum order order;
	bool dialed, removed, ended;
	int dial_rv;
	int conn_fd; /* of the open pipe; -1: none */
};

static void drop(struct wire_link *l)
{
	pthread_mutex_lock(&l->mutex);
	unsigned left = --l->refs;
	pthread_mutex_unlock(&l->mutex);
	if (left)
		return;
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

static void wake(struct wire_link *l)
{
	uint64_t one = 1;

	(void)!write(l->wake_fd, &one, sizeof(one));
}

/* ---- nng's threads; they may call as long as the socket is open, which holds the link ---- */

/* Tells the engine that this connection is negotiated. */
static void on_pipe_added(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct wire_link *l = arg;
	struct tls_hub_conn conn;

	(void)ev;
	if (!tls_hub_conn(pipe, &conn)) {
		nng_pipe_close(pipe);
		return;
	}
	pthread_mutex_lock(&l->mutex);
	l->conn_fd = conn.fd;
	pthread_mutex_unlock(&l->mutex);
}

static void on_pipe_removed(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct wire_link *l = arg;

	(void)pipe, (void)ev;
	pthread_mutex_lock(&l->mutex);
	l->conn_fd = -1;
	l->removed = true;
	pthread_mutex_unlock(&l->mutex);
	wake(l);
}

/* ---- the link's thread ---- */

/* From below, and waiting until nng has noticed: see fault 4 in nng_guard.h. */
static void stop_pipe(struct wire_link *l)
{
	const struct timespec ms = {.tv_nsec = 1000000};
	bool is_there = true;

	for (unsigned waited = 0; is_there && waited < STOP_MAX_MS; waited++) {
		pthread_mutex_lock(&l->mutex);
		is_there = l->conn_fd >= 0;
		if (is_there)
			shutdown(l->conn_fd, SHUT_RDWR);
		pthread_mutex_unlock(&l->mutex);
		/* A pipe whose message nobody takes does not look at its connection. */
		nng_msg *m;
		while (is_there && !nng_recvmsg(l->sock, &m, NNG_FLAG_NONBLOCK))
			nng_msg_free(m);
		if (is_there)
			nanosleep(&ms, NULL);
	}
}

/* The next order after last. */
static enum order wait_for_order(struct wire_link *l, enum order last)
{
	pthread_mutex_lock(&l->mutex);
	while (l->order == last)
		pthread_cond_wait(&l->changed, &l->mutex);
	enum order order = l->order;
	pthread_mutex_unlock(&l->mutex);
	return order;
}

static void *run(void *arg)
{
	struct wire_link *l = arg;

	if (wait_for_order(l, NO_ORDER) == DIAL) {
		int rv = nng_dialer_start(l->dialer, 0);

		pthread_mutex_lock(&l->mutex);
		l->dial_rv = rv;
		l->dialed = true;
		pthread_mutex_unlock(&l->mutex);
		wake(l);
		wait_for_order(l, DIAL);
	}
	if (l->has_sock) {
		stop_pipe(l);
		nng_close(l->sock);
	}
	wire_lost_end();
	pthread_mutex_lock(&l->mutex);
	l->ended = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->mutex);
	drop(l);
	return NULL;
}

/* ---- the loop ---- */

static void give_order(struct wire_link *l, enum order order)
{
	pthread_mutex_lock(&l->mutex);
	l->order = order;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->mutex);
}

static int open_socket(struct wire_link *l, const char *url)
{
	int rv = nng_req0_open_raw(&l->sock);

	if (rv)
		return rv;
	l->has_sock = true;
	if ((rv = nng_socket_set_size(l->sock, NNG_OPT_RECVMAXSZ,
				      WIRE_MAX_MESSAGE_BYTES + WIRE_ID_BYTES)) ||
	    (rv = nng_socket_set_int(l->sock, NNG_OPT_RECVBUF, QUEUE)) ||
	    (rv = nng_socket_set_int(l->sock, NNG_OPT_SENDBUF, QUEUE)) ||
	    /* We dial. nng dials again by itself as soon as a pipe is gone, in half of the cases at
	     * once: the engine turns that away (fault 5 in nng_guard.h). */
	    (rv = nng_socket_set_ms(l->sock, NNG_OPT_RECONNMINT, 3600 * 1000)) ||
	    (rv = nng_socket_set_ms(l->sock, NNG_OPT_RECONNMAXT, 3600 * 1000)) ||
	    (rv = nng_pipe_notify(l->sock, NNG_PIPE_EV_ADD_PRE, on_pipe_added, l)) ||
	    (rv = nng_pipe_notify(l->sock, NNG_PIPE_EV_REM_POST, on_pipe_removed, l)) ||
	    (rv = nng_dialer_create(&l->dialer, l->sock, url)))
		return rv;
	return nng_dialer_set_ptr(l->dialer, NNG_OPT_TLS_CONFIG, tls_hub_config(l->hub));
}

int wire_link_new(struct tls_hub *hub, const char *url, int wake_fd, struct wire_link **ret)
{
	struct wire_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NNG_ENOMEM;
	l->hub = hub;
	l->conn_fd = -1;
	l->refs = 1;
	pthread_mutex_init(&l->mutex, NULL);
	wire_cond_init(&l->changed);
	l->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
	int rv = l->wake_fd < 0 ? NNG_ENOFILES : tls_hub_expect(hub);
	if (!rv) {
		l->refs++;
		/* First, so that whatever is opened has someone to close it. */
		rv = wire_start_thread(run, l);
		l->refs -= rv != 0;
	}
	if (rv) {
		drop(l);
		return rv;
	}
	rv = open_socket(l, url);
	if (rv) {
		wire_link_close(l, 0);
		return rv;
	}
	*ret = l;
	return 0;
}

void wire_link_dial(struct wire_link *l)
{
	give_order(l, DIAL);
}

bool wire_link_has_dialed(struct wire_link *l, int *ret_rv)
{
	pthread_mutex_lock(&l->mutex);
	bool dialed = l->dialed;
	*ret_rv = l->dial_rv;
	pthread_mutex_unlock(&l->mutex);
	return dialed;
}

bool wire_link_is_removed(struct wire_link *l)
{
	pthread_mutex_lock(&l->mutex);
	bool removed = l->removed;
	pthread_mutex_unlock(&l->mutex);
	return removed;
}

nng_socket wire_link_socket(const struct wire_link *l)
{
	return l->sock;
}

void wire_link_close(struct wire_link *l, unsigned max_ms)
{
	if (!l)
		return;
	/* Nothing to wait for: no connection has begun, and none will. */
	if (tls_hub_stop(l->hub))
		max_ms = 0;
	wire_lost_begin();
	give_order(l, CLOSE);
	pthread_mutex_lock(&l->mutex);
	(void)wire_wait_until(&l->changed, &l->mutex, &l->ended, max_ms);
	pthread_mutex_unlock(&l->mutex);
	drop(l);
}
