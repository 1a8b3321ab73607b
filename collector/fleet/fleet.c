/* fleet.c - the enrolment listener: a token and a certificate request in, a certificate out.
 *
 * Strangers may talk here, so everything is small and slow on purpose: 8 KiB a request, a limited
 * number of tries (rate.c), half a minute a connection. */
#include "collector/fleet/fleet.h"

#include <errno.h>

#include "collector/fleet/rate.h"
#include "common/log.h"
#include "common/text.h"

enum {
	MAX_REQUEST_BYTES = 8192,
	BACKDATE_S = 3600, /* clocks of new hosts are often a little off */
	/* A whole group of hosts that was sent away must not come back in step. */
	RETRY_MIN_MS = 500,
	RETRY_SPREAD_MS = 1500,
	SWEEP_MS = 5000,
};
/* Idle strangers would use up the listener's connections. */
static const uint64_t stay_ns = 30ull * 1000000000;

struct stranger {
	uint64_t since_boot_ns;
	struct rate_key from;
};

struct fleet {
	struct store *store;
	const struct clock *clk;
	struct wire_server *server;
	struct buf ca_pem, ca_key_pem;
	const char *const *agent_urls; /* borrowed from the configuration */
	uint64_t cert_days;
	struct arena *arena;
	struct rate *rate;
	struct loop_timer *sweep;
};

static void reply(struct fleet *f, uint64_t token, const Picket__Reply *m)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
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
	if (reason == PICKET__REFUSAL__REASON__REASON_BUSY) {
		uint32_t random;

		text_random(&random, sizeof(random));
		body.retry_ms = RETRY_MIN_MS + random % RETRY_SPREAD_MS;
	}
	m.protocol = PROTO_VERSION;
	m.body_case = PICKET__REPLY__BODY_REFUSAL;
	m.refusal = &body;
	reply(f, token, &m);
}

