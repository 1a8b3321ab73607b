/* rules_list.c - see rules_list.h. A rule says what it covers by its tags; one that names a tactic only
 * (mitre_execution) covers no technique, but its tactic is counted. */
#include "agent/rules/rules_list.h"

#include <ctype.h>

#include "common/json.h"

enum { MACROS_MAX = 2048 /* listed */ };

static const struct technique {
	const char *id, *name, *tactics; /* tactics: separated by blanks */
} techniques[] = {
#define TECHNIQUE(id, name, tactics) { id, name, tactics },
#include "agent/rules/mitre.def"
#undef TECHNIQUE
};
static const char *const tactics[] = { "initial-access",  "execution",	"persistence",	    "privilege-escalation",
				       "defense-evasion", "credential-access", "discovery", "lateral-movement",
				       "impact" };

/* ---- what a rule covers ---- */

static bool is_technique(const char *tag)
{
	size_t n = strlen(tag);

	if (n < 5 || (tag[0] != 'T' && tag[0] != 't'))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!isdigit((unsigned char)tag[i]) && !(i == 5 && tag[i] == '.'))
			return false;
	return n == 5 || n == 9;
}

static bool covers(const struct rules_info *r, const struct technique *t)
{
	for (size_t i = 0; i < r->tag_count; i++)
		if (is_technique(r->tags[i]) && !strncmp(r->tags[i] + 1, t->id + 1, 4))
			return true;
	return false;
}

/* mitre_credential_access is credential-access. */
static bool is_tactic(const char *tag, const char *tactic)
{
	static const char prefix[] = "mitre_";

	if (strncmp(tag, prefix, sizeof(prefix) - 1) != 0)
		return false;
	tag += sizeof(prefix) - 1;
	for (; *tag && *tactic; tag++, tactic++)
		if (*tag != *tactic && !(*tag == '_' && *tactic == '-'))
			return false;
	return !*tag && !*tactic;
}

static bool covers_tactic(const struct rules_info *r, const char *tactic)
{
	for (size_t i = 0; i < r->tag_count; i++)
		if (is_tactic(r->tags[i], tactic))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(techniques); i++)
		if (strstr(techniques[i].tactics, tactic) && covers(r, &techniques[i]))
			return true;
	return false;
}

/* Enabled rules alone cover something. */
struct coverage {
	size_t technique[ARRAY_LEN(techniques)], tactic[ARRAY_LEN(tactics)];
	size_t rules, enabled, untagged; /* untagged: enabled, and no technique among its tags */
};

static void count(void *arg, const struct rules_info *r)
{
	struct coverage *c = arg;
	bool has_technique = false;

	c->rules++;
	if (!r->enabled)
		return;
	c->enabled++;
	for (size_t i = 0; i < r->tag_count; i++)
		has_technique |= is_technique(r->tags[i]);
	c->untagged += !has_technique;
	for (size_t i = 0; i < ARRAY_LEN(techniques); i++)
		c->technique[i] += covers(r, &techniques[i]);
	for (size_t i = 0; i < ARRAY_LEN(tactics); i++)
		c->tactic[i] += covers_tactic(r, tactics[i]);
}

static size_t covered(const struct coverage *c)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(techniques); i++)
		n += c->technique[i] > 0;
	return n;
}

/* ---- text ---- */

static void join(struct buf *out, const char *const *all, size_t n, const char *none)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s", i ? "," : "", all[i]);
	if (!n)
		buf_add_str(out, none);
}

static void text_rule(void *arg, const struct rules_info *r)
{
	struct buf *out = arg;

	buf_printf(out, "%-13s %-3s  %s  [", rules_priority_name(r->priority), r->enabled ? "on" : "off", r->name);
	join(out, r->types, r->type_count, "any event");
	buf_add_str(out, "]  ");
	join(out, r->tags, r->tag_count, "-");
	buf_add_char(out, '\n');
}

void rules_list_text(const struct rules *r, struct buf *out)
{
	struct coverage c = { 0 };

	rules_each(r, count, &c);
	buf_printf(out, "%-13s %-3s  %s\n", "PRIORITY", "", "RULE  [EVENTS]  TAGS");
	rules_each(r, text_rule, out);
	buf_printf(out, "\n%zu rules, %zu of them on. MITRE ATT&CK for Containers: %zu of %zu techniques\n\n%-10s %5s  %-40s %s\n",
		   c.rules, c.enabled, covered(&c), ARRAY_LEN(techniques), "TECHNIQUE", "RULES", "NAME", "TACTICS");
	for (size_t i = 0; i < ARRAY_LEN(techniques); i++)
		buf_printf(out, "%-10s %5zu  %-40s %s\n", techniques[i].id, c.technique[i], techniques[i].name,
			   techniques[i].tactics);
	buf_printf(out, "\n%-24s %5s\n", "TACTIC", "RULES");
	for (size_t i = 0; i < ARRAY_LEN(tactics); i++)
		buf_printf(out, "%-24s %5zu\n", tactics[i], c.tactic[i]);
	if (c.untagged)
		buf_printf(out, "\n%zu rules that are on name no technique.\n", c.untagged);
}

