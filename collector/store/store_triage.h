/* store_triage.h - what people do with alerts, and the trail of who did what when. One thread; part of the store. */
#pragma once
#include "collector/store/store.h"

/* ---- the trail ---- */
#define TRAIL_SYSTEM "picket"
struct store_trail {
	int64_t id;
	uint64_t time_unix_ns;
	bool is_person;
	const char *who;  /* a user, or TRAIL_SYSTEM */
	const char *what; /* created folded worse told escalated reopened acknowledged resolved snoozed woke assigned
			     commented silenced inhibited exception held */
	const char *text; /* "" = nothing more to say */
};
/* who is TRAIL_SYSTEM: the system's own. Of these the newest 200 of an alert stay, of people's 1,000. */
int store_trail_add(struct store *s, int64_t alert, const char *who, const char *what, const char *text,
		    struct err *err) WARN_UNUSED;
/* Oldest first. */
int store_trail_each(struct store *s, int64_t alert, int (*fn)(void *arg, const struct store_trail *t), void *arg,
		     struct err *err) WARN_UNUSED;

/* ---- triage ---- */
enum { STORE_COMMENT_MAX = 2000 };
/* Names and texts borrowed for the call; NULL = as it is. */
struct store_triage {
	const char *status;	/* new acknowledged resolved snoozed */
	const char *resolution; /* with resolved: true_positive false_positive benign duplicate_of, or "" */
	int64_t duplicate_of;	/* with duplicate_of: another alert */
	uint64_t wake_unix_ns;	/* with snoozed: in the future */
	const char *assignee;
	const char *comment;	/* <= STORE_COMMENT_MAX */
	const char *who;
};
/* With the audit log and the trail. ERR_NOT_FOUND; ERR_SYNTAX for a word that is none. */
int store_alert_triage(struct store *s, int64_t id, const struct store_triage *t, struct err *err) WARN_UNUSED;
/* Snoozed alerts whose time has come, at most limit: "new" again, given to fn, which may write. */
int store_alerts_wake(struct store *s, size_t limit, int (*fn)(void *arg, int64_t id), void *arg,
		      struct err *err) WARN_UNUSED;

/* ---- escalation: who is told when nobody acknowledges ---- */
struct store_escalation {
	int64_t alert;
	const char *policy;
	uint64_t due_unix_ns, done; /* how often it was told */
};
/* From now on; one that runs already goes on as it does. */
int store_escalation_begin(struct store *s, int64_t alert, const char *policy, uint64_t due_unix_ns,
			   struct err *err) WARN_UNUSED;
/* due 0: no more of it. */
int store_escalation_next(struct store *s, int64_t alert, const char *policy, uint64_t due_unix_ns, uint64_t done,
			  struct err *err) WARN_UNUSED;
/* What is due later than most is due then: the clock it was put off by was ahead. */
int store_escalation_at_most(struct store *s, uint64_t most_unix_ns, struct err *err) WARN_UNUSED;
/* The one that is longest due, copied: 1; 0: none is. policy holds 64 bytes. */
int store_escalation_due(struct store *s, uint64_t now_unix_ns, struct store_escalation *ret, char policy[64],
			 struct err *err) WARN_UNUSED;
