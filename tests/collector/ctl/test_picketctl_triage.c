/* test_picketctl_triage.c - what people do with alerts, typed. */
#include "tests/collector/ctl/typed.h"

#include "collector/store/store_risk.h"
#include "tests/collector/reports.h"

static int start(void **state)
{
	(void)state;
	served_prepare(&srv);
	MUST(store_begin(srv.p.store, &must_err));
	for (unsigned i = 0; i < 250; i++) {
		static const struct alert_config cfg = { 0 };
		struct people_finding f;
		struct alert_change c;
		Picket__Record *rec = &f.record;
		char host[16];

		people_finding(&f, clock_unix_ns(&srv.p.clk) - 3600000000000ull);
		f.finding.rule = (char[]){ "Noisy" };
		f.finding.priority = (char[]){ "Notice" };
		f.finding.event_seq = 0;
		snprintf(host, sizeof(host), "ci-%u", i);
		MUST(alert_from_finding(srv.p.store, &cfg, SERVED_AGENT, host, 5, 1000 + i, rec, &c, &must_err));
		served_event(&srv, SERVED_AGENT, 1000 + i, rec);
	}
	static struct report_container box;
	bool more = true;
	report_container(&box, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "web-1", "nginx:1.25");
	MUST(store_container_event(srv.p.store, SERVED_AGENT, &box.event, &must_err));
	while (more)
		MUST(store_risk_judge(srv.p.store, 10, &more, &must_err));
	MUST(store_commit(srv.p.store, &must_err));
	served_run_api(&srv);
	typed_settings();
	return 0;
}

