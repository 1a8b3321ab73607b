/* correlating_priv.h - what correlating's files share. */
#pragma once
#include "collector/alert/flood.h"
#include "collector/correlate/live.h"
#include "collector/correlating.h"

struct correlating {
	struct loop *loop;
	struct store *store;
	const struct clock *clk;
	struct correlating_ops ops;
	void *arg;
	struct live *live;
	uint64_t fold_ms;
	struct flood flood;	/* by rule */
	struct firing *firing;	/* room for one */
	uint64_t epoch, sequence; /* of the record that is looked at; 0: it is none */
};
