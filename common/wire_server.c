/* wire_server.c - the listening side: a raw REP socket, its pipes in a locked table, tokens.
 *
 *   nng's threads                       the loop
 *   ADD_PRE: identity, new peer --+
 *   REM_POST: mark removed -------+--> changed list + eventfd --> on_open / on_close
 *   messages ---------------------------> receive descriptor ---> on_message..., on_idle
 *
 * A message can't arrive before its pipe's ADD_PRE has ended, so looking at the changed list before
 * each unknown pipe keeps the order. */
#include <errno.h>
#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include <nng/nng.h>

#include <nng/protocol/reqrep0/rep.h>

#include "common/wire_priv.h"

enum {
	BUCKETS = 4096,
	/* After a hold: nng's queue is short and its one thread fills it as we take, so what waits behind it is waited
	 * for. A caller that asked for a hold is slow enough for larger batches to pay. */
	GATHER_MS = 24,
	GATHER_STEP_MS = 2,
	BATCH_MAX = 1024,  /* messages before the loop looks at other descriptors again */
	RECV_QUEUE = 16,   /* at WIRE_MAX_MESSAGE_BYTES each */
	SEND_QUEUE = 1024, /* emptied by nng at once, into a queue for each pipe */
	SEND_TIMEOUT_MS = 1000,
	EXPIRE_EVERY_MS = 500,
	STOP_MAX_MS = 3000,
	CROWD = 128, /* negotiations at once that leave memory worth giving back */
	CALM_TICKS = 4,
};

struct wire_peer {
	struct wire_server *server;
	uint32_t pipe;
	struct tls_hub_conn conn;
	struct wire_peer *next;	   /* in the bucket; under the mutex */
	struct wire_peer *changed; /* in the changed list; under the mutex */
	bool in_changed, removed;  /* under the mutex */
	/* The loop's: */
	bool met, open, closing;
	unsigned tokens;
	void *data;
};

struct token {
	uint32_t pipe, request;
	uint32_t generation; /* so that a token used twice hits nothing */
	uint32_t next_free;
	bool used;
};

struct wire_server {
	struct loop *loop;
	const struct wire_server_ops *ops;
	void *arg;
	struct tls_hub *hub;
	nng_socket sock;
	bool has_sock;
	int port;
	struct loop_fd *on_recv, *on_change, *on_refusal;
	struct loop_timer *expire;
	bool was_crowded;
	unsigned calm_ticks;

	pthread_mutex_t mutex;
	int fd; /* eventfd: the changed list is not empty */
	struct wire_peer *buckets[BUCKETS];
	struct wire_peer *changed, **changed_end;
	unsigned peers; /* in the table, met or not */
	unsigned pipes; /* of the peers, not yet removed */
	bool stopping;

	size_t open_count;
	uint64_t overfull;
	struct token *tokens;
	uint32_t token_count, free_token;
	uint32_t tokens_used;
	bool paused, held;
	bool gathers; /* it was held: who waits is worth a moment */
	struct loop_timer *release;
};

static struct wire_peer **bucket_of(struct wire_server *s, uint32_t pipe)
{
	return &s->buckets[(pipe * 2654435761u) >> 20];
}

static struct wire_peer *find_locked(struct wire_server *s, uint32_t pipe)
{
	struct wire_peer *p = *bucket_of(s, pipe);

	while (p && p->pipe != pipe)
		p = p->next;
	return p;
}

/* The peer stays valid on the loop: only the loop frees peers. */
static struct wire_peer *find(struct wire_server *s, uint32_t pipe)
{
	pthread_mutex_lock(&s->mutex);
	struct wire_peer *p = find_locked(s, pipe);
	pthread_mutex_unlock(&s->mutex);
	return p;
}

/* ---- nng's threads ---- */

static void tell_changed_locked(struct wire_server *s, struct wire_peer *p)
{
	uint64_t one = 1;

	if (p->in_changed || s->stopping) /* then the list may hold what the loop has freed */
		return;
	p->in_changed = true;
	p->changed = NULL;
	*s->changed_end = p;
	s->changed_end = &p->changed;
	(void)!write(s->fd, &one, sizeof(one));
}

