/* uplink.c - ties spool, batcher and wire to the loop: three timers and the connection. */
#include "agent/uplink/uplink.h"

#include <errno.h>
#include <stdio.h>

#include "agent/uplink/batcher.h"
#include "agent/uplink/enrolment.h"
#include "agent/uplink/limits.h"
#include "agent/uplink/spool.h"
#include "common/log.h"
#include "common/wire.h"
#include "proto/msg.h"

enum {
	LOSS_INTERVAL_MS = 1000,
	LOSSES_AT_ONCE = 16,
	/* More sockets than an outage leaves: a dial that nobody answers ends after two minutes, and
	 * the first ones begin 12 s apart. */
	LOST_TOO_MANY = 12,
};

struct uplink {
	const struct clock *clk;
	struct uplink_config cfg;
	const struct uplink_ops *ops;
	void *arg;
	struct enrolment who;
	struct spool *spool;
	struct batcher *batcher;
	struct wire_client *client;
	struct loop_timer *flush, *sync, *tick;
	bool is_flush_set, is_sync_set, is_disk_failing;
	uint64_t next_loss_ns;
	bool is_connected;
	char why[200];

	/* The question under way; fn: NULL without one. */
	struct {
		uplink_answer_fn fn;
		void *arg;
		uint32_t id;
		struct loop_timer *timer;
	} ask;
};

/* ---- time ---- */

/* At most once a second: under a flood each drop would otherwise make a record of its own. */
static void tell_losses(struct uplink *u)
{
	uint64_t now = clock_boot_ns(u->clk);
	struct uplink_loss loss;

	if (now < u->next_loss_ns)
		return;
	for (unsigned i = 0; i < LOSSES_AT_ONCE && spool_take_loss(u->spool, &loss); i++) {
		u->next_loss_ns = now + LOSS_INTERVAL_MS * 1000000ULL;
		u->ops->on_loss(u->arg, &loss);
	}
}

static void run(struct uplink *u)
{
	uint64_t due_ms = batcher_tick(u->batcher);

	tell_losses(u);
	if (due_ms > LOSS_INTERVAL_MS && clock_boot_ns(u->clk) < u->next_loss_ns)
		due_ms = LOSS_INTERVAL_MS;
	loop_timer_once(u->tick, due_ms);
}

static void on_tick(void *arg)
{
	run(arg);
}

static void set_flush(struct uplink *u, uint64_t ms)
{
	if (!u->is_flush_set)
		loop_timer_once(u->flush, ms);
	u->is_flush_set = true;
}

static void flush_now(struct uplink *u)
{
	struct err err;

	if (spool_flush(u->spool, &err) < 0) {
		if (!u->is_disk_failing)
			LOG(ERROR, "spool.write", KV_STR("why", err.msg),
			    KV_STR("what", "retrying"));
		u->is_disk_failing = true;
	} else if (u->is_disk_failing && !spool_is_buffered(u->spool)) {
		LOG(INFO, "spool.write", KV_STR("what", "works again"));
		u->is_disk_failing = false;
	}
	if (spool_is_buffered(u->spool))
		set_flush(u, SPOOL_RETRY_MS);
	if (!u->is_sync_set)
		loop_timer_once(u->sync, u->cfg.sync_ms);
	u->is_sync_set = true;
}

static void on_flush(void *arg)
{
	struct uplink *u = arg;

	u->is_flush_set = false;
	flush_now(u);
	run(u);
}

static void on_sync(void *arg)
{
	struct uplink *u = arg;
	struct err err;

	u->is_sync_set = false;
	if (spool_sync(u->spool, &err) < 0)
		LOG(WARN, "spool.sync", KV_STR("why", err.msg));
}

/* ---- questions beside the batches ---- */

static void answer(struct uplink *u, const Picket__Reply *reply)
{
	uplink_answer_fn fn = u->ask.fn;

	u->ask.fn = NULL;
	loop_timer_stop(u->ask.timer);
	if (fn)
		fn(u->ask.arg, reply);
}

static void on_ask_timeout(void *arg)
{
	answer(arg, NULL);
}

static void read_answer(struct uplink *u, struct slice msg)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	Picket__Reply *reply = NULL;
	struct err err;

	if (!a)
		err_set(&err, ENOMEM, "an answer");
	if (!a || msg_read_reply(msg, a, &reply, &err) < 0)
		LOG(WARN, "uplink.answer", KV_STR("why", err.msg));
	answer(u, reply);
}

