/* loop.h - the one thread that owns everything: descriptors, timers, signals (libevent inside). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct event_base;
struct loop;
struct loop_fd;
struct loop_timer;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void (*loop_fd_fn)(void *arg, int fd, unsigned ready);
typedef void (*loop_fn)(void *arg);

/* *ret: caller frees with loop_free after everything that was added to it is gone. */
int loop_new(struct loop **ret, struct err *err) WARN_UNUSED;
/* Until loop_stop. */
void loop_run(struct loop *l);
/* Handles what is ready now, waiting at most wait_ms for the first; for tests. */
void loop_step(struct loop *l, unsigned wait_ms);
void loop_stop(struct loop *l);
/* libevent's base, for evhttp. Borrowed until loop_free. */
struct event_base *loop_base(struct loop *l);

/* Level-triggered. fd: borrowed, must outlive the watch. wanted: LOOP_READ | LOOP_WRITE.
 * NULL when out of memory. Free with loop_fd_free before closing the descriptor. */
struct loop_fd *loop_fd_new(struct loop *l, int fd, unsigned wanted, loop_fd_fn fn, void *arg);
void loop_fd_want(struct loop_fd *w, unsigned wanted);
void loop_fd_free(struct loop_fd *w);
/* A timer that is not set. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg);
/* (Re)starts it: once after ms, or every ms. */
void loop_timer_once(struct loop_timer *t, uint64_t ms);
void loop_timer_every(struct loop_timer *t, uint64_t ms);
/* Once after ms, unless it is set: whoever asks again and again must not push it further away each time. */
void loop_timer_soon(struct loop_timer *t, uint64_t ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);
/* Calls fn on the loop when the signal comes. Lives as long as the loop. */
int loop_signal(struct loop *l, int signo, loop_fn fn, void *arg, struct err *err) WARN_UNUSED;
void loop_free(struct loop *l);
DEFINE_CLEANUP(struct loop, loop_free)
DEFINE_CLEANUP(struct loop_timer, loop_timer_free)
DEFINE_CLEANUP(struct loop_fd, loop_fd_free)