static void on_pipe_added(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct wire_server *s = arg;
	struct wire_peer *p = calloc(1, sizeof(*p));

	(void)ev;
	if (!p || !tls_hub_conn(pipe, &p->conn)) {
		free(p);
		nng_pipe_close(pipe);
		return;
	}
	p->server = s;
	p->pipe = (uint32_t)nng_pipe_id(pipe);
	pthread_mutex_lock(&s->mutex);
	bool fits = s->peers < WIRE_MAX_PEERS && !s->stopping;
	if (fits) {
		s->peers++;
		s->pipes++;
		p->next = *bucket_of(s, p->pipe);
		*bucket_of(s, p->pipe) = p;
		tell_changed_locked(s, p);
	}
	pthread_mutex_unlock(&s->mutex);
	if (fits)
		return;
	tls_hub_refuse(s->hub, p->conn.addr, "too many open connections");
	free(p);
	nng_pipe_close(pipe);
}

static void on_pipe_removed(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct wire_server *s = arg;

	(void)ev;
	pthread_mutex_lock(&s->mutex);
	struct wire_peer *p = find_locked(s, (uint32_t)nng_pipe_id(pipe));
	if (p && !p->removed) {
		p->removed = true;
		s->pipes--;
		tell_changed_locked(s, p);
	}
	pthread_mutex_unlock(&s->mutex);
}

/* ---- peers, on the loop ---- */

void wire_peer_close(struct wire_peer *p)
{
	if (p->closing)
		return;
	p->closing = true;
	/* Not nng_pipe_close: see fault 4 in nng_guard.h. */
	pthread_mutex_lock(&p->server->mutex);
	if (!p->removed)
		shutdown(p->conn.fd, SHUT_RDWR);
	pthread_mutex_unlock(&p->server->mutex);
}

static void forget(struct wire_server *s, struct wire_peer *p)
{
	pthread_mutex_lock(&s->mutex);
	struct wire_peer **at = bucket_of(s, p->pipe);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	s->peers--;
	pthread_mutex_unlock(&s->mutex);
	free(p);
}

static void change_peer(struct wire_server *s, struct wire_peer *p, bool removed)
{
	if (!p->met && !removed) {
		p->met = true;
		/* Counted before the call, so that a callback sees itself counted. */
		p->open = true;
		s->open_count++;
		if (!s->ops->on_open || s->ops->on_open(s->arg, p, &p->conn.id))
			return;
		p->open = false;
		s->open_count--;
		wire_peer_close(p);
	}
	if (!removed)
		return;
	if (p->open) {
		p->open = false;
		s->open_count--;
		if (s->ops->on_close)
			s->ops->on_close(s->arg, p);
	}
	forget(s, p);
}

static void take_changes(struct wire_server *s)
{
	uint64_t n;

	for (;;) {
		pthread_mutex_lock(&s->mutex);
		struct wire_peer *p = s->changed;
		bool removed = false;
		if (p) {
			s->changed = p->changed;
			p->in_changed = false;
			removed = p->removed;
		}
		if (!s->changed) {
			s->changed_end = &s->changed;
			(void)!read(s->fd, &n, sizeof(n));
		}
		pthread_mutex_unlock(&s->mutex);
		if (!p)
			return;
		change_peer(s, p, removed);
	}
}

static void on_change(void *arg, int fd, unsigned ready)
{
	(void)fd, (void)ready;
	take_changes(arg);
}

/* ---- tokens ---- */

/* The table grows by doubling and never shrinks; 0 when it is full or memory is short. */
static uint64_t token_new(struct wire_server *s, struct wire_peer *p, uint32_t request)
{
	if (s->free_token == UINT32_MAX) {
		uint32_t more = s->token_count ? s->token_count * 2 : 64;
		struct token *t =
			more <= WIRE_MAX_TOKENS ? reallocarray(s->tokens, more, sizeof(*t)) : NULL;
		if (!t)
			return 0;
		memset(t + s->token_count, 0, (more - s->token_count) * sizeof(*t));
		for (uint32_t i = s->token_count; i < more; i++)
			t[i].next_free = i + 1 < more ? i + 1 : UINT32_MAX;
		s->tokens = t;
		s->free_token = s->token_count;
		s->token_count = more;
	}
	uint32_t at = s->free_token;
	struct token *t = &s->tokens[at];

	s->free_token = t->next_free;
	t->used = true;
	t->generation++;
	t->pipe = p->pipe;
	t->request = request;
	p->tokens++;
	s->tokens_used++;
	return (uint64_t)t->generation << 32 | (at + 1);
}

