/* intake.c - see intake.h.
 *
 *   message -> who (certificate against the name in it) -> whole (two passes: every record is checked
 *   before the first is stored) -> new (watermark) -> store + pipeline, in the group's transaction
 *   on_idle -> commit -> replies
 *
 * A group is what arrived between two turns of the loop, so its size follows the load: one batch when
 * it is quiet, dozens per fsync when it is not. Whoever made a group fail stands alone in the next. */
#include "collector/intake/intake.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/intake/refusals.h"
#include "common/log.h"
#include "common/text.h"

enum {
	GROUP_MAX_REPLIES = 512,
	GROUP_MAX_RECORDS = 16384,
	GROUP_MAX_PACKED = 8 * 1024 * 1024, /* bytes of answers that wait for the commit */
	MAX_HOLE_BITS = 40, /* no agent makes a million million records between two batches */
	MAX_SEQ_BITS = 47,  /* nor so many in an epoch; the store's sums end at 2^48 */
	SUSPECTS = 64,
	KEPT_BYTES = 4 * 1024 * 1024, /* of a batch's unpacked records; further ones are unpacked twice */
	BUSY_RETRY_MS = 2000,
	/* A commit that takes longer than this blocks everybody else; then they get a turn of half its length, at most. */
	SLOW_COMMIT_MS = 50,
	TURN_MAX_MS = 500,
};

struct pending {
	uint64_t token;
	Picket__Reply__BodyCase kind;
	uint64_t epoch, seq;
	Picket__Refusal__Reason reason; /* of a refusal (kind 0) that tells what is stored */
	const char *why;		/* constant text */
	struct buf packed;		/* the whole answer, where it isn't empty */
	uint64_t taken_ns;		/* boot time when it was taken up */
};

struct peer {
	char agent[TLS_ID_MAX], serial[TLS_SERIAL_MAX];
	char host[STORE_NAME_MAX];
	uint64_t not_after_unix; /* of the certificate, s */
	/* agent "": the certificate names none; refused, and cut likewise */
	bool is_denied;		 /* refused, and logged; the sweep cuts it */
};

struct intake {
	struct store *store;
	const struct clock *clk;
	struct wire_server *server;
	struct intake_ops ops;
	void *arg;
	uint32_t credit;
	struct arena *request_arena, *record_arena, *batch_arena;
	Picket__Record *kept[LIMIT_BATCH_RECORDS]; /* of the batch that was checked, in batch_arena; or NULL */
	struct buf out;
	bool in_group;
	struct pending pending[GROUP_MAX_REPLIES];
	size_t pending_count, group_records, group_packed;
	/* Agents whose last request made a group fail; the oldest makes place. By agent and not by
	 * connection, so that coming again does not wash it off. */
	char suspects[SUSPECTS][TLS_ID_MAX];
	size_t next_suspect;
	struct intake_stats stats;
	struct prom_durations answers, commits;
	uint64_t taken_ns; /* of the request under way */
	struct refusals refusals;
};

static void notice(struct intake *in, const char *what, const char *agent, const char *detail)
{
	if (in->ops.on_notice)
		in->ops.on_notice(in->arg, what, agent, detail);
}

/* Is a refusal of this peer worth a line of the log? */
static bool is_news(struct intake *in, struct slice who, const char *why, uint64_t *ret_silent)
{
	return refusals_are_news(&in->refusals, who, why, clock_boot_ns(in->clk), ret_silent);
}

/* ---- answers ---- */

static void send_reply(struct intake *in, uint64_t token, const Picket__Reply *reply)
{
	struct err err;

	buf_reset(&in->out);
	if (msg_pack_reply(reply, &in->out, &err) < 0) {
		LOG(ERROR, "intake.reply", KV_STR("why", err.msg));
		wire_drop(in->server, token);
		return;
	}
	wire_reply(in->server, token, buf_slice(&in->out));
}

