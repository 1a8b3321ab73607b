/* msg.c - see msg.h. Reading is four steps, each cheaper than the next one's harm: size, bounds
 * over the packed bytes (bounds.c), protobuf-c into the arena, meaning (this file). */
#include "proto/msg.h"

#include <errno.h>
#include <inttypes.h>

#include "common/text.h"
#include "common/wire.h"
#include "proto/bounds_priv.h"
#include "proto/msg_priv.h"

_Static_assert((int)LIMIT_MESSAGE_BYTES == (int)WIRE_MAX_MESSAGE_BYTES, "one size of message");

/* Enums of a newer sender are read as NONE up to here; the stored bytes keep the number. Beyond, it
 * is no enum. */
enum { ENUM_MAX = 255 };

#define TOKEN_PREFIX "pkt1."

/* ---- the arena under protobuf-c ---- */

struct hook {
	struct arena *arena;
	bool full;
};

static void *hook_alloc(void *arg, size_t n)
{
	struct hook *h = arg;
	void *p = arena_alloc(h->arena, n);

	h->full |= !p;
	return p;
}

static void hook_free(void *arg, void *p)
{
	(void)arg, (void)p; /* the arena gives everything back at once */
}

static int unpack(const ProtobufCMessageDescriptor *d, struct slice msg, size_t max_bytes,
		  struct arena *a, void *ret, struct err *err)
{
	if (msg.n > max_bytes)
		return err_set(err, ERR_LIMIT, "%s: %zu bytes, at most %zu", d->short_name, msg.n,
			       max_bytes);
	int r = bounds_check(d, msg, ERR_CORRUPT, err);
	if (r < 0)
		return r;
	struct hook hook = {.arena = a};
	ProtobufCAllocator alloc = {
		.alloc = hook_alloc, .free = hook_free, .allocator_data = &hook};
	ProtobufCMessage *m =
		protobuf_c_message_unpack(d, &alloc, msg.n, (const uint8_t *)(msg.p ? msg.p : ""));
	if (!m && hook.full)
		return err_set(err, ERR_LIMIT, "%s: unpacks to more than the arena holds",
			       d->short_name);
	if (!m)
		return err_set(err, ERR_CORRUPT, "%s: not a message", d->short_name);
	*(ProtobufCMessage **)ret = m;
	return 0;
}

/* ---- meaning: the same for what is read and what is sent ---- */

int msg_check_time(const char *what, uint64_t unix_ns, struct err *err)
{
	if (!unix_ns || unix_ns > LIMIT_UNIX_NS)
		return err_set(err, ERR_CORRUPT, "%s: %" PRIu64 " is no time", what, unix_ns);
	return 0;
}

static int check_enum(const char *what, int v, struct err *err)
{
	if (v < 0 || v > ENUM_MAX)
		return err_set(err, ERR_CORRUPT, "%s: %d is out of range", what, v);
	return 0;
}

static int check_gap(const Picket__Gap *g, struct err *err)
{
	int r = check_enum("Gap.loss_class", (int)g->loss_class, err);

	if (r >= 0)
		r = msg_check_time("Gap.from_unix_ns", g->from_unix_ns, err);
	if (r >= 0)
		r = msg_check_time("Gap.to_unix_ns", g->to_unix_ns, err);
	if (r >= 0 && g->from_unix_ns > g->to_unix_ns)
		r = err_set(err, ERR_CORRUPT, "Gap: ends before it begins");
	return r;
}

int msg_check_end(const char *what, ProtobufCBinaryData address, uint32_t port, struct err *err)
{
	if (address.len != 0 && address.len != 4 && address.len != 16)
		return err_set(err, ERR_CORRUPT, "%s: an address of %zu bytes", what, address.len);
	if (port > UINT16_MAX)
		return err_set(err, ERR_CORRUPT, "%s: %" PRIu32 " is no port", what, port);
	return 0;
}

