/* batcher.c - see batcher.h. */
#include "agent/uplink/batcher.h"

#include <errno.h>

#include "agent/uplink/limits.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/msg.h"

#define MS 1000000ULL

enum state { DOWN, GREETING, RUNNING, WAITING };
/* What to do once nothing is under way any more. */
enum after { GO_ON, GREET, SUSPECT };

/* A request under way. */
struct flight {
	uint32_t id; /* 0 = none */
	uint64_t sent_ns;
	uint64_t first_seq, count; /* of a batch */
};

struct batcher {
	struct spool *spool;
	const struct clock *clk;
	const struct uplink_config *cfg;
	const char *agent_id;
	const struct batcher_ops *ops;
	void *arg;

	enum state state;
	enum after after;
	uint32_t next_id;
	struct flight hello, beat, batches[LIMIT_CREDIT]; /* batches: oldest first */
	unsigned batch_count, credit;
	uint64_t wait_until_ns, beat_due_ns;
	uint64_t epoch;
	uint64_t stored_seq; /* of epoch: what the collector has */
	uint64_t sent_seq;   /* end of the last batch sent, or stored_seq */
	uint64_t order_seq;  /* stored_seq at the last ORDER: no progress means wait */

	/* A batch was malformed: smaller ones until the number suspect_end is past. */
	uint64_t suspect_end, suspect_cap;
	struct flight refused;

	uint64_t last_ack_unix_ns, current_acked;
	size_t batch_bytes;
	struct buf data, out;  /* records of the batch being made; the packed request */
	struct slice *records; /* LIMIT_BATCH_RECORDS */
	struct arena *arena;
	bool is_connected;
	char why[200];
};

static void greet(struct batcher *b);
static void pump(struct batcher *b);

/* ---- state ---- */

static void say(struct batcher *b, bool is_connected, const char *why)
{
	if (b->is_connected == is_connected && !strcmp(b->why, why))
		return;
	b->is_connected = is_connected;
	slice_copy(slice_of(why), b->why, sizeof(b->why));
	b->ops->on_state(b->arg, is_connected, b->why);
}

static void forget_flights(struct batcher *b)
{
	b->hello = b->beat = (struct flight){0};
	b->batch_count = 0;
	b->after = GO_ON;
}

static void wait_ms(struct batcher *b, uint64_t ms, const char *why)
{
	uint8_t chance;

	text_random(&chance, sizeof(chance));
	forget_flights(b);
	b->state = WAITING;
	b->wait_until_ns = clock_boot_ns(b->clk) + (ms + ms * chance / 1024) * MS;
	say(b, false, why);
}

static void start_again(struct batcher *b, const char *why)
{
	forget_flights(b);
	b->state = DOWN;
	say(b, false, why);
	b->ops->restart(b->arg);
}

/* ---- sending ---- */

/* 0: it is under way. */
static int send_request(struct batcher *b, struct flight *f)
{
	struct err err;

	b->next_id = (b->next_id + 1) & BATCHER_ID_MAX;
	if (!b->next_id)
		b->next_id = 1;
	int r = b->ops->send(b->arg, b->next_id, buf_slice(&b->out), &err);
	if (r < 0) {
		start_again(b, err.msg);
		return r;
	}
	f->id = b->next_id;
	f->sent_ns = clock_boot_ns(b->clk);
	return 0;
}

static char *text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