static void refuse(struct intake *in, uint64_t token, Picket__Refusal__Reason reason, const char *why,
		   uint64_t stored_seq)
{
	Picket__Refusal body = PICKET__REFUSAL__INIT;
	Picket__Reply reply = PICKET__REPLY__INIT;

	body.reason = reason;
	body.message = (char *)(uintptr_t)why;
	body.stored_seq = stored_seq;
	body.retry_ms = reason == PICKET__REFUSAL__REASON__REASON_BUSY ? BUSY_RETRY_MS : 0;
	reply.protocol = PROTO_VERSION;
	reply.body_case = PICKET__REPLY__BODY_REFUSAL;
	reply.refusal = &body;
	send_reply(in, token, &reply);
}

static void answer(struct intake *in, const struct pending *p)
{
	if (p->packed.n) {
		wire_reply(in->server, p->token, buf_slice(&p->packed));
		return;
	}
	Picket__Reply reply = PICKET__REPLY__INIT;
	Picket__HelloReply hello = PICKET__HELLO_REPLY__INIT;
	Picket__Ack ack = PICKET__ACK__INIT;
	Picket__HeartbeatReply beat = PICKET__HEARTBEAT_REPLY__INIT;

	reply.protocol = PROTO_VERSION;
	reply.body_case = p->kind;
	switch (p->kind) {
	case PICKET__REPLY__BODY_HELLO:
		hello.stored_seq = p->seq;
		hello.credit = in->credit;
		hello.server_unix_ns = clock_unix_ns(in->clk);
		reply.hello = &hello;
		break;
	case PICKET__REPLY__BODY_ACK:
		ack.epoch = p->epoch;
		ack.stored_seq = p->seq;
		ack.credit = in->credit;
		reply.ack = &ack;
		break;
	case PICKET__REPLY__BODY_HEARTBEAT:
		beat.server_unix_ns = clock_unix_ns(in->clk);
		reply.heartbeat = &beat;
		break;
	default:
		refuse(in, p->token, p->reason, p->why, p->seq);
		return;
	}
	send_reply(in, p->token, &reply);
}

/* ---- the group ---- */

static void group_forget(struct intake *in)
{
	for (size_t i = 0; i < in->pending_count; i++)
		buf_fini(&in->pending[i].packed);
	in->in_group = false;
	in->pending_count = 0;
	in->group_records = in->group_packed = 0;
}

/* Nothing of the group is stored: every sender in it comes again. agent: who spoilt it, "" = nobody. */
static void group_fail(struct intake *in, const char *agent, const struct err *why)
{
	in->stats.failed_groups++;
	LOG(ERROR, "intake.store", KV_STR("why", why->msg), KV_STR("agent", agent),
	    KV_U64("requests", in->pending_count), KV_U64("records", in->group_records));
	store_rollback(in->store);
	for (size_t i = 0; i < in->pending_count; i++)
		refuse(in, in->pending[i].token, PICKET__REFUSAL__REASON__REASON_BUSY,
		       "the collector could not store it", 0);
	group_forget(in);
}

/* A disk that syncs slowly would leave nothing between two commits: no handshake, no answer of the API. No
 * group is open meanwhile: others write in transactions of their own. */
static void leave_a_turn(struct intake *in, uint64_t began_ns)
{
	uint64_t took_ms = (clock_boot_ns(in->clk) - began_ns) / 1000000;

	if (took_ms >= SLOW_COMMIT_MS)
		wire_server_hold(in->server, took_ms / 2 < TURN_MAX_MS ? took_ms / 2 : TURN_MAX_MS);
}

static void group_commit(struct intake *in)
{
	struct err err;

	if (!in->in_group)
		return;
	uint64_t began = clock_boot_ns(in->clk);
	if (store_commit_only(in->store, &err) < 0) {
		group_fail(in, "", &err);
		return;
	}
	uint64_t now = clock_boot_ns(in->clk);
	in->stats.groups++;
	prom_durations_add(&in->commits, now - began);
	for (size_t i = 0; i < in->pending_count; i++) {
		answer(in, &in->pending[i]);
		prom_durations_add(&in->answers, now - in->pending[i].taken_ns);
	}
	group_forget(in);
	/* Whoever is answered need not wait for the packing of what has become full. */
	store_pack(in->store);
	leave_a_turn(in, began);
	if (in->ops.on_committed)
		in->ops.on_committed(in->arg);
}

