/* except.h - an exception made from an alert: what is proposed, and what the agents' own rules would say for it. */
#pragma once
#include "collector/alert/alert.h"
#include "collector/store/store_quiet.h"

/* A filter over alerts that still is about al, of its rule and these fields (names with commas: image container host
 * process exe parent user cmdline path address). fields "": the ones that are as good for the next of its kind: image
 * (its repository, whatever the tag), exe or else process, parent, path; where there is no container, the host too.
 * ERR_SYNTAX: a name that is none, or that al has no value of. ERR_DENIED: of this source there are no exceptions. */
int alert_except_propose(const struct store_alert *al, const char *fields, struct buf *ret, struct err *err) WARN_UNUSED;
/* The same for the agents, as a rules file of Falco's: an exception appended to the rule, and the condition in words. "",
 * where they could not say it. */
void alert_except_falco(const struct store_alert *al, const char *fields, int64_t id, struct buf *out);
/* Would this record, a finding, fall under it? */
int alert_except_matches(const struct store_matcher *m, const char *agent, const char *host, const Picket__Record *rec,
			 uint64_t now_unix_ns, struct err *err) WARN_UNUSED;
/* Loss and tampering, told by the collector itself: an exception must be asked for twice. */
bool alert_except_needs_force(const struct store_alert *al);
