/* fleet.c - the enrolment listener: a token and a certificate request in, a certificate out.
 *
 * Strangers may talk here, so everything is small and slow on purpose: 8 KiB a request, 5 tries a
 * second in all and one a second from an address, one answer a connection. */
#include "collector/fleet/fleet.h"

#include <errno.h>

#include "common/log.h"
#include "common/text.h"

enum {
	MAX_REQUEST_BYTES = 8192,
	ADDRESSES = 256, /* remembered for the rate limit; the oldest makes place */
	TRIES_PER_SECOND = 5,
	BACKDATE_S = 3600, /* clocks of new hosts are often a little off */
};

struct tries {
	char address[64]; /* without the port */
	uint64_t last_boot_ns;
};

struct fleet {
	struct store *store;
	const struct clock *clk;
	struct wire_server *server;
	struct buf ca_pem, ca_key_pem;
	const char *const *agent_urls; /* borrowed from the configuration */
	uint64_t cert_days;
	struct arena *arena;
	struct tries tries[ADDRESSES];
	uint64_t window_boot_ns;
	unsigned window_tries;
};

static void reply(struct fleet *f, uint64_t token, const Picket__Reply *m)
{
	CLEANUP(buf_finip) struct buf out;
	struct err err;

	buf_init(&out, LIMIT_MESSAGE_BYTES);
	if (msg_pack_reply(m, &out, &err) < 0) {
		LOG(ERROR, "enrol.reply", KV_STR("why", err.msg));
		wire_drop(f->server, token);
		return;
	}
	wire_reply(f->server, token, buf_slice(&out));
}

static void refuse(struct fleet *f, struct wire_peer *p, uint64_t token, Picket__Refusal__Reason reason,
		   const char *why)
{
	Picket__Refusal body = PICKET__REFUSAL__INIT;
	Picket__Reply m = PICKET__REPLY__INIT;

	LOG(WARN, "enrol.refused", KV_STR("peer", wire_peer_address(p)), KV_STR("why", why));
	body.reason = reason;
	body.message = (char *)(uintptr_t)why;
	body.retry_ms = reason == PICKET__REFUSAL__REASON__REASON_BUSY ? 1000 : 0;
	m.protocol = PROTO_VERSION;
	m.body_case = PICKET__REPLY__BODY_REFUSAL;
	m.refusal = &body;
	reply(f, token, &m);
}

/* true: this try is one too many for now. */
static bool is_too_fast(struct fleet *f, const char *peer_address)
{
	const uint64_t second = 1000000000;
	uint64_t now = clock_boot_ns(f->clk);
	struct slice whole = slice_of(peer_address);
	char address[64];
	size_t n = whole.n;

	while (n && whole.p[n - 1] != ':')
		n--;
	slice_copy(slice_sub(whole, 0, n), address, sizeof(address));
	if (now - f->window_boot_ns >= second) {
		f->window_boot_ns = now;
		f->window_tries = 0;
	}
	if (++f->window_tries > TRIES_PER_SECOND)
		return true;
	struct tries *oldest = &f->tries[0];
	for (size_t i = 0; i < ADDRESSES; i++) {
		struct tries *t = &f->tries[i];

		if (!strcmp(t->address, address)) {
			bool too_fast = now - t->last_boot_ns < second;

			t->last_boot_ns = now;
			return too_fast;
		}
		if (t->last_boot_ns < oldest->last_boot_ns)
			oldest = t;
	}
	slice_copy(slice_of(address), oldest->address, sizeof(oldest->address));
	oldest->last_boot_ns = now;
	return false;
}

/* Uses the token, signs, keeps the agent: all or nothing. */
static int enrol(struct fleet *f, const Picket__Enrol *rq, char ret_id[37], struct buf *ret_cert,
		 struct err *err)
{
	char serial[TLS_SERIAL_MAX];
	uint8_t hash[32];
	struct tls_sign how = { .role = TLS_ROLE_AGENT,
				.common_name = rq->hostname,
				.agent_id = ret_id,
				.valid_from_s = -BACKDATE_S,
				.valid_for_s = (int64_t)f->cert_days * 86400 };

	tls_sha256(msg_slice(rq->secret), hash);
	int r = store_enrol_token_use(f->store, hash, err);
	if (r < 0)
		return r;
	text_uuid(ret_id);
	r = tls_sign(buf_slice(&f->ca_pem), buf_slice(&f->ca_key_pem), slice_of(rq->csr_pem), &how, f->clk,
		     ret_cert, serial, err);
	if (r < 0)
		return r;
	uint64_t now = clock_unix_ns(f->clk);
	struct store_agent agent = {
		.id = ret_id,
		.host = rq->hostname,
		.agent_version = "",
		.kernel = "",
		.machine_id = rq->machine_id,
		.boot_id = "",
		.serial = serial,
		.sensors_json = "[]",
		.enrolled_unix_ns = now,
		.cert_not_after_unix_ns = now + f->cert_days * 86400 * 1000000000,
	};
	r = store_agent_enrol(f->store, &agent, err);
	if (r < 0)
		return r;
	return store_audit_log(f->store, "enrolment", "agent.enrol", rq->hostname, err);
}

