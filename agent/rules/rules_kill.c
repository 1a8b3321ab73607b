/* rules_kill.c - rules that the kernel can decide at an exec, exactly: see struct filter_kill. */
#include <errno.h>

#include "agent/rules/rules_priv.h"

struct kill {
	struct filter_kill k;
	bool is_exec;	/* evt.type says so */
	bool has_comms; /* said once already; so for exes, where */
	bool has_exes;
	struct arena *a;
};

static bool is_value(const struct cond *c, const char *text)
{
	const struct cond *right = c->child->next;

	return right && right->kind == COND_VALUE && slice_is(right->text, text);
}

static size_t count_values(const struct cond *c)
{
	const struct cond *right = c->child->next;
	size_t n = 0;

	if (!right || (right->kind != COND_VALUE && right->kind != COND_LIST))
		return 0;
	for (const struct cond *v = right->kind == COND_LIST ? right->child : right; v;
	     v = right->kind == COND_LIST ? v->next : NULL)
		n++;
	return n;
}

static const struct cond *value(const struct cond *c)
{
	return c->child->next->kind == COND_LIST ? c->child->next->child : c->child->next;
}

static bool is_equality(const struct cond *c)
{
	return !c->mod && (c->op == OP_EQ || c->op == OP_EQ2 || c->op == OP_IN);
}

static bool add_type(struct kill *k, const struct cond *c)
{
	const struct cond *v = count_values(c) && is_equality(c) ? value(c) : NULL;

	for (size_t n = v ? count_values(c) : 0; n && !k->is_exec; n--, v = v->next)
		k->is_exec = slice_is(v->text, "execve");
	return k->is_exec;
}

/* A constant longer than a comm never is one. */
static bool add_comms(struct kill *k, const struct cond *c)
{
	size_t count = count_values(c);
	const char **all = is_equality(c) && count && !k->has_comms ?
				   arena_zalloc(k->a, count, sizeof(char *)) :
				   NULL;
	if (!all)
		return false;
	for (const struct cond *v = value(c); count; count--, v = v->next) {
		char *text = v->text.n <= FILTER_COMM_MAX && v->text.n ? arena_dup(k->a, v->text) : NULL;

		if (text)
			all[k->k.comm_count++] = text;
	}
	k->k.comms = all;
	k->has_comms = true;
	return k->k.comm_count;
}

static bool add_exes(struct kill *k, const struct cond *c)
{
	size_t count = count_values(c);
	bool is_prefix = c->op == OP_STARTSWITH && (!c->mod || c->mod == MOD_ANYOF);
	struct filter_text *all = (is_prefix || is_equality(c)) && count && !k->has_exes ?
					  arena_zalloc(k->a, count, sizeof(*all)) :
					  NULL;
	if (!all)
		return false;
	for (const struct cond *v = value(c); count; count--, v = v->next) {
		char *text = v->text.n ? arena_dup(k->a, v->text) : NULL;

		if (!text)
			return false;
		all[k->k.exe_count++] = (struct filter_text){ is_prefix ? FILTER_PREFIX : FILTER_EXACT,
							      { text, v->text.n } };
	}
	k->k.exes = all;
	k->has_exes = true;
	return true;
}

static bool add_check(struct kill *k, const struct cond *c)
{
	if (c->child->kind != COND_FIELD || c->child->has_arg)
		return false;
	struct slice field = c->child->text;
	bool is_true = is_equality(c) && (is_value(c, "true") || is_value(c, "1"));

	if (slice_is(field, "evt.type"))
		return add_type(k, c);
	if (slice_is(field, "proc.name"))
		return add_comms(k, c);
	if (slice_is(field, "proc.exepath"))
		return add_exes(k, c);
	if (slice_is(field, "container.id") && c->op == OP_NE && !c->mod && is_value(c, "host")) {
		k->k.where = FILTER_CONTAINER;
		return true;
	}
	if (slice_is(field, "proc.is_exe_from_memfd") && is_true)
		return k->k.is_memfd = true;
	if (slice_is(field, "proc.is_exe_upper_layer") && is_true)
		return k->k.is_upper_layer = true;
	return false;
}

/* A conjunction of what a row can say, and of nothing else. */
static bool add(struct kill *k, const struct cond *c)
{
	if (c->kind == COND_MACRO)
		return c->child && add(k, c->child);
	if (c->kind == COND_CHECK)
		return add_check(k, c);
	if (c->kind != COND_AND)
		return c->kind == COND_OR && !c->child->next && add(k, c->child);
	for (const struct cond *x = c->child; x; x = x->next)
		if (!add(k, x))
			return false;
	return true;
}

bool kill_of(struct arena *a, const struct cond *c, const char *rule, bool *ret_may, struct filter_kill *ret)
{
	struct kill k = { .a = a, .k = { .rule = rule, .where = FILTER_ANYWHERE } };

	*ret_may = add(&k, c) && k.is_exec &&
		   (k.has_comms || k.has_exes || k.k.is_memfd || k.k.is_upper_layer);
	*ret = k.k;
	return true;
}

int rules_filter_kill(const struct rules *r, const char *rule, struct filter *f, struct err *err)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct rule *x = &r->all[i];

		if (!x->enabled || strcmp(x->name, rule) != 0)
			continue;
		if (!x->may_kill)
			return 0;
		if (f->kill_count == FILTER_KILLS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d rules kill in the kernel", FILTER_KILLS_MAX);
		struct filter_kill *k = &f->kills[f->kill_count];
		const char **comms = arena_zalloc(f->arena, x->kill.comm_count + 1, sizeof(char *));
		struct filter_text *exes = arena_zalloc(f->arena, x->kill.exe_count + 1, sizeof(*exes));
		bool ok = comms && exes;

		*k = x->kill;
		for (size_t n = 0; n < k->comm_count && ok; n++)
			ok = (comms[n] = arena_dup(f->arena, slice_of(x->kill.comms[n]))) != NULL;
		for (size_t n = 0; n < k->exe_count && ok; n++) {
			exes[n] = x->kill.exes[n];
			ok = (exes[n].text.p = arena_dup(f->arena, exes[n].text)) != NULL;
		}
		k->comms = comms;
		k->exes = exes;
		k->rule = arena_dup(f->arena, slice_of(rule));
		if (!ok || !k->rule)
			return err_set(err, ENOMEM, "keep a kill row");
		f->kill_count++;
		return 1;
	}
	return 0;
}
