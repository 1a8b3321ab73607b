/* test_batcher.c - the conversation with the collector, turned by hand: real spool, real messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>

#include "agent/uplink/batcher.h"
#include "agent/uplink/limits.h"
#include "common/log.h"
#include "proto/msg.h"

#define AGENT	  "11111111-2222-4333-8444-555555555555"
#define NOW	  1795463975000000000ULL
#define MS	  1000000ULL
#define REASON(r) PICKET__REFUSAL__REASON__REASON_##r

/* The test's collector: what it was sent, and what it has stored. */
struct sent {
	uint32_t id;
	Picket__Request *m;
};
struct rig {
	char dir[64];
	struct clock clk;
	struct uplink_config cfg;
	struct spool *spool;
	struct batcher *b;
	struct arena *arena;
	struct sent sent[64];
	size_t from, to; /* requests not looked at yet */
	uint64_t stored, epoch, bad_seq, received, lost;
	unsigned restarts, states;
	char why[200];
	bool is_connected;
	unsigned configurations;
	char policy[100];
};

static int do_send(void *arg, uint32_t id, struct slice msg, struct err *err)
{
	struct rig *r = arg;
	char *copy = arena_dup(r->arena, msg);

	assert_non_null(copy);
	assert_in_range(r->to, 0, ARRAY_LEN(r->sent) - 1);
	struct sent *s = &r->sent[r->to++];
	s->id = id;
	if (msg_read_request(slice_from(copy, msg.n), r->arena, &s->m, err) < 0)
		fail_msg("%s", err->msg);
	return 0;
}

static void do_restart(void *arg)
{
	struct rig *r = arg;

	r->restarts++;
	batcher_close(r->b); /* as the wire does */
}

static int do_heartbeat(void *arg, struct buf *out, struct err *err)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__Heartbeat h = PICKET__HEARTBEAT__INIT;

	h.time_unix_ns = NOW;
	m.protocol = PROTO_VERSION;
	m.agent_id = (char *)(uintptr_t)AGENT;
	m.body_case = PICKET__REQUEST__BODY_HEARTBEAT;
	m.heartbeat = &h;
	return msg_pack_request(&m, out, err);
}

static void do_configuration(void *arg, const Picket__Configuration *c)
{
	struct rig *r = arg;

	r->configurations++;
	slice_copy(msg_slice(c->policy), r->policy, sizeof(r->policy));
}

static void do_state(void *arg, bool is_connected, const char *why)
{
	struct rig *r = arg;

	r->states++;
	r->is_connected = is_connected;
	slice_copy(slice_of(why), r->why, sizeof(r->why));
}

static const struct batcher_ops ops = {
	.send = do_send, .restart = do_restart, .heartbeat = do_heartbeat, .on_configuration = do_configuration,
	.on_state = do_state};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct spool_stats st;

	log_open(LOG_ERROR, 2);
	snprintf(r->dir, sizeof(r->dir), "/tmp/picket-batch-XXXXXX");
	r->clk = clock_fake(NOW);
	r->arena = arena_new(256 * 1024 * 1024);
	r->cfg = (struct uplink_config){.hostname = "h", .heartbeat_ms = 10000};
	if (!mkdtemp(r->dir) || spool_open(r->dir, 16 << 20, &r->clk, &r->spool, NULL) < 0 ||
	    batcher_new(r->spool, &r->clk, &r->cfg, AGENT, &ops, r, &r->b, NULL) < 0)
		return -1;
	spool_stats(r->spool, &st);
	r->epoch = st.epoch;
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;
	DIR *d = opendir(r->dir);
	char path[512];

	batcher_free(r->b);
	spool_close(r->spool);
	for (struct dirent *e; (e = readdir(d));) {
		snprintf(path, sizeof(path), "%s/%s", r->dir, e->d_name);
		unlink(path);
	}
	closedir(d);
	rmdir(r->dir);
	arena_free(r->arena);
	free(r);
	return 0;
}

