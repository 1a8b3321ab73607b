/* The agents' door on loopback: real TLS, a real store, agents made by hand. */
#include "collector/intake/intake.h"

#include "tests/collector/caller.h"
#include <openssl/x509v3.h>

#include "tests/common/raw_tls.h"

#define AGENT_A "11111111-1111-4111-8111-111111111111"
#define AGENT_B "22222222-2222-4222-8222-222222222222"
#define AGENT_C "33333333-3333-4333-8333-333333333333" /* has a certificate, but no row */

enum { EPOCH = 7 };

static struct pki pki;
static struct pki_pair cert_a, cert_b, cert_c;

struct door {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct intake *intake;
	uint64_t reserve_bytes;
	struct caller a, b;
	/* What the pipeline saw, and how it shall fail. */
	unsigned records, committed, requests;
	unsigned out_of_place; /* records whose pid is not their number, where that is looked at */
	bool numbers_are_pids;
	char asker[64]; /* of the last request about images */
	char host[STORE_NAME_MAX]; /* of the last record */
	const char *fail_agent; /* nullable */
	int fail_code;
	char notices[400];
};

static int on_record(void *arg, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
		     const Picket__Record *rec, struct err *err)
{
	struct door *d = arg;

	if (d->fail_agent && !strcmp(agent, d->fail_agent))
		return err_set(err, d->fail_code, "told to fail");
	d->records++;
	d->out_of_place += d->numbers_are_pids && rec->event->process->pid != seq;
	snprintf(d->host, sizeof(d->host), "%s", host);
	return 0;
}

static void on_committed(void *arg)
{
	((struct door *)arg)->committed++;
}

static void on_notice(void *arg, const char *what, const char *agent, const char *detail)
{
	struct door *d = arg;
	size_t n = strlen(d->notices);

	snprintf(d->notices + n, sizeof(d->notices) - n, "%s:%.2s ", what, agent);
}

/* What the room of images would do: write, and answer. */
static int on_request(void *arg, const char *agent, const Picket__Request *rq, struct arena *a,
		      Picket__Reply *ret, struct err *err)
{
	struct door *d = arg;
	Picket__BaseImagesReply *body = arena_alloc(a, sizeof(*body));

	if (d->fail_agent && !strcmp(agent, d->fail_agent))
		return err_set(err, d->fail_code, "told to fail");
	assert_int_equal(rq->body_case, PICKET__REQUEST__BODY_BASE_IMAGES);
	snprintf(d->asker, sizeof(d->asker), "%s", agent);
	d->requests++;
	int r = store_audit_log(d->store, agent, "test", "written in the group's transaction", err);
	if (r < 0)
		return r;
	picket__base_images_reply__init(body);
	ret->protocol = PROTO_VERSION;
	ret->body_case = PICKET__REPLY__BODY_BASE_IMAGES;
	ret->base_images = body;
	return 0;
}

static char policy_text[] = "mode: monitor\n",
	    policy_digest[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/* What the room of the audit does: who has another policy gets this one. */
static int on_heartbeat(void *arg, const char *agent, const char *host, const Picket__Heartbeat *h, struct arena *a,
			Picket__HeartbeatReply *ret, struct err *err)
{
	struct door *d = arg;
	Picket__Configuration *c = arena_alloc(a, sizeof(*c));

	if (d->fail_agent && !strcmp(agent, d->fail_agent))
		return err_set(err, d->fail_code, "told to fail");
	if (!h->policy || !c)
		return 0;
	picket__configuration__init(c);
	c->policy = msg_bytes(slice_of(policy_text));
	c->policy_digest = policy_digest;
	ret->configuration = c;
	snprintf(d->host, sizeof(d->host), "%s", host);
	return store_audit_log(d->store, agent, "test", "a policy was handed over", err);
}

static const struct intake_ops ops = { .on_record = on_record,
				       .on_committed = on_committed,
				       .on_notice = on_notice,
				       .on_heartbeat = on_heartbeat,
				       .on_request = on_request };

static void enrol(struct store *s, const char *id, const char *host, const struct pki_pair *cert)
{
	struct tls_identity who;

	OK(tls_cert_identity(buf_slice(&cert->cert), &who, err));
	struct store_agent a = { .id = id, .host = host, .serial = who.serial };
	OK(store_agent_enrol(s, &a, err));
}

static void open_door(struct door *d)
{
	struct store_config sc = { .dir = d->dir, .reserve_bytes = d->reserve_bytes };
	struct intake_config cfg = { .url = "tls+tcp://127.0.0.1:0",
				     .tls = { .ca_pem = buf_slice(&pki.ca.cert),
					      .cert_pem = buf_slice(&pki.server.cert),
					      .key_pem = buf_slice(&pki.server.key) } };

	OK(store_open(&sc, clock_real(), &d->store, err));
	OK(intake_new(d->loop, d->store, clock_real(), &cfg, &ops, d, &d->intake, err));
}

static void close_door(struct door *d)
{
	caller_hang_up(&d->a);
	caller_hang_up(&d->b);
	intake_free(d->intake);
	store_close(d->store);
}

static void begin(struct door *d)
{
	*d = (struct door){ .reserve_bytes = 1 };
	folder_make(d->dir);
	OK(loop_new(&d->loop, err));
	open_door(d);
	enrol(d->store, AGENT_A, "alpha", &cert_a);
	enrol(d->store, AGENT_B, "beta", &cert_b);
}

static void end(struct door *d)
{
	close_door(d);
	loop_free(d->loop);
	folder_remove(d->dir);
}

static void dial(struct door *d, struct caller *c, const struct pki_pair *cert)
{
	struct wire_tls tls = { .ca_pem = buf_slice(&pki.ca.cert),
				.cert_pem = buf_slice(&cert->cert),
				.key_pem = buf_slice(&cert->key),
				.server_name = "localhost" };

	caller_dial(c, d->loop, intake_port(d->intake), &tls);
}

static void connect_both(struct door *d)
{
	dial(d, &d->a, &cert_a);
	dial(d, &d->b, &cert_b);
	UNTIL(d->loop, d->a.ups && d->b.ups);
}

static struct buf record(uint64_t seq)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	struct buf b;

	p.pid = (uint32_t)seq;
	p.name = msg_bytes(SLICE_LIT("sh"));
	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &p;
	rec.time_unix_ns = clock_unix_ns(clock_real());
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	buf_init(&b, 0);
	OK(msg_pack_record(&rec, &b, err));
	return b;
}

