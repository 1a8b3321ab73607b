/* load.c - the report, the items of a file, lists and macros among them. */
#include "agent/rules/load.h"

#include <errno.h>
#include <stdarg.h>

#include "agent/rules/load_version.h"

int loader_init(struct loader *l, struct rules_report *report, struct err *err)
{
	*l = (struct loader){ .report = report, .file = "", .hash = 0xcbf29ce484222325ULL };
	l->arena = arena_new(LOAD_ARENA_MAX);
	return l->arena ? 0 : err_set(err, ENOMEM, "load rules");
}

void loader_fini(struct loader *l)
{
	arena_free(l->arena);
	l->arena = NULL;
}

static void report(struct loader *l, bool is_error, struct place at, const char *text)
{
	struct rules_report *r = l->report;

	if (is_error)
		r->errors++;
	else
		r->warnings++;
	for (size_t i = 0; i < r->file_count && !is_error; i++)
		if (!strcmp(r->files[i].file, at.file)) {
			r->files[i].warnings++;
			break;
		}
	if (r->count == LOAD_MESSAGES_MAX)
		return;
	if (!r->messages)
		r->messages = arena_zalloc(r->arena, LOAD_MESSAGES_MAX, sizeof(*r->messages));
	const char *file = arena_dup(r->arena, slice_of(at.file)), *copy = arena_dup(r->arena, slice_of(text));
	if (!r->messages || !file || !copy)
		return;
	r->messages[r->count++] = (struct rules_message){ is_error, file, at.line, at.column, copy };
}

void load_error(struct loader *l, struct place at, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report(l, true, at, text);
}

void load_warn(struct loader *l, struct place at, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report(l, false, at, text);
}

struct place place_of(const struct loader *l, const struct ynode *n)
{
	return (struct place){ l->file, n->line, n->column };
}

void *load_grow(struct loader *l, void *array, size_t element, size_t count, size_t *size)
{
	if (count < *size)
		return array;
	size_t bigger = *size ? *size * 2 : 8;
	void *p = arena_zalloc(l->arena, bigger, element);
	if (!p)
		return NULL;
	if (count)
		memcpy(p, array, count * element);
	*size = bigger;
	return p;
}

bool strings_add(struct loader *l, struct strings *s, struct slice x)
{
	struct slice *p = load_grow(l, s->p, sizeof(*p), s->count, &s->size);

	if (!p)
		return false;
	s->p = p;
	s->p[s->count++] = x;
	return true;
}

