/* correlating.c - see correlating.h. */
#include "collector/correlating.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>

#include "collector/alert/alert_correlation.h"
#include "collector/alert/flood.h"
#include "collector/correlate/live.h"
#include "collector/correlating_priv.h"
#include "collector/store/record_json.h"
#include "collector/store/store_correlations.h"
#include "collector/store/store_images.h"
#include "common/log.h"

enum { USES_MAX = 64, NUMBER_BYTES = 40, UNSCANNED_EVERY_MS = 600000, UNSCANNED_MAX = 1000 };

/* ---- alerts ---- */

static enum msg_severity severity_of(enum sigma_level level)
{
	static const enum msg_severity of[SIGMA_LEVEL_COUNT] = {
		[SIGMA_LEVEL_NONE] = SEVERITY_MEDIUM,	[SIGMA_LEVEL_INFORMATIONAL] = SEVERITY_INFO,
		[SIGMA_LEVEL_LOW] = SEVERITY_LOW,	[SIGMA_LEVEL_MEDIUM] = SEVERITY_MEDIUM,
		[SIGMA_LEVEL_HIGH] = SEVERITY_HIGH,	[SIGMA_LEVEL_CRITICAL] = SEVERITY_CRITICAL,
	};

	return level < SIGMA_LEVEL_COUNT ? of[level] : SEVERITY_MEDIUM;
}

static void take_rule(struct alert_correlated *x, const struct ruleset_rule *rule)
{
	const struct sigma_rule *r = rule->rule;

	x->name = rule->name;
	x->title = sigma_rule_label(r);
	x->description = r->description;
	x->severity = severity_of(r->level);
	x->tags = r->tags.items;
	x->tag_count = r->tags.count;
	x->references = r->references.items;
	x->reference_count = r->references.count;
	x->falsepositives = r->falsepositives.items;
	x->falsepositive_count = r->falsepositives.count;
	x->agent = x->host = x->container_id = x->container_name = x->container_image = x->call = x->condition = "";
}

static void take_event(struct alert_correlated *x, const struct observed *o)
{
	x->agent = o->agent;
	x->host = o->host;
	x->process = o->process;
	x->container = o->container && o->container->id[0] ? o->container : NULL;
	x->file = o->file;
	x->network = o->network;
	x->call = o->call;
	x->result = o->call_result;
	if (o->event)
		x->event_type = o->event->type;
	else if (o->finding)
		x->event_type = o->finding->event_type;
	if (x->container)
		x->container_id = o->container->id;
}

/* New alerts of one rule are bounded: one that is badly written must not bury the inbox. */
static int tell(struct correlating *c, const struct alert_correlated *x, struct err *err)
{
	uint64_t now = clock_boot_ns(c->clk);
	struct alert_config cfg = { .fold_ms = c->fold_ms, .now_unix_ns = clock_unix_ns(c->clk),
				    .is_full = !flood_may(&c->flood, x->name, now) };
	struct alert_change change;

	/* Each costs a row rewritten: one that matches everything must not hold up what comes in. The events are in the
	 * history, and counted. */
	if (!flood_may(&c->pace, x->name, now)) {
		c->withheld++;
		c->ops.on_notice(c->arg, "rule_flood", "", x->title);
		return 0;
	}
	flood_took(&c->pace, x->name, now);
	int r = alert_from_correlation(c->store, &cfg, x, &change, err);

	if (r == -ERR_LIMIT) { /* never seen; what came with it must not wait for it */
		LOG(ERROR, "correlate.alert", KV_STR("rule", x->name), KV_STR("why", err ? err->msg : ""));
		return 0;
	}
	if (r < 0)
		return r;
	if (change.is_new || change.is_reopened)
		flood_took(&c->flood, x->name, now);
	if (cfg.is_full && !change.id) {
		c->ops.on_notice(c->arg, "rule_flood", "", x->title);
		return 0;
	}
	return c->ops.on_alert(c->arg, &change, err);
}

static int on_matched(void *arg, const struct ruleset_rule *rule, const struct observed *o, struct err *err)
{
	struct correlating *c = arg;
	uint64_t now = clock_unix_ns(c->clk), when = o->record->time_unix_ns;
	/* an agent's clock may be years ahead, and the alert would fold and stay on top until then */
	struct alert_correlated x = { .time_unix_ns = when < now ? when : now };
	char id[RECORD_ID_MAX];
	const char *evidence[1] = { id };

	take_rule(&x, rule);
	take_event(&x, o);
	if (c->sequence) {
		record_json_id(o->agent, c->epoch, c->sequence, id);
		x.evidence = evidence;
		x.evidence_count = 1;
	}
	return tell(c, &x, err);
}

