/* engine.c - see engine.h. Events in, firings out, the clock between. */
#include "collector/correlate/engine_priv.h"

#include <errno.h>

enum { SPECS_SHARED_MAX = 512, BYTES_MIN = 64 << 10, EVENTS_MIN = 16 };
static const int64_t lateness_max_ns = 24 * 3600 * 1000000000ll;

/* ---- firing ---- */

static void feed(struct engine *e, const struct origin *o, uint32_t document);

/* In the order of time; of equal ones, of arrival. */
static size_t collect(struct engine *e, const struct group *g, int64_t from_ns, int64_t end_ns, struct evidence *ret)
{
	bool is_bounded = group_rule(e, g)->is_bounded;
	size_t n = 0;

	for (unsigned i = 0; i < g->evidence_count; i++) {
		const struct evidence *ev = group_evidence(g, i);
		size_t at = n;

		if (ev->time_ns > end_ns || ev->time_ns < from_ns + !is_bounded || !agents_get(e, ev))
			continue;
		for (; at && ret[at - 1].time_ns > ev->time_ns; at--)
			ret[at] = ret[at - 1];
		ret[at] = *ev;
		n++;
	}
	return n;
}

static size_t to_refs(struct engine *e, const struct evidence *found, size_t n, struct engine_ref *ret)
{
	for (size_t i = 0; i < n; i++) {
		const struct source *s = agents_get(e, &found[i]);

		ret[i] = (struct engine_ref){ slice_from(s->agent, s->agent_count), s->epoch, found[i].sequence };
	}
	return n;
}

static bool is_suppressed(const struct correlation *c, const struct group *g, int64_t time_ns)
{
	return c->suppress_ns && g->fired_ns >= 0 && time_ns < g->fired_ns + c->suppress_ns;
}

void engine_emit(struct engine *e, struct group *g, const struct window *w, int64_t from_ns)
{
	struct rule *r = &e->rules[g->rule];
	struct engine_value values[CORRELATION_GROUP_MAX];
	struct evidence found[CORRELATION_EVIDENCE_MAX];
	struct engine_ref refs[CORRELATION_EVIDENCE_MAX];
	uint8_t key[ENGINE_KEY_MAX];
	struct slice s = group_key(e, g);

	if (is_suppressed(r->c, g, w->end_ns)) {
		r->stats.suppressed++;
		return;
	}
	g->is_active = true;
	g->fired_ns = w->end_ns;
	r->stats.fired++;
	memcpy(key, s.p, s.n); /* what follows may evict the group */
	(void)engine_key_split(slice_from(key, s.n), values, r->c->group_by.count);
	size_t n = collect(e, g, from_ns, w->end_ns, found);
	struct engine_match m = { .rule = r->document, .time_ns = w->end_ns, .from_ns = from_ns, .group = values,
				  .group_count = r->c->group_by.count, .value = w->value, .is_approx = w->is_approx,
				  .evidence = refs, .evidence_count = to_refs(e, found, n, refs) };
	e->fire(e->fire_arg, &m);
	struct origin o = { .time_ns = w->end_ns, .order = ++e->order, .group = values, .evidence = { .source = ENGINE_NO_SOURCE } };
	if (n)
		o.evidence = found[n - 1];
	o.evidence.time_ns = w->end_ns;
	feed(e, &o, r->document);
}

/* ---- hits ---- */

/* NULL: not counted. */
static struct group *find_group(struct engine *e, const struct subscription *s, const struct origin *o)
{
	struct rule *r = &e->rules[s->rule];
	struct slice key;
	uint64_t hash;

	if (!engine_key(e, s, o, &key, &hash)) {
		r->stats.no_group++;
		return NULL;
	}
	struct group *g = group_find(r, key, hash);
	if (g) {
		group_touch(r, g);
		window_age(e, g);
		return g;
	}
	g = group_add(e, s->rule, key, hash);
	e->stats.lost += !g;
	return g;
}

/* The group, if there is something to look at now. */
static struct group *count(struct engine *e, const struct subscription *s, const struct origin *o)
{
	struct rule *r = &e->rules[s->rule];
	struct group *g = find_group(e, s, o);
	struct hit h;

	if (!g)
		return NULL;
	if (r->c->is_bounded && o->time_ns <= g->closed_ns) {
		r->stats.late++;
		return NULL;
	}
	r->stats.no_value += !engine_value_of(e, s, o, &h);
	if (!window_add(e, g, &h)) {
		e->stats.lost += !r->c->is_bounded;
		return NULL;
	}
	r->stats.hits++;
	struct evidence ev = o->evidence;
	ev.ref = s->ref;
	group_add_evidence(e, g, &ev);
	if (!r->c->is_bounded)
		return g;
	close_hit(e, g, &h);
	return NULL;
}

static void look(struct engine *e, struct group *g, int64_t time_ns)
{
	const struct correlation *c = group_rule(e, g);
	struct window w = window_look(e, g, time_ns);

	if (!w.holds)
		g->is_active = false;
	else if (!g->is_active || c->is_refire)
		engine_emit(e, g, &w, w.end_ns - c->timespan_ns);
}

