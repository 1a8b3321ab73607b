/* fleet_agent.c - see fleet_agent.h. What agent/uplink/batcher.c does, without a disk: the numbers of a batch are
 * enough to make it again. */
#include "tests/fleet/fleet_agent.h"

#include <inttypes.h>
#include <math.h>

#include "common/clock.h"
#include "proto/msg.h"

enum {
	FLIGHTS = LIMIT_CREDIT,
	FEW = 256, /* records wait while a batch is under way, as the agent's do */
	BURSTS = 512,
	RANGES = 256,
	BATCH_BYTES = 256 * 1024, /* as the agent's */
	ANSWER_MS = 15000,
	BACKOFF_MIN_MS = 500,
	BACKOFF_MAX_MS = 30000,
	HEARTBEAT_MS = 10000,
	REPLAY_BIT = 1 << 30,
};
#define MS 1000000ull

struct flight {
	uint32_t id;
	uint64_t first, count, sent_ns;
};

struct agent {
	struct fleet *f;
	struct link *link;
	char id[40], host[64];
	uint32_t index;
	uint64_t made, ready, sent, acked, lost; /* made: numbers given out; ready: those that may go */
	double rate;
	uint64_t next_make_ns, ready_at_ns;
	struct { /* when numbers were made, for their latency */
		uint64_t end, ns;
	} bursts[BURSTS];
	unsigned burst_head, burst_count;
	struct { /* dropped numbers, ascending */
		uint64_t from, to;
	} ranges[RANGES];
	unsigned range_count;
	struct flight flights[FLIGHTS];
	unsigned flight_count, credit;
	uint32_t next_id, hello_id, beat_id;
	uint64_t hello_ns, beat_due_ns, wait_until_ns, dial_ns;
	unsigned failures;
	bool is_open, is_greeted, is_held, is_new, beat_wanted;
	uint64_t beat_told; /* produced, as acknowledged heartbeats said it */
	uint64_t beat_says;
};

uint64_t fleet_random(struct fleet *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	return f->random ^= f->random << 17;
}

/* ---- figures ---- */

void hist_add(struct hist *h, uint64_t us, uint64_t weight)
{
	unsigned log = us < 16 ? 0 : 63 - (unsigned)__builtin_clzll(us) - 4 + 1;
	unsigned at = log ? log * 16 + (unsigned)(us >> (log - 1)) - 16 : (unsigned)us;

	h->bucket[at < HIST_BUCKETS ? at : HIST_BUCKETS - 1] += weight;
	h->count += weight;
	h->max_us = us > h->max_us ? us : h->max_us;
}

double hist_ms(const struct hist *h, double quantile)
{
	uint64_t want = (uint64_t)((double)h->count * quantile), n = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		n += h->bucket[i];
		if (n > want)
			return (i < 16 ? i : (double)((uint64_t)(i % 16 + 17) << (i / 16 - 1))) / 1000.0;
	}
	return (double)h->max_us / 1000.0;
}

/* ---- sending ---- */

static uint32_t new_id(struct agent *a)
{
	a->next_id = (a->next_id + 1) & (REPLAY_BIT - 1);
	return a->next_id ? a->next_id : ++a->next_id;
}

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void send_request(struct agent *a, uint32_t id, Picket__Request *m)
{
	struct err err;

	m->protocol = PROTO_VERSION;
	m->agent_id = a->id;
	buf_reset(&a->f->out);
	if (msg_pack_request(m, &a->f->out, &err) >= 0)
		link_send(a->link, id, buf_slice(&a->f->out));
}

static void greet(struct agent *a)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__Hello h = PICKET__HELLO__INIT;

	a->flight_count = 0;
	a->sent = a->acked;
	a->is_greeted = false;
	h.hostname = a->host;
	h.agent_version = text("0.1.0");
	h.kernel = text("6.1.0-sim");
	h.machine_id = a->id;
	h.boot_id = a->id;
	h.epoch = a->f->cfg.epoch;
	h.first_seq = a->acked + 1;
	h.next_seq = a->made + 1;
	m.body_case = PICKET__REQUEST__BODY_HELLO;
	m.hello = &h;
	a->hello_id = new_id(a);
	a->hello_ns = a->f->now_ns;
	send_request(a, a->hello_id, &m);
}

