/* wanted.h - what waits to be audited: each thing once, who has just started before all else. One thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#include "common/err.h"

enum {
	WANTED_MAX = 4096, /* and as many that start */
	WANTED_KEY_BYTES = 96, /* "container " and 64 hex digits; "image sha256:" and as many */
};

struct wanted {
	char key[WANTED_KEY_BYTES]; /* "container ID": what the worker is asked, before the trigger */
	const char *trigger;	    /* static */
	uint64_t since_ns;
	unsigned tries;
	bool is_urgent;
	UT_hash_handle hh;
	TAILQ_ENTRY(wanted) entry;
};

struct wanted_queue {
	struct wanted *by_key; /* uthash */
	TAILQ_HEAD(, wanted) urgent, others;
};

void wanted_init(struct wanted_queue *q);
void wanted_fini(struct wanted_queue *q);
/* What waits already stays: what will be found is newer than either reason. trigger: static; "start" is urgent.
 * Errors: ERR_LIMIT, ENOMEM. */
int wanted_add(struct wanted_queue *q, const char *subject, const char *id, const char *trigger, uint64_t now_ns,
	       struct err *err) WARN_UNUSED;
void wanted_drop(struct wanted_queue *q, const char *subject, const char *id);
/* The next; NULL: none. Stays until it is taken, and is then the caller's to free. */
struct wanted *wanted_first(const struct wanted_queue *q);
void wanted_take(struct wanted_queue *q, struct wanted *w);
/* Puts back what was taken, at the end. false: the same waits already; still the caller's. */
bool wanted_return(struct wanted_queue *q, struct wanted *w);
size_t wanted_count(const struct wanted_queue *q);
