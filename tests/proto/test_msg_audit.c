/* test_msg_audit.c - reports of checks, their catalogue, admissions, traffic, the policy: what is refused, by which
 * name, and a catalogue's key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"

#define AGENT "11111111-2222-4333-8444-555555555555"
#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(LIMIT_ARENA_BYTES);
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static char *str(const char *s)
{
	return (char *)(uintptr_t)s;
}

static ProtobufCBinaryData text(const char *s)
{
	return msg_bytes(slice_of(s));
}

static ProtobufCBinaryData filled(size_t n)
{
	char *p = arena_alloc(arena, n + 1);

	assert_non_null(p);
	memset(p, 'x', n);
	return msg_bytes(slice_from(p, n));
}

static void expect_words(int r, const struct err *err, const char *want)
{
	if ((r == 0) != !want || (want && !strstr(err->msg, want)))
		fail_msg("%d %s, want %s", r, err->msg, want ? want : "nothing wrong");
}

/* Packs without our checks and reads with them; and our packer says the same. */
static Picket__Record *expect_record(Picket__Record *m, const char *want)
{
	struct err err = { 0 };
	struct buf out;
	Picket__Record *back = NULL;
	size_t n;

	m->time_unix_ns = 1;
	n = picket__record__get_packed_size(m);
	uint8_t *packed = arena_alloc(arena, n + 1);
	assert_non_null(packed);
	picket__record__pack(m, packed);
	int r = msg_read_record(slice_from(packed, n), arena, &back, &err);
	expect_words(r, &err, want);
	buf_init(&out, 0);
	assert_int_equal(msg_pack_record(m, &out, NULL) == 0, !want);
	buf_fini(&out);
	return back;
}

static void expect_request(Picket__Request *m, const char *want)
{
	struct err err = { 0 };
	Picket__Request *back;

	m->protocol = PROTO_VERSION;
	m->agent_id = str(AGENT);
	size_t n = picket__request__get_packed_size(m);
	uint8_t *packed = arena_alloc(arena, n + 1);
	assert_non_null(packed);
	picket__request__pack(m, packed);
	int r = msg_read_request(slice_from(packed, n), arena, &back, &err);
	expect_words(r, &err, want);
}

/* ---- reports ---- */

static void expect_report(Picket__AuditReport *rep, const char *want)
{
	Picket__Record m = PICKET__RECORD__INIT;

	m.body_case = PICKET__RECORD__BODY_AUDIT;
	m.audit = rep;
	(void)expect_record(&m, want);
}

static void a_report_names_its_subject_and_its_checks(void **state)
{
	Picket__AuditReport rep = PICKET__AUDIT_REPORT__INIT;
	Picket__AuditResult one = PICKET__AUDIT_RESULT__INIT, *list[] = { &one };

	(void)state;
	expect_report(&rep, "AuditReport.subject: empty");
	rep.subject = str("con\ntainer");
	expect_report(&rep, "AuditReport.subject");
	rep.subject = str("container");
	expect_report(&rep, "AuditReport.catalogue");
	rep.catalogue = str("ABC");
	expect_report(&rep, "AuditReport.catalogue");
	rep.catalogue = str(KEY);
	expect_report(&rep, NULL);
	rep.subject_id = str("\033[2J");
	expect_report(&rep, "AuditReport.subject_id");
	rep.subject_id = str("abc");
	rep.results = list;
	rep.n_results = 1;
	expect_report(&rep, "AuditResult.check_id");
	one.check_id = str("PKT-C-005");
	expect_report(&rep, "AuditResult.status");
	one.status = str("fail");
	expect_report(&rep, NULL);
	rep.is_gone = true;
	expect_report(&rep, "gone, with results");
}

static void a_report_is_bounded(void **state)
{
	Picket__AuditReport rep = PICKET__AUDIT_REPORT__INIT;
	Picket__AuditResult one = PICKET__AUDIT_RESULT__INIT;
	static Picket__AuditResult *many[10000];

	(void)state;
	rep.subject = str("container");
	rep.catalogue = str(KEY);
	one.check_id = str("a");
	one.status = str("x");
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = &one;
	rep.results = many;
	rep.n_results = LIMIT_CHECKS;
	expect_report(&rep, NULL);
	rep.n_results = LIMIT_CHECKS + 1;
	expect_report(&rep, "AuditReport.results: more than");
	rep.n_results = ARRAY_LEN(many);
	expect_report(&rep, ""); /* too large, or too many */
	rep.n_results = 1;
	one.evidence = filled(LIMIT_TEXT_BYTES);
	expect_report(&rep, NULL);
	one.evidence = filled(LIMIT_TEXT_BYTES + 1);
	expect_report(&rep, "AuditResult.evidence");
}

