/* audit_request.c - what agents say: reports, the checks' texts, which policy they have. */
#include <errno.h>
#include <inttypes.h>

#include "collector/audit/audit_priv.h"
#include "common/log.h"

enum { FLOOD_RETRY_MS = 10 * 60 * 1000, ROW_ARENA_BYTES = 64 * 1024 };
static const uint64_t second_ns = 1000000000;

static void notice(struct audit *a, const char *agent)
{
	if (a->ops.on_notice)
		a->ops.on_notice(a->arg, "audit_flood", agent, "picketctl finding list");
}

/* ---- reports ---- */

int audit_report(struct audit *a, const char *agent, uint64_t time_unix_ns, const Picket__AuditReport *m, struct err *err)
{
	struct store_report done;

	/* Each report has its price, so that empty ones aren't free. */
	if (!quota_take(&a->quota, agent, m->n_results + 5, clock_boot_ns(a->clk))) {
		LOG(WARN, "audit.quota", KV_STR("agent", agent), KV_STR("subject", m->subject_id),
		    KV_U64("results", m->n_results), KV_STR("why", "this agent brought too many results lately"));
		notice(a, agent);
		return 0;
	}
	int r = store_report_put(a->store, agent, time_unix_ns, m, &done, err);
	if (r < 0)
		return r;
	if (done.refused) {
		LOG(WARN, "audit.refused", KV_STR("agent", agent), KV_U64("findings", done.refused),
		    KV_STR("why", "this host has too many subjects or findings"));
		notice(a, agent);
	}
	return 0;
}

/* ---- catalogues ---- */

static int refuse(struct arena *arena, Picket__Reply *ret, Picket__Refusal__Reason reason, const char *why,
		  uint32_t retry_ms)
{
	Picket__Refusal *body = arena_alloc(arena, sizeof(*body));
	char *message = arena_dup(arena, slice_sub(slice_of(why), 0, LIMIT_TEXT_BYTES));

	if (!body || !message)
		return -ENOMEM;
	picket__refusal__init(body);
	body->reason = reason;
	body->message = message;
	body->retry_ms = retry_ms;
	ret->body_case = PICKET__REPLY__BODY_REFUSAL;
	ret->refusal = body;
	return 0;
}

static int answer(struct arena *arena, Picket__Reply *ret, bool is_known, struct err *err)
{
	Picket__CheckCatalogueReply *body = arena_alloc(arena, sizeof(*body));

	if (!body)
		return err_set(err, ENOMEM, "answer");
	picket__check_catalogue_reply__init(body);
	body->is_known = is_known;
	ret->body_case = PICKET__REPLY__BODY_CHECK_CATALOGUE;
	ret->check_catalogue = body;
	return 0;
}

int audit_request(struct audit *a, const char *agent, const Picket__CheckCatalogue *c, struct arena *arena,
		  Picket__Reply *ret, struct err *err)
{
	char key[MSG_CATALOGUE_KEY_MAX];
	struct err why = { 0 };
	bool known;

	picket__reply__init(ret);
	ret->protocol = PROTO_VERSION;
	int r = store_catalogue_is_known(a->store, agent, c->key, &known, err);
	if (r < 0 || known || !c->n_checks)
		return r < 0 ? r : answer(arena, ret, known, err);
	/* Its key is its content's name for the whole fleet, so nobody's word is taken for it. */
	if (msg_catalogue_key(c->checks, c->n_checks, key, &why) < 0)
		return refuse(arena, ret, PICKET__REFUSAL__REASON__REASON_MALFORMED, why.msg, 0);
	if (strcmp(key, c->key) != 0)
		return refuse(arena, ret, PICKET__REFUSAL__REASON__REASON_MALFORMED,
			      "the catalogue's key is not that of its checks", 0);
	if (!quota_take(&a->quota, agent, AUDIT_CATALOGUE_COSTS, clock_boot_ns(a->clk))) {
		notice(a, agent);
		return refuse(arena, ret, PICKET__REFUSAL__REASON__REASON_BUSY, "too many checks from this agent lately",
			      FLOOD_RETRY_MS);
	}
	r = store_catalogue_put(a->store, agent, c, err);
	if (r < 0)
		return r;
	LOG(INFO, "audit.catalogue", KV_STR("agent", agent), KV_U64("checks", c->n_checks));
	return answer(arena, ret, true, err);
}

/* ---- the policy ---- */

static int tell_error(struct audit *a, const char *agent, const char *host, const struct store_policy_state *was,
		      const Picket__PolicyState *is, struct err *err)
{
	int64_t alert = was->alert;

	if (!strcmp(was->error, is->error) || !a->ops.on_policy)
		return 0;
	if (is->error[0])
		LOG(WARN, "audit.policy", KV_STR("host", host), KV_STR("why", is->error));
	/* Another fault than before is told anew. */
	if (is->error[0])
		alert = 0;
	int r = a->ops.on_policy(a->arg, host, is->error, &alert, err);
	return r < 0 ? r : store_policy_alert_set(a->store, agent, is->error[0] ? alert : 0, err);
}

static int hand_over(struct audit *a, const char *agent, const char *digest, struct arena *arena,
		     Picket__HeartbeatReply *ret, struct err *err)
{
	Picket__Configuration *c = arena_alloc(arena, sizeof(*c));
	struct store_policy p;
	int r = c ? store_policy_get(a->store, 0, arena, &p, err) : err_set(err, ENOMEM, "policy");

	if (r < 0)
		return r;
	picket__configuration__init(c);
	c->policy = msg_bytes(p.text);
	c->policy_digest = (char *)(uintptr_t)p.digest;
	ret->configuration = c;
	LOG(INFO, "audit.policy_sent", KV_STR("agent", agent), KV_STR("digest", digest));
	return store_policy_sent(a->store, agent, digest, err);
}

int audit_heartbeat(struct audit *a, const char *agent, const char *host, const Picket__Heartbeat *h, struct arena *arena,
		    Picket__HeartbeatReply *ret, struct err *err)
{
	const Picket__PolicyState *is = h->policy;
	struct store_policy_state was;
	char digest[65];

	if (!is) /* an older agent */
		return 0;
	int r = store_policy_state_get(a->store, agent, arena, &was, err);
	if (r >= 0)
		r = store_policy_state_put(a->store, agent, is, err);
	if (r >= 0)
		r = tell_error(a, agent, host, &was, is, err);
	if (r >= 0)
		r = store_policy_digest(a->store, digest, err);
	if (r < 0 || !digest[0] || !strcmp(is->digest, digest) || !strcmp(is->source, "file"))
		return r;
	uint64_t now = clock_unix_ns(a->clk);
	if (!strcmp(was.sent, digest) && was.sent_unix_ns <= now && now - was.sent_unix_ns < AUDIT_POLICY_AGAIN_S * second_ns)
		return 0;
	return hand_over(a, agent, digest, arena, ret, err);
}
