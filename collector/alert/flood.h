/* flood.h - how many new alerts one agent may raise, so that a host in an attacker's hands can't bury
 * the inbox, the disk and everybody's mail. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { FLOOD_AGENTS = 4096, FLOOD_AT_ONCE = 10000, FLOOD_PER_HOUR = 10000 };

struct flood {
	uint32_t at_once, per_hour; /* 0: FLOOD_AT_ONCE, FLOOD_PER_HOUR */
	struct flood_agent {
		uint64_t hash;	       /* of the agent's id; 0 = free */
		uint64_t full_boot_ns; /* when all at_once are there again */
	} agents[FLOOD_AGENTS];
};

/* May this agent raise one more? Takes nothing. agent: any name for what is counted together. */
bool flood_may(const struct flood *f, const char *agent, uint64_t now_boot_ns);
/* It did. */
void flood_took(struct flood *f, const char *agent, uint64_t now_boot_ns);