static void append(struct rig *r, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(spool_append(r->spool, UPLINK_PROCESS, NOW, SLICE_LIT("record"),
					      NULL, NULL),
				 0);
	assert_int_equal(spool_flush(r->spool, NULL), 0);
}

static void reply(struct rig *r, uint32_t id, Picket__Reply *m)
{
	struct buf out;
	struct err err;

	buf_init(&out, 0);
	m->protocol = PROTO_VERSION;
	if (msg_pack_reply(m, &out, &err) < 0)
		fail_msg("%s", err.msg);
	batcher_reply(r->b, id, buf_slice(&out));
	buf_fini(&out);
}

static void reply_hello(struct rig *r, uint32_t id, uint64_t stored, uint32_t credit)
{
	Picket__Reply m = PICKET__REPLY__INIT;
	Picket__HelloReply h = PICKET__HELLO_REPLY__INIT;

	h.stored_seq = stored;
	h.credit = credit;
	m.body_case = PICKET__REPLY__BODY_HELLO;
	m.hello = &h;
	reply(r, id, &m);
}

static void reply_ack(struct rig *r, uint32_t id, uint64_t stored, uint32_t credit)
{
	Picket__Reply m = PICKET__REPLY__INIT;
	Picket__Ack a = PICKET__ACK__INIT;

	a.epoch = r->epoch;
	a.stored_seq = stored;
	a.credit = credit;
	m.body_case = PICKET__REPLY__BODY_ACK;
	m.ack = &a;
	reply(r, id, &m);
}

static void reply_beat(struct rig *r, uint32_t id)
{
	Picket__Reply m = PICKET__REPLY__INIT;
	Picket__HeartbeatReply h = PICKET__HEARTBEAT_REPLY__INIT;

	m.body_case = PICKET__REPLY__BODY_HEARTBEAT;
	m.heartbeat = &h;
	reply(r, id, &m);
}

static void refuse(struct rig *r, uint32_t id, Picket__Refusal__Reason why, uint32_t retry_ms)
{
	Picket__Reply m = PICKET__REPLY__INIT;
	Picket__Refusal f = PICKET__REFUSAL__INIT;

	f.reason = why;
	f.message = (char *)(uintptr_t) "because";
	f.stored_seq = r->stored;
	f.retry_ms = retry_ms;
	m.body_case = PICKET__REPLY__BODY_REFUSAL;
	m.refusal = &f;
	reply(r, id, &m);
}

/* Answers one request as the collector does. */
static void answer(struct rig *r, uint32_t credit)
{
	struct sent s = r->sent[r->from++ % ARRAY_LEN(r->sent)];
	const Picket__Batch *b = s.m->batch;

	if (r->from == r->to)
		r->from = r->to = 0;
	if (s.m->body_case == PICKET__REQUEST__BODY_HELLO) {
		if (s.m->hello->epoch != r->epoch) {
			r->epoch = s.m->hello->epoch;
			r->stored = 0;
		}
		reply_hello(r, s.id, r->stored, credit);
	} else if (s.m->body_case == PICKET__REQUEST__BODY_HEARTBEAT) {
		reply_beat(r, s.id);
	} else if (r->bad_seq >= b->first_seq && r->bad_seq < b->first_seq + b->n_records) {
		refuse(r, s.id, REASON(MALFORMED), 0);
	} else if (b->first_seq > r->stored + 1 && b->first_seq - r->stored - 1 > b->lost_before) {
		refuse(r, s.id, REASON(ORDER), 0);
	} else {
		for (uint64_t q = b->first_seq; q < b->first_seq + b->n_records; q++)
			r->received += q > r->stored;
		if (b->first_seq > r->stored + 1)
			r->lost += b->first_seq - r->stored - 1;
		r->stored = b->first_seq + b->n_records - 1;
		reply_ack(r, s.id, r->stored, credit);
	}
}

static void answer_all(struct rig *r, uint32_t credit)
{
	for (unsigned i = 0; r->from < r->to; i++) {
		assert_in_range(i, 0, 1000);
		answer(r, credit);
	}
}

static struct sent next(struct rig *r)
{
	assert_true(r->from < r->to);
	struct sent s = r->sent[r->from++];
	if (r->from == r->to)
		r->from = r->to = 0;
	return s;
}

