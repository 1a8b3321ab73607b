/* replay.h - a timeline through the engine: rules as Sigma text with detections that compare fields for equality (lists:
 * any of them), events as JSON objects, what fired as text. */
#pragma once
#include <math.h>

#include "collector/correlate/engine.h"
#include "common/json.h"

enum { REPLAY_FIELDS_MAX = 64 };

struct replay_fire {
	double time;
	char text[600]; /* "TIME RULE {"group":…} VALUE" */
	size_t evidence_count;
	struct engine_ref evidence[8]; /* the first; agents point into `agents` */
	char agents[8][64 + 1];
	bool is_approx;
};
struct replay {
	struct arena *arena;
	struct sigma_file file;
	struct sigma_notes notes;
	struct correlation_document *documents;
	struct engine_config config;
	struct engine *engine;
	const char *fields[REPLAY_FIELDS_MAX];
	size_t field_count;
	struct replay_fire *fires;
	size_t fire_count;
};

static inline int replay_field(void *arg, size_t document, struct slice name)
{
	struct replay *r = arg;

	(void)document;
	for (size_t i = 0; i < r->field_count; i++)
		if (slice_is(name, r->fields[i]))
			return (int)i;
	if (r->field_count == REPLAY_FIELDS_MAX)
		return CORRELATION_FIELD_NONE;
	r->fields[r->field_count] = arena_dup(r->arena, name);
	return (int)r->field_count++;
}

static inline void replay_value(const cJSON *v, struct engine_value *ret)
{
	if (cJSON_IsString(v))
		*ret = (struct engine_value){ .kind = ENGINE_TEXT, .text = slice_of(v->valuestring) };
	else if (cJSON_IsNumber(v) && v->valuedouble == floor(v->valuedouble))
		*ret = (struct engine_value){ .kind = ENGINE_INT, .i = (int64_t)v->valuedouble };
	else if (cJSON_IsNumber(v))
		*ret = (struct engine_value){ .kind = ENGINE_REAL, .real = v->valuedouble };
	else
		*ret = (struct engine_value){ .kind = ENGINE_ABSENT };
}

struct replay_event {
	const struct replay *r;
	const cJSON *fields;
};

static inline void replay_get(const void *arg, unsigned field, struct engine_value *ret)
{
	const struct replay_event *ev = arg;

	replay_value(cJSON_GetObjectItemCaseSensitive(ev->fields, ev->r->fields[field]), ret);
}

/* ---- detections ---- */

static inline bool replay_is(const struct conf_node *want, const cJSON *have)
{
	char *end;

	if (want->kind == CONF_NODE_LIST) {
		for (const struct conf_node *i = want->items; i; i = i->next)
			if (replay_is(i, have))
				return true;
		return false;
	}
	if (cJSON_IsString(have))
		return slice_is(want->text, have->valuestring);
	return cJSON_IsNumber(have) && strtod(want->text.p, &end) == have->valuedouble && !*end;
}

static inline bool replay_matches(const struct sigma_rule *rule, const cJSON *fields)
{
	const struct conf_node *sel = sigma_get(rule->detection, "selection");

	for (const struct conf_node *k = sel ? sel->items : NULL; k; k = k->next->next)
		if (!replay_is(k->next, cJSON_GetObjectItemCaseSensitive(fields, k->text.p)))
			return false;
	return sel;
}

/* ---- firings ---- */

static inline void replay_group(struct buf *b, const struct replay *r, const struct engine_match *m)
{
	const struct sigma_list *by = &r->documents[m->rule].correlation->group_by;
	struct json j;

	json_init(&j, b);
	json_object_open(&j);
	for (size_t i = 0; i < m->group_count; i++) {
		json_key(&j, by->items[i]);
		if (m->group[i].kind == ENGINE_TEXT)
			json_str(&j, m->group[i].text);
		else if (m->group[i].kind == ENGINE_INT)
			json_i64(&j, m->group[i].i);
		else
			json_f64(&j, m->group[i].real);
	}
	json_object_close(&j);
}