/* Uses the token, signs, keeps the agent: all or nothing. */
static int enrol(struct fleet *f, const Picket__Enrol *rq, char ret_id[37], struct buf *ret_cert,
		 struct err *err)
{
	char serial[TLS_SERIAL_MAX], name[STORE_NAME_MAX];
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
	if (r >= 0)
		r = store_agent_name(f->store, ret_id, rq->hostname, rq->machine_id, name, err);
	if (r < 0)
		return r;
	uint64_t now = clock_unix_ns(f->clk);
	struct store_agent agent = {
		.id = ret_id,
		.host = name,
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
	return store_audit_log(f->store, "enrolment", "agent.enrol", name, err);
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

static int check_host(const Picket__Enrol *rq, struct err *err)
{
	/* It becomes a name in lists, logs and mails. */
	if (!*rq->hostname || !text_is_clean(slice_of(rq->hostname)))
		return err_set(err, ERR_CORRUPT, "the host's name is empty or not text");
	return 0;
}

/* Everything about one request; on success ret_id and ret_cert are filled in and committed. */
static int take_request(struct fleet *f, struct slice msg, Picket__Request **ret, char ret_id[37],
			struct buf *ret_cert, struct err *err)
{
	arena_reset(f->arena);
	if (msg.n > MAX_REQUEST_BYTES)
		return err_set(err, ERR_CORRUPT, "the request is larger than %d bytes", MAX_REQUEST_BYTES);
	int r = msg_read_request(msg, f->arena, ret, err);
	if (r < 0)
		return r;
	if ((*ret)->body_case != PICKET__REQUEST__BODY_ENROL)
		return err_set(err, ERR_CORRUPT, "this listener takes enrolments only");
	r = check_host((*ret)->enrol, err);
	if (r >= 0)
		r = store_begin(f->store, err);
	if (r < 0)
		return r;
	r = enrol(f, (*ret)->enrol, ret_id, ret_cert, err);
	return store_end(f->store, r, err);
}

/* What the requester did wrong; the rest is our trouble, and passes. */
static Picket__Refusal__Reason reason_of(int r)
{
	switch (-r) {
	case ERR_DENIED:
		return PICKET__REFUSAL__REASON__REASON_TOKEN;
	case ERR_VERSION:
		return PICKET__REFUSAL__REASON__REASON_VERSION;
	case ERR_CORRUPT:
	case ERR_CRYPTO: /* the request's: our own keys were looked at in fleet_new */
	case ERR_LIMIT:
		return PICKET__REFUSAL__REASON__REASON_MALFORMED;
	default:
		return PICKET__REFUSAL__REASON__REASON_BUSY;
	}
}

static void on_message(void *arg, struct wire_peer *p, uint64_t token, struct slice msg)
{
	struct fleet *f = arg;
	struct stranger *from = wire_peer_get(p);
	CLEANUP(buf_finip) struct buf cert = { 0 };
	Picket__Request *rq;
	char id[37];
	struct err err;

	if (!rate_try(f->rate, &from->from, clock_boot_ns(f->clk))) {
		refuse(f, p, token, PICKET__REFUSAL__REASON__REASON_BUSY,
		       "too many enrolments at once; try again in a second");
		return;
	}
	int r = take_request(f, msg, &rq, id, &cert, &err);
	if (r < 0) {
		Picket__Refusal__Reason reason = reason_of(r);

		if (reason != PICKET__REFUSAL__REASON__REASON_BUSY)
			rate_failed(f->rate, &from->from, clock_boot_ns(f->clk));
		refuse(f, p, token, reason, err.msg);
		return;
	}
	LOG(INFO, "enrol.done", KV_STR("agent", id), KV_STR("host", rq->enrol->hostname),
	    KV_STR("peer", wire_peer_address(p)));
	answer(f, token, id, buf_slice(&cert));
}

static bool on_open(void *arg, struct wire_peer *p, const struct tls_identity *id)
{
	struct fleet *f = arg;
	struct stranger *s = calloc(1, sizeof(*s));

	(void)id;
	if (!s)
		return false;
	s->since_boot_ns = clock_boot_ns(f->clk);
	s->from = rate_key(wire_peer_address(p));
	wire_peer_set(p, s);
	return true;
}

static void on_close(void *arg, struct wire_peer *p)
{
	(void)arg;
	free(wire_peer_get(p));
	wire_peer_set(p, NULL);
}

static void sweep_peer(void *arg, struct wire_peer *p)
{
	struct fleet *f = arg;
	const struct stranger *s = wire_peer_get(p);

	if (s && clock_boot_ns(f->clk) - s->since_boot_ns > stay_ns)
		wire_peer_close(p);
}

static void on_sweep(void *arg)
{
	struct fleet *f = arg;

	wire_server_each(f->server, sweep_peer, f);
}

static void on_refused(void *arg, const char *peer_addr, const char *why)
{
	(void)arg;
	LOG(WARN, "enrol.handshake", KV_STR("peer", peer_addr), KV_STR("why", why));
}

int fleet_new(struct loop *l, struct store *s, const struct clock *clk, const struct fleet_config *cfg,
	      struct fleet **ret, struct err *err)
{
	static const struct wire_server_ops ops = { .on_open = on_open,
						    .on_message = on_message,
						    .on_close = on_close,
						    .on_refused = on_refused };
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
	f->rate = rate_new();
	f->sweep = loop_timer_new(l, on_sweep, f);
	if (!f->arena || !f->rate || !f->sweep || f->ca_pem.failed || f->ca_key_pem.failed)
		return err_set(err, ENOMEM, "fleet");
	int r = tls_key_matches(cfg->ca_pem, cfg->ca_key_pem, err);
	if (r < 0)
		return err_wrap(err, r, "the fleet's CA");
	tls.no_client_cert = true;
	r = wire_server_new(l, cfg->enrol_url, &tls, &ops, f, &f->server, err);
	if (r < 0)
		return r;
	loop_timer_every(f->sweep, SWEEP_MS);
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
	loop_timer_free(f->sweep);
	wire_server_free(f->server);
	rate_free(f->rate);
	arena_free(f->arena);
	buf_fini(&f->ca_pem);
	if (f->ca_key_pem.p)
		explicit_bzero(f->ca_key_pem.p, f->ca_key_pem.n);
	buf_fini(&f->ca_key_pem);
	free(f);
}
