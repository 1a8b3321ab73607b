/* store_notify.h - groups of alerts that are told together, what is pending in them, their messages (rows of the
 * outbox) and how each lane (a route and one of its receivers) is doing. */
#pragma once
#include "collector/store/filter.h"
#include "collector/store/store.h"

/* What store_alert_matches takes; keys as of store_alert_query. */
int store_alert_filter(struct slice text, struct arena *a, struct filter *ret, struct err *err) WARN_UNUSED;
/* ret[i]: does the alert satisfy filters[i]? ERR_NOT_FOUND. */
int store_alert_matches(struct store *s, int64_t id, const struct filter *const *filters, size_t count, bool *ret,
			struct err *err) WARN_UNUSED;

/* Joins nothing: false when somebody's transaction is open already, so that ours would end with theirs. */
bool store_notify_may_begin(const struct store *s);

/* ---- groups ---- */
struct store_news {
	const char *route, *receiver;
	const char *key, *label; /* of the group: its identity, and what people read */
	int64_t alert;
	int why;
	/* A new group is due after wait; one that was sent lately, interval after that. */
	uint64_t wait_ns, interval_ns;
};
/* *ret_due: when the group is due now. */
int store_notify_put(struct store *s, const struct store_news *n, uint64_t *ret_due, struct err *err) WARN_UNUSED;

struct store_group {
	int64_t id;
	const char *route, *receiver, *key, *label; /* borrowed for the callback */
	uint64_t created_unix_ns, due_unix_ns, sent_unix_ns, again_unix_ns, serial;
	bool is_held; /* was put off by hours */
};
/* Groups of the lane that are due and have no message on its way, longest due first. */
int store_notify_due(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, size_t limit,
		     int (*fn)(void *arg, const struct store_group *g), void *arg, struct err *err) WARN_UNUSED;
/* Those that wait behind a message of theirs, too; by their numbers, from behind the group after on. */
int store_notify_due_all(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, int64_t after,
			 size_t limit, int (*fn)(void *arg, const struct store_group *g), void *arg,
			 struct err *err) WARN_UNUSED;
/* Pending alerts of the lane that wait for no message of their group, or are pending since then at the earliest. */
int store_notify_count_pending(struct store *s, const char *route, const char *receiver, uint64_t since_unix_ns,
			       uint64_t *ret, struct err *err) WARN_UNUSED;
/* Those to be told again. */
int store_notify_due_again(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, size_t limit,
			   int (*fn)(void *arg, const struct store_group *g), void *arg, struct err *err) WARN_UNUSED;
/* How many are due, counted up to limit. */
int store_notify_count_due(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, size_t limit,
			   size_t *ret, struct err *err) WARN_UNUSED;
/* When the next will be due, after now; 0: none. */
int store_notify_next(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns, uint64_t *ret,
		      struct err *err) WARN_UNUSED;
/* 0: not due, never again. */
int store_notify_set_due(struct store *s, int64_t group, uint64_t due_unix_ns, bool is_held, struct err *err) WARN_UNUSED;
/* Due now, or interval after its last message; not later than it is already. */
int store_notify_hurry(struct store *s, int64_t group, uint64_t interval_ns, struct err *err) WARN_UNUSED;
int store_notify_set_again(struct store *s, int64_t group, uint64_t again_unix_ns, struct err *err) WARN_UNUSED;
/* Open members that nobody acknowledged and that were told: pending again, because of why. *ret: how many. */
int store_notify_renew(struct store *s, int64_t group, int why, size_t *ret, struct err *err) WARN_UNUSED;

/* ---- members ---- */
enum store_said { SAID_NOTHING, SAID_OPEN, SAID_ACKNOWLEDGED, SAID_RESOLVED };
struct store_member {
	int64_t group, alert;
	int pending;
	enum store_said said;
	const char *route, *receiver, *status; /* store_notify_members_after only; status "": the alert is gone */
};
/* Pending ones of a group, longest pending first. */
int store_notify_pending(struct store *s, int64_t group, size_t limit, int (*fn)(void *arg, const struct store_member *m),
			 void *arg, struct err *err) WARN_UNUSED;
/* Members that were told and wait for what becomes of their alerts, behind (group, alert). */
int store_notify_members_after(struct store *s, int64_t group, int64_t alert, size_t limit,
			       int (*fn)(void *arg, const struct store_member *m), void *arg, struct err *err) WARN_UNUSED;