static void it_greets_sends_and_lets_go(void **state)
{
	struct rig *r = *state;
	struct spool_stats st;

	append(r, 10);
	batcher_open(r->b);
	assert_int_equal(r->sent[0].m->hello->epoch, r->epoch);
	assert_int_equal(r->sent[0].m->hello->first_seq, 1);
	assert_int_equal(r->sent[0].m->hello->next_seq, 11);
	answer_all(r, 4);
	assert_true(r->is_connected);
	assert_int_equal(r->received, 10);
	assert_int_equal(batcher_acked(r->b), 10);
	spool_stats(r->spool, &st);
	assert_int_equal(st.records, 0);
	/* later ones without another greeting, and what was stored is not sent again */
	append(r, 5);
	batcher_tick(r->b);
	assert_int_equal(r->sent[0].m->batch->first_seq, 11);
	answer_all(r, 4);
	assert_int_equal(r->received, 15);
	assert_int_equal(r->lost, 0);
}

static void no_more_batches_than_credit_are_under_way(void **state)
{
	struct rig *r = *state;

	append(r, 5 * LIMIT_BATCH_RECORDS);
	batcher_open(r->b);
	answer(r, 2);
	assert_int_equal(next(r).m->body_case, PICKET__REQUEST__BODY_HEARTBEAT);
	assert_int_equal(r->to - r->from, 2);
	answer(r, 1);
	assert_int_equal(r->to - r->from, 1);
	answer_all(r, 1);
	assert_int_equal(r->received, 5 * LIMIT_BATCH_RECORDS);
}

/* A busy collector gets larger batches instead of more. */
static void a_few_records_wait_while_a_batch_is_under_way(void **state)
{
	struct rig *r = *state;

	append(r, 1);
	batcher_open(r->b);
	answer(r, 4); /* hello: the heartbeat and the first batch are on their way */
	unsigned sent = r->to - r->from;
	for (unsigned i = 0; i < 20; i++) {
		append(r, 5);
		batcher_tick(r->b);
	}
	assert_int_equal(r->to - r->from, sent);
	append(r, UPLINK_FEW_RECORDS); /* no longer few: those go beside it */
	batcher_tick(r->b);
	assert_int_equal(r->to - r->from, sent + 1);
	append(r, 5);
	answer_all(r, 4);
	assert_int_equal(r->received, 1 + 100 + UPLINK_FEW_RECORDS + 5);
}

static void without_credit_it_asks_with_a_heartbeat(void **state)
{
	struct rig *r = *state;

	append(r, 3);
	batcher_open(r->b);
	answer(r, 0);
	assert_int_equal(r->to, 0);
	batcher_tick(r->b);
	assert_int_equal(r->to, 0);
	clock_fake_advance(&r->clk, UPLINK_PAUSE_MS * MS);
	batcher_tick(r->b);
	answer_all(r, 1);
	assert_int_equal(r->received, 3);
}

static void what_the_collector_wants_comes_with_the_heartbeats_answer(void **state)
{
	struct rig *r = *state;
	Picket__Reply m = PICKET__REPLY__INIT;
	Picket__HeartbeatReply h = PICKET__HEARTBEAT_REPLY__INIT;
	Picket__Configuration c = PICKET__CONFIGURATION__INIT;

	batcher_open(r->b);
	answer(r, 3);
	struct sent beat = next(r);
	assert_int_equal(r->configurations, 0);
	c.policy = msg_bytes(SLICE_LIT("mode: monitor"));
	c.policy_digest = (char *)(uintptr_t)"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	h.configuration = &c;
	m.body_case = PICKET__REPLY__BODY_HEARTBEAT;
	m.heartbeat = &h;
	reply(r, beat.id, &m);
	assert_int_equal(r->configurations, 1);
	assert_string_equal(r->policy, "mode: monitor");
}