/* Groups lie anywhere in memory: what all rules will read is asked for before the first of them reads. */
static void prefetch(struct engine *e, const struct origin *o, uint32_t document)
{
	uint32_t from = e->subscribed[document], to = e->subscribed[document + 1];

	for (int stage = 0; stage < 3 && to - from > 1; stage++) {
		for (uint32_t i = from; i < to; i++) {
			const struct subscription *s = &e->subscriptions[i];
			struct slice key;
			uint64_t hash;

			if (engine_key(e, s, o, &key, &hash))
				group_prefetch(&e->rules[s->rule], hash, stage);
		}
	}
}

/* First each rule counts the hit, then each looks: a correlation that fires in between finds it counted everywhere. */
static void feed(struct engine *e, const struct origin *o, uint32_t document)
{
	size_t from = e->pending_count;

	if (o->event)
		prefetch(e, o, document);
	for (uint32_t i = e->subscribed[document]; i < e->subscribed[document + 1]; i++) {
		struct group *g = count(e, &e->subscriptions[i], o);

		if (g)
			e->pending[e->pending_count++] = (struct pending){ .group = g, .rule = g->rule };
	}
	engine_keep_bounds(e);
	for (size_t i = from; i < e->pending_count; i++) {
		if (e->pending[i].group)
			look(e, e->pending[i].group, o->time_ns);
	}
	e->pending_count = from;
}

static void count_late(struct engine *e, const struct engine_event *ev)
{
	e->stats.late++;
	for (size_t i = 0; i < ev->rule_count; i++)
		for (uint32_t k = e->subscribed[ev->rules[i]]; k < e->subscribed[ev->rules[i] + 1]; k++)
			e->rules[e->subscriptions[k].rule].stats.late++;
}

static bool is_bad(const struct engine *e, const struct engine_event *ev)
{
	if (ev->time_ns < 0 || ev->time_ns > ENGINE_TIME_MAX || ev->ref.agent.n > ENGINE_AGENT_MAX)
		return true;
	for (size_t i = 0; i < ev->rule_count; i++)
		if (ev->rules[i] >= e->document_count)
			return true;
	return false;
}

enum engine_taken engine_event(struct engine *e, const struct engine_event *ev)
{
	struct origin o = { .time_ns = ev->time_ns, .event = ev };

	if (is_bad(e, ev)) {
		e->stats.bad++;
		return ENGINE_BAD;
	}
	if (!agents_take(e, &ev->ref, &o.evidence)) {
		e->stats.seen++;
		return ENGINE_SEEN;
	}
	if (ev->time_ns < e->now_ns - e->config.lateness_ns) {
		count_late(e, ev);
		return ENGINE_LATE;
	}
	engine_close_until(e, ev->time_ns > e->now_ns ? ev->time_ns : e->now_ns);
	e->stats.events++;
	e->stamp++;
	e->keys_used = 0;
	e->order++;
	o.evidence.time_ns = ev->time_ns;
	for (size_t i = 0; i < ev->rule_count; i++) {
		o.order = e->order; /* behind what fired for the rules before */
		feed(e, &o, ev->rules[i]);
	}
	return ENGINE_TAKEN;
}

void engine_advance(struct engine *e, int64_t now_ns)
{
	engine_close_until(e, now_ns > e->now_ns && now_ns <= ENGINE_TIME_MAX ? now_ns : e->now_ns);
}

int64_t engine_now(const struct engine *e)
{
	return e->now_ns;
}

/* ---- making one ---- */

static uint32_t find_spec(struct engine *e, const struct correlation *c, const struct correlation_ref *ref)
{
	struct spec s = { .count = (uint8_t)c->group_by.count };
	size_t i = 0;

	for (size_t k = 0; k < s.count; k++) {
		s.fields[k] = ref->group[k];
		s.is_missing |= ref->group[k] < 0;
	}
	while (i < e->spec_count && i < SPECS_SHARED_MAX &&
	       (e->specs[i].count != s.count || memcmp(e->specs[i].fields, s.fields, sizeof(s.fields))))
		i++;
	if (i == SPECS_SHARED_MAX)
		i = e->spec_count;
	if (i == e->spec_count)
		e->specs[e->spec_count++] = s;
	return (uint32_t)i;
}

/* Documents to the rules that name them, each in the order of rules. */
static int subscribe(struct engine *e, size_t total)
{
	e->subscriptions = calloc(total + 1, sizeof(*e->subscriptions));
	e->subscribed = calloc(e->document_count + 2, sizeof(*e->subscribed));
	e->specs = calloc(total + 1, sizeof(*e->specs));
	e->pending = calloc(total + 1, sizeof(*e->pending));
	if (!e->subscriptions || !e->subscribed || !e->specs || !e->pending)
		return -ENOMEM;
	for (size_t i = 0; i < e->rule_count; i++)
		for (size_t k = 0; k < e->rules[i].c->ref_count; k++)
			e->subscribed[e->rules[i].c->refs[k].rule + 2]++;
	for (size_t d = 1; d <= e->document_count; d++)
		e->subscribed[d + 1] += e->subscribed[d];
	for (size_t i = 0; i < e->rule_count; i++) {
		const struct correlation *c = e->rules[i].c;

		for (size_t k = 0; k < c->ref_count; k++) {
			struct subscription *s = &e->subscriptions[e->subscribed[c->refs[k].rule + 1]++];

			*s = (struct subscription){ .rule = (uint32_t)i, .ref = (uint16_t)k, .spec = ENGINE_NO_SPEC };
			if (!c->refs[k].is_correlation)
				s->spec = find_spec(e, c, &c->refs[k]);
		}
	}
	e->keys = malloc((e->spec_count + 1) * ENGINE_KEY_MAX);
	return e->keys ? 0 : -ENOMEM;
}

