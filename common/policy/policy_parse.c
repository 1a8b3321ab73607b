/* policy_parse.c - the shape of the file: access_control, scopes, exceptions, mode. */
#include <errno.h>
#include <openssl/sha.h>

#include "common/file.h"
#include "common/policy/policy_priv.h"
#include "common/text.h"

enum { ARENA_MAX = 256 << 20, REASON_MAX = 300 };

/* Fills count keys of a mapping by name: what there is else is unknown. */
struct shape {
	const char *name;
	const struct conf_node *key, *value;
};

static int read_shape(const struct policy_reader *r, const struct conf_node *map, const char *what, struct shape *shape,
		      size_t count)
{
	const char *names[16];

	if (map->kind != CONF_NODE_MAP)
		return policy_fail_kind(r, map, what, "a mapping");
	for (const struct conf_node *k = map->items; k; k = k->next->next) {
		size_t i = 0;

		while (i < count && !slice_is(k->text, shape[i].name))
			i++;
		if (i < count) {
			shape[i].key = k;
			shape[i].value = k->next;
			continue;
		}
		for (i = 0; i < count; i++)
			names[i] = shape[i].name;
		return policy_fail_unknown(r, k, "key", names, count);
	}
	return 0;
}

static int read_text(const struct policy_reader *r, const struct conf_node *n, const char *key, const char **ret)
{
	if (n->kind != CONF_NODE_SCALAR || !slice_trim(n->text).n || n->text.n > REASON_MAX || !text_is_clean(n->text))
		return policy_fail(r, n, "'%s' must be a text of 1 to %d bytes on one line", key, REASON_MAX);
	*ret = n->text.p;
	return 0;
}

/* ---- access_control ---- */

/* Sections are mappings whose keys may all be commented out. */
static int read_section(const struct policy_reader *r, const struct conf_node *n, enum policy_section s,
			struct policy_layer *layer)
{
	const char *names[KEY_COUNT], *elsewhere = NULL;
	size_t count = 0;

	if (n->kind == CONF_NODE_NULL)
		return 0;
	if (n->kind != CONF_NODE_MAP)
		return policy_fail(r, n, "'%s_access' must be a mapping", policy_section_names[s]);
	for (const struct conf_node *k = n->items; k; k = k->next->next) {
		size_t i = 0;

		while (i < KEY_COUNT && !(policy_keys[i].section == s && slice_is(k->text, policy_keys[i].name)))
			i++;
		if (i < KEY_COUNT) {
			int e = policy_value_read(r, k->next, policy_keys[i].name, policy_keys[i].kind, &layer->v[i]);

			if (e < 0)
				return e;
			continue;
		}
		for (i = 0; i < KEY_COUNT; i++) {
			if (policy_keys[i].section == s)
				names[count++] = policy_keys[i].name;
			else if (slice_is(k->text, policy_keys[i].name))
				elsewhere = policy_section_names[policy_keys[i].section];
		}
		if (elsewhere)
			return policy_fail(r, k, "'%s' belongs to %s_access", k->text.p, elsewhere);
		return policy_fail_unknown(r, k, "key", names, count);
	}
	return 0;
}

static int read_exceptions(const struct policy_reader *r, const struct conf_node *n);

/* exceptions: NULL where there are none (a scope). */
static int read_access(const struct policy_reader *r, const struct conf_node *n, struct policy_layer *layer, bool is_general)
{
	struct shape shape[] = { { "image_access" }, { "network_access" }, { "port_access" }, { "runtime_access" }, { "exceptions" } };
	int e;

	_Static_assert(ARRAY_LEN(shape) == POLICY_SECTION_COUNT + 1, "sections");
	if (n->kind == CONF_NODE_NULL)
		return 0;
	e = read_shape(r, n, "access_control", shape, ARRAY_LEN(shape));
	for (size_t i = 0; e >= 0 && i < POLICY_SECTION_COUNT; i++)
		if (shape[i].value)
			e = read_section(r, shape[i].value, (enum policy_section)i, layer);
	const struct shape *x = &shape[POLICY_SECTION_COUNT];
	if (e < 0 || !x->value)
		return e;
	if (!is_general)
		return policy_fail(r, x->key, "exceptions stand in the general access_control: they match by themselves");
	return read_exceptions(r, x->value);
}

