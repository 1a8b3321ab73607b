/* detect.c - see detect.h. A rule's selections become expressions over comparisons, its condition one over those, and
 * that becomes steps: each judges a comparison and jumps. Steps are made from the end to the beginning, so every jump
 * goes to one made before, and a program ends. */
#include "collector/correlate/detect.h"

#include <strings.h>

#include "collector/correlate/detect_priv.h"
#include "common/log.h"

enum { VISITS_MAX = 1 << 20, SHOWN_MAX = 60 };

/* ---- sources and fields ---- */

const char *detect_source_name(enum detect_source s)
{
	static const char *const names[] = {
#define SOURCE(name, word, what) [DETECT_SOURCE_##name] = word,
#include "collector/correlate/sigma_sources.def"
#undef SOURCE
		[DETECT_SOURCE_ANY] = "any",
		[DETECT_SOURCE_NONE] = "none",
	};

	return names[s];
}

static const struct logsource {
	const char *product, *category, *service;
	enum detect_source source;
} logsources[] = {
#define LOGSOURCE(product, category, service, name) { product, category, service, DETECT_SOURCE_##name },
#include "collector/correlate/sigma_sources.def"
#undef LOGSOURCE
};

/* What no row has, said by the first part that none has. */
static void note_logsource(const struct sigma_rule *r, struct sigma_notes *notes)
{
	const struct sigma_logsource *l = &r->logsource;
	bool has_product = false, has_category = false;
	char text[SHOWN_MAX];

	for (size_t i = 0; i < ARRAY_LEN(logsources); i++) {
		bool is_product = !strcasecmp(l->product, logsources[i].product);

		has_product |= is_product;
		has_category |= is_product && !strcasecmp(l->category, logsources[i].category);
	}
	const char *what = !has_product ? "product" : !has_category ? "category" : "service";
	log_escape(slice_of(!has_product ? l->product : !has_category ? l->category : l->service), text, sizeof(text));
	sigma_note(notes, r, l->node, "it never matches: picket records nothing of %s '%s'", what, text);
}

enum detect_source detect_source_of(const struct sigma_rule *r, struct sigma_notes *notes)
{
	const struct sigma_logsource *l = &r->logsource;

	for (size_t i = 0; i < ARRAY_LEN(logsources); i++)
		if (!strcasecmp(l->product, logsources[i].product) && !strcasecmp(l->category, logsources[i].category) &&
		    !strcasecmp(l->service, logsources[i].service))
			return logsources[i].source;
	note_logsource(r, notes);
	return DETECT_SOURCE_NONE;
}

const struct detect_field_name *detect_field_find(enum detect_source source, struct slice sigma)
{
#define NONE NULL
	static const struct {
		enum detect_source source;
		struct detect_field_name name;
	} rows[] = {
#define FIELD(source, sigma, ours, why) { DETECT_SOURCE_##source, { sigma, ours, why } },
#include "collector/correlate/sigma_fields.def"
#undef FIELD
	};
#undef NONE

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].source == source || rows[i].source == DETECT_SOURCE_ANY) &&
		    slice_is(sigma, rows[i].name.sigma))
			return &rows[i].name;
	return NULL;
}

/* ---- the set ---- */

struct detect_set *detect_set_new(const struct detect_fields *fields)
{
	CLEANUP(detect_set_freep) struct detect_set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fields = *fields;
	s->arena = arena_new(SET_BYTES);
	s->build = arena_new(BUILD_BYTES);
	s->compile_context = pcre2_compile_context_create(NULL);
	s->match_data = pcre2_match_data_create(1, NULL);
	s->match_context = pcre2_match_context_create(NULL);
	s->slots = calloc(1, sizeof(*s->slots));
	if (!s->arena || !s->build || !s->compile_context || !s->match_data || !s->match_context || !s->slots)
		return NULL;
	pcre2_set_match_limit(s->match_context, REGEX_MATCH_LIMIT);
	pcre2_set_heap_limit(s->match_context, DETECT_REGEX_HEAP_KIB);
	pcre2_set_callout(s->match_context, regex_step, s);
	s->slots[SLOT_KEYWORDS].count_max = DETECT_TEXTS_MAX;
	s->slots[SLOT_KEYWORDS].values = arena_zalloc(s->arena, DETECT_TEXTS_MAX, sizeof(struct detect_value));
	s->slots[SLOT_KEYWORDS].pairs = arena_zalloc(s->arena, DETECT_TEXTS_MAX, sizeof(struct pairs));
	if (!s->slots[SLOT_KEYWORDS].values || !s->slots[SLOT_KEYWORDS].pairs)
		return NULL;
	s->slot_count = s->slot_size = 1;
	return take_ptr(s);
}

