/* load_rule.c - one rule item: a definition, an appendix, or a change of some keys. */
#include "agent/rules/load.h"

enum rule_key { KEY_CONDITION, KEY_OUTPUT, KEY_DESC, KEY_TAGS, KEY_EXCEPTIONS, KEY_PRIORITY, KEY_ENABLED,
	KEY_CAPTURE, KEY_CAPTURE_DURATION, KEY_WARN, KEY_SKIP, KEY_COUNT };
static const char *const key_names[KEY_COUNT] = {
	[KEY_CONDITION] = "condition", [KEY_OUTPUT] = "output", [KEY_DESC] = "desc", [KEY_TAGS] = "tags",
	[KEY_EXCEPTIONS] = "exceptions", [KEY_PRIORITY] = "priority", [KEY_ENABLED] = "enabled",
	[KEY_CAPTURE] = "capture", [KEY_CAPTURE_DURATION] = "capture_duration", [KEY_WARN] = "warn_evttypes",
	[KEY_SKIP] = "skip-if-unknown-filter",
};
#define BIT(k) (1U << KEY_##k)
enum { APPENDABLE = BIT(CONDITION) | BIT(OUTPUT) | BIT(DESC) | BIT(TAGS) | BIT(EXCEPTIONS),
       REQUIRED = BIT(CONDITION) | BIT(OUTPUT) | BIT(DESC) | BIT(PRIORITY),
       ALL_KEYS = (1U << KEY_COUNT) - 1 };

static bool load_priority(struct loader *l, const struct ynode *item, enum rules_priority *ret)
{
	struct slice text;

	if (!load_text(l, item, "priority", &text))
		return false;
	for (unsigned p = 0; p < PRIORITY_COUNT; p++) {
		const char *name = rules_priority_name((enum rules_priority)p);
		bool is_info = p == PRIORITY_INFORMATIONAL && text.n == 4 && !strncasecmp(text.p, "info", 4);

		if (is_info || (text.n == strlen(name) && !strncasecmp(text.p, name, text.n))) {
			*ret = (enum rules_priority)p;
			return true;
		}
	}
	load_error(l, place_of(l, ynode_get(item, "priority")), "Invalid priority '%.*s'",
		   SLICE_FMT(slice_sub(text, 0, 80)));
	return false;
}

/* A capture of system calls is Falco's own; the keys are read so that a wrong one is told. */
static bool check_capture(struct loader *l, const struct ynode *item)
{
	const struct ynode *n = ynode_get(item, "capture_duration");
	uint64_t ms;
	bool ignored;

	if (!load_bool(l, item, "capture", &ignored))
		return false;
	if (!n || (n->kind == YNODE_SCALAR && slice_to_u64(n->text, &ms)))
		return true;
	load_error(l, place_of(l, n), "Can't decode YAML scalar value: key 'capture_duration' takes a number of "
				      "milliseconds");
	return false;
}

/* The keys in the mask that the item has; all of required it must have. */
static bool read_keys(struct loader *l, const struct ynode *item, uint32_t mask, uint32_t required,
		      bool need_fields, struct def_rule *r)
{
	uint32_t have = required & mask;

	for (unsigned i = 0; i < KEY_COUNT; i++)
		if (mask & 1U << i && ynode_get(item, key_names[i]))
			have |= 1U << i;
	if (have & BIT(CONDITION) && !load_cond(l, item, &r->cond))
		return false;
	if (have & BIT(OUTPUT)) {
		if (!load_text(l, item, "output", &r->output))
			return false;
		r->output = slice_trim(r->output);
		r->output_at = place_of(l, ynode_get(item, "output"));
	}
	if (have & BIT(DESC)) {
		/* An empty description is no description, but not wrong. */
		const struct ynode *n = ynode_get(item, "desc");

		if (!n || n->kind != YNODE_NULL) {
			if (!load_text(l, item, "desc", &r->desc))
				return false;
			r->desc = slice_trim(r->desc); /* a folded text ends with a line break */
		}
	}
	return (!(have & BIT(PRIORITY)) || load_priority(l, item, &r->priority)) &&
	       (!(have & BIT(TAGS)) || load_strings(l, item, "tags", &r->tags)) &&
	       (!(have & BIT(EXCEPTIONS)) || load_exceptions(l, item, need_fields, r)) &&
	       (!(have & BIT(ENABLED)) || load_bool(l, item, "enabled", &r->enabled)) &&
	       (!(have & BIT(WARN)) || load_bool(l, item, "warn_evttypes", &r->warn_evttypes)) &&
	       (!(have & BIT(SKIP)) || load_bool(l, item, "skip-if-unknown-filter", &r->skip_unknown)) &&
	       check_capture(l, item);
}