/* What the engine's callback needs room for. */
struct firing {
	struct alert_correlated x;
	char numbers[ALERT_GROUP_MAX][NUMBER_BYTES], condition[200];
	char texts[3][512];
	char ids[ALERT_EVIDENCE_MAX][RECORD_ID_MAX];
	const char *evidence[ALERT_EVIDENCE_MAX];
	const char *rules[CORRELATION_TEMPORAL_MAX];
	char host[STORE_NAME_MAX], agent[80];
};

static void write_condition(const struct correlation *c, char *dst, size_t size)
{
	const struct conf_node *n = sigma_get(c->rule->correlation, "condition");
	size_t at = 0;

	dst[0] = '\0';
	if (c->steps && n)
		(void)slice_copy(n->text, dst, size);
	for (int i = 0; !c->steps && i < CORRELATION_OP_COUNT && at < size; i++)
		if (c->ops >> i & 1)
			at += (size_t)snprintf(dst + at, size - at, "%s%s %.12g", at ? " and " : "", correlation_op_names[i], c->limits[i]);
}

/* The group says of which host and container it is. */
static void take_group(struct firing *f, const struct live_firing *from)
{
	static const char *const names[] = { "container.id", "container.name", "container.image" };
	const struct engine_match *m = from->match;
	struct alert_correlated *x = &f->x;
	const char **const places[] = { &x->container_id, &x->container_name, &x->container_image };

	for (size_t i = 0; i < m->group_count && i < ALERT_GROUP_MAX; i++) {
		const struct engine_value *v = &m->group[i];
		const char *name = from->rule->correlation->group_by.items[i];

		if (v->kind == ENGINE_INT)
			snprintf(f->numbers[i], NUMBER_BYTES, "%" PRId64, v->i);
		else if (v->kind == ENGINE_REAL)
			snprintf(f->numbers[i], NUMBER_BYTES, "%.12g", v->real);
		x->group[i] = (struct alert_group){ name, v->kind == ENGINE_TEXT ? v->text : slice_of(f->numbers[i]) };
		x->group_count = i + 1;
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (!strcmp(name, names[k])) {
				(void)slice_copy(x->group[i].value, f->texts[k], sizeof(f->texts[k]));
				*places[k] = f->texts[k];
			}
		if (!strcmp(name, "host")) {
			(void)slice_copy(x->group[i].value, f->host, sizeof(f->host));
			x->host = f->host;
		}
	}
}

static void take_evidence(struct correlating *c, struct firing *f, const struct engine_match *m)
{
	size_t n = m->evidence_count < ALERT_EVIDENCE_MAX ? m->evidence_count : ALERT_EVIDENCE_MAX;

	for (size_t i = 0; i < n; i++) {
		const struct engine_ref *ref = &m->evidence[m->evidence_count - 1 - i];

		(void)slice_copy(ref->agent, f->agent, sizeof(f->agent));
		f->evidence[i] = record_json_id(f->agent, ref->epoch, ref->sequence, f->ids[i]);
	}
	f->x.evidence = f->evidence;
	f->x.evidence_count = n;
	/* The clock made it fire, and the group names no host: that of the newest event. */
	if (!n || f->x.host[0])
		return;
	(void)slice_copy(m->evidence[m->evidence_count - 1].agent, f->agent, sizeof(f->agent));
	if (store_agent_host(c->store, f->agent, f->host, NULL) < 0)
		return;
	f->x.host = f->host;
	f->x.agent = f->agent;
}

