/* api_routes.c - which path is whose, with which role and which parameters. */
#include "collector/api/api_priv.h"

#include "common/text.h"

enum { ID_MAX = 256, PARAMS_MAX = 7 };
/* What the handler looks at itself. */
#define ANY_PARAMS "*"

static const struct route {
	enum evhttp_cmd_type method;
	const char *path; /* a * stands for one segment: call->id */
	enum api_role role;
	int (*fn)(struct api_call *c, struct err *err);
	const char *params[PARAMS_MAX]; /* of the query string; others are an error */
} routes[] = {
	{ EVHTTP_REQ_GET, "/", ROLE_NONE, api_front_page, { NULL } },
	{ EVHTTP_REQ_GET, "/alerts/*", ROLE_NONE, api_front_page, { NULL } },
	{ EVHTTP_REQ_GET, "/healthz", ROLE_NONE, api_health, { NULL } },
	{ EVHTTP_REQ_GET, "/metrics", ROLE_VIEWER, api_metrics, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/status", ROLE_VIEWER, api_status_show, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/alerts", ROLE_VIEWER, api_alerts_list,
	  { "filter", "since", "until", "limit", "cursor", "order" } },
	{ EVHTTP_REQ_GET, "/api/v1/alerts/summary", ROLE_VIEWER, api_alerts_summary,
	  { "filter", "since", "until", "cursor" } },
	{ EVHTTP_REQ_POST, "/api/v1/alerts/bulk", ROLE_ANALYST, api_alerts_bulk, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/alerts/*", ROLE_VIEWER, api_alert_show, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/alerts/*/ack", ROLE_ANALYST, api_alert_ack, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/alerts/*/resolve", ROLE_ANALYST, api_alert_resolve, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/alerts/*/assign", ROLE_ANALYST, api_alert_assign, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/alerts/*/comment", ROLE_ANALYST, api_alert_comment, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/alerts/*/snooze", ROLE_ANALYST, api_alert_snooze, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/alerts/*/reopen", ROLE_ANALYST, api_alert_reopen, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/exceptions", ROLE_VIEWER, api_exceptions_list, { "limit", "cursor", "ended" } },
	{ EVHTTP_REQ_POST, "/api/v1/exceptions", ROLE_ANALYST, api_exception_add, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/exceptions/propose", ROLE_VIEWER, api_exception_propose, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/exceptions/preview", ROLE_VIEWER, api_exception_preview, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/exceptions/*/end", ROLE_ANALYST, api_exception_end, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/silences", ROLE_VIEWER, api_silences_list, { "limit", "cursor", "ended" } },
	{ EVHTTP_REQ_POST, "/api/v1/silences", ROLE_ANALYST, api_silence_add, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/silences/preview", ROLE_VIEWER, api_silence_preview, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/silences/*/end", ROLE_ANALYST, api_silence_end, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/inhibitions", ROLE_VIEWER, api_inhibitions_list, { "limit", "cursor" } },
	{ EVHTTP_REQ_GET, "/api/v1/escalations", ROLE_VIEWER, api_escalations_list, { "limit", "cursor" } },
	{ EVHTTP_REQ_GET, "/api/v1/events", ROLE_VIEWER, api_events_list,
	  { "filter", "since", "until", "limit", "cursor", "order" } },
	{ EVHTTP_REQ_GET, "/api/v1/history", ROLE_VIEWER, api_history_list, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/history/*", ROLE_VIEWER, api_history_ask, { ANY_PARAMS } },
	{ EVHTTP_REQ_GET, "/api/v1/audit-log", ROLE_ANALYST, api_audit_list,
	  { "filter", "since", "until", "limit", "cursor", "order" } },
	{ EVHTTP_REQ_GET, "/api/v1/images", ROLE_VIEWER, api_images_list, { "filter", "limit", "cursor", "sort" } },
	{ EVHTTP_REQ_GET, "/api/v1/images/*", ROLE_VIEWER, api_image_show, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/images/*/packages", ROLE_VIEWER, api_image_packages, { "limit", "cursor" } },
	{ EVHTTP_REQ_GET, "/api/v1/images/*/vulns", ROLE_VIEWER, api_image_vulns, { "limit", "cursor" } },
	{ EVHTTP_REQ_GET, "/api/v1/vulns", ROLE_VIEWER, api_vulns_list,
	  { "filter", "since", "until", "limit", "cursor" } },
	{ EVHTTP_REQ_GET, "/api/v1/vulns/*", ROLE_VIEWER, api_vuln_show, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/vulns/*/accept", ROLE_ANALYST, api_vuln_accept, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/acceptances", ROLE_VIEWER, api_acceptances_list, { "limit", "cursor", "ended" } },
	{ EVHTTP_REQ_POST, "/api/v1/acceptances/*/end", ROLE_ANALYST, api_acceptance_end, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/findings", ROLE_VIEWER, api_findings_list,
	  { "filter", "since", "until", "limit", "cursor" } },
	{ EVHTTP_REQ_GET, "/api/v1/findings/*", ROLE_VIEWER, api_finding_show, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/waivers", ROLE_VIEWER, api_waivers_list, { "limit", "cursor", "ended" } },
	{ EVHTTP_REQ_POST, "/api/v1/waivers", ROLE_ANALYST, api_waiver_add, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/waivers/*/end", ROLE_ANALYST, api_waiver_end, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/containers", ROLE_VIEWER, api_containers_list,
	  { "filter", "limit", "cursor", "sort" } },
	{ EVHTTP_REQ_GET, "/api/v1/containers/*", ROLE_VIEWER, api_container_show, { "host" } },
	{ EVHTTP_REQ_GET, "/api/v1/policy", ROLE_VIEWER, api_policy_show, { "version" } },
	{ EVHTTP_REQ_POST, "/api/v1/policy", ROLE_ADMIN, api_policy_apply, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/policy/diff", ROLE_ANALYST, api_policy_diff, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/rules", ROLE_VIEWER, api_rules_list, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/correlations", ROLE_VIEWER, api_correlations_list, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/correlations/explain", ROLE_VIEWER, api_correlation_explain, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/backtests", ROLE_ANALYST, api_backtest_begin, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/backtests/*", ROLE_ANALYST, api_backtest_show, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/backtests/*/end", ROLE_ANALYST, api_backtest_end, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/notify", ROLE_VIEWER, api_notify_list, { "limit", "cursor" } },
	{ EVHTTP_REQ_GET, "/api/v1/notify/messages", ROLE_VIEWER, api_notify_messages, { "limit", "cursor", "dead" } },
	{ EVHTTP_REQ_POST, "/api/v1/notify/messages/*/resend", ROLE_ANALYST, api_notify_resend, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/notify/messages/*/drop", ROLE_ADMIN, api_notify_drop, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/notify/resend", ROLE_ANALYST, api_notify_resend_all, { NULL } },
	{ EVHTTP_REQ_POST, "/api/v1/notify/test", ROLE_ANALYST, api_notify_test, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/notify/tests/*", ROLE_ANALYST, api_notify_test_show, { NULL } },
	{ EVHTTP_REQ_GET, "/api/v1/hosts", ROLE_VIEWER, api_hosts_list, { "filter", "limit", "cursor" } },
	{ EVHTTP_REQ_GET, "/api/v1/hosts/*", ROLE_VIEWER, api_host_show, { NULL } },
};

static bool path_matches(const char *pattern, const char *path, struct slice *ret_id)
{
	struct slice want = slice_of(pattern), have = slice_of(path), a, b;

	for (;;) {
		bool more = slice_split(&want, '/', &a);

		if (more != slice_split(&have, '/', &b))
			return false;
		if (!more)
			return true;
		if (slice_is(a, "*") && b.n)
			*ret_id = b;
		else if (!slice_eq(a, b))
			return false;
	}
}

static bool is_param(const struct route *r, const char *name)
{
	for (size_t i = 0; i < PARAMS_MAX && r->params[i]; i++) {
		if (!strcmp(r->params[i], name) || !strcmp(r->params[i], ANY_PARAMS))
			return true;
	}
	return false;
}

static int check_params(const struct route *r, const struct api_call *c, struct err *err)
{
	const struct evkeyval *kv;

	for (kv = c->query.tqh_first; kv; kv = kv->next.tqe_next) {
		if (!is_param(r, kv->key))
			return err_set(err, ERR_USAGE, "no parameter '%.40s' here", kv->key);
	}
	return 0;
}

static void answer(const struct route *r, struct api_call *c)
{
	struct err err = { 0 };
	int status = api_auth_check(c, r->role);

	if (status) {
		api_reply_problem(c, status,
				  status == 401	  ? "a valid token is needed: Authorization: Bearer …" :
				  status == 403 ? "this token's role may not do that" :
						  "too many failed tries from your address");
		return;
	}
	if (check_params(r, c, &err) < 0 || r->fn(c, &err) < 0)
		api_reply_err(c, &err);
	else
		api_reply(c, 200);
}

static void decode_id(struct api_call *c, struct slice raw, char *dst, size_t size)
{
	char text[ID_MAX];
	size_t n = 0;

	c->id = SLICE_NONE;
	if (!raw.n || !slice_copy(raw, text, sizeof(text)))
		return;
	char *decoded = evhttp_uridecode(text, 0, &n);
	/* An id that goes on behind a NUL would be another one to whoever reads C strings. */
	if (decoded && !memchr(decoded, 0, n) && slice_copy(slice_from(decoded, n), dst, size))
		c->id = slice_of(dst);
	free(decoded);
}

void api_route(struct api_call *c)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(c->req));
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(c->req));
	char id[ID_MAX];
	const char *allowed = NULL;

	if (!path || !path[0])
		path = "/";
	if (query && query[0] && evhttp_parse_query_str(query, &c->query) < 0) {
		api_reply_problem(c, 400, "the query string is malformed");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct slice raw = SLICE_NONE;

		if (!path_matches(routes[i].path, path, &raw))
			continue;
		allowed = allowed ? "GET, POST" : routes[i].method == EVHTTP_REQ_POST ? "POST" : "GET";
		if (routes[i].method != evhttp_request_get_command(c->req))
			continue;
		decode_id(c, raw, id, sizeof(id));
		answer(&routes[i], c);
		return;
	}
	if (allowed)
		evhttp_add_header(evhttp_request_get_output_headers(c->req), "Allow", allowed);
	api_reply_problem(c, allowed ? 405 : 404, NULL);
}
