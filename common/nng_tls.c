/* nng_tls.c - the engine: nng's table of TLS functions, filled with OpenSSL.
 *
 * nng calls every conn_* function of a connection under that connection's lock, from its own
 * threads, except init and fini, which have no company. A connection's life:
 *
 *   init -> (send | recv | handshake)* -> verified (in ADD_PRE: negotiated) -> ... -> close -> fini
 *    |                                                                                          |
 *    +-- guard_add                 guard_remove at "verified" or at -----------------------------+
 */
#include "common/nng_tls.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nng/supplemental/tls/engine.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "common/nng_tls_priv.h"
#include "common/tls_priv.h"
#include "common/wire_priv.h"

struct nng_tls_engine_config {
	struct tls_hub *hub; /* NULL: one that nng made by itself and we replace */
	unsigned dial;
};

struct nng_tls_engine_conn {
	struct guard_conn guard;
	SSL *ssl;
	void *stream; /* nng's TLS stream, for nng_tls_engine_send and _recv */
	struct tls_hub *hub;
	int failed;	 /* NNG error that every further call gets */
	bool is_shaken;	 /* TLS handshake done on our side */
	bool has_read;	 /* application data came: the other side accepted us */
	bool is_open;	 /* negotiated; failures are no refusals any more */
	bool lingers;	 /* refused; stays until the peer, having read why, closes */
	bool drains;	 /* the other side is gone; what it sent last is read past nng */
	uint8_t head[8]; /* the message's length, as far as it has come */
	unsigned head_count;
	uint64_t body_left;
	struct tls_identity id;
};

/* Set around nng_tls_config_alloc, whose init takes the hub from here: nng's own configuration
 * calls know only text, and could not carry a pin or a role. */
static __thread struct tls_hub *hub_wanted;
/* Set around NNG_OPT_TLS_VERIFIED, whose answer runs on the asking thread: nng 1.5.2 has no other
 * way to a pipe's certificate. */
static __thread struct nng_tls_engine_conn *conn_found;
static __thread bool conn_wanted;

static BIO_METHOD *bio_method;

/* ---- OpenSSL's bytes to and from nng ---- */

static int bio_write(BIO *b, const char *p, int n)
{
	struct nng_tls_engine_conn *c = BIO_get_data(b);
	size_t size = (size_t)n;

	BIO_clear_retry_flags(b);
	if (c->drains)
		return -1;
	int rv = nng_tls_engine_send(c->stream, (const uint8_t *)p, &size);
	if (rv == NNG_EAGAIN)
		BIO_set_retry_write(b);
	return rv ? -1 : (int)size;
}

static int bio_read(BIO *b, char *p, int n)
{
	struct nng_tls_engine_conn *c = BIO_get_data(b);
	size_t size = (size_t)n;

	BIO_clear_retry_flags(b);
	int rv = nng_tls_engine_recv(c->stream, (uint8_t *)p, &size);
	if (rv && c->drains) {
		ssize_t got = recv(c->guard.fd, p, (size_t)n, MSG_DONTWAIT);
		return got > 0 ? (int)got : -1;
	}
	if (rv == NNG_EAGAIN)
		BIO_set_retry_read(b);
	return rv ? -1 : (int)size;
}

