/* judge_net.c - network_access: the engine's networks by name, addresses by the longest prefix. */
#include "common/policy/policy_priv.h"

enum { SCRATCH_MAX = 8 << 20 };

/* ---- networks of the engine ---- */

static void judge_network(struct judge *j, const char *name)
{
	bool is_named;

	judge_name(j, name, KEY_ALLOWED_NETWORKS, KEY_DENIED_NETWORKS, RULE_DENIED_NETWORK, RULE_OTHER_NETWORK, &is_named);
}

/* "" none: of another container, or no network at all. */
static const char *network_of_mode(const char *mode)
{
	if (!mode[0] || !strcmp(mode, "default"))
		return "bridge";
	return strcmp(mode, "none") && strncmp(mode, "container:", 10) ? mode : "";
}

void judge_networks(struct judge *j)
{
	const struct policy_workload *w = j->v.w;
	const char *of_mode = network_of_mode(policy_text(w->network_mode));
	bool is_told = w->subject == POLICY_NETWORKS;

	for (size_t i = 0; i < w->networks.count; i++) {
		judge_network(j, policy_text(w->networks.v[i]));
		is_told = is_told || !strcmp(policy_text(w->networks.v[i]), of_mode);
	}
	/* An inspected container lists the networks it is in; its mode only repeats one of them. */
	if (!is_told && of_mode[0] && (!w->networks.count || strcmp(of_mode, "bridge") != 0))
		judge_network(j, of_mode);
}

/* ---- addresses ---- */

struct reach {
	struct view v;
	const struct policy_value *yes, *no;
	struct policy_value only; /* what exceptions that hold let pass */
	bool is_off;	  /* nothing is refused */
	bool is_loopback_own; /* 127.0.0.0/8 never leaves its network namespace */
};

static const struct policy_address loopback4 = { { 127, 0, 0, 1 }, 32, false }, loopback4_net = { { 127 }, 8, false };
static const struct policy_address loopback6 = { { [15] = 1 }, 128, true };
static const struct policy_address any4 = { { 0 }, 32, false }, any6 = { { 0 }, 128, true };

static bool is_same(const struct policy_address *a, const struct policy_address *b)
{
	return a->bits == b->bits && a->is_v6 == b->is_v6 && !memcmp(a->bytes, b->bytes, 16);
}

static bool is_about_addresses(const struct policy_allow *al)
{
	return al->word == WORD_ADDRESSES || al->rule == RULE_DENIED_ADDRESS || al->rule == RULE_OTHER_ADDRESS;
}

/* What exceptions that hold say of addresses; into: nullable, else there is room. */
static size_t gather(struct reach *r, struct policy_entry *into)
{
	const struct policy *p = r->v.p;
	size_t count = 0;
	unsigned score;

	for (size_t i = 0; i < p->exception_count; i++) {
		const struct policy_exception *x = &p->exceptions[i];
		bool is_asked = false, matches = false;

		for (size_t k = 0; k < x->allow_count; k++) {
			const struct policy_value *only = &x->allow[k].only;

			if (!is_about_addresses(&x->allow[k]))
				continue;
			if (!is_asked)
				matches = policy_exception_holds(x, r->v.now_unix_s) && view_matches(&r->v, &x->match, &score);
			is_asked = true;
			if (!matches)
				break;
			r->is_off = r->is_off || !only->is_set;
			if (into && only->count)
				memcpy(into + count, only->entries, only->count * sizeof(*into));
			count += only->count;
		}
	}
	return count;
}

/* One list of all, so that each address is looked up once however many exceptions there are. */
static bool find_exceptions(struct reach *r)
{
	size_t count = gather(r, NULL);

	if (!count)
		return true;
	r->only.is_set = true;
	r->only.entries = arena_zalloc(r->v.arena, count, sizeof(*r->only.entries));
	if (!r->only.entries)
		return false;
	r->only.count = gather(r, r->only.entries);
	return policy_value_index(&r->only, r->v.arena, true);
}

static bool reach_init(struct reach *r, const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
		       struct arena *a)
{
	const char *mode = policy_text(w->real_network_mode)[0] ? w->real_network_mode : policy_text(w->network_mode);

