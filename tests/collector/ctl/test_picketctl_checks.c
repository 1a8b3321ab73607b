/* test_picketctl_checks.c - picketctl finding, container and policy, against the real API. */
#include "tests/collector/ctl/typed.h"

#include "tests/collector/served_checks.h"

static void write_policies(void)
{
	static const struct {
		const char *name, *text;
	} files[] = { { "good.yaml", "access_control:\n  runtime_access:\n    deny_privileged: true\nmode: enforce\n" },
		      { "bad.yaml", "access_control:\n  runtime_acess: {}\n" } };
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", srv.p.dir, files[i].name);
		MUST(file_write_atomic(path, slice_of(files[i].text), 0600, &must_err));
	}
	setenv("DIR", srv.p.dir, 1);
}

/* A container that started, and one that was refused, in the history. */
static void audit_event(void)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Admission ad = PICKET__ADMISSION__INIT;
	struct report_container c;

	MUST(store_begin(srv.p.store, &must_err));
	report_container(&c, SERVED_BOX, "web-1", "nginx:1.25");
	c.container.privileged = true;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &c.event;
	rec.time_unix_ns = served_t0 + 10000000;
	served_event(&srv, SERVED_AGENT, 10, &rec);
	ev.type = PICKET__EVENT_TYPE__EVENT_ADMISSION;
	ev.container = &c.container;
	ev.admission = &ad;
	c.container.config = NULL;
	ad.kind = REPORT_TEXT("create");
	ad.rule = REPORT_TEXT("AC-012");
	ad.reason = msg_bytes(SLICE_LIT("bind of /etc \033[2J"));
	rec.event = &ev;
	served_event(&srv, SERVED_AGENT, 11, &rec);
	MUST(store_commit(srv.p.store, &must_err));
}

static int start(void **state)
{
	served_prepare(&srv);
	served_checks(srv.p.store, SERVED_AGENT, "6f1c3b1e-0000-4000-8000-000000000002");
	audit_event();
	write_policies();
	served_run_api(&srv);
	typed_settings();
	return 0;
}

/* Ages are of today: left out, as are the names made to harm, which have a test of their own. */
static void lists_and_pages_look_as_agreed(void **state)
{
	(void)state;
	golden("finding-list.table", "$ctl finding list -o table | sed -E 's/ [0-9]+[smhd]  / AGE  /'");
	golden("finding-show.table", "$ctl finding show 1 -o table | grep -v ' seen '");
	golden("finding-list.csv", "$ctl finding list 'severity>=high' -o csv | cut -d, -f1-7");
	golden("finding-waivers.table", "$ctl finding waivers -o table | sed -E 's/20[0-9-]+T[0-9:.]+Z/TIME/'");
	golden("container-list.table", "$ctl container list -o table");
	golden("container-show.table", "$ctl container show web-1 -o table | sed -E 's/ [0-9]+[smhd]  / AGE  /'");
	golden("policy-diff.table", "$ctl policy diff $DIR/good.yaml -o table");
	golden("event-container.table", "$ctl event search type=container.start -o table");
	golden("event-admission.table", "$ctl event search type=admission -o table");
}

static void nothing_a_host_named_reaches_the_terminal_as_it_is(void **state)
{
	static const char *const lines[] = {
		"$ctl finding list -o table", "$ctl finding list -o wide", "$ctl finding list -o csv", "$ctl finding list",
		"$ctl finding list -o yaml", "$ctl finding show 2 -o table", "$ctl finding show 4 -o table",
		"$ctl finding show 2", "$ctl finding show 2 -o yaml", "$ctl finding waivers -o wide", "$ctl finding waivers",
		"$ctl container list -o table", "$ctl container list -o wide", "$ctl container list -o csv",
		"$ctl container list", "$ctl container list -o yaml", "$ctl container show fedcba987654 -o table",
		"$ctl container show fedcba987654", "$ctl policy show -o table", "$ctl policy show",
		"$ctl policy diff $DIR/good.yaml -o wide", "$ctl policy diff $DIR/good.yaml -o csv",
		"$ctl policy diff $DIR/good.yaml", "$ctl host show host-07 -o table", "$ctl event search type=admission -o wide",
		"$ctl event search type=admission", "$ctl alert list -o table",
	};

	(void)state;
	typed_harmless(lines, ARRAY_LEN(lines));
}