#define FIND(kind, plural)                                                                         \
	struct def_##kind *load_find_##kind(struct loader *l, struct slice name)                   \
	{                                                                                          \
		for (size_t i = 0; i < l->kind##_count; i++)                                       \
			if (slice_eq(l->plural[i].name, name))                                     \
				return &l->plural[i];                                              \
		return NULL;                                                                       \
	}
FIND(list, lists)
FIND(macro, macros)
FIND(rule, rules)

/* ---- values ---- */

static const struct ynode *need(struct loader *l, const struct ynode *map, const char *key)
{
	const struct ynode *n = ynode_get(map, key);

	if (!n)
		load_error(l, place_of(l, map), "Item has no mapping for key '%s'", key);
	return n;
}

bool load_text(struct loader *l, const struct ynode *map, const char *key, struct slice *ret)
{
	const struct ynode *n = need(l, map, key);

	if (!n)
		return false;
	if (n->kind == YNODE_NULL || (n->kind == YNODE_SCALAR && !n->text.n)) {
		load_error(l, place_of(l, n), "Mapping for key '%s' is empty", key);
		return false;
	}
	if (n->kind != YNODE_SCALAR) {
		load_error(l, place_of(l, n), "Value is not a scalar value: key '%s' takes a text", key);
		return false;
	}
	*ret = n->text;
	return true;
}

bool load_bool(struct loader *l, const struct ynode *map, const char *key, bool *ret)
{
	/* What YAML 1.1 calls a boolean, quoted or not, as Falco's reader takes it. */
	static const char *const words[][2] = { { "false", "true" }, { "no", "yes" }, { "off", "on" },
						{ "n", "y" } };
	const struct ynode *n = ynode_get(map, key);

	for (size_t i = 0; n && n->kind == YNODE_SCALAR && i < ARRAY_LEN(words); i++)
		for (int v = 0; v < 2; v++)
			if (n->text.n == strlen(words[i][v]) && !strncasecmp(n->text.p, words[i][v], n->text.n)) {
				*ret = v;
				return true;
			}
	if (n)
		load_error(l, place_of(l, n), "Can't decode YAML scalar value: key '%s' takes true or false",
			   key);
	return !n;
}

bool load_strings(struct loader *l, const struct ynode *map, const char *key, struct strings *ret)
{
	const struct ynode *n = need(l, map, key);

	if (!n)
		return false;
	if (n->kind != YNODE_SEQUENCE && n->kind != YNODE_NULL) {
		load_error(l, place_of(l, n), "Value is not a sequence: key '%s' takes a list", key);
		return false;
	}
	for (size_t i = 0; i < n->count; i++) {
		const struct ynode *x = n->items[i];

		if (x->kind != YNODE_SCALAR && x->kind != YNODE_NULL) {
			load_error(l, place_of(l, x), "Value is not a scalar value: list '%s' takes texts", key);
			return false;
		}
		if (!strings_add(l, ret, x->text)) {
			load_error(l, place_of(l, x), "The list is too large");
			return false;
		}
	}
	return true;
}

bool load_cond(struct loader *l, const struct ynode *map, struct cond_text *ret)
{
	struct slice text;

	if (!load_text(l, map, "condition", &text))
		return false;
	const struct ynode *n = ynode_get(map, "condition");
	*ret = (struct cond_text){ .text = text, .at = place_of(l, n), .is_literal = n->is_literal,
				   .is_plain = !n->is_quoted };
	return true;
}

void load_unknown_keys(struct loader *l, const struct ynode *map, const char *const *known, size_t count)
{
	for (size_t i = 0; i + 1 < map->count; i += 2) {
		const struct ynode *key = map->items[i];
		bool found = false;

		for (size_t k = 0; k < count && !found; k++)
			found = slice_is(key->text, known[k]);
		if (!found)
			load_warn(l, place_of(l, key), "Unknown key '%.*s'", SLICE_FMT(slice_sub(key->text, 0, 80)));
	}
}

/* ---- lists and macros ---- */

static bool is_identifier(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool is_alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!is_alpha && (!i || ((c < '0' || c > '9') && c != '_')))
			return false;
	}
	return s.n;
}

static void warn_name(struct loader *l, const struct ynode *item, const char *what, struct slice name)
{
	if (!is_identifier(name))
		load_warn(l, place_of(l, item),
			  "%s has an invalid name. %s names should match a regular expression: "
			  "[a-zA-Z]+[a-zA-Z0-9_]*",
			  what, what);
}

void count_in_file(struct loader *l, const struct place *before, size_t *count)
{
	/* l->file is another copy for each file, also when one is loaded twice. */
	*count += !before || before->file != l->file;
}

static void add_list(struct loader *l, const struct ynode *item)
{
	static const char *const known[] = { "list", "items", "append", "override" };
	static const char *const names[] = { "items" };
	static const struct override_keys keys = { names, 1, 1, 1 };
	struct overrides o = { 0 };
	struct slice name;
	struct strings items = { 0 };

	load_unknown_keys(l, item, known, ARRAY_LEN(known));
	if (!load_text(l, item, "list", &name) || !load_strings(l, item, "items", &items) ||
	    !load_overrides(l, item, &keys, &o))
		return;
	warn_name(l, item, "List", name);
	struct def_list *d = load_find_list(l, name);
	if (o.append || o.append_key) {
		if (!d) {
			load_error(l, place_of(l, item), "List uses 'append' or 'override.items: append' but no "
							 "list by that name already exists");
			return;
		}
		for (size_t i = 0; i < items.count; i++)
			if (!strings_add(l, &d->items, items.p[i]))
				load_error(l, place_of(l, item), "The list is too large");
		d->visibility = l->next_index++;
		return;
	}
	count_in_file(l, d ? &d->at : NULL, &l->in_file.lists);
	if (!d) {
		struct def_list *all = load_grow(l, l->lists, sizeof(*all), l->list_count, &l->list_size);

		if (!all || l->list_count == LOAD_DEFS_MAX)
			return load_error(l, place_of(l, item), "The rules are too large");
		l->lists = all;
		d = &l->lists[l->list_count++];
		d->index = l->next_index;
	}
	*d = (struct def_list){ .name = name, .items = items, .at = place_of(l, item), .index = d->index,
				.visibility = l->next_index++ };
}