static long bio_ctrl(BIO *b, int cmd, long n, void *p)
{
	(void)b, (void)n, (void)p;
	return cmd == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

/* ---- connections ---- */

/* Gives a connection in negotiation its reason, once; NULL: the peer just went away. */
static void tell(struct nng_tls_engine_conn *c, const char *why)
{
	if (c->is_open)
		return;
	pthread_mutex_lock(&c->hub->guard.mutex);
	bool is_old = c->guard.told || c->guard.cut;
	c->guard.told = true;
	pthread_mutex_unlock(&c->hub->guard.mutex);
	if (is_old)
		return;
	if (why)
		tls_hub_refuse(c->hub, c->guard.addr, why);
	else
		tls_hub_count(c->hub, &c->hub->counts.went_away);
}

/* The code is never NNG_ECLOSED (stops a listener for good) nor one that nng's listener answers
 * with a pause of 100 ms: only these two. */
static int fail(struct nng_tls_engine_conn *c, const char *why)
{
	if (!c->failed)
		tell(c, why);
	if (!c->failed)
		c->failed = why ? NNG_EPEERAUTH : NNG_ECONNRESET;
	return c->failed;
}

/* With TLS 1.3 a server's refusal comes after the client's handshake. If right behind it comes a
 * reset, nng's poller drops what has arrived; it is read here, so that an agent knows why it is not
 * let in. */
static void drain(struct nng_tls_engine_conn *c)
{
	char byte, why[TLS_HUB_WHY_MAX];

	c->drains = true;
	ERR_clear_error();
	int r = c->is_shaken ? SSL_read(c->ssl, &byte, 1) : SSL_do_handshake(c->ssl);
	if (r <= 0 && SSL_get_error(c->ssl, r) == SSL_ERROR_SSL)
		(void)fail(c, tls_verify_why(c->hub, c->ssl, why, sizeof(why)));
	ERR_clear_error();
}

/* nng forgets I/O that starts on a dead connection: nobody would ever call again. */
static int wait_for_more(struct nng_tls_engine_conn *c)
{
	if (!guard_is_dead(c->guard.fd))
		return NNG_EAGAIN;
	if (!c->hub->is_server && !c->has_read && !c->drains)
		drain(c);
	return fail(c, NULL);
}

/* Closing right after our alert, with the client's last flight unread, would send a reset that
 * overtakes it. So the client is left to close; if it does not, the deadline does. */
static int linger(struct nng_tls_engine_conn *c)
{
	uint8_t trash[1024];
	size_t n = sizeof(trash);
	int rv;

	while (!(rv = nng_tls_engine_recv(c->stream, trash, &n)))
		n = sizeof(trash);
	return rv == NNG_EAGAIN ? wait_for_more(c) : fail(c, NULL);
}

/* After an OpenSSL call that returned r <= 0. */
static int settle(struct nng_tls_engine_conn *c, int r)
{
	char buf[TLS_HUB_WHY_MAX];
	int e = SSL_get_error(c->ssl, r);

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return wait_for_more(c);
	const char *why =
		e == SSL_ERROR_SSL ? tls_verify_why(c->hub, c->ssl, buf, sizeof(buf)) : NULL;
	if (!why || c->is_open || !c->hub->is_server)
		return fail(c, why);
	tell(c, why);
	c->lingers = true;
	return linger(c);
}

/* A peer that lost power says nothing; without these its connection would stay for two hours. */
static void set_keepalive(int fd)
{
	const int on = 1, idle_s = 60, between_s = 15, count = 4, unacked_ms = 120000;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof(between_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof(unacked_ms));
}

static int set_expected_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, name))
		return 1;
	ERR_clear_error();
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set_tlsext_host_name(ssl, name) && SSL_set1_host(ssl, name);
}

static int make_ssl(struct nng_tls_engine_conn *c)
{
	BIO *b = BIO_new(bio_method);

	c->ssl = SSL_new(c->hub->ctx);
	if (!c->ssl || !b) {
		BIO_free(b);
		return NNG_ENOMEM;
	}
	BIO_set_data(b, c);
	SSL_set_bio(c->ssl, b, b);
	if (c->hub->is_server)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	if (!c->hub->is_server && !set_expected_name(c->ssl, c->hub->server_name))
		return NNG_ENOMEM;
	return 0;
}

static int conn_init(nng_tls_engine_conn *c, void *stream, nng_tls_engine_config *cfg)
{
	if (!cfg->hub || (!cfg->hub->is_server && !tls_hub_begin(cfg->hub, cfg->dial)))
		return NNG_ECONNABORTED; /* and fini finds no hub */
	c->hub = cfg->hub;
	c->stream = stream;
	tls_hub_count(c->hub, &c->hub->counts.started);
	bool is_there = guard_stream_fd(stream, &c->guard);
	if (c->guard.fd < 0)
		return fail(c, "internal: nng did not show the connection's descriptor");
	if (!is_there)
		return fail(c, NULL);
	int rv = make_ssl(c);
	if (rv)
		return rv;
	set_keepalive(c->guard.fd);
	guard_add(&c->hub->guard, &c->guard);
	if (!c->hub->is_server && tls_hub_is_stopped(c->hub, cfg->dial))
		return fail(c, NULL);
	return 0;
}

/* Also called for connections that never saw init. */
static void conn_fini(nng_tls_engine_conn *c)
{
	if (!c->hub)
		return;
	guard_remove(&c->hub->guard, &c->guard);
	SSL_free(c->ssl);
	c->ssl = NULL;
}

