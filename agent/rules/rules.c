/* rules.c - see rules.h: loading from files, the index by event type, and running. */
#include <errno.h>

#include "agent/rules/load.h"
#include "common/file.h"

enum { STEPS_MAX = 1 << 20 /* of all programs by event type; past it the general ones run */ };

const char *rules_priority_name(enum rules_priority p)
{
	static const char *const names[PRIORITY_COUNT] = { "Emergency", "Alert",	"Critical", "Error",
							   "Warning",	"Notice", "Informational", "Debug" };

	return names[p];
}

void rules_report_fini(struct rules_report *r)
{
	arena_free(r->arena);
	*r = (struct rules_report){ 0 };
}

static int first_error(const struct rules_report *r, struct err *err)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->messages[i].is_error)
			return err_set(err, ERR_SYNTAX, "%s:%u:%u: %s", r->messages[i].file, r->messages[i].line,
				       r->messages[i].column, r->messages[i].text);
	return err_set(err, ERR_SYNTAX, "%zu errors in the rule files", r->errors);
}

static int build(struct loader *l, struct rules **ret, struct err *err)
{
	struct rules *r = NULL;

	/* What is half read is not compiled: its errors would only repeat the first. */
	l->report->rules = l->rule_count;
	l->report->macros = l->macro_count;
	l->report->lists = l->list_count;
	if (l->report->errors)
		return first_error(l->report, err);
	int result = loader_build(l, &r, err);
	if (result < 0)
		return result;
	if (l->report->errors)
		return first_error(l->report, err);
	*ret = r;
	return 0;
}

static int add_file(struct loader *l, const char *path, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	int r = file_read(path, LOAD_FILE_MAX, &text, err);

	if (r >= 0)
		loader_add(l, path, buf_slice(&text));
	return r;
}

static int start(struct loader *l, struct rules_report *report, struct rules_report *own, struct err *err)
{
	struct rules_report *used = report ? report : own;

	*used = (struct rules_report){ .arena = arena_new(4 << 20) };
	if (!used->arena)
		return err_set(err, ENOMEM, "load rules");
	return loader_init(l, used, err);
}

int rules_load(const char *const *paths, size_t count, struct rules **ret, struct rules_report *report,
	       struct err *err)
{
	struct rules_report own = { 0 };
	struct loader l = { 0 };
	int r = start(&l, report, &own, err);

	for (size_t i = 0; i < count && r >= 0; i++)
		r = add_file(&l, paths[i], err);
	if (r >= 0)
		r = build(&l, ret, err);
	loader_fini(&l);
	rules_report_fini(&own);
	return r;
}

int rules_load_text(const char *name, struct slice text, struct rules **ret, struct rules_report *report,
		    struct err *err)
{
	struct rules_report own = { 0 };
	struct loader l = { 0 };

	if (text.n > LOAD_FILE_MAX)
		return err_set(err, ERR_LIMIT, "%s is larger than %d bytes", name, LOAD_FILE_MAX);
	int r = start(&l, report, &own, err);
	if (r >= 0) {
		loader_add(&l, name, text);
		r = build(&l, ret, err);
	}
	loader_fini(&l);
	rules_report_fini(&own);
	return r;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	pool_free(r->pool);
	arena_free(r->arena);
	buf_fini(&r->output);
	free(r);
}

/* ---- one condition ---- */

int rules_parse_condition(struct slice text, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LOAD_ARENA_MAX);
	const struct cond *c;

	if (!a)
		return err_set(err, ENOMEM, "parse a condition");
	return cond_parse(a, text, COND_DEPTH, &c, err);
}

int rules_compile_condition(struct slice text, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LOAD_ARENA_MAX);
	CLEANUP(pool_freep) struct pool *p = a ? pool_new(a) : NULL;
	const struct cond *c;
	struct prog prog;

	if (!p)
		return err_set(err, ENOMEM, "compile a condition");
	int r = cond_parse(a, text, COND_DEPTH, &c, err);
	return r < 0 ? r : prog_compile(p, c, &prog, NULL, err);
}

int rules_eval_condition(struct slice text, const struct rules_source *src, bool *ret, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LOAD_ARENA_MAX);
	CLEANUP(pool_freep) struct pool *p = a ? pool_new(a) : NULL;
	const struct cond *c;
	struct prog prog;

	if (!p)
		return err_set(err, ENOMEM, "compile a condition");
	int r = cond_parse(a, text, COND_DEPTH, &c, err);
	if (r >= 0)
		r = prog_compile(p, c, &prog, NULL, err);
	if (r >= 0)
		r = pool_finish(p, err);
	if (r < 0)
		return r;
	pool_begin(p, src);
	*ret = prog_run(p, &prog);
	return 0;
}

/* ---- the index ---- */

static int order_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_named(const struct rule *r, const char *type)
{
	return r->type_count && bsearch(&type, r->types, r->type_count, sizeof(*r->types), order_names);
}

/* type NULL: one that no rule names. A rule that can't match the type, as its program says, is left out. */
static bool fill(struct rules *r, const char *type, struct type_index *ret)
{
	uint32_t *all = arena_alloc(r->arena, (r->count + 1) * sizeof(*all));
	struct prog *progs = arena_alloc(r->arena, (r->count + 1) * sizeof(*progs));
	size_t n = 0;

	for (size_t i = 0; all && progs && i < r->count; i++) {
		const struct rule *x = &r->all[i];

		if (!x->enabled || (type && is_named(x, type)) == x->is_complement)
			continue;
		progs[n] = x->prog;
		r->steps += x->prog.count;
		if (type && r->steps < STEPS_MAX && !prog_specialise(r->pool, r->arena, &x->prog, type, &progs[n]))
			return false;
		all[n] = (uint32_t)i;
		n += progs[n].start != PROG_REJECT;
	}
	*ret = (struct type_index){ type, all, progs, n };
	return all && progs;
}