static int add_rules(struct engine *e, struct err *err)
{
	size_t n = 0, total = 0;

	for (size_t i = 0; i < e->document_count; i++)
		n += e->documents[i].correlation != NULL;
	e->rules = calloc(n + 1, sizeof(*e->rules));
	e->rule_of = malloc((e->document_count + 1) * sizeof(*e->rule_of));
	if (!e->rules || !e->rule_of)
		return err_set(err, ENOMEM, "make the correlation engine");
	for (size_t i = 0; i < e->document_count; i++) {
		const struct correlation *c = e->documents[i].correlation;

		e->rule_of[i] = UINT32_MAX;
		if (!c)
			continue;
		if (c->type == CORRELATION_EVENT_COUNT && ((c->ops >> CORRELATION_GTE & 1 && c->limits[CORRELATION_GTE] > e->config.events_max) ||
							   (c->ops >> CORRELATION_GT & 1 && c->limits[CORRELATION_GT] >= e->config.events_max)))
			return sigma_fail(c->rule, c->rule->correlation, err, "counts further than the %u events kept of a group",
					  e->config.events_max);
		e->rule_of[i] = (uint32_t)e->rule_count;
		e->rules[e->rule_count++] = (struct rule){ .c = c, .document = (uint32_t)i };
		total += c->ref_count;
	}
	if (subscribe(e, total) < 0)
		return err_set(err, ENOMEM, "make the correlation engine");
	return 0;
}

static int check_config(struct engine_config *c, struct err *err)
{
	c->bytes_max = c->bytes_max ? c->bytes_max : 256 << 20;
	c->groups_max = c->groups_max ? c->groups_max : 1000000;
	c->events_max = c->events_max ? c->events_max : CORRELATION_COUNT_MAX;
	c->agents_max = c->agents_max ? c->agents_max : 65536;
	if (c->bytes_max < BYTES_MIN || c->events_max < EVENTS_MIN || c->events_max > CORRELATION_COUNT_MAX)
		return err_set(err, ERR_LIMIT, "bounds of the correlation engine are out of range");
	if (c->lateness_ns < 0 || c->lateness_ns > lateness_max_ns || c->close_ns < 0 || c->close_ns > c->lateness_ns)
		return err_set(err, ERR_LIMIT, "lateness must be 0 to 24 h, and windows close within it");
	return 0;
}

int engine_new(const struct engine_config *config, const struct correlation_document *documents, size_t count,
	       engine_fire_fn fire, void *arg, struct engine **ret, struct err *err)
{
	CLEANUP(engine_freep) struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return err_set(err, ENOMEM, "make the correlation engine");
	e->config = *config;
	e->documents = documents;
	e->document_count = count;
	e->fire = fire;
	e->fire_arg = arg;
	e->source_newest = e->source_oldest = ENGINE_NO_SOURCE;
	int r = check_config(&e->config, err);
	if (r >= 0)
		r = add_rules(e, err);
	if (r < 0)
		return r;
	*ret = take_ptr(e);
	return 0;
}

void engine_clear(struct engine *e)
{
	for (size_t i = 0; i < e->rule_count; i++) {
		struct rule *r = &e->rules[i];

		while (r->newest)
			group_remove(e, r->newest);
		free(r->buckets);
		*r = (struct rule){ .c = r->c, .document = r->document };
	}
	engine_agents_fini(e);
	e->now_ns = 0;
	e->serial = 0;
	e->order = 0;
	e->stats = (struct engine_stats){ 0 };
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	engine_clear(e);
	free(e->rules);
	free(e->rule_of);
	free(e->subscriptions);
	free(e->subscribed);
	free(e->specs);
	free(e->keys);
	free(e->pending);
	free(e->heap);
	free(e);
}

/* ---- figures ---- */

void engine_stats(const struct engine *e, struct engine_stats *ret)
{
	*ret = e->stats;
}

void engine_rule_stats(const struct engine *e, uint32_t rule, struct engine_rule_stats *ret)
{
	*ret = (struct engine_rule_stats){ 0 };
	if (rule >= e->document_count || e->rule_of[rule] == UINT32_MAX)
		return;
	const struct rule *r = &e->rules[e->rule_of[rule]];
	*ret = r->stats;
	ret->groups = r->group_count;
	ret->bytes = r->bytes;
	ret->events = r->events;
}
