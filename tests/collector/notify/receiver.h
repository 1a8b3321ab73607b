/* receiver.h - a webhook's receiver on loopback that keeps what it got, in a thread of the test. */
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "tests/collector/notify/notifying.h"

enum { REQUESTS = 64, REQUEST_BYTES = 32 * 1024 };

/* A receiver that keeps what it got, and answers as told. */
struct receiver {
	int fd, port;
	pthread_t thread;
	atomic_bool must_stop;
	atomic_uint count;
	const char *answer; /* the status line and headers; NULL: never answers */
	char requests[REQUESTS][REQUEST_BYTES];
	uint64_t came_unix_ns[REQUESTS];
};

static inline void serve_one(struct receiver *r, int fd)
{
	char *text = r->requests[atomic_load(&r->count) % REQUESTS];
	size_t n = 0;

	text[0] = 0;
	while (n < REQUEST_BYTES - 1) {
		char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
		ssize_t got;

		if (body && n >= (size_t)(body + 4 - text) + (length ? strtoul(length + 15, NULL, 10) : 0))
			break;
		got = read(fd, text + n, REQUEST_BYTES - 1 - n);
		if (got <= 0)
			return;
		n += (size_t)got;
		text[n] = 0;
	}
	r->came_unix_ns[atomic_load(&r->count) % REQUESTS] = clock_unix_ns(clock_real());
	atomic_fetch_add(&r->count, 1);
	if (r->answer)
		dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", r->answer);
	while (!r->answer && !atomic_load(&r->must_stop))
		usleep(10000);
}

static inline void *serve(void *arg)
{
	struct receiver *r = arg;

	while (!atomic_load(&r->must_stop)) {
		struct pollfd p = { .fd = r->fd, .events = POLLIN };

		if (poll(&p, 1, 20) <= 0)
			continue;
		int fd = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC);
		serve_one(r, fd);
		close(fd);
	}
	return NULL;
}

static inline void receiver_start(struct receiver *r, const char *answer)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(at);

	memset(r, 0, sizeof(*r));
	r->answer = answer;
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(r->fd, 64), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&at, &size), 0);
	r->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static inline void receiver_stop(struct receiver *r)
{
	atomic_store(&r->must_stop, true);
	pthread_join(r->thread, NULL);
	close(r->fd);
}

static inline cJSON *body_of(const char *request)
{
	const char *body = strstr(request, "\r\n\r\n");
	cJSON *doc = NULL;

	assert_non_null(body);
	MUST(json_parse(slice_of(body + 4), REQUEST_BYTES, &doc, &must_err));
	return doc;
}
