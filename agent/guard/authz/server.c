/* server.c - HTTP/1.1 as dockerd speaks it to a plugin: POST with a length, answers of JSON, connections kept.
 *
 *   HEAD ──head──► BODY ──all of it──► WAITING (the handler has it) ──answer──► HEAD …
 *
 * evhttp gives no say over a connection before its first request is there, and so none over one that sends a byte a
 * second. Here each has a deadline from a request's first byte on, and when all places are taken the one that waits
 * longest for nothing gives way. What is not understood ends the connection. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/guard/authz/authz_priv.h"
#include "common/log.h"

enum { UNREAD_MAX = 65536 };
enum conn_state { CONN_FREE, CONN_HEAD, CONN_BODY, CONN_WAITING, CONN_CLOSING };

struct server_call {
	struct server *server;
	struct bufferevent *bev;
	struct event *deadline;
	enum conn_state state;
	uint64_t since; /* in the order of the server's ticks, for who gives way */
	size_t length;
	char path[128];
	bool is_last; /* Connection: close */
	void *kept;
};

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	char *path; /* to be removed; NULL inherited */
	server_fn fn;
	server_gone_fn gone;
	void *arg;
	uint64_t ticks;
	struct server_call conns[AUTHZ_CONNECTIONS];
};

static void close_conn(struct server_call *c)
{
	bool was_waiting = c->state == CONN_WAITING;

	if (c->state == CONN_FREE)
		return;
	c->state = CONN_FREE;
	if (was_waiting)
		c->server->gone(c->server->arg, c);
	event_free(c->deadline);
	bufferevent_free(c->bev);
	c->bev = NULL;
	c->deadline = NULL;
	c->kept = NULL;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct server_call *c = arg;

	(void)fd, (void)what;
	LOG(WARN, "guard.connection", KV_STR("why", "too slow"));
	close_conn(c);
}

static void start_deadline(struct server_call *c)
{
	struct timeval tv = { .tv_sec = AUTHZ_SLOW_MS / 1000, .tv_usec = AUTHZ_SLOW_MS % 1000 * 1000 };

	if (!event_pending(c->deadline, EV_TIMEOUT, NULL))
		event_add(c->deadline, &tv);
}

/* ---- the head ---- */

static bool is_name(struct slice line, const char *name, struct slice *ret_value)
{
	size_t n = strlen(name);

	if (line.n <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0)
		return false;
	*ret_value = slice_trim(slice_sub(line, n + 1, line.n));
	return true;
}

/* "POST /path HTTP/1.1". */
static bool read_first_line(struct server_call *c, struct slice line)
{
	struct slice method, path;

	return slice_split(&line, ' ', &method) && slice_split(&line, ' ', &path) && slice_is(method, "POST") &&
	       slice_is(line, "HTTP/1.1") && slice_copy(path, c->path, sizeof(c->path));
}

static bool read_head(struct server_call *c, struct slice head)
{
	struct slice line, value;
	bool is_first = true, has_length = false;
	uint64_t length = 0;

	c->is_last = false;
	while (slice_split(&head, '\n', &line)) {
		line = slice_sub(line, 0, line.n && line.p[line.n - 1] == '\r' ? line.n - 1 : line.n);
		if (is_first && !read_first_line(c, line))
			return false;
		is_first = false;
		if (is_name(line, "Transfer-Encoding", &value))
			return false;
		if (is_name(line, "Content-Length", &value)) {
			if (has_length || !slice_to_u64(value, &length) || length > AUTHZ_REQUEST_BYTES)
				return false;
			has_length = true;
		}
		if (is_name(line, "Connection", &value))
			c->is_last = value.n == 5 && !strncasecmp(value.p, "close", 5);
	}
	c->length = (size_t)length;
	return !is_first;
}

static void refuse(struct server_call *c)
{
	LOG(WARN, "guard.connection", KV_STR("why", "not what dockerd sends"));
	c->state = CONN_WAITING;
	c->is_last = true;
	server_answer(c, 400, SLICE_LIT("{\"Err\":\"not understood\"}"));
}

/* true: the head was there, and the body comes next. */
static bool take_head(struct server_call *c, struct evbuffer *in)
{
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	struct slice head;

	if (evbuffer_get_length(in))
		start_deadline(c);
	if (end.pos < 0 && evbuffer_get_length(in) < AUTHZ_HEAD_BYTES)
		return false;
	if (end.pos < 0 || end.pos > AUTHZ_HEAD_BYTES) {
		refuse(c);
		return false;
	}
	head.p = (const char *)evbuffer_pullup(in, end.pos + 4);
	head.n = (size_t)end.pos;
	if (!head.p || !read_head(c, head)) {
		refuse(c);
		return false;
	}
	evbuffer_drain(in, (size_t)end.pos + 4);
	c->state = CONN_BODY;
	return true;
}