static char *find_suspect(struct intake *in, const char *agent)
{
	for (size_t i = 0; i < SUSPECTS; i++)
		if (!strcmp(in->suspects[i], agent))
			return in->suspects[i];
	return NULL;
}

/* Opens the group that a request of this agent goes into. */
static int group_enter(struct intake *in, const struct peer *peer, struct err *err)
{
	if (in->pending_count == GROUP_MAX_REPLIES || in->group_records >= GROUP_MAX_RECORDS ||
	    in->group_packed >= GROUP_MAX_PACKED || find_suspect(in, peer->agent))
		group_commit(in);
	if (in->in_group)
		return 0;
	int r = store_begin(in->store, err);
	in->in_group = r >= 0;
	return r;
}

static void group_add(struct intake *in, const struct peer *peer, struct pending p)
{
	char *suspect = find_suspect(in, peer->agent);

	p.taken_ns = in->taken_ns;
	in->pending[in->pending_count++] = p;
	if (!suspect)
		return;
	group_commit(in);
	suspect[0] = '\0';
}

/* The request of this agent could not be stored. One that fails alone and for what is in it would
 * fail for ever, and everything behind it in the agent's spool would wait: that one is given up. */
static void group_spoil(struct intake *in, const struct peer *peer, uint64_t token, int r,
			const struct err *why)
{
	bool is_alone = find_suspect(in, peer->agent) != NULL;

	group_fail(in, peer->agent, why);
	if (!is_alone) {
		slice_copy(slice_of(peer->agent), in->suspects[in->next_suspect], TLS_ID_MAX);
		in->next_suspect = (in->next_suspect + 1) % SUSPECTS;
	}
	if (is_alone && (r == -ERR_LIMIT || r == -EINVAL || r == -ERR_SYNTAX)) {
		in->stats.refused_batches++;
		refuse(in, token, PICKET__REFUSAL__REASON__REASON_MALFORMED,
		       "the collector can't store what is in it", 0);
		return;
	}
	refuse(in, token, PICKET__REFUSAL__REASON__REASON_BUSY, "the collector could not store it", 0);
}

/* ---- one request ---- */

static int check_records(struct intake *in, const Picket__Batch *b, struct err *err)
{
	arena_reset(in->batch_arena);
	for (size_t i = 0; i < b->n_records; i++) {
		bool is_kept = arena_used(in->batch_arena) < KEPT_BYTES;
		Picket__Record *rec;

		if (!is_kept)
			arena_reset(in->record_arena);
		int r = msg_read_record(msg_slice(b->records[i]), is_kept ? in->batch_arena : in->record_arena, &rec, err);
		if (r < 0)
			return err_wrap(err, r, "record %" PRIu64, b->first_seq + i);
		in->kept[i] = is_kept ? rec : NULL;
	}
	return 0;
}

static int read_again(struct intake *in, const Picket__Batch *b, size_t i, Picket__Record **ret, struct err *err)
{
	*ret = in->kept[i];
	if (*ret)
		return 0;
	arena_reset(in->record_arena);
	return msg_read_record(msg_slice(b->records[i]), in->record_arena, ret, err);
}

static int store_records(struct intake *in, const struct peer *peer, const Picket__Batch *b,
			 uint64_t last, uint64_t *ret_stored, struct err *err)
{
	uint64_t stored = 0;

	for (size_t i = 0; i < b->n_records; i++) {
		uint64_t seq = b->first_seq + i;
		Picket__Record *rec;

		if (seq <= last)
			continue;
		int r = read_again(in, b, i, &rec, err);
		if (r < 0)
			return r;
		r = store_history_add(in->store, peer->agent, b->epoch, seq, msg_slice(b->records[i]), rec,
				      err);
		if (r < 0)
			return r;
		r = in->ops.on_record(in->arg, peer->agent, peer->host, b->epoch, seq, rec, err);
		if (r < 0)
			return r;
		stored++;
	}
	*ret_stored = stored;
	return 0;
}

