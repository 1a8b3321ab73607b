/* guard_test.h - a guard with its loop, and what it told. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/guard/guard_priv.h"
#include "common/file.h"

enum { TOLD_MAX = 256 };

struct told {
	struct guard_result r;
	char rule[64], why[GUARD_WHY_BYTES], id[65];
};

struct fixture {
	struct loop *loop;
	struct fetch_pool *pool;
	struct guard *guard;
	struct told told[TOLD_MAX];
	unsigned count;
};

static struct fixture fx;

static inline void keep(void *arg, const struct guard_result *r)
{
	struct told *t = &fx.told[fx.count++];

	assert_true(fx.count < TOLD_MAX);
	t->r = *r;
	assert_true(slice_copy(slice_of(r->rule), t->rule, sizeof(t->rule)));
	assert_true(slice_copy(slice_of(r->why), t->why, sizeof(t->why)));
	assert_true(slice_copy(slice_of(r->container_id), t->id, sizeof(t->id)));
}

static inline void guard_open(enum guard_mode mode, const char *socket_path, uint64_t max_per_minute)
{
	static const struct guard_rule rules[] = {
		{ "stop it", GUARD_STOP },   { "kill it", GUARD_KILL },
		{ "pause it", GUARD_PAUSE }, { "cut it off", GUARD_DISCONNECT },
		{ "kill it", GUARD_KILL },
	};
	struct guard_config cfg = { .mode = mode,
				    .rules = rules,
				    .rule_count = ARRAY_LEN(rules),
				    .docker_socket = socket_path,
				    .max_per_minute = max_per_minute };
	struct err err = { 0 };

	guard_free(fx.guard);
	fx.guard = NULL;
	fx.count = 0;
	if (guard_new(fx.loop, fx.pool, clock_real(), &cfg, keep, NULL, &fx.guard, &err) < 0)
		fail_msg("%s", err.msg);
}

static inline int open_loop(void **state)
{
	return loop_new(&fx.loop, NULL) < 0 || fetch_pool_new(fx.loop, 16, &fx.pool, NULL) < 0 ? -1 : 0;
}

static inline int close_loop(void **state)
{
	guard_free(fx.guard);
	fetch_pool_free(fx.pool);
	loop_free(fx.loop);
	return 0;
}

/* The next result, waiting for it. */
static inline const struct told *next_told(void)
{
	unsigned had = fx.count;

	for (unsigned i = 0; i < 2000 && fx.count == had; i++)
		loop_step(fx.loop, 10);
	if (fx.count == had)
		fail_msg("nothing was told");
	return &fx.told[had];
}

/* What the probe would say of a process that exists. */
static inline struct event event_of(pid_t pid)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct proc_stat st;
	char path[64];
	struct event e = { .type = EV_CALL, .boot_ns = clock_boot_ns(clock_real()) };

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	assert_true(file_read(path, 4096, &b, NULL) >= 0);
	assert_true(proc_stat_parse(buf_slice(&b), &st));
	e.p.pid = e.p.tid = (uint32_t)pid;
	e.p.start_ns = st.start_ticks * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
	return e;
}
