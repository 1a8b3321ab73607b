/* Questions beside the batches, against a real listener in the same loop. */
#include "agent/uplink/uplink.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "common/file.h"
#include "common/wire.h"
#include "proto/msg.h"
#include "tests/common/pki.h"

#define AGENT "11111111-2222-4333-8444-555555555555"
#define IMAGE "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { PATIENCE_MS = 20000 };

static struct pki pki;
static struct pki_pair own;

static struct room {
	struct loop *loop;
	struct wire_server *server;
	struct uplink *uplink;
	struct arena *arena;
	char dir[64];
	bool is_silent, talks_nonsense, is_cut;
	unsigned questions, answers, empty, batches;
	char known[80];
} room;

/* ---- the collector ---- */

static void say(uint64_t token, Picket__Reply *m)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	m->protocol = PROTO_VERSION;
	buf_init(&out, 0);
	PKI_MUST(msg_pack_reply(m, &out, err));
	wire_reply(room.server, token, buf_slice(&out));
}

static void answer_question(struct wire_peer *p, uint64_t token, const Picket__ImagesAsk *q)
{
	Picket__Reply m = PICKET__REPLY__INIT;
	Picket__ImagesReply images = PICKET__IMAGES_REPLY__INIT;
	Picket__ImageKnown one = PICKET__IMAGE_KNOWN__INIT, *all[] = { &one };

	room.questions++;
	if (room.is_cut)
		wire_peer_close(p);
	if (room.is_silent || room.is_cut) {
		wire_drop(room.server, token);
	} else if (room.talks_nonsense) {
		wire_reply(room.server, token, SLICE_LIT("\xff\xff\xff"));
	} else {
		one.image_id = q->images[0]->image_id;
		one.is_known = true;
		images.images = all;
		images.n_images = 1;
		m.body_case = PICKET__REPLY__BODY_IMAGES;
		m.images = &images;
		say(token, &m);
	}
}

static void on_message(void *arg, struct wire_peer *p, uint64_t token, struct slice msg)
{
	Picket__Request *m;
	Picket__Reply reply = PICKET__REPLY__INIT;
	Picket__HelloReply hello = PICKET__HELLO_REPLY__INIT;
	Picket__HeartbeatReply beat = PICKET__HEARTBEAT_REPLY__INIT;
	Picket__Ack ack = PICKET__ACK__INIT;

	arena_reset(room.arena);
	PKI_MUST(msg_read_request(msg, room.arena, &m, err));
	assert_string_equal(m->agent_id, AGENT);
	if (m->body_case == PICKET__REQUEST__BODY_HELLO) {
		hello.credit = 4;
		reply.body_case = PICKET__REPLY__BODY_HELLO;
		reply.hello = &hello;
	} else if (m->body_case == PICKET__REQUEST__BODY_BATCH) {
		room.batches++;
		ack.epoch = m->batch->epoch;
		ack.stored_seq = m->batch->first_seq + m->batch->n_records - 1;
		ack.credit = 4;
		reply.body_case = PICKET__REPLY__BODY_ACK;
		reply.ack = &ack;
	} else if (m->body_case == PICKET__REQUEST__BODY_HEARTBEAT) {
		reply.body_case = PICKET__REPLY__BODY_HEARTBEAT;
		reply.heartbeat = &beat;
	} else {
		assert_int_equal(m->body_case, PICKET__REQUEST__BODY_IMAGES_ASK);
		answer_question(p, token, m->images_ask);
		return;
	}
	say(token, &reply);
}

static const struct wire_server_ops server_ops = { .on_message = on_message };

/* ---- the agent ---- */

static void on_heartbeat(void *arg, struct uplink_heartbeat *ret)
{
}

static void on_loss(void *arg, const struct uplink_loss *loss)
{
}

static const struct uplink_ops ops = { .on_heartbeat = on_heartbeat, .on_loss = on_loss };

static void on_answer(void *arg, const Picket__Reply *r)
{
	assert_ptr_equal(arg, &room);
	room.answers++;
	room.empty += !r;
	if (r && r->body_case == PICKET__REPLY__BODY_IMAGES)
		snprintf(room.known, sizeof(room.known), "%s", r->images->images[0]->image_id);
}

static int ask(struct err *err)
{
	static char image[] = IMAGE;
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__ImagesAsk q = PICKET__IMAGES_ASK__INIT;
	Picket__ImageAsk one = PICKET__IMAGE_ASK__INIT, *all[] = { &one };

	one.image_id = image;
	q.images = all;
	q.n_images = 1;
	m.body_case = PICKET__REQUEST__BODY_IMAGES_ASK;
	m.images_ask = &q;
	return uplink_ask(room.uplink, &m, on_answer, &room, err);
}

static bool is_connected(void)
{
	struct uplink_stats st;

	uplink_stats(room.uplink, &st);
	return st.is_connected;
}