static bool hash_types(struct rules *r)
{
	uint32_t size = 16;

	while (size < 2 * r->type_count + 1)
		size *= 2;
	r->slots = arena_zalloc(r->arena, size, sizeof(*r->slots));
	r->slot_mask = size - 1;
	for (uint32_t i = 0; i < r->type_count && r->slots; i++) {
		uint32_t at = (uint32_t)slice_hash(slice_of(r->types[i].type)) & r->slot_mask;

		while (r->slots[at])
			at = (at + 1) & r->slot_mask;
		r->slots[at] = i + 1;
	}
	return r->slots;
}

int rules_index(struct rules *r, struct err *err)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < r->count; i++)
		count += r->all[i].type_count;
	const char **names = arena_alloc(r->arena, (count + 1) * sizeof(char *));
	if (!names)
		return err_set(err, ERR_LIMIT, "the rules are too large");
	count = 0;
	for (size_t i = 0; i < r->count; i++)
		for (size_t k = 0; k < r->all[i].type_count; k++)
			names[count++] = r->all[i].types[k];
	qsort(names, count, sizeof(*names), order_names);
	for (size_t i = 0; i < count; i++)
		if (!i || strcmp(names[i], names[kept - 1]) != 0)
			names[kept++] = names[i];
	struct type_index *types = arena_alloc(r->arena, (kept + 1) * sizeof(*types));
	bool ok = types && fill(r, NULL, &r->others);
	for (size_t i = 0; i < kept && ok; i++)
		ok = fill(r, names[i], &types[i]);
	if (!ok)
		return err_set(err, ERR_LIMIT, "the rules are too large");
	r->types = types;
	r->type_count = kept;
	return hash_types(r) ? 0 : err_set(err, ERR_LIMIT, "the rules are too large");
}

static const struct type_index *find_type(const struct rules *r, const char *type)
{
	uint32_t at = (uint32_t)slice_hash(slice_of(type)) & r->slot_mask;

	for (; r->slots[at]; at = (at + 1) & r->slot_mask)
		if (!strcmp(r->types[r->slots[at] - 1].type, type))
			return &r->types[r->slots[at] - 1];
	return &r->others;
}

void rules_set_matching(struct rules *r, enum rules_matching m)
{
	r->matching = m;
}

bool rules_has(const struct rules *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++)
		if (!strcmp(r->all[i].name, name))
			return true;
	return false;
}

void rules_each(const struct rules *r, void (*fn)(void *arg, const struct rules_info *i), void *arg)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct rule *x = &r->all[i];
		const struct rules_info info = { .name = x->name, .description = x->description,
						 .source = x->source, .file = x->file, .line = x->line,
						 .priority = x->priority, .enabled = x->enabled,
						 .tags = x->tags, .tag_count = x->tag_count, .types = x->types,
						 .type_count = x->is_complement ? 0 : x->type_count,
						 .macros = x->macros, .macro_count = x->macro_count };

		fn(arg, &info);
	}
}

size_t rules_count(const struct rules *r)
{
	return r->enabled;
}

bool rules_wants(const struct rules *r, const char *evt_type)
{
	return find_type(r, evt_type)->count > 0;
}

const char *rules_version(const struct rules *r)
{
	return r->version;
}

bool rules_wants_all(const struct rules *r)
{
	return r->others.count > 0;
}

void rules_each_type(const struct rules *r, void (*fn)(void *arg, const char *name), void *arg)
{
	for (size_t i = 0; i < r->type_count; i++)
		if (r->types[i].count)
			fn(arg, r->types[i].type);
}

void rules_each_field(const struct rules *r, void (*fn)(void *arg, const char *name), void *arg)
{
	for (size_t i = 0; i < pool_field_count(r->pool); i++)
		if (pool_field_name(r->pool, i))
			fn(arg, pool_field_name(r->pool, i));
}

/* ---- running ---- */

static void report_match(struct rules *r, const struct rule *rule, rules_match_fn fn, void *arg)
{
	struct rules_match m = { .rule = rule->name, .description = rule->description, .source = rule->source,
				 .priority = rule->priority, .tags = rule->tags, .tag_count = rule->tag_count,
				 .fields = r->fields };

	m.field_count = output_format(r->pool, &rule->output, &r->output, r->fields);
	m.output = buf_slice(&r->output);
	fn(arg, &m);
}

unsigned rules_eval(struct rules *r, const char *evt_type, const struct rules_source *src, rules_match_fn fn,
		    void *arg)
{
	const struct type_index *t = find_type(r, evt_type);
	unsigned matches = 0;

	if (!t->count)
		return 0;
	pool_begin(r->pool, src);
	for (size_t i = 0; i < t->count; i++) {
		const struct rule *rule = &r->all[t->rules[i]];

		if (!prog_run(r->pool, &t->progs[i]))
			continue;
		matches++;
		if (fn)
			report_match(r, rule, fn, arg);
		if (r->matching == RULES_MATCH_FIRST)
			break;
	}
	return matches;
}
