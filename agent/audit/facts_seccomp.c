/* facts_seccomp.c - the filters of a process as the kernel runs them (PTRACE_SECCOMP_GET_FILTER).
 *
 * The process has to be in a ptrace stop for it, some tens of microseconds. A thread of its own does it: tracing ends
 * with the thread that traces, so whatever happens (no answer within the bound, we are killed) the process runs on.
 * SEIZE instead of ATTACH: no SIGSTOP, nothing the process or its parent can see. */
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/audit/facts_priv.h"

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

/* A process that sleeps stops in well under a millisecond; the bound is for a busy host. */
enum { WAIT_MS = 50, SPINS = 64 };

struct work {
	pid_t pid;
	struct facts_program programs[FACTS_FILTERS_MAX]; /* owned */
	size_t count;
	int code;	  /* 0 or -errno */
	const char *what; /* that failed; static */
};

static void fail(struct work *w, const char *what)
{
	w->code = -errno;
	w->what = what;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* false: it did not stop in time, or is gone. */
static bool wait_stop(struct work *w, int *ret_status)
{
	const int64_t end = now_us() + WAIT_MS * 1000;
	const struct timespec pause = { .tv_nsec = 50000 };

	for (unsigned i = 0;; i++) {
		pid_t r = waitpid(w->pid, ret_status, __WALL | __WNOTHREAD | WNOHANG);

		if (r == w->pid)
			break;
		if (r < 0 && errno != EINTR) {
			fail(w, "wait for it");
			return false;
		}
		if (now_us() >= end) {
			errno = ETIMEDOUT;
			fail(w, "stop it");
			return false;
		}
		if (i < SPINS)
			sched_yield();
		else
			(void)nanosleep(&pause, NULL);
	}
	if (WIFSTOPPED(*ret_status))
		return true;
	errno = ESRCH;
	fail(w, "stop it");
	return false;
}

static void read_filters(struct work *w)
{
	while (w->count < FACTS_FILTERS_MAX) {
		long n = ptrace(PTRACE_SECCOMP_GET_FILTER, w->pid, (void *)w->count, NULL);

		if (n < 0 && errno == ENOENT)
			return; /* there are no more */
		if (n < 0) {
			fail(w, "read its filters");
			return;
		}
		struct sock_filter *v = n ? calloc((size_t)n, sizeof(*v)) : NULL;
		if (!v) {
			errno = ENOMEM;
			fail(w, "read its filters");
			return;
		}
		w->programs[w->count] = (struct facts_program){ .v = v, .count = (size_t)n };
		/* Filters are only ever added, in front; a stopped process adds none, but its threads may, to all
		 * (TSYNC). */
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, w->pid, (void *)w->count++, v) != n) {
			fail(w, "read its filters");
			return;
		}
	}
}

/* A signal that was on its way to the process when it stopped is handed on. */
static void let_go(struct work *w, int status)
{
	int event = status >> 16, signal = event ? 0 : WSTOPSIG(status);

	(void)ptrace(PTRACE_DETACH, w->pid, NULL, (void *)(long)signal);
}

static void *trace(void *arg)
{
	struct work *w = arg;
	int status;

	if (ptrace(PTRACE_SEIZE, w->pid, NULL, NULL) < 0) {
		fail(w, "seize it");
		return NULL;
	}
	if (ptrace(PTRACE_INTERRUPT, w->pid, NULL, NULL) < 0) {
		fail(w, "interrupt it");
		return NULL;
	}
	if (!wait_stop(w, &status))
		return NULL;
	read_filters(w);
	let_go(w, status);
	return NULL;
}

static void work_free(struct work *w)
{
	for (size_t i = 0; i < w->count; i++)
		free((void *)w->programs[i].v);
	free(w);
}
DEFINE_CLEANUP(struct work, work_free)

void facts_read_filter(pid_t pid, struct facts_out *o, struct facts_filter *ret)
{
	CLEANUP(work_freep) struct work *w = calloc(1, sizeof(*w));
	struct err err = { 0 };

	facts_filter_init(ret);
	if (!w) {
		o->failed = true;
		return;
	}
	w->pid = pid;
	int r = facts_in_thread(trace, w);
	if (r < 0) {
		w->code = r;
		w->what = "start a thread";
	}
	if (w->code < 0) {
		ret->why = facts_format(o, "%s: %s", w->what, err_name(-w->code));
		return;
	}
	if (facts_filter_evaluate(w->programs, w->count, facts_native_arch(), ret, &err) < 0)
		ret->why = facts_text(o, slice_of(err.msg));
}