static void acks_may_come_twice_and_out_of_order(void **state)
{
	struct rig *r = *state;

	append(r, 3 * LIMIT_BATCH_RECORDS);
	batcher_open(r->b);
	answer(r, 3);
	(void)next(r); /* heartbeat */
	struct sent a = next(r), b = next(r), c = next(r);
	reply_ack(r, b.id, 2 * LIMIT_BATCH_RECORDS, 3); /* covers a */
	reply_ack(r, a.id, LIMIT_BATCH_RECORDS, 3);
	reply_ack(r, b.id, 2 * LIMIT_BATCH_RECORDS, 3);
	assert_int_equal(batcher_acked(r->b), 2 * LIMIT_BATCH_RECORDS);
	reply_ack(r, c.id, 3 * LIMIT_BATCH_RECORDS, 3);
	assert_int_equal(batcher_acked(r->b), 3 * LIMIT_BATCH_RECORDS);
	assert_int_equal(r->restarts, 0);
	assert_int_equal(r->to, 0);
}

static void an_ack_for_what_was_not_sent_ends_the_connection(void **state)
{
	struct rig *r = *state;

	append(r, 3);
	batcher_open(r->b);
	answer(r, 1);
	(void)next(r);
	reply_ack(r, next(r).id, 4, 1);
	assert_int_equal(r->restarts, 1);
	assert_int_equal(batcher_acked(r->b), 0);
	batcher_open(r->b);
	answer_all(r, 1);
	assert_int_equal(r->received, 3);
}

static void a_lost_connection_sends_again_what_is_not_stored(void **state)
{
	struct rig *r = *state;

	append(r, 3 * LIMIT_BATCH_RECORDS);
	batcher_open(r->b);
	answer(r, 8);
	answer(r, 8);
	answer(r, 8); /* heartbeat and the first batch; two are under way */
	batcher_close(r->b);
	r->from = r->to = 0;
	assert_false(r->is_connected);
	r->stored = 2 * LIMIT_BATCH_RECORDS; /* the second came through, its ack did not */
	r->received = r->stored;
	batcher_open(r->b);
	answer_all(r, 8);
	assert_int_equal(r->received, 3 * LIMIT_BATCH_RECORDS);
}

static void without_an_answer_it_connects_again_after_15_s(void **state)
{
	struct rig *r = *state;

	append(r, 1);
	batcher_open(r->b);
	clock_fake_advance(&r->clk, (UPLINK_ANSWER_MS - 1) * MS);
	batcher_tick(r->b);
	assert_int_equal(r->restarts, 0);
	clock_fake_advance(&r->clk, MS);
	batcher_tick(r->b);
	assert_int_equal(r->restarts, 1);
	assert_non_null(strstr(r->why, "does not answer"));
	batcher_tick(r->b);
	assert_int_equal(r->restarts, 1);
}

static void busy_waits_as_long_as_it_was_told(void **state)
{
	struct rig *r = *state;

	append(r, 1);
	batcher_open(r->b);
	answer(r, 1);
	(void)next(r);
	refuse(r, next(r).id, REASON(BUSY), 5000);
	clock_fake_advance(&r->clk, 4900 * MS);
	batcher_tick(r->b);
	assert_int_equal(r->to, 0);
	clock_fake_advance(&r->clk, 1500 * MS);
	batcher_tick(r->b);
	answer_all(r, 1);
	assert_int_equal(r->received, 1);
}

static void a_hole_is_declared_and_an_order_refusal_goes_back(void **state)
{
	struct rig *r = *state;

	append(r, 100);
	batcher_open(r->b);
	answer(r, 1);
	(void)next(r);
	struct sent s = next(r);
	refuse(r, s.id, REASON(ORDER), 0);
	answer_all(r, 1);
	assert_int_equal(r->received, 100);
	/* the collector's memory goes back (restored from a backup): what is gone is a hole */
	r->stored = 40;
	append(r, 1);
	batcher_tick(r->b);
	answer_all(r, 1);
	assert_int_equal(r->lost, 60);
	assert_int_equal(r->stored, 101);
	assert_int_equal(r->restarts, 0);
}

