/* losses.h - losses of records on their way to being told: at most one gap a second for each class and
 * reason, so that loss itself can't become a flood. What is held back is added up, never dropped. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/event.h"

enum { LOSSES_REASONS = 4, LOSSES_PAUSE_MS = 1000 };

struct loss {
	enum event_class class;
	uint64_t lost, from_unix_ns, to_unix_ns;
	char reason[32]; /* ring_full, spool_full ... past LOSSES_REASONS in one class: "several" */
};
typedef void (*losses_fn)(void *arg, const struct loss *l);

struct losses {
	struct losses_row {
		struct loss sum; /* reason "": a free row; lost 0: nothing to tell */
		uint64_t told_ns;
	} rows[EVC_COUNT][LOSSES_REASONS];
};

/* Tells it at once when nothing of its class and reason was told in the last second, else later.
 * now_ns: a clock that does not go back. reason: borrowed. */
void losses_add(struct losses *s, enum event_class class, uint64_t lost, uint64_t from_unix_ns,
		uint64_t to_unix_ns, const char *reason, uint64_t now_ns, losses_fn fn, void *arg);
/* Tells what has waited its second; now_ns UINT64_MAX: all. true while something waits. */
bool losses_tick(struct losses *s, uint64_t now_ns, losses_fn fn, void *arg);