/* A refusal that says how far the store is waits for the commit like an acknowledgement, as the agent
 * may forget everything up to there. */
static void refuse_order(struct intake *in, const struct peer *peer, uint64_t token,
			 Picket__Refusal__Reason reason, const char *why, uint64_t last)
{
	in->stats.refused_batches++;
	group_add(in, peer, (struct pending){ .token = token, .seq = last, .reason = reason, .why = why });
}

/* Is the batch the next one? Fills in the hole before it. */
static bool check_order(struct intake *in, const struct peer *peer, const Picket__Batch *b,
			uint64_t last, uint64_t token, uint64_t *ret_hole)
{
	uint64_t hole = b->first_seq > last + 1 ? b->first_seq - last - 1 : 0;

	if (hole >> MAX_HOLE_BITS || b->first_seq >> MAX_SEQ_BITS) {
		notice(in, "sequence_jump", peer->agent, "sequence numbers jumped beyond reason");
		LOG(ERROR, "intake.sequence_jump", KV_STR("agent", peer->agent), KV_U64("stored", last),
		    KV_U64("first", b->first_seq));
		refuse_order(in, peer, token, PICKET__REFUSAL__REASON__REASON_MALFORMED, "sequence jump",
			     last);
		return false;
	}
	if (hole > b->lost_before) {
		LOG(WARN, "intake.order", KV_STR("agent", peer->agent), KV_U64("stored", last),
		    KV_U64("first", b->first_seq), KV_U64("declared_lost", b->lost_before));
		refuse_order(in, peer, token, PICKET__REFUSAL__REASON__REASON_ORDER,
			     "records are missing before it", last);
		return false;
	}
	*ret_hole = hole;
	return true;
}

/* Stores what is new of it and queues the answer. */
static int store_batch(struct intake *in, const struct peer *peer, uint64_t token,
		       const Picket__Batch *b, struct err *err)
{
	uint64_t last = 0, hole = 0, stored = 0, end = b->first_seq + b->n_records - 1;
	int r = store_seq_get(in->store, peer->agent, b->epoch, &last, err);

	if (r < 0)
		return r;
	if (!check_order(in, peer, b, last, token, &hole))
		return 0;
	r = store_records(in, peer, b, last, &stored, err);
	if (r >= 0 && end > last)
		r = store_seq_set(in->store, peer->agent, b->epoch, end, stored, hole, err);
	if (r < 0)
		return r;
	in->stats.batches++;
	in->stats.records += stored;
	in->stats.duplicates += b->n_records - stored;
	in->group_records += b->n_records;
	group_add(in, peer,
		  (struct pending){ .token = token,
				    .kind = PICKET__REPLY__BODY_ACK,
				    .epoch = b->epoch,
				    .seq = end > last ? end : last });
	return 0;
}

static void handle_batch(struct intake *in, struct peer *peer, uint64_t token, const Picket__Batch *b)
{
	struct err err;

	if (check_records(in, b, &err) < 0) {
		in->stats.refused_batches++;
		LOG(WARN, "intake.malformed", KV_STR("agent", peer->agent), KV_STR("why", err.msg));
		refuse(in, token, PICKET__REFUSAL__REASON__REASON_MALFORMED, err.msg, 0);
		return;
	}
	if (store_has_room(in->store, &err) < 0) {
		LOG(ERROR, "intake.full", KV_STR("why", err.msg));
		refuse(in, token, PICKET__REFUSAL__REASON__REASON_BUSY, "the collector's disk is full", 0);
		return;
	}
	int r = group_enter(in, peer, &err);
	if (r >= 0)
		r = store_batch(in, peer, token, b, &err);
	if (r < 0)
		group_spoil(in, peer, token, r, &err);
}

