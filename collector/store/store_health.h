/* store_health.h - what is wrong with the fleet and the collector itself, as rows, so that a restart neither forgets an
 * alert that must be closed nor raises it again. */
#pragma once
#include "collector/store/store.h"

struct store_health {
	const char *what;    /* silent spool clock … */
	const char *subject; /* agent id, route, …; "" the collector */
	const char *host;    /* of the alert; "" none */
	uint64_t since_unix_ns;
	enum msg_severity severity;
	int64_t alert; /* several may share one */
};
int store_health_put(struct store *s, const struct store_health *h, struct err *err) WARN_UNUSED;
int store_health_delete(struct store *s, const char *what, const char *subject, struct err *err) WARN_UNUSED;
/* By what and subject, in the order of bytes. fn must not change them. */
int store_health_each(struct store *s, int (*fn)(void *arg, const struct store_health *h), void *arg,
		      struct err *err) WARN_UNUSED;

/* Agents with which something may be wrong: those that are neither revoked nor enrolled anew since (same machine, same
 * name), and that passed one of the limits. */
struct store_health_limits {
	uint64_t heard_before_unix_ns;	 /* last heard of, or enrolled, before */
	uint64_t spool_before_unix_ns;	 /* its oldest event that waits is older */
	uint64_t cert_before_unix_ns;	 /* its certificate ends before */
	uint64_t clock_off_ns;		 /* either way */
};
struct store_health_agent {
	const char *id, *host;
	uint64_t enrolled_unix_ns, last_seen_unix_ns, cert_not_after_unix_ns;
	uint64_t spool_records, spool_oldest_unix_ns;
	uint64_t produced, stored, lost;
	int64_t clock_ahead_ns;
};
int store_health_agents(struct store *s, const struct store_health_limits *l,
			int (*fn)(void *arg, const struct store_health_agent *a), void *arg,
			struct err *err) WARN_UNUSED;

/* The outbox by receiver: what was tried in vain and waits still, and what was given up. Only those with either. */
struct store_health_route {
	const char *receiver, *last_error;
	uint64_t waiting, dead;
	uint64_t oldest_unix_ns; /* of those waiting that were tried; 0 none */
};
int store_health_routes(struct store *s, int (*fn)(void *arg, const struct store_health_route *r), void *arg,
			struct err *err) WARN_UNUSED;
