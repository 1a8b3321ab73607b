/* live.c - see live.h. */
#include "collector/correlate/live_priv.h"

#include <errno.h>
#include <inttypes.h>

#include "common/log.h"
#include "common/text.h"

enum { AGENTS_EVERY_S = 5, WIDE_S = 3600, AWAY_MIN_S = 30, DAY_S = 86400, TELL_EVERY_S = 3600, CLOCK_AHEAD_S = 60 };
static const uint64_t second_ns = 1000000000;

/* ---- one event ---- */

static void fired(void *arg, const struct engine_match *m)
{
	struct live *l = arg;

	if (l->is_replaying || l->failed < 0)
		return;
	l->fired_now++;
	l->stats.firings++;
	const struct live_firing f = { .rule = &l->rules->rules[m->rule], .match = m, .event = l->event };
	l->failed = store_rule_fired(l->store, f.rule->name, (uint64_t)m->time_ns, l->err);
	if (l->failed >= 0 && f.rule->is_told)
		l->failed = l->ops.on_fired(l->arg, &f, l->err);
}

int live_new_engine(struct live *l, const struct ruleset *rules, struct engine **ret, struct err *err)
{
	struct engine_config cfg = { .bytes_max = l->cfg.bytes_max, .lateness_ns = l->lateness_ns, .close_ns = l->lateness_ns };

	text_random(cfg.seed, sizeof(cfg.seed));
	return engine_new(&cfg, rules->documents, rules->count, fired, l, ret, err);
}

static void add_value(struct live_row *row, const struct observed *o, uint16_t field)
{
	for (size_t i = 0; i < row->value_count; i++)
		if (row->values[i].field == field)
			return;
	if (row->value_count == LIVE_FIELDS_MAX)
		return;
	struct live_value *v = &row->values[row->value_count];
	v->field = field;
	ruleset_value(o, field, &v->value);
	row->value_count += v->value.kind != ENGINE_ABSENT;
}

/* What the engine is to be told of it; false: no correlation names a rule that matched. */
static bool make_row(struct live *l, const struct observed *o, size_t n, uint64_t epoch, uint64_t seq)
{
	struct live_row *row = &l->row;
	uint64_t now = clock_unix_ns(l->clk), t = o->record->time_unix_ns;

	*row = (struct live_row){ .is_event = true, .clock_ns = engine_now(l->engine) };
	/* One clock that is ahead must not end everybody's windows. */
	row->time_ns = (int64_t)(t && t < now ? t : now);
	if (seq)
		row->ref = (struct engine_ref){ slice_of(o->agent), epoch, seq };
	for (size_t i = 0; i < n && row->rule_count < LIVE_RULES_MAX; i++) {
		const struct ruleset_rule *x = &l->rules->rules[l->matched[i]];

		if (!x->is_named)
			continue;
		row->rules[row->rule_count++] = l->matched[i];
		for (size_t k = 0; k < x->field_count; k++)
			add_value(row, o, x->fields[k]);
	}
	return row->rule_count != 0;
}

/* Ends the windows whose time is over. A row where that made something fire: else it would fire again after a kill. */
static int advance(struct live *l, uint64_t unix_ns, struct err *err)
{
	int r = live_check(l, err);

	if (r < 0)
		return r;
	l->fired_now = 0;
	l->failed = 0;
	l->err = err;
	l->event = NULL;
	l->ticked_unix_ns = unix_ns;
	engine_advance(l->engine, (int64_t)unix_ns);
	if (l->failed < 0 || !l->fired_now)
		return l->failed;
	l->row = (struct live_row){ .clock_ns = engine_now(l->engine) };
	return live_journal_add(l, &l->row, err);
}

static int feed_engine(struct live *l, const struct observed *o, size_t n, uint64_t epoch, uint64_t seq, struct err *err)
{
	/* First: what the engine is told must be what the journal holds, or a rollback would tell it twice. */
	int r = live_check(l, err);

	/* One that was rebuilt knows the time of its last row only, and would take what had been too late. */
	if (r >= 0 && engine_now(l->engine) < (int64_t)l->ticked_unix_ns)
		r = advance(l, l->ticked_unix_ns, err);
	if (r < 0 || !make_row(l, o, n, epoch, seq))
		return r;
	r = live_journal_add(l, &l->row, err);
	if (r < 0)
		return r;
	l->event = o;
	l->failed = 0;
	l->err = err;
	l->stats.hits++;
	(void)live_apply(l, &l->row); /* late ones are in the engine's figures */
	l->event = NULL;
	return l->failed;
}

