/* netpol_import.c - a NetworkPolicy of Kubernetes into a scope of policy.yaml.
 *
 * Kubernetes adds up what its blocks allow, ours lets the longest prefix decide and of equal ones the denial. So what a
 * block excepts goes to the blacklist only where no other block lets all of it through again: then both come to the
 * same for every address (by induction over the length of the prefix that decides). */
#include <errno.h>
#include <stdarg.h>

#include "agent/learn/netpol_priv.h"
#include "common/conf_tree.h"
#include "common/log.h"
#include "common/text.h"

enum { SHOWN_MAX = 80, MESSAGE_MAX = 160, REQUIREMENTS_MAX = 64, PORT_MAX = 65535 };

struct block {
	struct netpol_prefix cidr;
	size_t first, count; /* of its exceptions, in excepts */
};
enum operator { OP_IN, OP_NOT_IN, OP_EXISTS, OP_NOT_EXISTS };
struct requirement {
	enum operator op;
	struct slice key;
	const struct conf_node *values; /* scalars of a list, or one scalar */
	size_t value_count;
};
struct selector {
	struct requirement v[REQUIREMENTS_MAX];
	size_t count;
};
struct import {
	const char *name;
	const struct reach_input *in;
	struct arena *arena;
	struct buf *notes;
	struct err *err;
	struct netpol_prefixes blocks, excepts; /* blocks.v[i] goes with ranges[i] */
	struct block *ranges;
	size_t range_count, range_size;
};

