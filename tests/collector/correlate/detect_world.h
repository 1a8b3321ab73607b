/* detect_world.h - events written as YAML ({Image: /bin/sh, DestinationPort: 443, User: ~, Tags: [a, b]}) for tests of
 * detections. A plain number is one, "@12" is a time of 12 seconds; fields are resolved by name. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "collector/correlate/detect.h"
#include "common/text.h"

enum { WORLD_FIELDS = 512 };

struct world {
	struct arena *arena;
	const char *names[WORLD_FIELDS];
	size_t count;
	struct detect_set *set;
	struct sigma_notes notes;
};
struct world_event {
	struct detect_event ev;
	const struct world *w;
	const struct conf_node *map;
	unsigned gets; /* how often a field was asked for */
};

/* What begins with "nobody" has no number. */
static inline int world_resolve(void *arg, enum detect_source source, struct slice name)
{
	struct world *w = arg;

	if (slice_starts(name, SLICE_LIT("nobody")))
		return DETECT_FIELD_NONE;
	for (size_t i = 0; i < w->count; i++)
		if (slice_is(name, w->names[i]))
			return (int)i;
	assert_true(w->count < WORLD_FIELDS);
	w->names[w->count] = arena_dup(w->arena, name);
	return (int)w->count++;
}

static inline bool world_value(const struct conf_node *n, struct detect_value *ret)
{
	struct slice s = n->text;
	bool is_negative = slice_starts(s, SLICE_LIT("-"));
	uint64_t u;

	*ret = (struct detect_value){ .kind = DETECT_TEXT, .text = s };
	if (n->kind == CONF_NODE_NULL)
		ret->kind = DETECT_NULL;
	else if (n->is_plain && slice_to_u64(slice_sub(s, is_negative, s.n), &u))
		*ret = (struct detect_value){ .kind = DETECT_NUMBER, .number = is_negative ? -(int64_t)u : (int64_t)u };
	else if (slice_starts(s, SLICE_LIT("@")) && slice_to_u64(slice_sub(s, 1, s.n), &u))
		*ret = (struct detect_value){ .kind = DETECT_TIME, .number = (int64_t)u * 1000000000 };
	return true;
}

static inline size_t world_get(const struct detect_event *e, unsigned field, struct detect_value *ret, size_t max)
{
	struct world_event *ev = (struct world_event *)e;
	size_t n = 0;

	ev->gets++;
	for (const struct conf_node *k = ev->map ? ev->map->items : NULL; k; k = k->next->next) {
		const struct detect_field_name *f = detect_field_find(e->source, k->text);
		struct slice name = f && f->ours ? slice_of(f->ours) : k->text;

		if (field >= ev->w->count || !slice_is(name, ev->w->names[field]))
			continue;
		if (k->next->kind != CONF_NODE_LIST)
			return max && world_value(k->next, ret);
		for (const struct conf_node *v = k->next->items; v && n < max; v = v->next)
			n += world_value(v, &ret[n]);
	}
	return n;
}

static inline size_t world_texts(const struct detect_event *e, struct slice *ret, size_t max)
{
	const struct world_event *ev = (const struct world_event *)e;
	size_t n = 0;

	for (const struct conf_node *k = ev->map ? ev->map->items : NULL; k && n < max; k = k->next->next)
		if (k->next->kind == CONF_NODE_SCALAR)
			ret[n++] = k->next->text;
	return n;
}

static const struct detect_ops world_ops = { world_get, world_texts };

static inline void world_fini(struct world *w)
{
	detect_set_free(w->set);
	arena_free(w->arena);
}

static inline struct world world_new(void)
{
	struct world w = { .arena = arena_new(256 << 20) };

	assert_non_null(w.arena);
	w.notes.arena = w.arena;
	return w;
}

/* Adds all detections of the text. */
static inline int world_add(struct world *w, const char *text, struct err *err)
{
	struct detect_fields fields = { world_resolve, w };
	struct sigma_file f = { 0 };
	unsigned index;

	if (!w->set)
		w->set = detect_set_new(&fields);
	assert_non_null(w->set);
	int e = sigma_parse("r.yml", slice_of(text), w->arena, &f, &w->notes, err);
	for (size_t i = 0; i < f.count && e >= 0; i++)
		e = detect_set_add(w->set, &f.rules[i], &index, &w->notes, err);
	return e;
}

static inline struct world_event world_event(struct world *w, enum detect_source source, const char *text)
{
	struct world_event ev = { .ev = { &world_ops, source }, .w = w };
	struct conf_node *n = NULL;
	struct err err = { 0 };

	if (conf_tree_parse("event", slice_of(text), 10000, w->arena, &n, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	ev.map = n;
	return ev;
}

static inline bool world_has_note(const struct world *w, const char *what)
{
	for (size_t i = 0; i < w->notes.count; i++)
		if (strstr(w->notes.items[i].what, what))
			return true;
	return false;
}