void agent_heartbeat(struct agent *a)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__Heartbeat h = PICKET__HEARTBEAT__INIT;

	a->beat_due_ns = a->f->now_ns + HEARTBEAT_MS * MS;
	a->beat_wanted = true;
	if (!a->is_greeted || a->is_held)
		return;
	h.time_unix_ns = clock_unix_ns(clock_real());
	h.epoch = a->f->cfg.epoch;
	h.produced = a->made;
	h.spool_records = a->made - a->acked;
	h.spool_bytes = h.spool_records * 300;
	h.spool_oldest_unix_ns = h.spool_records ? h.time_unix_ns : 0;
	h.rss_bytes = 20 << 20;
	h.rules_version = text("sim");
	m.body_case = PICKET__REQUEST__BODY_HEARTBEAT;
	m.heartbeat = &h;
	a->beat_id = new_id(a);
	a->beat_says = a->made;
	a->beat_wanted = false;
	send_request(a, a->beat_id, &m);
}

/* Packs numbers from..: at most count, without a dropped one. Returns how many. */
static uint64_t pack(struct agent *a, uint64_t epoch, uint64_t from, uint64_t count, uint64_t lost_before)
{
	struct fleet *f = a->f;
	uint64_t n = 0;
	struct err err;

	buf_reset(&f->data);
	for (; n < count && n < LIMIT_BATCH_RECORDS && f->data.n < BATCH_BYTES; n++) {
		size_t at = f->data.n;

		mix_record(&f->cfg.mix, a->index, epoch, from + n, &f->data);
		f->records[n].n = f->data.n - at;
	}
	size_t at = 0;
	for (uint64_t i = 0; i < n; i++) {
		f->records[i].p = f->data.p + at;
		at += f->records[i].n;
	}
	buf_reset(&f->out);
	return msg_pack_batch(a->id, epoch, from, lost_before, f->records, n, &f->out, &err) < 0 ? 0 : n;
}

/* The first number after seq that was not dropped; *ret_end: the last before the next dropped one. */
static uint64_t next_kept(const struct agent *a, uint64_t seq, uint64_t *ret_end)
{
	uint64_t from = seq + 1;

	*ret_end = a->ready;
	for (unsigned i = 0; i < a->range_count; i++) {
		if (from >= a->ranges[i].from && from <= a->ranges[i].to)
			from = a->ranges[i].to + 1;
		else if (a->ranges[i].from > from) {
			*ret_end = a->ranges[i].from - 1;
			break;
		}
	}
	return from;
}

static void pump(struct agent *a)
{
	struct fleet *f = a->f;

	while (a->is_greeted && !a->is_held && a->flight_count < a->credit && a->sent < a->ready &&
	       f->now_ns >= a->wait_until_ns) {
		uint64_t end, first = next_kept(a, a->sent, &end), most = f->cfg.batch_max ? f->cfg.batch_max : UINT64_MAX;

		if (first > end || (a->flight_count && a->ready - a->sent < FEW))
			return;
		uint64_t want = end - first + 1 < most ? end - first + 1 : most;
		uint64_t n = pack(a, f->cfg.epoch, first, want, first - a->sent - 1);
		if (!n)
			return;
		a->flights[a->flight_count++] =
			(struct flight){ .id = new_id(a), .first = first, .count = n, .sent_ns = f->now_ns };
		f->t.batches++;
		f->t.records += n;
		f->t.bytes += f->out.n;
		a->sent = first + n - 1;
		link_send(a->link, a->flights[a->flight_count - 1].id, buf_slice(&f->out));
	}
}

/* A repeat of what is stored: the same again, one that overlaps, one out of order, one of an old epoch, one
 * with a number beyond reason. None may change a thing. */
