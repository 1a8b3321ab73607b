/* judge_ports.c - port_access and the engine's networks: what a container publishes, and where it is connected. */
#include "common/policy/policy_priv.h"

static unsigned width(const struct policy_entry *e)
{
	return (unsigned)e->port.to - e->port.from;
}

/* The narrowest range decides; of equal ones the restriction. */
static const struct policy_entry *restriction(const struct view *v, uint16_t port, bool *ret_is_other)
{
	const struct policy_entry *a = policy_value_port(v->v[KEY_ALLOWED_PORTS], port);
	const struct policy_entry *d = policy_value_port(v->v[KEY_RESTRICTED_PORTS], port);

	*ret_is_other = v->v[KEY_ALLOWED_PORTS]->is_set && !a && !d;
	return d && (!a || width(d) <= width(a)) ? d : NULL;
}

static const char *shown_port(struct judge *j, uint16_t port, const char *protocol)
{
	const char *text = arena_printf(j->v.arena, "%u/%s", port, policy_text(protocol)[0] ? protocol : "tcp");

	if (!text)
		j->is_failed = true;
	return policy_text(text);
}

static void judge_port(struct judge *j, const struct policy_port *p)
{
	const struct policy_value *yes = j->v.v[KEY_ALLOWED_PORTS], *no = j->v.v[KEY_RESTRICTED_PORTS];
	uint16_t number = p->host_port ? p->host_port : p->port;
	const char *shown = shown_port(j, number, p->protocol), *ip = policy_text(p->host_ip);
	const struct policy_entry *d;
	bool is_other;

	if (p->host_port) {
		d = restriction(&j->v, p->host_port, &is_other);
		if (d)
			judge_deny(j, &(struct policy_told){ .rule = RULE_RESTRICTED_PORT, .value = no, .entry = d, .a = shown, .b = d->text,
							     .n = number });
		else if (is_other)
			judge_deny(j, &(struct policy_told){ .rule = RULE_OTHER_PORT, .value = yes, .a = shown, .n = number });
	} else if (yes->is_set) {
		judge_deny(j, &(struct policy_told){ .rule = RULE_CHOSEN_PORT, .value = yes, .a = shown, .n = number });
	}
	/* ssh behind 2222 is ssh all the same. */
	d = p->port && p->port != p->host_port ? restriction(&j->v, p->port, &is_other) : NULL;
	if (d)
		judge_deny(j, &(struct policy_told){ .rule = RULE_RESTRICTED_INNER_PORT, .value = no, .entry = d,
						     .a = shown_port(j, p->port, p->protocol), .b = d->text, .n = p->port });
	if (view_is_on(&j->v, KEY_DENY_ALL_INTERFACES) && (!ip[0] || !strcmp(ip, "0.0.0.0") || !strcmp(ip, "::")))
		judge_deny(j, &(struct policy_told){ .rule = RULE_ALL_INTERFACES, .value = j->v.v[KEY_DENY_ALL_INTERFACES], .a = shown,
						     .n = number });
}

void judge_ports(struct judge *j)
{
	const struct policy_workload *w = j->v.w;

	for (size_t i = 0; i < w->port_count; i++)
		if (w->ports[i].host_port || w->ports[i].is_published)
			judge_port(j, &w->ports[i]);
	if (!w->is_publish_all)
		return;
	if (j->v.v[KEY_ALLOWED_PORTS]->is_set)
		judge_deny(j, &(struct policy_told){ .rule = RULE_CHOSEN_PORT, .value = j->v.v[KEY_ALLOWED_PORTS], .a = "every exposed port" });
	if (view_is_on(&j->v, KEY_DENY_ALL_INTERFACES))
		judge_deny(j, &(struct policy_told){ .rule = RULE_ALL_INTERFACES, .value = j->v.v[KEY_DENY_ALL_INTERFACES], .a = "(each exposed)" });
}

/* ---- what it may listen on ---- */

static bool is_excepted(const struct view *v, uint16_t port)
{
	for (size_t i = 0; i < v->p->exception_count; i++) {
		const struct policy_exception *x = &v->p->exceptions[i];
		unsigned score;

		for (size_t k = 0; k < x->allow_count; k++) {
			const struct policy_allow *al = &x->allow[k];
			bool is_port = al->word == WORD_PORTS || al->rule == RULE_RESTRICTED_PORT || al->rule == RULE_OTHER_PORT;

			if (is_port && (!al->only.is_set || policy_value_port(&al->only, port)) &&
			    policy_exception_holds(x, v->now_unix_s) && view_matches(v, &x->match, &score))
				return true;
		}
	}
	return false;
}

