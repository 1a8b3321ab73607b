/* notify_stream.c - see notify_stream.h.
 *
 *   connect (and TLS) -> write -> all written: end our side -> the other ends its side: taken
 *
 * Syslog over TCP knows no answer. So we end our direction and wait for the other's end, which comes after it read
 * everything; one that never ends is believed when its kernel has acknowledged every byte. */
#include "collector/notify/notify_stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/show.h"

enum { HOST_MAX = 256, LINGER_MS = 3000 };

struct stream {
	SSL_CTX *ctx;
	struct bufferevent *bev;
	struct loop_timer *timer;
	bool is_tls, is_sent;
	void (*on_done)(void *arg, const char *error);
	void *arg;
};

struct place {
	bool is_tls;
	char host[HOST_MAX];
	int port;
};

static bool read_url(const char *url, struct place *ret)
{
	struct slice s = slice_of(url);
	uint64_t port;

	ret->is_tls = slice_starts(s, SLICE_LIT("tls://"));
	if (!ret->is_tls && !slice_starts(s, SLICE_LIT("tcp://")))
		return false;
	s = slice_sub(s, 6, s.n);
	size_t colon = s.n;
	while (colon && s.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || !slice_to_u64(slice_sub(s, colon, s.n), &port) || !port || port > 65535)
		return false;
	s = slice_sub(s, 0, colon - 1);
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = slice_sub(s, 1, s.n - 2);
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == '/' || s.p[i] == '@')
			return false;
	ret->port = (int)port;
	return s.n && slice_copy(s, ret->host, sizeof(ret->host));
}

int stream_check_url(const char *url, struct err *err)
{
	struct place p;

	return read_url(url, &p) ? 0 : err_set(err, ERR_SYNTAX, "'%.100s' is neither tcp://HOST:PORT nor tls://HOST:PORT", url);
}

static void destroy(struct stream *s)
{
	if (s->bev)
		bufferevent_free(s->bev); /* frees the SSL object, too */
	if (s->ctx)
		SSL_CTX_free(s->ctx);
	if (s->timer)
		loop_timer_free(s->timer);
	free(s);
}

static void done(struct stream *s, const char *error)
{
	void (*fn)(void *arg, const char *error) = s->on_done;
	void *arg = s->arg;

	destroy(s);
	fn(arg, error);
}

/* Every byte is acknowledged by the other side's kernel. */
static bool is_acknowledged(struct stream *s)
{
	int fd = bufferevent_getfd(s->bev), left = 1;

	return s->is_sent && fd >= 0 && ioctl(fd, SIOCOUTQ, &left) == 0 && left == 0;
}

static void on_time(void *arg)
{
	struct stream *s = arg;

	if (is_acknowledged(s))
		done(s, NULL);
	else
		done(s, s->is_sent ? "not everything was acknowledged in time" : "no connection in time");
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct stream *s = arg;

	if (s->is_sent || evbuffer_get_length(bufferevent_get_output(bev)))
		return;
	s->is_sent = true;
	if (s->is_tls)
		SSL_shutdown(bufferevent_openssl_get_ssl(bev));
	else
		shutdown(bufferevent_getfd(bev), SHUT_WR);
	loop_timer_once(s->timer, LINGER_MS);
}

/* Whatever it says. */
static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(in, evbuffer_get_length(in));
}

static const char *tls_error(struct bufferevent *bev, char dst[256])
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	unsigned long code = bufferevent_get_openssl_error(bev);
	long verify = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

	if (verify != X509_V_OK)
		snprintf(dst, 256, "TLS: %s", X509_verify_cert_error_string(verify));
	else if (code)
		snprintf(dst, 256, "TLS: %s", ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "error");
	else
		return NULL;
	return dst;
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct stream *s = arg;
	char text[256];
	int code = EVUTIL_SOCKET_ERROR();

	if (what & BEV_EVENT_CONNECTED)
		return; /* what is to be written waits already */
	if (s->is_sent && (what & BEV_EVENT_EOF)) {
		done(s, NULL);
		return;
	}
	int dns = bufferevent_socket_get_dns_error(bev);
	const char *why = s->is_tls ? tls_error(bev, text) : NULL;
	/* A TLS peer that ends without a farewell, after everything was acknowledged, has taken it. */
	if (s->is_sent && is_acknowledged(s) && s->is_tls && code != ECONNRESET) {
		done(s, NULL);
		return;
	}
	if (!why)
		why = dns ? evutil_gai_strerror(dns) : (what & BEV_EVENT_EOF) ? "the other side ended the connection" :
						  code ? evutil_socket_error_to_string(code) : "connection failed";
	done(s, why);
}