static int fail(const struct import *m, const struct conf_node *n, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int fail(const struct import *m, const struct conf_node *n, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(m->err, ERR_SYNTAX, "%s:%u:%u: %s", m->name, n ? n->line : 1, n ? n->column : 1, text);
}

static void note(const struct import *m, const struct conf_node *n, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void note(const struct import *m, const struct conf_node *n, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(m->notes, "%s:%u:%u: %s\n", m->name, n->line, n->column, text);
}

static const char *show(struct slice s, char into[SHOWN_MAX])
{
	log_escape(s, into, SHOWN_MAX);
	return into;
}

/* ---- shapes ---- */

struct shape {
	const char *name;
	const struct conf_node *key, *value; /* value: NULL also where it says null */
};

static int read_shape(const struct import *m, const struct conf_node *map, const char *what, struct shape *shape, size_t count)
{
	const char *names[8];
	char shown[SHOWN_MAX];

	if (!map || map->kind != CONF_NODE_MAP)
		return fail(m, map, "%s must be a mapping", what);
	for (const struct conf_node *k = map->items; k; k = k->next->next) {
		size_t i = 0;

		while (i < count && !slice_is(k->text, shape[i].name))
			i++;
		if (i < count) {
			shape[i].key = k;
			shape[i].value = k->next->kind == CONF_NODE_NULL ? NULL : k->next;
			continue;
		}
		for (i = 0; i < count; i++)
			names[i] = shape[i].name;
		const char *near = text_nearest(k->text, names, count);
		return fail(m, k, "unknown key '%s' in %s%s%s%s", show(k->text, shown), what, near ? ", did you mean '" : "",
			    near ? near : "", near ? "'?" : "");
	}
	return 0;
}

static int check_list(const struct import *m, const struct conf_node *n, const char *what)
{
	return !n || n->kind == CONF_NODE_LIST ? 0 : fail(m, n, "'%s' must be a list", what);
}

static int check_text(const struct import *m, const struct conf_node *n, const char *what)
{
	return n->kind == CONF_NODE_SCALAR ? 0 : fail(m, n, "'%s' must be a text", what);
}

static int check_word(const struct import *m, const struct conf_node *of, const struct conf_node *n, const char *key, const char *want)
{
	char shown[SHOWN_MAX];

	if (!n)
		return fail(m, of, "'%s: %s' is missing", key, want);
	if (n->kind != CONF_NODE_SCALAR || !slice_is(n->text, want))
		return fail(m, n, "'%s' must be %s, not '%s'", key, want, n->kind == CONF_NODE_SCALAR ? show(n->text, shown) : "a list or mapping");
	return 0;
}

/* ---- selectors ---- */

static int add_requirement(const struct import *m, const struct conf_node *at, struct selector *s, const struct requirement *r)
{
	if (s->count == REQUIREMENTS_MAX)
		return fail(m, at, "more than %d requirements in one selector", REQUIREMENTS_MAX);
	s->v[s->count++] = *r;
	return 0;
}

static int check_value(const struct import *m, const struct conf_node *n)
{
	return n->kind == CONF_NODE_SCALAR && netpol_is_value(n->text) ? 0 : fail(m, n, "not the value of a label");
}

static int check_key(const struct import *m, const struct conf_node *n)
{
	return n->kind == CONF_NODE_SCALAR && netpol_is_key(n->text) ? 0 : fail(m, n, "not the key of a label");
}

static int read_labels(const struct import *m, const struct conf_node *n, struct selector *s)
{
	int r = n->kind == CONF_NODE_MAP ? 0 : fail(m, n, "'matchLabels' must be a mapping");

	if (r < 0)
		return r;
	for (const struct conf_node *k = n->items; r >= 0 && k; k = k->next->next) {
		struct requirement q = { OP_IN, k->text, k->next, 1 };

		r = check_key(m, k);
		if (r >= 0)
			r = check_value(m, k->next);
		if (r >= 0)
			r = add_requirement(m, k, s, &q);
	}
	return r;
}

static int read_expression(const struct import *m, const struct conf_node *n, struct selector *s)
{
	static const char *const operators[] = { "In", "NotIn", "Exists", "DoesNotExist" };
	struct shape shape[] = { { .name = "key" }, { .name = "operator" }, { .name = "values" } };
	size_t op = 0;

	int r = read_shape(m, n, "an expression", shape, ARRAY_LEN(shape));
	if (r < 0)
		return r;
	const struct conf_node *key = shape[0].value, *word = shape[1].value, *values = shape[2].value;
	if (!key || !word)
		return fail(m, n, "an expression needs key and operator");
	r = check_key(m, key);
	while (op < ARRAY_LEN(operators) && (word->kind != CONF_NODE_SCALAR || !slice_is(word->text, operators[op])))
		op++;
	if (r >= 0 && op == ARRAY_LEN(operators))
		r = fail(m, word, "'operator' is one of In, NotIn, Exists, DoesNotExist");
	if (r >= 0)
		r = check_list(m, values, "values");
	if (r < 0)
		return r;
	size_t count = values ? values->count : 0;
	if (op <= OP_NOT_IN && !count)
		return fail(m, n, "'%s' needs values", operators[op]);
	if (op > OP_NOT_IN && count)
		return fail(m, values, "'%s' has no values", operators[op]);
	for (const struct conf_node *v = count ? values->items : NULL; r >= 0 && v; v = v->next)
		r = check_value(m, v);
	struct requirement q = { (enum operator)op, key->text, count ? values->items : NULL, count };
	return r < 0 ? r : add_requirement(m, n, s, &q);
}

static int read_selector(const struct import *m, const struct conf_node *n, struct selector *ret)
{
	struct shape shape[] = { { .name = "matchLabels" }, { .name = "matchExpressions" } };

	ret->count = 0;
	int r = read_shape(m, n, "a selector", shape, ARRAY_LEN(shape));
	if (r >= 0 && shape[0].value)
		r = read_labels(m, shape[0].value, ret);
	if (r >= 0)
		r = check_list(m, shape[1].value, "matchExpressions");
	for (const struct conf_node *x = r >= 0 && shape[1].value ? shape[1].value->items : NULL; r >= 0 && x; x = x->next)
		r = read_expression(m, x, ret);
	return r;
}

static bool has_value(const struct requirement *q, struct slice value)
{
	const struct conf_node *v = q->values;

	for (size_t i = 0; i < q->value_count; i++, v = v->next)
		if (slice_eq(v->text, value))
			return true;
	return false;
}

static bool selects(const struct selector *s, const struct reach_container *c)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct requirement *q = &s->v[i];
		struct slice value;
		bool is_there = netpol_label(c, q->key, &value), is_met = false;

		switch (q->op) {
		case OP_IN:
			is_met = is_there && has_value(q, value);
			break;
		case OP_NOT_IN:
			is_met = !is_there || !has_value(q, value);
			break;
		case OP_EXISTS:
			is_met = is_there;
			break;
		case OP_NOT_EXISTS:
			is_met = !is_there;
			break;
		}
		if (!is_met)
			return false;
	}
	return true;
}