static void check_clone(struct intake *in, const struct peer *peer, const Picket__Hello *h)
{
	struct store_agent known;
	struct err err;

	arena_reset(in->record_arena);
	if (store_agent_get(in->store, peer->agent, &known, in->record_arena, &err) < 0)
		return;
	if (known.machine_id && *known.machine_id && *h->machine_id &&
	    strcmp(known.machine_id, h->machine_id) != 0)
		notice(in, "identity_clone", peer->agent, h->hostname);
	bool is_back = false;
	if (store_epoch_is_back(in->store, peer->agent, h->epoch, &is_back, &err) >= 0 && is_back)
		notice(in, "epoch_back", peer->agent, h->hostname);
}

static int store_hello(struct intake *in, struct peer *peer, uint64_t token,
		       const Picket__Hello *h, struct err *err)
{
	uint64_t last = 0;

	check_clone(in, peer, h);
	int r = store_agent_hello(in->store, peer->agent, h, err);
	if (r >= 0)
		r = store_agent_host(in->store, peer->agent, peer->host, err);
	if (r >= 0 && *h->hostname && text_is_clean(slice_of(h->hostname)) &&
	    strcmp(peer->host, h->hostname) != 0)
		notice(in, "name_taken", peer->agent, h->hostname);
	if (r >= 0)
		r = store_seq_get(in->store, peer->agent, h->epoch, &last, err);
	if (r < 0)
		return r;
	LOG(INFO, "intake.hello", KV_STR("agent", peer->agent), KV_STR("host", peer->host),
	    KV_STR("version", h->agent_version), KV_U64("stored_seq", last), KV_U64("next_seq", h->next_seq));
	group_add(in, peer,
		  (struct pending){
			  .token = token, .kind = PICKET__REPLY__BODY_HELLO, .epoch = h->epoch, .seq = last });
	return 0;
}

static void handle_hello(struct intake *in, struct peer *peer, uint64_t token, const Picket__Hello *h)
{
	struct err err;

	int r = group_enter(in, peer, &err);
	if (r >= 0)
		r = store_hello(in, peer, token, h, &err);
	if (r < 0)
		group_spoil(in, peer, token, r, &err);
}

/* An answer that is packed now, as what it is made of goes with the next message; sent after the commit like all. */
static int group_add_packed(struct intake *in, const struct peer *peer, uint64_t token, const Picket__Reply *reply,
			    struct err *err)
{
	struct pending p = { .token = token };

	buf_init(&p.packed, LIMIT_MESSAGE_BYTES);
	int r = msg_pack_reply(reply, &p.packed, err);
	if (r < 0) {
		buf_fini(&p.packed);
		return r;
	}
	in->group_packed += p.packed.n;
	group_add(in, peer, p);
	return 0;
}

static int answer_heartbeat(struct intake *in, struct peer *peer, uint64_t token, const Picket__Heartbeat *h,
			    struct err *err)
{
	Picket__HeartbeatReply beat = PICKET__HEARTBEAT_REPLY__INIT;
	Picket__Reply reply = PICKET__REPLY__INIT;
	int r = store_agent_heartbeat(in->store, peer->agent, h, err);

	arena_reset(in->record_arena);
	if (r >= 0 && in->ops.on_heartbeat)
		r = in->ops.on_heartbeat(in->arg, peer->agent, peer->host, h, in->record_arena, &beat, err);
	if (r < 0)
		return r;
	if (!beat.configuration) {
		group_add(in, peer, (struct pending){ .token = token, .kind = PICKET__REPLY__BODY_HEARTBEAT });
		return 0;
	}
	beat.server_unix_ns = clock_unix_ns(in->clk);
	reply.protocol = PROTO_VERSION;
	reply.body_case = PICKET__REPLY__BODY_HEARTBEAT;
	reply.heartbeat = &beat;
	return group_add_packed(in, peer, token, &reply, err);
}

