/* test_record_audit.c - admissions, traffic, containers and reports of checks in the history: what finds them. */
#include "tests/collector/store/fixture.h"

#include "collector/store/record.h"
#include "tests/collector/reports.h"

static void put(struct fixture *f, uint64_t seq, Picket__Record *rec)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	rec->time_unix_ns = T0 + seq;
	OK(msg_pack_record(rec, &b, &err));
	OK(store_begin(f->s, &err));
	OK(put_packed(f->s, "agent-1", 1, seq, buf_slice(&b), &err));
	OK(store_seq_set(f->s, "agent-1", 1, seq, 1, 0, &err));
	OK(store_commit(f->s, &err));
}

static void put_event(struct fixture *f, uint64_t seq, Picket__Event *ev)
{
	Picket__Record rec = PICKET__RECORD__INIT;

	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = ev;
	put(f, seq, &rec);
}

static struct report rep;

static void fill(struct fixture *f)
{
	static uint8_t addresses[8][4];
	static Picket__TrafficPeer peers[8], *list[8];
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Admission ad = PICKET__ADMISSION__INIT;
	Picket__Traffic t = PICKET__TRAFFIC__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;
	struct report_container c;

	fixture_enrol(f->s, "agent-1", "web");
	report_container(&c, "0123456789abcdef", "web-1", "nginx:1.25");
	put_event(f, 1, &c.event);
	c.container.config = NULL;
	ev.container = &c.container;
	ev.type = PICKET__EVENT_TYPE__EVENT_ADMISSION;
	ev.admission = &ad;
	ad.kind = REPORT_TEXT("create");
	ad.rule = REPORT_TEXT("AC-012");
	ad.reason = msg_bytes(SLICE_LIT("bind of /etc, writable"));
	ad.user = msg_bytes(SLICE_LIT("carol"));
	put_event(f, 2, &ev);
	ev.admission = NULL;
	ev.type = PICKET__EVENT_TYPE__EVENT_TRAFFIC;
	ev.traffic = &t;
	t.from_unix_ns = T0;
	t.to_unix_ns = T0 + 1;
	t.peers = list;
	t.n_peers = 8;
	for (uint8_t i = 0; i < 8; i++) {
		memcpy(addresses[i], (uint8_t[4]){ 10, 9, 8, i }, 4);
		peers[i] = (Picket__TrafficPeer)PICKET__TRAFFIC_PEER__INIT;
		peers[i].address = (ProtobufCBinaryData){ 4, addresses[i] };
		peers[i].port = 5000u + i;
		list[i] = &peers[i];
	}
	put_event(f, 3, &ev);
	report_init(&rep, "container", "0123456789abcdef", "web-1", "nginx:1.25");
	report_add(&rep, "PKT-C-005", "fail", "critical", "CapEff 3fffffffff");
	rec.body_case = PICKET__RECORD__BODY_AUDIT;
	rec.audit = &rep.m;
	put(f, 4, &rec);
}

static int on_event(void *arg, const struct store_event *e)
{
	uint64_t *bits = arg;

	*bits |= 1ull << e->seq;
	return 0;
}

static void expect_all(struct fixture *f)
{
	static const struct {
		const char *filter;
		uint64_t want;
	} cases[] = {
		{ "type=container.start", 1 << 1 }, { "type=admission", 1 << 2 },  { "type=create", 1 << 2 },
		{ "type=traffic", 1 << 3 },	    { "type=audit", 1 << 4 },	   { "rule=AC-012", 1 << 2 },
		{ "\"bind of\"", 1 << 2 },	    { "carol", 1 << 2 },	   { "call=create", 1 << 2 },
		{ "address=10.9.8.3", 1 << 3 },	    { "port=5005", 1 << 3 },	   { "address=10.9.8.0/24", 1 << 3 },
		{ "address=10.9.8.7", 0 },	    { "CapEff", 1 << 4 },	   { "PKT-C-005", 1 << 4 },
		{ "container=web-1", 0x1e },	    { "image=nginx:1.25", 0x1e },  { "container.id=0123456789ab", 0x1e },
		{ "rule=AC-013", 0 },		    { "-type=audit", 0xe },
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct store_query q = { .filter = slice_of(cases[i].filter), .limit = 100 };
		uint64_t bits = 0;
		char cursor[64];

		OK(store_history_query(f->s, &q, on_event, &bits, cursor, sizeof(cursor), &err));
		if (bits != cases[i].want)
			fail_msg("%s: %llx, want %llx", cases[i].filter, (unsigned long long)bits,
				 (unsigned long long)cases[i].want);
	}
}

static void they_are_found_by_what_they_say(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fill(&f);
	expect_all(&f);
	/* and by their postings, once sealed */
	clock_fake_advance(&f.clk, 25ull * 3600 * SECOND_NS);
	OK(store_history_tidy(f.s, &err));
	OK(store_history_tidy(f.s, &err));
	expect_all(&f);
	uint64_t records;
	OK(store_verify(f.s, NULL, NULL, &records, &err));
	assert_int_equal(records, 4);
	fixture_fini(&f);
}

static void count(void *arg, uint64_t term)
{
	(void)term;
	++*(size_t *)arg;
}

static void no_record_has_more_terms_than_any_may(void **state)
{
	static Picket__TrafficPeer peers[LIMIT_TRAFFIC_PEERS], *list[LIMIT_TRAFFIC_PEERS];
	static uint8_t address[4] = { 1, 2, 3, 4 };
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Traffic t = PICKET__TRAFFIC__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Network n = PICKET__NETWORK__INIT;
	Picket__Admission ad = PICKET__ADMISSION__INIT;
	Picket__Ancestor parent = PICKET__ANCESTOR__INIT, *parents[] = { &parent };
	struct report_container c;
	size_t terms = 0;

	(void)state;
	report_container(&c, "0123456789abcdef", "web-1", "nginx:1.25");
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		peers[i] = (Picket__TrafficPeer)PICKET__TRAFFIC_PEER__INIT;
		peers[i].address = (ProtobufCBinaryData){ 4, address };
		peers[i].port = 80;
		list[i] = &peers[i];
	}
	t.peers = list;
	t.n_peers = ARRAY_LEN(peers);
	ev = c.event;
	ev.traffic = &t;
	ev.process = &p;
	ev.network = &n;
	ev.admission = &ad;
	ad.kind = REPORT_TEXT("create");
	ad.rule = REPORT_TEXT("AC-001");
	p.user = p.name = msg_bytes(SLICE_LIT("x"));
	p.ancestors = parents;
	p.n_ancestors = 1;
	n.local_address = n.remote_address = (ProtobufCBinaryData){ 4, address };
	n.local_port = n.remote_port = 80;
	n.path = msg_bytes(SLICE_LIT("/run/x"));
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	record_terms("agent-1", &rec, count, &terms);
	assert_in_range(terms, 1, RECORD_TERMS_MAX);
	terms = 0;
	ev.process = NULL;
	ev.network = NULL;
	record_terms("agent-1", &rec, count, &terms);
	assert_in_range(terms, 12, RECORD_TERMS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_found_by_what_they_say),
		cmocka_unit_test(no_record_has_more_terms_than_any_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