/* Gives the token back. False when it was no live token. */
static bool token_use(struct wire_server *s, uint64_t token, struct token *ret)
{
	uint32_t at = (uint32_t)token - 1;

	if (at >= s->token_count || !s->tokens[at].used || s->tokens[at].generation != token >> 32)
		return false;
	struct token *t = &s->tokens[at];
	*ret = *t;
	t->used = false;
	t->next_free = s->free_token;
	s->free_token = at;
	s->tokens_used--;
	if (s->paused && s->tokens_used < WIRE_MAX_TOKENS / 2) {
		s->paused = false;
		if (!s->held)
			loop_fd_want(s->on_recv, LOOP_READ);
	}
	return true;
}

void wire_drop(struct wire_server *s, uint64_t token)
{
	struct token t;
	struct wire_peer *p;

	if (token_use(s, token, &t) && (p = find(s, t.pipe)))
		p->tokens--;
}

void wire_reply(struct wire_server *s, uint64_t token, struct slice msg)
{
	struct token t;
	struct wire_peer *p;
	nng_msg *m;

	if (!token_use(s, token, &t) || !(p = find(s, t.pipe)))
		return;
	p->tokens--;
	if (!p->open || p->closing || nng_msg_alloc(&m, msg.n))
		return;
	if (msg.n)
		memcpy(nng_msg_body(m), msg.p, msg.n);
	/* Waits only while nng moves earlier replies to their pipes' queues, which never block. */
	if (nng_msg_header_append_u32(m, t.pipe) || nng_msg_header_append_u32(m, t.request) ||
	    nng_sendmsg(s->sock, m, 0))
		nng_msg_free(m);
}

/* ---- messages ---- */

static void take_message(struct wire_server *s, nng_msg *m)
{
	uint32_t pipe = (uint32_t)nng_msg_get_pipe(m).id, request = 0;
	struct wire_peer *p = find(s, pipe);

	if (!p || !p->met) {
		take_changes(s);
		p = find(s, pipe);
	}
	/* With a maximum of one hop the header is the pipe's and the request's id, nothing else. */
	if (!p || !p->open || p->closing || nng_msg_header_len(m) != 8 ||
	    nng_msg_header_chop_u32(m, &request))
		return;
	if (p->tokens >= WIRE_MAX_OPEN) {
		s->overfull++;
		wire_peer_close(p);
		return;
	}
	uint64_t token = token_new(s, p, request);
	if (token)
		s->ops->on_message(s->arg, p, token, slice_from(nng_msg_body(m), nng_msg_len(m)));
}

static void on_recv(void *arg, int fd, unsigned ready)
{
	struct wire_server *s = arg;
	unsigned got = 0, patience = s->gathers ? GATHER_MS / GATHER_STEP_MS : 0;
	nng_msg *m;

	(void)fd, (void)ready;
	s->gathers = false;
	while (got < BATCH_MAX && !s->held && s->tokens_used < WIRE_MAX_TOKENS) {
		if (nng_recvmsg(s->sock, &m, NNG_FLAG_NONBLOCK)) {
			if (!patience--)
				break;
			usleep(GATHER_STEP_MS * 1000);
			continue;
		}
		take_message(s, m);
		nng_msg_free(m);
		got++;
	}
	if (s->tokens_used >= WIRE_MAX_TOKENS) {
		s->paused = true;
		loop_fd_want(s->on_recv, 0);
	}
	if (got && s->ops->on_idle)
		s->ops->on_idle(s->arg);
}

static void on_release(void *arg)
{
	struct wire_server *s = arg;

	s->held = false;
	s->gathers = true;
	if (!s->paused)
		loop_fd_want(s->on_recv, LOOP_READ);
}

void wire_server_hold(struct wire_server *s, uint64_t ms)
{
	s->held = true;
	loop_fd_want(s->on_recv, 0);
	loop_timer_soon(s->release, ms);
}

