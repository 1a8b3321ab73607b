/* fake_engine.h - an engine that misbehaves, on a unix socket of the test's own loop. Only for
 * faults that a real one can't be made to show; what a real one does is tested with a real one. */
#pragma once
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/buf.h"
#include "common/loop.h"

enum { FAKE_CLIENTS = 32 };

struct fake_engine {
	struct loop *loop;
	char dir[64], path[96];
	int fd;
	struct loop_fd *watch;
	struct fake_client {
		struct fake_engine *engine;
		int fd; /* 0 = free */
		struct loop_fd *watch;
		struct buf in, out;
		size_t sent;
		bool is_stream;
	} clients[FAKE_CLIENTS];
	/* What it says. Each is a whole answer's body; status 0 hangs up. */
	const char *list, *inspect, *image;
	const char *first_event; /* nullable: told with the stream's head, so before any list */
	int list_status, inspect_status;
	char last_events_url[1024];
	unsigned event_requests, list_requests, inspect_requests;
};

static void fake_close(struct fake_client *c)
{
	if (c->fd <= 0)
		return;
	loop_fd_free(c->watch);
	close(c->fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	*c = (struct fake_client){.engine = c->engine};
}

static void fake_flush(struct fake_client *c)
{
	while (c->sent < c->out.n) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0)
			break;
		c->sent += (size_t)n;
	}
	if (c->sent == c->out.n) {
		buf_reset(&c->out);
		c->sent = 0;
	}
	loop_fd_want(c->watch, c->out.n ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void fake_send(struct fake_client *c, struct slice s)
{
	if (c->fd <= 0)
		return;
	buf_add_slice(&c->out, s);
	fake_flush(c);
}

static void fake_answer(struct fake_client *c, int status, const char *body)
{
	char head[160];

	if (!status) {
		fake_close(c);
		return;
	}
	snprintf(head, sizeof(head),
		 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		 status, strlen(body));
	fake_send(c, slice_of(head));
	fake_send(c, slice_of(body));
}

static void fake_request(struct fake_client *c, struct slice url)
{
	struct fake_engine *f = c->engine;

	if (slice_starts(url, SLICE_LIT("/events"))) {
		f->event_requests++;
		(void)slice_copy(url, f->last_events_url, sizeof(f->last_events_url));
		c->is_stream = true;
		fake_send(c,
			  SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"));
		if (f->first_event)
			fake_send(c, slice_of(f->first_event));
	} else if (slice_starts(url, SLICE_LIT("/containers/json"))) {
		f->list_requests++;
		fake_answer(c, f->list_status, f->list);
	} else if (slice_starts(url, SLICE_LIT("/images/"))) {
		fake_answer(c, f->image ? 200 : 404, f->image ? f->image : "{}");
	} else {
		f->inspect_requests++;
		fake_answer(c, f->inspect_status, f->inspect);
	}
}

static void fake_readable(void *arg, int fd, unsigned ready)
{
	struct fake_client *c = arg;
	char bytes[4096];
	if (ready & LOOP_WRITE)
		fake_flush(c);
	if (!(ready & LOOP_READ))
		return;
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			fake_close(c);
		return;
	}
	buf_add(&c->in, bytes, (size_t)n);
	struct slice in = buf_slice(&c->in), method, url;
	if (slice_find(in, SLICE_LIT("\r\n\r\n")) < 0)
		return;
	char copy[1024];
	(void)slice_split(&in, ' ', &method);
	(void)slice_split(&in, ' ', &url);
	(void)slice_copy(url, copy, sizeof(copy));
	buf_reset(&c->in);
	fake_request(c, slice_of(copy));
}

static void fake_accept(void *arg, int fd, unsigned ready)
{
	struct fake_engine *f = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (unsigned i = 0; client >= 0 && i < FAKE_CLIENTS; i++) {
		struct fake_client *c = &f->clients[i];
		if (c->fd > 0)
			continue;
		*c = (struct fake_client){.engine = f, .fd = client};
		buf_init(&c->in, 65536);
		buf_init(&c->out, 0);
		c->watch = loop_fd_new(f->loop, client, LOOP_READ, fake_readable, c);
		return;
	}
	if (client >= 0)
		close(client);
}

static inline void fake_listen(struct fake_engine *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	(void)slice_copy(slice_of(f->path), a.sun_path, sizeof(a.sun_path));
	unlink(f->path);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(f->fd, (struct sockaddr *)&a, sizeof(a)) || listen(f->fd, 16))
		abort();
	f->watch = loop_fd_new(f->loop, f->fd, LOOP_READ, fake_accept, f);
}

static inline void fake_start(struct fake_engine *f, struct loop *l)
{
	*f = (struct fake_engine){.loop = l,
				  .list = "[]",
				  .list_status = 200,
				  .inspect = "{}",
				  .inspect_status = 404};
	strcpy(f->dir, "/tmp/picket-engine-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	fake_listen(f);
}

/* Writes to every open event stream. */
static inline void fake_say(struct fake_engine *f, struct slice s)
{
	for (unsigned i = 0; i < FAKE_CLIENTS; i++)
		if (f->clients[i].is_stream)
			fake_send(&f->clients[i], s);
}

/* Goes away: the listener and every connection. fake_listen brings it back. */
static inline void fake_stop(struct fake_engine *f)
{
	for (unsigned i = 0; i < FAKE_CLIENTS; i++)
		fake_close(&f->clients[i]);
	loop_fd_free(f->watch);
	f->watch = NULL;
	if (f->fd > 0)
		close(f->fd);
	f->fd = -1;
	unlink(f->path);
}

static inline void fake_free(struct fake_engine *f)
{
	fake_stop(f);
	rmdir(f->dir);
}
