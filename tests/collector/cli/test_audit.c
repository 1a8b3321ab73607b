/* test_audit.c - the whole collector as a process: an agent's catalogue, reports and refusals over its real door, the
 * alerts, waivers and the policy by picketctl, and the policy back to the agent. */
#include "tests/collector/cli/running.h"

#include "tests/collector/reports.h"

static char key[MSG_CATALOGUE_KEY_MAX];
static uint64_t next_seq = 1;

/* Asked for first, then sent. */
static void send_catalogue(struct agent *a)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__CheckCatalogue c = PICKET__CHECK_CATALOGUE__INIT;
	Picket__Check one = PICKET__CHECK__INIT, *list[] = { &one };

	one.id = REPORT_TEXT("PKT-C-005");
	one.title = REPORT_TEXT("The container is not privileged");
	one.subject = REPORT_TEXT("container");
	one.severity = REPORT_TEXT("critical");
	one.why = REPORT_TEXT("A privileged container owns its host.");
	assert_int_equal(msg_catalogue_key(list, 1, key, &why), 0);
	c.key = key;
	rq.body_case = PICKET__REQUEST__BODY_CHECK_CATALOGUE;
	rq.check_catalogue = &c;
	assert_false(ask(a, &rq)->check_catalogue->is_known);
	c.checks = list;
	c.n_checks = 1;
	assert_true(ask(a, &rq)->check_catalogue->is_known);
	c.n_checks = 0;
	assert_true(ask(a, &rq)->check_catalogue->is_known);
}

/* The whole batch again, too: as after a lost acknowledgement. */
static void send_records(struct agent *a, Picket__Record *const *records, size_t count)
{
	CLEANUP(buf_finip) struct buf packed = { 0 }, batch = { 0 };
	struct slice all[8];
	size_t ends[8];

	buf_init(&packed, 0);
	buf_init(&batch, LIMIT_MESSAGE_BYTES);
	for (size_t i = 0; i < count; i++) {
		records[i]->time_unix_ns = clock_unix_ns(clock_real());
		assert_int_equal(msg_pack_record(records[i], &packed, &why), 0);
		ends[i] = packed.n;
	}
	for (size_t i = 0; i < count; i++)
		all[i] = slice_from(packed.p + (i ? ends[i - 1] : 0), ends[i] - (i ? ends[i - 1] : 0));
	assert_int_equal(msg_pack_batch(a->id, 7, next_seq, 0, all, count, &batch, &why), 0);
	next_seq += count;
	for (unsigned i = 0; i < 2; i++) {
		const Picket__Reply *r = caller_ask(&a->c, buf_slice(&batch));

		if (r->body_case != PICKET__REPLY__BODY_ACK || r->ack->stored_seq != next_seq - 1)
			fail_msg("%d %s", (int)r->body_case,
				 r->body_case == PICKET__REPLY__BODY_REFUSAL ? r->refusal->message : "");
	}
}

static void send_report(struct agent *a, struct report *rep)
{
	Picket__Record rec = PICKET__RECORD__INIT, *list[] = { &rec };

	rep->m.catalogue = key;
	rec.body_case = PICKET__RECORD__BODY_AUDIT;
	rec.audit = &rep->m;
	send_records(a, list, 1);
}

static void send_event(struct agent *a, Picket__Event *ev)
{
	Picket__Record rec = PICKET__RECORD__INIT, *list[] = { &rec };

	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = ev;
	send_records(a, list, 1);
}

static const Picket__Reply *beat(struct agent *a, const char *digest, const char *error)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__Heartbeat h = PICKET__HEARTBEAT__INIT;
	Picket__PolicyState p = PICKET__POLICY_STATE__INIT;

	h.time_unix_ns = clock_unix_ns(clock_real());
	h.epoch = 7;
	h.produced = next_seq - 1;
	h.policy = &p;
	p.digest = REPORT_TEXT(digest);
	p.source = REPORT_TEXT(digest[0] ? "collector" : "");
	p.error = REPORT_TEXT(error);
	p.has_admission = true;
	rq.body_case = PICKET__REQUEST__BODY_HEARTBEAT;
	rq.heartbeat = &h;
	const Picket__Reply *r = ask(a, &rq);
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_HEARTBEAT);
	return r;
}