int store_notify_member_set(struct store *s, int64_t group, int64_t alert, int pending, enum store_said said,
			    struct err *err) WARN_UNUSED;
int store_notify_member_drop(struct store *s, int64_t group, int64_t alert, struct err *err) WARN_UNUSED;

/* ---- messages ---- */
struct store_part {
	int64_t alert;
	int why;
};
/* A message with its parts; its group (o->group_id, if any) is busy from now on, and was sent at now. *ret_id: its number. */
int store_notify_form(struct store *s, const struct store_outbox *o, const struct store_part *parts, size_t count,
		      int64_t *ret_id, struct err *err) WARN_UNUSED;
/* Further parts of a digest behind those it has, counted for store_notify_tally. *ret_total: how many it has. */
int store_notify_collect(struct store *s, int64_t message, const struct store_part *parts, size_t count,
			 uint64_t *ret_total, struct err *err) WARN_UNUSED;
int store_notify_parts(struct store *s, int64_t message, size_t limit, int (*fn)(void *arg, const struct store_part *p),
		       void *arg, struct err *err) WARN_UNUSED;
/* What was collected is complete: kind, body, and due now. */
int store_notify_close(struct store *s, int64_t message, const char *kind, const char *body, struct err *err) WARN_UNUSED;
/* The lane's message that is still being collected; 0: none. */
int store_notify_open(struct store *s, const char *route, const char *receiver, int64_t *ret, struct err *err) WARN_UNUSED;
/* What the alerts of a digest have in common: "rule", "host", "severity" or "image", and how many, the most first. */
int store_notify_tally(struct store *s, int64_t message, const char *what, size_t limit,
		       int (*fn)(void *arg, const char *name, uint64_t count), void *arg, struct err *err) WARN_UNUSED;
/* Its worst alerts. */
int store_notify_worst(struct store *s, int64_t message, size_t limit,
		       int (*fn)(void *arg, const struct store_alert *al), void *arg, struct err *err) WARN_UNUSED;
int store_notify_get(struct store *s, int64_t message, struct arena *a, struct store_outbox *ret, struct err *err) WARN_UNUSED;
/* A dead letter is due again, with no attempts. ERR_NOT_FOUND. message 0: all of them. *ret: how many. */
int store_notify_resend(struct store *s, int64_t message, uint64_t *ret, struct err *err) WARN_UNUSED;
/* Dead letters only. ERR_NOT_FOUND. */
int store_notify_drop(struct store *s, int64_t message, struct err *err) WARN_UNUSED;
/* Dead letters, newest first, or what waits, oldest first. skip: rows left out first. */
int store_notify_list(struct store *s, bool is_dead, uint64_t skip, uint64_t limit,
		      int (*fn)(void *arg, const struct store_outbox *o), void *arg, struct err *err) WARN_UNUSED;

/* ---- lanes ---- */
struct store_lane {
	uint64_t sent, failures, digests;
	uint64_t success_unix_ns, failure_unix_ns; /* the last of each; 0 = never */
	char error[256];
	/* what waits now */
	uint64_t waiting, pending, dead, oldest_unix_ns;
};
/* pending: alerts that wait for their group; waiting: messages. */
int store_notify_lane(struct store *s, const char *route, const char *receiver, struct store_lane *ret,
		      struct err *err) WARN_UNUSED;
/* An attempt ended: error NULL means it succeeded. */
int store_notify_attempt(struct store *s, const char *route, const char *receiver, const char *error,
			 struct err *err) WARN_UNUSED;
int store_notify_digested(struct store *s, const char *route, const char *receiver, struct err *err) WARN_UNUSED;
/* Names of lanes that have groups; for those that the configuration no longer has. */
int store_notify_lanes(struct store *s, int (*fn)(void *arg, const char *route, const char *receiver), void *arg,
		       struct err *err) WARN_UNUSED;
/* The lane's groups go; what was pending becomes one dead letter. */
int store_notify_bury(struct store *s, const char *route, const char *receiver, const char *why, struct err *err) WARN_UNUSED;
/* How far from now something may be due at most. */
struct store_notify_longest {
	uint64_t group_ns, repeat_ns, retry_ns;
};
/* What is due later than that is due now: the clock it was put off by was ahead. */
int store_notify_set_back(struct store *s, const struct store_notify_longest *most, struct err *err) WARN_UNUSED;
/* Groups that nobody needs any more: nothing pending, no member, sent before. */
int store_notify_tidy(struct store *s, uint64_t before_unix_ns, struct err *err) WARN_UNUSED;
