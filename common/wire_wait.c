/* wire_wait.c - waiting for nng with a bound, and counting what it keeps us waiting for. */
#include <time.h>

#include "common/wire_priv.h"

enum { STACK_BYTES = 128 * 1024 };

/* Of the whole process, as nng is: threads that close a socket and have not done it yet. */
static unsigned lost;

unsigned wire_lost(void)
{
	return __atomic_load_n(&lost, __ATOMIC_ACQUIRE);
}

void wire_lost_begin(void)
{
	__atomic_add_fetch(&lost, 1, __ATOMIC_RELAXED);
}

void wire_lost_end(void)
{
	__atomic_sub_fetch(&lost, 1, __ATOMIC_RELEASE);
}

int wire_start_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (pthread_attr_init(&attr))
		return NNG_ENOMEM;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int r = pthread_create(&thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return r ? NNG_ENOMEM : 0;
}

void wire_cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(c, &attr);
	pthread_condattr_destroy(&attr);
}

bool wire_wait_until(pthread_cond_t *c, pthread_mutex_t *m, const bool *flag, unsigned max_ms)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += max_ms / 1000;
	end.tv_nsec += max_ms % 1000 * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	while (!*flag && !pthread_cond_timedwait(c, m, &end))
		;
	return *flag;
}

struct closing {
	nng_socket sock;
	void (*done)(void *arg);
	void *arg;
	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t changed;
	bool is_closed, is_late;
	unsigned refs;
};

static void drop(struct closing *c)
{
	pthread_mutex_lock(&c->mutex);
	unsigned left = --c->refs;
	pthread_mutex_unlock(&c->mutex);
	if (left)
		return;
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}

static void *run(void *arg)
{
	struct closing *c = arg;

	nng_close(c->sock);
	pthread_mutex_lock(&c->mutex);
	c->is_closed = true;
	bool is_late = c->is_late;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	if (is_late)
		c->done(c->arg);
	wire_lost_end();
	drop(c);
	return NULL;
}

void wire_close_socket(nng_socket sock, unsigned max_ms, void (*done)(void *arg), void *arg)
{
	struct closing *c = calloc(1, sizeof(*c));

	wire_lost_begin();
	if (!c)
		return;
	c->sock = sock;
	c->done = done;
	c->arg = arg;
	c->refs = 2;
	pthread_mutex_init(&c->mutex, NULL);
	wire_cond_init(&c->changed);
	if (wire_start_thread(run, c)) {
		free(c);
		return; /* left open: rather that than to wait for it here */
	}
	pthread_mutex_lock(&c->mutex);
	c->is_late = !wire_wait_until(&c->changed, &c->mutex, &c->is_closed, max_ms);
	bool is_late = c->is_late;
	pthread_mutex_unlock(&c->mutex);
	if (!is_late)
		done(arg);
	drop(c);
}
