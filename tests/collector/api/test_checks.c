/* test_checks.c - findings of checks, waivers, containers and the policy over the real HTTPS API. */
#include "tests/collector/api/asked.h"

#include "common/policy/policy.h"
#include "tests/collector/served_checks.h"

#define OTHER_AGENT "6f1c3b1e-0000-4000-8000-000000000002"

static int start(void **state)
{
	(void)state;
	served_prepare(&srv);
	served_checks(srv.p.store, SERVED_AGENT, OTHER_AGENT);
	served_run_api(&srv);
	return 0;
}

static void findings_come_with_sums_the_worst_first(void **state)
{
	cJSON *doc = get_doc("/api/v1/findings");

	(void)state;
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 3);
	text_is(doc, "items.0.check", "PKT-C-005");
	text_is(doc, "items.0.title", "The container is not privileged");
	text_is(doc, "items.0.severity", "critical");
	text_is(doc, "items.0.status", "new");
	text_is(doc, "items.0.host", "host-07");
	text_is(doc, "items.0.subject.name", "web-1");
	assert_true(cJSON_IsTrue(at(doc, "items.0.differs")));
	number_is(doc, "summary.critical", 1);
	number_is(doc, "summary.high", 0);
	number_is(doc, "summary.waived", 1);
	text_is(doc, "summary.checks.0.check", "PKT-C-005");
	number_is(doc, "summary.checks.0.count", 1);
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/findings?filter=severity%3E%3Dhigh%20status:waived");
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 1);
	text_is(doc, "items.0.subject.kind", "daemon");
	cJSON_Delete(doc);
	/* a page at a time; the sums with the first */
	doc = get_doc("/api/v1/findings?limit=1");
	char path[200];
	snprintf(path, sizeof(path), "/api/v1/findings?limit=1&cursor=%s", at(doc, "cursor")->valuestring);
	cJSON_Delete(doc);
	doc = get_doc(path);
	text_is(doc, "items.0.check", "PKT-C-012");
	assert_null(at(doc, "summary"));
	cJSON_Delete(doc);
	status_is("GET", "/api/v1/findings?filter=chekc%3Dx", "viewer-token", NULL, 400);
	status_is("GET", "/api/v1/findings?cursor=x", "viewer-token", NULL, 400);
	status_is("GET", "/api/v1/findings", "nobody", NULL, 401);
}

static void one_finding_says_why_and_how_to_mend_it(void **state)
{
	cJSON *doc = get_doc("/api/v1/findings/1");

	(void)state;
	text_is(doc, "check", "PKT-C-005");
	text_is(doc, "why", "A privileged container owns its host.");
	text_is(doc, "check_fix", "docker run without --privileged");
	text_is(doc, "fix", "run it without");
	text_is(doc, "evidence", "CapEff 3fffffffff");
	cJSON_Delete(doc);
	status_is("GET", "/api/v1/findings/99", "viewer-token", NULL, 404);
	status_is("GET", "/api/v1/findings/x", "viewer-token", NULL, 404);
}

static void waiving_needs_a_reason_and_a_role_and_is_logged(void **state)
{
	cJSON *doc = NULL;

	(void)state;
	status_is("POST", "/api/v1/waivers", "viewer-token", "{\"finding\":2,\"reason\":\"x\"}", 403);
	status_is("POST", "/api/v1/waivers", "analyst-token", "{\"finding\":2}", 400);
	status_is("POST", "/api/v1/waivers", "analyst-token", "{\"reason\":\"x\"}", 400);
	status_is("POST", "/api/v1/waivers", "analyst-token", "{\"check\":\"PKT-[a]\",\"reason\":\"x\"}", 400);
	status_is("POST", "/api/v1/waivers", "analyst-token", "{\"check\":\"*\",\"reason\":\"x\",\"until\":\"5y\"}", 400);
	status_is("POST", "/api/v1/waivers", "analyst-token", "{\"finding\":99,\"reason\":\"x\"}", 404);
	status_is("POST", "/api/v1/waivers", "analyst-token", "{\"finding\":1,\"reason\":\"a\\nb\"}", 400);
	assert_int_equal(ask("POST", "/api/v1/waivers", "analyst-token",
			     "{\"finding\":2,\"reason\":\"it is small\",\"until\":\"30d\"}", &doc),
			 200);
	text_is(doc, "check", "PKT-C-011");
	text_is(doc, "subject", "web-1");
	text_is(doc, "host", "host-07");
	text_is(doc, "who", "anna");
	number_is(doc, "findings", 1);
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/findings?filter=check%3DPKT-C-011");
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 0);
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/waivers");
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 2);
	text_is(doc, "items.0.reason", "it is small");
	assert_true(cJSON_IsTrue(at(doc, "items.0.used")));
	cJSON_Delete(doc);
	status_is("POST", "/api/v1/waivers/2/end", "viewer-token", "{}", 403);
	status_is("POST", "/api/v1/waivers/2/end", "analyst-token", "{}", 200);
	status_is("POST", "/api/v1/waivers/2/end", "analyst-token", "{}", 404);
	doc = get_doc("/api/v1/findings?filter=check%3DPKT-C-011");
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 1);
	cJSON_Delete(doc);
	assert_int_equal(ask("GET", "/api/v1/audit-log?filter=what%3Dfinding.waive*", "analyst-token", NULL, &doc), 200);
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 2);
	text_is(doc, "items.0.what", "finding.waive.end");
	assert_non_null(strstr(at(doc, "items.1.subject")->valuestring, "PKT-C-011 on web-1, host host-07 until"));
	cJSON_Delete(doc);
}