static int on_fired(void *arg, const struct live_firing *from, struct err *err)
{
	struct correlating *c = arg;
	const struct correlation *rule = from->rule->correlation;
	const struct engine_match *m = from->match;
	struct firing *f = &c->firing[0];

	memset(f, 0, sizeof(*f));
	take_rule(&f->x, from->rule);
	if (from->event)
		take_event(&f->x, from->event);
	take_group(f, from);
	take_evidence(c, f, m);
	for (size_t i = 0; i < rule->ref_count && i < ARRAY_LEN(f->rules); i++, f->x.rule_count++)
		f->rules[i] = sigma_rule_label(live_rules(c->live)->rules[rule->refs[i].rule].rule);
	write_condition(rule, f->condition, sizeof(f->condition));
	f->x.rules = f->rules;
	f->x.condition = f->condition;
	f->x.type = correlation_type_name(rule->type);
	f->x.time_unix_ns = (uint64_t)m->time_ns;
	f->x.from_unix_ns = m->from_ns > 0 ? (uint64_t)m->from_ns : 0;
	f->x.timespan_s = (uint64_t)(rule->timespan_ns / 1000000000);
	f->x.value = m->value;
	f->x.score = rule->score;
	f->x.is_approx = m->is_approx;
	return tell(c, &f->x, err);
}

static void on_notice(void *arg, const char *what, const char *detail)
{
	struct correlating *c = arg;

	c->ops.on_notice(c->arg, what, "", detail);
}

/* ---- what comes in ---- */

int correlating_record(struct correlating *c, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
		       const Picket__Record *rec, struct err *err)
{
	c->epoch = epoch;
	c->sequence = seq;
	int r = live_record(c->live, agent, host, epoch, seq, rec, err);
	c->sequence = 0;
	return r;
}

void correlating_address(struct correlating *c, const char *host, const char *address)
{
	live_address(c->live, host, address);
}

/* Of several packages the one that is used most. */
static const struct store_place *place_of(const struct store_case *cs)
{
	const struct store_place *best = &cs->places[0];

	for (size_t i = 1; i < cs->place_count; i++)
		if (cs->places[i].used > best->used)
			best = &cs->places[i];
	return best;
}

unsigned correlating_use(const struct store_case *cs)
{
	return (cs->place_count ? place_of(cs)->used : 0) | (cs->is_exposed ? STORE_USE_EXPOSED : 0);
}

static int made_of_use(struct correlating *c, const struct store_case *cs, const struct store_use *use, struct err *err)
{
	const struct store_place *p = place_of(cs);
	Picket__Container k = PICKET__CONTAINER__INIT;
	const struct observed_made made = {
		.source = DETECT_SOURCE_SCAN,
		.time_unix_ns = clock_unix_ns(c->clk),
		.container = &k,
		.state = "found",
		.vulnerability = cs->vuln->id,
		.severity = vuln_severity_name(p->severity),
		.package = p->package,
		.used = p->used & STORE_USED_EXECUTED ? "executed" : p->used ? "loaded" : "",
		.is_exploited = cs->vuln->is_kev || cs->vuln->epss >= 0.5,
		.is_exposed = cs->is_exposed,
		.is_fixable = p->fixed[0] != '\0',
	};

	k.id = (char *)(uintptr_t)use->container;
	k.name = msg_bytes(slice_of(use->container_name));
	k.image = msg_bytes(slice_of(cs->image));
	k.image_id = (char *)(uintptr_t)cs->image_id;
	return live_made(c->live, use->agent, use->host, &made, err);
}

int correlating_case(struct correlating *c, const struct store_case *cs, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < cs->use_count && i < USES_MAX && cs->place_count && r >= 0; i++)
		r = made_of_use(c, cs, &cs->uses[i], err);
	return r;
}

static int on_unscanned(void *arg, const struct store_unscanned *row)
{
	struct correlating *c = arg;
	Picket__Container k = PICKET__CONTAINER__INIT;
	const struct observed_made made = { .source = DETECT_SOURCE_SCAN,
					    .time_unix_ns = clock_unix_ns(c->clk),
					    .container = &k,
					    .state = "unscanned",
					    .vulnerability = "",
					    .severity = "",
					    .package = "",
					    .used = "" };

	k.id = (char *)(uintptr_t)row->container;
	k.name = msg_bytes(slice_of(row->name));
	k.image = msg_bytes(row->image);
	k.image_id = (char *)(uintptr_t)row->image_id;
	return live_made(c->live, row->agent, row->host, &made, c->err);
}

/* What runs for long, and nobody knows what is in it. */
static void tell_unscanned(struct correlating *c)
{
	uint64_t now = clock_boot_ns(c->clk);
	uint64_t every_ms = c->unscanned_ms / 3 < UNSCANNED_EVERY_MS ? c->unscanned_ms / 3 : UNSCANNED_EVERY_MS;
	struct err err = { 0 };

	if (now < c->unscanned_boot_ns + every_ms * 1000000)
		return;
	c->unscanned_boot_ns = now;
	c->err = &err;
	int r = store_begin(c->store, &err);
	if (r >= 0)
		r = store_end(c->store, store_unscanned_each(c->store, c->unscanned_ms / 1000, UNSCANNED_MAX, on_unscanned, c, &err), &err);
	if (r < 0)
		LOG(ERROR, "correlate.unscanned", KV_STR("why", err.msg));
}