void detect_set_free(struct detect_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->regex_count; i++)
		pcre2_code_free(s->regexes[i]);
	for (size_t i = 0; i < ARRAY_LEN(s->by_source); i++)
		free(s->by_source[i].rules);
	free(s->regexes);
	pcre2_compile_context_free(s->compile_context);
	pcre2_match_data_free(s->match_data);
	pcre2_match_context_free(s->match_context);
	free(s->checks);
	free(s->memo);
	free(s->table);
	free(s->keys);
	free(s->slots);
	free(s->steps);
	free(s->programs);
	arena_free(s->arena);
	arena_free(s->build);
	free(s);
}

size_t detect_set_count(const struct detect_set *s)
{
	return s->count;
}

enum detect_source detect_set_source(const struct detect_set *s, unsigned index)
{
	return s->programs[index].source;
}

bool detect_set_can_match(const struct detect_set *s, unsigned index)
{
	return s->programs[index].source != DETECT_SOURCE_NONE && s->programs[index].entry != STEP_REJECT;
}

uint64_t detect_set_overruns(const struct detect_set *s)
{
	return s->overruns;
}

/* ---- expressions ---- */

int compile_no_room(struct compiler *c)
{
	return err_set(c->err, ERR_LIMIT, "%s:%u:%u: the rules are too large", c->rule->file, c->rule->line, c->rule->column);
}

struct expr *expr_new(struct compiler *c, enum expr_kind kind, size_t room)
{
	struct expr *x = arena_zalloc(c->arena, 1, sizeof(*x));

	if (x && room)
		x->items = arena_zalloc(c->arena, room, sizeof(struct expr *));
	if (!x || (room && !x->items))
		return NULL;
	x->kind = (uint8_t)kind;
	return x;
}

static int compare_cost(const void *a, const void *b)
{
	const struct expr *x = *(const struct expr *const *)a, *y = *(const struct expr *const *)b;

	return x->cost != y->cost ? (x->cost > y->cost) - (x->cost < y->cost) : (x->order > y->order) - (x->order < y->order);
}

/* All of a mapping's items; what costs little is asked first. */
static int compile_map(struct compiler *c, const struct conf_node *map, struct expr **ret)
{
	struct expr *all = expr_new(c, EXPR_AND, map->count + 1);

	if (!all)
		return compile_no_room(c);
	if (!map->count)
		return sigma_fail(c->rule, map, c->err, "an empty selection");
	for (const struct conf_node *key = map->items; key; key = key->next->next) {
		struct expr *x = NULL;
		int e = item_compile(c, key, key->next, &x);

		if (e < 0)
			return e;
		x->order = (uint32_t)all->count;
		for (size_t i = 0; i < x->count; i++)
			x->cost += x->items[i]->cost;
		all->items[all->count++] = x;
	}
	qsort(all->items, all->count, sizeof(struct expr *), compare_cost);
	*ret = all;
	return 0;
}

static bool is_all_plain(const struct conf_node *list)
{
	for (const struct conf_node *n = list->items; n; n = n->next)
		if (n->kind == CONF_NODE_MAP || n->kind == CONF_NODE_LIST)
			return false;
	return true;
}

/* Any of a list's items: mappings, keywords. */
static int compile_list(struct compiler *c, const struct conf_node *list, struct expr **ret)
{
	if (is_all_plain(list))
		return item_compile(c, NULL, list, ret);
	struct expr *any = expr_new(c, EXPR_OR, list->count + 1);
	if (!any)
		return compile_no_room(c);
	for (const struct conf_node *n = list->items; n; n = n->next) {
		struct expr *x = NULL;
		int e = n->kind == CONF_NODE_MAP  ? compile_map(c, n, &x) :
			n->kind == CONF_NODE_LIST ? sigma_fail(c->rule, n, c->err, "a list in a list") :
						    item_compile(c, NULL, n, &x);

		if (e < 0)
			return e;
		any->items[any->count++] = x;
	}
	*ret = any;
	return 0;
}