static void read_request(struct server_call *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct slice body = { "", c->length };

	if (c->state == CONN_HEAD && !take_head(c, in))
		return;
	if (c->state != CONN_BODY || evbuffer_get_length(in) < c->length)
		return;
	body.n = c->length;
	if (body.n)
		body.p = (const char *)evbuffer_pullup(in, (ssize_t)body.n);
	event_del(c->deadline);
	c->state = CONN_WAITING;
	bufferevent_disable(c->bev, EV_READ); /* one at a time */
	if (!body.p) {
		server_answer(c, 500, SLICE_LIT("{\"Err\":\"out of memory\"}"));
		return;
	}
	c->server->fn(c->server->arg, c, slice_of(c->path), body);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	read_request(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct server_call *c = arg;

	(void)bev;
	if (c->state == CONN_CLOSING)
		close_conn(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		close_conn(arg);
}

/* A deferred look for a request that came right behind the last. */
static void again(struct server_call *c)
{
	c->state = CONN_HEAD;
	c->since = ++c->server->ticks;
	bufferevent_enable(c->bev, EV_READ);
	if (evbuffer_get_length(bufferevent_get_input(c->bev)))
		bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

void server_answer(struct server_call *c, unsigned status, struct slice json)
{
	struct evbuffer *out = bufferevent_get_output(c->bev), *in = bufferevent_get_input(c->bev);

	evbuffer_add_printf(out,
			    "HTTP/1.1 %u %s\r\nContent-Type: application/vnd.docker.plugins.v1.1+json\r\n"
			    "Content-Length: %zu\r\n%s\r\n",
			    status, status == 200 ? "OK" : "Error", json.n, c->is_last ? "Connection: close\r\n" : "");
	evbuffer_add(out, json.p, json.n);
	evbuffer_drain(in, c->length < evbuffer_get_length(in) ? c->length : evbuffer_get_length(in));
	c->length = 0;
	c->kept = NULL;
	/* Who sends on and on and reads nothing is not dockerd. */
	if (!c->is_last && evbuffer_get_length(out) < UNREAD_MAX) {
		again(c);
		return;
	}
	c->state = CONN_CLOSING;
	bufferevent_disable(c->bev, EV_READ);
	event_del(c->deadline);
	start_deadline(c);
}

/* ---- connections ---- */

/* Who has waited longest, of those that are not being answered. */
static struct server_call *make_room(struct server *s)
{
	struct server_call *oldest = NULL;

	for (size_t i = 0; i < AUTHZ_CONNECTIONS; i++) {
		struct server_call *c = &s->conns[i];

		if (c->state == CONN_FREE)
			return c;
		if (c->state != CONN_WAITING && (!oldest || c->since < oldest->since))
			oldest = c;
	}
	if (oldest) {
		LOG(WARN, "guard.connection", KV_STR("why", "too many: the oldest is closed"));
		close_conn(oldest);
	}
	return oldest;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int size, void *arg)
{
	struct server *s = arg;
	struct server_call *c = make_room(s);
	struct bufferevent *bev = c ? bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
	struct event *deadline = bev ? evtimer_new(s->base, on_deadline, c) : NULL;

	(void)l, (void)from, (void)size;
	if (!deadline) {
		if (bev)
			bufferevent_free(bev);
		else
			close(fd);
		return;
	}
	*c = (struct server_call){ .server = s, .bev = bev, .deadline = deadline, .state = CONN_HEAD, .since = ++s->ticks };
	bufferevent_setcb(bev, on_read, on_written, on_event, c);
	bufferevent_setwatermark(bev, EV_READ, 0, AUTHZ_HEAD_BYTES + AUTHZ_REQUEST_BYTES);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* Out of descriptors: those that wait for nothing give theirs back. */
static void on_accept_failed(struct evconnlistener *l, void *arg)
{
	struct server *s = arg;

	(void)l;
	LOG(ERROR, "guard.accept", KV_STR("why", strerror(errno)));
	for (size_t i = 0; i < AUTHZ_CONNECTIONS; i++)
		if (s->conns[i].state == CONN_HEAD)
			close_conn(&s->conns[i]);
}

/* A socket that nobody listens on any more is replaced; one that answers is another's. */
static int open_socket(const char *path, int *ret, struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_set(err, errno, "socket");
	if (!*path || !slice_copy(slice_of(path), at.sun_path, sizeof(at.sun_path)))
		return err_set(err, ERR_SYNTAX, "'%s' is too long for a socket's path", path);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return err_set(err, EADDRINUSE, "listen on '%s'", path);
	if (errno == ECONNREFUSED && unlink(path) < 0)
		return err_set(err, errno, "remove the old socket '%s'", path);
	mode_t old = umask(0177);
	int r = bind(fd, (struct sockaddr *)&at, sizeof(at));
	int why = errno;
	umask(old);
	if (r < 0 || listen(fd, 128) < 0)
		return err_set(err, r < 0 ? why : errno, "listen on '%s'", path);
	*ret = take_fd(&fd);
	return 0;
}

int server_new(struct loop *l, const char *path, int inherited_fd, server_fn fn, server_gone_fn gone, void *arg,
	       struct server **ret, struct err *err)
{
	struct server *s = calloc(1, sizeof(*s));
	int fd = inherited_fd, r = 0;

	if (!s)
		return err_set(err, ENOMEM, "server");
	s->base = loop_base(l);
	s->fn = fn;
	s->gone = gone;
	s->arg = arg;
	if (fd < 0) {
		r = open_socket(path, &fd, err);
		if (r >= 0 && !(s->path = strdup(path)))
			r = err_set(err, ENOMEM, "server");
	} else if (evutil_make_socket_nonblocking(fd) < 0 || evutil_make_socket_closeonexec(fd) < 0) {
		r = err_set(err, errno, "the inherited socket");
	}
	if (r >= 0) {
		s->listener = evconnlistener_new(s->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE, 0, fd);
		if (!s->listener)
			r = err_set(err, ENOMEM, "server");
	}
	if (r < 0) {
		if (fd >= 0 && fd != inherited_fd)
			close(fd);
		server_free(s);
		return r;
	}
	evconnlistener_set_error_cb(s->listener, on_accept_failed);
	*ret = s;
	return 0;
}

void server_call_set(struct server_call *c, void *p)
{
	c->kept = p;
}

void *server_call_get(const struct server_call *c)
{
	return c->kept;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	if (s->listener)
		evconnlistener_free(s->listener);
	for (size_t i = 0; i < AUTHZ_CONNECTIONS; i++)
		close_conn(&s->conns[i]);
	if (s->path)
		(void)unlink(s->path);
	free(s->path);
	free(s);
}
