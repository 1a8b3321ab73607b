/* correlating_priv.h - what correlating's files share. */
#pragma once
#include "collector/alert/flood.h"
#include "collector/correlate/backtest.h"
#include "collector/correlate/live.h"
#include "collector/correlating.h"

/* Backtests under way and lately over. */
enum { CORRELATING_JOBS = 4, CORRELATING_RUNNING = 2 };
struct correlating_job {
	int64_t id; /* 0: free */
	struct backtest *test;
	char who[64], error[240];
	bool is_running, was_ended;
};

struct correlating {
	struct loop *loop;
	struct store *store;
	const struct clock *clk;
	struct correlating_ops ops;
	void *arg;
	struct live *live;
	uint64_t fold_ms, bytes_max, lateness_ms, unscanned_ms;
	struct correlating_job jobs[CORRELATING_JOBS];
	struct loop_timer *work;
	int64_t next_job;
	uint64_t unscanned_boot_ns;
	struct err *err; /* of a callback's caller */
	struct flood flood, pace; /* by rule: new alerts; every time that one is told */
	uint64_t withheld;	  /* not told, for that */
	struct firing *firing;	/* room for one */
	uint64_t epoch, sequence; /* of the record that is looked at; 0: it is none */
};

/* correlating_api.c */
void correlating_jobs_free(struct correlating *c);
void correlating_work(void *arg);
