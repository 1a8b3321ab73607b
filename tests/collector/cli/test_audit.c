/* test_audit.c - the whole collector as a process: an agent's catalogue, reports and refusals over its real door, the
 * alerts, waivers and the policy by picketctl, and the policy back to the agent. */
#include "tests/collector/caller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/uplink/uplink.h"
#include "common/file.h"
#include "tests/collector/reports.h"

static char dir[64];
static struct err why;

static int run(const char *line, struct buf *out)
{
	char text[1000];
	size_t n;

	snprintf(text, sizeof(text), "exec 2>&1; %s", line);
	FILE *p = popen(text, "r");
	assert_non_null(p);
	buf_reset(out);
	buf_add_str(out, "");
	while ((n = fread(text, 1, sizeof(text), p)) > 0)
		buf_add(out, text, n);
	int status = pclose(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Runs it until it says so. */
static void until(const char *line, const char *says)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	uint64_t end = now_ms() + PATIENCE_MS;

	buf_init(&out, 0);
	do {
		run(line, &out);
		if (strstr(out.p ? out.p : "", says))
			return;
		usleep(100 * 1000);
	} while (now_ms() < end);
	fail_msg("%s: never '%s' but: %s", line, says, out.p);
}

static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static pid_t collector;
static int port;

static void start(void)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char line[600], config[128];
	int enrol = free_port(), http = free_port();

	port = free_port();
	buf_init(&out, 0);
	snprintf(line, sizeof(line),
		 "$c init --dir $d/c --name localhost --listen tls+tcp://127.0.0.1:%d --enrol-listen tls+tcp://127.0.0.1:%d"
		 " --http 127.0.0.1:%d",
		 port, enrol, http);
	assert_int_equal(run(line, &out), 0);
	snprintf(config, sizeof(config), "%s/c/collector.yaml", dir);
	collector = fork();
	if (!collector) {
		execl(COLLECTOR, COLLECTOR, "run", "--config", config, NULL);
		_exit(127);
	}
	snprintf(line, sizeof(line), "https://localhost:%d", http);
	setenv("PICKET_SERVER", line, 1);
	snprintf(line, sizeof(line), "%s/c/ca.pem", dir);
	setenv("PICKET_CA", line, 1);
	snprintf(line, sizeof(line), "%s/c/admin.token", dir);
	setenv("PICKET_TOKEN_FILE", line, 1);
	until("$ctl status", "alerts_open");
}

struct agent {
	struct loop *loop;
	struct caller c;
	char id[64];
	struct buf ca, cert, key;
};

static void read_file(const char *name, struct buf *ret)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/agent/%s", dir, name);
	if (file_read(path, 65536, ret, &why) < 0)
		fail_msg("%s", why.msg);
}

static void join_fleet(struct agent *a)
{
	CLEANUP(buf_finip) struct buf token = { 0 };
	struct enrol_result res;
	char state[128];

	buf_init(&token, 0);
	assert_int_equal(run("$c token create --config $d/c/collector.yaml", &token), 0);
	token.p[strcspn(token.p, "\n")] = '\0';
	snprintf(state, sizeof(state), "%s/agent", dir);
	assert_int_equal(file_make_dirs(state, 0700, &why), 0);
	if (uplink_enrol(token.p, NULL, state, "host-1", "m1", false, PATIENCE_MS, &res, &why) < 0)
		fail_msg("%s", why.msg);
	snprintf(a->id, sizeof(a->id), "%s", res.agent_id);
	read_file("ca.pem", &a->ca);
	read_file("agent.pem", &a->cert);
	read_file("agent.key", &a->key);
	assert_int_equal(loop_new(&a->loop, &why), 0);
	const struct wire_tls tls = { .ca_pem = buf_slice(&a->ca), .cert_pem = buf_slice(&a->cert),
				      .key_pem = buf_slice(&a->key), .server_name = "localhost" };
	caller_dial(&a->c, a->loop, port, &tls);
	UNTIL(a->loop, a->c.ups);
}

static const Picket__Reply *ask(struct agent *a, Picket__Request *rq)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	rq->protocol = PROTO_VERSION;
	rq->agent_id = a->id;
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	if (msg_pack_request(rq, &b, &why) < 0)
		fail_msg("%s", why.msg);
	return caller_ask(&a->c, buf_slice(&b));
}

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
	caller_hang_up(&a.c);
	loop_free(a.loop);
	buf_fini(&a.ca);
	buf_fini(&a.cert);
	buf_fini(&a.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(an_agents_words_become_alerts_and_a_policy_comes_back) };

	folder_make(dir);
	setenv("c", COLLECTOR, 1);
	setenv("ctl", PICKETCTL, 1);
	setenv("d", dir, 1);
	setenv("HOME", dir, 1);
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	if (collector > 0) {
		kill(collector, SIGTERM);
		waitpid(collector, NULL, 0);
	}
	folder_remove(dir);
	return r;
}
