/* refusals.h - who was refused and why, so that the log says it once and not at every try. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"

enum { REFUSALS_KEPT = 128, REFUSALS_SAY_AGAIN_S = 600 };

struct refusals {
	struct refusal {
		uint64_t hash;	       /* of who and why; 0 = free */
		uint64_t said_boot_ns; /* when it was logged */
		uint64_t silent;       /* tries since */
	} kept[REFUSALS_KEPT];
};

/* Is this worth a line: new, or last said ten minutes ago? who: an agent's id, or an address without
 * its port. *ret_silent: tries since the last line. The longest unsaid makes place for a new one. */
bool refusals_are_news(struct refusals *r, struct slice who, const char *why, uint64_t now_boot_ns,
		       uint64_t *ret_silent);
/* "192.0.2.1:555" -> "192.0.2.1", "[::1]:555" -> "[::1]" */
struct slice refusals_host(const char *address);