static bool append_text(struct loader *l, struct slice *to, struct slice more)
{
	if (!more.n)
		return true;
	char *text = arena_alloc(l->arena, to->n + more.n + 2);
	if (!text)
		return false;
	char *end = mempcpy(text, to->n ? to->p : "", to->n);
	*end++ = ' ';
	end = mempcpy(end, more.p, more.n);
	*end = 0;
	*to = slice_from(text, to->n + more.n + 1);
	return true;
}

static bool has_tag(const struct strings *tags, struct slice tag)
{
	for (size_t i = 0; i < tags->count; i++)
		if (slice_eq(tags->p[i], tag))
			return true;
	return false;
}

static void append_rule(struct loader *l, const struct ynode *item, uint32_t mask, struct def_rule *to)
{
	struct def_rule more = { 0 };

	if (!read_keys(l, item, mask, 0, false, &more))
		return;
	if (!more.cond.text.n && !more.output.n && !more.desc.n && !more.tags.count && !more.exception_count)
		return load_error(l, place_of(l, item),
				  "Appended rule must have exceptions or condition property");
	bool ok = append_text(l, &to->cond.text, more.cond.text) && append_text(l, &to->output, more.output) &&
		  append_text(l, &to->desc, more.desc);
	for (size_t i = 0; i < more.tags.count; i++)
		if (!has_tag(&to->tags, more.tags.p[i]))
			ok = ok && strings_add(l, &to->tags, more.tags.p[i]);
	if (!ok)
		return load_error(l, place_of(l, item), "The rule is too large");
	to->cond.is_plain = to->cond.is_literal &= !more.cond.text.n;
	if (more.exception_count && !exceptions_append(l, to, &more))
		return;
	to->visibility = l->next_index++;
}

static void replace_rule(struct loader *l, const struct ynode *item, uint32_t mask, struct def_rule *to)
{
	struct def_rule changed = *to;

	if (mask & BIT(EXCEPTIONS)) {
		changed.exceptions = NULL;
		changed.exception_count = changed.exception_size = 0;
	}
	if (mask & BIT(TAGS))
		changed.tags = (struct strings){ 0 };
	if (!read_keys(l, item, mask, 0, true, &changed))
		return;
	for (size_t i = 0; mask & BIT(EXCEPTIONS) && i < changed.exception_count; i++)
		if (!exception_check(l, &changed, &changed.exceptions[i]))
			return;
	changed.visibility = l->next_index++;
	*to = changed;
}

static void override_rule(struct loader *l, const struct ynode *item, const struct overrides *o,
			  struct def_rule *to)
{
	static const char *const others[] = { "rule", "override", "append", "source" };

	/* A key that is there but in no override would be silently without effect. */
	for (size_t i = 0; i + 1 < item->count; i += 2) {
		struct slice key = item->items[i]->text;
		bool is_known = false;

		for (unsigned k = 0; k < KEY_COUNT; k++)
			is_known |= (o->append | o->replace) & 1U << k && slice_is(key, key_names[k]);
		for (size_t k = 0; k < ARRAY_LEN(others); k++)
			is_known |= slice_is(key, others[k]);
		for (unsigned k = 0; k < KEY_COUNT && !is_known; k++)
			if (slice_is(key, key_names[k]))
				return load_error(l, place_of(l, item->items[i]),
						  "Unexpected key '%s': no corresponding entry under 'override' "
						  "is defined.",
						  key_names[k]);
	}
	if (!to)
		return load_error(l, place_of(l, item),
				  o->append ? "Rule uses 'append' or 'override.<key>: append' but no rule by that "
					      "name already exists" :
					      "An 'override.<key>: replace' to a rule was requested but no rule by "
					      "that name already exists");
	if (o->append)
		append_rule(l, item, o->append, to);
	if (o->replace)
		replace_rule(l, item, o->replace, to);
}