static void exit_codes_and_words_say_what_went_wrong(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl finding", 2, "which of list show waive waivers unwaive" },
		{ "$ctl findings list", 2, "did you mean finding" },
		{ "$ctl finding waiv", 2, "did you mean waive" },
		{ "$ctl finding show", 2, "needs one number" },
		{ "$ctl finding show 99", 5, "no finding 99" },
		{ "$ctl finding list severty=x", 2, "did you mean \"severity\"" },
		{ "$ctl finding list --order asc", 2, "takes no --order" },
		{ "$ctl finding show 1 -o csv", 2, "has no columns" },
		{ "$ctl finding waive 2", 2, "--reason" },
		{ "$ctl finding waive 2 --reason x --until soon", 2, "no time" },
		{ "$ctl finding waive 2 --reason 'small' --until 2027-01-31 -o table", 0,
		  "PKT-C-011 on web-1, host host-07, is waived until 2027-01-31 (2); findings: 1" },
		{ "$ctl finding list status=waived check=PKT-C-011 -o csv | tail -1", 0, "\"waived\",\"PKT-C-011\"" },
		{ "$ctl finding waivers -o table", 0, "small" },
		{ "$ctl finding waive PKT-Z-999 --host 'db-*' --reason later -o table", 0,
		  "PKT-Z-999 on *, host db-*, is waived until" },
		{ "$ctl finding waivers -o table", 0, "never used" },
		{ "$ctl finding unwaive 2", 0, "waiver 2 ended" },
		{ "$ctl finding unwaive 2", 5, "no waiver 2 is in force" },
		{ "$ctl finding waivers --ended -o wide", 0, "root" },
		{ "$ctl audit-log list what=finding.waive -o table", 0, "PKT-C-011 on web-1, host host-07 until 2027-01-31" },
		{ "$ctl container show", 2, "needs one name" },
		{ "$ctl container show nobody", 5, "no container 'nobody'" },
		{ "$ctl container list mount=/etc -o csv | tail -1", 0, "\"web-1\",\"0123456789abcdef" },
		{ "$ctl container show web-1 --host host-08", 5, "no container" },
		{ "$ctl policy show -o table", 0, "refused" },
		{ "$ctl policy apply", 2, "needs one file" },
		{ "$ctl policy apply $DIR/none.yaml", 5, "none.yaml" },
		{ "$ctl policy apply $DIR/bad.yaml", 2, "bad.yaml:2:3" },
		{ "$ctl policy diff $DIR/bad.yaml", 2, "bad.yaml:2:3" },
		{ "$ctl policy diff $DIR/good.yaml -o csv | tail -1", 0, "\"refused\",\"host-07\",\"web-1\",\"AC-401" },
		{ "$ctl policy diff $DIR/good.yaml -o json", 0, "\"refused\":1" },
		{ "$ctl policy apply $DIR/good.yaml --comment first -o table", 0, "version 1 (" },
		{ "$ctl policy show -o table", 0, "deny_privileged: true" },
		{ "$ctl policy show 1 -o table", 0, "first" },
		{ "$ctl policy show 7", 5, "no policy 7" },
		{ "$ctl policy diff $DIR/good.yaml -o table", 0, "2 judged: 0 would be refused" },
		{ "$ctl audit-log list what=policy.apply -o table", 0, "first" },
		{ "$ctl host show host-07 -o table", 0, "policy.mode" },
		{ "$ctl event search rule=AC-012 -o table", 0, "refused: create of `web-1` (AC-012)" },
		{ "$ctl policy apply --help", 0, "For admins" },
		{ "$ctl --help", 0, "picketctl policy diff" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_and_pages_look_as_agreed),
		cmocka_unit_test(nothing_a_host_named_reaches_the_terminal_as_it_is),
		cmocka_unit_test(exit_codes_and_words_say_what_went_wrong),
	};

	return cmocka_run_group_tests(tests, start, typed_stop);
}
