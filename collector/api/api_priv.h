/* api_priv.h - what api's files share: one call and its answer, who may ask, open connections. */
#pragma once
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <openssl/ssl.h>

#include "collector/api/api.h"

enum {
	API_HEADER_BYTES = 16 * 1024,
	API_BODY_BYTES = 256 * 1024, /* a policy with ten thousand prefixes */
	API_ANSWER_BYTES = 8 * 1024 * 1024,
	API_CONNECTIONS = 256,
	API_CONNECTIONS_PER_ADDRESS = 64,
	API_REQUEST_MS = 30 * 1000, /* from the connection, or the last answer, to a whole request */
	API_ANSWER_MS = 60 * 1000,  /* for the client to take the answer */
	API_FAILED_AUTH_PER_S = 10,
	API_LIMIT_DEFAULT = 100,
	API_LIMIT_MAX = 1000,
	API_RISK_BYTES = 64 * 1024, /* reasons of one */
};

enum api_role { ROLE_NONE, ROLE_VIEWER, ROLE_ANALYST, ROLE_ADMIN };

/* Failed tries, per address (IPv6: per /64); a bucket of API_FAILED_AUTH_PER_S. */
struct api_guard {
	struct {
		uint64_t address_hash;
		uint64_t milli_tokens, last_boot_ns;
	} slots[1024];
};

struct api_conn;
struct api {
	struct event_base *base;
	struct store *store;
	const struct clock *clk;
	struct api_ops ops;
	void *arg;
	SSL_CTX *tls;
	struct evhttp *http;
	struct evconnlistener *listener; /* owned by http */
	struct event *resume;		 /* takes connections again after accept failed */
	int port;
	struct api_conn *conns;
	unsigned conn_count;
	struct api_guard guard;
	uint64_t requests, refused; /* for /metrics */
};

/* One request being answered. */
struct api_call {
	struct api *api;
	struct evhttp_request *req; /* borrowed */
	struct evkeyvalq query;
	struct slice id; /* what stood for the * of the route's path, decoded */
	char user[64];
	enum api_role role;
	struct buf out; /* the answer's body */
	const char *type; /* its Content-Type */
};

/* api_conn.c: TLS connections, counted and timed. */
struct bufferevent *api_conn_new(struct event_base *base, void *api);
void api_conn_request_done(struct api *a, struct evhttp_request *req); /* a whole request is here */
void api_conns_forget(struct api *a);

/* api_auth.c */
/* 0 and call->user, call->role; else the HTTP status to answer: 401, 403 (a role is missing), 429. */
int api_auth_check(struct api_call *c, enum api_role needed);

/* api_reply.c: each answers and ends the request. */
void api_reply(struct api_call *c, int status);
/* RFC 9457. detail: nullable. */
void api_reply_problem(struct api_call *c, int status, const char *detail);
void api_reply_err(struct api_call *c, const struct err *err);

/* api_routes.c */
void api_route(struct api_call *c);

/* Handlers: 0 and call->out, or an error. api_alerts.c, api_hosts.c, api_events.c,
 * api_audit.c, api_status.c, api_images.c, api_vulns.c, api_findings.c, api_containers.c, api_policy.c,
 * api_notify.c */
