/* notify_stream.h - bytes over TCP or TLS, once: connect, send, wait until the other side has taken them. */
#pragma once
#include "common/err.h"
#include "common/loop.h"
#include "common/slice.h"

struct stream;
struct evdns_base;
struct stream_request {
	const char *url;     /* tcp://HOST:PORT, tls://HOST:PORT */
	const char *ca_file; /* nullable or "": the system's */
	struct slice bytes;  /* copied */
	uint64_t timeout_ms;
	/* Exactly once, unless cancelled. error NULL: everything was taken. */
	void (*on_done)(void *arg, const char *error);
	void *arg;
};
/* ERR_SYNTAX: no such url. */
int stream_check_url(const char *url, struct err *err) WARN_UNUSED;
int stream_start(struct loop *l, struct evdns_base *dns, const struct stream_request *rq, struct stream **ret,
		 struct err *err) WARN_UNUSED;
void stream_cancel(struct stream *s);