/* ---- peers ---- */

static int add_block(struct import *m, const struct netpol_prefix *cidr, size_t first)
{
	if (m->range_count == m->range_size) {
		size_t size = m->range_size ? m->range_size * 2 : 16;
		struct block *wider = arena_zalloc(m->arena, size, sizeof(*wider));

		if (!wider)
			return err_set(m->err, ENOMEM, "blocks");
		if (m->range_count)
			memcpy(wider, m->ranges, m->range_count * sizeof(*wider));
		m->ranges = wider;
		m->range_size = size;
	}
	m->ranges[m->range_count++] = (struct block){ *cidr, first, m->excepts.count - first };
	return netpol_prefixes_add(&m->blocks, cidr, m->arena, m->err);
}

static int read_cidr(const struct import *m, const struct conf_node *n, struct netpol_prefix *ret)
{
	if (n->kind != CONF_NODE_SCALAR || slice_find_char(n->text, '/') < 0 || !netpol_prefix_read(n->text, ret))
		return fail(m, n, "not a prefix (10.0.0.0/8)");
	return 0;
}

static int read_ip_block(struct import *m, const struct conf_node *n)
{
	struct shape shape[] = { { .name = "cidr" }, { .name = "except" } };
	size_t first = m->excepts.count;
	struct netpol_prefix cidr, except;

	int r = read_shape(m, n, "ipBlock", shape, ARRAY_LEN(shape));
	if (r >= 0 && !shape[0].value)
		r = fail(m, n, "'cidr' is missing");
	if (r >= 0)
		r = read_cidr(m, shape[0].value, &cidr);
	if (r >= 0)
		r = check_list(m, shape[1].value, "except");
	for (const struct conf_node *x = r >= 0 && shape[1].value ? shape[1].value->items : NULL; r >= 0 && x; x = x->next) {
		r = read_cidr(m, x, &except);
		if (r >= 0 && (!netpol_prefix_holds(&cidr, &except) || cidr.bits == except.bits))
			r = fail(m, x, "'except' must lie within 'cidr', and be smaller");
		if (r >= 0)
			r = netpol_prefixes_add(&m->excepts, &except, m->arena, m->err);
	}
	return r < 0 ? r : add_block(m, &cidr, first);
}

static int add_pods(struct import *m, const struct conf_node *at, const struct selector *s)
{
	struct netpol_prefixes found = { 0 };
	size_t selected = 0, silent = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->in->container_count; i++) {
		const struct reach_container *c = &m->in->containers[i];
		size_t before = found.count;

		if (!selects(s, c))
			continue;
		r = netpol_addresses(c, NULL, &found, m->arena, m->err);
		selected++;
		silent += found.count == before;
	}
	for (size_t i = 0; r >= 0 && i < found.count; i++)
		r = add_block(m, &found.v[i], m->excepts.count);
	if (r < 0)
		return r;
	if (!selected)
		note(m, at, "podSelector matches no container here: nothing is let through for it");
	else if (silent)
		note(m, at, "podSelector: %zu of %zu containers have no address of their own: not let through", silent, selected);
	if (found.count)
		note(m, at, "podSelector stands for %zu addresses, as they are now: import again when containers are made anew", found.count);
	return 0;
}

static int read_peer(struct import *m, const struct conf_node *n)
{
	struct shape shape[] = { { .name = "ipBlock" }, { .name = "podSelector" }, { .name = "namespaceSelector" } };
	struct selector pods = { .count = 0 }, spaces = { .count = 0 };

	int r = read_shape(m, n, "a peer", shape, ARRAY_LEN(shape));
	if (r < 0)
		return r;
	const struct conf_node *block = shape[0].value, *pod = shape[1].value, *space = shape[2].value;
	if (!block && !pod && !space)
		return fail(m, n, "a peer needs ipBlock, podSelector or namespaceSelector");
	if (block && (pod || space))
		return fail(m, shape[0].key, "'ipBlock' stands alone in a peer");
	if (block)
		return read_ip_block(m, block);
	if (pod)
		r = read_selector(m, pod, &pods);
	if (r >= 0 && space)
		r = read_selector(m, space, &spaces);
	if (r < 0)
		return r;
	if (spaces.count) {
		note(m, shape[2].key, "namespaceSelector: there are no namespaces here: nothing is let through for this peer");
		return 0;
	}
	return add_pods(m, n, &pods);
}