static void one_alert_is_triaged_by_its_number(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl alert ack 1 --comment 'on it' -o table", 0, "alert 1: acknowledged" },
		{ "$ctl alert assign 1 anna -o table", 0, "assigned to anna" },
		{ "$ctl alert snooze 1 --until 4h -o table", 0, "alert 1: snoozed until 20" },
		{ "$ctl alert show 1 -o table", 0, "not told      snoozed until" },
		{ "$ctl alert reopen 1 -o table", 0, "alert 1: new" },
		{ "$ctl alert resolve 1 --reason duplicate_of:2 -o table", 0, "alert 1: resolved (duplicate_of)" },
		{ "$ctl alert show 1 -o table", 0, "root  resolved: duplicate of 2" },
		{ "$ctl alert show 1 -o json", 0, "\"what\":\"commented\",\"text\":\"on it\"" },
		{ "$ctl audit-log list what=alert.status -o ndjson", 0, "alert 1 -> resolved duplicate of 2" },
		{ "$ctl alert list resolution=duplicate_of -o csv", 0, "resolved (duplicate_of)" },
		{ "$ctl alert resolve 1 --reason whatever", 2, "no reason" },
		{ "$ctl alert resolve 1 --reason duplicate_of:x", 2, "needs an alert's number" },
		{ "$ctl alert ack 1 --reason benign", 2, "a reason is for resolving" },
		{ "$ctl alert snooze 1", 2, "needs --until" },
		{ "$ctl alert snooze 1 --until 400d", 2, "within the next 366 days" },
		{ "$ctl alert snooze 1 --until yesterday", 2, "is no time (4h" },
		{ "$ctl alert ack 999999", 5, "no alert" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

static void many_are_counted_first_and_changed_when_that_is_meant(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl alert ack rule=Noisy 'host=ci-*' -o table", 0, "250 alerts (250 findings): 250 low" },
		{ "$ctl alert ack rule=Noisy 'host=ci-*' -o table", 0, "Nothing was changed" },
		{ "$ctl alert ack rule=Noisy --limit 100 --yes", 2, "250 alerts match, and at most 100" },
		{ "$ctl alert list rule=Noisy status=new --limit 1000 -o csv | wc -l", 0, "251" },
		{ "$ctl alert ack rule=Noisy --yes", 0, "250 alerts changed" },
		{ "$ctl alert list rule=Noisy status=acknowledged --limit 1000 -o csv | wc -l", 0, "251" },
		{ "$ctl alert resolve rule=Noisy 'host=ci-1?' --reason false_positive --yes", 0, "10 alerts changed" },
		{ "$ctl alert ack colour=red --yes", 2, "unknown key" },
		{ "$ctl alert noise -o table", 0, "an exception: picketctl alert except ID" },
		{ "$ctl alert noise -o json", 0, "\"share\":\"98.8 %\"" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

static void a_silence_says_what_it_would_have_hidden(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl silence preview rule=Noisy -o table", 0, "would have hidden 250 alerts" },
		{ "$ctl silence create rule=Noisy --reason ci", 2, "needs --until" },
		{ "$ctl silence create rule=Noisy --until 4h", 2, "needs --reason" },
		{ "$ctl silence create --until 4h --reason x", 2, "needs matchers" },
		{ "$ctl silence create rule=Noisy --until 367d --reason x", 2, "within the next 366 days" },
		{ "$ctl silence create status=new --until 4h --reason x", 2, "unknown key" },
		{ "$ctl silence create rule=Noisy 'host=ci-2*' --until 4h --reason 'CI is loud' -o table", 0, "silence 1 of rule=Noisy host=ci-2*" },
		{ "$ctl silence list -o table", 0, "CI is loud" },
		{ "$ctl alert list silenced:yes --limit 1000 -o csv | wc -l", 0, "62" },
		{ "$ctl alert list host=ci-2 -o table", 0, "(silenced)" },
		{ "echo viewer-token > $HOME/v; $ctl silence create rule=Noisy --until 4h --reason x --token-file $HOME/v", 4, "403" },
		{ "$ctl silence expire 1", 0, "silence 1 ended" },
		{ "$ctl silence expire 1", 5, "no silence 1 in force" },
		{ "$ctl alert list silenced:yes -o csv | wc -l", 0, "1" },
		{ "$ctl silence list --ended -o table -o wide", 0, "root" },
		{ "$ctl audit-log list 'what=silence.*' -o ndjson", 0, "silence 1 of rule=Noisy" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

static void an_exception_is_looked_at_and_then_made(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl alert except 4 -o table", 0, "rule=\"Noisy\" source=runtime image=nginx:* exe=\"/usr/bin/wget\"" },
		{ "$ctl alert except 4 -o table", 0, "would have hidden 250 findings of the history, and 250 alerts" },
		{ "$ctl alert except 4 -o table", 0, "fields: [container.image.repository, proc.exepath, proc.pname]" },
		{ "$ctl alert except 4 --field exe,process -o json", 0, "\"history_findings\":250" },
		{ "$ctl alert except 4 --field colour", 2, "is none of image" },
		{ "$ctl alert except 4 --field path", 2, "the alert has no path" },
		{ "$ctl alert except 4 --yes", 2, "needs --reason" },
		{ "$ctl alert except 4 --reason known --until 90d --yes -o table", 0, "exception 1: rule=\"Noisy\"" },
		{ "$ctl exception list -o table", 0, "known" },
		{ "$ctl alert show 4 -o table", 0, "root  excepted: exception 1" },
		{ "$ctl exception end 1", 0, "exception 1 ended" },
		{ "$ctl exception list -o csv | wc -l", 0, "1" },
		{ "$ctl exception end 1", 5, "no exception 1 in force" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

static void a_risk_says_why(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl container list --sort risk -o table", 0, "RISK" },
		{ "$ctl container show web-1 -o table", 0, "alert: alert " },
		{ "$ctl container show web-1 -o json", 0, "\"risk_reasons\":[{\"points\":" },
		{ "$ctl container list 'risk>=1' -o csv | wc -l", 0, "2" },
		{ "$ctl container list 'risk>99' -o csv | wc -l", 0, "1" },
		{ "$ctl image list --sort risk -o table", 0, "" },
		{ "$ctl container list --sort name", 2, "only risk" },
		{ "$ctl alert list --sort risk", 2, "there is no --sort" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_alert_is_triaged_by_its_number),
		cmocka_unit_test(many_are_counted_first_and_changed_when_that_is_meant),
		cmocka_unit_test(a_silence_says_what_it_would_have_hidden),
		cmocka_unit_test(an_exception_is_looked_at_and_then_made),
		cmocka_unit_test(a_risk_says_why),
	};

	return cmocka_run_group_tests(tests, start, typed_stop);
}
