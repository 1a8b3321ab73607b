/* test_picketctl_history.c - history's questions as people type them, against the real API. */
#include "tests/collector/ctl/typed.h"

#include "tests/collector/reports.h"

#define BOX "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789"
#define OTHER "6f1c3b1e-0000-4000-8000-000000000002" /* of host-08 */

static uint64_t seq = 100;

static void put_config(const char *agent, bool privileged, int64_t memory, const char *image)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	struct report_container c;

	report_container(&c, BOX, "shop", image);
	c.container.privileged = privileged;
	c.config.memory_bytes = memory;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &c.event;
	rec.time_unix_ns = served_t0 + seq * 1000000000;
	served_event(&srv, agent, seq++, &rec);
}

static void put_exec(const char *exe)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;

	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &p;
	p.pid = 4711;
	p.start_ns = 5;
	p.name = msg_bytes(SLICE_LIT("nc"));
	p.exe = msg_bytes(slice_of(exe));
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	rec.time_unix_ns = served_t0 + seq * 1000000000;
	served_event(&srv, SERVED_AGENT, seq++, &rec);
}

static int start(void **state)
{
	(void)state;
	served_prepare(&srv);
	MUST(store_begin(srv.p.store, &must_err));
	put_config(SERVED_AGENT, false, 1000, "shop:1");
	put_config(OTHER, true, 5, "shop:9"); /* of that name elsewhere: nothing changed between them */
	put_config(SERVED_AGENT, true, 1000, "shop:1");
	put_config(SERVED_AGENT, true, 2000, "shop:2");
	put_config(OTHER, true, 5, "shop:9");
	for (int i = 0; i < 3; i++)
		put_exec("/usr/bin/nc=1");
	MUST(store_commit(srv.p.store, &must_err));
	served_run_api(&srv);
	typed_settings();
	return 0;
}

/* A row for each field, the same however many pages the API gave it in. */
static void changes_show_field_old_and_new(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl history changes shop host=host-07 -o csv | tr -d '\"' | cut -d, -f2-7", 0,
		  "host-07,shop,container.start,(first seen),,\n"
		  "host-07,shop,container.start,privileged,false,true\n"
		  "host-07,shop,container.start,memory_bytes,1000,2000\n"
		  "host-07,shop,container.start,image,shop:1,shop:2\n" },
		{ "$ctl history changes shop limit=1 -o csv | tr -d '\"' | cut -d, -f2-7", 0,
		  "host-07,shop,container.start,(first seen),,\n"
		  "host-08,shop,container.start,(first seen),,\n"
		  "host-07,shop,container.start,privileged,false,true\n"
		  "host-07,shop,container.start,memory_bytes,1000,2000\n"
		  "host-07,shop,container.start,image,shop:1,shop:2\n"
		  "host-08,shop,container.start,(unchanged),,\n" },
		{ "$ctl history changes container=shop limit=1 -o json | grep -c '\"first\":true'", 0, "2" },
		{ "$ctl history changes shop -o table", 0, "FIELD" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

static void a_bare_word_is_what_the_question_is_about(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl history binary /usr/bin/nc=1 -o csv", 0, ",\"3\"," },
		{ "$ctl history binary path=/usr/bin/nc=1 -o csv", 0, ",\"3\"," },
		{ "$ctl history binary nc -o csv", 0, ",\"3\"," },
		{ "$ctl history process 4711 host=host-07 -o csv", 0, "self" },
		{ "$ctl history silence host-07 -o table", 0, "" },
		{ "$ctl history runs shop extra", 2, "'extra': key=value is wanted" },
		{ "$ctl history vulnerability id=CVE-1 day=2026-11-30", 2,
		  "takes no 'id': it needs vuln=; takes day= since= until= limit= cursor=" },
		{ "$ctl history vulnerability", 2, "needs vuln=" },
		{ "$ctl history vulnerability CVE-1 day=2026-11-30", 5, "no vulnerability 'CVE-1'" },
		{ "$ctl history changes --help", 0, "picketctl history changes web-1 since=30d" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

/* limit=1 makes each row a page, so that there is an end of time between them. */
static void a_search_that_stops_says_so_and_where_to_go_on(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl history binary nc limit=1 within=1ms -o csv", 0,
		  "stopped after 1 ms, not at the end: there may be more before 20" },
		{ "c=$($ctl history changes shop limit=1 within=1ms -o csv 2>&1 | grep -o 'cursor=[^ ]*');"
		  " $ctl history changes shop $c -o csv | tr -d '\"' | tail -n +2 | head -1",
		  0, "host-08,shop,container.start,(first seen)" },
		{ "$ctl history binary nc within=soon", 2, "a time such as 10s" },
		{ "$ctl history changes shop limit=1 --limit 2 -o csv", 0, "there is more after 20" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_show_field_old_and_new),
		cmocka_unit_test(a_bare_word_is_what_the_question_is_about),
		cmocka_unit_test(a_search_that_stops_says_so_and_where_to_go_on),
	};

	return cmocka_run_group_tests(tests, start, typed_stop);
}
