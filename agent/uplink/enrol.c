/* enrol.c - a token becomes a key, a certificate and an id. Blocking, with a loop of its own. */
#include <errno.h>
#include <stdio.h>

#include "agent/uplink/enrolment.h"
#include "agent/uplink/uplink.h"
#include "common/loop.h"
#include "common/text.h"
#include "common/wire.h"
#include "proto/msg.h"

enum { PAUSE_MIN_MS = 200 };

/* One exchange. An address that answered BUSY, or broke off, is asked again on the same client,
 * which dials again by itself, until the deadline; one that can't be reached makes room for the
 * next. */
struct exchange {
	struct loop *loop;
	struct wire_client *client;
	struct loop_timer *pause;
	struct slice request;
	struct arena *arena;	   /* of one reply */
	Picket__EnrolReply *reply; /* in the arena; NULL until it came */
	bool has_sent;		   /* a request is under way on this connection */
	bool is_pausing;	   /* it asked us to wait */
	bool was_reached;	   /* this address took a request, at some time */
	bool was_cut;		   /* a request stayed without answer: the token may be used up */
	bool is_final;		   /* no other address would say anything else */
	char why[160];		   /* what the last try said, for the deadline */
	int result;
	struct err *err;
};

static void end(struct exchange *x, int result)
{
	x->result = result;
	loop_stop(x->loop);
}

static void ask(struct exchange *x)
{
	int r = wire_request(x->client, 1, x->request, x->err);

	if (r < 0) {
		end(x, r);
		return;
	}
	x->has_sent = x->was_reached = true;
}

static void on_open(void *arg)
{
	struct exchange *x = arg;

	if (!x->is_pausing)
		ask(x);
}

static void on_pause(void *arg)
{
	struct exchange *x = arg;

	x->is_pausing = false;
	if (wire_client_is_open(x->client))
		ask(x);
	/* else on_open does */
}

/* Up to half of it more, so that hosts that were sent away together don't come back in step. */
static void pause_for(struct exchange *x, uint64_t ms)
{
	uint32_t random;

	text_random(&random, sizeof(random));
	ms = ms > PAUSE_MIN_MS ? ms : PAUSE_MIN_MS;
	x->is_pausing = true;
	loop_timer_once(x->pause, ms + random % (ms / 2 + 1));
}

static int refused(struct exchange *x, const Picket__Refusal *r)
{
	x->is_final = true;
	if (r->reason == PICKET__REFUSAL__REASON__REASON_TOKEN && x->was_cut)
		return err_set(
			x->err, ERR_DENIED,
			"%s, probably by our own earlier try, whose answer was lost with its "
			"connection: make a new token with picket-collector token create (agent "
			"list shows whom the lost try enrolled)",
			r->message[0] ? r->message : "the token is refused");
	if (r->reason == PICKET__REFUSAL__REASON__REASON_TOKEN)
		return err_set(
			x->err, ERR_DENIED,
			"the collector does not take the token (%s): it is unknown, expired or "
			"used up; make a new one with picket-collector token create",
			r->message[0] ? r->message : "no reason given");
	if (r->reason == PICKET__REFUSAL__REASON__REASON_VERSION)
		return err_set(x->err, ERR_VERSION,
			       "the collector does not understand this agent: %s", r->message);
	return err_set(x->err, ERR_DENIED, "the collector refused: %s", r->message);
}

static void on_reply(void *arg, uint32_t id, struct slice msg)
{
	struct exchange *x = arg;
	Picket__Reply *m;

	(void)id;
	x->has_sent = false;
	arena_reset(x->arena);
	int r = msg_read_reply(msg, x->arena, &m, x->err);
	if (r >= 0 && m->body_case == PICKET__REPLY__BODY_REFUSAL &&
	    m->refusal->reason == PICKET__REFUSAL__REASON__REASON_BUSY) {
		snprintf(x->why, sizeof(x->why), "the collector is busy: %.120s",
			 m->refusal->message);
		pause_for(x, m->refusal->retry_ms);
		return;
	}
	x->is_final = true; /* the token may be used up by now */
	if (r >= 0 && m->body_case == PICKET__REPLY__BODY_REFUSAL)
		r = refused(x, m->refusal);
	else if (r >= 0 && m->body_case != PICKET__REPLY__BODY_ENROL)
		r = err_set(x->err, ERR_PEER, "the collector's answer is not one to an enrolment");
	else if (r >= 0)
		x->reply = m->enrol;
	end(x, r);
}