/* ---- the catalogue ---- */

static void a_catalogues_key_is_of_its_checks_in_order(void **state)
{
	Picket__Check a = PICKET__CHECK__INIT, b = PICKET__CHECK__INIT;
	Picket__Check *ab[] = { &a, &b }, *ba[] = { &b, &a };
	char one[MSG_CATALOGUE_KEY_MAX], other[MSG_CATALOGUE_KEY_MAX];

	(void)state;
	a.id = str("PKT-C-001");
	b.id = str("PKT-C-002");
	assert_int_equal(msg_catalogue_key(ab, 2, one, NULL), 0);
	assert_int_equal(strlen(one), 64);
	assert_int_equal(msg_catalogue_key(ba, 2, other, NULL), 0);
	assert_string_not_equal(one, other);
	a.fix = str("mend it");
	assert_int_equal(msg_catalogue_key(ab, 2, other, NULL), 0);
	assert_string_not_equal(one, other);
	char *huge = arena_alloc(arena, 20001);
	assert_non_null(huge);
	memset(huge, 'x', 20000);
	huge[20000] = 0;
	b.why = huge;
	assert_int_equal(msg_catalogue_key(ab, 2, other, NULL), -ERR_LIMIT);
	assert_int_equal(msg_catalogue_key(NULL, 0, other, NULL), 0);
	assert_string_equal(other, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_catalogue_has_a_key_and_ids(void **state)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__CheckCatalogue c = PICKET__CHECK_CATALOGUE__INIT;
	Picket__Check one = PICKET__CHECK__INIT;
	static Picket__Check *many[LIMIT_CHECKS + 1];

	(void)state;
	rq.body_case = PICKET__REQUEST__BODY_CHECK_CATALOGUE;
	rq.check_catalogue = &c;
	expect_request(&rq, "CheckCatalogue.key");
	c.key = str(KEY);
	expect_request(&rq, NULL);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = &one;
	c.checks = many;
	c.n_checks = 1;
	expect_request(&rq, "Check.id");
	one.id = str("PKT-C-001");
	expect_request(&rq, NULL);
	c.n_checks = LIMIT_CHECKS + 1;
	expect_request(&rq, "CheckCatalogue.checks: more than");
}

/* ---- events ---- */

static Picket__Record *expect_event(Picket__Event *ev, const char *want)
{
	Picket__Record m = PICKET__RECORD__INIT;

	m.body_case = PICKET__RECORD__BODY_EVENT;
	m.event = ev;
	return expect_record(&m, want);
}

static void an_admission_says_what_was_asked(void **state)
{
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Admission ad = PICKET__ADMISSION__INIT;

	(void)state;
	ev.type = PICKET__EVENT_TYPE__EVENT_ADMISSION;
	ev.admission = &ad;
	expect_event(&ev, "Admission.kind");
	ad.kind = str("create");
	expect_event(&ev, NULL);
	ad.policy = str("zz");
	expect_event(&ev, "Admission.policy");
	ad.policy = str(KEY);
	ad.count = LIMIT_FINDING_COUNT + 1;
	expect_event(&ev, "Admission.count");
	ad.count = 3;
	ad.reason = filled(LIMIT_TEXT_BYTES + 1);
	expect_event(&ev, "Admission.reason");
	ad.reason = text("bind of /etc, writable");
	Picket__Record *back = expect_event(&ev, NULL);
	assert_string_equal(msg_event_type_name((int)back->event->type), "admission");
}

static void traffic_has_an_interval_and_peers(void **state)
{
	static uint8_t address[17];
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Traffic t = PICKET__TRAFFIC__INIT;
	Picket__TrafficPeer p = PICKET__TRAFFIC_PEER__INIT;
	static Picket__TrafficPeer *many[LIMIT_TRAFFIC_PEERS + 1];

	(void)state;
	ev.type = PICKET__EVENT_TYPE__EVENT_TRAFFIC;
	ev.traffic = &t;
	expect_event(&ev, "Traffic.from_unix_ns");
	t.from_unix_ns = 2;
	t.to_unix_ns = 1;
	expect_event(&ev, "ends before it begins");
	t.to_unix_ns = 3;
	t.rx_bytes = LIMIT_TRAFFIC + 1;
	expect_event(&ev, "Traffic.rx_bytes");
	t.rx_bytes = 5;
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = &p;
	t.peers = many;
	t.n_peers = 1;
	p.address = (ProtobufCBinaryData){ 5, address };
	expect_event(&ev, "TrafficPeer.address");
	p.address.len = 16;
	p.port = 65536;
	expect_event(&ev, "is no port");
	p.port = 443;
	p.tx_bytes = UINT64_MAX;
	expect_event(&ev, "TrafficPeer.tx_bytes");
	p.tx_bytes = 1;
	expect_event(&ev, NULL);
	t.n_peers = LIMIT_TRAFFIC_PEERS + 1;
	expect_event(&ev, "Traffic.peers: more than");
}

static void a_containers_configuration_is_bounded(void **state)
{
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Container c = PICKET__CONTAINER__INIT;
	Picket__ContainerConfig cfg = PICKET__CONTAINER_CONFIG__INIT;
	Picket__Mount m = PICKET__MOUNT__INIT;
	Picket__Port p = PICKET__PORT__INIT, *ports[] = { &p };
	static Picket__Mount *mounts[LIMIT_CONTAINER_LIST + 1];

	(void)state;
	ev.type = PICKET__EVENT_TYPE__EVENT_CONTAINER_UPDATE;
	ev.container = &c;
	c.id = str("abc");
	c.config = &cfg;
	for (size_t i = 0; i < ARRAY_LEN(mounts); i++)
		mounts[i] = &m;
	cfg.mounts = mounts;
	cfg.n_mounts = LIMIT_CONTAINER_LIST;
	expect_event(&ev, NULL);
	cfg.n_mounts = LIMIT_CONTAINER_LIST + 1;
	expect_event(&ev, "ContainerConfig.mounts: more than");
	cfg.n_mounts = 1;
	m.source = filled(LIMIT_PATH_BYTES + 1);
	expect_event(&ev, "Mount.source");
	m.source = text("/etc");
	cfg.ports = ports;
	cfg.n_ports = 1;
	p.port = 70000;
	expect_event(&ev, "are no ports");
	p.port = 80;
	Picket__Record *back = expect_event(&ev, NULL);
	assert_string_equal(msg_event_type_name((int)back->event->type), "container.update");
	assert_int_equal(back->event->container->config->ports[0]->port, 80);
}

/* ---- the policy ---- */

static void a_heartbeat_tells_the_policy(void **state)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__Heartbeat h = PICKET__HEARTBEAT__INIT;
	Picket__PolicyState p = PICKET__POLICY_STATE__INIT;

	(void)state;
	rq.body_case = PICKET__REQUEST__BODY_HEARTBEAT;
	rq.heartbeat = &h;
	h.time_unix_ns = 1;
	h.policy = &p;
	expect_request(&rq, NULL);
	p.digest = str("123");
	expect_request(&rq, "PolicyState.digest");
	p.digest = str(KEY);
	p.denied = UINT64_MAX;
	expect_request(&rq, "PolicyState.denied");
	p.denied = 1;
	expect_request(&rq, NULL);
}

