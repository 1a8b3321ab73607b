/* timeline.c - see timeline.h. */
#include "collector/correlate/timeline.h"

#include <errno.h>
#include <inttypes.h>

enum { LINE_ARENA_BYTES = 4 << 20, NUMBER_BYTES = 32 };
static const uint64_t base_unix_ns = 1767225600ull * 1000000000; /* 2026-01-01T00:00:00Z */

struct expectation {
	const char *rule, *group; /* group: as written */
	ptrdiff_t document;
	uint64_t want, have;
	unsigned line;
	cJSON *fields; /* nullable; of `group` */
};

struct run {
	struct ruleset *rs;
	const char *name;
	struct engine *engine;
	struct arena *a, *line_arena, *event_arena; /* a: what is given back */
	struct timeline_result *ret;
	struct expectation *expects;
	size_t expect_count;
	unsigned line;
	unsigned *matched;
	const struct observed *event;
	uint64_t sequence;
	int64_t longest_ns;
	bool is_full;
	struct err *err;
};

static int fail(struct run *r, const char *what)
{
	return err_set(r->err, ERR_SYNTAX, "%s:%u: %s", r->name, r->line, what);
}

/* ---- what fired ---- */

static void add_value(struct json *j, const struct engine_value *v)
{
	if (v->kind == ENGINE_TEXT)
		json_str(j, v->text);
	else if (v->kind == ENGINE_INT)
		json_i64(j, v->i);
	else
		json_f64(j, v->real);
}

static void note(struct run *r, size_t document, uint64_t time_unix_ns, const char *group, double value)
{
	const struct ruleset_rule *x = &r->rs->rules[document];
	struct timeline_result *t = r->ret;

	if (!x->is_told)
		return;
	if (t->firing_count < TIMELINE_FIRINGS_MAX)
		t->firings[t->firing_count] =
			(struct timeline_firing){ sigma_rule_label(x->rule), x->name, time_unix_ns, arena_dup(r->a, slice_of(group)), value };
	t->firing_count++;
}

static void on_fired(void *arg, const struct engine_match *m)
{
	struct run *r = arg;
	CLEANUP(buf_finip) struct buf group = { 0 };
	const struct correlation *c = r->rs->rules[m->rule].correlation;
	struct json j;

	json_init(&j, &group);
	json_object_open(&j);
	for (size_t i = 0; i < m->group_count; i++) {
		json_key(&j, c->group_by.items[i]);
		add_value(&j, &m->group[i]);
	}
	json_object_close(&j);
	note(r, m->rule, (uint64_t)m->time_ns, group.p ? group.p : "{}", m->value);
}

/* ---- events ---- */

static void get(const void *arg, unsigned field, struct engine_value *ret)
{
	ruleset_value(arg, field, ret);
}

/* A detection has no group: where it matched. */
static void note_match(struct run *r, size_t document, const struct observed *o)
{
	CLEANUP(buf_finip) struct buf group = { 0 };
	struct json j;

	json_init(&j, &group);
	json_object_open(&j);
	json_kv_str(&j, "host", o->host);
	if (o->container && o->container->name.len)
		json_kv_slice(&j, "container.name", msg_slice(o->container->name));
	json_object_close(&j);
	note(r, document, o->record->time_unix_ns, group.p, 1);
}

static void feed(struct run *r, const struct timeline_event *te, struct observed *o, bool is_first)
{
	size_t n = ruleset_match(r->rs, o, r->matched), named = 0;

	for (size_t i = 0; i < n; i++)
		if (r->rs->rules[r->matched[i]].is_told)
			note_match(r, r->matched[i], o);
	for (size_t i = 0; i < n; i++)
		if (r->rs->rules[r->matched[i]].is_named)
			r->matched[named++] = r->matched[i];
	struct engine_event ev = { .time_ns = (int64_t)o->record->time_unix_ns,
				   .rules = r->matched,
				   .rule_count = named,
				   .get = get,
				   .arg = o };
	if (te->sequence && is_first)
		ev.ref = (struct engine_ref){ slice_of(te->agent), te->epoch, te->sequence };
	r->ret->late += engine_event(r->engine, &ev) == ENGINE_LATE;
}

