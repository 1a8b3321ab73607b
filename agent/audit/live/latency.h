/* latency.h - how long it takes from a container's start to its report, and what else is counted, for the status. */
#pragma once
#include "agent/audit/live/live.h"

enum { LATENCY_LATE_NS = 50000000 }; /* what a container's audit is promised in */

void latency_count(struct audit_live_stats *s, uint64_t took_ns);
/* Members of an object. */
void latency_write(const struct audit_live_stats *s, struct json *j);
