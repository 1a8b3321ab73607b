/* collector.c - see collector.h.
 *
 *   intake -> [ history + alert + outbox, one transaction ] -> acknowledgement -> notify
 *
 * One thread. The tick of a second does what is not caused by a message: retention, revocations made
 * by other processes, retries. */
#include "collector/collector.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/alert/alert.h"
#include "collector/alert/flood.h"
#include "collector/alert/quiet.h"
#include "collector/api/api.h"
#include "collector/audit/audit.h"
#include "collector/correlating.h"
#include "collector/fleet/fleet.h"
#include "collector/health/health.h"
#include "collector/intake/intake.h"
#include "collector/tell.h"
#include "common/file.h"
#include "common/log.h"

enum { SUMS_AT_ONCE = 50, TICK_MS = 1000, OVER_MS = 100, MAX_PEM_BYTES = 65536, NOTIFY_CONNECTIONS = 16, MAX_NOTICES = 32 };

/* What the door may notice, and how people hear of it. */
static const struct notice_text {
	const char *what, *rule, *title;
	enum msg_severity severity;
} notice_texts[] = {
	{ "revoked_agent", "Revoked agent knocks", "A revoked agent tried to send events", SEVERITY_MEDIUM },
	{ "forged_sender", "Forged sender", "An agent sent a message in another agent's name", SEVERITY_CRITICAL },
	{ "sequence_jump", "Sequence jump", "An agent's sequence numbers jumped beyond reason", SEVERITY_HIGH },
	{ "identity_clone", "Cloned identity", "Two machines use one agent's identity", SEVERITY_CRITICAL },
	{ "epoch_back", "Agent's numbers began again",
	  "An agent delivers a run from before others that are stored: a restored copy of its spool, or a cloned identity",
	  SEVERITY_HIGH },
	{ "alert_flood", "Alert flood", "A host raises so many alerts that no new ones are made of them",
	  SEVERITY_HIGH },
	{ "action_flood", "Response flood", "A host tells of so many responses that the rest is in the history only",
	  SEVERITY_HIGH },
	{ "scan_flood", "Vulnerability flood",
	  "There are more new vulnerabilities in running images than alerts are made of", SEVERITY_HIGH },
	{ "audit_flood", "Audit flood", "A host tells of more faults in its containers than are kept", SEVERITY_HIGH },
	{ "policy_flood", "Policy flood",
	  "A host tells of so many refusals that no new alerts are made of them; the rest is in the history",
	  SEVERITY_HIGH },
	{ "rules_evicted", "Correlation evicts", "Correlations gave up groups before their time: they may miss attacks",
	  SEVERITY_HIGH },
	{ "rules_late", "Correlation was late", "Events came too late for correlations", SEVERITY_MEDIUM },
	{ "rules_state_lost", "Correlation began anew", "The state of correlations was damaged, or the clock was put back; counting begins anew",
	  SEVERITY_HIGH },
	{ "rule_flood", "Rule flood", "A rule finds so much that the rest is in the history only", SEVERITY_HIGH },
	{ "name_taken", "Host name taken",
	  "An agent calls itself by the name of another machine; revoke the one that is wrong, by its id",
	  SEVERITY_HIGH },
};

struct collector {
	const struct collector_config *cfg;
	const struct clock *clk;
	struct store *store;
	struct fetch_pool *fetch;
	struct notify *notify;
	struct intake *intake;
	struct fleet *fleet;
	struct api *api;
	struct vuln *vuln;
	struct audit *audit;
	struct health *health;
	struct health_config health_config; /* health borrows it as long as it lives */
	struct correlating *correlating;
	struct vuln_config vuln_config; /* vuln borrows it as long as it lives */
	const char *update_command[6];
	char db_path[4096];
	struct loop_timer *tick, *over; /* over: what must go for the bound on bytes does not wait a second */
	struct alert_config alert;
	struct tell tell;
	struct flood flood, sums, actions, scans, checks, policies;
	struct notify_config notify_config; /* notify borrows it as long as it lives */
	struct buf ca_pem, ca_key_pem, cert_pem, key_pem;
	char agent_url_text[512], inbox_url_text[512];
	const char *agent_urls[9];
	/* What the door noticed since the last tick; the same thing of the same agent once. */
	struct notice {
		const struct notice_text *text;
		char agent[TLS_ID_MAX], detail[200];
	} notices[MAX_NOTICES];
	size_t notice_count, notices_left_out;
};