static int compile_selection(struct compiler *c, const struct conf_node *n, struct expr **ret)
{
	switch (n->kind) {
	case CONF_NODE_MAP:
		return compile_map(c, n, ret);
	case CONF_NODE_LIST:
		return compile_list(c, n, ret);
	case CONF_NODE_SCALAR:
		return item_compile(c, NULL, n, ret);
	case CONF_NODE_NULL:
		break;
	}
	return sigma_fail(c->rule, n, c->err, "an empty selection");
}

static bool is_reserved(struct slice key)
{
	return slice_is(key, "condition") || slice_is(key, "timeframe");
}

static int compile_selections(struct compiler *c, struct selection **ret, size_t *ret_count)
{
	const struct conf_node *map = c->rule->detection;
	struct selection *all = arena_zalloc(c->arena, map->count + 1, sizeof(*all));
	size_t count = 0;

	if (!all)
		return compile_no_room(c);
	for (const struct conf_node *key = map->items; key; key = key->next->next) {
		if (slice_is(key->text, "timeframe"))
			sigma_note(c->notes, c->rule, key, "'timeframe' has no meaning here: write a correlation");
		if (is_reserved(key->text))
			continue;
		all[count].key = key;
		int e = compile_selection(c, key->next, &all[count].expr);
		if (e < 0)
			return e;
		count++;
	}
	*ret = all;
	*ret_count = count;
	return 0;
}

/* Of a list of conditions any may hold. */
static int compile_conditions(struct compiler *c, struct selection *selections, size_t count, struct expr **ret)
{
	const struct conf_node *n = sigma_get(c->rule->detection, "condition");
	int e = 0;

	if (!n)
		return sigma_fail(c->rule, c->rule->detection, c->err, "no 'condition'");
	if (n->kind != CONF_NODE_LIST)
		return condition_compile(c, n, selections, count, ret);
	struct expr *any = expr_new(c, EXPR_OR, n->count + 1);
	if (!any)
		return compile_no_room(c);
	if (!n->count)
		return sigma_fail(c->rule, n, c->err, "no 'condition'");
	for (const struct conf_node *i = n->items; i && e >= 0; i = i->next)
		e = condition_compile(c, i, selections, count, &any->items[any->count++]);
	*ret = any;
	return e;
}

/* ---- steps ---- */

struct generator {
	struct compiler *c;
	size_t first, visits;
};

static int add_step(struct generator *g, uint32_t check, uint32_t on_true, uint32_t on_false, uint32_t *ret)
{
	struct detect_set *s = g->c->set;

	if (s->step_count - g->first >= STEPS_MAX)
		return compile_no_room(g->c);
	if (s->step_count == s->step_size) {
		size_t size = s->step_size ? s->step_size * 2 : 256;
		struct step *steps = reallocarray(s->steps, size, sizeof(*steps));

		if (!steps)
			return compile_no_room(g->c);
		s->steps = steps;
		s->step_size = size;
	}
	*ret = (uint32_t)s->step_count;
	s->steps[s->step_count++] = (struct step){ check, on_true, on_false };
	return 0;
}

/* The step at which x is entered, when what follows is known. Depth is bounded by the condition's. */
static int generate(struct generator *g, const struct expr *x, uint32_t on_true, uint32_t on_false, uint32_t *ret)
{
	bool is_and = x->kind == EXPR_AND;
	uint32_t at = is_and ? on_true : on_false;

	if (++g->visits > VISITS_MAX)
		return compile_no_room(g->c);
	switch ((enum expr_kind)x->kind) {
	case EXPR_CONST:
		*ret = x->value ? on_true : on_false;
		return 0;
	case EXPR_CHECK:
		*ret = on_true;
		return on_true == on_false ? 0 : add_step(g, x->check, on_true, on_false, ret);
	case EXPR_NOT:
		return generate(g, x->items[0], on_false, on_true, ret);
	case EXPR_AND:
	case EXPR_OR:
		for (size_t i = x->count; i-- > 0;) {
			int e = generate(g, x->items[i], is_and ? at : on_true, is_and ? on_false : at, &at);
			if (e < 0)
				return e;
		}
		*ret = at;
		return 0;
	}
	return compile_no_room(g->c);
}

/* ---- adding ---- */

