/* fetch.c - see fetch.h. libcurl's multi interface says which sockets and which timer it wants; the
 * loop says when they are due.
 *
 * libcurl must not be entered from inside its own callbacks, but on_data is one of them. So while it
 * is on the stack (in_curl), a start only queues and a cancel only marks; settle does the rest. */
#include "common/fetch.h"

#include <errno.h>

#include "common/fetch_priv.h"

struct fetch_pool {
	struct loop *loop; /* borrowed */
	CURLM *multi;
	struct loop_timer *timer;
	struct fetch *fetches;
	bool in_curl;	/* libcurl is on the stack */
	bool in_done;	/* an on_done is on the stack */
	bool is_dirty;	/* settle has something to do */
	bool is_doomed; /* freed as soon as nothing of ours is on the stack */
};

static void unlink_fetch(struct fetch *f)
{
	if (f->is_added)
		curl_multi_remove_handle(f->pool->multi, f->easy);
	f->is_added = false;
	*f->prev = f->next;
	if (f->next)
		f->next->prev = f->prev;
}

static void finish(struct fetch *f, CURLcode rc)
{
	struct fetch_pool *p = f->pool;
	/* Judged first: leaving the multi handle forgets some of it. */
	struct fetch_result r = fetch_judge(f, rc);
	bool outer = p->in_done;

	unlink_fetch(f);
	f->is_done = true;
	p->in_done = true;
	if (f->on_done)
		f->on_done(f->arg, &r);
	p->in_done = outer;
	fetch_destroy(f);
}

static void destroy_pool(struct fetch_pool *p)
{
	while (p->fetches) {
		struct fetch *f = p->fetches;

		unlink_fetch(f);
		fetch_destroy(f);
	}
	if (p->multi)
		curl_multi_cleanup(p->multi); /* still uses the timer and frees the watches */
	loop_timer_free(p->timer);
	free(p);
}

/* What the callbacks asked for while libcurl was on the stack. on_done may change the list, so each
 * change begins again from its head. */
static void settle(struct fetch_pool *p)
{
	struct fetch *f = p->is_dirty ? p->fetches : NULL;

	while (f && !p->is_doomed) {
		if (f->is_cancelled) {
			unlink_fetch(f);
			fetch_destroy(f);
		} else if (!f->is_added) {
			f->is_added = curl_multi_add_handle(p->multi, f->easy) == CURLM_OK;
			if (!f->is_added)
				finish(f, CURLE_OUT_OF_MEMORY);
		} else {
			f = f->next;
			continue;
		}
		f = p->fetches;
	}
	p->is_dirty = false;
}

static void dispatch(struct fetch_pool *p, curl_socket_t fd, int flags)
{
	int running, left;
	CURLMsg *msg;

	p->in_curl = true;
	curl_multi_socket_action(p->multi, fd, flags, &running);
	p->in_curl = false;
	settle(p);
	while (!p->is_doomed && (msg = curl_multi_info_read(p->multi, &left))) {
		struct fetch *f = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &f);
		finish(f, msg->data.result);
	}
	if (p->is_doomed)
		destroy_pool(p);
}

static void on_ready(void *arg, int fd, unsigned ready)
{
	dispatch(arg, fd, (ready & LOOP_READ ? CURL_CSELECT_IN : 0) |
				  (ready & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *arg)
{
	dispatch(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_want_timer(CURLM *multi, long ms, void *arg)
{
	struct fetch_pool *p = arg;

	if (ms < 0)
		loop_timer_stop(p->timer);
	else
		loop_timer_once(p->timer, (uint64_t)ms);
	return 0;
}

static int on_want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct fetch_pool *p = arg;
	unsigned wanted = (what & CURL_POLL_IN ? LOOP_READ : 0U) |
			  (what & CURL_POLL_OUT ? LOOP_WRITE : 0U);

	if (what == CURL_POLL_REMOVE) {
		loop_fd_free(watch);
		curl_multi_assign(p->multi, fd, NULL);
	} else if (watch) {
		loop_fd_want(watch, wanted);
	} else {
		watch = loop_fd_new(p->loop, fd, wanted, on_ready, p);
		if (!watch)
			return -1;
		curl_multi_assign(p->multi, fd, watch);
	}
	return 0;
}

int fetch_pool_new(struct loop *l, unsigned max_connections, struct fetch_pool **ret,
		   struct err *err)
{
	struct fetch_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(err, ENOMEM, "make the request pool");
	fetch_init();
	p->loop = l;
	p->timer = loop_timer_new(l, on_timer, p);
	p->multi = curl_multi_init();
	if (!p->timer || !p->multi) {
		destroy_pool(p);
		return err_set(err, ENOMEM, "make the request pool");
	}
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_want_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_want_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)max_connections);
	curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)max_connections);
	*ret = p;
	return 0;
}

void fetch_pool_free(struct fetch_pool *p)
{
	if (!p)
		return;
	for (struct fetch *f = p->fetches; f; f = f->next)
		f->is_cancelled = true;
	if (p->in_curl || p->in_done)
		p->is_doomed = true;
	else
		destroy_pool(p);
}

int fetch_start(struct fetch_pool *p, const struct fetch_request *rq, struct fetch **ret,
		struct err *err)
{
	struct fetch *f = NULL;
	int r = fetch_prepare(rq, &f, err);

	if (r < 0)
		return r;
	f->pool = p;
	f->next = p->fetches;
	f->prev = &p->fetches;
	if (f->next)
		f->next->prev = &f->next;
	p->fetches = f;
	if (p->in_curl) {
		p->is_dirty = true;
	} else if (curl_multi_add_handle(p->multi, f->easy) == CURLM_OK) {
		f->is_added = true;
	} else {
		unlink_fetch(f);
		fetch_destroy(f);
		return err_set(err, ENOMEM, "start a request");
	}
	if (ret)
		*ret = f;
	return 0;
}

void fetch_cancel(struct fetch *f)
{
	if (!f || f->is_done)
		return;
	f->is_cancelled = true;
	if (f->pool->in_curl) {
		f->pool->is_dirty = true;
		return;
	}
	unlink_fetch(f);
	fetch_destroy(f);
}

int fetch_wait(const struct fetch_request *rq, long *ret_status, struct buf *ret_body,
	       struct err *err)
{
	CLEANUP(fetch_destroyp) struct fetch *f = NULL;

	buf_init(ret_body, 0);
	int r = fetch_prepare(rq, &f, err);
	if (r < 0)
		return r;
	struct fetch_result result = fetch_judge(f, curl_easy_perform(f->easy));
	if (result.code) {
		/* Not err_set: libcurl's words already say what errno's would say again. */
		if (err) {
			err->code = result.code;
			slice_copy(slice_of(result.message), err->msg, sizeof(err->msg));
		}
		return -result.code;
	}
	*ret_status = result.status;
	*ret_body = f->answer;
	buf_init(&f->answer, 0);
	return 0;
}
