/* load_build.c - definitions into a set of rules: lists as text, macros as trees, conditions compiled. */
#include "agent/rules/load.h"

#include <errno.h>

#include "agent/call_names.h"

enum { RULES_ARENA_MAX = 64 << 20 };

/* "3:14: what" of a condition that stands at c into a place in the file and the bare text. */
static struct place locate(const struct cond_text *c, bool is_changed, const char *msg, const char **ret_text)
{
	struct place at = c->at;
	unsigned line = 0, column = 0;
	int n = 0;

	if (sscanf(msg, "%u:%u: %n", &line, &column, &n) < 2 || !n) {
		*ret_text = msg;
		return at;
	}
	*ret_text = msg + n;
	/* A folded or quoted text does not have the file's lines, and a changed one not its columns. */
	if (c->is_literal) {
		at.line += line;
		at.column = column;
	} else if (c->is_plain && !is_changed && line == 1) {
		at.column += column - 1;
	}
	return at;
}

static void report(struct loader *l, const struct cond_text *c, bool is_changed, const struct err *err)
{
	const char *text;
	struct place at = locate(c, is_changed, err->msg, &text);

	load_error(l, at, "%s", text);
}

/* ---- macros ---- */

struct resolve {
	struct loader *l;
	unsigned visibility; /* macros first defined before this are seen */
	struct cond_text *cond;
	bool is_changed, is_broken;
};

static void resolve(struct resolve *r, struct cond *c)
{
	for (; c; c = c->next) {
		if (c->kind != COND_MACRO) {
			if (c->kind == COND_AND || c->kind == COND_OR || c->kind == COND_NOT)
				resolve(r, c->child);
			continue;
		}
		struct def_macro *m = load_find_macro(r->l, c->text);
		if (m && m->index < r->visibility) {
			m->is_used = true;
			c->child = m->tree;
			r->is_broken |= m->is_broken;
			if (m->tree || m->is_broken)
				continue;
		}
		struct err err;
		(void)err_set(&err, ERR_SYNTAX, "%u:%u: Undefined macro '%.*s' used in filter.", c->line, c->column,
			      SLICE_FMT(slice_sub(c->text, 0, 80)));
		report(r->l, r->cond, r->is_changed, &err);
		r->is_broken = true;
	}
}

/* The tree of a condition's text; NULL: reported, or it uses a macro that was. */
static struct cond *make_tree(struct loader *l, struct cond_text *cond, struct slice text, unsigned visibility)
{
	struct resolve r = { .l = l, .visibility = visibility, .cond = cond };
	struct cond *c = NULL;
	struct err err;

	text = lists_substitute(l, text, &r.is_changed);
	if (!text.p) {
		load_error(l, cond->at, "The condition with its lists is larger than %d bytes", COND_TEXT_MAX);
		return NULL;
	}
	if (cond_parse_mutable(l->arena, text, COND_DEPTH_RULES, &c, &err) < 0) {
		report(l, cond, r.is_changed, &err);
		return NULL;
	}
	resolve(&r, c);
	return r.is_broken ? NULL : c;
}

static void build_macros(struct loader *l)
{
	for (size_t i = 0; i < l->macro_count; i++) {
		struct def_macro *m = &l->macros[i];

		m->tree = make_tree(l, &m->cond, m->cond.text, m->visibility);
		m->is_broken = !m->tree;
	}
}

static void warn_unused(struct loader *l)
{
	for (size_t i = 0; i < l->list_count; i++)
		if (!l->lists[i].is_used)
			load_warn(l, l->lists[i].at, "List not referred to by any other rule/macro: '%.*s'",
				  SLICE_FMT(slice_sub(l->lists[i].name, 0, 80)));
	for (size_t i = 0; i < l->macro_count; i++)
		if (!l->macros[i].is_used)
			load_warn(l, l->macros[i].at, "Macro not referred to by any other rule/macro: '%.*s'",
				  SLICE_FMT(slice_sub(l->macros[i].name, 0, 80)));
}

/* ---- rules ---- */

static const char **copy_strings(struct arena *a, const struct strings *s)
{
	const char **all = arena_zalloc(a, s->count + 1, sizeof(char *));

	for (size_t i = 0; all && i < s->count; i++) {
		all[i] = arena_dup(a, s->p[i]);
		if (!all[i])
			return NULL;
	}
	return all;
}

static bool copy_texts(struct rules *rules, const struct def_rule *d, const struct type_set *types,
		       struct rule *r)
{
	struct arena *a = rules->arena;