void collector_public_urls(const struct collector_config *cfg, const struct conf_list *own,
			   const char *listen, char text[512], const char *ret[9])
{
	char **items = own->items;
	size_t n = 0;

	for (; n < own->count && n < 8; n++)
		ret[n] = items[n];
	if (!n) {
		const char *port = strrchr(listen, ':');
		bool is_v6 = strchr(cfg->name, ':') != NULL;

		snprintf(text, 512, is_v6 ? "tls+tcp://[%s]%s" : "tls+tcp://%s%s", cfg->name, port ? port : ":7443");
		ret[n++] = text;
	}
	ret[n] = NULL;
}

/* ---- one record, inside the transaction ---- */

static int tell(struct collector *c, const struct alert_change *change, struct err *err)
{
	if (!change->id || (!change->is_new && !change->is_escalated && !change->is_reopened))
		return 0;
	return tell_alert(&c->tell, change->id,
			  change->is_new ? NOTIFY_NEW : change->is_reopened ? NOTIFY_REOPENED : NOTIFY_WORSE, err);
}

static void on_notice(void *arg, const char *what, const char *agent, const char *detail);

static int on_gap(struct collector *c, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
		  const Picket__Record *rec, struct err *err)
{
	struct alert_config cfg = c->alert;
	struct alert_change change;

	if (!rec->gap->lost)
		return 0;
	cfg.now_unix_ns = clock_unix_ns(c->clk);
	int r = alert_from_gap(c->store, &cfg, agent, host, epoch, seq, rec, &change, err);
	return r < 0 ? r : tell(c, &change, err);
}

/* Beyond an agent's share a finding counts on one alert of its rule; of those there are few, as it says what a rule is
 * called. The flood is told, not they. */
static int on_finding(struct collector *c, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
		      const Picket__Record *rec, struct err *err)
{
	uint64_t now = clock_boot_ns(c->clk);
	struct alert_config cfg = c->alert;
	struct alert_change change;

	cfg.now_unix_ns = clock_unix_ns(c->clk);
	cfg.is_full = !flood_may(&c->flood, agent, now);
	cfg.may_sum = cfg.is_full && flood_may(&c->sums, agent, now);
	int r = alert_from_finding(c->store, &cfg, agent, host, epoch, seq, rec, &change, err);
	if (r < 0)
		return r;
	if (change.is_new || change.is_reopened)
		flood_took(change.is_excess ? &c->sums : &c->flood, agent, now);
	if (cfg.is_full && !change.exception && (!change.id || change.is_reopened || change.is_excess)) {
		on_notice(c, "alert_flood", agent,
			  "the rest is counted by rule, and in the history: picketctl event search type=finding");
		return 0;
	}
	return tell(c, &change, err);
}

/* An agent acts 60 times a minute unless it is told otherwise. Far more are refusals in a storm, or a lie, and
 * must not grow the audit log. */
static int on_action(struct collector *c, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
		     const Picket__Record *rec, struct err *err)
{
	uint64_t now = clock_boot_ns(c->clk);

	if (!flood_may(&c->actions, agent, now)) {
		on_notice(c, "action_flood", agent, "picketctl event search type=action");
		return 0;
	}
	flood_took(&c->actions, agent, now);
	return alert_add_action(c->store, &c->alert, agent, host, epoch, seq, rec, err);
}

/* What the policy let through is history only. */
static int on_admission(struct collector *c, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
			const Picket__Record *rec, struct err *err)
{
	uint64_t now = clock_boot_ns(c->clk);
	struct alert_config cfg = c->alert;
	struct alert_change change;

	if (rec->event->admission->is_allowed && !rec->event->admission->is_monitored)
		return 0;
	cfg.now_unix_ns = clock_unix_ns(c->clk);
	cfg.is_full = !flood_may(&c->policies, agent, now);
	int r = alert_from_admission(c->store, &cfg, agent, host, epoch, seq, rec, &change, err);
	if (r < 0)
		return r;
	if (change.is_new || change.is_reopened)
		flood_took(&c->policies, agent, now);
	if (cfg.is_full && !change.exception && (!change.id || change.is_reopened)) {
		on_notice(c, "policy_flood", agent, "picketctl event search type=admission");
		return 0;
	}
	return tell(c, &change, err);
}