void correlating_tick(struct correlating *c)
{
	live_tick(c->live);
	tell_unscanned(c);
}

void correlating_reload(struct correlating *c)
{
	live_reload(c->live);
}

const char *correlating_error(const struct correlating *c)
{
	return live_error(c->live);
}

static void on_hangup(void *arg)
{
	correlating_reload(arg);
}

/* ---- figures ---- */

void correlating_status(struct correlating *c, struct json *j)
{
	struct live_stats st;

	live_stats(c->live, &st);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "detections", st.detections },   { "correlations", st.correlations },
		{ "events", st.events },	   { "skipped", st.skipped },
		{ "matched", st.matched },	   { "hits", st.hits },
		{ "firings", st.firings },	   { "rule_alerts", st.alerts_of_rules },
		{ "groups", st.groups },	   { "bytes", st.bytes },
		{ "bytes_max", st.bytes_max },	   { "evicted", st.evicted },
		{ "overflowed", st.overflowed },   { "late", st.late },
		{ "without_group", st.no_group },  { "overruns", st.overruns },
		{ "journal_rows", st.journal_rows }, { "journal_bytes", st.journal_bytes },
		{ "snapshot_bytes", st.snapshot_bytes }, { "rebuilt", st.rebuilt },
		{ "withheld", c->withheld },
		{ "errors", st.error_count },
	};
	json_kv_object(j, "correlation");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		json_kv_u64(j, rows[i].name, rows[i].value);
	json_kv_str(j, "error", st.error);
	json_kv_time(j, "loaded", st.reloaded_unix_ns);
	json_object_close(j);
}

/* ---- the whole ---- */

/* Of one rule: new alerts, and times that an alert is opened or counted on. */
enum { ALERTS_AT_ONCE = 1000, TOLD_AT_ONCE = 5000, TOLD_PER_HOUR = 36000 };

int correlating_new(struct loop *l, struct store *s, const struct clock *clk, const struct collector_config *cfg,
		    const struct correlating_ops *ops, void *arg, struct correlating **ret, struct err *err)
{
	static const struct live_ops live_ops = { on_fired, on_matched, on_notice };
	CLEANUP(correlating_freep) struct correlating *c = calloc(1, sizeof(*c));
	const struct live_config live = { .correlations_dir = cfg->correlations_dir,
					  .rules_dir = cfg->sigma_dir,
					  .has_shipped = cfg->has_shipped_rules,
					  .muted = cfg->muted_rules.items,
					  .muted_count = cfg->muted_rules.count,
					  .bytes_max = cfg->correlate_bytes,
					  .lateness_ms = cfg->lateness_ms };

	if (!c)
		return err_set(err, ENOMEM, "rules");
	*c = (struct correlating){ .loop = l, .store = s, .clk = clk, .ops = *ops, .arg = arg, .fold_ms = cfg->fold_ms };
	c->bytes_max = cfg->correlate_bytes;
	c->lateness_ms = cfg->lateness_ms;
	c->unscanned_ms = cfg->unscanned_ms;
	c->next_job = 1;
	c->flood.at_once = c->flood.per_hour = ALERTS_AT_ONCE;
	c->pace.at_once = TOLD_AT_ONCE;
	c->pace.per_hour = TOLD_PER_HOUR;
	c->firing = calloc(1, sizeof(*c->firing));
	if (!c->firing)
		return err_set(err, ENOMEM, "rules");
	int r = live_new(s, clk, &live, &live_ops, c, &c->live, err);
	c->work = loop_timer_new(l, correlating_work, c);
	if (r >= 0 && !c->work)
		r = err_set(err, ENOMEM, "timer");
	if (r >= 0)
		r = loop_signal(l, SIGHUP, on_hangup, c, err);
	if (r < 0)
		return r;
	*ret = take_ptr(c);
	return 0;
}

void correlating_free(struct correlating *c)
{
	if (!c)
		return;
	loop_timer_free(c->work);
	correlating_jobs_free(c);
	live_free(c->live);
	free(c->firing);
	free(c);
}
