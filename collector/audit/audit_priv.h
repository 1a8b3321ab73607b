/* audit_priv.h - what the files of this room share. */
#pragma once
#include "collector/audit/audit.h"
#include "common/quota.h"

enum {
	AUDIT_SLICE_MS = 30, /* then the loop has its turn, as with queries in a row */
	AUDIT_RESULTS_AT_ONCE = 50000, /* of one agent */
	AUDIT_RESULTS_PER_HOUR = 360000,
	AUDIT_CATALOGUE_COSTS = 5000, /* as so many results: an agent brings one at its first start, and after updates */
	AUDIT_CASE_ARENA_BYTES = 16 * 1024 * 1024, /* 100 subjects with their texts */
	AUDIT_POLICY_AGAIN_S = 5 * 60,
};

struct audit {
	struct store *store;
	const struct clock *clk;
	struct audit_ops ops;
	void *arg;
	struct quota quota;
	struct arena *case_arena;
	struct loop_timer *work, *tick;
	uint64_t tidied_boot_ns;
};