int api_alerts_list(struct api_call *c, struct err *err);
int api_alert_show(struct api_call *c, struct err *err);
int api_alert_ack(struct api_call *c, struct err *err);
int api_alert_resolve(struct api_call *c, struct err *err);
int api_alert_assign(struct api_call *c, struct err *err);
int api_alert_comment(struct api_call *c, struct err *err);
int api_alert_snooze(struct api_call *c, struct err *err);
int api_alert_reopen(struct api_call *c, struct err *err);
int api_alerts_bulk(struct api_call *c, struct err *err);
int api_alerts_summary(struct api_call *c, struct err *err);
int api_exceptions_list(struct api_call *c, struct err *err);
int api_exception_propose(struct api_call *c, struct err *err);
int api_exception_preview(struct api_call *c, struct err *err);
int api_exception_add(struct api_call *c, struct err *err);
int api_exception_end(struct api_call *c, struct err *err);
int api_silences_list(struct api_call *c, struct err *err);
int api_silence_add(struct api_call *c, struct err *err);
int api_silence_preview(struct api_call *c, struct err *err);
int api_inhibitions_list(struct api_call *c, struct err *err);
int api_escalations_list(struct api_call *c, struct err *err);
int api_silence_end(struct api_call *c, struct err *err);
int api_events_list(struct api_call *c, struct err *err);
int api_audit_list(struct api_call *c, struct err *err);
int api_history_list(struct api_call *c, struct err *err);
int api_history_ask(struct api_call *c, struct err *err);
int api_hosts_list(struct api_call *c, struct err *err);
int api_host_show(struct api_call *c, struct err *err);
int api_images_list(struct api_call *c, struct err *err);
int api_image_show(struct api_call *c, struct err *err);
int api_image_packages(struct api_call *c, struct err *err);
int api_image_vulns(struct api_call *c, struct err *err);
int api_vulns_list(struct api_call *c, struct err *err);
int api_vuln_show(struct api_call *c, struct err *err);
int api_vuln_accept(struct api_call *c, struct err *err);
int api_acceptances_list(struct api_call *c, struct err *err);
int api_acceptance_end(struct api_call *c, struct err *err);
int api_findings_list(struct api_call *c, struct err *err);
int api_finding_show(struct api_call *c, struct err *err);
int api_waivers_list(struct api_call *c, struct err *err);
int api_waiver_add(struct api_call *c, struct err *err);
int api_waiver_end(struct api_call *c, struct err *err);
int api_containers_list(struct api_call *c, struct err *err);
int api_container_show(struct api_call *c, struct err *err);
int api_policy_show(struct api_call *c, struct err *err);
int api_policy_apply(struct api_call *c, struct err *err);
int api_policy_diff(struct api_call *c, struct err *err);
/* api_correlations.c */
int api_rules_list(struct api_call *c, struct err *err);
int api_correlations_list(struct api_call *c, struct err *err);
int api_correlation_explain(struct api_call *c, struct err *err);
int api_backtest_begin(struct api_call *c, struct err *err);
int api_backtest_show(struct api_call *c, struct err *err);
int api_backtest_end(struct api_call *c, struct err *err);
int api_status_show(struct api_call *c, struct err *err);
int api_notify_list(struct api_call *c, struct err *err);
int api_notify_messages(struct api_call *c, struct err *err);
int api_notify_resend(struct api_call *c, struct err *err);
int api_notify_resend_all(struct api_call *c, struct err *err);
int api_notify_drop(struct api_call *c, struct err *err);
int api_notify_test(struct api_call *c, struct err *err);
int api_notify_test_show(struct api_call *c, struct err *err);
int api_metrics(struct api_call *c, struct err *err);
int api_health(struct api_call *c, struct err *err);
int api_front_page(struct api_call *c, struct err *err);

/* The answer: all of one alert. api_alerts.c */
int api_alert_write(struct api_call *c, int64_t id, struct err *err);
/* {alerts, findings, severities, statuses, rules, examples, cursor} of a slice of what q asks. api_summary.c */
int api_summary_write(struct api *a, const struct store_query *q, struct buf *out, struct err *err);
/* The same with further members (",\"name\":0"), and the cursor after its last slice. */
int api_summary_write_more(struct api *a, const struct store_query *q, const char *members, const char *last_cursor,
			   struct buf *out, struct err *err);
/* "4h" from now or a moment, within 366 days. ERR_SYNTAX. api_triage.c */
int api_read_until(const char *key, struct slice text, uint64_t now_unix_ns, uint64_t *ret, struct err *err);

/* What a person sends along, at most API_BODY_BYTES; *ret: caller deletes, NULL without a body. api_alerts.c */
int api_body(const struct api_call *c, cJSON **ret, struct err *err);

