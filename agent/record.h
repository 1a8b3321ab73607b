/* record.h - what is sent: an event, a match, an action, a container, a gap -> one packed picket.Record. */
#pragma once
#include "agent/fold.h"
#include "agent/guard/guard.h"
#include "agent/losses.h"
#include "agent/rules/rules.h"
#include "agent/world/world.h"
#include "common/buf.h"
#include "proto/msg.h"

/* Each appends one packed Record to out (reset by the caller). scratch is used, not reset.
 * What a process can choose (arguments, paths, names of its ancestors) is cut until the record is within
 * its bound: nothing is thrown away for being long. Errors: ERR_LIMIT, ENOMEM. c: nullable (on the host). */
int record_event(struct world *w, const struct event *e, const struct container *c,
		 struct arena *scratch, struct buf *out, struct err *err) WARN_UNUSED;
int record_finding(struct world *w, const struct event *e, const struct container *c,
		   const struct rules_match *m, uint64_t event_seq, struct arena *scratch,
		   struct buf *out, struct err *err) WARN_UNUSED;
/* The sample's finding, standing for all that was folded. Without a sample: rule and container alone. */
int record_folded(const struct folded *f, struct arena *scratch, struct buf *out, struct err *err) WARN_UNUSED;
/* A response, as an event. c: nullable. */
int record_action(struct world *w, const struct guard_result *r, const struct container *c,
		  struct arena *scratch, struct buf *out, struct err *err) WARN_UNUSED;
/* What is known of a container now. config: a packed ContainerConfig; empty: not known. */
int record_container(const struct container *c, struct slice config, uint64_t unix_ns, struct arena *scratch,
		     struct buf *out, struct err *err) WARN_UNUSED;
/* type: PICKET__EVENT_TYPE__EVENT_CONTAINER_… */
int record_container_event(const struct container *c, struct slice config, int type, uint64_t unix_ns,
			   struct buf *out, struct err *err) WARN_UNUSED;
/* What the checks said of something. */
int record_audit(const Picket__AuditReport *r, uint64_t unix_ns, struct buf *out, struct err *err) WARN_UNUSED;
/* noisiest: "" where unknown. */
int record_gap(const struct loss *l, const char *noisiest, uint64_t unix_ns, struct buf *out,
	       struct err *err) WARN_UNUSED;