	r->name = arena_dup(a, d->name);
	r->description = arena_dup(a, d->desc);
	r->source = arena_dup(a, d->source);
	r->file = arena_dup(a, slice_of(d->at.file));
	r->line = d->at.line;
	r->tags = copy_strings(a, &d->tags);
	r->tag_count = d->tags.count;
	r->types = copy_strings(a, &types->names);
	r->type_count = types->names.count;
	r->is_complement = types->is_complement;
	r->priority = d->priority;
	r->enabled = d->enabled;
	return r->name && r->description && r->source && r->file && r->tags && r->types;
}

static bool uses_deprecated(const struct cond *c)
{
	struct rules_field_ref ref;

	for (; c; c = c->next) {
		if (c->kind == COND_FIELD &&
		    rules_field_resolve(c->text, c->has_arg, c->arg, &ref, NULL) == FIELD_OK &&
		    ref.field->flags & FIELD_IS_DEPRECATED)
			return true;
		/* Macros are warned of where they are defined, not once more in every rule. */
		if (c->kind != COND_MACRO && uses_deprecated(c->child))
			return true;
	}
	return false;
}

static bool collect_macros(struct loader *l, const struct cond *c, struct strings *all)
{
	for (; c; c = c->next) {
		bool is_macro = c->kind == COND_MACRO, is_known = false;

		for (size_t i = 0; i < all->count && is_macro && !is_known; i++)
			is_known = slice_eq(all->p[i], c->text);
		/* What is in a known one is known. */
		if (is_known || c->kind == COND_CHECK)
			continue;
		if ((is_macro && !strings_add(l, all, c->text)) || !collect_macros(l, c->child, all))
			return false;
	}
	return true;
}

static bool copy_macros(struct loader *l, struct rules *rules, const struct cond *c, struct rule *r)
{
	struct strings all = { 0 };

	if (!collect_macros(l, c, &all))
		return false;
	r->macros = copy_strings(rules->arena, &all);
	r->macro_count = all.count;
	return r->macros;
}