int uplink_ask(struct uplink *u, Picket__Request *m, uplink_answer_fn fn, void *arg, struct err *err)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	if (u->ask.fn)
		return err_set(err, EAGAIN, "a question is under way");
	if (!u->is_connected)
		return err_set(err, ENOTCONN, "ask the collector");
	m->protocol = PROTO_VERSION;
	m->agent_id = u->who.agent_id;
	buf_init(&out, LIMIT_MESSAGE_BYTES);
	int r = msg_pack_request(m, &out, err);
	if (r < 0)
		return r;
	u->ask.id = u->ask.id > BATCHER_ID_MAX && u->ask.id < INT32_MAX ? u->ask.id + 1 : BATCHER_ID_MAX + 1;
	r = wire_request(u->client, u->ask.id, buf_slice(&out), err);
	if (r < 0)
		return r;
	u->ask.fn = fn;
	u->ask.arg = arg;
	loop_timer_once(u->ask.timer, UPLINK_ASK_MS);
	return 0;
}

/* ---- the connection ---- */

static void on_open(void *arg)
{
	struct uplink *u = arg;

	if (wire_lost() > LOST_TOO_MANY)
		LOG(WARN, "uplink.lost", KV_U64("sockets", wire_lost()),
		    KV_STR("why", "connections that were closed have not ended"));
	batcher_open(u->batcher);
	run(u);
}

static void on_reply(void *arg, uint32_t id, struct slice msg)
{
	struct uplink *u = arg;

	if (id > BATCHER_ID_MAX) {
		/* An answer that comes after its time is nobody's. */
		if (u->ask.fn && id == u->ask.id)
			read_answer(u, msg);
		return;
	}
	batcher_reply(u->batcher, id, msg);
	run(u);
}

static void on_close(void *arg)
{
	struct uplink *u = arg;

	batcher_close(u->batcher);
	answer(u, NULL);
}

static void on_failed(void *arg, const char *why)
{
	struct uplink *u = arg;

	batcher_failed(u->batcher, why);
}

static const struct wire_client_ops wire_ops = {
	.on_open = on_open, .on_reply = on_reply, .on_close = on_close, .on_failed = on_failed};

/* ---- what the batcher asks for ---- */

static int do_send(void *arg, uint32_t id, struct slice msg, struct err *err)
{
	struct uplink *u = arg;

	return wire_request(u->client, id, msg, err);
}

static void do_restart(void *arg)
{
	struct uplink *u = arg;

	wire_client_restart(u->client);
}

static char *text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

static int do_heartbeat(void *arg, struct buf *out, struct err *err)
{
	struct uplink *u = arg;
	struct uplink_heartbeat said = {0};
	struct spool_stats st;
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__Heartbeat h = PICKET__HEARTBEAT__INIT;
	Picket__Sensor sensors[LIMIT_SENSORS], *pointers[LIMIT_SENSORS];

	u->ops->on_heartbeat(u->arg, &said);
	spool_stats(u->spool, &st);
	h.time_unix_ns = clock_unix_ns(u->clk);
	h.epoch = st.epoch;
	h.produced = st.produced;
	h.lost_process = said.lost[UPLINK_PROCESS];
	h.lost_rare = said.lost[UPLINK_RARE];
	h.lost_volume = said.lost[UPLINK_VOLUME];
	h.spool_records = st.records;
	h.spool_bytes = st.bytes;
	h.spool_oldest_unix_ns = st.oldest_unix_ns;
	h.rss_bytes = said.rss_bytes;
	h.cpu_ns = said.cpu_ns;
	h.containers = said.containers;
	h.processes = said.processes;
	h.rules_version = text(said.rules_version);
	h.folded = said.folded;
	h.actions = said.actions;
	for (size_t i = 0; i < said.sensor_count && i < LIMIT_SENSORS; i++) {
		picket__sensor__init(&sensors[i]);
		sensors[i].name = text(said.sensors[i].name);
		sensors[i].why_not = text(said.sensors[i].why_not);
		sensors[i].attached = said.sensors[i].attached;
		pointers[h.n_sensors++] = &sensors[i];
	}
	h.sensors = pointers;
	Picket__PolicyState policy = PICKET__POLICY_STATE__INIT;
	policy.digest = text(said.policy.digest);
	policy.source = text(said.policy.source);
	policy.mode = text(said.policy.mode);
	policy.error = text(said.policy.error);
	policy.has_admission = said.policy.has_admission;
	policy.has_network = said.policy.has_network;
	policy.denied = said.policy.denied;
	policy.would_deny = said.policy.would_deny;
	h.policy = &policy;
	m.protocol = PROTO_VERSION;
	m.agent_id = u->who.agent_id;
	m.body_case = PICKET__REQUEST__BODY_HEARTBEAT;
	m.heartbeat = &h;
	return msg_pack_request(&m, out, err);
}

static void do_state(void *arg, bool is_connected, const char *why)
{
	struct uplink *u = arg;

	u->is_connected = is_connected;
	slice_copy(slice_of(why), u->why, sizeof(u->why));
	if (u->ops->on_state)
		u->ops->on_state(u->arg, is_connected, why);
}