static int on_event(struct collector *c, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
		    const Picket__Record *rec, struct err *err)
{
	int r = store_container_event(c->store, agent, rec->event, err);

	if (r >= 0 && rec->event->action)
		r = on_action(c, agent, host, epoch, seq, rec, err);
	if (r >= 0 && rec->event->admission)
		r = on_admission(c, agent, host, epoch, seq, rec, err);
	return r;
}

static int on_body(struct collector *c, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
		   const Picket__Record *rec, struct err *err)
{
	switch (rec->body_case) {
	case PICKET__RECORD__BODY_FINDING:
		return on_finding(c, agent, host, epoch, seq, rec, err);
	case PICKET__RECORD__BODY_CONTAINER:
		return store_container_put(c->store, agent, rec->container, err);
	case PICKET__RECORD__BODY_GAP:
		return on_gap(c, agent, host, epoch, seq, rec, err);
	case PICKET__RECORD__BODY_EVENT: /* history; some are more */
		return on_event(c, agent, host, epoch, seq, rec, err);
	case PICKET__RECORD__BODY_AUDIT:
		return audit_report(c->audit, agent, rec->time_unix_ns, rec->audit, err);
	default:
		return 0; /* for rooms to come */
	}
}

/* Correlations last: what a record says of its container is known to them. */
static int on_record(void *arg, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
		     const Picket__Record *rec, struct err *err)
{
	struct collector *c = arg;
	int r = on_body(c, agent, host, epoch, seq, rec, err);

	return r < 0 ? r : correlating_record(c->correlating, agent, host, epoch, seq, rec, err);
}

static int on_correlated(void *arg, const struct alert_change *change, struct err *err)
{
	return tell(arg, change, err);
}

static void on_address(void *arg, const char *agent, const char *host, const char *address)
{
	(void)agent;
	correlating_address(((struct collector *)arg)->correlating, host, address);
}

static int on_request(void *arg, const char *agent, const Picket__Request *rq, struct arena *a, Picket__Reply *ret,
		      struct err *err)
{
	struct collector *c = arg;

	if (rq->body_case == PICKET__REQUEST__BODY_CHECK_CATALOGUE)
		return audit_request(c->audit, agent, rq->check_catalogue, a, ret, err);
	return vuln_request(c->vuln, agent, rq, a, ret, err);
}

static int on_heartbeat(void *arg, const char *agent, const char *host, const Picket__Heartbeat *h, struct arena *a,
			Picket__HeartbeatReply *ret, struct err *err)
{
	return audit_heartbeat(((struct collector *)arg)->audit, agent, host, h, a, ret, err);
}

static void on_committed(void *arg)
{
	struct collector *c = arg;

	notify_kick(c->notify);
	vuln_kick(c->vuln);
	audit_kick(c->audit);
}

/* ---- vulnerabilities of running images, inside a transaction ---- */

static int on_case(void *arg, const struct store_case *cs, enum vuln_case_why why, struct store_told_row *told,
		   struct err *err)
{
	struct collector *c = arg;
	uint64_t now = clock_boot_ns(c->clk);
	struct alert_change change = { 0 };
	bool is_news = why != CASE_SAME;
	unsigned use = correlating_use(cs);
	/* That it is executed, or open to others, is mostly found out after it was told: people see it in the alert, rules
	 * are told again. */
	int told_rules = is_news || (use & ~told->use) ? correlating_case(c->correlating, cs, err) : 0;

