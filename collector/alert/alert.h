/* alert.h - what a finding, or a loss, becomes for people: one alert per (rule, host, container), or per
 * (host, class of events), folded with a count while it stays open. Inside the store's transaction; sends nothing. */
#pragma once
#include "collector/store/store.h"
#include "collector/store/store_checks.h"
#include "collector/store/store_vulns.h"
#include "common/json.h"

struct alert_config {
	uint64_t fold_ms; /* an alert takes further findings for so long after its last; default 24 h */
	uint64_t now_unix_ns; /* nothing was seen later, whatever a host's clock says; 0: it is believed */
	bool is_full;	  /* no new alert for what would be one: it is folded into its rule's (see may_sum), or answers with id 0 */
	bool may_sum;	  /* with is_full: an alert for the rule's excess may be made, where there is none yet */
};

/* The same in ns, the default filled in. */
static inline uint64_t alert_fold_ns(const struct alert_config *cfg)
{
	return (cfg->fold_ms ? cfg->fold_ms : 24ull * 3600 * 1000) * 1000000;
}

/* A moment that a host tells, at most now: an alert of the far future would take in all that comes until then. */
static inline uint64_t alert_when(const struct alert_config *cfg, uint64_t unix_ns)
{
	return cfg->now_unix_ns && unix_ns > cfg->now_unix_ns ? cfg->now_unix_ns : unix_ns;
}

/* What happened to the inbox. Worth telling somebody: is_new, is_escalated or is_reopened. */
struct alert_change {
	int64_t id;
	bool is_new;	    /* else folded into one that was there */
	bool is_escalated;  /* severity went up */
	bool is_reopened;   /* it was resolved, and happened again: status is "new", the count goes on */
	uint64_t count;
	bool is_excess; /* folded with others of its rule and host, as there were too many */
	int64_t exception; /* not 0: it fell under this one, which counted it; id is 0 */
};
/* A finding of an agent -> alert row. rec: its body must be a finding. */
int alert_from_finding(struct store *s, const struct alert_config *cfg, const char *agent,
		       const char *host, uint64_t epoch, uint64_t seq, const Picket__Record *rec,
		       struct alert_change *ret, struct err *err) WARN_UNUSED;
/* A loss -> "Events lost", one per host and class of events, with the sums over all its gaps. rec: its
 * body must be a gap. */
int alert_from_gap(struct store *s, const struct alert_config *cfg, const char *agent, const char *host,
		   uint64_t epoch, uint64_t seq, const Picket__Record *rec, struct alert_change *ret,
		   struct err *err) WARN_UNUSED;
/* A response of an agent: onto the alert of its rule and container (or the one to come), and into the audit
 * log. rec: its body must be an event with an action. */
int alert_add_action(struct store *s, const struct alert_config *cfg, const char *agent, const char *host,
		     uint64_t epoch, uint64_t seq, const Picket__Record *rec, struct err *err) WARN_UNUSED;
/* Something the collector itself says (source "system"): an agent that forges, a revoked agent knocking … */
int alert_from_system(struct store *s, const struct alert_config *cfg, const struct clock *clk,
		      const char *rule, enum msg_severity severity, const char *host,
		      const char *title, const char *detail, struct alert_change *ret,
		      struct err *err) WARN_UNUSED;
/* A vulnerability of an image that runs (source "scan"): one alert, however many hosts and containers run it.
 * id 0: a new one. Else the alert of this id says what is so now: its words and hosts, without being told again;
 * is_news: it got worse, or came back after it was closed, so it is open again and told. One that a person
 * resolved stays resolved unless is_news. ERR_NOT_FOUND: it is here no longer. */
int alert_from_case(struct store *s, const struct clock *clk, const struct store_case *c, int64_t id, bool is_news,
		    struct alert_change *ret, struct err *err) WARN_UNUSED;
/* A check that a host or its containers fail (source "audit"; "policy" for what runs against the policy): one alert per
 * check and host, with the list. id 0: a new one. ALERT_SAME: its words, in silence; ALERT_MORE: more of it, counted but
 * told only where a person had resolved it; ALERT_NEWS: worse, or there again. ERR_NOT_FOUND as above. */
enum alert_renewal { ALERT_SAME, ALERT_MORE, ALERT_NEWS };
int alert_from_check(struct store *s, const struct clock *clk, const struct store_check_case *c, int64_t id,
		     enum alert_renewal how, struct alert_change *ret, struct err *err) WARN_UNUSED;
/* Something was refused by the policy, or would have been (source "policy"): one per rule, host and who asked. rec: its
 * body must be an event with an admission that was not simply allowed. */
int alert_from_admission(struct store *s, const struct alert_config *cfg, const char *agent, const char *host,
			 uint64_t epoch, uint64_t seq, const Picket__Record *rec, struct alert_change *ret,
			 struct err *err) WARN_UNUSED;
/* It is over by itself: resolved, with why. One that is resolved, or gone, stays as it is. */
int alert_close(struct store *s, const struct clock *clk, int64_t id, const char *why, struct err *err) WARN_UNUSED;
/* The contract's alert JSON. */
void alert_json(struct json *j, const struct store_alert *al);