static struct buf batch(const char *agent, uint64_t first, size_t count, uint64_t lost_before)
{
	struct buf one = record(first), out;
	struct slice records[64];

	assert_true(count <= ARRAY_LEN(records));
	for (size_t i = 0; i < count; i++)
		records[i] = buf_slice(&one);
	buf_init(&out, WIRE_MAX_MESSAGE_BYTES);
	OK(msg_pack_batch(agent, EPOCH, first, lost_before, records, count, &out, err));
	buf_fini(&one);
	return out;
}

static const Picket__Reply *ask_batch(struct caller *c, const char *agent, uint64_t first, size_t count,
				      uint64_t lost_before)
{
	CLEANUP(buf_finip) struct buf b = batch(agent, first, count, lost_before);

	return caller_ask(c, buf_slice(&b));
}

static void send_batch(struct caller *c, const char *agent, uint64_t first, size_t count, uint64_t lost)
{
	CLEANUP(buf_finip) struct buf b = batch(agent, first, count, lost);

	caller_send(c, buf_slice(&b));
}

static void assert_ack(const Picket__Reply *r, uint64_t stored_seq)
{
	if (r->body_case == PICKET__REPLY__BODY_REFUSAL)
		fail_msg("refused: %d %s", (int)r->refusal->reason, r->refusal->message);
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_ACK);
	assert_int_equal(r->ack->epoch, EPOCH);
	assert_int_equal(r->ack->stored_seq, stored_seq);
	assert_int_equal(r->ack->credit, 4);
}

static void assert_refused(const Picket__Reply *r, Picket__Refusal__Reason reason)
{
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_REFUSAL);
	if (r->refusal->reason != reason)
		fail_msg("reason %d, not %d: %s", (int)r->refusal->reason, (int)reason,
			 r->refusal->message);
}

static struct store_agent agent_row(struct door *d, const char *id)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	struct store_agent row;

	OK(store_agent_get(d->store, id, &row, a, err));
	return row;
}

static void assert_events(struct door *d, uint64_t count)
{
	struct store_status st;

	OK(store_status(d->store, &st, err));
	assert_int_equal(st.events, count);
}

static size_t peers(struct door *d)
{
	struct intake_stats st;

	intake_stats(d->intake, &st);
	return st.peers;
}

/* What was sent lies in the server's queue when the loop is next asked: one group. */
static void let_it_arrive(void)
{
	usleep(300 * 1000);
}

/* ---- the good way ---- */

static void hello_batch_and_heartbeat_are_answered(void **state)
{
	struct door d;
	Picket__Hello hello = PICKET__HELLO__INIT;
	Picket__Heartbeat beat = PICKET__HEARTBEAT__INIT;
	Picket__Request rq = PICKET__REQUEST__INIT;
	CLEANUP(buf_finip) struct buf b = { 0 };

	begin(&d);
	connect_both(&d);
	rq.protocol = PROTO_VERSION;
	rq.agent_id = TEXT(AGENT_A);
	rq.body_case = PICKET__REQUEST__BODY_HELLO;
	rq.hello = &hello;
	hello.hostname = TEXT("alpha-2");
	hello.machine_id = TEXT("m1");
	hello.epoch = EPOCH;
	hello.first_seq = hello.next_seq = 1;
	buf_init(&b, 0);
	OK(msg_pack_request(&rq, &b, err));
	const Picket__Reply *r = caller_ask(&d.a, buf_slice(&b));
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_HELLO);
	assert_int_equal(r->hello->stored_seq, 0);
	assert_true(r->hello->server_unix_ns > 0);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 10, 0), 10);
	assert_int_equal(d.records, 10);
	/* Committed before it was answered: another handle sees it. */
	struct store_config sc = { .dir = d.dir };
	struct store *other;
	struct store_status st;
	OK(store_open(&sc, clock_real(), &other, err));
	OK(store_status(other, &st, err));
	assert_int_equal(st.events, 10);
	store_close(other);
	r = caller_ask(&d.a, buf_slice(&b));
	assert_int_equal(r->hello->stored_seq, 10);
	buf_reset(&b);
	rq.body_case = PICKET__REQUEST__BODY_HEARTBEAT;
	rq.heartbeat = &beat;
	beat.time_unix_ns = clock_unix_ns(clock_real());
	beat.epoch = EPOCH;
	beat.produced = 12;
	OK(msg_pack_request(&rq, &b, err));
	r = caller_ask(&d.a, buf_slice(&b));
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_HEARTBEAT);
	struct store_agent row = agent_row(&d, AGENT_A);
	assert_int_equal(row.produced, 12);
	assert_int_equal(row.stored, 10);
	assert_string_equal(d.notices, "");
	struct intake_stats is;
	intake_stats(d.intake, &is);
	assert_int_equal(is.peers, 2);
	assert_int_equal(is.batches, 1);
	assert_int_equal(d.committed, is.groups);
	end(&d);
}