static void on_refusal(void *arg, int fd, unsigned ready)
{
	struct wire_server *s = arg;
	struct tls_hub_refusal r;

	(void)fd, (void)ready;
	/* At most one fill, so that a flood can't hold the loop here. */
	for (unsigned n = 0; n < TLS_HUB_REFUSALS_MAX && tls_hub_take(s->hub, &r); n++)
		if (s->ops->on_refused)
			s->ops->on_refused(s->arg, r.addr, r.why);
}

static void on_expire(void *arg)
{
	struct wire_server *s = arg;
	struct wire_counts n;

	tls_hub_expire(s->hub);
	tls_hub_counts(s->hub, &n);
	if (n.negotiating >= CROWD) {
		s->was_crowded = true;
		s->calm_ticks = 0;
	} else if (s->was_crowded && ++s->calm_ticks >= CALM_TICKS) {
		/* 1,024 of them were 55 MB in pieces, which malloc would keep for good. */
		malloc_trim(0);
		s->was_crowded = false;
	}
}

/* ---- the server ---- */

static int start_listening(struct wire_server *s, const char *url, size_t max_bytes,
			   struct err *err)
{
	nng_listener l;
	int rv;

	if ((rv = nng_rep0_open_raw(&s->sock)))
		return wire_err(err, rv, "open a socket");
	s->has_sock = true;
	if ((rv = nng_socket_set_size(s->sock, NNG_OPT_RECVMAXSZ, max_bytes + WIRE_ID_BYTES)) ||
	    (rv = nng_socket_set_int(s->sock, NNG_OPT_MAXTTL, 1)) ||
	    (rv = nng_socket_set_int(s->sock, NNG_OPT_RECVBUF, RECV_QUEUE)) ||
	    (rv = nng_socket_set_int(s->sock, NNG_OPT_SENDBUF, SEND_QUEUE)) ||
	    (rv = nng_socket_set_ms(s->sock, NNG_OPT_SENDTIMEO, SEND_TIMEOUT_MS)) ||
	    (rv = nng_pipe_notify(s->sock, NNG_PIPE_EV_ADD_PRE, on_pipe_added, s)) ||
	    (rv = nng_pipe_notify(s->sock, NNG_PIPE_EV_REM_POST, on_pipe_removed, s)))
		return wire_err(err, rv, "set up the socket");
	if ((rv = nng_listener_create(&l, s->sock, url)) ||
	    (rv = nng_listener_set_ptr(l, NNG_OPT_TLS_CONFIG, tls_hub_config(s->hub))) ||
	    (rv = nng_listener_start(l, 0)))
		return wire_err(err, rv, "listen");
	if ((rv = nng_listener_get_int(l, NNG_OPT_TCP_BOUND_PORT, &s->port)))
		return wire_err(err, rv, "find out the port");
	return 0;
}

static int watch(struct wire_server *s, struct err *err)
{
	int fd, rv = nng_socket_get_int(s->sock, NNG_OPT_RECVFD, &fd);

	if (rv)
		return wire_err(err, rv, "find out the descriptor");
	s->on_recv = loop_fd_new(s->loop, fd, LOOP_READ, on_recv, s);
	s->on_change = loop_fd_new(s->loop, s->fd, LOOP_READ, on_change, s);
	s->on_refusal = loop_fd_new(s->loop, tls_hub_fd(s->hub), LOOP_READ, on_refusal, s);
	s->expire = loop_timer_new(s->loop, on_expire, s);
	s->release = loop_timer_new(s->loop, on_release, s);
	if (!s->on_recv || !s->on_change || !s->on_refusal || !s->expire || !s->release)
		return err_set(err, ENOMEM, "watch the socket");
	loop_timer_every(s->expire, EXPIRE_EVERY_MS);
	return 0;
}

int wire_server_new(struct loop *l, const char *url, const struct wire_tls *tls,
		    const struct wire_server_ops *ops, void *arg, struct wire_server **ret,
		    struct err *err)
{
	CLEANUP(wire_server_freep) struct wire_server *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, ENOMEM, "listen on %s", url);
	pthread_mutex_init(&s->mutex, NULL);
	s->loop = l;
	s->ops = ops;
	s->arg = arg;
	s->free_token = UINT32_MAX;
	s->changed_end = &s->changed;
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fd < 0)
		return err_set(err, errno, "make an eventfd");
	int r = tls_hub_new(true, tls, &s->hub, err);
	if (r >= 0)
		r = start_listening(s, url,
				    tls->no_client_cert ? WIRE_MAX_STRANGER_BYTES
							: WIRE_MAX_MESSAGE_BYTES,
				    err);
	if (r >= 0)
		r = watch(s, err);
	if (r < 0)
		return err_wrap(err, r, "%s", url);
	*ret = take_ptr(s);
	return 0;
}