static void greet(struct batcher *b)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__Hello h = PICKET__HELLO__INIT;
	struct spool_stats st;
	struct spool_item it;
	struct err err;

	forget_flights(b);
	spool_rewind(b->spool);
	spool_stats(b->spool, &st);
	b->epoch = st.epoch;
	h.first_seq = st.produced + 1;
	if (spool_peek(b->spool, &it)) {
		b->epoch = it.epoch;
		h.first_seq = it.seq;
	}
	h.next_seq = spool_epoch_end(b->spool, b->epoch);
	h.epoch = b->epoch;
	h.hostname = text(b->cfg->hostname);
	h.agent_version = text(b->cfg->agent_version);
	h.kernel = text(b->cfg->kernel);
	h.machine_id = text(b->cfg->machine_id);
	h.boot_id = text(b->cfg->boot_id);
	m.protocol = PROTO_VERSION;
	m.agent_id = text(b->agent_id);
	m.body_case = PICKET__REQUEST__BODY_HELLO;
	m.hello = &h;
	buf_reset(&b->out);
	if (msg_pack_request(&m, &b->out, &err) < 0) {
		wait_ms(b, UPLINK_REFUSED_MS, err.msg);
		return;
	}
	b->state = GREETING;
	(void)send_request(b, &b->hello);
}

static bool is_suspect(const struct batcher *b)
{
	return b->stored_seq < b->suspect_end;
}

/* Takes the next run of numbers without a hole out of the spool. Returns how many. */
static size_t gather(struct batcher *b, uint64_t *ret_first)
{
	size_t count = 0, most = LIMIT_BATCH_RECORDS;
	struct spool_item it;

	if (is_suspect(b))
		most = b->suspect_cap;
	buf_reset(&b->data);
	while (count < most && spool_peek(b->spool, &it) && it.epoch == b->epoch) {
		if (count &&
		    (it.seq != *ret_first + count || b->data.n + it.body.n > b->batch_bytes))
			break;
		if (!count)
			*ret_first = it.seq;
		/* Only the length for now: data may still move. */
		b->records[count++].n = it.body.n;
		buf_add_slice(&b->data, it.body);
		spool_take(b->spool);
	}
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		b->records[i].p = b->data.p + at;
		at += b->records[i].n;
	}
	return count;
}

/* A few records wait while a batch is under way, as small segments of TCP do: its answer is their signal. A collector that
 * is busy then gets fewer, larger batches of each agent by itself; one that is not answers in milliseconds. */
static bool should_wait(const struct batcher *b)
{
	struct spool_stats st;

	if (!b->batch_count || is_suspect(b))
		return false;
	spool_stats(b->spool, &st);
	return b->epoch == st.epoch && st.produced - b->sent_seq < UPLINK_FEW_RECORDS;
}

static void pump(struct batcher *b)
{
	unsigned credit = is_suspect(b) && b->credit ? 1 : b->credit;

	while (b->state == RUNNING && b->after == GO_ON && b->batch_count < credit &&
	       (b->batch_count + 1) * b->batch_bytes <= spool_flight_bytes(b->spool)) {
		struct flight *f = &b->batches[b->batch_count];
		struct spool_item it;
		struct err err;

		if (!spool_peek(b->spool, &it) || should_wait(b))
			return;
		if (it.epoch != b->epoch) {
			if (b->batch_count)
				return;
			/* All of an earlier run's has been sent and acknowledged. */
			spool_ack(b->spool, b->epoch, UINT64_MAX);
			b->suspect_end = 0;
			greet(b);
			return;
		}
		*f = (struct flight){0};
		f->count = gather(b, &f->first_seq);
		buf_reset(&b->out);
		int r = b->data.failed ? -ERR_LIMIT
				       : msg_pack_batch(b->agent_id, b->epoch, f->first_seq,
							f->first_seq - b->sent_seq - 1, b->records,
							f->count, &b->out, &err);
		if (r < 0) {
			wait_ms(b, UPLINK_PAUSE_MS, "a batch could not be made");
			return;
		}
		if (send_request(b, f) < 0)
			return;
		b->batch_count++;
		b->sent_seq = f->first_seq + f->count - 1;
	}
}

static void send_heartbeat(struct batcher *b)
{
	struct err err;

	buf_reset(&b->out);
	if (b->ops->heartbeat(b->arg, &b->out, &err) < 0)
		LOG(WARN, "uplink.heartbeat", KV_STR("why", err.msg));
	else if (send_request(b, &b->beat) < 0)
		return;
	b->beat_due_ns = clock_boot_ns(b->clk) + b->cfg->heartbeat_ms * MS;
}