/* ---- JSON ---- */

static void json_strings(struct json *j, const char *key, const char *const *all, size_t n)
{
	json_kv_array(j, key);
	for (size_t i = 0; i < n; i++)
		json_str(j, slice_of(all[i]));
	json_array_close(j);
}

static void json_rule(void *arg, const struct rules_info *r)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_str(j, "name", r->name);
	json_kv_str(j, "description", r->description);
	json_kv_str(j, "priority", rules_priority_name(r->priority));
	json_kv_bool(j, "enabled", r->enabled);
	json_kv_str(j, "source", r->source);
	json_kv_str(j, "file", r->file);
	json_kv_u64(j, "line", r->line);
	json_strings(j, "events", r->types, r->type_count);
	json_strings(j, "tags", r->tags, r->tag_count);
	json_strings(j, "macros", r->macros, r->macro_count);
	json_object_close(j);
}

struct one_technique {
	struct json *j;
	const struct technique *t;
};

static void json_covering(void *arg, const struct rules_info *r)
{
	const struct one_technique *one = arg;

	if (r->enabled && covers(r, one->t))
		json_str(one->j, slice_of(r->name));
}

static void json_technique(struct json *j, const struct rules *r, const struct technique *t)
{
	struct one_technique one = { j, t };
	struct slice rest = slice_of(t->tactics), tactic;

	json_object_open(j);
	json_kv_str(j, "id", t->id);
	json_kv_str(j, "name", t->name);
	json_kv_array(j, "tactics");
	while (slice_split(&rest, ' ', &tactic))
		json_str(j, tactic);
	json_array_close(j);
	json_kv_array(j, "rules");
	rules_each(r, json_covering, &one);
	json_array_close(j);
	json_object_close(j);
}

struct one_macro {
	const char *name;
	size_t rules;
	bool covers[ARRAY_LEN(techniques)];
};

static void count_macro(void *arg, const struct rules_info *r)
{
	struct one_macro *m = arg;
	bool is_used = false;

	for (size_t i = 0; i < r->macro_count && r->enabled; i++)
		is_used |= !strcmp(r->macros[i], m->name);
	m->rules += is_used;
	for (size_t i = 0; i < ARRAY_LEN(techniques) && is_used; i++)
		m->covers[i] |= covers(r, &techniques[i]);
}

static void json_macro(struct json *j, const struct rules *r, const char *name)
{
	struct one_macro m = { .name = name };

	rules_each(r, count_macro, &m);
	json_object_open(j);
	json_kv_str(j, "name", name);
	json_kv_u64(j, "rules", m.rules);
	json_kv_array(j, "techniques");
	for (size_t i = 0; i < ARRAY_LEN(techniques); i++)
		if (m.covers[i])
			json_str(j, slice_of(techniques[i].id));
	json_array_close(j);
	json_object_close(j);
}

/* Each macro's name once, in the order of the rules. */
struct macro_names {
	const char *names[MACROS_MAX];
	size_t n;
};

static void add_macros(void *arg, const struct rules_info *r)
{
	struct macro_names *all = arg;

	for (size_t i = 0; i < r->macro_count && r->enabled; i++) {
		bool is_known = all->n == MACROS_MAX;

		for (size_t k = 0; k < all->n && !is_known; k++)
			is_known = !strcmp(all->names[k], r->macros[i]);
		if (!is_known)
			all->names[all->n++] = r->macros[i];
	}
}

static void json_macros(struct json *j, const struct rules *r)
{
	struct macro_names all = { .n = 0 };

	rules_each(r, add_macros, &all);
	json_kv_array(j, "macros");
	for (size_t i = 0; i < all.n; i++)
		json_macro(j, r, all.names[i]);
	json_array_close(j);
}

void rules_list_json(const struct rules *r, struct buf *out)
{
	struct coverage c = { 0 };
	struct json j;

	rules_each(r, count, &c);
	json_init(&j, out);
	json_object_open(&j);
	json_kv_array(&j, "rules");
	rules_each(r, json_rule, &j);
	json_array_close(&j);
	json_kv_array(&j, "coverage");
	for (size_t i = 0; i < ARRAY_LEN(techniques); i++)
		json_technique(&j, r, &techniques[i]);
	json_array_close(&j);
	json_macros(&j, r);
	json_kv_object(&j, "tactics");
	for (size_t i = 0; i < ARRAY_LEN(tactics); i++)
		json_kv_u64(&j, tactics[i], c.tactic[i]);
	json_object_close(&j);
	json_kv_object(&j, "summary");
	json_kv_u64(&j, "rules", c.rules);
	json_kv_u64(&j, "enabled", c.enabled);
	json_kv_u64(&j, "techniques", ARRAY_LEN(techniques));
	json_kv_u64(&j, "covered", covered(&c));
	json_kv_u64(&j, "without_technique", c.untagged);
	json_object_close(&j);
	json_object_close(&j);
	buf_add_char(out, '\n');
}