static void send_replay(struct agent *a)
{
	struct fleet *f = a->f;
	uint64_t r = fleet_random(f), back = 1 + r % 100, epoch = f->cfg.epoch, from, count, lost = 0;
	unsigned kind = (unsigned)(r >> 32) % 5;

	if (a->acked < 200 || a->range_count)
		return;
	from = a->acked - back;
	count = back / 2 + 1;
	if (kind == 1) /* over the end of what is acknowledged, into what is under way */
		count = a->sent - from + 1 > LIMIT_BATCH_RECORDS ? LIMIT_BATCH_RECORDS : a->sent - from + 1;
	else if (kind == 2) /* a hole that is not declared */
		from = a->made + 1000;
	else if (kind == 3 && f->cfg.old_end > 100)
		epoch = f->cfg.old_epoch, from = 1 + r % (f->cfg.old_end - 60), count = 50;
	else if (kind == 4)
		from = 1ull << 62, lost = from - a->acked - 1;
	if (!pack(a, epoch, from, count, lost))
		return;
	f->t.replays++;
	link_send(a->link, new_id(a) | REPLAY_BIT | (uint32_t)(kind == 2 || kind == 4) << 29, buf_slice(&f->out));
}

/* ---- answers ---- */

static void took(struct agent *a, uint64_t seq)
{
	struct fleet *f = a->f;

	if (seq <= a->acked)
		return;
	for (; a->burst_count && a->bursts[a->burst_head].end <= seq; a->burst_count--) {
		uint64_t us = (f->now_ns - a->bursts[a->burst_head].ns) / 1000;
		uint64_t first = a->bursts[(a->burst_head + BURSTS - 1) % BURSTS].end;
		uint64_t n = a->bursts[a->burst_head].end - (first < a->bursts[a->burst_head].end ? first : 0);

		hist_add(&f->t.made_to_ack, us, n);
		if (a->index)
			hist_add(&f->t.others, us, n);
		a->burst_head = (a->burst_head + 1) % BURSTS;
	}
	a->acked = seq;
	if (a->sent < seq)
		a->sent = seq;
}

static void got_ack(struct agent *a, uint32_t id, const Picket__Ack *ack)
{
	struct fleet *f = a->f;
	unsigned kept = 0;

	f->t.acks++;
	if (ack->epoch != f->cfg.epoch)
		return;
	if (ack->stored_seq > a->sent)
		f->t.phantom++;
	for (unsigned i = 0; i < a->flight_count; i++) {
		const struct flight *fl = &a->flights[i];

		if (fl->id == id)
			hist_add(&f->t.send_to_ack, (f->now_ns - fl->sent_ns) / 1000, 1);
		if (fl->first + fl->count - 1 > ack->stored_seq)
			a->flights[kept++] = *fl;
	}
	a->flight_count = kept;
	took(a, ack->stored_seq);
	a->credit = ack->credit < LIMIT_CREDIT ? ack->credit : LIMIT_CREDIT;
	a->failures = 0;
	if (f->cfg.replay_pct && fleet_random(f) % 100 < f->cfg.replay_pct)
		send_replay(a);
}

static void got_hello(struct agent *a, const Picket__HelloReply *h)
{
	a->hello_id = 0;
	if (h->stored_seq < a->acked)
		a->f->t.acked_lost += a->acked - h->stored_seq;
	if (h->stored_seq > a->made)
		a->f->t.phantom++;
	took(a, h->stored_seq);
	a->sent = a->acked;
	a->credit = h->credit < LIMIT_CREDIT ? h->credit : LIMIT_CREDIT;
	a->is_greeted = true;
	if (a->is_new || a->beat_wanted)
		agent_heartbeat(a);
	a->is_new = false;
}

static void got_refusal(struct agent *a, uint32_t id, const Picket__Refusal *r)
{
	struct fleet *f = a->f;

	f->t.refused[r->reason & 15]++;
	snprintf(f->t.last_why, sizeof(f->t.last_why), "refused: %.100s", r->message);
	uint64_t ms = r->retry_ms ? r->retry_ms : r->reason == PICKET__REFUSAL__REASON__REASON_ORDER ? 0 : 1000;
	a->wait_until_ns = f->now_ns + (ms + fleet_random(f) % (ms / 4 + 1)) * MS;
	a->is_greeted = false;
	a->flight_count = 0;
	if (id == a->hello_id)
		a->hello_id = 0;
	if (!ms)
		greet(a);
}