	*r = (struct reach){ 0 };
	if (!a || view_init(&r->v, p, w, now_unix_s, a, NULL) < 0)
		return false;
	r->yes = r->v.v[KEY_WHITELIST];
	r->no = r->v.v[KEY_BLACKLIST];
	r->is_off = r->v.mode[POLICY_NETWORK] == POLICY_OFF || (!r->yes->is_set && !r->no->count);
	r->is_loopback_own = strcmp(mode, "host") != 0;
	return find_exceptions(r);
}

static bool is_excepted(const struct reach *r, const struct policy_address *a)
{
	return policy_value_address(&r->only, a) != NULL;
}

static bool is_loopback(const struct policy_address *a)
{
	return a->is_v6 ? is_same(a, &loopback6) : a->bytes[0] == 127;
}

/* RULE_COUNT: allowed. */
static enum policy_rule judge_address(const struct reach *r, const struct policy_address *address)
{
	/* To nowhere is to oneself: the kernel connects 0.0.0.0 to 127.0.0.1. */
	const struct policy_address *a = is_same(address, &any4) ? &loopback4 : is_same(address, &any6) ? &loopback6 : address;
	const struct policy_entry *yes, *no;
	int yes_bits = -1;

	if (r->is_off || is_excepted(r, a))
		return RULE_COUNT;
	yes = policy_value_address(r->yes, a);
	no = policy_value_address(r->no, a);
	if (yes)
		yes_bits = yes->prefix.bits;
	if (r->is_loopback_own && is_loopback(a) && yes_bits < (a->is_v6 ? 128 : 8))
		yes_bits = a->is_v6 ? 128 : 8;
	if (no && no->prefix.bits >= yes_bits)
		return RULE_DENIED_ADDRESS;
	return r->yes->is_set && yes_bits < 0 ? RULE_OTHER_ADDRESS : RULE_COUNT;
}

bool policy_may_reach(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
		      const uint8_t address[16], bool is_v6, const char **ret_rule)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	CLEANUP(arena_freep) struct arena *arena = arena_new(SCRATCH_MAX);
	struct policy_address a = { .bits = is_v6 ? 128 : 32, .is_v6 = is_v6 };
	enum policy_rule rule = RULE_OTHER_ADDRESS;
	struct reach r;

	memcpy(a.bytes, address, is_v6 ? 16 : 4);
	if (is_v6 && !memcmp(address, mapped, 12)) {
		a = (struct policy_address){ .bits = 32 };
		memcpy(a.bytes, address + 12, 4);
	}
	/* Without memory nothing can be looked up: refused, as the lists were written to refuse. */
	if (reach_init(&r, p, w, now_unix_s, arena))
		rule = judge_address(&r, &a);
	if (ret_rule)
		*ret_rule = rule == RULE_COUNT ? "" : policy_rules[rule].number;
	return rule == RULE_COUNT;
}

/* ---- for the kernel ---- */

struct telling {
	policy_prefix_fn fn;
	void *arg;
};

static void tell(const struct telling *t, const struct policy_address *a, const char *name, enum policy_rule rule)
{
	struct policy_prefix p = { .bits = a->bits, .is_v6 = a->is_v6, .is_denied = rule != RULE_COUNT, .name = name,
				   .rule = rule == RULE_COUNT ? "" : policy_rules[rule].number };

	memcpy(p.address, a->bytes, 16);
	t->fn(t->arg, &p);
}

static bool has_name(const struct policy_value *v, const char *name)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->entries[i].is_name && !strcmp(v->entries[i].text, name))
			return true;
	return false;
}

/* A list's entries, but for those that `over` has too, that an exception covers, and "nowhere". */
static void tell_list(const struct reach *r, const struct telling *t, const struct policy_value *v, const struct policy_value *over,
		      enum policy_rule rule)
{
	static const struct policy_address no_address = { 0 };

	for (size_t i = 0; i < v->count; i++) {
		const struct policy_entry *e = &v->entries[i];

		if (e->is_name) {
			if (!over || !has_name(over, e->text))
				tell(t, &no_address, e->text, rule);
			continue;
		}
		if (policy_value_prefix(v, &e->prefix) != e || (over && policy_value_prefix(over, &e->prefix)) ||
		    is_excepted(r, &e->prefix) || is_same(&e->prefix, &any4) || is_same(&e->prefix, &any6))
			continue;
		tell(t, &e->prefix, "", rule);
	}
}