static bool known(void *arg, const char *agent, const char *id, struct observed_known *ret)
{
	const struct timeline_event *te = arg;

	(void)agent, (void)id;
	*ret = te->known;
	return te->has_known;
}

static const char *host_of(void *arg, struct slice address)
{
	(void)address;
	return ((const struct timeline_event *)arg)->remote_host;
}

static bool is_silent(void *arg, const char *host)
{
	(void)host;
	return ((const struct timeline_event *)arg)->is_remote_silent;
}

static int take_event(struct run *r, const cJSON *line)
{
	struct timeline_event te;
	struct err why = { 0 };
	int e = timeline_read(line, base_unix_ns, r->line_arena, &te, &why);

	if (e < 0)
		return fail(r, why.msg);
	const struct observed_world world = { known, host_of, is_silent, &te };
	size_t count = te.record ? observed_count(te.record) : 1;
	for (size_t i = 0; i < count; i++) {
		struct observed o;

		arena_reset(r->event_arena);
		if (te.record)
			observed_init(&o, te.agent, te.host, te.record, i, r->event_arena);
		else
			observed_init_made(&o, te.agent, te.host, &te.made, r->event_arena);
		o.world = &world;
		feed(r, &te, &o, !i);
	}
	r->ret->events++;
	return 0;
}

/* ---- what is expected ---- */

static int take_expect(struct run *r, const cJSON *o)
{
	static const char *const keys[] = { "rule", "fired", "group" };
	const cJSON *member, *group = cJSON_GetObjectItemCaseSensitive(o, "group");

	cJSON_ArrayForEach(member, o)
	{
		bool is_known = false;

		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			is_known |= !strcmp(member->string, keys[i]);
		if (!is_known)
			return fail(r, "expect: rule, fired, group");
	}
	if (r->expect_count == TIMELINE_EXPECTS_MAX)
		return fail(r, "more than 1,000 expectations");
	struct expectation *x = &r->expects[r->expect_count];
	*x = (struct expectation){ .rule = arena_dup(r->a, json_get_str(o, "rule")), .want = json_get_u64(o, "fired", 1), .line = r->line };
	if (!x->rule)
		return fail(r, "it is too large");
	x->document = ruleset_find(r->rs, slice_of(x->rule));
	if (x->document < 0)
		return fail(r, "expect: there is no such rule");
	if (!r->rs->rules[x->document].is_told)
		return fail(r, "expect: that rule raises no alerts, a correlation names it without generate");
	x->fields = group ? cJSON_Duplicate(group, true) : NULL;
	r->expect_count++;
	return 0;
}

static bool covers(const struct expectation *x, const struct timeline_firing *f, const struct ruleset *rs)
{
	cJSON *have = NULL;
	const cJSON *want;
	bool is_same = true;

	if (strcmp(rs->rules[x->document].name, f->name) != 0)
		return false;
	if (!x->fields)
		return true;
	if (!f->group || json_parse(slice_of(f->group), TIMELINE_LINE_MAX, &have, NULL) < 0)
		return false;
	cJSON_ArrayForEach(want, x->fields)
		is_same &= cJSON_Compare(want, cJSON_GetObjectItemCaseSensitive(have, want->string), true);
	cJSON_Delete(have);
	return is_same;
}

static void add_failure(struct run *r, const char *text)
{
	if (text && r->ret->failure_count < TIMELINE_EXPECTS_MAX)
		r->ret->failures[r->ret->failure_count] = text;
	r->ret->failure_count++;
}

static void judge(struct run *r)
{
	size_t kept = r->ret->firing_count < TIMELINE_FIRINGS_MAX ? r->ret->firing_count : TIMELINE_FIRINGS_MAX;

	for (size_t i = 0; i < kept; i++) {
		const struct timeline_firing *f = &r->ret->firings[i];
		bool is_expected = false;

		for (size_t k = 0; k < r->expect_count; k++)
			if (covers(&r->expects[k], f, r->rs)) {
				r->expects[k].have++;
				is_expected = true;
			}
		if (!is_expected)
			add_failure(r, arena_printf(r->a, "'%s' fired for %s: nothing expects it", f->rule, f->group ? f->group : ""));
	}
	for (size_t i = 0; i < r->expect_count; i++) {
		const struct expectation *x = &r->expects[i];

		if (x->have != x->want)
			add_failure(r, arena_printf(r->a, "%s:%u: '%s' fired %" PRIu64 " times, not %" PRIu64, r->name, x->line, x->rule,
						    x->have, x->want));
	}
}