static void containers_are_listed_and_shown_with_their_faults(void **state)
{
	cJSON *doc = get_doc("/api/v1/containers?filter=host%3Dhost-07");

	(void)state;
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 1);
	text_is(doc, "items.0.name", "web-1");
	text_is(doc, "items.0.config.mounts.0.source", "/etc");
	number_is(doc, "items.0.config.ports.0.host_port", 8080);
	text_is(doc, "items.0.config.cap_add.0", "SYS_ADMIN");
	assert_true(cJSON_IsTrue(at(doc, "items.0.privileged")));
	number_is(doc, "items.0.findings", 2);
	text_is(doc, "items.0.worst", "critical");
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/containers/0123456789ab");
	text_is(doc, "image", "nginx:1.25");
	assert_int_equal(cJSON_GetArraySize(at(doc, "open_findings")), 2);
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/containers/web-1?host=host-07");
	text_is(doc, "id", SERVED_BOX);
	cJSON_Delete(doc);
	status_is("GET", "/api/v1/containers/web-1?host=host-08", "viewer-token", NULL, 404);
	status_is("GET", "/api/v1/containers/nobody", "viewer-token", NULL, 404);
	status_is("GET", "/api/v1/containers?filter=prot%3D1", "viewer-token", NULL, 400);
}

static void metrics_count_what_is_open(void **state)
{
	static const char *const lines[] = { "\npicket_check_findings{severity=\"critical\"} 1\n",
					     "\npicket_check_findings{severity=\"high\"} 0\n" };

	(void)state;
	metrics_have(lines, ARRAY_LEN(lines));
}

static void a_host_tells_its_policy(void **state)
{
	cJSON *doc = get_doc("/api/v1/hosts/host-07");

	(void)state;
	text_is(doc, "policy.state", "refused");
	text_is(doc, "policy.source", "collector");
	number_is(doc, "policy.denied", 4);
	assert_true(cJSON_IsTrue(at(doc, "policy.admission")));
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/hosts/host-08");
	assert_true(cJSON_IsNull(at(doc, "policy")));
	cJSON_Delete(doc);
}

#define MONITOR "access_control:\\n  runtime_access:\\n    deny_privileged: true\\nmode: monitor\\n"
#define ENFORCE "access_control:\\n  runtime_access:\\n    deny_privileged: true\\nmode: enforce\\n"