static void conn_close(nng_tls_engine_conn *c)
{
	if (!c->ssl)
		return;
	if (!c->hub->is_server && !c->has_read && !c->failed && !c->drains)
		drain(c);
	else if (c->is_shaken && !c->failed && !c->lingers) {
		ERR_clear_error();
		(void)SSL_shutdown(c->ssl); /* a close-notify, best effort */
		ERR_clear_error();
	}
	(void)fail(c, NULL);
}

static int conn_handshake(nng_tls_engine_conn *c)
{
	if (c->lingers && !c->failed)
		return linger(c);
	if (c->failed || c->is_shaken)
		return c->failed;
	ERR_clear_error();
	int r = SSL_do_handshake(c->ssl);

	if (r != 1)
		return settle(c, r);
	c->is_shaken = true;
	X509 *cert = SSL_get0_peer_certificate(c->ssl);
	/* Nothing but a verified chain gives an identity. */
	if (cert && SSL_get_verify_mode(c->ssl) != SSL_VERIFY_NONE &&
	    SSL_get_verify_result(c->ssl) == X509_V_OK)
		tls_x509_identity(cert, &c->id);
	return 0;
}

/* Follows the messages: eight bytes of length, then so many. (nng's greeting has eight bytes too,
 * and goes by before is_open.) A length that nng would close the pipe for is found here first. */
static bool lengths_are_right(struct nng_tls_engine_conn *c, const uint8_t *p, size_t n)
{
	while (n) {
		size_t part = c->body_left < n ? (size_t)c->body_left : n;

		c->body_left -= part;
		p += part;
		n -= part;
		if (!n)
			break;
		c->head[c->head_count++] = *p++;
		n--;
		if (c->head_count < sizeof(c->head))
			continue;
		c->head_count = 0;
		memcpy(&c->body_left, c->head, sizeof(c->body_left));
		c->body_left = be64toh(c->body_left);
		if (c->body_left < WIRE_ID_BYTES ||
		    c->body_left > WIRE_MAX_MESSAGE_BYTES + WIRE_ID_BYTES)
			return false;
	}
	return true;
}

static int conn_recv(nng_tls_engine_conn *c, uint8_t *p, size_t *size)
{
	int rv = conn_handshake(c);
	size_t got = 0;

	if (rv)
		return rv;
	ERR_clear_error();
	int r = SSL_read_ex(c->ssl, p, *size, &got);
	if (r != 1)
		return settle(c, r);
	if (guard_is_dead(c->guard.fd) && c->is_open)
		return fail(c, NULL);
	c->has_read = true;
	if (c->is_open && !lengths_are_right(c, p, got)) {
		shutdown(c->guard.fd, SHUT_RDWR);
		return fail(c, NULL);
	}
	*size = got;
	return 0;
}

static int conn_send(nng_tls_engine_conn *c, const uint8_t *p, size_t *size)
{
	int rv = conn_handshake(c);
	size_t done = 0;

	if (rv)
		return rv;
	ERR_clear_error();
	if (c->is_open && guard_is_dead(c->guard.fd))
		return fail(c, NULL);
	int r = SSL_write_ex(c->ssl, p, *size, &done);
	if (r != 1)
		return settle(c, r);
	*size = done;
	return 0;
}

/* Asked by tls_hub_conn, in ADD_PRE: nng's greeting is done too. */
static bool conn_verified(nng_tls_engine_conn *c)
{
	if (conn_wanted) {
		conn_found = c;
		guard_remove(&c->hub->guard, &c->guard);
		if (!c->is_open)
			tls_hub_count(c->hub, &c->hub->counts.opened);
		c->is_open = true;
	}
	return c->id.serial[0] != '\0';
}

/* ---- configurations: everything is in the hub ---- */

static int config_init(nng_tls_engine_config *f, nng_tls_mode mode)
{
	(void)mode;
	f->hub = hub_wanted;
	if (!f->hub)
		return 0;
	f->dial = f->hub->dial;
	tls_hub_hold(f->hub);
	return 0;
}

static void config_fini(nng_tls_engine_config *f)
{
	if (f->hub)
		tls_hub_drop(f->hub);
}