static void a_policy_comes_with_its_digest(void **state)
{
	struct err err = { 0 };
	struct buf out;
	Picket__Reply reply = PICKET__REPLY__INIT, *back;
	Picket__HeartbeatReply beat = PICKET__HEARTBEAT_REPLY__INIT;
	Picket__Configuration c = PICKET__CONFIGURATION__INIT;

	(void)state;
	buf_init(&out, 0);
	reply.protocol = PROTO_VERSION;
	reply.body_case = PICKET__REPLY__BODY_HEARTBEAT;
	reply.heartbeat = &beat;
	beat.configuration = &c;
	c.policy = text("mode: monitor\n");
	expect_words(msg_pack_reply(&reply, &out, &err), &err, "Configuration.policy_digest");
	c.policy_digest = str(KEY);
	expect_words(msg_pack_reply(&reply, &out, &err), &err, NULL);
	assert_int_equal(msg_read_reply(buf_slice(&out), arena, &back, NULL), 0);
	assert_int_equal(back->heartbeat->configuration->policy.len, 14);
	c.policy = filled(LIMIT_POLICY_BYTES + 1);
	expect_words(msg_pack_reply(&reply, &out, &err), &err, "Configuration.policy");
	buf_fini(&out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_report_names_its_subject_and_its_checks),
		TEST(a_report_is_bounded),
		TEST(a_catalogues_key_is_of_its_checks_in_order),
		TEST(a_catalogue_has_a_key_and_ids),
		TEST(an_admission_says_what_was_asked),
		TEST(traffic_has_an_interval_and_peers),
		TEST(a_containers_configuration_is_bounded),
		TEST(a_heartbeat_tells_the_policy),
		TEST(a_policy_comes_with_its_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