static void got_replay(struct agent *a, uint32_t id, const Picket__Reply *m)
{
	struct fleet_totals *t = &a->f->t;
	bool was_wrong = id >> 29 & 1, is_refused = m->body_case == PICKET__REPLY__BODY_REFUSAL;

	t->replays_answered++;
	t->replays_refused += is_refused;
	t->replays_wrong += was_wrong != is_refused && !(is_refused && m->refusal->reason == PICKET__REFUSAL__REASON__REASON_BUSY);
}

static void on_reply(void *arg, uint32_t id, struct slice msg)
{
	struct agent *a = arg;
	Picket__Reply *m;
	struct err err;

	arena_reset(a->f->arena);
	if (msg_read_reply(msg, a->f->arena, &m, &err) < 0) {
		snprintf(a->f->t.last_why, sizeof(a->f->t.last_why), "%.150s", err.msg);
		return;
	}
	if (id & REPLAY_BIT) {
		got_replay(a, id, m);
		return;
	}
	if (m->body_case == PICKET__REPLY__BODY_REFUSAL)
		got_refusal(a, id, m->refusal);
	else if (m->body_case == PICKET__REPLY__BODY_ACK)
		got_ack(a, id, m->ack);
	else if (m->body_case == PICKET__REPLY__BODY_HELLO && id == a->hello_id)
		got_hello(a, m->hello);
	else if (m->body_case == PICKET__REPLY__BODY_HEARTBEAT && id == a->beat_id)
		a->beat_told = a->beat_says;
	pump(a);
}

/* ---- the connection ---- */

static void back_off(struct agent *a)
{
	unsigned doublings = a->failures < 6 ? a->failures : 6;
	uint64_t ms = (uint64_t)BACKOFF_MIN_MS << doublings;

	ms = ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms;
	a->failures++;
	a->dial_ns = a->f->now_ns + (ms / 2 + fleet_random(a->f) % (ms / 2 + 1)) * MS;
	a->is_open = a->is_greeted = false;
	a->flight_count = 0;
	a->hello_id = 0;
}

static void on_open(void *arg)
{
	struct agent *a = arg;

	a->f->t.opens++;
	a->is_open = true;
	a->wait_until_ns = 0;
	greet(a);
}

static void on_close(void *arg, const char *why)
{
	struct agent *a = arg;

	if (a->is_open)
		a->f->t.closes++;
	else
		a->f->t.failed_dials++;
	snprintf(a->f->t.last_why, sizeof(a->f->t.last_why), "%.150s", why);
	back_off(a);
}

const struct link_ops agent_link_ops = { on_open, on_reply, on_close };

void agent_cut(struct agent *a, uint64_t now_ns)
{
	a->f->now_ns = now_ns;
	if (!a->is_open)
		return;
	link_close(a->link);
	a->f->t.closes++;
	back_off(a);
}

void agent_hold(struct agent *a, bool is_held)
{
	a->is_held = is_held;
	link_freeze(a->link, is_held);
}

/* ---- time ---- */

/* A full spool loses its oldest numbers that are not under way. */
static void drop(struct agent *a)
{
	uint64_t max = a->f->cfg.spool_max, end, from;

	if (!max || a->made - a->acked <= max + max / 8)
		return;
	from = next_kept(a, a->sent > a->acked ? a->sent : a->acked, &end);
	uint64_t n = a->made - a->acked - max, to = from + n - 1;
	if (to > end || from > end)
		to = end;
	if (to < from)
		return;
	if (a->range_count && a->ranges[a->range_count - 1].to + 1 == from)
		a->ranges[a->range_count - 1].to = to;
	else if (a->range_count < RANGES)
		a->ranges[a->range_count].from = from, a->ranges[a->range_count++].to = to;
	else
		return;
	a->lost += to - from + 1;
}

