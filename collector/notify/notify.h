/* notify.h - routes, groups, outbox, receivers, retries, dead letters. Does not decide what is an alert. What is to be
 * said is written into the store in the alert's own transaction, and sent after the commit; a kill between leads to
 * one more send with the same idempotency key. */
#pragma once
#include "collector/store/store.h"
#include "common/conf.h"
#include "common/fetch.h"
#include "common/json.h"

/* In the order of the configuration's words. */
enum notify_preset { NOTIFY_PICKET, NOTIFY_SLACK, NOTIFY_ALERTMANAGER, NOTIFY_FALCO, NOTIFY_TEAMS, NOTIFY_PAGERDUTY };
enum notify_format { NOTIFY_RFC5424, NOTIFY_CEF };

struct notify_webhook {
	char *name, *url;
	char *secret_file;   /* signs the body; of PagerDuty it is the integration's routing key */
	char *template_file; /* the body, in notify_template.h's language; "" = the preset's */
	char *ca_file;
	struct conf_list headers; /* "Name: value", templates too */
	int preset, min_severity;
};
struct notify_mail {
	char *name, *url; /* smtp://host:25, smtps://host:465 */
	char *from, *user, *password_file, *ca_file;
	struct conf_list to; /* of addresses */
	int starttls; /* 0 required, 1 when offered, 2 none: enum of the configuration, in this order */
	int min_severity;
};
struct notify_syslog {
	char *name, *url; /* tcp://host:601, tls://host:6514 */
	char *ca_file;
	int format, min_severity;
	uint64_t facility; /* 0 = 13, log audit */
};
/* What a route tells, to whom, when and how much at once. 0 and NULL: the default. */
struct notify_route {
	char *name;
	struct conf_list receivers; /* names of webhooks, mails, syslogs */
	char *filter;
	int min_severity;
	bool goes_on;	       /* later routes are looked at too */
	struct conf_list hours; /* "mon-fri 08:00-18:00"; outside of them it waits */
	struct conf_list mute;	/* the same, or "2026-12-24..2026-12-26" */
	char *time_zone;	/* of both; "" = UTC */
	struct conf_list group_by; /* rule host container image severity source alert none */
	uint64_t group_wait_ms, group_interval_ms, repeat_interval_ms;
	int send_resolved; /* enum of the configuration: 0 as the receiver needs it, 1 yes, 2 no */
	uint64_t digest;   /* more messages than so many waiting: one digest instead */
};
struct notify_config {
	const struct notify_webhook *webhooks;
	size_t webhook_count;
	const struct notify_mail *mails;
	size_t mail_count;
	const struct notify_syslog *syslogs;
	size_t syslog_count;
	/* In this order. A receiver that none of them names is told everything from its min_severity on. */
	const struct notify_route *routes;
	size_t route_count;
	const char *inbox_url;	/* for links: https://host:8443 */
	uint64_t group_wait_ms; /* of mails that no route names; default 300 */
	uint32_t max_attempts;	/* default 10, back-off 1 s .. 1 h, jittered */
	/* May people be told of it now? Asked when it is about to be sent. Nullable. */
	int (*is_quiet)(void *arg, const struct store_alert *al, bool *ret, struct err *err);
	void *quiet_arg;
};

/* Why an alert is told. */
enum notify_why {
	NOTIFY_NEW = 1,
	NOTIFY_WORSE,
	NOTIFY_REOPENED,
	NOTIFY_UNACKNOWLEDGED, /* nobody took it in time */
	NOTIFY_RESOLVED,
	NOTIFY_ACKNOWLEDGED,
	NOTIFY_REPEATED, /* still open */
};
/* "new", "worse" … */
const char *notify_why_name(enum notify_why why);

struct notify;
/* cfg: borrowed until notify_free. Fails on an address, a file, a filter, a template or a name that is wrong. */
int notify_new(struct loop *l, struct store *s, struct fetch_pool *pool, const struct clock *clk,
	       const struct notify_config *cfg, struct notify **ret, struct err *err) WARN_UNUSED;
/* Inside the transaction that made, raised or re-opened the alert. A folded repeat is not news. What was resolved or
 * acknowledged is noticed by itself, too. */
int notify_enqueue(struct notify *n, int64_t alert_id, enum notify_why why, struct err *err) WARN_UNUSED;
/* To the receivers of one route, whatever its filter. ERR_NOT_FOUND. */
int notify_enqueue_route(struct notify *n, int64_t alert_id, const char *route, enum notify_why why,
			 struct err *err) WARN_UNUSED;
bool notify_has_route(const struct notify *n, const char *name);
/* Whatever the filters, to every lane but those of this receiver: that it can't be reached. */
int notify_enqueue_others(struct notify *n, int64_t alert_id, const char *receiver, enum notify_why why,
			  struct err *err) WARN_UNUSED;
/* After the commit, and each second: sends what is due. */
void notify_kick(struct notify *n);
/* The same, and lanes that wait after a failure try at once: a person sent dead letters again. */
void notify_retry(struct notify *n);
void notify_free(struct notify *n);
DEFINE_CLEANUP(struct notify, notify_free)

/* ---- how it is doing ---- */
struct notify_lane_stats {
	const char *route, *receiver, *kind; /* borrowed until notify_free */
	uint64_t sent, failures, digests;    /* since the store was made */
	uint64_t waiting, dead;		     /* messages */
	uint64_t pending;		     /* alerts that wait for their group */
	uint64_t oldest_unix_ns;	     /* of those waiting; 0 = none */
	uint64_t success_unix_ns, failure_unix_ns; /* 0 = never */
	uint64_t failing_since_unix_ns; /* 0: the last attempt succeeded, or there was none */
	char error[256];		/* of the last failure */
};
struct notify_stats {
	uint64_t waiting, dead, pending, oldest_unix_ns; /* of all lanes */
	uint64_t quiet, skipped; /* alerts not told since the start: silenced; over before they could be */
	size_t lane_count;
};
int notify_stats(struct notify *n, struct notify_stats *ret, struct err *err) WARN_UNUSED;
/* i < lane_count. */
int notify_lane_stats(struct notify *n, size_t i, struct notify_lane_stats *ret, struct err *err) WARN_UNUSED;
/* Families of all lanes (common/prom.h). What can't be read is left out. */
void notify_metrics(struct notify *n, const struct clock *clk, struct buf *out);
/* Members "items" (routes with their receivers), "cursor" and "receivers" into an open object. */
int notify_describe(struct notify *n, struct json *j, struct err *err) WARN_UNUSED;
/* Sends a test message to a receiver, or to all of a route, now. *ret: a number for notify_test_result.
 * ERR_NOT_FOUND, EBUSY. */
int notify_test(struct notify *n, const char *name, uint64_t *ret, struct err *err) WARN_UNUSED;
/* Members "id", "done", "results": what the other sides answered. ERR_NOT_FOUND. */
int notify_test_result(struct notify *n, uint64_t id, struct json *j, struct err *err) WARN_UNUSED;
