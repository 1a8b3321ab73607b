/* store_quiet_list.h - what people see of why alerts are not told, and who is told next: inhibited alerts, escalations that
 * run, figures; and policies of escalation that are new to alerts that are there. Part of the store. */
#pragma once
#include "collector/store/store.h"

/* An open alert that is not told while another is open. */
struct store_inhibited {
	int64_t alert, by;
	const char *title, *rule, *host; /* of the alert; likewise those of the one that inhibits it */
	const char *by_title, *by_rule, *by_host;
	enum msg_severity severity;
	uint64_t since_unix_ns;
};
/* Newest first; at most limit. */
int store_inhibited_each(struct store *s, uint64_t limit, int (*fn)(void *arg, const struct store_inhibited *x), void *arg,
			 struct err *err) WARN_UNUSED;

/* An alert that nobody acknowledged, and when a policy tells it next. */
struct store_escalating {
	int64_t alert;
	const char *policy, *title, *rule, *host;
	enum msg_severity severity;
	uint64_t due_unix_ns, done; /* how often it was told */
};
/* The next one first; at most limit. */
int store_escalating_each(struct store *s, uint64_t limit, int (*fn)(void *arg, const struct store_escalating *x), void *arg,
			  struct err *err) WARN_UNUSED;

struct store_quiet_counts {
	uint64_t silences, silences_to_come, silence_hits; /* hits: of those in force */
	uint64_t exceptions, exception_hits;
	uint64_t silenced, inhibited; /* alerts that wait for it to be over */
	uint64_t escalating;
};
int store_quiet_counts(struct store *s, struct store_quiet_counts *ret, struct err *err) WARN_UNUSED;

/* Policies of escalation, told apart by the hash of what they say of alerts: alerts from before one came are still to be
 * looked at. Those that are not named here are forgotten. */
struct store_policy_key {
	const char *name;
	uint64_t hash;
};
int store_escalation_policies(struct store *s, const struct store_policy_key *keys, size_t count, struct err *err) WARN_UNUSED;
/* The next alert of status "new" that policy has not looked at: 1, and *ret. 0: none in this slice, or at all (*ret_done).
 * Each call goes on where the last one ended. */
int store_escalation_before(struct store *s, const char *policy, int64_t *ret, bool *ret_done, struct err *err) WARN_UNUSED;