/* ---- answers ---- */

/* The one record of the refused batch goes, counted, so that it never stands in the way again. */
static void give_up_record(struct batcher *b)
{
	struct spool_item it;

	spool_rewind(b->spool);
	while (spool_peek(b->spool, &it) && it.epoch == b->epoch &&
	       it.seq <= b->refused.first_seq) {
		if (it.seq == b->refused.first_seq)
			spool_count_refused(b->spool, &it);
		spool_take(b->spool);
	}
	spool_ack(b->spool, b->epoch, b->refused.first_seq);
	LOG(WARN, "uplink.refused_record", KV_U64("epoch", b->epoch),
	    KV_U64("seq", b->refused.first_seq));
}

/* Everything under way after a refusal is answered. */
static void act(struct batcher *b)
{
	if (b->after == GO_ON || b->batch_count)
		return;
	if (b->after == SUSPECT) {
		uint64_t end = b->refused.first_seq + b->refused.count - 1;

		if (end > b->suspect_end)
			b->suspect_end = end;
		b->suspect_cap = (b->refused.count + 1) / 2;
		if (b->refused.count == 1)
			give_up_record(b);
	}
	greet(b);
}

static void got_hello(struct batcher *b, const Picket__HelloReply *h)
{
	struct spool_stats st;

	b->hello = (struct flight){0};
	spool_stats(b->spool, &st);
	if (b->epoch == st.epoch && h->stored_seq >= spool_epoch_end(b->spool, b->epoch)) {
		wait_ms(b, UPLINK_REFUSED_MS,
			"the collector has numbers that were never given out");
		return;
	}
	spool_ack(b->spool, b->epoch, h->stored_seq);
	spool_rewind(b->spool);
	b->stored_seq = b->sent_seq = h->stored_seq;
	if (b->epoch == st.epoch)
		b->current_acked = h->stored_seq;
	b->credit = h->credit < LIMIT_CREDIT ? h->credit : LIMIT_CREDIT;
	b->state = RUNNING;
	b->beat_due_ns = clock_boot_ns(b->clk) + (b->credit ? 0 : UPLINK_PAUSE_MS * MS);
	say(b, true, "connected");
	(void)batcher_tick(b);
}

static void got_ack(struct batcher *b, const struct flight *f, const Picket__Ack *a)
{
	struct spool_stats st;

	if (a->epoch != b->epoch || a->stored_seq > b->sent_seq) {
		start_again(b, "the collector acknowledged what was not sent");
		return;
	}
	if (a->stored_seq < f->first_seq + f->count - 1) /* not all of it: hear what it has */
		b->after = b->after == SUSPECT ? SUSPECT : GREET;
	if (a->stored_seq > b->stored_seq) {
		b->stored_seq = a->stored_seq;
		b->order_seq = 0;
		if (is_suspect(b))
			b->suspect_cap = b->suspect_cap * 2 < LIMIT_BATCH_RECORDS
						 ? b->suspect_cap * 2
						 : LIMIT_BATCH_RECORDS;
		else
			b->suspect_end = 0;
		spool_ack(b->spool, b->epoch, a->stored_seq);
		spool_stats(b->spool, &st);
		if (b->epoch == st.epoch)
			b->current_acked = a->stored_seq;
		b->last_ack_unix_ns = clock_unix_ns(b->clk);
	}
	unsigned kept = 0; /* cumulative: what is covered needs no answer of its own */
	for (unsigned i = 0; i < b->batch_count; i++)
		if (b->batches[i].first_seq + b->batches[i].count - 1 > a->stored_seq)
			b->batches[kept++] = b->batches[i];
	b->batch_count = kept;
	b->credit = a->credit < LIMIT_CREDIT ? a->credit : LIMIT_CREDIT;
	if (!b->credit)
		b->beat_due_ns = clock_boot_ns(b->clk) + UPLINK_PAUSE_MS * MS;
}

