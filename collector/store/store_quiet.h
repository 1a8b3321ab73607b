/* store_quiet.h - why an alert that was made is not told: silences that people make for a time, rules by which one
 * alert inhibits others; and which alerts wait for that to end. One thread; part of the store. */
#pragma once
#include "collector/store/store.h"

/* ---- matchers: a filter over alerts, parsed once ---- */
struct store_matcher;
/* text: keys severity host container container.id image rule source priority title agent text process exe cmdline
 * parent user path address tag. *ret: caller frees with store_matcher_free. ERR_SYNTAX with the column. */
int store_matcher_new(struct slice text, struct store_matcher **ret, struct err *err) WARN_UNUSED;
bool store_matcher_matches(const struct store_matcher *m, const struct store_alert *al, uint64_t now_unix_ns);
void store_matcher_free(struct store_matcher *m);
DEFINE_CLEANUP(struct store_matcher, store_matcher_free)

/* ---- silences ---- */
enum { STORE_SILENCES_MAX = 1000 }; /* in force or to come */
struct store_silence {
	int64_t id;
	const char *matchers, *reason, *who;
	uint64_t created_unix_ns, begins_unix_ns, until_unix_ns;
	uint64_t ended_unix_ns; /* 0: not yet */
	const char *ended_by;	/* "expired", or who */
	uint64_t hits, last_hit_unix_ns; /* alerts that were not told because of it */
};
/* until is after begins, and within 366 days of now. ERR_SYNTAX; ERR_LIMIT when there are too many. */
int store_silence_add(struct store *s, const struct store_silence *x, int64_t *ret_id, struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND: there is none, or it has ended. */
int store_silence_end(struct store *s, int64_t id, const char *who, struct err *err) WARN_UNUSED;
/* Those whose time is over end; with a line in the audit log each. */
int store_silences_expire(struct store *s, struct err *err) WARN_UNUSED;
/* Newest first; is_ended: those that ended, too. */
int store_silences_each(struct store *s, bool is_ended, uint64_t limit,
			int (*fn)(void *arg, const struct store_silence *x), void *arg, struct err *err) WARN_UNUSED;
/* Of the silence in force that matches al: its number, until when it lasts, its reason; 0: none does. */
int64_t store_silence_of(struct store *s, const struct store_alert *al, uint64_t *ret_until, char ret_reason[160]);

/* ---- inhibition: while an alert that source matches is open, those that target matches, with the same values of
 * the equal fields, are not told ---- */
enum { STORE_INHIBITIONS_MAX = 64, STORE_EQUAL_MAX = 8 };
struct store_inhibition {
	const char *name, *source, *target;
	const char *const *equal; /* host container container.id image rule agent source severity */
	size_t equal_count;	  /* <= STORE_EQUAL_MAX */
};
/* The rules from now on. Alerts that were there before a new rule are looked at by store_inhibit_catch_up. */
int store_inhibitions_set(struct store *s, const struct store_inhibition *rules, size_t count, struct err *err) WARN_UNUSED;
/* An alert that came, rose or came back: it may inhibit others from now on. */
int store_inhibit_note(struct store *s, const struct store_alert *al, struct err *err) WARN_UNUSED;
/* 1: *ret_by is the open alert that inhibits it, *ret_rule (borrowed) the rule's name; 0: none does. */
int store_inhibit_by(struct store *s, const struct store_alert *al, int64_t *ret_by, const char **ret_rule,
		     struct err *err) WARN_UNUSED;
/* A slice of it; 1: there is more. */
int store_inhibit_catch_up(struct store *s, struct err *err) WARN_UNUSED;

/* ---- alerts that wait to be told ---- */
enum store_hold { HOLD_SILENCE = 1, HOLD_INHIBITION = 2 };
struct store_held {
	enum store_hold kind;
	int64_t holder; /* a silence, or the alert that inhibits */
};
/* It is not told now. Into the trail (why) when it is held by this for the first time. */
int store_alert_hold(struct store *s, int64_t alert, struct store_held by, const char *why, struct err *err) WARN_UNUSED;
/* It waits no longer. */
int store_alert_unhold(struct store *s, int64_t alert, struct err *err) WARN_UNUSED;
/* 1: *ret holds alerts, and is over (the silence ended, the alert is resolved or gone); 0: none. */
int store_holder_over(struct store *s, struct store_held *ret, struct err *err) WARN_UNUSED;
/* Alerts it holds that were not looked at since it is over: their ids, at most max. */
int store_held_ids(struct store *s, struct store_held by, size_t max, int64_t *ret_ids, size_t *ret_count,
		   struct err *err) WARN_UNUSED;
/* Nothing else holds it: it is due to be told. */
int store_held_due(struct store *s, int64_t alert, struct err *err) WARN_UNUSED;
/* What is due, one for each rule, in the order of their names; at most max rules. */
struct store_held_rule {
	const char *rule;
	uint64_t count;
	enum msg_severity severity; /* the worst */
	int64_t alert;		    /* the newest of them */
};
int store_held_rules(struct store *s, struct store_held by, size_t max,
		     int (*fn)(void *arg, const struct store_held_rule *x), void *arg, struct err *err) WARN_UNUSED;
/* What is due of this rule and of those before it was told. */
int store_held_told(struct store *s, struct store_held by, const char *last_rule, struct err *err) WARN_UNUSED;
/* It holds nothing any more. */
int store_holder_done(struct store *s, struct store_held by, struct err *err) WARN_UNUSED;
