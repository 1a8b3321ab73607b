/* api_conn.c - the connections of the API: at most so many, at most so many of one address, none for
 * longer than its deadlines. evhttp's own timeout is per read, which a client can feed byte by byte.
 *
 * A connection's bookkeeping hangs on its SSL object, because that is the one thing that is freed
 * exactly when the connection is, however it ended. */
#include <errno.h>
#include <sys/socket.h>

#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "collector/api/api_priv.h"

#include "common/log.h"

struct api_conn {
	struct api *api; /* NULL after api_free: libevent frees connections a turn later */
	struct api_conn *next, **prev;
	struct bufferevent *bev;
	struct event *timer;
	bool is_placed; /* its address is known */
	struct sockaddr_storage peer;
};

static void set_deadline(struct api_conn *c, unsigned ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	event_add(c->timer, &tv);
}

static void unlink_conn(struct api_conn *c)
{
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	event_free(c->timer);
	c->timer = NULL;
}

static void on_ssl_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	struct api_conn *c = ptr;

	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	if (!c)
		return;
	if (c->api) {
		unlink_conn(c);
		c->api->conn_count--;
		evconnlistener_enable(c->api->listener);
	}
	free(c);
}

static int conn_index(void)
{
	static int index = -1; /* OpenSSL's are process-wide */

	if (index < 0)
		index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
	return index;
}

static bool is_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	if (a->ss_family == AF_INET6)
		return !memcmp(&a6->sin6_addr, &b6->sin6_addr, 16);
	return true;
}

static void cut(struct api_conn *c, const char *why)
{
	int fd = bufferevent_getfd(c->bev);

	c->api->refused++;
	LOG(WARN, "api.cut", KV_STR("why", why));
	/* evhttp sees the end and frees the connection in its own time. */
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

/* evhttp tells nobody which descriptor a new connection got; a turn of the loop later it is known. */
static void place(struct api_conn *c)
{
	socklen_t size = sizeof(c->peer);
	unsigned same = 0;

	c->is_placed = true;
	if (getpeername(bufferevent_getfd(c->bev), (struct sockaddr *)&c->peer, &size) < 0)
		return;
	for (const struct api_conn *o = c->api->conns; o; o = o->next)
		same += o->is_placed && is_same_address(&o->peer, &c->peer);
	if (same > API_CONNECTIONS_PER_ADDRESS)
		cut(c, "too many connections of one address");
	else
		set_deadline(c, API_REQUEST_MS);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct api_conn *c = arg;

	(void)fd, (void)what;
	if (!c->is_placed)
		place(c);
	else
		cut(c, "too slow");
}

struct bufferevent *api_conn_new(struct event_base *base, void *arg)
{
	struct api *a = arg;
	SSL *ssl = SSL_new(a->tls);
	struct api_conn *c = calloc(1, sizeof(*c));
	struct bufferevent *bev;

	/* evhttp would speak plain HTTP on NULL, so out of memory is the end here. */
	if (!ssl || !c)
		abort();
	c->timer = evtimer_new(base, on_timer, c);
	if (!c->timer || !SSL_set_ex_data(ssl, conn_index(), c))
		abort();
	bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
					     BEV_OPT_CLOSE_ON_FREE);
	if (!bev)
		abort();
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	c->api = a;
	c->bev = bev;
	c->next = a->conns;
	c->prev = &a->conns;
	if (c->next)
		c->next->prev = &c->next;
	a->conns = c;
	if (++a->conn_count >= API_CONNECTIONS)
		evconnlistener_disable(a->listener);
	set_deadline(c, 0);
	return bev;
}

static struct api_conn *conn_of(struct evhttp_request *req)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	struct bufferevent *bev = evcon ? evhttp_connection_get_bufferevent(evcon) : NULL;
	SSL *ssl = bev ? bufferevent_openssl_get_ssl(bev) : NULL;

	return ssl ? SSL_get_ex_data(ssl, conn_index()) : NULL;
}

static void on_answered(struct evhttp_request *req, void *arg)
{
	struct api_conn *c = conn_of(req);

	(void)arg;
	if (c && c->api)
		set_deadline(c, API_REQUEST_MS);
}

void api_conn_request_done(struct api *a, struct evhttp_request *req)
{
	struct api_conn *c = conn_of(req);

	(void)a;
	if (!c || !c->api)
		return;
	set_deadline(c, API_ANSWER_MS);
	evhttp_request_set_on_complete_cb(req, on_answered, NULL);
}

void api_conns_forget(struct api *a)
{
	while (a->conns) {
		struct api_conn *c = a->conns;

		unlink_conn(c);
		c->api = NULL;
	}
}