static void do_configuration(void *arg, const Picket__Configuration *c)
{
	struct uplink *u = arg;

	if (u->ops->on_policy && c->policy_digest && *c->policy_digest)
		u->ops->on_policy(u->arg, msg_slice(c->policy), c->policy_digest);
}

static const struct batcher_ops batcher_ops = { .send = do_send,
						.restart = do_restart,
						.heartbeat = do_heartbeat,
						.on_configuration = do_configuration,
						.on_state = do_state };

/* ---- for the agent ---- */

int uplink_append(struct uplink *u, enum uplink_class class, uint64_t time_unix_ns,
		  struct slice record, uint64_t *ret_seq, struct err *err)
{
	int r = spool_append(u->spool, class, time_unix_ns, record, ret_seq, err);

	set_flush(u, u->cfg.flush_ms);
	return r;
}

void uplink_stats(const struct uplink *u, struct uplink_stats *ret)
{
	struct spool_stats st;

	spool_stats(u->spool, &st);
	*ret = (struct uplink_stats){.is_connected = u->is_connected,
				     .epoch = st.epoch,
				     .produced = st.produced,
				     .acked = batcher_acked(u->batcher),
				     .spool_records = st.records,
				     .spool_bytes = st.bytes,
				     .spool_oldest_unix_ns = st.oldest_unix_ns,
				     .last_ack_unix_ns = batcher_last_ack_unix_ns(u->batcher)};
	memcpy(ret->lost, st.lost, sizeof(ret->lost));
	slice_copy(slice_of(u->why), ret->why, sizeof(ret->why));
}

static uint64_t within(uint64_t v, uint64_t unset, uint64_t min, uint64_t max)
{
	if (!v)
		return unset;
	return v < min ? min : v > max ? max : v;
}

static int start(struct uplink *u, struct loop *l, struct err *err)
{
	char path[4096];
	struct wire_tls tls;

	int r = enrolment_read(u->cfg.state_dir, &u->who, err);
	if (r < 0)
		return r;
	if ((size_t)snprintf(path, sizeof(path), "%s/spool", u->cfg.state_dir) >= sizeof(path))
		return err_set(err, ENAMETOOLONG, "'%s'", u->cfg.state_dir);
	r = spool_open(path, u->cfg.spool_max_bytes, u->clk, &u->spool, err);
	if (r >= 0)
		r = batcher_new(u->spool, u->clk, &u->cfg, u->who.agent_id, &batcher_ops, u,
				&u->batcher, err);
	if (r < 0)
		return r;
	u->flush = loop_timer_new(l, on_flush, u);
	u->sync = loop_timer_new(l, on_sync, u);
	u->tick = loop_timer_new(l, on_tick, u);
	u->ask.timer = loop_timer_new(l, on_ask_timeout, u);
	if (!u->flush || !u->sync || !u->tick || !u->ask.timer)
		return err_set(err, ENOMEM, "make the uplink's timers");
	tls = (struct wire_tls){.ca_pem = buf_slice(&u->who.ca_pem),
				.cert_pem = buf_slice(&u->who.cert_pem),
				.key_pem = buf_slice(&u->who.key_pem),
				.server_name = u->cfg.server_name};
	return wire_client_new(l, u->cfg.url, &tls, &wire_ops, u, &u->client, err);
}

int uplink_new(struct loop *l, const struct clock *clk, const struct uplink_config *cfg,
	       const struct uplink_ops *ops, void *arg, struct uplink **ret, struct err *err)
{
	CLEANUP(uplink_freep) struct uplink *u = calloc(1, sizeof(*u));

	if (!u)
		return err_set(err, ENOMEM, "make the uplink");
	u->clk = clk;
	u->cfg = *cfg;
	u->cfg.flush_ms = within(cfg->flush_ms, 20, 5, 10000);
	u->cfg.sync_ms = within(cfg->sync_ms, 100, 5, 60000);
	u->cfg.heartbeat_ms = within(cfg->heartbeat_ms, 10000, 100, 600000);
	u->ops = ops;
	u->arg = arg;
	slice_copy(SLICE_LIT("not connected yet"), u->why, sizeof(u->why));
	int r = start(u, l, err);
	if (r < 0)
		return r;
	/* What the start found damaged is told with the first turn of the loop. */
	loop_timer_once(u->tick, 1);
	*ret = take_ptr(u);
	return 0;
}

void uplink_free(struct uplink *u)
{
	if (!u)
		return;
	loop_timer_free(u->flush);
	loop_timer_free(u->sync);
	loop_timer_free(u->tick);
	loop_timer_free(u->ask.timer);
	wire_client_free(u->client);
	batcher_free(u->batcher);
	spool_close(u->spool);
	enrolment_fini(&u->who);
	free(u);
}