/* ---- ports: read, so that a wrong one is told, and said to be more than can be kept ---- */

static int read_port_number(const struct import *m, const struct conf_node *n, uint64_t *ret)
{
	*ret = 0;
	if (n->kind == CONF_NODE_SCALAR && n->is_plain && slice_to_u64(n->text, ret))
		return *ret && *ret <= PORT_MAX ? 0 : fail(m, n, "ports are 1 to %d", PORT_MAX);
	if (n->kind == CONF_NODE_SCALAR && n->text.n <= 15 && netpol_is_key(n->text))
		return 0; /* a name */
	return fail(m, n, "not a port: a number, or the name of one");
}

static int read_port(const struct import *m, const struct conf_node *n)
{
	static const char *const protocols[] = { "TCP", "UDP", "SCTP" };
	struct shape shape[] = { { .name = "protocol" }, { .name = "port" }, { .name = "endPort" } };
	uint64_t from = 0, to = 0;
	size_t i = 0;

	int r = read_shape(m, n, "a port", shape, ARRAY_LEN(shape));
	if (r < 0)
		return r;
	const struct conf_node *protocol = shape[0].value, *port = shape[1].value, *end = shape[2].value;
	while (protocol && i < ARRAY_LEN(protocols) && (protocol->kind != CONF_NODE_SCALAR || !slice_is(protocol->text, protocols[i])))
		i++;
	if (i == ARRAY_LEN(protocols))
		return fail(m, protocol, "'protocol' is one of TCP, UDP, SCTP");
	if (port)
		r = read_port_number(m, port, &from);
	if (r >= 0 && end)
		r = read_port_number(m, end, &to);
	if (r >= 0 && end && (!from || to < from))
		r = fail(m, end, "'endPort' needs a 'port' that is a number and not above it");
	return r;
}

static int read_ports(const struct import *m, const struct shape *ports, bool is_egress)
{
	int r = check_list(m, ports->value, "ports");

	if (r < 0 || !ports->value || !ports->value->count)
		return r;
	for (const struct conf_node *x = ports->value->items; r >= 0 && x; x = x->next)
		r = read_port(m, x);
	if (r >= 0 && is_egress)
		note(m, ports->key, "ports: the policy has none beside addresses: every port of them is let through");
	return r;
}

/* ---- rules ---- */

static int add_everything(struct import *m)
{
	const struct netpol_prefix every[] = { { .bits = 0 }, { .bits = 0, .is_v6 = true } };
	int r = add_block(m, &every[0], m->excepts.count);

	return r < 0 ? r : add_block(m, &every[1], m->excepts.count);
}

static int read_egress(struct import *m, const struct conf_node *n)
{
	struct shape shape[] = { { .name = "to" }, { .name = "ports" } };

	int r = read_shape(m, n, "an egress rule", shape, ARRAY_LEN(shape));
	if (r >= 0)
		r = check_list(m, shape[0].value, "to");
	if (r >= 0)
		r = read_ports(m, &shape[1], true);
	if (r < 0)
		return r;
	if (!shape[0].value || !shape[0].value->count)
		return add_everything(m);
	for (const struct conf_node *x = shape[0].value->items; r >= 0 && x; x = x->next)
		r = read_peer(m, x);
	return r;
}

/* Read for what is wrong with it: what it says can't be kept, and was told. */
static int check_ingress(struct import *m, const struct conf_node *list)
{
	CLEANUP(buf_finip) struct buf unheard = { 0 };
	struct import aside = *m;
	int r = 0;

	buf_init(&unheard, NETPOL_BYTES_MAX);
	aside.notes = &unheard;
	aside.blocks = aside.excepts = (struct netpol_prefixes){ 0 };
	aside.ranges = NULL;
	aside.range_count = aside.range_size = 0;
	for (const struct conf_node *n = list->items; r >= 0 && n; n = n->next) {
		struct shape shape[] = { { .name = "from" }, { .name = "ports" } };

		r = read_shape(m, n, "an ingress rule", shape, ARRAY_LEN(shape));
		if (r >= 0)
			r = check_list(m, shape[0].value, "from");
		if (r >= 0)
			r = read_ports(&aside, &shape[1], false);
		for (const struct conf_node *x = r >= 0 && shape[0].value ? shape[0].value->items : NULL; r >= 0 && x; x = x->next)
			r = read_peer(&aside, x);
	}
	return r;
}