static int check_network(const Picket__Network *n, struct err *err)
{
	int r = n ? msg_check_end("Network.local_address", n->local_address, n->local_port, err) : 0;

	if (n && r >= 0)
		r = msg_check_end("Network.remote_address", n->remote_address, n->remote_port, err);
	return r;
}

static int check_event(const Picket__Event *e, struct err *err)
{
	int r = check_enum("Event.type", (int)e->type, err);

	if (r >= 0)
		r = check_network(e->network, err);
	if (r >= 0 && e->admission)
		r = msg_check_admission(e->admission, err);
	if (r >= 0 && e->traffic)
		r = msg_check_traffic(e->traffic, err);
	/* An event names its container by what is known; an empty id is no fault here. */
	return r < 0 || !e->container || !e->container->id[0] ? r : msg_check_container(e->container, err);
}

static int check_finding(const Picket__Finding *f, struct err *err)
{
	if (!f->rule[0])
		return err_set(err, ERR_CORRUPT, "Finding.rule: empty");
	if (f->count > LIMIT_FINDING_COUNT)
		return err_set(err, ERR_CORRUPT, "Finding.count: %" PRIu64 " is too many", f->count);
	if (f->first_unix_ns > LIMIT_UNIX_NS)
		return err_set(err, ERR_CORRUPT, "Finding.first_unix_ns: %" PRIu64 " is no time",
			       f->first_unix_ns);
	int r = check_enum("Finding.event_type", (int)f->event_type, err);
	return r < 0 ? r : check_network(f->network, err);
}

static int check_record(const Picket__Record *m, struct err *err)
{
	int r = msg_check_time("Record.time_unix_ns", m->time_unix_ns, err);

	if (r < 0)
		return r;
	switch (m->body_case) {
	case PICKET__RECORD__BODY_EVENT:
		return check_event(m->event, err);
	case PICKET__RECORD__BODY_FINDING:
		return check_finding(m->finding, err);
	case PICKET__RECORD__BODY_GAP:
		return check_gap(m->gap, err);
	case PICKET__RECORD__BODY_CONTAINER:
		return msg_check_container(m->container, err);
	case PICKET__RECORD__BODY_AUDIT:
		return msg_check_report(m->audit, err);
	case PICKET__RECORD__BODY__NOT_SET:
	case _PICKET__RECORD__BODY__CASE_IS_INT_SIZE:
		return 0;
	}
	return 0;
}

static int check_batch(const Picket__Batch *b, struct err *err)
{
	if (!b->epoch || !b->first_seq)
		return err_set(err, ERR_CORRUPT, "Batch: epoch and first_seq start at 1");
	if (!b->n_records)
		return err_set(err, ERR_CORRUPT, "Batch.records: none");
	if (b->first_seq > UINT64_MAX - b->n_records)
		return err_set(err, ERR_CORRUPT, "Batch.first_seq: the numbers overflow");
	if (b->lost_before >= b->first_seq)
		return err_set(err, ERR_CORRUPT, "Batch.lost_before: more than there were");
	for (size_t i = 0; i < b->n_records; i++)
		if (!b->records[i].len)
			return err_set(err, ERR_CORRUPT, "Batch.records: number %zu is empty", i);
	return 0;
}

static int check_hello(const Picket__Hello *h, struct err *err)
{
	if (!h->epoch || !h->first_seq || h->next_seq < h->first_seq)
		return err_set(err, ERR_CORRUPT, "Hello: epoch, first_seq, next_seq do not agree");
	return 0;
}

static int check_enrol(const Picket__Enrol *e, struct err *err)
{
	if (e->secret.len < LIMIT_SECRET_BYTES_MIN)
		return err_set(err, ERR_CORRUPT, "Enrol.secret: too short");
	if (!e->csr_pem[0])
		return err_set(err, ERR_CORRUPT, "Enrol.csr_pem: empty");
	return 0;
}

static int check_version(uint32_t protocol, struct err *err)
{
	if (protocol < PROTO_VERSION_MIN)
		return err_set(err, ERR_VERSION, "protocol %" PRIu32 ", at least %d is needed",
			       protocol, PROTO_VERSION_MIN);
	return 0;
}