static void handle_heartbeat(struct intake *in, struct peer *peer, uint64_t token,
			     const Picket__Heartbeat *h)
{
	struct err err;
	int r = group_enter(in, peer, &err);

	if (r >= 0)
		r = answer_heartbeat(in, peer, token, h, &err);
	if (r < 0)
		group_spoil(in, peer, token, r, &err);
}

/* Answers what is about images and checks. */
static int answer_request(struct intake *in, struct peer *peer, uint64_t token, const Picket__Request *rq,
			  struct err *err)
{
	Picket__Reply reply = PICKET__REPLY__INIT;

	arena_reset(in->record_arena);
	int r = in->ops.on_request(in->arg, peer->agent, rq, in->record_arena, &reply, err);
	return r < 0 ? r : group_add_packed(in, peer, token, &reply, err);
}

static void handle_request(struct intake *in, struct peer *peer, uint64_t token, const Picket__Request *rq)
{
	struct err err;

	if (!in->ops.on_request) {
		refuse(in, token, PICKET__REFUSAL__REASON__REASON_MALFORMED, "images are not looked after here", 0);
		return;
	}
	if (store_has_room(in->store, &err) < 0) {
		refuse(in, token, PICKET__REFUSAL__REASON__REASON_BUSY, "the collector's disk is full", 0);
		return;
	}
	int r = group_enter(in, peer, &err);
	if (r >= 0)
		r = answer_request(in, peer, token, rq, &err);
	if (r < 0)
		group_spoil(in, peer, token, r, &err);
}

/* ---- the listener's callbacks ---- */

static const char nameless[] = "the certificate names no agent";

/* It may ask once, so that it hears why it is not let in; the sweep cuts it. */
static void note_nameless(struct intake *in, struct wire_peer *wp, const struct tls_identity *id)
{
	uint64_t silent;

	in->stats.refused_handshakes++;
	if (is_news(in, refusals_host(wire_peer_address(wp)), nameless, &silent))
		LOG(WARN, "intake.refused", KV_STR("peer", wire_peer_address(wp)), KV_STR("subject", id->subject),
		    KV_STR("why", nameless), KV_U64("silent", silent));
}

static bool on_open(void *arg, struct wire_peer *wp, const struct tls_identity *id)
{
	struct intake *in = arg;

	in->stats.connections++;
	if (!id->agent_id[0])
		note_nameless(in, wp, id);
	struct peer *peer = calloc(1, sizeof(*peer));
	if (!peer)
		return false;
	slice_copy(slice_of(id->agent_id), peer->agent, sizeof(peer->agent));
	slice_copy(slice_of(id->serial), peer->serial, sizeof(peer->serial));
	peer->not_after_unix = id->not_after_unix;
	/* The name people see until the first hello says otherwise. */
	if (store_agent_host(in->store, peer->agent, peer->host, NULL) < 0)
		slice_copy(slice_of(id->subject), peer->host, sizeof(peer->host));
	wire_peer_set(wp, peer);
	return true;
}

/* A revoked peer gets a refusal instead of a silent close, so that its log can say why. */
static bool is_welcome(struct intake *in, struct wire_peer *wp, struct peer *peer, uint64_t token)
{
	if (store_agent_may(in->store, peer->agent, peer->serial)) {
		peer->is_denied = false;
		return true;
	}
	uint64_t silent;
	if (!peer->is_denied && is_news(in, slice_of(peer->agent), "revoked", &silent)) {
		LOG(WARN, "intake.refused", KV_STR("agent", peer->agent), KV_STR("host", peer->host),
		    KV_STR("peer", wire_peer_address(wp)), KV_STR("serial", peer->serial),
		    KV_STR("why", "revoked or unknown"), KV_U64("silent", silent));
		notice(in, "revoked_agent", peer->agent, peer->host);
	}
	peer->is_denied = true;
	in->stats.refused_batches++;
	refuse(in, token, PICKET__REFUSAL__REASON__REASON_REVOKED,
	       "this agent's certificate is revoked or unknown here; enrol again", 0);
	return false;
}

