/* health.h - the collector looks after its fleet and itself. What is wrong becomes an alert that closes by itself when it
 * is well again: agents that fell silent, spools that grow, clocks that are off, records that don't add up, certificates
 * near their end, a disk nearly full, notifications that don't arrive, a writer that is behind.
 *
 * Looks every few seconds, in a transaction of its own. Many cases of one kind at once are one alert. */
#pragma once
#include "collector/store/store_health.h"
#include "common/json.h"
#include "common/prom.h"

struct health;

struct health_config {
	uint64_t silent_ms;	 /* nothing heard of an agent for so long; default 45 s */
	uint64_t clock_off_ms;	 /* default 5 s */
	uint64_t spool_ms;	 /* age of what waits at an agent; default 5 min */
	uint64_t delivery_ms;	 /* age of a notification that was tried in vain; default 5 min */
	uint64_t behind_ms;	 /* requests are answered within, but for one in a hundred; default 2 s */
	uint64_t cert_days;	 /* life of an agent's certificate: it is near its end in the last third, at most 30 days */
	uint64_t reserve_bytes;	 /* kept free for alerts: below it agents keep their events */
	struct slice ca_pem, cert_pem; /* borrowed; empty: not looked at */
};

/* What other rooms know, asked at each look. */
struct health_facts {
	const struct prom_durations *answers; /* how long requests of agents waited; nullable */
	uint64_t free_bytes;
	const char *rules_error; /* of the files of rules as they are now, with its place; nullable, "" they are fine */
};

/* One thing to tell of. */
struct health_case {
	const char *rule, *host, *title, *detail; /* host "": the collector, or several */
	enum msg_severity severity;
};

struct health_ops {
	void (*on_facts)(void *arg, struct health_facts *ret);
	/* Inside a transaction of the store. *alert: the one of this case, 0 none yet; gets the one it has now. */
	int (*on_case)(void *arg, const struct health_case *c, int64_t *alert, struct err *err);
	int (*on_closed)(void *arg, int64_t alert, const char *why, struct err *err);
	void (*on_committed)(void *arg);
};

/* cfg, ops, arg: borrowed until health_free. Reads what was wrong before the restart. */
int health_new(struct store *s, const struct clock *clk, const struct health_config *cfg, const struct health_ops *ops, void *arg,
	       struct health **ret, struct err *err) WARN_UNUSED;
/* Call each second, with no transaction open; looks when it is time. */
void health_tick(struct health *h);
/* What is wrong now: "health":[{what, host, since, severity, alert}…], at most 100, and "health_count". */
void health_status(const struct health *h, struct json *j);
void health_metrics(const struct health *h, struct buf *out);
void health_free(struct health *h);
DEFINE_CLEANUP(struct health, health_free)