	if (told_rules < 0)
		return told_rules;
	told->use = use;
	if (why == CASE_NEW && !flood_may(&c->scans, "scan", now)) {
		told->state = TOLD_WITHHELD;
		on_notice(c, "scan_flood", "", "they are in the list: picketctl vuln list severity>=high running:yes");
		return 0;
	}
	int r = alert_from_case(c->store, c->clk, cs, told->alert, is_news, &change, err);
	if (r == -ERR_NOT_FOUND && is_news) /* too old to be kept: a new one */
		r = alert_from_case(c->store, c->clk, cs, 0, true, &change, err);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r == -ERR_LIMIT) { /* never seen; all others must not wait for it */
		LOG(ERROR, "collector.case", KV_STR("vulnerability", cs->vuln->id), KV_STR("why", err ? err->msg : ""));
		told->state = TOLD_WITHHELD;
		return 0;
	}
	if (r < 0)
		return r;
	if (change.is_new)
		flood_took(&c->scans, "scan", now);
	told->alert = change.id;
	told->state = TOLD_OPEN;
	return tell(c, &change, err);
}

static int on_closed(void *arg, int64_t alert, const char *why, struct err *err)
{
	struct collector *c = arg;

	return alert_close(c->store, c->clk, alert, why, err);
}

static int on_data(void *arg, const char *title, const char *detail, int64_t *alert, struct err *err)
{
	struct collector *c = arg;
	struct alert_change change;
	int64_t id = *alert;

	*alert = 0;
	if (id)
		return alert_close(c->store, c->clk, id, "the vulnerability data is new again", err);
	int r = alert_from_system(c->store, &c->alert, c->clk, "Vulnerability data is old", SEVERITY_MEDIUM, "", title,
				  detail, &change, err);
	if (r < 0)
		return r;
	*alert = change.id;
	return tell(c, &change, err);
}

/* ---- checks that fail, inside a transaction ---- */

static int on_check(void *arg, struct store_check_case *cs, enum audit_case_why why, struct err *err)
{
	static const enum alert_renewal how[] = { [AUDIT_CASE_NEW] = ALERT_NEWS,   [AUDIT_CASE_SAME] = ALERT_SAME,
						  [AUDIT_CASE_MORE] = ALERT_MORE,  [AUDIT_CASE_WORSE] = ALERT_NEWS,
						  [AUDIT_CASE_AGAIN] = ALERT_NEWS };
	struct collector *c = arg;
	uint64_t now = clock_boot_ns(c->clk);
	struct alert_change change = { 0 };

	if (why == AUDIT_CASE_NEW && !flood_may(&c->checks, cs->agent, now)) {
		cs->told_state = CHECK_WITHHELD;
		on_notice(c, "audit_flood", cs->agent, "picketctl finding list 'severity>=high'");
		return 0;
	}
	int r = alert_from_check(c->store, c->clk, cs, cs->alert, how[why], &change, err);
	if (r == -ERR_NOT_FOUND && how[why] != ALERT_SAME) /* too old to be kept: a new one */
		r = alert_from_check(c->store, c->clk, cs, 0, ALERT_NEWS, &change, err);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r == -ERR_LIMIT) { /* never seen; all others must not wait for it */
		LOG(ERROR, "collector.check", KV_STR("check", cs->check), KV_STR("why", err ? err->msg : ""));
		cs->told_state = CHECK_WITHHELD;
		return 0;
	}
	if (r < 0)
		return r;
	if (change.is_new)
		flood_took(&c->checks, cs->agent, now);
	cs->alert = change.id;
	return tell(c, &change, err);
}

static int on_waiver(void *arg, const struct store_waiver *w, struct err *err)
{
	struct collector *c = arg;
	struct alert_change change;
	char title[700], detail[3000];

	if (!w->findings) /* nobody misses it */
		return 0;
	snprintf(title, sizeof(title), "The waiver of %.100s on %.150s has ended; %" PRIu64 " findings are open again",
		 w->check[0] ? w->check : "*", w->subject[0] ? w->subject : "*", w->findings);
	snprintf(detail, sizeof(detail), "waiver %" PRId64 " by %.64s: %.2000s", w->id, w->who, w->reason);
	int r = alert_from_system(c->store, &c->alert, c->clk, "Waiver has ended", SEVERITY_LOW, w->host, title, detail,
				  &change, err);
	return r < 0 ? r : tell(c, &change, err);
}