static int read_types(const struct import *m, const struct conf_node *n, bool *ret_ingress, bool *ret_egress)
{
	int r = check_list(m, n, "policyTypes");

	if (r < 0 || !n || !n->count)
		return r;
	*ret_ingress = *ret_egress = false;
	for (const struct conf_node *x = n->items; x; x = x->next) {
		bool is_in = x->kind == CONF_NODE_SCALAR && slice_is(x->text, "Ingress");
		bool is_out = x->kind == CONF_NODE_SCALAR && slice_is(x->text, "Egress");

		if (!is_in && !is_out)
			return fail(m, x, "'policyTypes' are Ingress and Egress");
		*ret_ingress = *ret_ingress || is_in;
		*ret_egress = *ret_egress || is_out;
	}
	return 0;
}

/* ---- what comes of it ---- */

/* Another block that lets all of it through, whatever that one excepts within. */
static bool is_let_through(const struct import *m, const struct netpol_prefix *except)
{
	for (size_t i = 0; i < m->range_count; i++) {
		const struct block *b = &m->ranges[i];
		bool is_out = false;

		if (!netpol_prefix_holds(&b->cidr, except))
			continue;
		for (size_t k = 0; k < b->count && !is_out; k++)
			is_out = netpol_prefix_holds(&m->excepts.v[b->first + k], except);
		if (!is_out)
			return true;
	}
	return false;
}

static void put_label_globs(const struct requirement *q, struct buf *out)
{
	const struct conf_node *v = q->values;

	if (q->op == OP_EXISTS)
		buf_printf(out, "label: \"%.*s\"", SLICE_FMT(q->key));
	else
		buf_add_str(out, "label: [");
	for (size_t i = 0; i < q->value_count; i++, v = v->next)
		buf_printf(out, "%s\"%.*s=%.*s\"", i ? ", " : "", SLICE_FMT(q->key), SLICE_FMT(v->text));
	if (q->op != OP_EXISTS)
		buf_add_char(out, ']');
}

/* false: nobody is meant. */
static int put_names(const struct import *m, const struct conf_node *at, const struct selector *s, struct buf *out)
{
	size_t count = 0;

	for (size_t i = 0; i < m->in->container_count; i++) {
		struct slice name = slice_of(m->in->containers[i].name ? m->in->containers[i].name : "");

		if (!selects(s, &m->in->containers[i]) || !netpol_is_name(name))
			continue;
		if (count == NETPOL_NAMES_MAX)
			return err_set(m->err, ERR_LIMIT, "%s:%u:%u: more than %d containers are selected", m->name, at->line,
				       at->column, NETPOL_NAMES_MAX);
		buf_printf(out, "%s\"%.*s\"", count++ ? ", " : "name: [", SLICE_FMT(name));
	}
	if (count) {
		buf_add_char(out, ']');
		note(m, at, "podSelector asks for more than one label: the %zu containers that are there are named instead", count);
	}
	return count > 0;
}

/* 1 said, 0 nobody is meant. */
static int put_match(const struct import *m, const struct conf_node *at, const struct selector *s, struct buf *out)
{
	const struct requirement *q = s->v;

	if (!s->count) {
		buf_add_str(out, "name: \"*\"");
		return 1;
	}
	if (s->count == 1 && (q->op == OP_IN || q->op == OP_EXISTS) && q->value_count <= NETPOL_NAMES_MAX) {
		put_label_globs(q, out);
		return 1;
	}
	return put_names(m, at, s, out);
}

