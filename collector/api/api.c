/* api.c - see api.h. evhttp reads and writes HTTP, OpenSSL under it TLS 1.2 and later; what is asked
 * goes through api_routes.c's table. */
#include "collector/api/api.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/err.h>

#include "collector/api/api_priv.h"

#include "common/log.h"

static void on_request(struct evhttp_request *req, void *arg)
{
	struct api *a = arg;
	struct api_call c = { .api = a, .req = req };

	a->requests++;
	api_conn_request_done(a, req);
	buf_init(&c.out, API_ANSWER_BYTES);
	TAILQ_INIT(&c.query);
	api_route(&c);
	evhttp_clear_headers(&c.query);
	buf_fini(&c.out);
}

static int tls_failed(struct err *err, const char *what, const char *file)
{
	char why[120];

	ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	ERR_clear_error();
	return err_set(err, ERR_CRYPTO, "%s '%s': %s", what, file, why);
}

static int make_tls(struct api *a, const struct api_config *cfg, struct err *err)
{
	a->tls = SSL_CTX_new(TLS_server_method());
	if (!a->tls || !SSL_CTX_set_min_proto_version(a->tls, TLS1_2_VERSION))
		return tls_failed(err, "TLS for", cfg->address);
	SSL_CTX_set_options(a->tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					    SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(a->tls, SSL_MODE_RELEASE_BUFFERS);
	/* TLS 1.2: forward secrecy and authenticated encryption only. */
	if (!SSL_CTX_set_cipher_list(a->tls, "ECDHE+AESGCM:ECDHE+CHACHA20"))
		return tls_failed(err, "ciphers for", cfg->address);
	if (SSL_CTX_use_certificate_chain_file(a->tls, cfg->cert_file) != 1)
		return tls_failed(err, "certificate", cfg->cert_file);
	if (SSL_CTX_use_PrivateKey_file(a->tls, cfg->key_file, SSL_FILETYPE_PEM) != 1)
		return tls_failed(err, "key", cfg->key_file);
	return 0;
}

static in_port_t *port_of(struct sockaddr_storage *at)
{
	return at->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)at)->sin6_port :
					   &((struct sockaddr_in *)at)->sin_port;
}

/* libevent reads numeric addresses, but no port 0. */
static int read_address(const char *address, struct sockaddr_storage *ret, int *ret_size, struct err *err)
{
	const char *colon = strrchr(address, ':');
	char host[80];
	uint64_t port;

	if (colon && slice_to_u64(slice_of(colon + 1), &port) && port <= 65535 &&
	    (size_t)(colon - address) < sizeof(host) - 2) {
		snprintf(host, sizeof(host), "%.*s:1", (int)(colon - address), address);
		if (evutil_parse_sockaddr_port(host, (struct sockaddr *)ret, ret_size) == 0) {
			*port_of(ret) = htons((uint16_t)port);
			return 0;
		}
	}
	return err_set(err, ERR_SYNTAX, "'%s' is no address: 0.0.0.0:8443 or [::]:8443", address);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct api *a = arg;

	(void)fd, (void)what;
	if (a->conn_count < API_CONNECTIONS)
		evconnlistener_enable(a->listener);
}

/* Out of descriptors, most likely: asking again at once would only turn the loop. */
static void on_accept_failed(struct evconnlistener *listener, void *arg)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct api *a = arg;
	struct err err = { 0 };

	(void)err_set(&err, errno, "accept");
	LOG(ERROR, "api.accept", KV_STR("why", err.msg));
	evconnlistener_disable(listener);
	event_add(a->resume, &second);
}

static int open_listener(struct api *a, const char *address, struct err *err)
{
	struct sockaddr_storage at, bound;
	int size = sizeof(at), one = 1;
	socklen_t bound_size = sizeof(bound);

	memset(&at, 0, sizeof(at));
	int r = read_address(address, &at, &size, err);
	if (r < 0)
		return r;
	a->listener = evconnlistener_new_bind(a->base, NULL, NULL,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
						      LEV_OPT_REUSEABLE,
					      128, (struct sockaddr *)&at, size);
	if (!a->listener)
		return err_set(err, errno, "listen on %s", address);
	int fd = evconnlistener_get_fd(a->listener);
	/* Accepted sockets inherit it. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &bound_size) < 0) {
		evconnlistener_free(a->listener);
		a->listener = NULL;
		return err_set(err, errno, "listen on %s", address);
	}
	a->port = ntohs(*port_of(&bound));
	if (!evhttp_bind_listener(a->http, a->listener)) {
		evconnlistener_free(a->listener);
		a->listener = NULL;
		return err_set(err, ENOMEM, "listen on %s", address);
	}
	evconnlistener_set_error_cb(a->listener, on_accept_failed);
	return 0;
}

int api_new(struct loop *l, struct store *s, const struct clock *clk, const struct api_config *cfg,
	    const struct api_ops *ops, void *arg, struct api **ret, struct err *err)
{
	CLEANUP(api_freep) struct api *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(err, ENOMEM, "api");
	a->base = loop_base(l);
	a->store = s;
	a->clk = clk;
	a->arg = arg;
	if (ops)
		a->ops = *ops;
	int r = make_tls(a, cfg, err);
	if (r < 0)
		return r;
	a->http = evhttp_new(a->base);
	a->resume = evtimer_new(a->base, on_resume, a);
	if (!a->http || !a->resume)
		return err_set(err, ENOMEM, "api");
	evhttp_set_bevcb(a->http, api_conn_new, a);
	evhttp_set_gencb(a->http, on_request, a);
	evhttp_set_max_headers_size(a->http, API_HEADER_BYTES);
	evhttp_set_max_body_size(a->http, API_BODY_BYTES);
	/* What is too long is read and thrown away, within the time that a request has: cut off in the middle, the
	 * client would see a broken connection instead of the answer. */
	evhttp_set_flags(a->http, EVHTTP_SERVER_LINGERING_CLOSE);
	evhttp_set_timeout(a->http, API_REQUEST_MS / 1000);
	evhttp_set_default_content_type(a->http, NULL);
	evhttp_set_allowed_methods(a->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
						    EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						    EVHTTP_REQ_PATCH | EVHTTP_REQ_OPTIONS);
	r = open_listener(a, cfg->address, err);
	if (r < 0)
		return r;
	*ret = take_ptr(a);
	return 0;
}

int api_port(const struct api *a)
{
	return a->port;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	api_conns_forget(a);
	if (a->http)
		evhttp_free(a->http);
	if (a->resume)
		event_free(a->resume);
	SSL_CTX_free(a->tls);
	free(a);
}
