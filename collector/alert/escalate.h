/* escalate.h - alerts that nobody acknowledged go to further routes. When is a row, so it is exact over restarts. */
#pragma once
#include "collector/alert/alert.h"
#include "common/conf.h"

enum { ALERT_ESCALATIONS_MAX = 32 };
struct alert_escalation { /* of the configuration */
	char *name;   /* in the trail; of at most 63 bytes */
	char *filter; /* which alerts, as of a silence */
	uint64_t after_ms, every_ms; /* not acknowledged for so long; then again. every 0: as after */
	uint64_t times;		     /* told so often at most; 0: once */
	struct conf_list routes;     /* char *: names of notify's */
};
struct alert_escalations;
/* rows: borrowed as long as *ret lives. *ret: caller frees. ERR_SYNTAX naming the policy that is wrong. */
int alert_escalations_new(const struct alert_escalation *rows, size_t count, struct alert_escalations **ret,
			  struct err *err) WARN_UNUSED;
void alert_escalations_free(struct alert_escalations *e);
DEFINE_CLEANUP(struct alert_escalations, alert_escalations_free)
/* An alert that was told (new, worse, back): its time begins, unless it runs already. Inside the transaction. */
int alert_escalations_begin(const struct alert_escalations *e, struct store *s, const struct store_alert *al,
			    uint64_t now_unix_ns, struct err *err) WARN_UNUSED;
/* At a start: alerts that were open before a policy came (or says something else of alerts) have the policy's time from
 * now on; which are looked at in the ticks. */
int alert_escalations_known(const struct alert_escalations *e, struct store *s, struct err *err) WARN_UNUSED;
/* Inside a transaction: this route is to be told. */
typedef int alert_escalate_fn(void *arg, int64_t id, const char *route, struct err *err);
/* Each second: what is due, a slice. Quiet alerts wait, uncounted. 1: there is more. */
int alert_escalations_tick(const struct alert_escalations *e, struct store *s, const struct clock *clk,
			   alert_escalate_fn *tell, void *arg, struct err *err) WARN_UNUSED;
