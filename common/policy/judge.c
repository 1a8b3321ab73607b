/* judge.c - the verdict: every section asked, each denial with its reason, its place and the exception that lets it pass. */
#include <errno.h>

#include "common/policy/policy_priv.h"
#include "common/show.h"

enum { SHOWN_CHARS = 160, REASON_MAX = 2048, SCRATCH_MAX = 4 << 20 };

/* ---- exceptions ---- */

static bool holds_for_mount(const struct policy_value *only, const char *path)
{
	for (size_t i = 0; i < only->count; i++)
		if (policy_path_is_under(path, only->entries[i].text))
			return true;
	return false;
}

/* Does the list name what was denied? */
static bool is_in(const struct policy_value *only, enum policy_kind kind, const struct policy_told *t)
{
	switch (kind) {
	case POLICY_KIND_REPOSITORIES:
		return policy_value_repository(only, slice_of(t->a)) != NULL;
	case POLICY_KIND_NAMES:
		return policy_value_name(only, t->a) != NULL;
	case POLICY_KIND_CAPABILITIES:
		return t->n < CAPS_COUNT && (only->n >> t->n & 1);
	case POLICY_KIND_PORTS:
		return t->n && policy_value_port(only, (uint16_t)t->n);
	case POLICY_KIND_MOUNTS:
		return holds_for_mount(only, t->a);
	default:
		return false;
	}
}

static bool allow_holds(const struct policy_allow *al, const struct policy_told *t)
{
	const struct policy_rule_row *row = &policy_rules[t->rule];

	if (al->rule >= 0 ? al->rule != (int)t->rule : al->word != (int)row->word)
		return false;
	return !al->only.is_set || is_in(&al->only, policy_words[row->word].kind, t);
}

/* Asked once for each: a workload may be denied for many reasons, an exception match by many globs. */
static bool exception_matches(struct judge *j, size_t i)
{
	unsigned score;

	if (!j->matches)
		j->matches = arena_zalloc(j->v.arena, j->v.p->exception_count, 1);
	if (!j->matches) {
		j->is_failed = true;
		return false;
	}
	if (!j->matches[i])
		j->matches[i] = view_matches(&j->v, &j->v.p->exceptions[i].match, &score) ? 2 : 1;
	return j->matches[i] == 2;
}

/* *ret_ended: one that would have let it pass, had it not ended. */
static const struct policy_exception *find_exception(struct judge *j, const struct policy_told *t,
						     const struct policy_exception **ret_ended)
{
	for (size_t i = 0; i < j->v.p->exception_count; i++) {
		const struct policy_exception *x = &j->v.p->exceptions[i];
		bool allows = false;

		for (size_t k = 0; k < x->allow_count && !allows; k++)
			allows = allow_holds(&x->allow[k], t);
		if (!allows || !exception_matches(j, i))
			continue;
		if (policy_exception_holds(x, j->v.now_unix_s))
			return x;
		*ret_ended = x;
	}
	return NULL;
}

/* ---- denials ---- */

/* $1 and $2 of the row's text, made safe: containers' owners chose them. */
static const char *fill_in(struct judge *j, const char *text, const struct policy_told *t, const struct policy_exception *ended)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, REASON_MAX);
	for (; *text; text++) {
		if (*text != '$' || (text[1] != '1' && text[1] != '2')) {
			buf_add_char(&b, *text);
			continue;
		}
		text++;
		show_text(&b, slice_of(policy_text(*text == '1' ? t->a : t->b)), SHOWN_CHARS);
	}
	if (ended)
		buf_printf(&b, " (the exception at %u:%u ended %s)", ended->line, ended->column, ended->until);
	return arena_dup(j->v.arena, buf_slice(&b));
}

static struct policy_denial *add(struct judge *j)
{
	if (j->count == j->size) {
		size_t size = j->size ? j->size * 2 : 8;
		struct policy_denial *wider = arena_zalloc(j->v.arena, size, sizeof(*wider));

		if (!wider) {
			j->is_failed = true;
			return NULL;
		}
		if (j->count)
			memcpy(wider, j->denials, j->count * sizeof(*wider));
		j->denials = wider;
		j->size = size;
	}
	return &j->denials[j->count++];
}

void judge_deny(struct judge *j, const struct policy_told *t)
{
	const struct policy_rule_row *row = &policy_rules[t->rule];
	const struct policy_exception *ended = NULL, *x = find_exception(j, t, &ended);
	bool is_enforced = j->v.mode[row->section] == POLICY_ENFORCE;

	j->is_denied = j->is_denied || (is_enforced && !x);
	if (j->is_failed || j->count == POLICY_DENIALS_MAX)
		return;
	struct policy_denial *d = add(j);
	if (!d)
		return;
	*d = (struct policy_denial){
		.rule = row->number,
		.section = row->section,
		.reason = fill_in(j, row->reason, t, ended),
		.way_out = fill_in(j, row->way_out, t, NULL),
		.line = t->entry ? t->entry->line : t->value->line,
		.column = t->entry ? t->entry->column : t->value->column,
		.is_enforced = is_enforced,
		.exception = x ? x->reason : "",
	};
	if (!d->reason || !d->way_out)
		j->is_failed = true;
}