static void one_malformed_record_is_found_counted_and_passed(void **state)
{
	static const uint64_t bads[] = {1, 2, 777, 2048, 2049, 6000};

	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct rig *r = *state;
		struct uplink_loss loss;

		if (i) {
			teardown(state);
			assert_int_equal(setup(state), 0);
			r = *state;
		}
		r->bad_seq = bads[i];
		append(r, 6000);
		batcher_open(r->b);
		answer_all(r, 8);
		assert_int_equal(r->received, 5999);
		assert_true(spool_take_loss(r->spool, &loss));
		assert_string_equal(loss.reason, "refused");
		assert_int_equal(loss.lost, 1);
		append(r, 1); /* with the last one gone, the hole shows with the next */
		batcher_tick(r->b);
		answer_all(r, 8);
		assert_int_equal(r->received, 6000);
		assert_int_equal(r->lost, 1);
	}
}

static void a_revoked_agent_says_so_once_and_asks_slowly(void **state)
{
	struct rig *r = *state;

	append(r, 1);
	for (unsigned i = 0; i < 5; i++) {
		batcher_open(r->b);
		if (r->to)
			refuse(r, next(r).id, REASON(REVOKED), 0);
		batcher_close(r->b);
		clock_fake_advance(&r->clk, 2000 * MS);
		batcher_tick(r->b);
	}
	assert_int_equal(r->states, 1);
	assert_string_equal(r->why, "because");
	batcher_open(r->b);
	assert_int_equal(r->to, 0);
	clock_fake_advance(&r->clk, 40000 * MS);
	batcher_tick(r->b);
	answer_all(r, 1);
	assert_int_equal(r->received, 1);
}

static void earlier_epochs_are_drained_first(void **state)
{
	struct rig *r = *state;
	uint64_t first = r->epoch;

	append(r, 7);
	batcher_free(r->b);
	spool_close(r->spool);
	assert_int_equal(spool_open(r->dir, 16 << 20, &r->clk, &r->spool, NULL), 0);
	assert_int_equal(batcher_new(r->spool, &r->clk, &r->cfg, AGENT, &ops, r, &r->b, NULL), 0);
	append(r, 5);
	batcher_open(r->b);
	assert_int_equal(r->sent[0].m->hello->epoch, first);
	assert_int_equal(r->sent[0].m->hello->next_seq, 8);
	answer_all(r, 4);
	assert_int_equal(r->received, 12);
	assert_true(r->epoch > first);
	assert_int_equal(r->stored, 5);
	assert_int_equal(batcher_acked(r->b), 5);
	assert_int_equal(r->restarts, 0);
}

static void rubbish_from_the_collector_ends_the_connection(void **state)
{
	struct rig *r = *state;

	batcher_open(r->b);
	batcher_reply(r->b, 4711, SLICE_LIT("for nobody"));
	assert_int_equal(r->restarts, 0);
	batcher_reply(r->b, next(r).id, SLICE_LIT("\x08\x01\xff"));
	assert_int_equal(r->restarts, 1);
	/* numbers that were never given out */
	batcher_open(r->b);
	reply_hello(r, next(r).id, 999, 1);
	assert_false(r->is_connected);
	assert_non_null(strstr(r->why, "never given out"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_greets_sends_and_lets_go),
		TEST(no_more_batches_than_credit_are_under_way),
		TEST(a_few_records_wait_while_a_batch_is_under_way),
		TEST(without_credit_it_asks_with_a_heartbeat),
		TEST(what_the_collector_wants_comes_with_the_heartbeats_answer),
		TEST(acks_may_come_twice_and_out_of_order),
		TEST(an_ack_for_what_was_not_sent_ends_the_connection),
		TEST(a_lost_connection_sends_again_what_is_not_stored),
		TEST(without_an_answer_it_connects_again_after_15_s),
		TEST(busy_waits_as_long_as_it_was_told),
		TEST(a_hole_is_declared_and_an_order_refusal_goes_back),
		TEST(one_malformed_record_is_found_counted_and_passed),
		TEST(a_revoked_agent_says_so_once_and_asks_slowly),
		TEST(earlier_epochs_are_drained_first),
		TEST(rubbish_from_the_collector_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