static void on_message(void *arg, struct wire_peer *wp, uint64_t token, struct slice msg)
{
	struct intake *in = arg;
	struct peer *peer = wire_peer_get(wp);
	Picket__Request *rq;
	struct err err;

	if (!peer->agent[0]) {
		in->stats.refused_batches++;
		refuse(in, token, PICKET__REFUSAL__REASON__REASON_REVOKED,
		       "the certificate is of this fleet's CA, but names no agent: it was not made by enrolling; "
		       "`picket-agent enroll` makes one that does", 0);
		return;
	}
	in->taken_ns = clock_boot_ns(in->clk);
	arena_reset(in->request_arena);
	int r = msg_read_request(msg, in->request_arena, &rq, &err);
	if (r < 0) {
		in->stats.refused_batches++;
		LOG(WARN, "intake.malformed", KV_STR("agent", peer->agent),
		    KV_STR("peer", wire_peer_address(wp)), KV_U64("bytes", msg.n), KV_STR("why", err.msg));
		refuse(in, token,
		       r == -ERR_VERSION ? PICKET__REFUSAL__REASON__REASON_VERSION
					 : PICKET__REFUSAL__REASON__REASON_MALFORMED,
		       err.msg, 0);
		return;
	}
	if (strcmp(rq->agent_id, peer->agent) != 0) {
		in->stats.refused_batches++;
		LOG(WARN, "intake.not_you", KV_STR("certificate", peer->agent),
		    KV_STR("claimed", rq->agent_id), KV_STR("peer", wire_peer_address(wp)));
		notice(in, "forged_sender", peer->agent, rq->agent_id);
		refuse(in, token, PICKET__REFUSAL__REASON__REASON_NOT_YOU,
		       "the message names another agent than the certificate", 0);
		return;
	}
	if (!is_welcome(in, wp, peer, token))
		return;
	switch (rq->body_case) {
	case PICKET__REQUEST__BODY_HELLO:
		if (in->ops.on_address)
			in->ops.on_address(in->arg, peer->agent, peer->host, wire_peer_address(wp));
		handle_hello(in, peer, token, rq->hello);
		return;
	case PICKET__REQUEST__BODY_BATCH:
		handle_batch(in, peer, token, rq->batch);
		return;
	case PICKET__REQUEST__BODY_HEARTBEAT:
		handle_heartbeat(in, peer, token, rq->heartbeat);
		return;
	case PICKET__REQUEST__BODY_IMAGES_ASK:
	case PICKET__REQUEST__BODY_INVENTORY_PART:
	case PICKET__REQUEST__BODY_IMAGES_IN_USE:
	case PICKET__REQUEST__BODY_BASE_IMAGES:
	case PICKET__REQUEST__BODY_IMAGE_SCANS_ASK:
	case PICKET__REQUEST__BODY_CHECK_CATALOGUE:
		handle_request(in, peer, token, rq);
		return;
	default:
		refuse(in, token, PICKET__REFUSAL__REASON__REASON_MALFORMED,
		       "this listener takes no such request", 0);
	}
}

static void on_close(void *arg, struct wire_peer *wp)
{
	(void)arg;
	free(wire_peer_get(wp));
	wire_peer_set(wp, NULL);
}

static void on_refused(void *arg, const char *peer_addr, const char *why)
{
	struct intake *in = arg;

	uint64_t silent;

	in->stats.refused_handshakes++;
	if (is_news(in, refusals_host(peer_addr), why, &silent))
		LOG(WARN, "intake.handshake", KV_STR("peer", peer_addr), KV_STR("why", why),
		    KV_U64("silent", silent));
}

static void on_idle(void *arg)
{
	group_commit(arg);
}

static void sweep_peer(void *arg, struct wire_peer *wp)
{
	struct intake *in = arg;
	struct peer *peer = wire_peer_get(wp);

	if (!peer)
		return;
	/* The handshake looked at the dates once; a session may outlive its certificate. */
	bool is_expired = clock_unix_ns(in->clk) / 1000000000 > peer->not_after_unix;
	if (!is_expired && store_agent_may(in->store, peer->agent, peer->serial))
		return;
	LOG(WARN, "intake.cut", KV_STR("agent", peer->agent), KV_STR("host", peer->host),
	    KV_STR("why", is_expired ? "the certificate has expired" : peer->agent[0] ? "revoked or unknown" : nameless));
	wire_peer_close(wp);
}