static int on_policy(void *arg, const char *host, const char *error, int64_t *alert, struct err *err)
{
	struct collector *c = arg;
	struct alert_change change;

	if (!error[0])
		return *alert ? alert_close(c->store, c->clk, *alert, "the host has its policy", err) : 0;
	int r = alert_from_system(c->store, &c->alert, c->clk, "Policy refused by a host", SEVERITY_HIGH, host,
				  "A host could not take its policy; the one before is in force", error, &change, err);
	if (r < 0)
		return r;
	*alert = change.id;
	return tell(c, &change, err);
}

static void on_judged(void *arg)
{
	notify_kick(((struct collector *)arg)->notify);
}

/* ---- what the door noticed ---- */


static void on_notice(void *arg, const char *what, const char *agent, const char *detail)
{
	struct collector *c = arg;
	const struct notice_text *text = NULL;

	for (size_t i = 0; i < ARRAY_LEN(notice_texts); i++)
		if (!strcmp(notice_texts[i].what, what))
			text = &notice_texts[i];
	for (size_t i = 0; i < c->notice_count; i++)
		if (c->notices[i].text == text && !strcmp(c->notices[i].agent, agent))
			return;
	if (!text)
		return;
	if (c->notice_count == MAX_NOTICES) {
		c->notices_left_out++;
		return;
	}
	struct notice *n = &c->notices[c->notice_count++];
	n->text = text;
	slice_copy(slice_of(agent), n->agent, sizeof(n->agent));
	slice_copy(slice_of(detail), n->detail, sizeof(n->detail));
}

static int raise_notice(struct collector *c, const struct notice *n, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	struct store_agent known;
	struct alert_change change;
	const char *host = n->agent;

	if (a && store_agent_get(c->store, n->agent, &known, a, err) >= 0)
		host = known.host;
	int r = alert_from_system(c->store, &c->alert, c->clk, n->text->rule, n->text->severity, host,
				  n->text->title, n->detail, &change, err);
	return r < 0 ? r : tell(c, &change, err);
}

/* From the tick, when no group's transaction is open. */
static void raise_notices(struct collector *c)
{
	struct err err;

	if (!c->notice_count)
		return;
	int r = store_begin(c->store, &err);
	for (size_t i = 0; i < c->notice_count && r >= 0; i++)
		r = raise_notice(c, &c->notices[i], &err);
	r = store_end(c->store, r, &err);
	if (r < 0)
		LOG(ERROR, "collector.notice", KV_STR("why", err.msg));
	if (c->notices_left_out)
		LOG(WARN, "collector.notice_left_out", KV_U64("count", c->notices_left_out),
		    KV_STR("why", "more than one second has room for; each comes again as long as it lasts"));
	c->notice_count = c->notices_left_out = 0;
}

/* ---- own health, inside a transaction of its own ---- */

static void on_facts(void *arg, struct health_facts *ret)
{
	struct collector *c = arg;
	struct err err;

	ret->answers = intake_answers(c->intake);
	ret->rules_error = correlating_error(c->correlating);
	if (file_free_bytes(c->cfg->data_dir, &ret->free_bytes, &err) < 0)
		LOG(WARN, "health.storage", KV_STR("why", err.msg));
}

static int on_health_case(void *arg, const struct health_case *hc, int64_t *alert, struct err *err)
{
	struct collector *c = arg;
	struct alert_change change;
	int r = alert_from_system(c->store, &c->alert, c->clk, hc->rule, hc->severity, hc->host, hc->title, hc->detail, &change,
				  err);

	if (r < 0)
		return r;
	*alert = change.id;
	return tell(c, &change, err);
}

/* ---- the tick ---- */

static void on_tidy(void *arg)
{
	struct collector *c = arg;
	struct err err;

	if (store_history_tidy(c->store, &err) < 0)
		LOG(ERROR, "store.tidy", KV_STR("why", err.msg));
	if (store_history_is_over(c->store))
		loop_timer_soon(c->over, OVER_MS);
}

static void on_tick(void *arg)
{
	struct collector *c = arg;

	on_tidy(c);
	correlating_tick(c->correlating);
	raise_notices(c);
	tell_tend(&c->tell);
	intake_sweep(c->intake);
	health_tick(c->health);
	notify_kick(c->notify);
}