/* The token is used in the collector's transaction: cut before it, the next try is as good as the
 * first; cut after it, the next one is told so, and we say it. */
static void on_close(void *arg)
{
	struct exchange *x = arg;

	if (!x->has_sent)
		return;
	x->has_sent = false;
	x->was_cut = true;
	snprintf(x->why, sizeof(x->why), "the collector closed the connection without an answer");
}

static void on_failed(void *arg, const char *why)
{
	struct exchange *x = arg;

	/* common/tls's words for a certificate that does not lead to the token's CA */
	if (strstr(why, "pinned") || strstr(why, "certificate"))
		end(x,
		    err_set(x->err, ERR_CRYPTO, "this is not the collector of the token: %s", why));
	else if (!x->was_reached)
		end(x, err_set(x->err, ERR_PEER, "can't reach the collector: %s", why));
	else if (!x->was_cut) /* which is the more important news */
		snprintf(x->why, sizeof(x->why), "can't reach the collector: %.120s", why);
}

static void on_deadline(void *arg)
{
	struct exchange *x = arg;

	x->is_final = true;
	if (x->has_sent || x->was_cut)
		end(x, err_set(x->err, ETIMEDOUT, "enrol: %s; the token may be used up",
			       x->has_sent ? "the collector did not answer" : x->why));
	else
		end(x, err_set(x->err, ETIMEDOUT, "enrol%s%s", x->why[0] ? ": " : "", x->why));
}

static const struct wire_client_ops ops = {
	.on_open = on_open, .on_reply = on_reply, .on_close = on_close, .on_failed = on_failed};

static int pack_request(const Picket__Token *t, struct slice key_pem, const char *hostname,
			const char *machine_id, struct buf *out, struct err *err)
{
	CLEANUP(buf_finip) struct buf csr = { 0 };
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__Enrol e = PICKET__ENROL__INIT;

	buf_init(&csr, 0);
	int r = tls_csr_new(key_pem, hostname, &csr, err);
	if (r < 0)
		return r;
	e.secret = t->secret;
	e.csr_pem = csr.p;
	e.hostname = (char *)(uintptr_t)hostname;
	e.machine_id = (char *)(uintptr_t)(machine_id ? machine_id : "");
	m.protocol = PROTO_VERSION;
	m.body_case = PICKET__REQUEST__BODY_ENROL;
	m.enrol = &e;
	return msg_pack_request(&m, out, err);
}

/* Tries the addresses in turn; the whole exchange has one deadline. */
static int exchange(struct exchange *x, const Picket__Token *t, char **urls, size_t count,
		    uint64_t timeout_ms)
{
	struct wire_tls tls = {.ca_pin = t->ca_sha256.data, .server_name = t->server_name};
	CLEANUP(loop_timer_freep) struct loop_timer *deadline =
		loop_timer_new(x->loop, on_deadline, x);
	CLEANUP(loop_timer_freep) struct loop_timer *pause = loop_timer_new(x->loop, on_pause, x);

	if (!deadline || !pause)
		return err_set(x->err, ENOMEM, "enrol");
	x->pause = pause;
	loop_timer_once(deadline, timeout_ms);
	x->result = err_set(x->err, ERR_PEER, "no address to enrol at");
	for (size_t i = 0; i < count && !x->is_final; i++) {
		x->was_reached = false;
		int r = wire_client_new(x->loop, urls[i], &tls, &ops, x, &x->client, x->err);
		if (r >= 0)
			loop_run(x->loop);
		else
			x->result = r;
		wire_client_free(x->client);
		x->client = NULL;
		if (x->result >= 0)
			break;
		err_wrap(x->err, x->result, "%s", urls[i]);
	}
	return x->result;
}

