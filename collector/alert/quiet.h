/* quiet.h - whether an alert that is worth telling is told now, and what becomes of those that were not. */
#pragma once
#include "collector/alert/alert.h"
#include "collector/store/store_quiet.h"

struct alert_quiet {
	bool is_quiet;
	char why[320]; /* "silence 3 until 2026-12-02T08:00:00Z: deploy", "inhibited by alert 7 (host down)", "snoozed until …" */
	struct store_held by; /* kind 0: it is snoozed, and wakes by itself */
};
/* Asks only; al as store_alert_get gives it. */
int alert_quiet(struct store *s, const struct store_alert *al, uint64_t now_unix_ns, struct alert_quiet *ret,
		struct err *err) WARN_UNUSED;
/* The same; when it is quiet, it is kept in the store that it waits, and told to alert_quiet_tick's caller when
 * nothing holds it any more and it is still new. */
int alert_quiet_hold(struct store *s, const struct store_alert *al, uint64_t now_unix_ns, struct alert_quiet *ret,
		     struct err *err) WARN_UNUSED;

/* Inside a transaction: alert id is to be told now (it was held back, or woke). */
typedef int alert_quiet_tell_fn(void *arg, int64_t id, bool woke, struct err *err);
/* Each second; commits for itself, in slices: silences whose time is over, alerts that wake, those that nothing holds
 * back any more. Of one rule's many one alert says how many; one alone is told itself. 1: there is more to do. */
int alert_quiet_tick(struct store *s, const struct clock *clk, alert_quiet_tell_fn *tell, void *arg,
		     struct err *err) WARN_UNUSED;
/* Counts of silences, exceptions, what they matched, what is held back, escalations: Prometheus text. */
void alert_quiet_metrics(struct store *s, struct buf *out);