static void got_refusal(struct batcher *b, const struct flight *f, const Picket__Refusal *r)
{
	char why[160];

	slice_copy(slice_of(r->message), why, sizeof(why));
	switch (r->reason) {
	case PICKET__REFUSAL__REASON__REASON_ORDER:
		if (b->after != GO_ON) /* in the wake of another refusal */
			return;
		if (b->order_seq == r->stored_seq + 1) { /* once more, and nothing came of it */
			wait_ms(b, UPLINK_PAUSE_MS, why);
			return;
		}
		b->order_seq = r->stored_seq + 1;
		b->after = GREET;
		return;
	case PICKET__REFUSAL__REASON__REASON_BUSY:
		wait_ms(b, r->retry_ms > 100 ? r->retry_ms : UPLINK_PAUSE_MS, why);
		return;
	case PICKET__REFUSAL__REASON__REASON_MALFORMED:
		if (!f->count) /* a greeting or heartbeat: nothing to take out of it */
			break;
		if (b->after != SUSPECT || f->first_seq < b->refused.first_seq)
			b->refused = *f;
		b->after = SUSPECT;
		return;
	case PICKET__REFUSAL__REASON__REASON_NOT_YOU:
	case PICKET__REFUSAL__REASON__REASON_REVOKED:
	case PICKET__REFUSAL__REASON__REASON_VERSION:
	case PICKET__REFUSAL__REASON__REASON_TOKEN:
	case PICKET__REFUSAL__REASON__REASON_NONE:
	case _PICKET__REFUSAL__REASON_IS_INT_SIZE:
		break;
	}
	wait_ms(b, UPLINK_REFUSED_MS, why[0] ? why : "refused by the collector");
}

/* The flight with this id, taken out of its place; id 0 if there is none. */
static struct flight take_flight(struct batcher *b, uint32_t id)
{
	struct flight f = {0};

	if (id && b->hello.id == id)
		return b->hello;
	if (id && b->beat.id == id) {
		f = b->beat;
		b->beat = (struct flight){0};
		return f;
	}
	for (unsigned i = 0; id && i < b->batch_count; i++)
		if (b->batches[i].id == id) {
			f = b->batches[i];
			b->batch_count--;
			memmove(&b->batches[i], &b->batches[i + 1],
				(b->batch_count - i) * sizeof(b->batches[0]));
			break;
		}
	return f;
}

static void got_heartbeat(struct batcher *b, const Picket__HeartbeatReply *r)
{
	b->credit += !b->credit; /* it is there: try one */
	if (r->configuration && b->ops->on_configuration)
		b->ops->on_configuration(b->arg, r->configuration);
}

void batcher_reply(struct batcher *b, uint32_t id, struct slice msg)
{
	Picket__Reply *m;
	struct err err;
	struct flight f = take_flight(b, id);

	if (!f.id || b->state == DOWN || b->state == WAITING)
		return; /* given up on, or covered by a later answer */
	arena_reset(b->arena);
	if (msg_read_reply(msg, b->arena, &m, &err) < 0) {
		start_again(b, err.msg);
		return;
	}
	bool is_hello = f.id == b->hello.id;
	if (m->body_case == PICKET__REPLY__BODY_REFUSAL)
		got_refusal(b, &f, m->refusal);
	else if (m->body_case == PICKET__REPLY__BODY_HELLO && is_hello)
		got_hello(b, m->hello);
	else if (m->body_case == PICKET__REPLY__BODY_ACK && f.count)
		got_ack(b, &f, m->ack);
	else if (m->body_case == PICKET__REPLY__BODY_HEARTBEAT && !f.count && !is_hello)
		got_heartbeat(b, m->heartbeat);
	else
		start_again(b, "the collector's answer does not fit the request");
	if (b->state == RUNNING) {
		act(b);
		pump(b);
	}
}