/* ---- the run ---- */

static int take_line(struct run *r, const cJSON *line)
{
	const cJSON *now = cJSON_GetObjectItemCaseSensitive(line, "now"), *expect = cJSON_GetObjectItemCaseSensitive(line, "expect");
	struct err why = { 0 };
	uint64_t t;

	if (expect)
		return take_expect(r, expect);
	if (!now)
		return take_event(r, line);
	if (timeline_time(now, base_unix_ns, &t, &why) < 0)
		return fail(r, why.msg);
	engine_advance(r->engine, (int64_t)t);
	return 0;
}

static int take_text(struct run *r, struct slice text)
{
	struct slice one;
	int e = 0;

	while (e >= 0 && slice_split(&text, '\n', &one)) {
		cJSON *line = NULL;
		struct err why = { 0 };

		r->line++;
		one = slice_trim(one);
		if (!one.n || one.p[0] == '#')
			continue;
		arena_reset(r->line_arena);
		if (json_parse(one, TIMELINE_LINE_MAX, &line, &why) < 0 || !cJSON_IsObject(line))
			e = fail(r, why.msg[0] ? why.msg : "a line is a JSON object");
		else
			e = take_line(r, line);
		cJSON_Delete(line);
	}
	return e;
}

static int prepare(struct run *r)
{
	const struct engine_config cfg = { .lateness_ns = ENGINE_LATENESS_DEFAULT_NS, .close_ns = ENGINE_LATENESS_DEFAULT_NS };

	r->line_arena = arena_new(LINE_ARENA_BYTES);
	r->event_arena = arena_new(OBSERVED_ARENA_BYTES);
	r->matched = calloc(detect_set_count(r->rs->set) + 1, sizeof(*r->matched));
	r->expects = calloc(TIMELINE_EXPECTS_MAX, sizeof(*r->expects));
	r->ret->firings = arena_alloc(r->a, TIMELINE_FIRINGS_MAX * sizeof(*r->ret->firings));
	r->ret->failures = arena_zalloc(r->a, TIMELINE_EXPECTS_MAX, sizeof(*r->ret->failures));
	if (!r->line_arena || !r->event_arena || !r->matched || !r->expects || !r->ret->firings || !r->ret->failures)
		return err_set(r->err, ENOMEM, "timeline");
	for (size_t i = 0; i < r->rs->count; i++)
		if (r->rs->rules[i].correlation && r->rs->rules[i].correlation->timespan_ns > r->longest_ns)
			r->longest_ns = r->rs->rules[i].correlation->timespan_ns;
	return engine_new(&cfg, r->rs->documents, r->rs->count, on_fired, r, &r->engine, r->err);
}

int timeline_run(struct ruleset *rs, const char *name, struct slice text, struct arena *a, struct timeline_result *ret, struct err *err)
{
	struct run r = { .rs = rs, .name = name, .a = a, .ret = ret, .err = err };

	*ret = (struct timeline_result){ 0 };
	int e = prepare(&r);
	if (e >= 0)
		e = take_text(&r, text);
	if (e >= 0) {
		/* Windows that wait for their end come to it. */
		engine_advance(r.engine, engine_now(r.engine) + 2 * r.longest_ns + 2 * ENGINE_LATENESS_DEFAULT_NS);
		judge(&r);
	}
	for (size_t i = 0; r.expects && i < r.expect_count; i++)
		cJSON_Delete(r.expects[i].fields);
	engine_free(r.engine);
	arena_free(r.line_arena);
	arena_free(r.event_arena);
	free(r.matched);
	free(r.expects);
	return e;
}