static int check_request(const Picket__Request *m, struct err *err)
{
	int r = check_version(m->protocol, err);

	if (r < 0)
		return r;
	bool may_be_nobody = m->body_case == PICKET__REQUEST__BODY_ENROL && !m->agent_id[0];
	if (!may_be_nobody && !text_is_uuid(slice_of(m->agent_id)))
		return err_set(err, ERR_CORRUPT, "Request.agent_id: not an agent's id");
	switch (m->body_case) {
	case PICKET__REQUEST__BODY_HELLO:
		return check_hello(m->hello, err);
	case PICKET__REQUEST__BODY_BATCH:
		return check_batch(m->batch, err);
	case PICKET__REQUEST__BODY_HEARTBEAT:
		r = msg_check_time("Heartbeat.time_unix_ns", m->heartbeat->time_unix_ns, err);
		return r < 0 || !m->heartbeat->policy ? r : msg_check_policy_state(m->heartbeat->policy, err);
	case PICKET__REQUEST__BODY_ENROL:
		return check_enrol(m->enrol, err);
	case PICKET__REQUEST__BODY_IMAGES_ASK:
		return msg_check_images_ask(m->images_ask, err);
	case PICKET__REQUEST__BODY_INVENTORY_PART:
		return msg_check_inventory_part(m->inventory_part, err);
	case PICKET__REQUEST__BODY_IMAGES_IN_USE:
		return msg_check_images_in_use(m->images_in_use, err);
	case PICKET__REQUEST__BODY_BASE_IMAGES:
		return msg_check_base_images(m->base_images, err);
	case PICKET__REQUEST__BODY_CHECK_CATALOGUE:
		return msg_check_catalogue(m->check_catalogue, err);
	case PICKET__REQUEST__BODY_IMAGE_SCANS_ASK:
		return msg_check_image_scans_ask(m->image_scans_ask, err);
	case PICKET__REQUEST__BODY__NOT_SET:
	case _PICKET__REQUEST__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return err_set(err, ERR_CORRUPT, "Request: a body that is not known here");
}

static int check_credit(uint32_t credit, struct err *err)
{
	if (credit > LIMIT_CREDIT)
		return err_set(err, ERR_CORRUPT, "credit: %" PRIu32 ", at most %d", credit,
			       LIMIT_CREDIT);
	return 0;
}

static int check_reply(const Picket__Reply *m, struct err *err)
{
	int r = check_version(m->protocol, err);

	if (r < 0)
		return r;
	switch (m->body_case) {
	case PICKET__REPLY__BODY_HELLO:
		return check_credit(m->hello->credit, err);
	case PICKET__REPLY__BODY_ACK:
		if (!m->ack->epoch)
			return err_set(err, ERR_CORRUPT, "Ack.epoch: 0");
		return check_credit(m->ack->credit, err);
	case PICKET__REPLY__BODY_HEARTBEAT:
		return m->heartbeat->configuration ? msg_check_configuration(m->heartbeat->configuration, err) : 0;
	case PICKET__REPLY__BODY_ENROL:
		if (!text_is_uuid(slice_of(m->enrol->agent_id)))
			return err_set(err, ERR_CORRUPT, "EnrolReply.agent_id: not an agent's id");
		if (!m->enrol->certificate_pem[0] || !m->enrol->ca_pem[0])
			return err_set(err, ERR_CORRUPT, "EnrolReply: a certificate is missing");
		return 0;
	case PICKET__REPLY__BODY_REFUSAL:
		if (m->refusal->retry_ms > LIMIT_RETRY_MS)
			return err_set(err, ERR_CORRUPT, "Refusal.retry_ms: too long");
		return check_enum("Refusal.reason", (int)m->refusal->reason, err);
	case PICKET__REPLY__BODY_IMAGES:
		return msg_check_images_reply(m->images, err);
	case PICKET__REPLY__BODY_INVENTORY:
		return msg_check_inventory_reply(m->inventory, err);
	case PICKET__REPLY__BODY_IMAGE_SCANS:
		return msg_check_image_scans(m->image_scans, err);
	case PICKET__REPLY__BODY_IMAGES_IN_USE:
	case PICKET__REPLY__BODY_BASE_IMAGES:
	case PICKET__REPLY__BODY_CHECK_CATALOGUE:
		return 0;
	case PICKET__REPLY__BODY__NOT_SET:
	case _PICKET__REPLY__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return err_set(err, ERR_CORRUPT, "Reply: a body that is not known here");
}

static int check_token(const Picket__Token *t, struct err *err)
{
	if (!t->n_enrol_urls)
		return err_set(err, ERR_SYNTAX, "the token names no collector");
	for (size_t i = 0; i < t->n_enrol_urls; i++)
		if (!slice_starts(slice_of(t->enrol_urls[i]), SLICE_LIT("tls+tcp://")))
			return err_set(
				err, ERR_SYNTAX,
				"the token's address is not of the form tls+tcp://HOST:PORT");
	if (t->ca_sha256.len != 32)
		return err_set(err, ERR_SYNTAX, "the token carries no fingerprint of a CA");
	if (t->secret.len < LIMIT_SECRET_BYTES_MIN)
		return err_set(err, ERR_SYNTAX, "the token's secret is too short");
	if (!t->server_name[0])
		return err_set(err, ERR_SYNTAX, "the token carries no server name");
	return 0;
}

/* ---- reading ---- */

int msg_read_request(struct slice msg, struct arena *a, Picket__Request **ret, struct err *err)
{
	Picket__Request *m;
	int r = unpack(&picket__request__descriptor, msg, LIMIT_MESSAGE_BYTES, a, &m, err);

	if (r >= 0)
		r = check_request(m, err);
	if (r >= 0)
		*ret = m;
	return r;
}

int msg_read_reply(struct slice msg, struct arena *a, Picket__Reply **ret, struct err *err)
{
	Picket__Reply *m;
	int r = unpack(&picket__reply__descriptor, msg, LIMIT_MESSAGE_BYTES, a, &m, err);

	if (r >= 0)
		r = check_reply(m, err);
	if (r < 0)
		return r;
	if (m->body_case == PICKET__REPLY__BODY_REFUSAL &&
	    m->refusal->reason > PICKET__REFUSAL__REASON__REASON_ORDER)
		m->refusal->reason = PICKET__REFUSAL__REASON__REASON_NONE;
	*ret = m;
	return 0;
}

/* Tables downstream are indexed by these: a number from a newer agent must not reach them. */
static void forget_unknown_enums(Picket__Record *m)
{
	if (m->body_case == PICKET__RECORD__BODY_EVENT &&
	    m->event->type > PICKET__EVENT_TYPE__EVENT_HASH)
		m->event->type = PICKET__EVENT_TYPE__EVENT_NONE;
	if (m->body_case == PICKET__RECORD__BODY_FINDING &&
	    m->finding->event_type > PICKET__EVENT_TYPE__EVENT_HASH)
		m->finding->event_type = PICKET__EVENT_TYPE__EVENT_NONE;
	if (m->body_case == PICKET__RECORD__BODY_GAP &&
	    m->gap->loss_class > PICKET__LOSS_CLASS__LOSS_VOLUME)
		m->gap->loss_class = PICKET__LOSS_CLASS__LOSS_NONE;
}

int msg_read_record(struct slice msg, struct arena *a, Picket__Record **ret, struct err *err)
{
	Picket__Record *m;
	int r = unpack(&picket__record__descriptor, msg, LIMIT_RECORD_BYTES, a, &m, err);

	if (r >= 0)
		r = check_record(m, err);
	if (r < 0)
		return r;
	forget_unknown_enums(m);
	*ret = m;
	return 0;
}

int msg_read_inventory(struct slice msg, struct arena *a, Picket__Inventory **ret, struct err *err)
{
	Picket__Inventory *m;
	int r = unpack(&picket__inventory__descriptor, msg, LIMIT_INVENTORY_BYTES, a, &m, err);

	if (r >= 0)
		r = msg_check_inventory(m, err);
	if (r >= 0)
		*ret = m;
	return r;
}

Picket__ContainerConfig *msg_unpack_config(struct slice packed, struct arena *a)
{
	Picket__ContainerConfig *m;

	return unpack(&picket__container_config__descriptor, packed, LIMIT_RECORD_BYTES, a, &m, NULL) < 0 ? NULL : m;
}

int msg_read_token(struct slice text, struct arena *a, Picket__Token **ret, struct err *err)
{
	Picket__Token *m;
	struct err why;

	text = slice_trim(text);
	if (!slice_starts(text, SLICE_LIT(TOKEN_PREFIX)))
		return err_set(err, ERR_SYNTAX,
			       "not a token: it does not begin with " TOKEN_PREFIX);
	if (text.n > LIMIT_TOKEN_TEXT_BYTES)
		return err_set(err, ERR_SYNTAX, "not a token: longer than %d characters",
			       LIMIT_TOKEN_TEXT_BYTES);
	text = slice_sub(text, strlen(TOKEN_PREFIX), text.n);
	uint8_t *packed = arena_alloc(a, text.n);
	if (!packed)
		return err_set(err, ENOMEM, "read the token");
	ptrdiff_t n = text_unbase64url(text, packed, text.n);
	if (n < 0)
		return err_set(err, ERR_SYNTAX,
			       "not a token: a character is wrong or the end is missing");
	int r = unpack(&picket__token__descriptor, slice_from(packed, (size_t)n),
		       LIMIT_TOKEN_TEXT_BYTES, a, &m, &why);
	if (r < 0)
		return err_set(err, ERR_SYNTAX, "not a token, or not the whole of it: %s", why.msg);
	r = check_token(m, err);
	if (r >= 0)
		*ret = m;
	return r;
}

/* ---- packing ---- */

/* What is packed passes the reader's own bounds, so that nothing is sent only to be refused. */
static int pack(const ProtobufCMessage *m, size_t max_bytes, struct buf *out, struct err *err)
{
	const char *name = m->descriptor->short_name;
	size_t n = protobuf_c_message_get_packed_size(m);

	if (n > max_bytes)
		return err_set(err, ERR_LIMIT, "%s: %zu bytes, at most %zu", name, n, max_bytes);
	char *at = buf_reserve(out, n);
	if (!at)
		return err_set(err, ERR_LIMIT, "%s: %zu bytes do not fit the buffer", name, n);
	protobuf_c_message_pack(m, (uint8_t *)at);
	buf_written(out, n);
	int r = bounds_check(m->descriptor, slice_sub(buf_slice(out), out->n - n, n), ERR_LIMIT,
			     err);
	if (r < 0)
		out->n -= n;
	return r;
}

int msg_pack_request(const Picket__Request *m, struct buf *out, struct err *err)
{
	int r = check_request(m, err);

	return r < 0 ? r : pack(&m->base, LIMIT_MESSAGE_BYTES, out, err);
}

int msg_pack_reply(const Picket__Reply *m, struct buf *out, struct err *err)
{
	int r = check_reply(m, err);

	return r < 0 ? r : pack(&m->base, LIMIT_MESSAGE_BYTES, out, err);
}

int msg_pack_record(const Picket__Record *m, struct buf *out, struct err *err)
{
	int r = check_record(m, err);

	return r < 0 ? r : pack(&m->base, LIMIT_RECORD_BYTES, out, err);
}

int msg_pack_inventory(const Picket__Inventory *m, struct buf *out, struct err *err)
{
	int r = msg_check_inventory(m, err);

	return r < 0 ? r : pack(&m->base, LIMIT_INVENTORY_BYTES, out, err);
}

int msg_pack_token(const Picket__Token *m, struct buf *out, struct err *err)
{
	CLEANUP(buf_finip) struct buf packed = { 0 };
	char text[LIMIT_TOKEN_TEXT_BYTES * 4 / 3 + 4];

	buf_init(&packed, LIMIT_TOKEN_TEXT_BYTES);
	int r = check_token(m, err);
	if (r >= 0)
		r = pack(&m->base, LIMIT_TOKEN_TEXT_BYTES, &packed, err);
	if (r < 0)
		return r;
	size_t n = text_base64url(packed.p, packed.n, text);
	if (n + strlen(TOKEN_PREFIX) > LIMIT_TOKEN_TEXT_BYTES)
		return err_set(err, ERR_LIMIT, "Token: longer than %d characters",
			       LIMIT_TOKEN_TEXT_BYTES);
	buf_add_str(out, TOKEN_PREFIX);
	buf_add(out, text, n);
	return out->failed ? err_set(err, ERR_LIMIT, "Token: does not fit the buffer") : 0;
}

static unsigned varint_size(uint64_t v)
{
	unsigned n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

static void add_varint(struct buf *out, uint64_t v)
{
	char b[10];
	unsigned n = 0;

	for (; v >= 0x80; v >>= 7)
		b[n++] = (char)(v | 0x80);
	b[n++] = (char)v;
	buf_add(out, b, n);
}

static void add_number(struct buf *out, unsigned field, uint64_t v)
{
	add_varint(out, field << 3);
	add_varint(out, v);
}

static void add_length(struct buf *out, unsigned field, size_t n)
{
	add_varint(out, field << 3 | 2);
	add_varint(out, n);
}

/* picket.proto's numbers; test_msg.c reads the result back through protobuf-c. */
enum { REQUEST_PROTOCOL = 1, REQUEST_AGENT_ID = 2, REQUEST_BATCH = 4 };
enum { BATCH_EPOCH = 1, BATCH_FIRST_SEQ = 2, BATCH_RECORDS = 3, BATCH_LOST_BEFORE = 4 };

int msg_pack_batch(const char *agent_id, uint64_t epoch, uint64_t first_seq, uint64_t lost_before,
		   const struct slice *records, size_t count, struct buf *out, struct err *err)
{
	struct slice id = slice_of(agent_id);
	size_t body = 3 + varint_size(epoch) + varint_size(first_seq) + varint_size(lost_before);

	if (!text_is_uuid(id))
		return err_set(err, ERR_CORRUPT, "Request.agent_id: not an agent's id");
	if (!count || count > LIMIT_BATCH_RECORDS)
		return err_set(err, ERR_LIMIT, "Batch.records: %zu, 1 to %d", count,
			       LIMIT_BATCH_RECORDS);
	if (!epoch || !first_seq || first_seq > UINT64_MAX - count || lost_before >= first_seq)
		return err_set(err, ERR_LIMIT, "Batch: the numbers do not agree");
	for (size_t i = 0; i < count; i++) {
		if (!records[i].n || records[i].n > LIMIT_RECORD_BYTES)
			return err_set(err, ERR_LIMIT, "Batch.records: %zu bytes, 1 to %d",
				       records[i].n, LIMIT_RECORD_BYTES);
		body += 1 + varint_size(records[i].n) + records[i].n;
	}
	if (body + id.n + 16 > LIMIT_MESSAGE_BYTES)
		return err_set(err, ERR_LIMIT, "Batch: %zu bytes, at most %d", body,
			       LIMIT_MESSAGE_BYTES);
	add_number(out, REQUEST_PROTOCOL, PROTO_VERSION);
	add_length(out, REQUEST_AGENT_ID, id.n);
	buf_add_slice(out, id);
	add_length(out, REQUEST_BATCH, body);
	add_number(out, BATCH_EPOCH, epoch);
	add_number(out, BATCH_FIRST_SEQ, first_seq);
	for (size_t i = 0; i < count; i++) {
		add_length(out, BATCH_RECORDS, records[i].n);
		buf_add_slice(out, records[i]);
	}
	add_number(out, BATCH_LOST_BEFORE, lost_before);
	return out->failed ? err_set(err, ERR_LIMIT, "Batch: does not fit the buffer") : 0;
}