static void a_heartbeat_brings_the_policy_after_the_commit(void **state)
{
	struct door d;
	Picket__Heartbeat beat = PICKET__HEARTBEAT__INIT;
	Picket__PolicyState policy = PICKET__POLICY_STATE__INIT;
	Picket__Request rq = PICKET__REQUEST__INIT;
	CLEANUP(buf_finip) struct buf b = { 0 };

	begin(&d);
	connect_both(&d);
	rq.protocol = PROTO_VERSION;
	rq.agent_id = TEXT(AGENT_A);
	rq.body_case = PICKET__REQUEST__BODY_HEARTBEAT;
	rq.heartbeat = &beat;
	beat.time_unix_ns = clock_unix_ns(clock_real());
	beat.epoch = EPOCH;
	beat.policy = &policy;
	buf_init(&b, 0);
	OK(msg_pack_request(&rq, &b, err));
	const Picket__Reply *r = caller_ask(&d.a, buf_slice(&b));
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_HEARTBEAT);
	assert_true(r->heartbeat->server_unix_ns > 0);
	assert_non_null(r->heartbeat->configuration);
	assert_string_equal(r->heartbeat->configuration->policy_digest, policy_digest);
	assert_true(slice_is(msg_slice(r->heartbeat->configuration->policy), policy_text));
	assert_string_equal(d.host, "alpha");
	/* it fails: nothing is handed out, nothing is stored, the agent comes again */
	d.fail_agent = AGENT_A;
	d.fail_code = EIO;
	r = caller_ask(&d.a, buf_slice(&b));
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_REFUSAL);
	assert_int_equal(r->refusal->reason, PICKET__REFUSAL__REASON__REASON_BUSY);
	d.fail_agent = NULL;
	r = caller_ask(&d.a, buf_slice(&b));
	assert_non_null(r->heartbeat->configuration);
	/* one that says nothing of it gets nothing */
	beat.policy = NULL;
	buf_reset(&b);
	OK(msg_pack_request(&rq, &b, err));
	r = caller_ask(&d.a, buf_slice(&b));
	assert_null(r->heartbeat->configuration);
	end(&d);
}

static void two_agents_share_a_group(void **state)
{
	struct door d;
	struct intake_stats is;

	begin(&d);
	connect_both(&d);
	send_batch(&d.a, AGENT_A, 1, 5, 0);
	send_batch(&d.b, AGENT_B, 1, 6, 0);
	send_batch(&d.a, AGENT_A, 6, 5, 0);
	let_it_arrive();
	UNTIL(d.loop, d.a.acks == 2 && d.b.acks == 1);
	intake_stats(d.intake, &is);
	assert_int_equal(is.groups, 1);
	assert_events(&d, 16);
	assert_int_equal(agent_row(&d, AGENT_A).stored, 10);
	assert_int_equal(agent_row(&d, AGENT_B).stored, 6);
	end(&d);
}

static void a_hundred_batches_need_fewer_commits(void **state)
{
	struct door d;
	struct intake_stats is;
	uint64_t sent = 0;

	begin(&d);
	connect_both(&d);
	while (d.a.acks < 100) {
		assert_int_equal(d.a.replies, d.a.acks);
		for (; sent < 100 && sent - d.a.acks < WIRE_MAX_OPEN; sent++)
			send_batch(&d.a, AGENT_A, sent * 20 + 1, 20, 0);
		loop_step(d.loop, 20);
	}
	intake_stats(d.intake, &is);
	print_message("%u batches in %u commits\n", (unsigned)is.batches, (unsigned)is.groups);
	assert_int_equal(is.batches, 100);
	assert_int_equal(is.records, 2000);
	assert_true(is.groups < 60);
	assert_events(&d, 2000);
	end(&d);
}

/* ---- exactly once ---- */

static void what_was_stored_is_not_stored_again(void **state)
{
	struct door d;
	struct intake_stats is;

	begin(&d);
	connect_both(&d);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 10, 0), 10);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 10, 0), 10); /* again */
	assert_ack(ask_batch(&d.a, AGENT_A, 3, 4, 0), 10);  /* a part */
	assert_ack(ask_batch(&d.a, AGENT_A, 6, 10, 0), 15); /* overlapping */
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 5, 0), 15);  /* late */
	assert_events(&d, 15);
	assert_int_equal(d.records, 15);
	struct store_agent row = agent_row(&d, AGENT_A);
	assert_int_equal(row.stored, 15);
	assert_int_equal(row.lost, 0);
	intake_stats(d.intake, &is);
	assert_int_equal(is.duplicates, 10 + 4 + 5 + 5);
	assert_int_equal(is.records, 15);
	end(&d);
}