#define UNTIL(cond)                                                                     \
	do {                                                                            \
		uint64_t end_ = clock_boot_ns(clock_real()) + PATIENCE_MS * 1000000ull; \
		while (!(cond) && clock_boot_ns(clock_real()) < end_)                   \
			loop_step(room.loop, 20);                                       \
		if (!(cond))                                                            \
			fail_msg("never: %s", #cond);                                   \
	} while (0)

static void put(const char *name, struct slice data)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", room.dir, name);
	PKI_MUST(file_write_atomic(path, data, 0600, err));
}

static int setup(void **state)
{
	struct wire_tls tls = { .ca_pem = buf_slice(&pki.ca.cert),
				.cert_pem = buf_slice(&pki.server.cert),
				.key_pem = buf_slice(&pki.server.key) };
	static char url[64];

	room = (struct room){ .arena = arena_new(LIMIT_ARENA_BYTES) };
	snprintf(room.dir, sizeof(room.dir), "/tmp/picket-ask-XXXXXX");
	assert_non_null(mkdtemp(room.dir));
	put("agent.id", SLICE_LIT(AGENT));
	put("agent.key", buf_slice(&own.key));
	put("agent.pem", buf_slice(&own.cert));
	put("ca.pem", buf_slice(&pki.ca.cert));
	PKI_MUST(loop_new(&room.loop, err));
	PKI_MUST(wire_server_new(room.loop, "tls+tcp://127.0.0.1:0", &tls, &server_ops, NULL, &room.server, err));
	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", wire_server_port(room.server));
	struct uplink_config cfg = { .state_dir = room.dir,
				     .url = url,
				     .server_name = "localhost",
				     .spool_max_bytes = 1 << 20,
				     .hostname = "h",
				     .agent_version = "1",
				     .kernel = "k",
				     .machine_id = "m",
				     .boot_id = "b" };
	PKI_MUST(uplink_new(room.loop, clock_real(), &cfg, &ops, &room, &room.uplink, err));
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	uplink_free(room.uplink);
	wire_server_free(room.server);
	loop_free(room.loop);
	arena_free(room.arena);
	snprintf(command, sizeof(command), "rm -rf %s", room.dir);
	return system(command);
}

static void a_question_gets_its_answer(void **state)
{
	struct err err;

	assert_int_equal(ask(&err), -ENOTCONN);
	UNTIL(is_connected());
	assert_int_equal(ask(&err), 0);
	assert_int_equal(ask(&err), -EAGAIN); /* one at a time */
	UNTIL(room.answers == 1);
	assert_string_equal(room.known, IMAGE);
	assert_int_equal(ask(&err), 0);
	UNTIL(room.answers == 2);
	assert_int_equal(room.empty, 0);
	assert_int_equal(room.questions, 2);
}

static void an_answer_that_makes_no_sense_is_none(void **state)
{
	UNTIL(is_connected());
	room.talks_nonsense = true;
	PKI_MUST(ask(err));
	UNTIL(room.answers == 1);
	assert_int_equal(room.empty, 1);
	assert_true(is_connected());
}

static void a_lost_connection_is_an_empty_answer(void **state)
{
	UNTIL(is_connected());
	room.is_cut = true;
	PKI_MUST(ask(err));
	UNTIL(room.answers == 1);
	assert_int_equal(room.empty, 1);
	room.is_cut = false;
	UNTIL(is_connected());
	PKI_MUST(ask(err));
	UNTIL(room.answers == 2);
	assert_int_equal(room.empty, 1);
}

static void batches_go_on_while_a_question_waits(void **state)
{
	UNTIL(is_connected());
	room.is_silent = true;
	PKI_MUST(ask(err));
	UNTIL(room.questions == 1);
	PKI_MUST(uplink_append(room.uplink, UPLINK_PROCESS, 1700000000000000000, SLICE_LIT("\x09\1\2\3\4\5\6\7\1"),
			       NULL, err));
	UNTIL(room.batches == 1);
	assert_int_equal(room.answers, 0);
}

static void a_question_out_of_its_bounds_is_not_sent(void **state)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__ImagesAsk q = PICKET__IMAGES_ASK__INIT;
	struct err err;

	UNTIL(is_connected());
	m.body_case = PICKET__REQUEST__BODY_IMAGES_ASK;
	m.images_ask = &q;
	assert_int_equal(uplink_ask(room.uplink, &m, on_answer, &room, &err), -ERR_CORRUPT);
	assert_int_equal(ask(&err), 0); /* and nothing is under way */
}

static int make_pki(void **state)
{
	pki_init(&pki);
	pki_agent(&pki, AGENT, &own);
	return 0;
}

static int free_pki(void **state)
{
	pki_pair_fini(&own);
	pki_fini(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(a_question_gets_its_answer),
		T(an_answer_that_makes_no_sense_is_none),
		T(a_lost_connection_is_an_empty_answer),
		T(batches_go_on_while_a_question_waits),
		T(a_question_out_of_its_bounds_is_not_sent),
	};
	return cmocka_run_group_tests(tests, make_pki, free_pki);
}
