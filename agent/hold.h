/* hold.h - events whose container has no name yet, waiting (at most name_wait) to be judged.
 * Only judging waits; the event itself was sent already. Bounded; the oldest is judged when full. */
#pragma once
#include "agent/event.h"
#include "common/err.h"

struct hold;
typedef void (*hold_fn)(void *arg, const struct event *e, uint64_t event_seq);

/* At most max events of max_bytes together wait. max 0: nothing waits. fn may call back into the hold,
 * but not free it. */
int hold_new(size_t max, size_t max_bytes, hold_fn fn, void *arg, struct hold **ret, struct err *err) WARN_UNUSED;
/* Copies the event. container_id: the full one, at most 64 bytes. */
void hold_add(struct hold *h, const struct event *e, uint64_t event_seq, const char *container_id,
	      uint64_t deadline_boot_ns);
/* The container has a name now: judges what waited for it, in order. */
void hold_release(struct hold *h, const char *container_id);
/* Judges what has waited long enough. Returns how many still wait. */
size_t hold_expire(struct hold *h, uint64_t now_boot_ns);
/* Judges what still waits. */
void hold_free(struct hold *h);
DEFINE_CLEANUP(struct hold, hold_free)