static void faults_are_told_waived_and_refused(struct agent *a)
{
	static struct report rep;
	struct report_container box;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Admission ad = PICKET__ADMISSION__INIT;

	send_catalogue(a);
	report_container(&box, "0123456789abcdef", "web-1", "nginx:1.25");
	box.container.privileged = true;
	send_event(a, &box.event);
	report_init(&rep, "container", "0123456789abcdef", "web-1", "nginx:1.25");
	report_add(&rep, "PKT-C-005", "fail", "critical", "CapEff 3fffffffff");
	send_report(a, &rep);
	until("$ctl alert list source=audit -o csv", "PKT-C-005");
	until("$ctl alert show 1 -o table", "`web-1` on host-1 fails PKT-C-005 (critical): The container is not privileged");
	until("$ctl alert show 1 -o table", "finding     1: web-1 (nginx:1.25): CapEff 3fffffffff");
	until("$ctl finding list -o csv", "\"CapEff 3fffffffff\"");
	until("$ctl container show web-1 -o table", "/etc:/host/etc");
	until("$ctl event search type=audit -o table", "container web-1: 1 of 1 checks do not pass");
	until("$ctl status", "\"critical\":1");
	/* a report that came twice is one finding that is new */
	until("$ctl finding list -o csv | cut -d, -f3 | tail -1", "\"new\"");
	until("$ctl finding waive 1 --reason 'it must' --until 1d -o table", "is waived until");
	until("$ctl alert list source=audit -o csv", "\"resolved\"");
	until("$ctl finding unwaive 1", "ended");
	until("$ctl alert list source=audit -o csv", "\"new\"");
	ev.type = PICKET__EVENT_TYPE__EVENT_ADMISSION;
	ev.admission = &ad;
	ad.kind = REPORT_TEXT("create");
	ad.rule = REPORT_TEXT("AC-401");
	ad.user = msg_bytes(SLICE_LIT("carol"));
	ad.reason = msg_bytes(SLICE_LIT("privileged container"));
	send_event(a, &ev);
	until("$ctl alert list source=policy", "Refused: create on host-1 (rule AC-401, asked by carol)");
	until("$ctl event search rule=AC-401 -o table", "refused: create (AC-401): privileged container");
}

static void the_policy_reaches_the_host(struct agent *a)
{
	char digest[65] = "", path[128];
	struct slice text = SLICE_LIT("access_control:\n  runtime_access:\n    deny_privileged: true\nmode: enforce\n");

	assert_null(beat(a, "", "")->heartbeat->configuration);
	snprintf(path, sizeof(path), "%s/p.yaml", dir);
	assert_int_equal(file_write_atomic(path, text, 0600, &why), 0);
	until("$ctl policy diff $d/p.yaml -o table", "1 judged: 1 would be refused");
	until("$ctl policy apply $d/p.yaml -o table", "version 1 (");
	const Picket__Reply *r = beat(a, "", "");
	assert_non_null(r->heartbeat->configuration);
	assert_true(slice_eq(msg_slice(r->heartbeat->configuration->policy), text));
	snprintf(digest, sizeof(digest), "%s", r->heartbeat->configuration->policy_digest);
	assert_null(beat(a, digest, "")->heartbeat->configuration);
	until("$ctl policy show -o table", "current");
	until("$ctl host show host-1 -o table", "policy.admission");
	beat(a, digest, "p.yaml:3:1: not understood here");
	until("$ctl alert list source=system -o csv", "Policy refused by a host");
	until("$ctl policy show -o table", "p.yaml:3:1: not understood here");
	beat(a, digest, "");
	until("$ctl alert list 'rule=\"Policy refused by a host\"' -o csv", "\"resolved\"");
}

static void an_agents_words_become_alerts_and_a_policy_comes_back(void **state)
{
	struct agent a = { 0 };

	(void)state;
	start();
	join_fleet(&a);
	faults_are_told_waived_and_refused(&a);
	the_policy_reaches_the_host(&a);
	leave_fleet(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(an_agents_words_become_alerts_and_a_policy_comes_back) };

	return cmocka_run_group_tests(tests, running_prepare, running_end);
}
