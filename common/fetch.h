/* fetch.h - requests over HTTP, a unix socket or SMTP on the loop (libcurl's multi inside). */
#pragma once
#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"

struct fetch_pool;
struct fetch;

struct fetch_result {
	int code;	     /* 0, or a positive err code when there was no answer */
	long status;	     /* HTTP status or last SMTP reply; 0 without an answer */
	struct slice body;   /* borrowed for the call; with on_data only what came with a status
				that is not 2xx (never passed to on_data) */
	const char *message; /* why it failed, or ""; borrowed */
	uint64_t retry_after_ms; /* from the answer's Retry-After; 0 = none */
};

struct fetch_request {
	const char *url;	 /* http(s)://, smtp(s):// */
	const char *unix_socket; /* nullable */
	const char *method;	 /* nullable: GET, or POST with a body */
	const char *const *headers; /* "Name: value", NULL-terminated; nullable */
	struct slice body;	 /* copied; mail gets CRLF line ends */
	const char *ca_file;	 /* nullable: the system's */
	const char *client_cert, *client_key; /* nullable */
	const char *user, *password; /* nullable */
	const char *mail_from;	 /* SMTP */
	const char *const *mail_to; /* SMTP, NULL-terminated */
	/* SMTP. Default: STARTTLS if it is offered, and required when there is a password. A
	 * certificate that is offered is always verified. */
	enum { FETCH_TLS_DEFAULT, FETCH_TLS_REQUIRED, FETCH_TLS_NONE } starttls;
	bool allows_refused;	 /* SMTP: refused receivers don't keep it from the others */
	uint64_t timeout_ms;	 /* whole request; 0 = no limit (streams) */
	size_t max_body_bytes;	 /* 0 = 8 MiB */
	/* For streams: called with each piece as it comes; false ends the request (on_done follows,
	 * with code 0). It may start and cancel other requests. Nullable. */
	bool (*on_data)(void *arg, struct slice piece);
	/* HTTP: each line of the answer's head, name as sent, value trimmed, before any data. Nullable. */
	void (*on_header)(void *arg, struct slice name, struct slice value);
	/* Exactly once, from the loop, unless the request is cancelled. */
	void (*on_done)(void *arg, const struct fetch_result *r);
	void *arg; /* borrowed until on_done or fetch_cancel */
};

int fetch_pool_new(struct loop *l, unsigned max_connections, struct fetch_pool **ret,
		   struct err *err) WARN_UNUSED;
/* Cancels what is under way. May be called from a callback. */
void fetch_pool_free(struct fetch_pool *p);
/* Everything in the request is copied. EINVAL: control characters in a line of it, or more than an
 * address in an address (what comes from outside can't add headers or recipients). Redirects are not
 * followed; certificates are always verified. *ret (nullable) is valid until on_done or fetch_cancel. */
int fetch_start(struct fetch_pool *p, const struct fetch_request *rq, struct fetch **ret,
		struct err *err) WARN_UNUSED;
/* No callback after this. NULL is allowed. Not from inside this request's own on_data. */
void fetch_cancel(struct fetch *f);
/* Without a loop, for command-line tools: waits. Copies the body into ret_body (caller frees).
 * A status of 400 or more is not an error here. */
int fetch_wait(const struct fetch_request *rq, long *ret_status, struct buf *ret_body,
	       struct err *err) WARN_UNUSED;
DEFINE_CLEANUP(struct fetch_pool, fetch_pool_free)