/* ---- match ---- */

static int read_match(const struct policy_reader *r, const struct conf_node *n, const struct conf_node *of,
		      struct policy_match *ret)
{
	struct shape shape[] = { { "name" }, { "image" }, { "label" } };
	struct policy_texts *into[] = { &ret->name, &ret->image, &ret->label };

	if (!n)
		return policy_fail(r, of, "'match' is missing: {name: …, image: …, label: …}");
	int e = read_shape(r, n, "match", shape, ARRAY_LEN(shape));
	if (e >= 0 && !n->count)
		e = policy_fail(r, n, "'match' names nothing: it would hold for everything");
	for (size_t i = 0; e >= 0 && i < ARRAY_LEN(shape); i++)
		if (shape[i].value)
			e = policy_texts_read(r, shape[i].value, shape[i].name, into[i]);
	return e;
}

/* ---- mode ---- */

static int read_one_mode(const struct policy_reader *r, const struct conf_node *n, int *ret)
{
	if (n->kind != CONF_NODE_SCALAR)
		return policy_fail_kind(r, n, "mode", "off, monitor or enforce");
	for (int i = 0; i < (int)ARRAY_LEN(policy_mode_names); i++) {
		if (slice_is(n->text, policy_mode_names[i])) {
			*ret = i;
			return 0;
		}
	}
	return policy_fail_unknown(r, n, "mode", policy_mode_names, ARRAY_LEN(policy_mode_names));
}

static int read_mode(const struct policy_reader *r, const struct conf_node *n, int mode[POLICY_SECTION_COUNT])
{
	struct shape shape[] = { { "image" }, { "network" }, { "port" }, { "runtime" } };
	int one = -1, e;

	if (n->kind == CONF_NODE_MAP) {
		e = read_shape(r, n, "mode", shape, ARRAY_LEN(shape));
		for (size_t i = 0; e >= 0 && i < ARRAY_LEN(shape); i++)
			if (shape[i].value)
				e = read_one_mode(r, shape[i].value, &mode[i]);
		return e;
	}
	e = read_one_mode(r, n, &one);
	for (size_t i = 0; e >= 0 && i < POLICY_SECTION_COUNT; i++)
		mode[i] = one;
	return e;
}

/* ---- scopes ---- */

static int read_scope(const struct policy_reader *r, const struct conf_node *n, struct policy_layer *ret)
{
	struct shape shape[] = { { "name" }, { "match" }, { "access_control" }, { "mode" } };
	int e = read_shape(r, n, "a scope", shape, ARRAY_LEN(shape));

	for (size_t i = 0; i < POLICY_SECTION_COUNT; i++)
		ret->mode[i] = -1;
	if (e >= 0 && shape[0].value)
		e = read_text(r, shape[0].value, "name", &ret->name);
	if (e >= 0)
		e = read_match(r, shape[1].value, n, &ret->match);
	if (e >= 0 && !shape[2].value && !shape[3].value)
		e = policy_fail(r, n, "a scope without access_control and mode changes nothing");
	if (e >= 0 && shape[2].value)
		e = read_access(r, shape[2].value, ret, false);
	if (e >= 0 && shape[3].value)
		e = read_mode(r, shape[3].value, ret->mode);
	return e;
}

static int check_list(const struct policy_reader *r, const struct conf_node *n, const char *key, size_t most)
{
	if (n->kind != CONF_NODE_LIST)
		return policy_fail_kind(r, n, key, "a list ([] for none)");
	if (n->count > most)
		return policy_fail(r, n, "'%s' has %zu entries, at most %zu are possible", key, n->count, most);
	return 0;
}

