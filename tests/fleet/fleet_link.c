/* fleet_link.c - see fleet_link.h. */
#include "tests/fleet/fleet_link.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>

enum { EVENTS = 256, GREETING = 8, HEADER = 12, READ_BYTES = 65536, REPLY_MAX = 1 << 20 };

enum state { IDLE, CONNECTING, SHAKING, GREETED, OPEN };

struct link_pool {
	int epoll;
	SSL_CTX *ctx;
	struct sockaddr_in addr;
	char *name;
	const struct link_ops *ops;
};

struct link {
	struct link_pool *pool;
	X509 *cert;
	EVP_PKEY *key;
	void *arg;
	int fd;
	SSL *ssl;
	enum state state;
	bool wants_write, is_frozen;
	uint32_t events;
	struct buf out, in;
	size_t sent; /* of out */
};

static const char greeting[GREETING] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 };	 /* REQ */
static const char expected[GREETING] = { 0, 'S', 'P', 0, 0, 0x31, 0, 0 }; /* REP */

static void watch(struct link *l)
{
	uint32_t want = EPOLLIN;
	struct epoll_event e = { .data.ptr = l };

	if (l->is_frozen)
		want = 0;
	else if (l->state == CONNECTING || l->wants_write)
		want |= EPOLLOUT;
	if (want == l->events || l->fd < 0)
		return;
	e.events = l->events = want;
	epoll_ctl(l->pool->epoll, EPOLL_CTL_MOD, l->fd, &e);
}

void link_close(struct link *l)
{
	if (l->ssl)
		SSL_free(l->ssl);
	if (l->fd >= 0)
		close(l->fd);
	l->ssl = NULL;
	l->fd = -1;
	l->state = IDLE;
	l->wants_write = l->is_frozen = false;
	l->sent = 0;
	buf_fini(&l->out);
	buf_fini(&l->in);
}

static void lost(struct link *l, const char *why)
{
	char text[160];
	unsigned long e = ERR_peek_last_error();

	snprintf(text, sizeof(text), "%s", why);
	if (e)
		ERR_error_string_n(e, text, sizeof(text));
	ERR_clear_error();
	link_close(l);
	l->pool->ops->on_close(l->arg, text);
}

/* What to make of a result <= 0 of OpenSSL: true when it only has to wait. */
static bool may_wait(struct link *l, int r)
{
	int e = SSL_get_error(l->ssl, r);

	if (e == SSL_ERROR_WANT_WRITE)
		l->wants_write = true;
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

/* false: the connection is gone. */
static bool flush(struct link *l)
{
	l->wants_write = false;
	while (l->sent < l->out.n) {
		int r = SSL_write(l->ssl, l->out.p + l->sent, (int)(l->out.n - l->sent));

		if (r <= 0 && may_wait(l, r)) {
			l->wants_write = true;
			return true;
		}
		if (r <= 0) {
			lost(l, "closed while writing");
			return false;
		}
		l->sent += (size_t)r;
	}
	buf_reset(&l->out);
	l->sent = 0;
	return true;
}

static uint64_t be64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

/* Hands out whole messages; false: the connection is gone. */
static bool take(struct link *l)
{
	size_t at = 0;

	if (l->state == GREETED) {
		if (l->in.n < GREETING)
			return true;
		if (memcmp(l->in.p, expected, GREETING) != 0) {
			lost(l, "not a REP socket");
			return false;
		}
		at = GREETING;
		l->state = OPEN;
		l->pool->ops->on_open(l->arg);
	}
	while (l->state == OPEN && l->in.n - at >= HEADER) {
		uint64_t n = be64(l->in.p + at);
		uint32_t id;

		if (n < 4 || n > REPLY_MAX) {
			lost(l, "a message of a wrong length");
			return false;
		}
		if (l->in.n - at < 8 + n)
			break;
		memcpy(&id, l->in.p + at + 8, 4);
		l->pool->ops->on_reply(l->arg, ntohl(id) & 0x7fffffff, slice_from(l->in.p + at + HEADER, n - 4));
		at += 8 + n;
	}
	if (l->state != OPEN)
		return false;
	if (at) {
		memmove(l->in.p, l->in.p + at, l->in.n - at);
		l->in.n -= at;
	}
	return true;
}

static bool receive(struct link *l)
{
	for (;;) {
		static char to[READ_BYTES];
		int r = SSL_read(l->ssl, to, READ_BYTES);

		if (r <= 0 && may_wait(l, r))
			return true;
		if (r <= 0) {
			lost(l, "closed by the collector");
			return false;
		}
		buf_add(&l->in, to, (size_t)r);
		if (l->in.failed) {
			lost(l, "too much at once");
			return false;
		}
		if (!take(l))
			return false;
	}
}

static void shake(struct link *l)
{
	l->wants_write = false;
	int r = SSL_do_handshake(l->ssl);

	if (r <= 0 && may_wait(l, r))
		return;
	if (r <= 0) {
		lost(l, "handshake");
		return;
	}
	l->state = GREETED;
	buf_add(&l->out, greeting, GREETING);
	if (flush(l))
		(void)receive(l);
}

static void connected(struct link *l)
{
	int e = 0;
	socklen_t n = sizeof(e);

	getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &e, &n);
	if (e) {
		lost(l, strerror(e));
		return;
	}
	l->ssl = SSL_new(l->pool->ctx);
	if (!l->ssl || SSL_use_certificate(l->ssl, l->cert) != 1 || SSL_use_PrivateKey(l->ssl, l->key) != 1 ||
	    SSL_set1_host(l->ssl, l->pool->name) != 1 || SSL_set_tlsext_host_name(l->ssl, l->pool->name) != 1 ||
	    SSL_set_fd(l->ssl, l->fd) != 1) {
		lost(l, "TLS");
		return;
	}
	SSL_set_connect_state(l->ssl);
	l->state = SHAKING;
	shake(l);
}