/* Does a live event have this type? Every fork comes as clone, so a rule that has clone lacks nothing. */
static bool is_produced(struct slice type, const struct strings *all)
{
	static const char *const others[] = { "execve", "procexit", "clone", "container_stats" };
	static const char *const forks[] = { "fork", "vfork", "clone3" };

	for (unsigned c = 0; c < CALL_COUNT; c++)
		if (slice_is(type, call_name((enum call)c)))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (slice_is(type, others[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(forks); i++)
		for (size_t k = 0; slice_is(type, forks[i]) && k < all->count; k++)
			if (slice_is(all->p[k], "clone"))
				return true;
	return false;
}

static void warn_types(struct loader *l, const struct def_rule *d, const struct type_set *types)
{
	CLEANUP(buf_finip) struct buf names = { 0 };
	size_t count = 0;

	buf_init(&names, 256);
	for (size_t i = 0; i < types->names.count && !types->is_complement; i++)
		if (!is_produced(types->names.p[i], &types->names)) {
			buf_printf(&names, "%s'%.*s'", count++ ? ", " : "", SLICE_FMT(slice_sub(types->names.p[i], 0, 40)));
		}
	if (count && d->enabled)
		load_warn(l, d->cond.at, "Rule '%.*s': there are no events of type %s here%s",
			  SLICE_FMT(slice_sub(d->name, 0, 80)), names.p ? names.p : "",
			  count == types->names.count ? ", so it never matches" : "");
}

static void build_output(struct loader *l, struct rules *rules, const struct def_rule *d, struct rule *r)
{
	struct err err;
	bool is_deprecated = false;

	if (output_compile(rules->pool, rules->arena, d->output, &r->output, &is_deprecated, &err) < 0)
		load_error(l, d->output_at, "%s", err.msg);
	else if (is_deprecated)
		load_warn(l, d->output_at,
			  "usage of deprecated field 'evt.dir' has been detected in the rule output");
}

/* A rule that names a field nobody knows may ask to be left out rather than fail the file. */
static bool skip_rule(struct loader *l, const struct def_rule *d, bool is_unknown_field, const struct err *err)
{
	if (!d->skip_unknown || !is_unknown_field)
		return false;
	load_warn(l, d->at, "Rule '%.*s' skipped: %s", SLICE_FMT(slice_sub(d->name, 0, 80)), err->msg);
	return true;
}

static bool names_own_folder(const struct cond *value)
{
	return value && value->kind == COND_VALUE &&
	       (slice_starts(value->text, SLICE_LIT("/proc/self/")) ||
		slice_starts(value->text, SLICE_LIT("/proc/thread-self/")));
}

/* Falco's fd.name is the text that was given; ours is where it led, which is never below /proc/self. A
 * comparison with such a path means the text: fd.name OP x becomes (fd.name OP x or fd.nameraw OP x).
 * Macros are shared, and may name each other twice at each of forty levels: each is gone through once. */
static bool follow_own_folder(struct arena *a, struct cond *c)
{
	for (; c; c = c->next) {
		struct cond *left = c->child;

		if (c->is_visited)
			continue;
		c->is_visited = true;
		if (c->kind != COND_CHECK) {
			if (!follow_own_folder(a, left))
				return false;
			continue;
		}
		if (!left || left->kind != COND_FIELD || !slice_is(left->text, "fd.name") || !left->next ||
		    !names_own_folder(left->next->kind == COND_LIST ? left->next->child : left->next))
			continue;
		struct cond *two = arena_zalloc(a, 3, sizeof(*two));
		if (!two)
			return false;
		two[0] = two[1] = *c;
		two[0].next = &two[1];
		two[1].next = NULL;
		two[2] = *left;
		two[2].text = SLICE_LIT("fd.nameraw");
		two[1].child = &two[2];
		c->kind = COND_OR;
		c->child = two;
	}
	return true;
}

static void build_rule(struct loader *l, struct rules *rules, struct def_rule *d)
{
	struct slice text = exceptions_condition(l, d);
	struct rule *r = &rules->all[rules->count];
	bool is_unknown = false;
	struct err err;

	if (!text.n)
		return;
	struct cond *c = make_tree(l, &d->cond, text, UINT32_MAX);
	if (!c)
		return;
	if (l->on_condition)
		l->on_condition(l->arg, d->name, c);
	if (!follow_own_folder(l->arena, c)) {
		load_error(l, d->at, "out of memory");
		return;
	}
	if (prog_compile(rules->pool, c, &r->prog, &is_unknown, &err) < 0) {
		if (!skip_rule(l, d, is_unknown, &err))
			report(l, &d->cond, true, &err);
		return;
	}
	struct type_set types = event_types(l, c);
	if (types.is_complement && d->warn_evttypes)
		load_warn(l, d->cond.at,
			  "Rule matches too many evt.type values. This has a significant performance penalty. "
			  "[WARNING_NO_EVTTYPE]");
	warn_types(l, d, &types);
	if (uses_deprecated(c))
		load_warn(l, d->cond.at,
			  "usage of deprecated field 'evt.dir' has been detected in the rule condition");
	build_output(l, rules, d, r);
	if (!copy_texts(rules, d, &types, r) || !copy_macros(l, rules, c, r) || !rules_narrow(rules, r, c))
		return load_error(l, d->at, "The rules are too large");
	rules->count++;
	rules->enabled += r->enabled;
}

static int finish(struct loader *l, struct rules *r, struct err *err)
{
	size_t most = 1;

	for (size_t i = 0; i < r->count; i++)
		if (r->all[i].output.name_count > most)
			most = r->all[i].output.name_count;
	r->fields = arena_zalloc(r->arena, most, sizeof(*r->fields));
	if (!r->fields)
		return err_set(err, ERR_LIMIT, "the rules are too large");
	snprintf(r->version, sizeof(r->version), "%016llx", (unsigned long long)l->hash);
	int result = rules_index(r, err);
	return result < 0 ? result : pool_finish(r->pool, err);
}

int loader_build(struct loader *l, struct rules **ret, struct err *err)
{
	CLEANUP(rules_freep) struct rules *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(err, ENOMEM, "load rules");
	buf_init(&r->output, 64 << 10);
	r->arena = arena_new(RULES_ARENA_MAX);
	r->pool = r->arena ? pool_new(r->arena) : NULL;
	r->all = r->pool ? arena_zalloc(r->arena, l->rule_count + 1, sizeof(*r->all)) : NULL;
	if (!r->all)
		return err_set(err, ENOMEM, "load rules");
	lists_resolve(l);
	build_macros(l);
	for (size_t i = 0; i < l->rule_count; i++)
		if (!l->rules[i].unknown_source)
			build_rule(l, r, &l->rules[i]);
	warn_unused(l);
	if (l->report->errors)
		return 0;
	int result = finish(l, r, err);
	if (result < 0)
		return result;
	*ret = take_ptr(r);
	return 0;
}