void agent_make(struct agent *a, uint64_t now_ns, uint64_t count)
{
	a->made += count;
	if (a->ready_at_ns < now_ns)
		a->ready_at_ns = now_ns + a->f->cfg.flush_ms * MS;
	if (a->burst_count == BURSTS) { /* a long outage: the newest stands for more */
		a->bursts[(a->burst_head + BURSTS - 1) % BURSTS].end = a->made;
		return;
	}
	unsigned at = (a->burst_head + a->burst_count++) % BURSTS;
	a->bursts[at].end = a->made;
	a->bursts[at].ns = now_ns;
}

static double unit(struct fleet *f)
{
	return ((double)(fleet_random(f) >> 11) + 1) / 9007199254740993.0;
}

static uint64_t until_next(struct agent *a)
{
	return (uint64_t)(-log(unit(a->f)) * 1e9 * a->f->cfg.burst / a->rate);
}

void agent_rate(struct agent *a, uint64_t now_ns, double rate)
{
	a->rate = rate;
	if (rate > 0)
		a->next_make_ns = now_ns + until_next(a);
}

static void make_due(struct agent *a, uint64_t now_ns)
{
	for (unsigned i = 0; a->rate > 0 && a->next_make_ns <= now_ns && i < 1000; i++) {
		uint64_t n = a->f->cfg.burst < 2 ? 1 : 1 + fleet_random(a->f) % (2 * a->f->cfg.burst - 1);

		agent_make(a, a->next_make_ns, n);
		a->next_make_ns += until_next(a);
	}
	if (now_ns >= a->ready_at_ns)
		a->ready = a->made;
	drop(a);
}

void agent_turn(struct agent *a, uint64_t now_ns)
{
	a->f->now_ns = now_ns;
	make_due(a, now_ns);
	if (link_is_idle(a->link)) {
		if (now_ns >= a->dial_ns && !a->is_held)
			link_dial(a->link);
		return;
	}
	if (a->is_held || !a->is_open)
		return;
	bool is_late = (a->hello_id && now_ns - a->hello_ns > ANSWER_MS * MS) ||
		       (a->flight_count && now_ns - a->flights[0].sent_ns > ANSWER_MS * MS);
	if (is_late) {
		a->f->t.timeouts++;
		agent_cut(a, now_ns);
		return;
	}
	if (!a->is_greeted && !a->hello_id && now_ns >= a->wait_until_ns)
		greet(a);
	if (a->is_greeted && now_ns >= a->beat_due_ns)
		agent_heartbeat(a);
	pump(a);
}

/* ---- the ledger ---- */

bool agent_is_settled(const struct agent *a)
{
	return a->acked == a->made && a->beat_told == a->made;
}

bool agent_is_open(const struct agent *a)
{
	return a->is_greeted;
}

uint64_t agent_produced(const struct agent *a)
{
	return a->made;
}

uint64_t agent_acked(const struct agent *a)
{
	return a->acked;
}

uint64_t agent_lost(const struct agent *a)
{
	return a->lost;
}

void agent_print(const struct agent *a, FILE *f)
{
	fprintf(f, "%s %s %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, a->id, a->host, a->index, a->f->cfg.epoch,
		a->made, a->acked, a->lost);
	for (unsigned i = 0; i < a->range_count; i++)
		fprintf(f, " %" PRIu64 "-%" PRIu64, a->ranges[i].from, a->ranges[i].to);
	fputc('\n', f);
}

struct agent *agent_new(struct fleet *f, uint32_t index, const char *id, const char *host, X509 *cert, EVP_PKEY *key)
{
	struct agent *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->f = f;
	a->index = index;
	a->is_new = true;
	snprintf(a->id, sizeof(a->id), "%s", id);
	snprintf(a->host, sizeof(a->host), "%s", host);
	a->link = link_new(f->pool, cert, key, a);
	if (!a->link) {
		free(a);
		return NULL;
	}
	return a;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	link_free(a->link);
	free(a);
}