enum { SCRATCH_MAX = 4 << 20 };

bool policy_may_listen(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s, uint16_t port,
		       const char **ret_rule)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(SCRATCH_MAX);
	const struct policy_entry *d;
	bool is_other;
	struct view v;

	if (ret_rule)
		*ret_rule = "";
	/* Without memory nothing can be looked up: refused, as the lists were written to refuse. */
	if (!a || view_init(&v, p, w, now_unix_s, a, NULL) < 0)
		return false;
	if (!port || v.mode[POLICY_PORT] == POLICY_OFF)
		return true;
	d = restriction(&v, port, &is_other);
	if ((!d && !is_other) || is_excepted(&v, port))
		return true;
	if (ret_rule)
		*ret_rule = policy_rules[d ? RULE_RESTRICTED_PORT : RULE_OTHER_PORT].number;
	return false;
}

struct range {
	struct policy_port_range r;
	enum { DEFAULT, ALLOWED, RESTRICTED, EXCEPTED } order; /* of equal width */
};

static int wider_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	unsigned wx = (unsigned)x->r.to - x->r.from, wy = (unsigned)y->r.to - y->r.from;

	if ((x->order == EXCEPTED) != (y->order == EXCEPTED))
		return x->order == EXCEPTED ? 1 : -1;
	if (wx != wy)
		return wx > wy ? -1 : 1;
	return (int)x->order - (int)y->order;
}

struct ranges {
	struct range *v;
	size_t count, size;
};

static void put(struct ranges *rs, uint16_t from, uint16_t to, bool is_denied, const char *rule, int order)
{
	if (rs->count < rs->size)
		rs->v[rs->count++] = (struct range){ { from, to, is_denied, rule }, (unsigned)order };
}

static void put_list(struct ranges *rs, const struct policy_value *v, bool is_denied, const char *rule, int order)
{
	for (size_t i = 0; i < v->count; i++)
		put(rs, v->entries[i].port.from, v->entries[i].port.to, is_denied, rule, order);
}

static size_t count_excepted(const struct view *v, struct ranges *rs)
{
	size_t count = 0;

	for (size_t i = 0; i < v->p->exception_count; i++) {
		const struct policy_exception *x = &v->p->exceptions[i];
		unsigned score;

		for (size_t k = 0; k < x->allow_count; k++) {
			const struct policy_allow *al = &x->allow[k];
			bool is_port = al->word == WORD_PORTS || al->rule == RULE_RESTRICTED_PORT || al->rule == RULE_OTHER_PORT;

			if (!is_port || !policy_exception_holds(x, v->now_unix_s) || !view_matches(v, &x->match, &score))
				continue;
			count += al->only.is_set ? al->only.count : 1;
			if (rs && al->only.is_set)
				put_list(rs, &al->only, false, "", EXCEPTED);
			else if (rs)
				put(rs, 1, 65535, false, "", EXCEPTED);
		}
	}
	return count;
}

void policy_each_port(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
		      void (*fn)(void *arg, const struct policy_port_range *r), void *arg)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(SCRATCH_MAX * 4);
	struct ranges rs = { 0 };
	struct view v;

	if (!a || view_init(&v, p, w, now_unix_s, a, NULL) < 0) {
		fn(arg, &(struct policy_port_range){ 1, 65535, true, policy_rules[RULE_OTHER_PORT].number });
		return;
	}
	const struct policy_value *yes = v.v[KEY_ALLOWED_PORTS], *no = v.v[KEY_RESTRICTED_PORTS];
	if (v.mode[POLICY_PORT] == POLICY_OFF || (!yes->is_set && !no->count))
		return;
	rs.size = yes->count + no->count + 1 + count_excepted(&v, NULL);
	rs.v = arena_zalloc(a, rs.size, sizeof(*rs.v));
	if (!rs.v) {
		fn(arg, &(struct policy_port_range){ 1, 65535, true, policy_rules[RULE_OTHER_PORT].number });
		return;
	}
	if (yes->is_set)
		put(&rs, 1, 65535, true, policy_rules[RULE_OTHER_PORT].number, DEFAULT);
	put_list(&rs, yes, false, "", ALLOWED);
	put_list(&rs, no, true, policy_rules[RULE_RESTRICTED_PORT].number, RESTRICTED);
	(void)count_excepted(&v, &rs);
	qsort(rs.v, rs.count, sizeof(*rs.v), wider_first);
	for (size_t i = 0; i < rs.count; i++)
		fn(arg, &rs.v[i].r);
}