/* 2,048 records that unpack to 6 MiB: more than is kept between the two looks at a batch. */
static void a_batch_that_unpacks_to_more_than_is_kept_is_stored_as_it_is(void **state)
{
	enum { COUNT = LIMIT_BATCH_RECORDS };
	static struct slice records[COUNT];
	static char args[1500];
	CLEANUP(buf_finip) struct buf data = { 0 };
	CLEANUP(buf_finip) struct buf out = { 0 };
	Picket__Ancestor nobody = PICKET__ANCESTOR__INIT, *ancestors[LIMIT_ANCESTORS];
	struct door d;

	begin(&d);
	connect_both(&d);
	d.numbers_are_pids = true;
	memset(args, 'x', sizeof(args));
	buf_init(&data, 0);
	for (size_t i = 0; i < LIMIT_ANCESTORS; i++)
		ancestors[i] = &nobody;
	for (size_t i = 0; i < COUNT; i++) {
		Picket__Record rec = PICKET__RECORD__INIT;
		Picket__Event ev = PICKET__EVENT__INIT;
		Picket__Process p = PICKET__PROCESS__INIT;
		size_t before = data.n;

		p.pid = (uint32_t)i + 1;
		p.args = msg_bytes(slice_from(args, sizeof(args)));
		p.ancestors = ancestors;
		p.n_ancestors = LIMIT_ANCESTORS;
		ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
		ev.process = &p;
		rec.time_unix_ns = clock_unix_ns(clock_real());
		rec.body_case = PICKET__RECORD__BODY_EVENT;
		rec.event = &ev;
		OK(msg_pack_record(&rec, &data, err));
		records[i].n = data.n - before;
	}
	for (size_t i = 0, at = 0; i < COUNT; at += records[i++].n)
		records[i].p = data.p + at;
	buf_init(&out, WIRE_MAX_MESSAGE_BYTES);
	OK(msg_pack_batch(AGENT_A, EPOCH, 1, 0, records, COUNT, &out, err));
	for (int again = 0; again < 2; again++)
		assert_ack(caller_ask(&d.a, buf_slice(&out)), COUNT);
	assert_int_equal(d.records, COUNT);
	assert_int_equal(d.out_of_place, 0);
	assert_events(&d, COUNT);
	end(&d);
}

static void a_hole_must_be_declared(void **state)
{
	struct door d;

	begin(&d);
	connect_both(&d);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 5, 0), 5);
	const Picket__Reply *r = ask_batch(&d.a, AGENT_A, 9, 2, 0);
	assert_refused(r, PICKET__REFUSAL__REASON__REASON_ORDER);
	assert_int_equal(r->refusal->stored_seq, 5);
	assert_refused(ask_batch(&d.a, AGENT_A, 9, 2, 2), PICKET__REFUSAL__REASON__REASON_ORDER);
	assert_events(&d, 5);
	assert_ack(ask_batch(&d.a, AGENT_A, 9, 2, 3), 10);
	struct store_agent row = agent_row(&d, AGENT_A);
	assert_int_equal(row.stored, 7);
	assert_int_equal(row.lost, 3);
	assert_int_equal(row.produced, 10);
	/* The lost ones come after all: too late, they were counted. */
	assert_ack(ask_batch(&d.a, AGENT_A, 6, 3, 0), 10);
	assert_int_equal(agent_row(&d, AGENT_A).lost, 3);
	assert_events(&d, 7);
	end(&d);
}

static void batches_out_of_order_are_sent_again(void **state)
{
	struct door d;

	begin(&d);
	connect_both(&d);
	send_batch(&d.a, AGENT_A, 6, 5, 0);
	send_batch(&d.a, AGENT_A, 1, 5, 0);
	UNTIL(d.loop, d.a.replies == 2);
	assert_int_equal(d.a.refused[PICKET__REFUSAL__REASON__REASON_ORDER], 1);
	assert_int_equal(d.a.acks, 1);
	assert_ack(ask_batch(&d.a, AGENT_A, 6, 5, 0), 10);
	assert_events(&d, 10);
	end(&d);
}

static void a_jump_of_the_sequence_is_refused_and_told(void **state)
{
	static const uint64_t firsts[] = { 1ull << 63, (1ull << 47) + 6, UINT64_MAX - 3, (1ull << 41) };
	struct door d;

	begin(&d);
	connect_both(&d);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 5, 0), 5);
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		d.notices[0] = 0;
		const Picket__Reply *r = ask_batch(&d.a, AGENT_A, firsts[i], 2, firsts[i] - 1);
		assert_refused(r, PICKET__REFUSAL__REASON__REASON_MALFORMED);
		assert_int_equal(r->refusal->stored_seq, 5);
		assert_string_equal(d.notices, "sequence_jump:11 ");
	}
	assert_events(&d, 5);
	assert_int_equal(agent_row(&d, AGENT_A).lost, 0);
	assert_ack(ask_batch(&d.a, AGENT_A, 6, 1, 0), 6);
	end(&d);
}

/* ---- hostile bytes ---- */

static void malformed_bytes_are_refused(void **state)
{
	static const struct slice cases[] = {
		{ "\xff\xff\xff\xff", 4 },
		{ "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "\x08\x01", 2 },		       /* a protocol, nothing else */
		{ "\x08\x01\x22\xff\xff\xff\x0f", 7 }, /* a length beyond the end */
	};
	struct door d;

	begin(&d);
	connect_both(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(caller_ask(&d.a, cases[i]), PICKET__REFUSAL__REASON__REASON_MALFORMED);
	/* Nothing at all is of protocol 0. */
	assert_refused(caller_ask(&d.a, SLICE_NONE), PICKET__REFUSAL__REASON__REASON_VERSION);
	CLEANUP(buf_finip) struct buf cut = batch(AGENT_A, 1, 10, 0);
	assert_refused(caller_ask(&d.a, slice_sub(buf_slice(&cut), 0, cut.n - 9)),
		       PICKET__REFUSAL__REASON__REASON_MALFORMED);
	assert_events(&d, 0);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 10, 0), 10);
	end(&d);
}

