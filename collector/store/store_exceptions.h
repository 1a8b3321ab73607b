/* store_exceptions.h - findings that people know and do not want alerts of: standing rules. One thread; part of the
 * store. */
#pragma once
#include "collector/store/store.h"

enum { STORE_EXCEPTIONS_MAX = 1000 }; /* in force */
struct store_exception {
	int64_t id;
	const char *rule;	/* the one it is of */
	const char *conditions; /* a filter over alerts, as store_matcher_new takes it; rule= is among its terms */
	int64_t alert;		/* it was made from; 0 = none */
	const char *reason, *who;
	uint64_t created_unix_ns, until_unix_ns; /* 0 = for ever */
	uint64_t ended_unix_ns;			 /* 0: not yet */
	const char *ended_by;
	uint64_t hits, last_hit_unix_ns; /* findings that became no alert */
};
/* The rule is read from the conditions: rule= must be there, whole. ERR_SYNTAX; ERR_LIMIT. */
int store_exception_add(struct store *s, const struct store_exception *x, int64_t *ret_id, struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND: there is none, or it has ended. */
int store_exception_end(struct store *s, int64_t id, const char *who, struct err *err) WARN_UNUSED;
/* Those whose time is over end; with a line in the audit log each. */
int store_exceptions_expire(struct store *s, struct err *err) WARN_UNUSED;
/* Newest first; is_ended: those that ended, too. */
int store_exceptions_each(struct store *s, bool is_ended, uint64_t limit,
			  int (*fn)(void *arg, const struct store_exception *x), void *arg, struct err *err) WARN_UNUSED;
/* Is any in force for this rule? Cheap. */
bool store_exceptions_has(struct store *s, const char *rule);
/* The one in force that an alert to be would fall under: its number; 0: none. al: rule, host, agent, source, severity,
 * priority, title, container_id, container, image, document. */
int64_t store_exception_of(struct store *s, const struct store_alert *al);
/* So many findings more became no alert. */
int store_exception_hit(struct store *s, int64_t id, uint64_t count, struct err *err) WARN_UNUSED;
