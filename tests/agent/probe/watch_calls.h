/* watch_calls.h - the tests of system calls: a child makes them, the probe tells, the test looks.
 *
 * Only what processes named CALLS_COMM do passes the filter: this test and its children. */
#pragma once
#include "agent/probe/probe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/call_names.h"

#define CALLS_COMM "picket-calls"

enum { WATCH_MAX = 512 };

static enum probe_mode watch_mode;

struct watch {
	struct loop *loop;
	struct probe *probe;
	struct event seen[WATCH_MAX];
	char *store[WATCH_MAX];
	size_t count;
};

static inline void watch_keep(void *arg, const struct event *e)
{
	struct watch *w = arg;

	if (e->type != EV_CALL || w->count == WATCH_MAX)
		return;
	struct event *c = &w->seen[w->count];
	*c = *e;
	struct slice *texts[] = { &c->call.path,  &c->call.raw,  &c->call.raw2, &c->call.base,
				  &c->call.base2, &c->call.data, &c->p.name,    &c->p.cgroup };
	size_t n = 1;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		n += texts[i]->n;
	char *at = w->store[w->count++] = malloc(n);
	assert_non_null(at);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i]->n)
			memcpy(at, texts[i]->p, texts[i]->n);
		texts[i]->p = at;
		at += texts[i]->n;
	}
}

static inline void watch_forget(struct watch *w)
{
	(void)probe_drain(w->probe);
	for (size_t i = 0; i < w->count; i++)
		free(w->store[i]);
	w->count = 0;
}

/* A row of every call, narrowed by the caller. */
static inline void watch_row(struct filter_row *row)
{
	static const char *const comms[] = { CALLS_COMM };

	*row = (struct filter_row){ .outcome = FILTER_ANY_OUTCOME, .access = FILTER_ANY_ACCESS,
				    .where = FILTER_ANYWHERE, .sock = FILTER_ANY_SOCK,
				    .comms = comms, .comm_count = 1 };
	for (unsigned c = 0; c < CALL_COUNT; c++)
		if (call_family(c) != FAMILY_OPEN)
			filter_row_add_call(row, c);
}

static inline void watch_filter(struct watch *w, const struct filter *f)
{
	struct err err = { 0 };

	if (probe_set_filter(w->probe, f, &err) < 0)
		fail_msg("probe_set_filter: %s", err.msg);
	watch_forget(w);
}

static inline struct watch *watch_new(void)
{
	static const struct probe_ops ops = { .on_event = watch_keep };
	struct watch *w = calloc(1, sizeof(*w));
	struct probe_config cfg = { .mode = watch_mode };
	/* With data: else datagrams come by the cgroups' hooks alone. */
	struct filter f = { .row_count = 1, .wants_data = true };
	struct err err = { 0 };

	assert_non_null(w);
	assert_int_equal(prctl(PR_SET_NAME, CALLS_COMM), 0);
	assert_int_equal(loop_new(&w->loop, &err), 0);
	if (probe_new(w->loop, clock_real(), &cfg, &ops, w, &w->probe, &err) < 0)
		fail_msg("probe_new: %s", err.msg);
	watch_row(&f.rows[0]);
	watch_filter(w, &f);
	return w;
}

static inline void watch_free(struct watch *w)
{
	watch_forget(w);
	probe_free(w->probe);
	loop_free(w->loop);
	free(w);
}

/* Runs act in a child, which must come back from it; then what was seen is there. */
static inline pid_t watch_child(struct watch *w, void (*act)(void))
{
	int status = -1;

	watch_forget(w);
	pid_t pid = fork();
	if (!pid) {
		act();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("the child ended with %#x", status);
	(void)probe_drain(w->probe);
	return pid;
}

/* The child's nth (from 0) of that call. */
static inline const struct event_call *watch_call(const struct watch *w, pid_t pid, enum call c, int nth)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->seen[i].p.pid == (uint32_t)pid && w->seen[i].call.call == c && !nth--)
			return &w->seen[i].call;
	fail_msg("%s is missing among %zu records", call_name(c), w->count);
	return NULL;
}

static inline size_t watch_count(const struct watch *w, pid_t pid, enum call c)
{
	size_t n = 0;

	for (size_t i = 0; i < w->count; i++)
		n += w->seen[i].p.pid == (uint32_t)pid && w->seen[i].call.call == c;
	return n;
}

static inline void check_text(enum call c, const char *what, struct slice s, const char *want)
{
	if (!slice_is(s, want))
		fail_msg("%s: %s is '%.*s', not '%s'", call_name(c), what, SLICE_FMT(s), want);
}

#define CHECK_TEXT(c, field, want) check_text((c)->call, #field, (c)->field, want)
#define CHECK_NUMBER(c, field, want)                                                               \
	do {                                                                                       \
		int64_t is = (int64_t)((c)->field), wanted = (int64_t)(want);                      \
		if (is != wanted)                                                                  \
			fail_msg("%s: " #field " is %lld, not %lld", call_name((c)->call),         \
				 (long long)is, (long long)wanted);                                \
	} while (0)

/* For the child: what can't be is not its fault to hide. */
static inline long must(long r)
{
	if (r < 0) {
		perror("in the child");
		_exit(1);
	}
	return r;
}

/* The mode may be the first argument. 77: can't run here. */
static inline int watch_begin(int argc, char **argv)
{
	for (enum probe_mode m = PROBE_AUTO; argc > 1 && m <= PROBE_PER_CALL; m++)
		if (!strcmp(argv[1], probe_mode_name(m)))
			watch_mode = m;
	if (!geteuid())
		return 0;
	puts("skip: loading programs into the kernel needs root");
	return 77;
}

static inline int watch_setup(void **state)
{
	*state = watch_new();
	return 0;
}

static inline int watch_teardown(void **state)
{
	watch_free(*state);
	return 0;
}