void link_dial(struct link *l)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = l };
	int on = 1;

	link_close(l);
	buf_init(&l->out, 0);
	buf_init(&l->in, 2 * REPLY_MAX);
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || epoll_ctl(l->pool->epoll, EPOLL_CTL_ADD, l->fd, &e) < 0) {
		lost(l, strerror(errno));
		return;
	}
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	l->events = e.events;
	l->state = CONNECTING;
	if (connect(l->fd, (struct sockaddr *)&l->pool->addr, sizeof(l->pool->addr)) < 0 && errno != EINPROGRESS)
		lost(l, strerror(errno));
}

bool link_is_idle(const struct link *l)
{
	return l->state == IDLE;
}

size_t link_queued(const struct link *l)
{
	return l->out.n - l->sent;
}

void link_send(struct link *l, uint32_t id, struct slice msg)
{
	uint64_t n = htobe64(msg.n + 4);
	uint32_t be = htonl(id | 0x80000000u);

	if (l->state != OPEN)
		return;
	buf_add(&l->out, &n, 8);
	buf_add(&l->out, &be, 4);
	buf_add_slice(&l->out, msg);
	if (!l->wants_write && !l->is_frozen && flush(l))
		watch(l);
}

void link_freeze(struct link *l, bool is_frozen)
{
	l->is_frozen = is_frozen;
	if (!is_frozen && l->state == OPEN && !flush(l))
		return;
	watch(l);
}

static void ready(struct link *l, uint32_t events)
{
	if (l->state == CONNECTING) {
		connected(l);
	} else if (l->state == SHAKING) {
		shake(l);
	} else if (l->state != IDLE) {
		if ((events & EPOLLOUT) && !flush(l))
			return;
		if (!receive(l))
			return;
	}
	if (l->state != IDLE)
		watch(l);
}

void link_pool_step(struct link_pool *p, int wait_ms)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(p->epoll, e, EVENTS, wait_ms);

	for (int i = 0; i < n; i++) {
		struct link *l = e[i].data.ptr;

		if (l->fd >= 0)
			ready(l, e[i].events);
	}
}

static int load_ca(SSL_CTX *ctx, struct slice pem, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *ca = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	int ok = ca && X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) == 1;

	X509_free(ca);
	BIO_free(bio);
	return ok ? 0 : err_set(err, ERR_CRYPTO, "the CA can't be read");
}

int link_pool_new(const char *host, uint16_t port, const char *server_name, struct slice ca_pem,
		  const struct link_ops *ops, struct link_pool **ret, struct err *err)
{
	struct link_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(err, ENOMEM, "links");
	p->ops = ops;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->name = strdup(server_name);
	p->addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	p->ctx = SSL_CTX_new(TLS_client_method());
	if (p->epoll < 0 || !p->name || !p->ctx || inet_pton(AF_INET, host, &p->addr.sin_addr) != 1) {
		link_pool_free(p);
		return err_set(err, EINVAL, "links to '%s'", host);
	}
	SSL_CTX_set_min_proto_version(p->ctx, TLS1_3_VERSION);
	SSL_CTX_set_verify(p->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(p->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					 SSL_MODE_RELEASE_BUFFERS);
	int r = load_ca(p->ctx, ca_pem, err);
	if (r < 0) {
		link_pool_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void link_pool_free(struct link_pool *p)
{
	if (!p)
		return;
	SSL_CTX_free(p->ctx);
	if (p->epoll >= 0)
		close(p->epoll);
	free(p->name);
	free(p);
}

struct link *link_new(struct link_pool *p, X509 *cert, EVP_PKEY *key, void *arg)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct link){ .pool = p, .cert = cert, .key = key, .arg = arg, .fd = -1 };
	return l;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	link_close(l);
	X509_free(l->cert);
	EVP_PKEY_free(l->key);
	free(l);
}
