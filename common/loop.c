/* loop.c - see loop.h. A thin layer, so that rooms know verbs and not libevent. No thread but the
 * loop's ever touches the base, so libevent's locks are not switched on. */
#include "common/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>

#include "common/log.h"

struct loop_signal {
	struct loop_signal *next;
	struct event *ev;
	loop_fn fn;
	void *arg;
};

struct loop {
	struct event_base *base;
	struct loop_signal *signals;
	bool stopped; /* sticky until a loop_run has seen it: a stop before the run counts too */
};

struct loop_fd {
	struct event_base *base;
	struct event *ev;
	int fd;
	unsigned wanted;
	loop_fd_fn fn;
	void *arg;
};

struct loop_timer {
	struct event_base *base;
	struct event *ev;
	loop_fn fn;
	void *arg;
};

static void on_libevent_log(int severity, const char *msg)
{
	if (severity >= EVENT_LOG_WARN)
		LOG(WARN, "loop.libevent", KV_STR("why", msg));
}

int loop_new(struct loop **ret, struct err *err)
{
	/* Every peer may go away while it is written to; write's EPIPE says so. */
	signal(SIGPIPE, SIG_IGN);
	event_set_log_callback(on_libevent_log);
	struct event_config *cfg = event_config_new();
	if (!cfg)
		return err_set(err, ENOMEM, "make the loop");
	/* The environment must not choose another back end for a daemon. */
	event_config_set_flag(cfg, EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_NOLOCK);
	struct loop *l = calloc(1, sizeof(*l));
	if (l)
		l->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (!l || !l->base) {
		loop_free(l);
		return err_set(err, ENOMEM, "make the loop");
	}
	*ret = l;
	return 0;
}

void loop_run(struct loop *l)
{
	while (!l->stopped)
		if (event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
			break;
	l->stopped = false;
}

static void on_step_over(evutil_socket_t fd, short what, void *arg)
{
}

static struct timeval to_timeval(uint64_t ms)
{
	return (struct timeval){ .tv_sec = (time_t)(ms / 1000),
				 .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
}

void loop_step(struct loop *l, unsigned wait_ms)
{
	if (!wait_ms) {
		event_base_loop(l->base, EVLOOP_NONBLOCK);
		return;
	}
	struct event *over = evtimer_new(l->base, on_step_over, NULL);
	struct timeval tv = to_timeval(wait_ms);
	if (over && !evtimer_add(over, &tv))
		event_base_loop(l->base, EVLOOP_ONCE);
	if (over)
		event_free(over);
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
	event_base_loopbreak(l->base);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
	struct loop_fd *w = arg;

	w->fn(w->arg, w->fd,
	      (what & EV_READ ? LOOP_READ : 0U) | (what & EV_WRITE ? LOOP_WRITE : 0U));
}

static short to_events(unsigned wanted)
{
	return (short)(EV_PERSIST | (wanted & LOOP_READ ? EV_READ : 0) |
		       (wanted & LOOP_WRITE ? EV_WRITE : 0));
}

struct loop_fd *loop_fd_new(struct loop *l, int fd, unsigned wanted, loop_fd_fn fn, void *arg)
{
	struct loop_fd *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct loop_fd){ .base = l->base, .fd = fd, .wanted = wanted, .fn = fn, .arg = arg };
	w->ev = event_new(l->base, fd, to_events(wanted), on_fd, w);
	if (!w->ev || (wanted && event_add(w->ev, NULL) < 0)) {
		loop_fd_free(w);
		return NULL;
	}
	return w;
}

void loop_fd_want(struct loop_fd *w, unsigned wanted)
{
	if (w->wanted == wanted)
		return;
	event_del(w->ev);
	event_assign(w->ev, w->base, w->fd, to_events(wanted), on_fd, w);
	w->wanted = wanted;
	if (wanted)
		event_add(w->ev, NULL);
}

void loop_fd_free(struct loop_fd *w)
{
	if (!w)
		return;
	if (w->ev)
		event_free(w->ev);
	free(w);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct loop_timer){ .base = l->base, .fn = fn, .arg = arg };
	t->ev = evtimer_new(l->base, on_timer, t);
	if (!t->ev) {
		free(t);
		return NULL;
	}
	return t;
}

static void timer_set(struct loop_timer *t, uint64_t ms, short flags)
{
	struct timeval tv = to_timeval(ms);

	event_del(t->ev);
	event_assign(t->ev, t->base, -1, flags, on_timer, t);
	/* libevent counts from when it last woke up; after a long callback that is long ago. */
	event_base_update_cache_time(t->base);
	event_add(t->ev, &tv);
}

void loop_timer_once(struct loop_timer *t, uint64_t ms)
{
	timer_set(t, ms, 0);
}

void loop_timer_every(struct loop_timer *t, uint64_t ms)
{
	/* Every 0 ms would starve every descriptor. */
	timer_set(t, ms ? ms : 1, EV_PERSIST);
}

void loop_timer_soon(struct loop_timer *t, uint64_t ms)
{
	if (!event_pending(t->ev, EV_TIMEOUT, NULL))
		loop_timer_once(t, ms);
}

void loop_timer_stop(struct loop_timer *t)
{
	event_del(t->ev);
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	event_free(t->ev);
	free(t);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct loop_signal *s = arg;

	s->fn(s->arg);
}

int loop_signal(struct loop *l, int signo, loop_fn fn, void *arg, struct err *err)
{
	struct loop_signal *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, ENOMEM, "watch signal %d", signo);
	*s = (struct loop_signal){ .fn = fn, .arg = arg };
	s->ev = evsignal_new(l->base, signo, on_signal, s);
	if (!s->ev || event_add(s->ev, NULL) < 0) {
		if (s->ev)
			event_free(s->ev);
		free(s);
		return err_set(err, ENOMEM, "watch signal %d", signo);
	}
	s->next = l->signals;
	l->signals = s;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->signals) {
		struct loop_signal *s = l->signals;

		l->signals = s->next;
		event_free(s->ev);
		free(s);
	}
	if (l->base)
		event_base_free(l->base);
	free(l);
}
