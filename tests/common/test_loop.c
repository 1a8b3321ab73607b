/* loop: descriptors, timers and signals, stepped by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>

#include "common/loop.h"

struct world {
	struct loop *loop;
	struct loop_fd *watch;
	struct loop_timer *timer;
	int fds[2];
	unsigned calls, ready;
};

static int set_up(void **state)
{
	static struct world w;
	struct err err;

	w = (struct world){ 0 };
	*state = &w;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, w.fds) ||
	       loop_new(&w.loop, &err);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	loop_fd_free(w->watch);
	loop_timer_free(w->timer);
	loop_free(w->loop);
	close(w->fds[0]);
	close(w->fds[1]);
	return 0;
}

static void on_ready(void *arg, int fd, unsigned ready)
{
	struct world *w = arg;

	w->calls++;
	w->ready = ready;
}

static void on_call(void *arg)
{
	((struct world *)arg)->calls++;
}

static void a_descriptor_is_reported_as_long_as_it_is_ready(void **state)
{
	struct world *w = *state;

	w->watch = loop_fd_new(w->loop, w->fds[0], LOOP_READ, on_ready, w);
	assert_non_null(w->watch);
	loop_step(w->loop, 0);
	assert_int_equal(w->calls, 0);
	assert_int_equal(write(w->fds[1], "x", 1), 1);
	loop_step(w->loop, 100);
	loop_step(w->loop, 100);
	assert_int_equal(w->calls, 2); /* level-triggered */
	assert_int_equal(w->ready, LOOP_READ);
}

static void what_is_wanted_can_change(void **state)
{
	struct world *w = *state;

	w->watch = loop_fd_new(w->loop, w->fds[0], 0, on_ready, w);
	assert_non_null(w->watch);
	assert_int_equal(write(w->fds[1], "x", 1), 1);
	loop_step(w->loop, 0);
	assert_int_equal(w->calls, 0);
	loop_fd_want(w->watch, LOOP_READ | LOOP_WRITE);
	loop_step(w->loop, 100);
	assert_int_equal(w->ready, LOOP_READ | LOOP_WRITE);
	loop_fd_want(w->watch, 0);
	w->calls = 0;
	loop_step(w->loop, 0);
	assert_int_equal(w->calls, 0);
}

static void free_watch(void *arg, int fd, unsigned ready)
{
	struct world *w = arg;

	w->calls++;
	loop_fd_free(w->watch);
	w->watch = NULL;
}

static void a_watch_may_be_freed_in_its_own_callback(void **state)
{
	struct world *w = *state;

	w->watch = loop_fd_new(w->loop, w->fds[0], LOOP_WRITE, free_watch, w);
	loop_step(w->loop, 100);
	loop_step(w->loop, 0);
	assert_int_equal(w->calls, 1);
}

static void a_closed_descriptor_cannot_be_watched(void **state)
{
	struct world *w = *state;

	assert_null(loop_fd_new(w->loop, 9999, LOOP_READ, on_ready, w));
}

static void a_timer_fires_once_or_every_time_until_stopped(void **state)
{
	struct world *w = *state;

	w->timer = loop_timer_new(w->loop, on_call, w);
	loop_step(w->loop, 5);
	assert_int_equal(w->calls, 0); /* not set */
	loop_timer_once(w->timer, 1);
	for (int i = 0; i < 5; i++)
		loop_step(w->loop, 10);
	assert_int_equal(w->calls, 1);
	loop_timer_every(w->timer, 1);
	for (int i = 0; i < 10; i++)
		loop_step(w->loop, 20);
	assert_in_range(w->calls, 5, 11);
	loop_timer_stop(w->timer);
	w->calls = 0;
	loop_step(w->loop, 10);
	assert_int_equal(w->calls, 0);
	loop_timer_once(w->timer, 60000);
	loop_timer_once(w->timer, 1); /* the later word counts */
	loop_step(w->loop, 1000);
	assert_int_equal(w->calls, 1);
}

static void a_timer_that_is_set_is_not_pushed_away(void **state)
{
	struct world *w = *state;

	w->timer = loop_timer_new(w->loop, on_call, w);
	loop_timer_soon(w->timer, 1);
	loop_timer_soon(w->timer, 60000); /* it is set already */
	loop_step(w->loop, 1000);
	assert_int_equal(w->calls, 1);
	loop_timer_soon(w->timer, 1);
	loop_step(w->loop, 1000);
	assert_int_equal(w->calls, 2);
}

static void free_timer(void *arg)
{
	struct world *w = arg;

	loop_timer_free(w->timer);
	w->timer = NULL;
	loop_stop(w->loop);
}

static void a_timer_may_be_freed_in_its_own_callback(void **state)
{
	struct world *w = *state;

	w->timer = loop_timer_new(w->loop, free_timer, w);
	loop_timer_every(w->timer, 1);
	loop_run(w->loop);
	assert_null(w->timer);
}

static void signals_arrive_on_the_loop(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(loop_signal(w->loop, SIGUSR1, on_call, w, &err), 0);
	assert_int_equal(loop_signal(w->loop, SIGHUP, on_call, w, &err), 0);
	raise(SIGUSR1);
	assert_int_equal(w->calls, 0); /* not in the handler */
	loop_step(w->loop, 1000);
	assert_int_equal(w->calls, 1);
}

static void a_write_to_a_closed_peer_does_not_kill(void **state)
{
	struct world *w = *state;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[0]);
	assert_int_equal(write(pair[1], "x", 1), -1);
	close(pair[1]);
	assert_int_equal(w->calls, 0);
}

static void a_stop_before_the_run_counts(void **state)
{
	struct world *w = *state;

	loop_stop(w->loop);
	loop_run(w->loop);
	/* ... once: the next run lasts until its own stop. */
	w->timer = loop_timer_new(w->loop, free_timer, w);
	loop_timer_once(w->timer, 5);
	loop_run(w->loop);
	assert_null(w->timer);
}

#define ON_LOOP(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_LOOP(a_descriptor_is_reported_as_long_as_it_is_ready),
		ON_LOOP(what_is_wanted_can_change),
		ON_LOOP(a_watch_may_be_freed_in_its_own_callback),
		ON_LOOP(a_closed_descriptor_cannot_be_watched),
		ON_LOOP(a_timer_fires_once_or_every_time_until_stopped),
		ON_LOOP(a_timer_that_is_set_is_not_pushed_away),
		ON_LOOP(a_timer_may_be_freed_in_its_own_callback),
		ON_LOOP(signals_arrive_on_the_loop),
		ON_LOOP(a_write_to_a_closed_peer_does_not_kill),
		ON_LOOP(a_stop_before_the_run_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