/* ---- time ---- */

static bool is_overdue(const struct batcher *b, const struct flight *f, uint64_t now)
{
	return f->id && now - f->sent_ns >= UPLINK_ANSWER_MS * MS;
}

uint64_t batcher_tick(struct batcher *b)
{
	uint64_t now = clock_boot_ns(b->clk);
	bool is_late = is_overdue(b, &b->hello, now) || is_overdue(b, &b->beat, now);

	for (unsigned i = 0; i < b->batch_count; i++)
		is_late |= is_overdue(b, &b->batches[i], now);
	if (is_late)
		start_again(b, "the collector does not answer");
	if (b->state == WAITING && now >= b->wait_until_ns)
		greet(b);
	if (b->state == RUNNING && !b->beat.id && now >= b->beat_due_ns)
		send_heartbeat(b);
	if (b->state == RUNNING)
		pump(b);
	uint64_t due = now + 1000 * MS; /* overdue answers need no finer clock */
	if (b->state == DOWN || (b->state == RUNNING && !b->batch_count && !b->beat.id))
		due = now + b->cfg->heartbeat_ms * MS;
	if (b->state == WAITING && b->wait_until_ns < due)
		due = b->wait_until_ns;
	if (b->state == RUNNING && !b->beat.id && b->beat_due_ns < due)
		due = b->beat_due_ns;
	return due > now ? (due - now + MS - 1) / MS : 1;
}

void batcher_open(struct batcher *b)
{
	b->order_seq = 0;
	/* A new connection does not end the time that a refusal set. */
	if (clock_boot_ns(b->clk) < b->wait_until_ns)
		b->state = WAITING;
	else
		greet(b);
}

void batcher_close(struct batcher *b)
{
	/* Otherwise it was said already why. */
	bool is_news = b->state == GREETING || b->state == RUNNING;

	forget_flights(b);
	b->state = DOWN;
	if (is_news)
		say(b, false, "connection lost");
}

void batcher_failed(struct batcher *b, const char *why)
{
	if (clock_boot_ns(b->clk) >= b->wait_until_ns)
		say(b, false, why);
}

/* ---- life ---- */

uint64_t batcher_last_ack_unix_ns(const struct batcher *b)
{
	return b->last_ack_unix_ns;
}

uint64_t batcher_acked(const struct batcher *b)
{
	return b->current_acked;
}

int batcher_new(struct spool *spool, const struct clock *clk, const struct uplink_config *cfg,
		const char *agent_id, const struct batcher_ops *ops, void *arg,
		struct batcher **ret, struct err *err)
{
	CLEANUP(batcher_freep) struct batcher *b = calloc(1, sizeof(*b));

	if (b) {
		b->records = calloc(LIMIT_BATCH_RECORDS, sizeof(*b->records));
		b->arena = arena_new(LIMIT_ARENA_BYTES);
	}
	if (!b || !b->records || !b->arena)
		return err_set(err, ENOMEM, "make the batcher");
	buf_init(&b->data, LIMIT_MESSAGE_BYTES);
	buf_init(&b->out, LIMIT_MESSAGE_BYTES);
	b->spool = spool;
	b->clk = clk;
	b->cfg = cfg;
	b->agent_id = agent_id;
	b->ops = ops;
	b->arg = arg;
	b->batch_bytes = UPLINK_BATCH_BYTES;
	if (b->batch_bytes > spool_flight_bytes(spool) / 2)
		b->batch_bytes = spool_flight_bytes(spool) / 2;
	*ret = take_ptr(b);
	return 0;
}

void batcher_free(struct batcher *b)
{
	if (!b)
		return;
	buf_fini(&b->data);
	buf_fini(&b->out);
	free(b->records);
	arena_free(b->arena);
	free(b);
}