static void append_macro(struct loader *l, const struct ynode *item, struct def_macro *d,
			 const struct cond_text *cond)
{
	if (!d)
		return load_error(l, place_of(l, item),
				  "Macro uses 'append' or 'override.condition: append' but no macro by that name "
				  "already exists");
	char *text = arena_printf(l->arena, "%s %s", d->cond.text.p, cond->text.p);
	if (!text)
		return load_error(l, place_of(l, item), "The macro is too large");
	d->cond.text = slice_of(text);
	d->cond.is_plain = d->cond.is_literal = false;
	d->visibility = l->next_index++;
}

static void add_macro(struct loader *l, const struct ynode *item)
{
	static const char *const known[] = { "macro", "condition", "append", "override" };
	static const char *const names[] = { "condition" };
	static const struct override_keys keys = { names, 1, 1, 1 };
	struct overrides o = { 0 };
	struct slice name;
	struct cond_text cond;

	load_unknown_keys(l, item, known, ARRAY_LEN(known));
	if (!load_text(l, item, "macro", &name) || !load_cond(l, item, &cond) ||
	    !load_overrides(l, item, &keys, &o))
		return;
	warn_name(l, item, "Macro", name);
	struct def_macro *d = load_find_macro(l, name);
	if (o.append || o.append_key)
		return append_macro(l, item, d, &cond);
	count_in_file(l, d ? &d->at : NULL, &l->in_file.macros);
	if (!d) {
		struct def_macro *all = load_grow(l, l->macros, sizeof(*all), l->macro_count, &l->macro_size);

		if (!all || l->macro_count == LOAD_DEFS_MAX)
			return load_error(l, place_of(l, item), "The rules are too large");
		l->macros = all;
		d = &l->macros[l->macro_count++];
		d->index = l->next_index;
	}
	*d = (struct def_macro){ .name = name, .cond = cond, .at = place_of(l, item), .index = d->index,
				 .visibility = l->next_index++ };
}

/* ---- items ---- */

static void add_item(struct loader *l, const struct ynode *item)
{
	static const struct {
		const char *key;
		void (*add)(struct loader *l, const struct ynode *item);
	} kinds[] = { { "required_engine_version", load_engine_version },
		      { "required_plugin_versions", load_plugin_versions },
		      { "macro", add_macro },
		      { "list", add_list },
		      { "rule", load_rule } };

	if (item->kind != YNODE_MAP)
		return load_error(l, place_of(l, item),
				  "Unexpected element type. Each element should be a yaml associative array.");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (ynode_get(item, kinds[i].key))
			return kinds[i].add(l, item);
	load_warn(l, place_of(l, item), "Unknown top level item");
}

/* Room in the report for one more file; its counts are filled by the caller. */
static struct rules_file_count *add_file(struct loader *l)
{
	struct rules_report *r = l->report;
	struct rules_file_count *all = arena_zalloc(r->arena, r->file_count + 1, sizeof(*all));

	if (!all)
		return NULL;
	if (r->file_count)
		memcpy(all, r->files, r->file_count * sizeof(*all));
	r->files = all;
	all[r->file_count].file = arena_dup(r->arena, slice_of(l->file));
	return all[r->file_count].file ? &all[r->file_count++] : NULL;
}

static void add_items(struct loader *l, struct slice text)
{
	struct ynode **docs = NULL;
	size_t count = 0;
	unsigned line, column;
	struct err err = { 0 };

	if (ynode_parse(l->arena, text, &docs, &count, &line, &column, &err) < 0)
		return load_error(l, (struct place){ l->file, line, column }, "Could not load YAML file: %s",
				  err.msg);
	for (size_t i = 0; i < count; i++) {
		const struct ynode *doc = docs[i];

		if (doc->kind == YNODE_NULL)
			continue;
		if (doc->kind != YNODE_SEQUENCE) {
			load_error(l, place_of(l, doc), doc->kind == YNODE_MAP ?
								"Rules content is not yaml array of objects" :
								"Rules content is not yaml");
			continue;
		}
		for (size_t k = 0; k < doc->count; k++)
			add_item(l, doc->items[k]);
	}
}

void loader_add(struct loader *l, const char *file, struct slice text)
{
	l->file = arena_dup(l->arena, slice_of(file));
	if (!l->file)
		l->file = "";
	l->hash = (l->hash ^ slice_hash(text)) * 0x100000001b3ULL;
	l->in_file = (struct rules_file_count){ 0 };
	struct rules_file_count *count = add_file(l);
	add_items(l, text);
	if (!count)
		return;
	count->rules = l->in_file.rules;
	count->macros = l->in_file.macros;
	count->lists = l->in_file.lists;
}