void wire_server_each(struct wire_server *s, void (*fn)(void *arg, struct wire_peer *p), void *arg)
{
	/* Only the loop, which is here, unlinks peers; new ones come at the front. */
	for (size_t i = 0; i < BUCKETS; i++) {
		pthread_mutex_lock(&s->mutex);
		struct wire_peer *p = s->buckets[i];
		pthread_mutex_unlock(&s->mutex);
		for (; p; p = p->next)
			if (p->open && !p->closing)
				fn(arg, p);
	}
}

static void close_serial(void *arg, struct wire_peer *p)
{
	if (!strcmp(p->conn.id.serial, arg))
		wire_peer_close(p);
}

int wire_server_deny(struct wire_server *s, const char *serial, struct err *err)
{
	char copy[TLS_SERIAL_MAX];
	int r = tls_hub_deny(s->hub, serial, err);

	if (r < 0)
		return r;
	slice_copy(slice_of(serial), copy, sizeof(copy));
	wire_server_each(s, close_serial, copy);
	return 0;
}

void wire_server_counts(struct wire_server *s, struct wire_counts *ret)
{
	tls_hub_counts(s->hub, ret);
	ret->overfull = s->overfull;
}

int wire_server_port(const struct wire_server *s)
{
	return s->port;
}

size_t wire_server_peer_count(const struct wire_server *s)
{
	return s->open_count;
}

const struct tls_identity *wire_peer_identity(const struct wire_peer *p)
{
	return &p->conn.id;
}

const char *wire_peer_address(const struct wire_peer *p)
{
	return p->conn.addr;
}

void wire_peer_set(struct wire_peer *p, void *data)
{
	p->data = data;
}

void *wire_peer_get(const struct wire_peer *p)
{
	return p->data;
}

/* Ends every connection from below and waits until nng has noticed. */
static void stop_peers(struct wire_server *s)
{
	const struct timespec ms = {.tv_nsec = 1000000};
	unsigned left = 1;

	for (unsigned waited = 0; left && waited < STOP_MAX_MS; waited++) {
		pthread_mutex_lock(&s->mutex);
		s->stopping = true;
		for (size_t i = 0; i < BUCKETS; i++)
			for (struct wire_peer *p = s->buckets[i]; p; p = p->next)
				if (!p->removed)
					shutdown(p->conn.fd, SHUT_RDWR);
		left = s->pipes;
		pthread_mutex_unlock(&s->mutex);
		tls_hub_cut_all(s->hub);
		/* A pipe whose message nobody takes does not look at its connection. */
		nng_msg *m;
		while (!nng_recvmsg(s->sock, &m, NNG_FLAG_NONBLOCK))
			nng_msg_free(m);
		if (left)
			nanosleep(&ms, NULL);
	}
}

/* What nng's threads touch. */
static void destroy(void *arg)
{
	struct wire_server *s = arg;

	tls_hub_free(s->hub);
	if (s->fd >= 0)
		close(s->fd);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

void wire_server_free(struct wire_server *s)
{
	if (!s)
		return;
	loop_timer_free(s->expire);
	loop_timer_free(s->release);
	loop_fd_free(s->on_recv);
	loop_fd_free(s->on_change);
	loop_fd_free(s->on_refusal);
	if (s->has_sock)
		stop_peers(s);
	/* A pipe whose ADD_PRE met this may have been removed before it was in the table, so: all. No
	 * further one gets in. */
	for (size_t i = 0; i < BUCKETS; i++)
		while (s->buckets[i])
			change_peer(s, s->buckets[i], true);
	free(s->tokens);
	/* Once it is closed every pipe's callbacks have run: nng's threads know us no more. */
	if (s->has_sock)
		wire_close_socket(s->sock, WIRE_CLOSE_MAX_MS, destroy, s);
	else
		destroy(s);
}
