/* test_triage.c - the whole collector as a process: what is told, held back, escalated and excepted, by an agent's
 * findings over its real door and picketctl, with a kill in the middle. The receiver is never there: what stands in an
 * alert's trail is what was put into the outbox. */
#include "tests/collector/cli/running.h"

static struct agent a;
static uint64_t next_seq = 1;

static int prepare(void **state)
{
	running_prepare(state);
	start_with("cat >> $d/c/collector.yaml <<'END'\n"
		   "alert:\n"
		   "  inhibit:\n"
		   "    - {name: host down, source: 'rule=\"Down\"', target: 'rule=\"Noise\"', equal: [host]}\n"
		   "  escalations:\n"
		   "    - {name: night, filter: 'rule=\"Shell\" severity>=high', after: 1s, every: 1s, times: 2, routes: [hook]}\n"
		   "END\n"
		   "sed -i 's|webhooks: .*|webhooks: [{name: hook, url: \"http://127.0.0.1:9/\"}]|' $d/c/collector.yaml;"
		   " grep -q hook $d/c/collector.yaml");
	join_fleet(&a);
	return 0;
}

static int end(void **state)
{
	leave_fleet(&a);
	return running_end(state);
}

static void find(const char *rule)
{
	CLEANUP(buf_finip) struct buf packed = { 0 }, batch = { 0 };
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Finding f = PICKET__FINDING__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Container c = PICKET__CONTAINER__INIT;

	rec.body_case = PICKET__RECORD__BODY_FINDING;
	rec.finding = &f;
	rec.time_unix_ns = clock_unix_ns(clock_real());
	f.rule = TEXT(rule);
	f.priority = TEXT("Error");
	f.output = TEXT("it was so");
	f.event_type = PICKET__EVENT_TYPE__EVENT_EXEC;
	f.process = &p;
	f.container = &c;
	p.name = msg_bytes(SLICE_LIT("sh"));
	p.exe = msg_bytes(SLICE_LIT("/bin/sh"));
	c.id = TEXT("0123456789abcdef");
	c.name = msg_bytes(SLICE_LIT("web-1"));
	c.image = msg_bytes(SLICE_LIT("nginx:1.25"));
	buf_init(&packed, 0);
	buf_init(&batch, LIMIT_MESSAGE_BYTES);
	assert_int_equal(msg_pack_record(&rec, &packed, &why), 0);
	struct slice one = buf_slice(&packed);
	assert_int_equal(msg_pack_batch(a.id, 7, next_seq++, 0, &one, 1, &batch, &why), 0);
	UNTIL(a.loop, a.c.ups > a.c.downs);
	const Picket__Reply *r = caller_ask(&a.c, buf_slice(&batch));
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_ACK);
}

/* The trail of the newest alert of the rule, until it says so. */
static void trail(const char *rule, const char *says)
{
	char line[300];

	snprintf(line, sizeof(line),
		 "$ctl alert show $($ctl alert list rule=%s -o csv | tail -n 1 | cut -d, -f1 | tr -d '\"') -o table", rule);
	until(line, says);
}

static void what_nobody_acknowledges_is_told_again(void **state)
{
	(void)state;
	find("Shell");
	trail("Shell", "picket  told: hook");
	trail("Shell", "escalated: night, time 2: hook");
}

static void what_is_silenced_is_told_when_that_is_over(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(run("$ctl silence create rule=Quiet --reason deploy --until 3s -o table", &out), 0);
	find("Quiet");
	trail("Quiet", "silenced: silence 1 until");
	trail("Quiet", "released: silence 1 has ended");
	trail("Quiet", "told: hook");
	until("$ctl silence list --ended -o table", "deploy");
}

static void what_another_alert_inhibits_is_told_when_that_is_resolved(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 0);
	find("Down");
	find("Noise");
	trail("Noise", "not told      inhibited by alert");
	assert_int_equal(run("$ctl alert resolve rule=Down --reason true_positive --yes", &out), 0);
	trail("Noise", "is resolved");
	trail("Noise", "told: hook");
}

static void what_sleeps_wakes_though_the_collector_was_killed(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 0);
	find("Sleeper");
	trail("Sleeper", "told: hook");
	assert_int_equal(run("$ctl alert snooze rule=Sleeper --until 2s --yes", &out), 0);
	kill(collector, SIGKILL);
	waitpid(collector, NULL, 0);
	UNTIL(a.loop, a.c.downs);
	run_collector();
	trail("Sleeper", "woke");
	until("$ctl alert list rule=Sleeper status=new -o csv", "Sleeper");
	UNTIL(a.loop, a.c.ups > 1);
	a.c.downs = 0; /* the next question is cut only by another */
}

static void what_is_excepted_is_counted(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 0);
	find("Known");
	until("$ctl alert list rule=Known -o csv", "Known");
	assert_int_equal(run("$ctl alert except $($ctl alert list rule=Known -o csv | tail -n 1 | cut -d, -f1 | tr -d '\"') --reason known --yes", &out), 0);
	find("Known");
	until("$ctl exception list -o csv | cut -d, -f2 | tr -d '\"'", "\n1\n");
	until("$ctl event search type=finding rule=Known -o csv | wc -l", "3");
	until("$ctl alert list rule=Known -o csv | cut -d, -f4 | tr -d '\"'", "COUNT\n1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_acknowledges_is_told_again),
		cmocka_unit_test(what_is_silenced_is_told_when_that_is_over),
		cmocka_unit_test(what_another_alert_inhibits_is_told_when_that_is_resolved),
		cmocka_unit_test(what_sleeps_wakes_though_the_collector_was_killed),
		cmocka_unit_test(what_is_excepted_is_counted),
	};

	return cmocka_run_group_tests(tests, prepare, end);
}