static int read_scopes(const struct policy_reader *r, const struct conf_node *n)
{
	struct policy *p = r->p;

	if (n->kind == CONF_NODE_NULL)
		return 0;
	int e = check_list(r, n, "scopes", POLICY_SCOPES_MAX);
	if (e < 0)
		return e;
	p->scopes = arena_zalloc(p->arena, n->count, sizeof(*p->scopes));
	if (!p->scopes)
		return policy_fail(r, n, "too large");
	for (const struct conf_node *i = n->items; e >= 0 && i; i = i->next) {
		p->scopes[p->scope_count].name = "";
		e = read_scope(r, i, &p->scopes[p->scope_count++]);
	}
	return e;
}

/* ---- exceptions ---- */

static int read_word(const struct policy_reader *r, const struct conf_node *n, const struct conf_node *only,
		     struct policy_allow *ret)
{
	const char *names[WORD_COUNT];

	*ret = (struct policy_allow){ .rule = -1, .word = -1 };
	if (n->kind != CONF_NODE_SCALAR)
		return policy_fail(r, n, "each of 'allow' must be a word, or {WORD: [what only]}");
	for (int i = 0; i < RULE_COUNT; i++)
		if (slice_is(n->text, policy_rules[i].number))
			ret->rule = i;
	for (int i = 0; i < WORD_COUNT; i++) {
		names[i] = policy_words[i].name;
		if (slice_is(n->text, names[i]))
			ret->word = i;
	}
	if (ret->rule < 0 && ret->word < 0)
		return policy_fail_unknown(r, n, "word", names, ARRAY_LEN(names));
	if (!only)
		return 0;
	int word = ret->word >= 0 ? ret->word : (int)policy_rules[ret->rule].word;
	if (policy_words[word].kind == POLICY_KIND_BOOL)
		return policy_fail(r, only, "'%s' takes no list", n->text.p);
	int e = policy_value_read(r, only, n->text.p, policy_words[word].kind, &ret->only);
	if (e >= 0 && !only->count)
		return policy_fail(r, only, "'%s' with an empty list allows nothing", n->text.p);
	return e;
}

static int read_allow(const struct policy_reader *r, const struct conf_node *n, struct policy_exception *x)
{
	int e = check_list(r, n, "allow", POLICY_LIST_MAX);

	if (e >= 0 && !n->count)
		e = policy_fail(r, n, "'allow' names nothing");
	if (e < 0)
		return e;
	x->allow = arena_zalloc(r->p->arena, n->count, sizeof(*x->allow));
	if (!x->allow)
		return policy_fail(r, n, "too large");
	for (const struct conf_node *i = n->items; e >= 0 && i; i = i->next) {
		bool is_map = i->kind == CONF_NODE_MAP && i->count == 1;

		e = read_word(r, is_map ? i->items : i, is_map ? i->items->next : NULL, &x->allow[x->allow_count++]);
	}
	return e;
}

/* A date (the whole day counts, in UTC) or a time. */
static int read_until(const struct policy_reader *r, const struct conf_node *n, struct policy_exception *x)
{
	char day[32];
	uint64_t ns;
	bool is_day = n->text.n == 10;

	snprintf(day, sizeof(day), "%.10sT00:00:00Z", n->text.p ? n->text.p : "");
	if (n->kind != CONF_NODE_SCALAR || !text_time_parse(is_day ? slice_of(day) : n->text, &ns))
		return policy_fail_kind(r, n, "until", "a date like 2027-01-31, or a time like 2027-01-31T18:00:00Z");
	x->until = n->text.p;
	x->until_unix_s = ns / 1000000000 + (is_day ? 86400 : 0);
	return 0;
}

static int read_exception(const struct policy_reader *r, const struct conf_node *n, struct policy_exception *x)
{
	struct shape shape[] = { { "match" }, { "allow" }, { "reason" }, { "until" }, { "who" } };

	*x = (struct policy_exception){ .reason = "", .who = "", .until = "", .line = n->line, .column = n->column };
	int e = read_shape(r, n, "an exception", shape, ARRAY_LEN(shape));
	if (e >= 0)
		e = read_match(r, shape[0].value, n, &x->match);
	if (e >= 0)
		e = shape[1].value ? read_allow(r, shape[1].value, x) : policy_fail(r, n, "'allow' is missing: what it lets pass");
	if (e >= 0)
		e = shape[2].value ? read_text(r, shape[2].value, "reason", &x->reason) :
				     policy_fail(r, n, "'reason' is missing: who reads this in a year wants to know");
	if (e >= 0 && shape[3].value)
		e = read_until(r, shape[3].value, x);
	if (e >= 0 && shape[4].value)
		e = read_text(r, shape[4].value, "who", &x->who);
	return e;
}