static inline void replay_fired(void *arg, const struct engine_match *m)
{
	struct replay *r = arg;
	CLEANUP(buf_finip) struct buf group = { 0 };

	if (!(r->fire_count & (r->fire_count + 1))) { /* room for 1, 3, 7 … */
		r->fires = realloc(r->fires, (2 * r->fire_count + 2) * sizeof(*r->fires));
		if (!r->fires)
			abort();
	}
	struct replay_fire *f = &r->fires[r->fire_count++];
	*f = (struct replay_fire){ .time = (double)m->time_ns / 1e9, .is_approx = m->is_approx, .evidence_count = m->evidence_count };
	replay_group(&group, r, m);
	snprintf(f->text, sizeof(f->text), "%.9g %s %s %.12g", f->time, sigma_rule_label(r->documents[m->rule].rule), group.p, m->value);
	for (size_t i = 0; i < m->evidence_count && i < ARRAY_LEN(f->evidence); i++) {
		f->evidence[i] = m->evidence[i];
		(void)slice_copy(m->evidence[i].agent, f->agents[i], sizeof(f->agents[i]));
		f->evidence[i].agent = slice_of(f->agents[i]);
	}
}

/* ---- a run ---- */

static inline int replay_new_engine(struct replay *r, struct err *err)
{
	engine_free(r->engine);
	r->engine = NULL;
	return engine_new(&r->config, r->documents, r->file.count, replay_fired, r, &r->engine, err);
}

/* rules must outlive the replay. refire: of every correlation. */
static inline int replay_begin(struct replay *r, struct slice rules, bool refire, const struct engine_config *config, struct err *err)
{
	struct correlation_fields fields = { replay_field, r };

	*r = (struct replay){ .arena = arena_new(64 << 20), .config = *config };
	r->notes.arena = r->arena;
	int e = sigma_parse("rules.yml", rules, r->arena, &r->file, &r->notes, err);
	r->documents = e < 0 ? NULL : arena_zalloc(r->arena, r->file.count + 1, sizeof(*r->documents));
	for (size_t i = 0; e >= 0 && i < r->file.count; i++) {
		r->documents[i].rule = &r->file.rules[i];
		if (!r->file.rules[i].correlation)
			continue;
		e = correlation_parse(&r->file.rules[i], r->arena, &r->documents[i].correlation, &r->notes, err);
		if (e >= 0 && refire)
			r->documents[i].correlation->is_refire = true;
	}
	if (e >= 0)
		e = correlation_link(r->documents, r->file.count, &fields, r->arena, NULL, &r->notes, err);
	return e < 0 ? e : replay_new_engine(r, err);
}

static inline void replay_end(struct replay *r)
{
	engine_free(r->engine);
	arena_free(r->arena);
	free(r->fires);
	*r = (struct replay){ 0 };
}

/* _uid: "agent/epoch/sequence". */
static inline struct engine_ref replay_ref(const cJSON *fields)
{
	struct slice rest = json_get_str(fields, "_uid"), part[3] = { SLICE_NONE, SLICE_NONE, SLICE_NONE };
	struct engine_ref ref = { 0 };

	for (int i = 0; i < 3; i++)
		if (!slice_split(&rest, '/', &part[i]))
			return ref;
	if (slice_to_u64(part[1], &ref.epoch) && slice_to_u64(part[2], &ref.sequence))
		ref.agent = part[0];
	return ref;
}

static inline enum engine_taken replay_event(struct replay *r, double time, const cJSON *fields)
{
	struct replay_event arg = { r, fields };
	uint32_t rules[256];
	struct engine_event ev = { .time_ns = llround(time * 1e9), .ref = replay_ref(fields), .rules = rules, .get = replay_get, .arg = &arg };

	for (size_t i = 0; i < r->file.count && ev.rule_count < ARRAY_LEN(rules); i++)
		if (r->file.rules[i].detection && replay_matches(&r->file.rules[i], fields))
			rules[ev.rule_count++] = (uint32_t)i;
	return engine_event(r->engine, &ev);
}

/* [time, {fields}] or {now: time} */
static inline void replay_row(struct replay *r, const cJSON *row)
{
	if (cJSON_IsArray(row))
		(void)replay_event(r, cJSON_GetArrayItem(row, 0)->valuedouble, cJSON_GetArrayItem(row, 1));
	else
		engine_advance(r->engine, llround(cJSON_GetObjectItem(row, "now")->valuedouble * 1e9));
}

/* Out into bytes and back into a new engine. */
static inline int replay_restart(struct replay *r, struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct engine_restored restored;

	buf_init(&b, 256 << 20);
	int e = engine_snapshot(r->engine, &b, err);
	if (e >= 0)
		e = replay_new_engine(r, err);
	return e < 0 ? e : engine_restore(r->engine, buf_slice(&b), &restored, err);
}