static const Picket__Reply *ask_raw(struct caller *c, uint32_t protocol, size_t n, struct slice one,
				    struct slice tail)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__Batch b = PICKET__BATCH__INIT;
	ProtobufCBinaryData *records = calloc(n, sizeof(*records));

	for (size_t i = 0; i < n; i++)
		records[i] = msg_bytes(one);
	b.epoch = EPOCH;
	b.first_seq = 1;
	b.n_records = n;
	b.records = records;
	rq.protocol = protocol;
	rq.agent_id = TEXT(AGENT_A);
	rq.body_case = PICKET__REQUEST__BODY_BATCH;
	rq.batch = &b;
	CLEANUP(buf_finip) struct buf out = caller_pack(&rq);
	buf_add_slice(&out, tail);
	free(records);
	return caller_ask(c, buf_slice(&out));
}

static void a_batch_over_the_limits_is_refused_whole(void **state)
{
	static char big[LIMIT_RECORD_BYTES + 1];
	struct door d;

	begin(&d);
	connect_both(&d);
	CLEANUP(buf_finip) struct buf good = record(1);
	assert_refused(ask_raw(&d.a, 1, LIMIT_BATCH_RECORDS + 1, buf_slice(&good), SLICE_NONE),
		       PICKET__REFUSAL__REASON__REASON_MALFORMED);
	assert_refused(ask_raw(&d.a, 1, 2, slice_from(big, sizeof(big)), SLICE_NONE),
		       PICKET__REFUSAL__REASON__REASON_MALFORMED);
	/* a record without a time */
	assert_refused(ask_raw(&d.a, 1, 2, SLICE_LIT("\x12\x02\x08\x01"), SLICE_NONE),
		       PICKET__REFUSAL__REASON__REASON_MALFORMED);
	assert_events(&d, 0);
	assert_int_equal(d.records, 0);
	assert_ack(ask_raw(&d.a, 1, LIMIT_BATCH_RECORDS, buf_slice(&good), SLICE_NONE),
		   LIMIT_BATCH_RECORDS);
	end(&d);
}

static void a_message_that_is_too_large_cuts_its_sender_only(void **state)
{
	struct door d;
	struct raw_tls raw;
	uint64_t size = htobe64(WIRE_MAX_MESSAGE_BYTES + 5ull);
	char c;

	begin(&d);
	connect_both(&d);
	raw_tls_start(&raw, "127.0.0.1", intake_port(d.intake), &cert_b);
	UNTIL(d.loop, raw_tls_greet(&raw));
	raw_tls_write(&raw, &size, sizeof(size));
	int n = -1, why = SSL_ERROR_WANT_READ;
	UNTIL(d.loop, (n = SSL_read(raw.ssl, &c, 1)) <= 0 &&
			      (why = SSL_get_error(raw.ssl, n)) != SSL_ERROR_WANT_READ);
	raw_tls_end(&raw);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 3, 0), 3);
	assert_ack(ask_batch(&d.b, AGENT_B, 1, 3, 0), 3);
	end(&d);
}

static void older_and_newer_agents_are_understood(void **state)
{
	/* a record with a body that is not known here, at a time */
	static const char unknown[] = "\x09\x00\x00\x00\x00\x00\x00\x00\x10\xa2\x01\x03"
				      "abc";
	struct door d;

	begin(&d);
	connect_both(&d);
	CLEANUP(buf_finip) struct buf good = record(1);
	assert_ack(ask_raw(&d.a, PROTO_VERSION_MIN, 3, buf_slice(&good), SLICE_NONE), 3);
	/* fields 200 and 201 of a request are from the future */
	assert_ack(ask_raw(&d.a, PROTO_VERSION + 5, 4, slice_from(unknown, sizeof(unknown) - 1),
			   SLICE_LIT("\xc0\x0c\x2a\xca\x0c\x03xyz")),
		   4);
	assert_events(&d, 4);
	assert_refused(ask_raw(&d.a, PROTO_VERSION_MIN - 1, 3, buf_slice(&good), SLICE_NONE),
		       PICKET__REFUSAL__REASON__REASON_VERSION);
	end(&d);
}

/* ---- who are you ---- */

static void nobody_speaks_in_anothers_name(void **state)
{
	struct door d;

	begin(&d);
	connect_both(&d);
	assert_refused(ask_batch(&d.a, AGENT_B, 1, 5, 0), PICKET__REFUSAL__REASON__REASON_NOT_YOU);
	assert_string_equal(d.notices, "forged_sender:11 ");
	assert_events(&d, 0);
	assert_int_equal(agent_row(&d, AGENT_B).stored, 0);
	assert_ack(ask_batch(&d.b, AGENT_B, 1, 5, 0), 5);
	end(&d);
}

static void say_epoch(struct caller *c, const char *agent, const char *host, const char *machine, uint64_t epoch)
{
	Picket__Hello hello = PICKET__HELLO__INIT;
	Picket__Request rq = PICKET__REQUEST__INIT;
	CLEANUP(buf_finip) struct buf b = { 0 };

	rq.protocol = PROTO_VERSION;
	rq.agent_id = TEXT(agent);
	rq.body_case = PICKET__REQUEST__BODY_HELLO;
	rq.hello = &hello;
	hello.hostname = TEXT(host);
	hello.machine_id = TEXT(machine);
	hello.epoch = epoch;
	hello.first_seq = hello.next_seq = 1;
	buf_init(&b, 0);
	OK(msg_pack_request(&rq, &b, err));
	assert_int_equal(caller_ask(c, buf_slice(&b))->body_case, PICKET__REPLY__BODY_HELLO);
}

static void say_name(struct caller *c, const char *agent, const char *host, const char *machine)
{
	say_epoch(c, agent, host, machine, EPOCH);
}