/* name and enabled alone: switches a rule that is there. */
static void switch_rule(struct loader *l, const struct ynode *item, struct def_rule *to)
{
	load_warn(l, place_of(l, ynode_get(item, "enabled")),
		  "The standalone 'enabled' key usage is deprecated. The correct approach requires also a "
		  "'replace' entry under the 'override' key (i.e. 'enabled: replace').");
	if (!to)
		return load_error(l, place_of(l, item),
				  "Rule has 'enabled' key but no rule by that name already exists");
	(void)load_bool(l, item, "enabled", &to->enabled);
}

static void define_rule(struct loader *l, const struct ynode *item, struct slice name, struct def_rule *d)
{
	struct def_rule r = { .name = name, .source = SLICE_LIT("syscall"), .at = place_of(l, item),
			      .enabled = true, .warn_evttypes = true };

	if (ynode_get(item, "source") && !load_text(l, item, "source", &r.source))
		return;
	if (!read_keys(l, item, ALL_KEYS, REQUIRED, true, &r))
		return;
	if (d && !slice_eq(d->source, r.source))
		return load_error(l, place_of(l, item), "Rule has been re-defined with a different source");
	r.unknown_source = !slice_is(r.source, "syscall");
	if (r.unknown_source)
		load_warn(l, place_of(l, item), "Unknown source %.*s, skipping",
			  SLICE_FMT(slice_sub(r.source, 0, 80)));
	for (size_t i = 0; i < r.exception_count; i++)
		if (!exception_check(l, &r, &r.exceptions[i]))
			return;
	count_in_file(l, d ? &d->at : NULL, &l->in_file.rules);
	r.index = d ? d->index : l->next_index;
	r.visibility = l->next_index++;
	if (d) {
		*d = r;
		return;
	}
	struct def_rule *all = load_grow(l, l->rules, sizeof(*all), l->rule_count, &l->rule_size);
	if (!all || l->rule_count == LOAD_DEFS_MAX)
		return load_error(l, place_of(l, item), "The rules are too large");
	l->rules = all;
	l->rules[l->rule_count++] = r;
}

void load_rule(struct loader *l, const struct ynode *item)
{
	static const struct override_keys keys = { key_names, KEY_COUNT, APPENDABLE, ALL_KEYS };
	static const char *const known[] = { "rule", "source", "append", "override", "condition", "output",
					     "desc", "tags", "exceptions", "priority", "enabled", "capture",
					     "capture_duration", "warn_evttypes", "skip-if-unknown-filter" };
	struct overrides o = { 0 };
	struct slice name;

	load_unknown_keys(l, item, known, ARRAY_LEN(known));
	if (!load_text(l, item, "rule", &name) || !load_overrides(l, item, &keys, &o))
		return;
	struct def_rule *d = load_find_rule(l, name);
	if (o.append || o.replace)
		return override_rule(l, item, &o, d);
	if (o.append_key && !d)
		return load_error(l, place_of(l, item), "Rule uses 'append' or 'override.<key>: append' but no rule "
							"by that name already exists");
	if (o.append_key)
		return append_rule(l, item, APPENDABLE, d);
	bool is_switch = ynode_get(item, "enabled") != NULL;
	for (unsigned k = 0; k < KEY_COUNT; k++)
		if (REQUIRED & 1U << k && ynode_get(item, key_names[k]))
			is_switch = false;
	if (is_switch)
		return switch_rule(l, item, d);
	define_rule(l, item, name, d);
}
