/* quota.h - how many new packages one agent may bring, so that a host in wrong hands can't fill the store or keep
 * everybody waiting. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { QUOTA_AGENTS = 4096, QUOTA_AT_ONCE = 500000, QUOTA_PER_HOUR = 200000 };

struct quota {
	struct quota_agent {
		uint64_t hash;	       /* of the agent's id; 0 = free */
		uint64_t full_boot_ns; /* when all QUOTA_AT_ONCE are there again */
	} agents[QUOTA_AGENTS];
};

/* May it bring so many more? If so, they are counted. */
bool quota_take(struct quota *q, const char *agent, uint64_t packages, uint64_t now_boot_ns);