/* Runs come in order: first what an outage left of earlier ones, then the present one. */
static void a_run_from_before_what_is_stored_is_told(void **state)
{
	struct door d;

	begin(&d);
	connect_both(&d);
	say_epoch(&d.a, AGENT_A, "a", "m", EPOCH - 2); /* two runs nobody heard of, then this one */
	say_epoch(&d.a, AGENT_A, "a", "m", EPOCH - 1);
	say_epoch(&d.a, AGENT_A, "a", "m", EPOCH);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 5, 0), 5);
	say_epoch(&d.a, AGENT_A, "a", "m", EPOCH);
	assert_null(strstr(d.notices, "epoch_back"));
	say_epoch(&d.a, AGENT_A, "a", "m", EPOCH - 3);
	assert_non_null(strstr(d.notices, "epoch_back:11"));
	end(&d);
}

static void nobody_takes_anothers_host_name(void **state)
{
	struct door d;
	char name[STORE_NAME_MAX];

	begin(&d);
	connect_both(&d);
	say_name(&d.a, AGENT_A, "alpha", "m1");
	say_name(&d.b, AGENT_B, "beta", "m2");
	assert_string_equal(d.notices, "");
	say_name(&d.b, AGENT_B, "alpha", "m2");
	assert_string_equal(d.notices, "name_taken:22 ");
	OK(store_agent_host(d.store, AGENT_B, name, err));
	assert_string_equal(name, "alpha~22222222");
	assert_ack(ask_batch(&d.b, AGENT_B, 1, 5, 0), 5);
	assert_string_equal(d.host, name);
	end(&d);
}

/* A certificate of our CA for a client, which names no agent. */
static struct pki_pair nameless_cert(void)
{
	struct pki_pair ret = { 0 };
	BIO *b = BIO_new_mem_buf(pki.ca.cert.p, (int)pki.ca.cert.n);
	X509 *ca = PEM_read_bio_X509(b, NULL, NULL, NULL), *x = X509_new();
	char *text;

	BIO_free(b);
	b = BIO_new_mem_buf(pki.ca.key.p, (int)pki.ca.key.n);
	EVP_PKEY *ca_key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
	BIO_free(b);
	OK(tls_key_new(&ret.key, err));
	b = BIO_new_mem_buf(ret.key.p, (int)ret.key.n);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
	BIO_free(b);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 4711);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)AGENT_A, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(ca));
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_EXTENSION *use = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "clientAuth");
	X509_add_ext(x, use, -1);
	X509_EXTENSION_free(use);
	assert_true(X509_sign(x, ca_key, EVP_sha256()) > 0);
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(b, x);
	long n = BIO_get_mem_data(b, &text);
	buf_init(&ret.cert, 0);
	buf_add(&ret.cert, text, (size_t)n);
	BIO_free(b);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	X509_free(x);
	X509_free(ca);
	return ret;
}

static void a_certificate_that_names_no_agent_is_refused(void **state)
{
	struct door d;
	struct pki_pair nameless = nameless_cert();
	struct intake_stats is;

	begin(&d);
	dial(&d, &d.a, &nameless);
	for (is.refused_handshakes = 0; !is.refused_handshakes;) {
		loop_step(d.loop, 20);
		intake_stats(d.intake, &is);
	}
	/* Whoever holds it hears why, whatever it asks, in whoever's name; nobody is told that an agent forges. */
	UNTIL(d.loop, d.a.ups);
	const Picket__Reply *r = ask_batch(&d.a, AGENT_A, 1, 5, 0);
	assert_refused(r, PICKET__REFUSAL__REASON__REASON_REVOKED);
	assert_non_null(strstr(r->refusal->message, "names no agent"));
	assert_string_equal(d.notices, "");
	intake_sweep(d.intake);
	UNTIL(d.loop, d.a.downs);
	intake_stats(d.intake, &is);
	assert_int_equal(is.peers, 0);
	assert_int_equal(is.batches, 0);
	pki_pair_fini(&nameless);
	end(&d);
}

static void an_unknown_agent_is_refused_and_cut(void **state)
{
	struct door d;

	begin(&d);
	dial(&d, &d.a, &cert_c);
	UNTIL(d.loop, d.a.ups);
	assert_refused(ask_batch(&d.a, AGENT_C, 1, 5, 0), PICKET__REFUSAL__REASON__REASON_REVOKED);
	assert_refused(ask_batch(&d.a, AGENT_C, 1, 5, 0), PICKET__REFUSAL__REASON__REASON_REVOKED);
	assert_string_equal(d.notices, "revoked_agent:33 "); /* once */
	/* It becomes known: the open session is good without coming again. */
	enrol(d.store, AGENT_C, "gamma", &cert_c);
	assert_ack(ask_batch(&d.a, AGENT_C, 1, 5, 0), 5);
	intake_sweep(d.intake);
	assert_ack(ask_batch(&d.a, AGENT_C, 6, 5, 0), 10);
	end(&d);
}

static void another_certificate_of_a_known_agent_is_refused(void **state)
{
	struct door d;
	struct pki_pair old = { 0 };

	begin(&d);
	pki_agent(&pki, AGENT_A, &old);
	dial(&d, &d.a, &old);
	UNTIL(d.loop, d.a.ups);
	assert_refused(ask_batch(&d.a, AGENT_A, 1, 5, 0), PICKET__REFUSAL__REASON__REASON_REVOKED);
	assert_events(&d, 0);
	pki_pair_fini(&old);
	end(&d);
}

static void revoke_elsewhere(struct door *d, const char *host)
{
	struct store_config sc = { .dir = d->dir };
	struct store *other;

	OK(store_open(&sc, clock_real(), &other, err));
	OK(store_begin(other, err));
	OK(store_agent_revoke(other, host, err));
	OK(store_commit(other, err));
	store_close(other);
}

