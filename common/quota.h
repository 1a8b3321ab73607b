/* quota.h - how much one sender may bring, so that a host in wrong hands can fill neither disk nor loop. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { QUOTA_SENDERS = 4096 };

struct quota {
	uint64_t at_once, per_hour; /* set once; at most so many at once, and so many more each hour */
	struct quota_sender {
		uint64_t hash;	       /* of its id; 0 = free */
		uint64_t full_boot_ns; /* when all at_once are there again */
	} senders[QUOTA_SENDERS];
};

/* May it bring so many more? If so, they are counted. */
bool quota_take(struct quota *q, const char *sender, uint64_t count, uint64_t now_boot_ns);