static void answer(struct fleet *f, uint64_t token, const char *id, struct slice cert)
{
	Picket__EnrolReply body = PICKET__ENROL_REPLY__INIT;
	Picket__Reply m = PICKET__REPLY__INIT;
	char *urls[8];

	for (size_t i = 0; i < ARRAY_LEN(urls) && f->agent_urls[i]; i++) {
		urls[i] = (char *)(uintptr_t)f->agent_urls[i];
		body.n_urls = i + 1;
	}
	body.urls = urls;
	body.agent_id = (char *)(uintptr_t)id;
	body.certificate_pem = (char *)(uintptr_t)cert.p;
	body.ca_pem = f->ca_pem.p;
	m.protocol = PROTO_VERSION;
	m.body_case = PICKET__REPLY__BODY_ENROL;
	m.enrol = &body;
	reply(f, token, &m);
}

static void on_message(void *arg, struct wire_peer *p, uint64_t token, struct slice msg)
{
	struct fleet *f = arg;
	CLEANUP(buf_finip) struct buf cert = { 0 };
	Picket__Request *rq;
	char id[37];
	struct err err;

	if (is_too_fast(f, wire_peer_address(p))) {
		refuse(f, p, token, PICKET__REFUSAL__REASON__REASON_BUSY,
		       "too many enrolments at once; try again in a second");
		return;
	}
	arena_reset(f->arena);
	if (msg.n > MAX_REQUEST_BYTES) {
		refuse(f, p, token, PICKET__REFUSAL__REASON__REASON_MALFORMED, "the request is too large");
		return;
	}
	if (msg_read_request(msg, f->arena, &rq, &err) < 0) {
		refuse(f, p, token, PICKET__REFUSAL__REASON__REASON_MALFORMED, err.msg);
		return;
	}
	if (rq->body_case != PICKET__REQUEST__BODY_ENROL) {
		refuse(f, p, token, PICKET__REFUSAL__REASON__REASON_MALFORMED,
		       "this listener takes enrolments only");
		return;
	}
	int r = store_begin(f->store, &err);
	if (r >= 0) {
		r = enrol(f, rq->enrol, id, &cert, &err);
		if (r >= 0)
			r = store_commit(f->store, &err);
		else
			store_rollback(f->store);
	}
	if (r < 0) {
		refuse(f, p, token,
		       r == -ERR_DENIED || r == -ERR_CRYPTO ? PICKET__REFUSAL__REASON__REASON_TOKEN
							    : PICKET__REFUSAL__REASON__REASON_BUSY,
		       err.msg);
		return;
	}
	LOG(INFO, "enrol.done", KV_STR("agent", id), KV_STR("host", rq->enrol->hostname),
	    KV_STR("peer", wire_peer_address(p)));
	answer(f, token, id, buf_slice(&cert));
}

static bool on_open(void *arg, struct wire_peer *p, const struct tls_identity *id)
{
	(void)arg;
	(void)p;
	(void)id;
	return true;
}

static void on_close(void *arg, struct wire_peer *p)
{
	(void)arg;
	(void)p;
}

static void on_refused(void *arg, const char *peer_addr, const char *why)
{
	(void)arg;
	LOG(WARN, "enrol.handshake", KV_STR("peer", peer_addr), KV_STR("why", why));
}

static void on_idle(void *arg)
{
	(void)arg;
}

int fleet_new(struct loop *l, struct store *s, const struct clock *clk, const struct fleet_config *cfg,
	      struct fleet **ret, struct err *err)
{
	static const struct wire_server_ops ops = { .on_open = on_open,
						    .on_message = on_message,
						    .on_close = on_close,
						    .on_refused = on_refused,
						    .on_idle = on_idle };
	CLEANUP(fleet_freep) struct fleet *f = calloc(1, sizeof(*f));
	struct wire_tls tls = cfg->tls;

	if (!f)
		return err_set(err, ENOMEM, "fleet");
	f->store = s;
	f->clk = clk;
	f->agent_urls = cfg->agent_urls;
	f->cert_days = cfg->cert_days ? cfg->cert_days : 90;
	f->arena = arena_new(LIMIT_ARENA_BYTES);
	buf_init(&f->ca_pem, 65536);
	buf_init(&f->ca_key_pem, 65536);
	buf_add_slice(&f->ca_pem, cfg->ca_pem);
	buf_add_slice(&f->ca_key_pem, cfg->ca_key_pem);
	if (!f->arena || f->ca_pem.failed || f->ca_key_pem.failed)
		return err_set(err, ENOMEM, "fleet");
	tls.no_client_cert = true;
	int r = wire_server_new(l, cfg->enrol_url, &tls, &ops, f, &f->server, err);
	if (r < 0)
		return r;
	*ret = take_ptr(f);
	return 0;
}

int fleet_port(const struct fleet *f)
{
	return wire_server_port(f->server);
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	wire_server_free(f->server);
	arena_free(f->arena);
	buf_fini(&f->ca_pem);
	if (f->ca_key_pem.p)
		explicit_bzero(f->ca_key_pem.p, f->ca_key_pem.n);
	buf_fini(&f->ca_key_pem);
	free(f);
}