/* api_change.c: what people change. */
/* The number in the path. ERR_NOT_FOUND "no WHAT '…'". */
int api_number(const struct api_call *c, const char *what, int64_t *ret, struct err *err);
/* A text without control characters. ERR_SYNTAX. */
int api_read_text(const cJSON *doc, const char *key, char *dst, size_t size, struct err *err);
/* Leave to stay as it is, for a time: an acceptance of a vulnerability, a waiver of a check. */
enum { API_REASON_MAX = 2000, API_PATTERN_MAX = 256 };
struct api_leave {
	char reason[API_REASON_MAX + 1];
	uint64_t until_unix_ns;
};
int api_read_leave(const struct api_call *c, const cJSON *doc, struct api_leave *ret, struct err *err);
/* Like store_end; what was judged is judged anew. */
int api_end_judged(struct api_call *c, int r, struct err *err);
int api_end_leave(struct api_call *c, const char *what, const char *deed,
		  int (*end)(struct store *s, int64_t id, const char *who, struct err *err), struct err *err);

/* images_json.c: the contract's JSON of images and vulnerabilities; members into an open object. */
struct store_image;
struct store_vuln;
struct store_place;
struct store_acceptance;
void api_image_json(struct api *a, struct json *j, const struct store_image *im);
void api_vuln_json(struct json *j, const struct store_vuln *v);
/* The package of an image that has the vulnerability, without the image. */
void api_place_json(struct api *a, struct json *j, const struct store_place *p);
void api_acceptance_json(struct json *j, const struct store_acceptance *x);
/* checks_json.c: of findings of checks, waivers, containers; members, but a waiver, which is an object. */
struct store_check_finding;
struct store_waiver;
struct store_container;
struct store_policy_state;
void api_finding_json(struct json *j, const struct store_check_finding *f);
void api_waiver_json(struct json *j, const struct store_waiver *w);
void api_container_json(struct json *j, const struct store_container *c);
/* api_policy.c: members; digest: of the policy in force here. */
void api_policy_state_json(struct json *j, const struct store_policy_state *st, const char *digest);
/* A JSON array of ours, put in as it is. */
void api_raw_list(struct json *j, const char *key, const char *list);

/* api_page.c: lists. */
const char *api_param(const struct api_call *c, const char *name); /* NULL when absent */
/* filter, since, until, limit, cursor, order of the query string. */
int api_page_query(const struct api_call *c, struct store_query *ret, struct err *err);
struct api_page {
	struct json j;
	struct api *api;
	struct buf *out;
	uint64_t rows;
	struct buf tail; /* what stands behind the cursor: ',"name":value' */
};
/* {process, rare, volume, other, partial}. api_events.c */
void api_lost_json(struct json *j, const struct store_lost *lost);
/* {"items":[rows],"cursor":…}. run asks the store with q and gives each row to the page; a page that
 * would pass API_ANSWER_BYTES is asked for again with fewer rows. It may write further members into
 * page->tail. */
int api_page_write(struct api_call *c, struct store_query *q,
		   int (*run)(struct api *a, const struct store_query *q, struct api_page *p,
			      char *ret_cursor, size_t cursor_size, struct err *err),
		   struct err *err);
/* For run's callback, after each row: 0, or -E2BIG when the page is full. */
int api_page_row_done(struct api_page *p);
/* api_change.c: lists of leaves, with ended=yes those that ended too (q's oldest_first); asked for with one more
 * than is given. */
int api_leaves_list(struct api_call *c,
		    int (*run)(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
			       size_t cursor_size, struct err *err),
		    struct err *err);
struct api_tally {
	struct api_page *page;
	uint64_t skip, seen, limit;
	bool has_more;
};
int api_tally_begin(struct api_tally *t, const struct store_query *q, struct api_page *p, struct err *err);
/* Is this row one of the page? */
bool api_tally_wants(struct api_tally *t);
void api_tally_cursor(const struct api_tally *t, char *ret_cursor, size_t cursor_size);