static int put_scope(struct import *m, const struct conf_node *at, const struct selector *s, const char *title, struct buf *out)
{
	CLEANUP(buf_finip) struct buf match = { 0 };
	struct netpol_prefixes denied = { 0 };
	int r = put_match(m, at, s, &match);

	if (r < 0)
		return r;
	if (!r) {
		note(m, at, "podSelector matches no container here, and can't be said by label: nothing comes of the policy");
		return 0;
	}
	for (size_t i = 0; r >= 0 && i < m->excepts.count; i++)
		if (!is_let_through(m, &m->excepts.v[i]))
			r = netpol_prefixes_add(&denied, &m->excepts.v[i], m->arena, m->err);
	if (r < 0)
		return r;
	buf_printf(out, "scopes:\n  - name: \"NetworkPolicy %s\"\n    match: {", title);
	buf_add_slice(out, buf_slice(&match));
	buf_add_str(out, "}\n    access_control:\n      network_access:\n");
	netpol_prefixes_put(&m->blocks, "        ", "whitelist", out);
	netpol_prefixes_put(&denied, "        ", "blacklist", out);
	return out->failed || match.failed ? err_set(m->err, ENOMEM, "policy") : 0;
}

static int read_title(const struct import *m, const struct conf_node *meta, const char **ret)
{
	*ret = "without a name";
	if (!meta)
		return 0;
	if (meta->kind != CONF_NODE_MAP)
		return fail(m, meta, "'metadata' must be a mapping");
	for (const struct conf_node *k = meta->items; k; k = k->next->next) {
		if (slice_is(k->text, "namespace") && k->next->kind != CONF_NODE_NULL)
			note(m, k, "namespace: there are none here: the policy holds for every container it selects");
		if (!slice_is(k->text, "name"))
			continue;
		int r = check_text(m, k->next, "name");
		if (r >= 0 && !netpol_is_name(k->next->text))
			r = fail(m, k->next, "not a name");
		if (r < 0)
			return r;
		*ret = k->next->text.p;
	}
	return 0;
}

static int read_spec(struct import *m, const struct conf_node *spec, const char *title, struct buf *out)
{
	struct shape shape[] = { { .name = "podSelector" }, { .name = "policyTypes" }, { .name = "ingress" }, { .name = "egress" } };
	struct selector pods = { .count = 0 };
	bool is_ingress = true;

	int r = read_shape(m, spec, "spec", shape, ARRAY_LEN(shape));
	if (r < 0)
		return r;
	const struct conf_node *in = shape[2].value, *to = shape[3].value;
	bool is_egress = to != NULL;
	r = shape[0].value ? read_selector(m, shape[0].value, &pods) : fail(m, spec, "'podSelector' is missing ({} for all)");
	if (r >= 0)
		r = read_types(m, shape[1].value, &is_ingress, &is_egress);
	if (r >= 0)
		r = check_list(m, in, "ingress");
	if (r >= 0)
		r = check_list(m, to, "egress");
	if (r >= 0 && is_ingress)
		note(m, in ? shape[2].key : spec, "ingress: the policy judges what a container reaches, not who reaches it: not kept");
	if (r >= 0 && in)
		r = check_ingress(m, in);
	for (const struct conf_node *x = r >= 0 && to ? to->items : NULL; r >= 0 && x; x = x->next)
		r = read_egress(m, x);
	if (r < 0)
		return r;
	if (!is_egress) {
		note(m, spec, "egress is not restricted: nothing comes of the policy");
		return 0;
	}
	return put_scope(m, shape[0].value, &pods, title, out);
}

int netpol_import(struct slice text, const char *name, const struct reach_input *in, struct arena *a, struct buf *out,
		  struct buf *notes, struct err *err)
{
	struct import m = { .name = name, .in = in, .arena = a, .notes = notes, .err = err };
	struct shape shape[] = { { .name = "apiVersion" }, { .name = "kind" }, { .name = "metadata" }, { .name = "spec" }, { .name = "status" } };
	struct conf_node *root = NULL;
	const char *title;

	int r = conf_tree_parse(name, text, NETPOL_NODES_MAX, a, &root, err);
	if (r < 0)
		return r;
	if (!root)
		return fail(&m, NULL, "no NetworkPolicy in it");
	r = read_shape(&m, root, "a NetworkPolicy", shape, ARRAY_LEN(shape));
	if (r >= 0)
		r = check_word(&m, root, shape[0].value, "apiVersion", "networking.k8s.io/v1");
	if (r >= 0)
		r = check_word(&m, root, shape[1].value, "kind", "NetworkPolicy");
	if (r >= 0)
		r = read_title(&m, shape[2].value, &title);
	if (r >= 0 && !shape[3].value)
		r = fail(&m, root, "'spec' is missing");
	return r < 0 ? r : read_spec(&m, shape[3].value, title, out);
}