/* nng sets these two on the configuration it makes by itself, which is then replaced. */
static int config_server(nng_tls_engine_config *f, const char *name)
{
	(void)f, (void)name;
	return 0;
}

static int config_auth(nng_tls_engine_config *f, nng_tls_auth_mode mode)
{
	(void)mode;
	return f->hub ? NNG_ENOTSUP : 0;
}

static int config_ca(nng_tls_engine_config *f, const char *certs, const char *crl)
{
	(void)f, (void)certs, (void)crl;
	return NNG_ENOTSUP;
}

static int config_own(nng_tls_engine_config *f, const char *cert, const char *key, const char *pass)
{
	(void)f, (void)cert, (void)key, (void)pass;
	return NNG_ENOTSUP;
}

static int config_version(nng_tls_engine_config *f, nng_tls_version lo, nng_tls_version hi)
{
	(void)f, (void)lo;
	return hi < NNG_TLS_1_3 ? NNG_ENOTSUP : 0;
}

/* Engine version 2 (nng 1.9 on) has pre-shared keys, and since 1.6 two functions nobody here asks
 * for: a pipe's names come from tls_hub_conn. */
#if NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION >= 9
static int config_psk(nng_tls_engine_config *f, const char *id, const uint8_t *key, size_t n)
{
	(void)f, (void)id, (void)key, (void)n;
	return NNG_ENOTSUP;
}
#endif

#if NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION >= 6
static char *conn_peer_cn(nng_tls_engine_conn *c)
{
	(void)c;
	return NULL;
}

static char **conn_peer_alt_names(nng_tls_engine_conn *c)
{
	(void)c;
	return NULL;
}
#endif

static nng_tls_engine_config_ops config_ops = {
	.size = sizeof(struct nng_tls_engine_config),
	.init = config_init,
	.fini = config_fini,
	.server = config_server,
	.auth = config_auth,
	.ca_chain = config_ca,
	.own_cert = config_own,
	.version = config_version,
#if NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION >= 9
	.psk = config_psk,
#endif
};

static nng_tls_engine_conn_ops conn_ops = {
	.size = sizeof(struct nng_tls_engine_conn),
	.init = conn_init,
	.fini = conn_fini,
	.close = conn_close,
	.handshake = conn_handshake,
	.recv = conn_recv,
	.send = conn_send,
	.verified = conn_verified,
#if NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION >= 6
	.peer_cn = conn_peer_cn,
	.peer_alt_names = conn_peer_alt_names,
#endif
};

static const nng_tls_engine engine = {
	.version = NNG_TLS_ENGINE_VERSION,
	.config_ops = &config_ops,
	.conn_ops = &conn_ops,
	.name = "picket",
	.description = OPENSSL_VERSION_TEXT,
};

static int register_rv;

static void register_engine(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "nng");
	if (!bio_method) {
		register_rv = NNG_ENOMEM;
		return;
	}
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
	BIO_meth_set_create(bio_method, bio_create);
	/* nng's own start sets its built-in engine: have that behind us first. */
	(void)nng_tls_engine_name();
	guard_one_task_thread();
	register_rv = nng_tls_engine_register(&engine);
}

int tls_engine_config(struct tls_hub *h, nng_tls_config **ret, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_engine);
	if (register_rv)
		return err_set(err, ERR_VERSION, "register the TLS engine: %s",
			       nng_strerror(register_rv));
	hub_wanted = h;
	int rv =
		nng_tls_config_alloc(ret, h->is_server ? NNG_TLS_MODE_SERVER : NNG_TLS_MODE_CLIENT);
	hub_wanted = NULL;
	return rv ? err_set(err, ENOMEM, "make a TLS configuration") : 0;
}

bool tls_hub_conn(nng_pipe pipe, struct tls_hub_conn *ret)
{
	bool verified = false;

	conn_found = NULL;
	conn_wanted = true;
	int rv = nng_pipe_get_bool(pipe, NNG_OPT_TLS_VERIFIED, &verified);
	conn_wanted = false;
	struct nng_tls_engine_conn *c = conn_found;
	if (rv || !c)
		return false;
	/* nng keeps the pipe until ADD_PRE returns, and nobody writes id after the handshake. */
	ret->id = c->id;
	ret->fd = c->guard.fd;
	memcpy(ret->addr, c->guard.addr, GUARD_ADDR_MAX);
	return true;
}