void intake_sweep(struct intake *in)
{
	wire_server_each(in->server, sweep_peer, in);
}

void intake_stats(const struct intake *in, struct intake_stats *ret)
{
	*ret = in->stats;
	ret->peers = wire_server_peer_count(in->server);
}

const struct prom_durations *intake_answers(const struct intake *in)
{
	return &in->answers;
}

void intake_metrics(const struct intake *in, struct buf *out)
{
	const struct intake_stats *st = &in->stats;

	prom_one(out, "picket_intake_peers", PROM_GAUGE, "Agents connected.", wire_server_peer_count(in->server));
	prom_one(out, "picket_intake_connections_total", PROM_COUNTER, "Connections of agents.", st->connections);
	prom_one(out, "picket_intake_refused_handshakes_total", PROM_COUNTER, "Connections refused in the handshake.",
		 st->refused_handshakes);
	prom_one(out, "picket_intake_refused_requests_total", PROM_COUNTER, "Requests refused.", st->refused_batches);
	prom_one(out, "picket_intake_batches_total", PROM_COUNTER, "Batches stored.", st->batches);
	prom_one(out, "picket_intake_records_total", PROM_COUNTER, "Records stored since the start.", st->records);
	prom_one(out, "picket_intake_duplicates_total", PROM_COUNTER, "Records that came again and changed nothing.",
		 st->duplicates);
	prom_one(out, "picket_intake_failed_commits_total", PROM_COUNTER, "Groups of requests that could not be stored; they come again.",
		 st->failed_groups);
	prom_durations_write(out, "picket_intake_commit_seconds", "A group's commit, with its fsync.", &in->commits);
	prom_durations_write(out, "picket_intake_answer_seconds", "From taking a request up to its answer, after the commit.",
			     &in->answers);
}

int intake_port(const struct intake *in)
{
	return wire_server_port(in->server);
}

int intake_new(struct loop *l, struct store *s, const struct clock *clk, const struct intake_config *cfg,
	       const struct intake_ops *ops, void *arg, struct intake **ret, struct err *err)
{
	static const struct wire_server_ops server_ops = { .on_open = on_open,
							   .on_message = on_message,
							   .on_close = on_close,
							   .on_refused = on_refused,
							   .on_idle = on_idle };
	CLEANUP(intake_freep) struct intake *in = calloc(1, sizeof(*in));

	if (!in)
		return err_set(err, ENOMEM, "intake");
	in->store = s;
	in->clk = clk;
	in->ops = *ops;
	in->arg = arg;
	in->credit = cfg->credit ? cfg->credit : 4;
	if (in->credit > LIMIT_CREDIT)
		in->credit = LIMIT_CREDIT;
	buf_init(&in->out, LIMIT_MESSAGE_BYTES);
	in->request_arena = arena_new(LIMIT_ARENA_BYTES);
	in->record_arena = arena_new(LIMIT_ARENA_BYTES);
	/* one record more than is kept may come to it */
	in->batch_arena = arena_new(KEPT_BYTES + LIMIT_ARENA_BYTES);
	if (!in->request_arena || !in->record_arena || !in->batch_arena)
		return err_set(err, ENOMEM, "intake");
	arena_keep_bytes(in->batch_arena, KEPT_BYTES);
	int r = wire_server_new(l, cfg->url, &cfg->tls, &server_ops, in, &in->server, err);
	if (r < 0)
		return r;
	*ret = take_ptr(in);
	return 0;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	if (in->in_group)
		group_commit(in);
	wire_server_free(in->server);
	arena_free(in->request_arena);
	arena_free(in->record_arena);
	arena_free(in->batch_arena);
	buf_fini(&in->out);
	free(in);
}