static void on_status(void *arg, struct json *j)
{
	struct collector *c = arg;
	struct intake_stats st;

	intake_stats(c->intake, &st);
	json_kv_str(j, "name", c->cfg->name);
	json_kv_object(j, "intake");
	json_kv_u64(j, "peers", st.peers);
	json_kv_u64(j, "connections", st.connections);
	json_kv_u64(j, "refused_handshakes", st.refused_handshakes);
	json_kv_u64(j, "refused_batches", st.refused_batches);
	json_kv_u64(j, "batches", st.batches);
	json_kv_u64(j, "records", st.records);
	json_kv_u64(j, "duplicates", st.duplicates);
	json_kv_u64(j, "commits", st.groups);
	json_object_close(j);
	vuln_status(c->vuln, j);
	audit_status(c->audit, j);
	correlating_status(c->correlating, j);
	health_status(c->health, j);
}

static void on_metrics(void *arg, struct buf *out)
{
	struct collector *c = arg;

	intake_metrics(c->intake, out);
	correlating_metrics(c->correlating, out);
	notify_metrics(c->notify, c->clk, out);
	alert_quiet_metrics(c->store, out);
	health_metrics(c->health, out);
}

static int on_rules(void *arg, bool is_correlations, struct buf *out, struct err *err)
{
	return correlating_list(((struct collector *)arg)->correlating, is_correlations, out, err);
}

static int on_explain(void *arg, const cJSON *ask, struct buf *out, struct err *err)
{
	return correlating_explain(((struct collector *)arg)->correlating, ask, out, err);
}

static int on_backtest(void *arg, const cJSON *ask, const char *who, struct buf *out, struct err *err)
{
	return correlating_backtest(((struct collector *)arg)->correlating, ask, who, out, err);
}

static int on_backtest_show(void *arg, int64_t id, bool must_end, struct buf *out, struct err *err)
{
	return correlating_backtest_show(((struct collector *)arg)->correlating, id, must_end, out, err);
}

/* A person changed what vulnerabilities or checks depend on. */
static void on_changed(void *arg)
{
	struct collector *c = arg;

	vuln_kick(c->vuln);
	audit_kick(c->audit);
}

/* ---- notification, as people see it ---- */

static int on_notify(void *arg, struct json *j, struct err *err)
{
	return notify_describe(((struct collector *)arg)->notify, j, err);
}

static int on_notify_test(void *arg, const char *name, uint64_t *ret, struct err *err)
{
	return notify_test(((struct collector *)arg)->notify, name, ret, err);
}

static int on_notify_result(void *arg, uint64_t id, struct json *j, struct err *err)
{
	return notify_test_result(((struct collector *)arg)->notify, id, j, err);
}

static void on_notify_changed(void *arg)
{
	notify_retry(((struct collector *)arg)->notify);
}

/* ---- start ---- */

static int open_store(struct collector *c, struct err *err)
{
	struct store_config cfg;

	collector_store_config(c->cfg, &cfg);
	int r = store_open(&cfg, c->clk, &c->store, err);
	struct err why;
	/* the tick tries again; with a full disk people must still get in */
	if (r >= 0 && store_history_prepare(c->store, &why) < 0)
		LOG(WARN, "store.prepare", KV_STR("why", why.msg));
	return r;
}

static int read_pems(struct collector *c, struct err *err)
{
	int r = file_read(c->cfg->ca_file, MAX_PEM_BYTES, &c->ca_pem, err);

	if (r >= 0)
		r = file_read(c->cfg->ca_key_file, MAX_PEM_BYTES, &c->ca_key_pem, err);
	if (r >= 0)
		r = file_read(c->cfg->cert_file, MAX_PEM_BYTES, &c->cert_pem, err);
	if (r >= 0)
		r = file_read(c->cfg->key_file, MAX_PEM_BYTES, &c->key_pem, err);
	if (r < 0)
		return err_wrap(err, r, "run `picket-collector init` first");
	return tls_key_matches(buf_slice(&c->cert_pem), buf_slice(&c->key_pem), err);
}