static int read_exceptions(const struct policy_reader *r, const struct conf_node *n)
{
	struct policy *p = r->p;

	if (n->kind == CONF_NODE_NULL)
		return 0;
	int e = check_list(r, n, "exceptions", POLICY_EXCEPTIONS_MAX);
	if (e < 0)
		return e;
	p->exceptions = arena_zalloc(p->arena, n->count, sizeof(*p->exceptions));
	if (!p->exceptions)
		return policy_fail(r, n, "too large");
	for (const struct conf_node *i = n->items; e >= 0 && i; i = i->next)
		e = read_exception(r, i, &p->exceptions[p->exception_count++]);
	return e;
}

/* ---- the file ---- */

static int read_root(const struct policy_reader *r, const struct conf_node *root)
{
	struct shape shape[] = { { "access_control" }, { "scopes" }, { "mode" } };
	int e = 0;

	if (!root || root->kind == CONF_NODE_NULL)
		return 0;
	e = read_shape(r, root, "the policy", shape, ARRAY_LEN(shape));
	if (e >= 0 && shape[0].value)
		e = read_access(r, shape[0].value, &r->p->general, true);
	if (e >= 0 && shape[1].value)
		e = read_scopes(r, shape[1].value);
	if (e >= 0 && shape[2].value)
		e = read_mode(r, shape[2].value, r->p->general.mode);
	return e;
}

static struct policy *new_policy(const char *name, struct slice text)
{
	struct arena *arena = arena_new(ARENA_MAX);
	struct policy *p = arena ? arena_zalloc(arena, 1, sizeof(*p)) : NULL;
	unsigned char hash[SHA256_DIGEST_LENGTH];

	if (p)
		p->name = arena_dup(arena, slice_of(name));
	if (!p || !p->name) {
		arena_free(arena);
		return NULL;
	}
	p->arena = arena;
	p->general.name = "";
	for (size_t i = 0; i < POLICY_SECTION_COUNT; i++)
		p->general.mode[i] = POLICY_MONITOR;
	SHA256((const unsigned char *)(text.n ? text.p : ""), text.n, hash);
	text_hex(hash, sizeof(hash), p->digest);
	return p;
}

int policy_parse(struct slice text, const char *name, struct policy **ret, struct err *err)
{
	CLEANUP(policy_freep) struct policy *p = new_policy(name, text);
	struct policy_reader r = { .p = p, .name = name, .err = err };
	struct conf_node *root = NULL;

	if (!p)
		return err_set(err, ENOMEM, "read '%s'", name);
	int e = conf_tree_parse(name, text, POLICY_NODES_MAX, p->arena, &root, err);
	if (e >= 0)
		e = read_root(&r, root);
	if (e < 0)
		return e;
	*ret = take_ptr(p);
	return 0;
}

int policy_load(const char *path, struct policy **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	int e = file_read(path, POLICY_TEXT_MAX, &text, err);

	if (e == -ERR_LIMIT)
		return err_set(err, ERR_SYNTAX, "%s:1:1: larger than 1 MiB", path);
	return e < 0 ? e : policy_parse(buf_slice(&text), path, ret, err);
}

void policy_free(struct policy *p)
{
	if (p)
		arena_free(p->arena);
}

const char *policy_name(const struct policy *p)
{
	return p->name;
}

const char *policy_digest(const struct policy *p)
{
	return p->digest;
}

enum policy_mode policy_mode_of(const struct policy *p, enum policy_section s)
{
	return (enum policy_mode)p->general.mode[s];
}
