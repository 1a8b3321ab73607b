/* fetch_priv.h - between fetch.c (the pool on the loop) and fetch_request.c (one request, set up and
 * judged). */
#pragma once
#include <curl/curl.h>

#include "common/fetch.h"

struct fetch {
	struct fetch *next, **prev; /* in the pool's list */
	struct fetch_pool *pool;    /* borrowed; NULL in fetch_wait */
	CURL *easy;
	struct curl_slist *headers, *mail_to;
	char *body; /* owned: what is sent */
	size_t body_bytes, sent_bytes;
	struct buf answer;
	bool is_added;	   /* the multi handle knows it */
	bool is_cancelled; /* to be freed as soon as libcurl is not on the stack */
	bool is_done;	   /* inside on_done */
	bool is_ended;	   /* on_data said false */
	char *unix_socket; /* owned, nullable; for messages */
	bool (*on_data)(void *arg, struct slice piece);
	void (*on_header)(void *arg, struct slice name, struct slice value);
	void (*on_done)(void *arg, const struct fetch_result *r);
	void *arg;
	char curl_error[CURL_ERROR_SIZE];
	char message[CURL_ERROR_SIZE + 160];
};

/* curl_global_init, once in the process. */
void fetch_init(void);
/* A handle with everything set but not started. *ret: caller frees with fetch_destroy. */
int fetch_prepare(const struct fetch_request *rq, struct fetch **ret, struct err *err) WARN_UNUSED;
/* What came of it, in words and codes. Borrows from f. */
struct fetch_result fetch_judge(struct fetch *f, CURLcode rc);
/* NULL is allowed. Not while a multi handle knows it. */
void fetch_destroy(struct fetch *f);
DEFINE_CLEANUP(struct fetch, fetch_destroy)