static int open_notify(struct collector *c, struct loop *l, struct err *err)
{
	const char *port = strrchr(c->cfg->http, ':');

	snprintf(c->inbox_url_text, sizeof(c->inbox_url_text), "https://%s%s", c->cfg->name, port ? port : "");
	c->notify_config = (struct notify_config){
		.webhooks = c->cfg->webhooks.items,
		.webhook_count = c->cfg->webhooks.count,
		.mails = c->cfg->mails.items,
		.mail_count = c->cfg->mails.count,
		.syslogs = c->cfg->syslogs.items,
		.syslog_count = c->cfg->syslogs.count,
		.routes = c->cfg->routes.items,
		.route_count = c->cfg->routes.count,
		.inbox_url = c->cfg->inbox_url[0] ? c->cfg->inbox_url : c->inbox_url_text,
		.group_wait_ms = c->cfg->group_wait_ms,
		.max_attempts = (uint32_t)c->cfg->max_attempts,
		.is_quiet = tell_is_quiet,
		.quiet_arg = &c->tell,
	};
	int r = fetch_pool_new(l, NOTIFY_CONNECTIONS, &c->fetch, err);
	return r < 0 ? r : notify_new(l, c->store, c->fetch, c->clk, &c->notify_config, &c->notify, err);
}

static int open_vuln(struct collector *c, struct loop *l, struct err *err)
{
	static const struct vuln_ops ops = { .on_case = on_case,
					     .on_closed = on_closed,
					     .on_data = on_data,
					     .on_committed = on_judged };
	const char *const command[] = { "picket-collector", "feed", "update", "--config", c->cfg->path, NULL };
	int r = collector_vuln_config(c->cfg, c->db_path, &c->vuln_config, err);

	if (r < 0)
		return r;
	memcpy(c->update_command, command, sizeof(command));
	if (c->cfg->path)
		c->vuln_config.update_command = c->update_command;
	c->scans.at_once = c->scans.per_hour = (uint32_t)c->cfg->image_alerts_per_hour;
	return vuln_new(l, c->store, c->clk, &c->vuln_config, &ops, c, &c->vuln, err);
}

/* New alerts of one host: a table of checks is a hundred rows. */
enum { CHECK_ALERTS_AT_ONCE = 200 };

static int open_audit(struct collector *c, struct loop *l, struct err *err)
{
	static const struct audit_ops ops = { .on_case = on_check,
					      .on_closed = on_closed,
					      .on_waiver = on_waiver,
					      .on_policy = on_policy,
					      .on_notice = on_notice,
					      .on_committed = on_judged };

	c->checks.at_once = c->checks.per_hour = CHECK_ALERTS_AT_ONCE;
	c->policies.at_once = c->policies.per_hour = CHECK_ALERTS_AT_ONCE;
	return audit_new(l, c->store, c->clk, &ops, c, &c->audit, err);
}

static int open_correlating(struct collector *c, struct loop *l, struct err *err)
{
	static const struct correlating_ops ops = { .on_alert = on_correlated, .on_notice = on_notice };

	return correlating_new(l, c->store, c->clk, c->cfg, &ops, c, &c->correlating, err);
}