/* Does a wider prefix of the exceptions hold it? */
static bool is_covered(const struct reach *r, const struct policy_address *a)
{
	struct policy_address wider = *a;

	if (!a->bits)
		return false;
	wider.bits--;
	return policy_value_address(&r->only, &wider) != NULL;
}

static void tell_exceptions(const struct reach *r, const struct telling *t)
{
	static const struct policy_address no_address = { 0 };

	for (size_t i = 0; i < r->only.count; i++) {
		const struct policy_entry *e = &r->only.entries[i];

		if (e->is_name)
			tell(t, &no_address, e->text, RULE_COUNT);
		else if (policy_value_prefix(&r->only, &e->prefix) == e && !is_covered(r, &e->prefix) &&
			 !is_same(&e->prefix, &any4) && !is_same(&e->prefix, &any6))
			tell(t, &e->prefix, "", RULE_COUNT);
	}
}

static void tell_default(const struct reach *r, const struct telling *t)
{
	const struct policy_address every[2] = { { .bits = 0 }, { .bits = 0, .is_v6 = true } };

	for (size_t i = 0; i < ARRAY_LEN(every); i++) {
		const struct policy_address *a = &every[i], *own = i ? &loopback6 : &loopback4_net;

		if (r->yes->is_set && !policy_value_prefix(r->yes, a) && !policy_value_prefix(r->no, a) && !is_excepted(r, a))
			tell(t, a, "", RULE_OTHER_ADDRESS);
		if (r->is_loopback_own && !policy_value_prefix(r->yes, own) && !policy_value_prefix(r->no, own) && !is_excepted(r, own))
			tell(t, own, "", RULE_COUNT);
	}
	tell(t, &any4, "", judge_address(r, &any4));
	tell(t, &any6, "", judge_address(r, &any6));
}

void policy_each_prefix(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
			policy_prefix_fn fn, void *arg)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(SCRATCH_MAX);
	const struct policy_address every[2] = { { .bits = 0 }, { .bits = 0, .is_v6 = true } };
	struct telling t = { fn, arg };
	struct reach r;

	if (!reach_init(&r, p, w, now_unix_s, arena)) {
		tell(&t, &every[0], "", RULE_OTHER_ADDRESS);
		tell(&t, &every[1], "", RULE_OTHER_ADDRESS);
		return;
	}
	if (r.is_off)
		return;
	tell_default(&r, &t);
	/* In this order who writes them down one by one is right too where a name leads to an address of the lists. */
	tell_list(&r, &t, r.yes, r.no, RULE_COUNT);
	tell_list(&r, &t, r.no, NULL, RULE_DENIED_ADDRESS);
	tell_exceptions(&r, &t);
}

/* ---- names of hosts ---- */

struct host_names {
	const char **v; /* NULL: counted only */
	size_t count;
};

static void gather_names(struct host_names *n, const struct policy_value *v)
{
	for (size_t i = 0; i < v->count; i++) {
		if (!v->entries[i].is_name)
			continue;
		if (n->v)
			n->v[n->count] = v->entries[i].text;
		n->count++;
	}
}

static void gather_all_names(struct host_names *n, const struct policy *p)
{
	n->count = 0;
	for (size_t layer = 0; layer <= p->scope_count; layer++) {
		const struct policy_layer *l = layer ? &p->scopes[layer - 1] : &p->general;

		gather_names(n, &l->v[KEY_WHITELIST]);
		gather_names(n, &l->v[KEY_BLACKLIST]);
	}
	for (size_t i = 0; i < p->exception_count; i++)
		for (size_t k = 0; k < p->exceptions[i].allow_count; k++)
			if (is_about_addresses(&p->exceptions[i].allow[k]))
				gather_names(n, &p->exceptions[i].allow[k].only);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void policy_each_host_name(const struct policy *p, void (*fn)(void *arg, const char *name), void *arg)
{
	struct host_names n = { 0 };

	gather_all_names(&n, p);
	CLEANUP(freep) const char **v = calloc(n.count + 1, sizeof(*v));
	if (!v)
		return;
	n.v = v;
	gather_all_names(&n, p);
	if (n.count)
		qsort(v, n.count, sizeof(*v), by_text);
	for (size_t i = 0; i < n.count; i++)
		if (!i || strcmp(v[i - 1], v[i]) != 0)
			fn(arg, v[i]);
}