static int tell_rules(struct live *l, const struct observed *o, size_t n, struct err *err)
{
	uint64_t now = clock_unix_ns(l->clk), when = o->record->time_unix_ns < now ? o->record->time_unix_ns : now;
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		const struct ruleset_rule *x = &l->rules->rules[l->matched[i]];

		if (!x->is_told)
			continue;
		l->stats.alerts_of_rules++;
		r = store_rule_fired(l->store, x->name, when, err);
		if (r >= 0)
			r = l->ops.on_matched(l->arg, x, o, err);
	}
	return r;
}

static int look(struct live *l, struct observed *o, uint64_t epoch, uint64_t seq, struct err *err)
{
	bool is_named = false;

	l->stats.events++;
	if (!(l->rules->wants >> o->ev.source & 1)) {
		l->stats.skipped++;
		return 0;
	}
	o->world = live_world_ops(l->world);
	size_t n = ruleset_match(l->rules, o, l->matched);
	if (!n)
		return 0;
	l->stats.matched++;
	for (size_t i = 0; i < n; i++)
		is_named |= l->rules->rules[l->matched[i]].is_named;
	int r = tell_rules(l, o, n, err);
	return r < 0 || !is_named ? r : feed_engine(l, o, n, epoch, seq, err);
}

int live_record(struct live *l, const char *agent, const char *host, uint64_t epoch, uint64_t seq, const Picket__Record *rec,
		struct err *err)
{
	size_t count = observed_count(rec);
	struct observed o;
	int r = 0;

	live_world_learn(l->world, agent, host, rec);
	for (size_t i = 0; i < count && r >= 0; i++) {
		arena_reset(l->arena);
		observed_init(&o, agent, host, rec, i, l->arena);
		/* A sequence counts once: of a report's results the first stands for all as evidence. */
		r = look(l, &o, epoch, i ? 0 : seq, err);
	}
	return r;
}

void live_address(struct live *l, const char *host, const char *address)
{
	const char *colon = strrchr(address, ':');
	struct slice s = slice_from(address, colon ? (size_t)(colon - address) : strlen(address));

	if (s.n > 2 && s.p[0] == '[')
		s = slice_sub(s, 1, s.n - 2);
	if (slice_starts(s, SLICE_LIT("::ffff:")))
		s = slice_sub(s, 7, s.n);
	live_world_address(l->world, host, s);
}

int live_made(struct live *l, const char *agent, const char *host, const struct observed_made *made, struct err *err)
{
	struct observed o;

	if (made->source == DETECT_SOURCE_SCAN)
		live_world_forget(l->world);
	arena_reset(l->arena);
	observed_init_made(&o, agent, host, made, l->arena);
	return look(l, &o, 0, 0, err);
}

/* ---- the tick ---- */

static int on_agent(void *arg, const char *agent, const char *host, const char *state)
{
	struct live *l = arg;
	const struct observed_made made = { .source = DETECT_SOURCE_HEALTH,
					    .time_unix_ns = clock_unix_ns(l->clk),
					    .state = state };

	return live_made(l, agent, host, &made, l->err);
}

static void tell_figures(struct live *l)
{
	uint64_t now = clock_boot_ns(l->clk);
	struct live_stats st;
	char text[200];

	if (l->told_boot_ns && now < l->told_boot_ns + TELL_EVERY_S * second_ns)
		return;
	live_stats(l, &st);
	if (st.evicted + st.overflowed > l->told_evicted) {
		snprintf(text, sizeof(text), "%" PRIu64 " groups went before their time: raise correlate.memory, or see picketctl correlation list",
			 st.evicted + st.overflowed - l->told_evicted);
		l->ops.on_notice(l->arg, "rules_evicted", text);
		l->told_boot_ns = now;
	}
	if (st.late > l->told_late) {
		snprintf(text, sizeof(text),
			 "%" PRIu64 " events came later than correlate.lateness allows; picketctl correlation backtest looks at them in the history",
			 st.late - l->told_late);
		l->ops.on_notice(l->arg, "rules_late", text);
		l->told_boot_ns = now;
	}
	l->told_evicted = st.evicted + st.overflowed;
	l->told_late = st.late;
}

static int tick_in_transaction(struct live *l, struct err *err)
{
	uint64_t now = clock_boot_ns(l->clk);
	int r = store_begin(l->store, err);

	if (r < 0)
		return r;
	if (now >= l->agents_boot_ns + AGENTS_EVERY_S * second_ns) {
		l->agents_boot_ns = now;
		l->err = err;
		r = live_world_agents(l->world, on_agent, l, err);
	}
	if (r >= 0)
		r = advance(l, clock_unix_ns(l->clk), err);
	return store_end(l->store, r, err);
}

/* A machine may start with a date of years ahead and be put right: the engine's clock never goes back, and what came
 * until then would be late, after a start too. */