static void a_policy_is_tried_then_put_in_force(void **state)
{
	cJSON *doc = NULL;

	(void)state;
	doc = get_doc("/api/v1/policy");
	number_is(doc, "version", 0);
	text_is(doc, "hosts.0.host", "host-07");
	cJSON_Delete(doc);
	/* what it would change, before it is anywhere */
	assert_int_equal(ask("POST", "/api/v1/policy/diff", "analyst-token", "{\"text\":\"" ENFORCE "\"}", &doc), 200);
	number_is(doc, "judged", 2);
	number_is(doc, "refused", 1);
	text_is(doc, "items.0.host", "host-07");
	text_is(doc, "items.0.container.name", "web-1");
	text_is(doc, "items.0.change", "refused");
	assert_true(cJSON_IsString(at(doc, "items.0.denials.0.rule")));
	assert_true(cJSON_IsTrue(at(doc, "items.0.denials.0.enforced")));
	number_is(doc, "items.0.denials.0.line", 3);
	cJSON_Delete(doc);
	assert_int_equal(ask("POST", "/api/v1/policy/diff", "analyst-token", "{\"text\":\"" MONITOR "\"}", &doc), 200);
	number_is(doc, "refused", 0);
	number_is(doc, "monitored", 1);
	cJSON_Delete(doc);
	/* who may, and what is a policy */
	status_is("POST", "/api/v1/policy/diff", "viewer-token", "{\"text\":\"" MONITOR "\"}", 403);
	status_is("POST", "/api/v1/policy", "analyst-token", "{\"text\":\"" MONITOR "\"}", 403);
	status_is("POST", "/api/v1/policy", "admin-token", "{}", 400);
	assert_int_equal(ask("POST", "/api/v1/policy", "admin-token", "{\"name\":\"p.yaml\",\"text\":\"acces_control: {}\\n\"}", &doc),
			 400);
	assert_non_null(strstr(at(doc, "detail")->valuestring, "p.yaml:1:1"));
	cJSON_Delete(doc);
	assert_int_equal(ask("POST", "/api/v1/policy", "admin-token", "{\"text\":\"" ENFORCE "\",\"comment\":\"first\"}", &doc), 200);
	number_is(doc, "version", 1);
	text_is(doc, "who", "root");
	text_is(doc, "comment", "first");
	cJSON_Delete(doc);
	/* the same again is no new version */
	assert_int_equal(ask("POST", "/api/v1/policy", "admin-token", "{\"text\":\"" ENFORCE "\"}", &doc), 200);
	number_is(doc, "version", 1);
	cJSON_Delete(doc);
	/* in force: nothing newly refused; a milder one lets through again */
	assert_int_equal(ask("POST", "/api/v1/policy/diff", "analyst-token", "{\"text\":\"" ENFORCE "\"}", &doc), 200);
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 0);
	cJSON_Delete(doc);
	assert_int_equal(ask("POST", "/api/v1/policy/diff", "analyst-token", "{\"text\":\"" MONITOR "\"}", &doc), 200);
	number_is(doc, "allowed", 1);
	text_is(doc, "items.0.change", "allowed");
	cJSON_Delete(doc);
	assert_int_equal(ask("POST", "/api/v1/policy", "admin-token", "{\"text\":\"" MONITOR "\"}", &doc), 200);
	number_is(doc, "version", 2);
	assert_int_equal(cJSON_GetArraySize(at(doc, "versions")), 2);
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/policy?version=1");
	assert_non_null(strstr(at(doc, "text")->valuestring, "mode: enforce"));
	cJSON_Delete(doc);
	status_is("GET", "/api/v1/policy?version=9", "viewer-token", NULL, 404);
	status_is("GET", "/api/v1/policy?version=x", "viewer-token", NULL, 400);
	status_is("DELETE", "/api/v1/policy", "admin-token", NULL, 405);
	assert_int_equal(ask("GET", "/api/v1/audit-log?filter=what%3Dpolicy.apply", "analyst-token", NULL, &doc), 200);
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 2);
	cJSON_Delete(doc);
}

static void a_policy_with_ten_thousand_prefixes_fits(void **state)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	cJSON *doc = NULL;

	(void)state;
	buf_add_str(&body, "{\"text\":\"access_control:\\n  network_access:\\n    blacklist: [");
	for (unsigned i = 0; i < 10000; i++)
		buf_printf(&body, "%s10.%u.%u.0/24", i ? ", " : "", i / 256, i % 256);
	buf_add_str(&body, "]\\nmode: monitor\\n\"}");
	assert_int_equal(ask("POST", "/api/v1/policy/diff", "analyst-token", body.p, &doc), 200);
	number_is(doc, "judged", 2);
	cJSON_Delete(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_come_with_sums_the_worst_first),
		cmocka_unit_test(one_finding_says_why_and_how_to_mend_it),
		cmocka_unit_test(waiving_needs_a_reason_and_a_role_and_is_logged),
		cmocka_unit_test(containers_are_listed_and_shown_with_their_faults),
		cmocka_unit_test(metrics_count_what_is_open),
		cmocka_unit_test(a_host_tells_its_policy),
		cmocka_unit_test(a_policy_is_tried_then_put_in_force),
		cmocka_unit_test(a_policy_with_ten_thousand_prefixes_fits),
	};

	return cmocka_run_group_tests(tests, start, asked_stop);
}
