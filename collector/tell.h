/* tell.h - what becomes of an alert that is worth telling: told, held back, told later, told to others when nobody
 * acknowledges. Where alert, store and notify meet; a part of collector.c. */
#pragma once
#include "collector/alert/escalate.h"
#include "collector/config.h"

struct tell {
	struct store *store;
	const struct clock *clk;
	struct notify *notify; /* by tell_through; borrowed */
	struct alert_escalations *escalations;
};
/* With the configuration's rules of inhibition and escalation; cfg: borrowed. Closed with tell_close, also when it failed. */
int tell_open(struct tell *t, const struct collector_config *cfg, struct store *s, const struct clock *clk,
	      struct err *err) WARN_UNUSED;
void tell_close(struct tell *t);
/* Before the first alert. ERR_SYNTAX when an escalation names a route that n has not. */
int tell_through(struct tell *t, const struct collector_config *cfg, struct notify *n, struct err *err) WARN_UNUSED;
/* Inside the transaction that made, raised or opened it again. */
int tell_alert(struct tell *t, int64_t id, enum notify_why why, struct err *err) WARN_UNUSED;
/* notify_config.is_quiet, with the tell as its arg: a silence may have come while its group collected. */
int tell_is_quiet(void *arg, const struct store_alert *al, bool *ret, struct err *err) WARN_UNUSED;
/* Each second, no transaction open: as much of what is due as there is time for. */
void tell_tend(struct tell *t);