static int follow_clock(struct live *l, struct err *err)
{
	int64_t now = (int64_t)clock_unix_ns(l->clk);

	if (engine_now(l->engine) <= now + l->lateness_ns + CLOCK_AHEAD_S * (int64_t)second_ns)
		return 0;
	l->ticked_unix_ns = (uint64_t)now;
	return live_begin_anew(l, "the clock was put back", err);
}

void live_tick(struct live *l)
{
	struct err err = { 0 };

	if (follow_clock(l, &err) < 0)
		LOG(ERROR, "correlate.clock", KV_STR("why", err.msg));
	if (tick_in_transaction(l, &err) < 0)
		LOG(ERROR, "correlate.tick", KV_STR("why", err.msg));
	if (l->wide_until_boot_ns && clock_boot_ns(l->clk) >= l->wide_until_boot_ns) {
		l->wide_until_boot_ns = 0;
		l->lateness_ns = (int64_t)(l->cfg.lateness_ms * 1000000);
		if (live_switch(l, NULL, &err) < 0)
			LOG(ERROR, "correlate.lateness", KV_STR("why", err.msg));
	}
	live_snapshot_if_due(l);
	live_look(l);
	tell_figures(l);
}

/* ---- start ---- */

static int last_seen(void *arg, const struct store_agent *a)
{
	uint64_t *newest = arg;

	if (a->last_seen_unix_ns > *newest)
		*newest = a->last_seen_unix_ns;
	return 0;
}

/* After a time without a collector every agent tells what it kept, and all of that would be late. */
static int widen(struct live *l, int64_t *ret_ns, struct err *err)
{
	uint64_t newest = 0, now = clock_unix_ns(l->clk), asked = l->cfg.lateness_ms * 1000000, most = DAY_S * second_ns;
	int r = store_agents_each(l->store, last_seen, &newest, err);

	*ret_ns = (int64_t)asked;
	if (r < 0 || !newest || now < newest + AWAY_MIN_S * second_ns || asked >= most)
		return r;
	uint64_t away = now - newest;
	*ret_ns = (int64_t)(away < most - asked ? asked + away : most);
	l->wide_until_boot_ns = clock_boot_ns(l->clk) + WIDE_S * second_ns;
	return 0;
}

int live_new(struct store *s, const struct clock *clk, const struct live_config *cfg, const struct live_ops *ops, void *arg,
	     struct live **ret, struct err *err)
{
	CLEANUP(live_freep) struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return err_set(err, ENOMEM, "rules");
	*l = (struct live){ .store = s, .clk = clk, .cfg = *cfg, .ops = *ops, .arg = arg };
	l->copy_bytes = LIVE_COPY_BYTES;
	buf_init(&l->packed, 4 << 20);
	l->arena = arena_new(OBSERVED_ARENA_BYTES);
	l->snapshot_boot_ns = l->looked_boot_ns = clock_boot_ns(clk);
	l->ticked_unix_ns = clock_unix_ns(clk);
	if (!l->arena)
		return err_set(err, ENOMEM, "rules");
	int64_t lateness_ns;
	int r = widen(l, &lateness_ns, err);
	l->lateness_ns = lateness_ns;
	if (r >= 0)
		r = live_world_new(s, clk, &l->world, err);
	if (r >= 0) {
		l->signature = live_signature(l);
		r = live_load(&l->cfg, true, &l->rules, err);
	}
	if (r >= 0)
		r = live_rebuild(l, err);
	if (r < 0)
		return r;
	l->stats.reloaded_unix_ns = clock_unix_ns(clk);
	if (l->rules->error_count) {
		l->stats.error_count = l->rules->error_count;
		(void)slice_copy(slice_of(l->rules->errors[0]), l->stats.error, sizeof(l->stats.error));
		l->stats.failed_unix_ns = l->stats.reloaded_unix_ns;
	}
	/* The journal's numbers are these rules' from here on. */
	l->lateness_ns = lateness_ns;
	r = live_switch(l, NULL, err);
	if (r < 0)
		return r;
	LOG(INFO, "correlate.running", KV_U64("rules", l->rules->detections), KV_U64("correlations", l->rules->correlations),
	    KV_U64("errors", l->rules->error_count));
	*ret = take_ptr(l);
	return 0;
}

void live_free(struct live *l)
{
	if (!l)
		return;
	live_loading_end(l);
	engine_free(l->engine);
	ruleset_free(l->rules);
	live_world_free(l->world);
	arena_free(l->arena);
	live_pending_fini(l);
	buf_fini(&l->packed);
	free(l->matched);
	free(l->map);
	free(l);
}