/* Nothing is written before this holds. */
static int check_reply(const Picket__EnrolReply *r, const Picket__Token *t, struct slice key_pem,
		       struct err *err)
{
	struct tls_identity id;
	uint8_t pin[TLS_PIN_BYTES];
	int n = tls_key_matches(slice_of(r->certificate_pem), key_pem, err);

	if (n < 0)
		return err_wrap(err, n, "the certificate is not for our key");
	n = tls_cert_identity(slice_of(r->certificate_pem), &id, err);
	if (n < 0)
		return n;
	if (strcmp(id.agent_id, r->agent_id) != 0)
		return err_set(err, ERR_CRYPTO, "the certificate names another agent");
	n = tls_cert_pin(slice_of(r->ca_pem), pin, err);
	if (n < 0)
		return err_wrap(err, n, "the CA");
	if (!tls_equal(pin, t->ca_sha256.data, sizeof(pin)))
		return err_set(err, ERR_CRYPTO, "the CA is not the one that the token names");
	return 0;
}

static int store(const char *state_dir, const Picket__EnrolReply *r, struct slice key_pem,
		 struct err *err)
{
	struct enrolment e = {0};

	buf_init(&e.key_pem, 0);
	buf_init(&e.cert_pem, 0);
	buf_init(&e.ca_pem, 0);
	slice_copy(slice_of(r->agent_id), e.agent_id, sizeof(e.agent_id));
	buf_add_slice(&e.key_pem, key_pem);
	buf_add_str(&e.cert_pem, r->certificate_pem);
	buf_add_str(&e.ca_pem, r->ca_pem);
	int n = e.key_pem.failed || e.cert_pem.failed || e.ca_pem.failed
			? err_set(err, ENOMEM, "store the enrolment")
			: enrolment_write(state_dir, &e, err);
	enrolment_fini(&e);
	return n;
}

int uplink_enrol(const char *token, const char *collector_url, const char *state_dir,
		 const char *hostname, const char *machine_id, bool force, uint64_t timeout_ms,
		 struct enrol_result *ret, struct err *err)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	CLEANUP(arena_freep) struct arena *replies = arena_new(LIMIT_ARENA_BYTES);
	CLEANUP(loop_freep) struct loop *loop = NULL;
	CLEANUP(buf_finip) struct buf key = { 0 };
	CLEANUP(buf_finip) struct buf request = { 0 };
	struct err own;
	Picket__Token *t;

	err = err ? err : &own;
	buf_init(&key, 0);
	buf_init(&request, 0);
	if (!arena || !replies)
		return err_set(err, ENOMEM, "enrol");
	if (!force && enrolment_exists(state_dir))
		return err_set(err, EEXIST, "'%s' holds an enrolment (--force makes a new one)",
			       state_dir);
	int r = msg_read_token(slice_of(token), arena, &t, err);
	if (r >= 0)
		r = tls_key_new(&key, err);
	if (r >= 0)
		r = pack_request(t, buf_slice(&key), hostname, machine_id, &request, err);
	if (r >= 0)
		r = loop_new(&loop, err);
	if (r < 0)
		return r;
	struct exchange x = {
		.loop = loop, .request = buf_slice(&request), .arena = replies, .err = err};
	char *override = (char *)(uintptr_t)collector_url;
	r = exchange(&x, t, collector_url ? &override : t->enrol_urls,
		     collector_url ? 1 : t->n_enrol_urls, timeout_ms);
	if (r >= 0)
		r = check_reply(x.reply, t, buf_slice(&key), err);
	if (r >= 0)
		r = store(state_dir, x.reply, buf_slice(&key), err);
	if (key.p)
		explicit_bzero(key.p, key.n);
	if (r < 0)
		return r;
	*ret = (struct enrol_result){0};
	slice_copy(slice_of(x.reply->agent_id), ret->agent_id, sizeof(ret->agent_id));
	if (x.reply->n_urls)
		slice_copy(slice_of(x.reply->urls[0]), ret->url, sizeof(ret->url));
	slice_copy(slice_of(t->server_name), ret->server_name, sizeof(ret->server_name));
	return 0;
}