static int make_tls(struct stream *s, const struct place *p, const char *ca_file, SSL **ret, struct err *err)
{
	struct in6_addr address;
	bool is_address = evutil_inet_pton(AF_INET, p->host, &address) == 1 || evutil_inet_pton(AF_INET6, p->host, &address) == 1;

	s->ctx = SSL_CTX_new(TLS_client_method());
	if (!s->ctx)
		return err_set(err, ENOMEM, "TLS");
	SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, NULL);
	bool is_set = ca_file && ca_file[0] ? SSL_CTX_load_verify_locations(s->ctx, ca_file, NULL) == 1 :
					      SSL_CTX_set_default_verify_paths(s->ctx) == 1;
	if (!is_set)
		return err_set(err, ERR_SYNTAX, "%.200s: no certificates of authorities", ca_file ? ca_file : "the system's store");
	SSL *ssl = SSL_new(s->ctx);
	if (!ssl)
		return err_set(err, ENOMEM, "TLS");
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	bool has_name = is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, p->host) == 1 :
				     X509_VERIFY_PARAM_set1_host(param, p->host, 0) == 1 && SSL_set_tlsext_host_name(ssl, p->host) == 1;
	if (!has_name) {
		SSL_free(ssl);
		return err_set(err, ERR_SYNTAX, "'%.100s' is no name for TLS", p->host);
	}
	*ret = ssl;
	return 0;
}

static int open_bev(struct stream *s, struct loop *l, const struct place *p, const char *ca_file, struct err *err)
{
	SSL *ssl = NULL;
	int r = s->is_tls ? make_tls(s, p, ca_file, &ssl, err) : 0;

	if (r < 0)
		return r;
	s->bev = ssl ? bufferevent_openssl_socket_new(loop_base(l), -1, ssl, BUFFEREVENT_SSL_CONNECTING,
						      BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS) :
		       bufferevent_socket_new(loop_base(l), -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!s->bev) {
		SSL_free(ssl);
		return err_set(err, ENOMEM, "stream");
	}
	if (ssl)
		bufferevent_openssl_set_allow_dirty_shutdown(s->bev, 1);
	return 0;
}

int stream_start(struct loop *l, struct evdns_base *dns, const struct stream_request *rq, struct stream **ret,
		 struct err *err)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct place p;

	if (!s)
		return err_set(err, ENOMEM, "stream");
	*s = (struct stream){ .on_done = rq->on_done, .arg = rq->arg };
	int r = read_url(rq->url, &p) ? 0 : err_set(err, ERR_SYNTAX, "'%.100s' is no address", rq->url);
	if (r >= 0) {
		s->is_tls = p.is_tls;
		s->timer = loop_timer_new(l, on_time, s);
		r = s->timer ? open_bev(s, l, &p, rq->ca_file, err) : err_set(err, ENOMEM, "stream");
	}
	if (r >= 0) {
		bufferevent_setcb(s->bev, on_read, on_written, on_event, s);
		bufferevent_enable(s->bev, EV_READ | EV_WRITE);
		loop_timer_once(s->timer, rq->timeout_ms);
		if (evbuffer_add(bufferevent_get_output(s->bev), rq->bytes.p, rq->bytes.n) < 0 ||
		    bufferevent_socket_connect_hostname(s->bev, dns, AF_UNSPEC, p.host, p.port) < 0)
			r = err_set(err, ECONNREFUSED, "connect to %.100s", p.host);
	}
	if (r < 0) {
		destroy(s);
		return r;
	}
	*ret = s;
	return 0;
}

void stream_cancel(struct stream *s)
{
	if (s)
		destroy(s);
}