static void a_revocation_by_another_process_cuts_the_session(void **state)
{
	struct door d;

	begin(&d);
	connect_both(&d);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 5, 0), 5);
	assert_ack(ask_batch(&d.b, AGENT_B, 1, 5, 0), 5);
	revoke_elsewhere(&d, "alpha");
	uint64_t start = now_ms(), next = start, seq = 6;
	while (!d.a.refused[PICKET__REFUSAL__REASON__REASON_REVOKED] && now_ms() < start + 5000) {
		ask_batch(&d.a, AGENT_A, seq++, 1, 0);
		usleep(50000);
	}
	assert_int_equal(d.a.refused[PICKET__REFUSAL__REASON__REASON_REVOKED], 1);
	assert_string_equal(d.notices, "revoked_agent:11 ");
	uint64_t stored = agent_row(&d, AGENT_A).stored;
	while (!d.a.downs && now_ms() < start + 5000) {
		if (now_ms() >= next) { /* as the collector's tick */
			intake_sweep(d.intake);
			next = now_ms() + 1000;
		}
		loop_step(d.loop, 20);
	}
	assert_int_equal(d.a.downs, 1);
	print_message("cut after %u ms\n", (unsigned)(now_ms() - start));
	assert_int_equal(agent_row(&d, AGENT_A).stored, stored);
	/* The other one goes on; the revoked one is refused when it comes again. */
	assert_ack(ask_batch(&d.b, AGENT_B, 6, 5, 0), 10);
	UNTIL(d.loop, d.a.ups == 2);
	d.a.downs = 0;
	assert_refused(ask_batch(&d.a, AGENT_A, seq, 1, 0), PICKET__REFUSAL__REASON__REASON_REVOKED);
	end(&d);
}

static void a_silent_session_is_cut_too(void **state)
{
	struct door d;

	begin(&d);
	connect_both(&d);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 5, 0), 5);
	revoke_elsewhere(&d, AGENT_A);
	usleep(1100 * 1000);
	intake_sweep(d.intake);
	UNTIL(d.loop, d.a.downs && peers(&d) == 1);
	assert_int_equal(d.b.downs, 0);
	end(&d);
}

/* ---- when storing fails ---- */

static void a_failure_takes_the_whole_group_back(void **state)
{
	struct door d;

	begin(&d);
	connect_both(&d);
	d.fail_agent = AGENT_B;
	d.fail_code = EIO;
	send_batch(&d.a, AGENT_A, 1, 5, 0);
	send_batch(&d.a, AGENT_A, 9, 1, 0); /* a hole: the answer would tell what is stored */
	let_it_arrive();
	send_batch(&d.b, AGENT_B, 1, 5, 0);
	let_it_arrive();
	UNTIL(d.loop, d.a.replies == 2 && d.b.replies == 1);
	assert_int_equal(d.a.refused[PICKET__REFUSAL__REASON__REASON_BUSY], 2);
	assert_int_equal(d.b.refused[PICKET__REFUSAL__REASON__REASON_BUSY], 1);
	assert_true(d.b.last->refusal->retry_ms > 0);
	assert_events(&d, 0);
	assert_int_equal(agent_row(&d, AGENT_A).stored, 0);
	assert_int_equal(d.committed, 0);
	/* From now on it fails alone. */
	send_batch(&d.a, AGENT_A, 1, 5, 0);
	let_it_arrive();
	send_batch(&d.b, AGENT_B, 1, 5, 0);
	let_it_arrive();
	UNTIL(d.loop, d.a.replies == 3 && d.b.replies == 2);
	assert_int_equal(d.a.acks, 1);
	assert_int_equal(d.b.refused[PICKET__REFUSAL__REASON__REASON_BUSY], 2);
	/* And when the trouble is over, what was kept comes in. */
	d.fail_agent = NULL;
	assert_ack(ask_batch(&d.b, AGENT_B, 1, 5, 0), 5);
	assert_ack(ask_batch(&d.a, AGENT_A, 6, 5, 0), 10);
	assert_events(&d, 15);
	assert_int_equal(agent_row(&d, AGENT_B).stored, 5);
	end(&d);
}

static void a_batch_that_can_never_be_stored_is_given_up(void **state)
{
	struct door d;

	begin(&d);
	connect_both(&d);
	d.fail_agent = AGENT_B;
	d.fail_code = ERR_LIMIT;
	assert_refused(ask_batch(&d.b, AGENT_B, 1, 5, 0), PICKET__REFUSAL__REASON__REASON_BUSY);
	assert_refused(ask_batch(&d.b, AGENT_B, 1, 5, 0), PICKET__REFUSAL__REASON__REASON_MALFORMED);
	d.fail_agent = NULL;
	assert_ack(ask_batch(&d.b, AGENT_B, 6, 5, 5), 10);
	assert_int_equal(agent_row(&d, AGENT_B).lost, 5);
	end(&d);
}

static void a_full_disk_loses_nothing(void **state)
{
	struct door d;

	begin(&d);
	close_door(&d);
	d.reserve_bytes = 1ull << 60;
	open_door(&d);
	connect_both(&d);
	const Picket__Reply *r = ask_batch(&d.a, AGENT_A, 1, 5, 0);
	assert_refused(r, PICKET__REFUSAL__REASON__REASON_BUSY);
	assert_true(r->refusal->retry_ms > 0);
	assert_events(&d, 0);
	close_door(&d);
	d.reserve_bytes = 1;
	open_door(&d);
	connect_both(&d);
	assert_ack(ask_batch(&d.a, AGENT_A, 1, 5, 0), 5);
	assert_events(&d, 5);
	assert_int_equal(agent_row(&d, AGENT_A).lost, 0);
	end(&d);
}

