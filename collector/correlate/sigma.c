/* sigma.c - see sigma.h. */
#include "collector/correlate/sigma.h"

#include <stdarg.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/text.h"

enum { TITLE_MAX = 256, NAME_MAX_BYTES = 256, SHOWN_MAX = 80, WHAT_MAX = 200, WORDS_MAX = 64 };

static const char *const status_names[SIGMA_STATUS_COUNT] = { "",	      "stable",	    "test",
							       "experimental", "deprecated", "unsupported" };
static const char *const level_names[SIGMA_LEVEL_COUNT] = { "", "informational", "low", "medium", "high", "critical" };

const char *sigma_status_name(enum sigma_status s)
{
	return status_names[s];
}

const char *sigma_level_name(enum sigma_level l)
{
	return level_names[l];
}

const char *sigma_rule_label(const struct sigma_rule *r)
{
	return r->title[0] ? r->title : r->name[0] ? r->name : r->id;
}

bool sigma_rule_is(const struct sigma_rule *r, struct slice ref)
{
	return ref.n && (slice_is(ref, r->id) || slice_is(ref, r->name));
}

/* ---- what is wrong, and what is odd ---- */

int sigma_fail(const struct sigma_rule *r, const struct conf_node *at, struct err *err, const char *fmt, ...)
{
	char what[WHAT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(err, ERR_SYNTAX, "%s:%u:%u: %s", r->file, at ? at->line : r->line, at ? at->column : r->column,
		       what);
}

void sigma_note(struct sigma_notes *notes, const struct sigma_rule *rule, const struct conf_node *at, const char *fmt, ...)
{
	char what[WHAT_MAX];
	va_list ap;

	if (!notes)
		return;
	if (!notes->items)
		notes->items = arena_alloc(notes->arena, SIGMA_NOTES_MAX * sizeof(*notes->items));
	if (!notes->items || notes->count == SIGMA_NOTES_MAX) {
		notes->dropped++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* The rule may be gone when the note is read: its words are copied, where there is room. */
	const char *copy = arena_dup(notes->arena, slice_of(what));
	const char *label = rule ? arena_dup(notes->arena, slice_of(sigma_rule_label(rule))) : NULL;
	const char *file = rule ? arena_dup(notes->arena, slice_of(rule->file)) : NULL;
	if (!copy) {
		notes->dropped++;
		return;
	}
	notes->items[notes->count++] = (struct sigma_note){
		.line = at ? at->line : rule ? rule->line : 0,
		.column = at ? at->column : rule ? rule->column : 0,
		.file = file ? file : "",
		.rule = label && label[0] ? label : NULL,
		.what = copy,
	};
}

/* Of a file: escaped, for a message. */
static const char *shown(const struct conf_node *n, char dst[SHOWN_MAX])
{
	log_escape(n->text, dst, SHOWN_MAX);
	return dst;
}

static int no_room(const struct sigma_rule *r, struct err *err)
{
	return err_set(err, ERR_LIMIT, "%s:%u:%u: too large", r->file, r->line, r->column);
}

/* ---- reading nodes ---- */

const struct conf_node *sigma_get(const struct conf_node *map, const char *key)
{
	const struct conf_node *k = map && map->kind == CONF_NODE_MAP ? map->items : NULL;

	for (; k; k = k->next->next)
		if (slice_is(k->text, key))
			return k->next;
	return NULL;
}

static bool is_among(struct slice key, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_is(key, names[i]))
			return true;
	return false;
}

int sigma_check_keys(const struct sigma_rule *r, const struct conf_node *map, const char *const *names, size_t count,
		     const char *where, struct err *err)
{
	char text[SHOWN_MAX];

	for (const struct conf_node *k = map->items; k; k = k->next->next) {
		if (is_among(k->text, names, count))
			continue;
		const char *nearest = text_nearest(k->text, names, count);
		if (nearest)
			return sigma_fail(r, k, err, "unknown key '%s' in %s, did you mean '%s'?", shown(k, text), where,
					  nearest);
		return sigma_fail(r, k, err, "unknown key '%s' in %s", shown(k, text), where);
	}
	return 0;
}

int sigma_bool(const struct sigma_rule *r, const struct conf_node *at, bool *ret, struct err *err)
{
	static const char *const yes[] = { "true", "True", "TRUE", "yes", "on" };
	static const char *const no[] = { "false", "False", "FALSE", "no", "off" };
	bool is_word = at->kind == CONF_NODE_SCALAR && at->is_plain;

	if (is_word && is_among(at->text, yes, ARRAY_LEN(yes)))
		*ret = true;
	else if (is_word && is_among(at->text, no, ARRAY_LEN(no)))
		*ret = false;
	else
		return sigma_fail(r, at, err, "expected true or false");
	return 0;
}

int sigma_texts(const struct sigma_rule *r, const struct conf_node *at, struct arena *a, struct sigma_list *ret,
		struct err *err)
{
	const struct conf_node *n = at->kind == CONF_NODE_LIST ? at->items : at;
	size_t count = at->kind == CONF_NODE_LIST ? at->count : at->kind == CONF_NODE_NULL ? 0 : 1, i = 0;
	const char **items = arena_zalloc(a, count + 1, sizeof(*items));

	if (!items)
		return no_room(r, err);
	for (; count; n = n->next, count--) {
		if (n->kind == CONF_NODE_SCALAR)
			items[i++] = n->text.p;
		else if (n->kind != CONF_NODE_NULL) /* "- " and nothing behind it stands in public rules */
			return sigma_fail(r, n, err, "expected a text, or a list of texts");
	}
	*ret = (struct sigma_list){ items, i };
	return 0;
}

/* ---- the head of a rule ---- */

struct reader {
	struct arena *arena;
	struct sigma_rule *rule;
	struct sigma_notes *notes;
	struct err *err;
};

/* A text, numbers and dates included; null is "". */
static int read_text(struct reader *r, const struct conf_node *n, const char **ret, size_t max_bytes)
{
	if (n->kind == CONF_NODE_NULL)
		return 0;
	if (n->kind != CONF_NODE_SCALAR)
		return sigma_fail(r->rule, n, r->err, "expected a text");
	if (n->text.n > max_bytes)
		return sigma_fail(r->rule, n, r->err, "longer than %zu bytes", max_bytes);
	*ret = n->text.p;
	return 0;
}

static int read_title(struct reader *r, const struct conf_node *n)
{
	return read_text(r, n, &r->rule->title, TITLE_MAX);
}

static int read_id(struct reader *r, const struct conf_node *n)
{
	int e = read_text(r, n, &r->rule->id, NAME_MAX_BYTES);

	if (e >= 0 && r->rule->id[0] && !text_is_uuid(n->text))
		sigma_note(r->notes, r->rule, n, "the id is no UUID");
	return e;
}

static int read_name(struct reader *r, const struct conf_node *n)
{
	return read_text(r, n, &r->rule->name, NAME_MAX_BYTES);
}

static int read_description(struct reader *r, const struct conf_node *n)
{
	return read_text(r, n, &r->rule->description, SIGMA_FILE_BYTES);
}

/* "If there is more than one, they are separated by a comma": a list is taken, too. */
static int read_author(struct reader *r, const struct conf_node *n)
{
	struct sigma_list list;

	if (n->kind != CONF_NODE_LIST)
		return read_text(r, n, &r->rule->author, SIGMA_FILE_BYTES);
	int e = sigma_texts(r->rule, n, r->arena, &list, r->err);
	if (e < 0)
		return e;
	CLEANUP(buf_finip) struct buf all = { 0 };
	buf_init(&all, SIGMA_FILE_BYTES);
	for (size_t i = 0; i < list.count; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", list.items[i]);
	r->rule->author = all.failed ? NULL : arena_dup(r->arena, buf_slice(&all));
	return r->rule->author ? 0 : no_room(r->rule, r->err);
}

static int read_license(struct reader *r, const struct conf_node *n)
{
	return read_text(r, n, &r->rule->license, NAME_MAX_BYTES);
}

static int read_taxonomy(struct reader *r, const struct conf_node *n)
{
	int e = read_text(r, n, &r->rule->taxonomy, NAME_MAX_BYTES);

	if (e >= 0 && r->rule->taxonomy[0] && strcmp(r->rule->taxonomy, "sigma") != 0)
		sigma_note(r->notes, r->rule, n, "taxonomy: the fields are read as Sigma's own or picket's");
	return e;
}

static bool is_date(struct slice s)
{
	static const char form[] = "0000-00-00";

	if (s.n != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (form[i] == '0' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != '-' && s.p[i] != '/')
			return false;
	return true;
}

static int read_day(struct reader *r, const struct conf_node *n, const char **ret)
{
	int e = read_text(r, n, ret, NAME_MAX_BYTES);

	if (e >= 0 && n->kind == CONF_NODE_SCALAR && !is_date(n->text))
		sigma_note(r->notes, r->rule, n, "dates are written YYYY-MM-DD");
	return e;
}

static int read_date(struct reader *r, const struct conf_node *n)
{
	return read_day(r, n, &r->rule->date);
}

static int read_modified(struct reader *r, const struct conf_node *n)
{
	return read_day(r, n, &r->rule->modified);
}

/* One of names[1] ..; *ret: its index. */
static int read_word(struct reader *r, const struct conf_node *n, const char *const *names, size_t count, int *ret)
{
	char text[SHOWN_MAX];
	const char *word = "";
	int e = read_text(r, n, &word, SIGMA_FILE_BYTES);

	for (size_t i = 0; e >= 0 && i < count; i++)
		if (!strcmp(word, names[i])) {
			*ret = (int)i;
			return 0;
		}
	if (e < 0)
		return e;
	const char *nearest = text_nearest(n->text, names + 1, count - 1);
	return nearest ? sigma_fail(r->rule, n, r->err, "unknown '%s', did you mean '%s'?", shown(n, text), nearest) :
			 sigma_fail(r->rule, n, r->err, "unknown '%s'", shown(n, text));
}

static int read_status(struct reader *r, const struct conf_node *n)
{
	int i = 0, e = read_word(r, n, status_names, SIGMA_STATUS_COUNT, &i);

	r->rule->status = (enum sigma_status)i;
	return e;
}

static int read_level(struct reader *r, const struct conf_node *n)
{
	int i = 0, e = read_word(r, n, level_names, SIGMA_LEVEL_COUNT, &i);

	r->rule->level = (enum sigma_level)i;
	return e;
}

static int read_generate(struct reader *r, const struct conf_node *n)
{
	return sigma_bool(r->rule, n, &r->rule->is_generate, r->err);
}

static bool is_tag(const char *s)
{
	const char *dot = strchr(s, '.');

	return dot && dot != s && dot[1] && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static int read_tags(struct reader *r, const struct conf_node *n)
{
	int e = sigma_texts(r->rule, n, r->arena, &r->rule->tags, r->err);

	for (size_t i = 0; e >= 0 && i < r->rule->tags.count; i++)
		if (!is_tag(r->rule->tags.items[i])) {
			sigma_note(r->notes, r->rule, n, "tags are written namespace.tag in lower case");
			break;
		}
	return e;
}

static int read_references(struct reader *r, const struct conf_node *n)
{
	return sigma_texts(r->rule, n, r->arena, &r->rule->references, r->err);
}

static int read_falsepositives(struct reader *r, const struct conf_node *n)
{
	return sigma_texts(r->rule, n, r->arena, &r->rule->falsepositives, r->err);
}

static int read_fields(struct reader *r, const struct conf_node *n)
{
	return sigma_texts(r->rule, n, r->arena, &r->rule->fields, r->err);
}

static int read_scope(struct reader *r, const struct conf_node *n)
{
	return sigma_texts(r->rule, n, r->arena, &r->rule->scope, r->err);
}

static int read_related(struct reader *r, const struct conf_node *n)
{
	static const char *const names[] = { "id", "type" };
	static const char *const types[] = { "", "derived", "obsolete", "merged", "renamed", "similar" };
	int e = 0, type = 0;

	if (n->kind == CONF_NODE_NULL)
		return 0;
	if (n->kind != CONF_NODE_LIST)
		return sigma_fail(r->rule, n, r->err, "expected a list of {id, type}");
	struct sigma_related *all = arena_zalloc(r->arena, n->count + 1, sizeof(*all));
	if (!all)
		return no_room(r->rule, r->err);
	for (const struct conf_node *i = n->items; i; i = i->next) {
		struct sigma_related *one = &all[r->rule->related_count];
		const struct conf_node *id = sigma_get(i, "id"), *kind = sigma_get(i, "type");

		if (!id || !kind)
			return sigma_fail(r->rule, i, r->err, "expected {id, type}");
		e = sigma_check_keys(r->rule, i, names, ARRAY_LEN(names), "'related'", r->err);
		one->id = "";
		if (e >= 0)
			e = read_text(r, id, &one->id, NAME_MAX_BYTES);
		if (e >= 0)
			e = read_word(r, kind, types, ARRAY_LEN(types), &type);
		if (e < 0)
			return e;
		one->type = types[type];
		r->rule->related_count++;
	}
	r->rule->related = all;
	return 0;
}

/* Lower case, as Sigma writes log sources, so that comparing them is easy. */
static int read_source_word(struct reader *r, const struct conf_node *n, const char **ret)
{
	int e = read_text(r, n, ret, NAME_MAX_BYTES);

	for (const char *c = *ret; e >= 0 && *c; c++)
		if (*c >= 'A' && *c <= 'Z') {
			sigma_note(r->notes, r->rule, n, "log sources are written in lower case");
			break;
		}
	return e;
}

/* The specification allows further keys here, for people. */
static int read_logsource(struct reader *r, const struct conf_node *n)
{
	struct sigma_logsource *l = &r->rule->logsource;
	int e = 0;

	if (n->kind == CONF_NODE_NULL)
		return 0;
	if (n->kind != CONF_NODE_MAP)
		return sigma_fail(r->rule, n, r->err, "'logsource' must be a mapping");
	l->node = n;
	for (const struct conf_node *k = n->items; k && e >= 0; k = k->next->next) {
		if (slice_is(k->text, "category"))
			e = read_source_word(r, k->next, &l->category);
		else if (slice_is(k->text, "product"))
			e = read_source_word(r, k->next, &l->product);
		else if (slice_is(k->text, "service"))
			e = read_source_word(r, k->next, &l->service);
		else if (slice_is(k->text, "definition"))
			e = read_text(r, k->next, &l->definition, SIGMA_FILE_BYTES);
		else
			sigma_note(r->notes, r->rule, k, "a further key of 'logsource' is not looked at");
	}
	return e;
}

static int read_mapping(struct reader *r, const struct conf_node *n, const struct conf_node **ret, const char *what)
{
	if (n->kind != CONF_NODE_MAP || !n->count)
		return sigma_fail(r->rule, n, r->err, "'%s' must be a mapping", what);
	*ret = n;
	return 0;
}

static int read_detection(struct reader *r, const struct conf_node *n)
{
	return read_mapping(r, n, &r->rule->detection, "detection");
}

static int read_correlation(struct reader *r, const struct conf_node *n)
{
	return read_mapping(r, n, &r->rule->correlation, "correlation");
}

static int read_x(struct reader *r, const struct conf_node *n)
{
	return n->kind == CONF_NODE_NULL ? 0 : read_mapping(r, n, &r->rule->x, "x");
}

/* Of Sigma's, but it would change what a rule means without our doing it: refused in words. */
static int refuse_filter(struct reader *r, const struct conf_node *n)
{
	return sigma_fail(r->rule, n, r->err, "filters are not read here: write what they leave out into the rule");
}

static int refuse_action(struct reader *r, const struct conf_node *n)
{
	return sigma_fail(r->rule, n, r->err, "collections (action) were given up by Sigma: write each rule by itself");
}

/* What SigmaHQ's own tools keep beside a rule; of no meaning here. */
static int read_past(struct reader *r, const struct conf_node *n)
{
	return 0;
}

static const struct key {
	const char *name;
	int (*read)(struct reader *r, const struct conf_node *n);
} keys[] = {
	{ "title", read_title },
	{ "id", read_id },
	{ "name", read_name },
	{ "related", read_related },
	{ "taxonomy", read_taxonomy },
	{ "status", read_status },
	{ "description", read_description },
	{ "license", read_license },
	{ "references", read_references },
	{ "author", read_author },
	{ "date", read_date },
	{ "modified", read_modified },
	{ "logsource", read_logsource },
	{ "detection", read_detection },
	{ "correlation", read_correlation },
	{ "fields", read_fields },
	{ "falsepositives", read_falsepositives },
	{ "level", read_level },
	{ "tags", read_tags },
	{ "scope", read_scope },
	{ "generate", read_generate },
	{ "x", read_x },
	{ "filter", refuse_filter },
	{ "action", refuse_action },
	{ "regression_tests_path", read_past },
	{ "simulation", read_past },
};

static int check_known(struct reader *r, const struct conf_node *root)
{
	const char *names[ARRAY_LEN(keys)];

	_Static_assert(ARRAY_LEN(keys) <= WORDS_MAX, "a table that is walked for each key stays short");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		names[i] = keys[i].name;
	return sigma_check_keys(r->rule, root, names, ARRAY_LEN(names), "a rule (what is yours goes under 'x')", r->err);
}

/* Required, and what only one of the two kinds has. */
static int check_whole(struct reader *r, const struct conf_node *root)
{
	struct sigma_rule *rule = r->rule;

	if (!rule->detection && !rule->correlation)
		return sigma_fail(rule, NULL, r->err, "neither 'detection' nor 'correlation'");
	if (rule->detection && rule->correlation)
		return sigma_fail(rule, rule->correlation, r->err, "'detection' and 'correlation' in one document");
	if (!sigma_rule_label(rule)[0])
		return sigma_fail(rule, NULL, r->err, "a rule needs a title");
	if (!rule->title[0])
		sigma_note(r->notes, rule, NULL, "no title");
	if (rule->correlation && rule->logsource.node)
		sigma_note(r->notes, rule, rule->logsource.node, "of a correlation the logsource is that of its rules");
	if (rule->detection && !rule->logsource.node)
		sigma_note(r->notes, rule, NULL, "no logsource: it looks at every event");
	if (rule->detection && rule->is_generate)
		sigma_note(r->notes, rule, sigma_get(root, "generate"), "'generate' is for correlations");
	if (rule->level == SIGMA_LEVEL_NONE)
		sigma_note(r->notes, rule, NULL, "no level: medium is taken");
	return 0;
}

static int read_rule(struct reader *r, const struct conf_node *root)
{
	int e = 0;

	if (root->kind != CONF_NODE_MAP)
		return sigma_fail(r->rule, root, r->err, "a rule must be a mapping");
	e = check_known(r, root);
	for (size_t i = 0; i < ARRAY_LEN(keys) && e >= 0; i++) {
		const struct conf_node *n = sigma_get(root, keys[i].name);

		if (n)
			e = keys[i].read(r, n);
	}
	return e < 0 ? e : check_whole(r, root);
}

static struct sigma_rule empty_rule(const char *file, const struct conf_node *root)
{
	return (struct sigma_rule){
		.file = file,
		.line = root->line,
		.column = root->column,
		.title = "",
		.id = "",
		.name = "",
		.description = "",
		.author = "",
		.license = "",
		.taxonomy = "",
		.date = "",
		.modified = "",
		.logsource = { "", "", "", "", NULL },
	};
}

/* A reference must mean one rule. */
static int check_names(const struct sigma_file *f, const struct sigma_rule *rule, struct err *err)
{
	for (const struct sigma_rule *o = f->rules; o < rule; o++) {
		const char *both = sigma_rule_is(o, slice_of(rule->id))	 ? rule->id :
				   sigma_rule_is(o, slice_of(rule->name)) ? rule->name :
									    NULL;
		char text[SHOWN_MAX];

		if (!both)
			continue;
		log_escape(slice_of(both), text, sizeof(text));
		return sigma_fail(rule, NULL, err, "'%s' is the rule of line %u, too", text, o->line);
	}
	return 0;
}

int sigma_parse(const char *name, struct slice text, struct arena *a, struct sigma_file *ret, struct sigma_notes *notes,
		struct err *err)
{
	struct conf_node *root = NULL;
	struct sigma_file f = { .name = arena_dup(a, slice_of(name)) };
	struct reader r = { .arena = a, .notes = notes, .err = err };
	size_t count = 0;
	int e = conf_tree_parse_all(name, text, SIGMA_NODES_MAX, SIGMA_DOCUMENTS_MAX, a, &root, err);

	if (e < 0)
		return e;
	for (const struct conf_node *n = root; n; n = n->next)
		count++;
	f.rules = arena_zalloc(a, count + 1, sizeof(*f.rules));
	if (!f.rules || !f.name)
		return err_set(err, ERR_LIMIT, "%s:1:1: too large", name);
	for (const struct conf_node *n = root; n; n = n->next) {
		r.rule = &f.rules[f.count];
		*r.rule = empty_rule(f.name, n);
		e = read_rule(&r, n);
		if (e >= 0)
			e = check_names(&f, r.rule, err);
		if (e < 0)
			return e;
		f.count++;
	}
	*ret = f;
	return 0;
}
