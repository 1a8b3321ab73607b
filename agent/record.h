/* record.h - what is sent: an event, a match, a container, a gap -> one packed picket.Record. */
#pragma once
#include "agent/rules/rules.h"
#include "agent/world/world.h"
#include "common/buf.h"
#include "proto/msg.h"

/* Each appends one packed Record to out (reset by the caller). scratch is used, not reset.
 * Errors: ERR_LIMIT, ENOMEM. c: nullable (on the host). */
int record_event(struct world *w, const struct event *e, const struct container *c,
		 struct arena *scratch, struct buf *out, struct err *err) WARN_UNUSED;
int record_finding(struct world *w, const struct event *e, const struct container *c,
		   const struct rules_match *m, uint64_t event_seq, struct arena *scratch,
		   struct buf *out, struct err *err) WARN_UNUSED;
/* What is known of a container now. */
int record_container(const struct container *c, uint64_t unix_ns, struct arena *scratch,
		     struct buf *out, struct err *err) WARN_UNUSED;
/* type: PICKET__EVENT_TYPE__EVENT_CONTAINER_… */
int record_container_event(const struct container *c, int type, uint64_t unix_ns,
			   struct buf *out, struct err *err) WARN_UNUSED;
/* loss_class: PICKET__LOSS_CLASS__… */
int record_gap(int loss_class, uint64_t lost, uint64_t from_unix_ns, uint64_t to_unix_ns,
	       const char *reason, uint64_t unix_ns, struct buf *out, struct err *err) WARN_UNUSED;