static void note_rule(struct compiler *c, const struct selection *selections, size_t count, uint32_t entry)
{
	const struct sigma_rule *r = c->rule;
	char text[SHOWN_MAX];

	for (size_t i = 0; i < count; i++) {
		if (selections[i].is_used)
			continue;
		log_escape(selections[i].key->text, text, sizeof(text));
		sigma_note(c->notes, r, selections[i].key, "the condition does not use '%s'", text);
	}
	if (r->status == SIGMA_STATUS_DEPRECATED || r->status == SIGMA_STATUS_UNSUPPORTED)
		sigma_note(c->notes, r, NULL, "its status is '%s'", sigma_status_name(r->status));
	if (c->source != DETECT_SOURCE_NONE && entry == STEP_REJECT)
		sigma_note(c->notes, r, NULL, "it never matches: it asks for what picket does not record");
	if (entry == STEP_ACCEPT)
		sigma_note(c->notes, r, NULL, "it matches every event of its log source");
}

static int compile_rule(struct compiler *c, struct program *ret)
{
	struct selection *selections = NULL;
	struct generator g = { .c = c, .first = c->set->step_count };
	struct expr *x = NULL;
	size_t count = 0;

	ret->source = (uint8_t)c->source;
	int e = compile_selections(c, &selections, &count);
	if (e >= 0)
		e = compile_conditions(c, selections, count, &x);
	if (e >= 0)
		e = generate(&g, x, STEP_ACCEPT, STEP_REJECT, &ret->entry);
	if (e >= 0)
		note_rule(c, selections, count, ret->entry);
	else
		c->set->step_count = g.first;
	return e;
}

/* An exec's hash may come after it, as an event of its own that says all of the exec again: it is for rules that ask
 * for the hash, and to others would be the same exec twice. */
bool program_looks_at(const struct program *p, enum detect_source source)
{
	if (source == DETECT_SOURCE_HASH)
		return p->asks_hash && (p->source == DETECT_SOURCE_PROCESS || p->source == DETECT_SOURCE_ANY);
	return p->source == source || p->source == DETECT_SOURCE_ANY;
}

uint32_t detect_set_wants(const struct detect_set *s, unsigned index)
{
	uint32_t wants = 0;

	for (unsigned i = 0; i <= DETECT_SOURCE_ANY; i++)
		if (detect_set_can_match(s, index) && program_looks_at(&s->programs[index], (enum detect_source)i))
			wants |= 1U << i;
	return wants;
}

/* Room for one rule more in everything that counts rules, so that nothing can fail behind it. */
static bool grow(struct detect_set *s)
{
	if (s->count == s->size) {
		size_t size = s->size ? s->size * 2 : 64;
		struct program *programs = reallocarray(s->programs, size, sizeof(*programs));

		if (!programs)
			return false;
		s->programs = programs;
		s->size = size;
	}
	for (size_t i = 0; i < ARRAY_LEN(s->by_source); i++) {
		if (s->by_source[i].count < s->by_source[i].size)
			continue;
		size_t size = s->by_source[i].size ? s->by_source[i].size * 2 : 16;
		uint32_t *rules = reallocarray(s->by_source[i].rules, size, sizeof(*rules));

		if (!rules)
			return false;
		s->by_source[i].rules = rules;
		s->by_source[i].size = size;
	}
	return true;
}

int detect_set_add(struct detect_set *s, const struct sigma_rule *rule, unsigned *ret_index, struct sigma_notes *notes,
		   struct err *err)
{
	struct compiler c = { .set = s, .arena = s->build, .rule = rule, .notes = notes, .err = err };
	struct program p = { 0 };

	if (!rule->detection)
		return sigma_fail(rule, NULL, err, "no 'detection'");
	arena_reset(s->build);
	if (s->count == DETECT_RULES_MAX || !grow(s))
		return compile_no_room(&c);
	c.source = detect_source_of(rule, notes);
	int e = compile_rule(&c, &p);
	arena_reset(s->build);
	if (e < 0)
		return e;
	p.asks_hash = c.asks_hash;
	*ret_index = (unsigned)s->count;
	s->programs[s->count++] = p;
	if (!detect_set_can_match(s, *ret_index))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(s->by_source); i++)
		if (program_looks_at(&p, (enum detect_source)i))
			s->by_source[i].rules[s->by_source[i].count++] = *ret_index;
	return 0;
}