static int open_doors(struct collector *c, struct loop *l, struct err *err)
{
	static const struct intake_ops ops = { .on_record = on_record,
					       .on_committed = on_committed,
					       .on_notice = on_notice,
					       .on_address = on_address,
					       .on_request = on_request,
					       .on_heartbeat = on_heartbeat };
	static const struct api_ops api_ops = { .on_status = on_status,
						.on_metrics = on_metrics,
						.on_changed = on_changed,
						.on_rules = on_rules,
						.on_explain = on_explain,
						.on_backtest = on_backtest,
						.on_backtest_show = on_backtest_show,
						.on_notify = on_notify,
						.on_notify_test = on_notify_test,
						.on_notify_result = on_notify_result,
						.on_notify_changed = on_notify_changed };
	struct wire_tls tls = { .ca_pem = buf_slice(&c->ca_pem),
				.cert_pem = buf_slice(&c->cert_pem),
				.key_pem = buf_slice(&c->key_pem) };
	struct intake_config in = { .url = c->cfg->listen, .tls = tls, .credit = (uint32_t)c->cfg->credit };
	struct fleet_config fl = { .enrol_url = c->cfg->enrol_listen,
				   .tls = tls,
				   .ca_pem = buf_slice(&c->ca_pem),
				   .ca_key_pem = buf_slice(&c->ca_key_pem),
				   .agent_urls = c->agent_urls,
				   .cert_days = c->cfg->cert_days };
	struct api_config api = { .address = c->cfg->http,
				  .cert_file = c->cfg->cert_file,
				  .key_file = c->cfg->key_file };

	collector_public_urls(c->cfg, &c->cfg->agent_urls, c->cfg->listen, c->agent_url_text, c->agent_urls);
	int r = intake_new(l, c->store, c->clk, &in, &ops, c, &c->intake, err);
	if (r >= 0)
		r = fleet_new(l, c->store, c->clk, &fl, &c->fleet, err);
	if (r >= 0)
		r = api_new(l, c->store, c->clk, &api, &api_ops, c, &c->api, err);
	return r;
}

static int open_health(struct collector *c, struct err *err)
{
	static const struct health_ops ops = { .on_facts = on_facts,
					       .on_case = on_health_case,
					       .on_closed = on_closed,
					       .on_committed = on_judged };

	c->health_config = (struct health_config){ .silent_ms = c->cfg->silent_ms,
						   .clock_off_ms = c->cfg->clock_off_ms,
						   .spool_ms = c->cfg->spool_ms,
						   .delivery_ms = c->cfg->delivery_ms,
						   .behind_ms = c->cfg->behind_ms,
						   .cert_days = c->cfg->cert_days,
						   .reserve_bytes = c->cfg->reserve_bytes,
						   .ca_pem = buf_slice(&c->ca_pem),
						   .cert_pem = buf_slice(&c->cert_pem) };
	return health_new(c->store, c->clk, &c->health_config, &ops, c, &c->health, err);
}

int collector_new(struct loop *l, const struct clock *clk, const struct collector_config *cfg,
		  struct collector **ret, struct err *err)
{
	CLEANUP(collector_freep) struct collector *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(err, ENOMEM, "collector");
	c->cfg = cfg;
	c->clk = clk;
	c->alert.fold_ms = cfg->fold_ms;
	c->sums.at_once = c->sums.per_hour = SUMS_AT_ONCE;
	int r = read_pems(c, err);
	if (r >= 0)
		r = open_store(c, err);
	if (r >= 0)
		r = tell_open(&c->tell, c->cfg, c->store, clk, err);
	if (r >= 0)
		r = open_notify(c, l, err);
	if (r >= 0)
		r = tell_through(&c->tell, c->cfg, c->notify, err);
	if (r >= 0)
		r = open_correlating(c, l, err);
	if (r >= 0)
		r = open_vuln(c, l, err);
	if (r >= 0)
		r = open_audit(c, l, err);
	if (r >= 0)
		r = open_health(c, err);
	if (r >= 0)
		r = open_doors(c, l, err);
	if (r < 0)
		return r;
	c->tick = loop_timer_new(l, on_tick, c);
	c->over = loop_timer_new(l, on_tidy, c);
	if (!c->tick || !c->over)
		return err_set(err, ENOMEM, "timer");
	loop_timer_every(c->tick, TICK_MS);
	notify_kick(c->notify); /* what an earlier run left in the outbox */
	*ret = take_ptr(c);
	return 0;
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	loop_timer_free(c->tick);
	loop_timer_free(c->over);
	api_free(c->api);
	fleet_free(c->fleet);
	intake_free(c->intake);
	health_free(c->health);
	audit_free(c->audit);
	vuln_free(c->vuln);
	correlating_free(c->correlating);
	notify_free(c->notify);
	fetch_pool_free(c->fetch);
	tell_close(&c->tell);
	store_close(c->store);
	buf_fini(&c->ca_pem);
	buf_fini(&c->ca_key_pem);
	buf_fini(&c->cert_pem);
	buf_fini(&c->key_pem);
	free(c);
}