/* ---- images ---- */

static struct buf images_request(const char *agent)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__BaseImages body = PICKET__BASE_IMAGES__INIT;
	Picket__BaseImage b = PICKET__BASE_IMAGE__INIT, *all = &b;
	struct buf out;

	b.image_id = TEXT("sha256:a");
	b.reference = TEXT("web:1");
	b.checked_unix_s = 1;
	body.images = &all;
	body.n_images = 1;
	rq.protocol = PROTO_VERSION;
	rq.agent_id = TEXT(agent);
	rq.body_case = PICKET__REQUEST__BODY_BASE_IMAGES;
	rq.base_images = &body;
	buf_init(&out, 0);
	OK(msg_pack_request(&rq, &out, err));
	return out;
}

static void a_request_about_images_is_answered_after_the_groups_commit(void **state)
{
	CLEANUP(buf_finip) struct buf a = images_request(AGENT_A), b = images_request(AGENT_B);
	struct door d;
	struct intake_stats is;

	begin(&d);
	connect_both(&d);
	/* beside batches, in their group */
	send_batch(&d.a, AGENT_A, 1, 5, 0);
	caller_send(&d.a, buf_slice(&a));
	caller_send(&d.b, buf_slice(&b));
	let_it_arrive();
	UNTIL(d.loop, d.a.replies == 2 && d.b.replies == 1);
	assert_int_equal(d.requests, 2);
	assert_int_equal(d.b.last->body_case, PICKET__REPLY__BODY_BASE_IMAGES);
	intake_stats(d.intake, &is);
	assert_int_equal(is.groups, 1);
	/* in another's name: refused before anybody hears of it */
	assert_refused(caller_ask(&d.a, buf_slice(&b)), PICKET__REFUSAL__REASON__REASON_NOT_YOU);
	assert_int_equal(d.requests, 2);
	assert_non_null(strstr(d.notices, "forged_sender"));
	end(&d);
}

static void a_request_that_fails_is_asked_again_and_spoils_no_other_agents_for_good(void **state)
{
	CLEANUP(buf_finip) struct buf a = images_request(AGENT_A);
	struct door d;

	begin(&d);
	connect_both(&d);
	d.fail_agent = AGENT_A;
	d.fail_code = EIO;
	assert_refused(caller_ask(&d.a, buf_slice(&a)), PICKET__REFUSAL__REASON__REASON_BUSY);
	/* from now on it stands alone */
	send_batch(&d.b, AGENT_B, 1, 5, 0);
	caller_send(&d.a, buf_slice(&a));
	let_it_arrive();
	UNTIL(d.loop, d.a.replies == 2 && d.b.acks == 1);
	d.fail_agent = NULL;
	assert_int_equal(caller_ask(&d.a, buf_slice(&a))->body_case, PICKET__REPLY__BODY_BASE_IMAGES);
	assert_string_equal(d.asker, AGENT_A);
	end(&d);
}

static int set_up(void **state)
{
	pki_init(&pki);
	pki_agent(&pki, AGENT_A, &cert_a);
	pki_agent(&pki, AGENT_B, &cert_b);
	pki_agent(&pki, AGENT_C, &cert_c);
	return 0;
}

static int tear_down(void **state)
{
	pki_fini(&pki);
	pki_pair_fini(&cert_a);
	pki_pair_fini(&cert_b);
	pki_pair_fini(&cert_c);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_batch_and_heartbeat_are_answered),
		cmocka_unit_test(a_heartbeat_brings_the_policy_after_the_commit),
		cmocka_unit_test(two_agents_share_a_group),
		cmocka_unit_test(a_hundred_batches_need_fewer_commits),
		cmocka_unit_test(what_was_stored_is_not_stored_again),
		cmocka_unit_test(a_batch_that_unpacks_to_more_than_is_kept_is_stored_as_it_is),
		cmocka_unit_test(a_hole_must_be_declared),
		cmocka_unit_test(batches_out_of_order_are_sent_again),
		cmocka_unit_test(a_jump_of_the_sequence_is_refused_and_told),
		cmocka_unit_test(malformed_bytes_are_refused),
		cmocka_unit_test(a_batch_over_the_limits_is_refused_whole),
		cmocka_unit_test(a_message_that_is_too_large_cuts_its_sender_only),
		cmocka_unit_test(older_and_newer_agents_are_understood),
		cmocka_unit_test(nobody_speaks_in_anothers_name),
		cmocka_unit_test(nobody_takes_anothers_host_name),
		cmocka_unit_test(a_run_from_before_what_is_stored_is_told),
		cmocka_unit_test(a_certificate_that_names_no_agent_is_refused),
		cmocka_unit_test(an_unknown_agent_is_refused_and_cut),
		cmocka_unit_test(another_certificate_of_a_known_agent_is_refused),
		cmocka_unit_test(a_revocation_by_another_process_cuts_the_session),
		cmocka_unit_test(a_silent_session_is_cut_too),
		cmocka_unit_test(a_failure_takes_the_whole_group_back),
		cmocka_unit_test(a_batch_that_can_never_be_stored_is_given_up),
		cmocka_unit_test(a_full_disk_loses_nothing),
		cmocka_unit_test(a_request_about_images_is_answered_after_the_groups_commit),
		cmocka_unit_test(a_request_that_fails_is_asked_again_and_spoils_no_other_agents_for_good),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