void judge_name(struct judge *j, const char *name, enum policy_key allowed, enum policy_key denied,
		enum policy_rule rule_denied, enum policy_rule rule_other, bool *ret_is_named)
{
	const struct policy_value *yes = j->v.v[allowed], *no = j->v.v[denied];
	const struct policy_entry *a = policy_value_name(yes, name), *d = policy_value_name(no, name);
	unsigned score_a = 0, score_d = 0;

	for (const char *c = a ? a->text : ""; *c; c++)
		score_a += *c != '*' && *c != '?';
	for (const char *c = d ? d->text : ""; *c; c++)
		score_d += *c != '*' && *c != '?';
	*ret_is_named = a || d || yes->is_set;
	if (d && (!a || score_d >= score_a))
		judge_deny(j, &(struct policy_told){ .rule = rule_denied, .value = no, .entry = d, .a = name, .b = d->text });
	else if (yes->is_set && !a)
		judge_deny(j, &(struct policy_told){ .rule = rule_other, .value = yes, .a = name, .b = "is no allowed one" });
}

/* ---- everything ---- */

static void judge_sections(struct judge *j)
{
	enum policy_subject subject = j->v.w->subject;
	const enum policy_mode *mode = j->v.mode;

	if (mode[POLICY_IMAGE] != POLICY_OFF)
		judge_image(j);
	if (mode[POLICY_NETWORK] != POLICY_OFF && (subject == POLICY_CONTAINER || subject == POLICY_NETWORKS || subject == POLICY_BUILD))
		judge_networks(j);
	if (mode[POLICY_PORT] != POLICY_OFF && subject == POLICY_CONTAINER)
		judge_ports(j);
	if (mode[POLICY_RUNTIME] == POLICY_OFF)
		return;
	judge_runtime(j);
	if (subject == POLICY_CONTAINER || subject == POLICY_VOLUME)
		judge_mounts(j);
	if (subject == POLICY_CONTAINER || subject == POLICY_VOLUME)
		judge_devices(j);
}

int policy_judge(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s, struct arena *a,
		 struct policy_verdict *ret, struct err *err)
{
	struct judge j = { 0 };
	int r = view_init(&j.v, p, w, now_unix_s, a, err);

	if (r < 0)
		return r;
	judge_sections(&j);
	if (j.is_failed)
		return err_set(err, ENOMEM, "judge");
	*ret = (struct policy_verdict){ .is_allowed = !j.is_denied, .denials = j.denials, .count = j.count };
	return 0;
}

enum policy_mode policy_mode_strictest(const struct policy *p)
{
	int most = POLICY_OFF;

	for (size_t layer = 0; layer <= p->scope_count; layer++) {
		const int *mode = layer ? p->scopes[layer - 1].mode : p->general.mode;

		for (size_t s = 0; s < POLICY_SECTION_COUNT; s++)
			most = mode[s] > most ? mode[s] : most;
	}
	return (enum policy_mode)most;
}

static bool names_any(const struct policy *p, const int *keys, size_t count)
{
	for (size_t layer = 0; layer <= p->scope_count; layer++) {
		const struct policy_value *v = layer ? p->scopes[layer - 1].v : p->general.v;

		for (size_t i = 0; i < count; i++)
			if (v[keys[i]].is_set)
				return true;
	}
	return false;
}

enum policy_mode policy_mode_network(const struct policy *p)
{
	static const int addresses[] = { KEY_WHITELIST, KEY_BLACKLIST }, ports[] = { KEY_ALLOWED_PORTS, KEY_RESTRICTED_PORTS };
	bool has_addresses = names_any(p, addresses, ARRAY_LEN(addresses)), has_ports = names_any(p, ports, ARRAY_LEN(ports));
	int most = POLICY_OFF;

	for (size_t layer = 0; layer <= p->scope_count; layer++) {
		const int *mode = layer ? p->scopes[layer - 1].mode : p->general.mode;

		if (has_addresses && mode[POLICY_NETWORK] > most)
			most = mode[POLICY_NETWORK];
		if (has_ports && mode[POLICY_PORT] > most)
			most = mode[POLICY_PORT];
	}
	return (enum policy_mode)most;
}

enum policy_mode policy_mode_for(const struct policy *p, const struct policy_workload *w, enum policy_section s)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(SCRATCH_MAX);
	struct view v;

	if (!a || view_init(&v, p, w, 0, a, NULL) < 0)
		return policy_mode_of(p, s);
	return v.mode[s];
}
