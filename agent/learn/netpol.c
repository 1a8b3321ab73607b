/* netpol.c - what was seen of a container, as a NetworkPolicy and as a scope of policy.yaml. */
#include "agent/learn/netpol.h"

#include <ctype.h>
#include <errno.h>

#include "agent/learn/netpol_priv.h"
#include "common/log.h"

enum { SHOWN_MAX = 120, SELECTOR_LABELS_MAX = 8, NAME_MAX_BYTES = 63, HASH_BYTES_MIN = 12, DNS_PORT = 53 };

/* One peer with one port; sorted, these are the rules. */
struct item {
	const char *peer; /* the YAML of it, in one line */
	const char *protocol; /* as Kubernetes writes it; "" any */
	uint16_t port;	      /* 0 any */
};
struct items {
	struct item *v; /* room for every flow */
	size_t count;
};
struct export {
	const struct reach_input *in;
	size_t subject;
	struct arena *arena;
	struct buf *notes;
	struct items out, in_;
	bool has_dns; /* of the engine, by the container's own loopback */
	size_t unknown; /* flows whose other side has no address */
};

static const char *show(const char *s, char into[SHOWN_MAX])
{
	log_escape(slice_of(s ? s : ""), into, SHOWN_MAX);
	return into;
}

/* ---- labels that stay ---- */

/* A digest or a commit: it is another one with the next image. */
static bool is_hash(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isxdigit((unsigned char)s.p[i]))
			return false;
	return s.n >= HASH_BYTES_MIN;
}

/* Labels of the image and of the tool that made the container, and what changes with each of them. */
static bool is_stable(struct slice key, struct slice value)
{
	static const char *const compose[] = { "com.docker.compose.project", "com.docker.compose.service" };
	static const char *const not[] = { "com.docker.compose.", "org.opencontainers.", "org.label-schema.", "desktop.docker.io/",
					   "io.buildah.", "maintainer", "version", "build", "revision", "commit", "app.kubernetes.io/version" };

	if (!netpol_is_key(key) || !netpol_is_value(value) || !value.n || is_hash(value))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(compose); i++)
		if (slice_is(key, compose[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(not); i++) {
		struct slice prefix = slice_of(not[i]);

		if (slice_eq(key, prefix) || ((slice_ends(prefix, SLICE_LIT(".")) || slice_ends(prefix, SLICE_LIT("/"))) && slice_starts(key, prefix)))
			return false;
	}
	return true;
}

static bool stable_at(const struct reach_container *c, size_t i, struct slice *ret_key, struct slice *ret_value)
{
	*ret_value = slice_of(c->labels.v[i]);
	return slice_split(ret_value, '=', ret_key) && is_stable(*ret_key, *ret_value);
}

/* Does what selects c select other, too? */
static bool selects(const struct reach_container *c, const struct reach_container *other)
{
	size_t used = 0;

	for (size_t i = 0; i < c->labels.count && used < SELECTOR_LABELS_MAX; i++) {
		struct slice key, value, its;

		if (!stable_at(c, i, &key, &value))
			continue;
		if (!netpol_label(other, key, &its) || !slice_eq(its, value))
			return false;
		used++;
	}
	return used > 0;
}

static void note_others(const struct export *x, const struct reach_container *c)
{
	char a[SHOWN_MAX], b[SHOWN_MAX];

	for (size_t i = 0; i < x->in->container_count; i++) {
		const struct reach_container *other = &x->in->containers[i];

		if (other == c || !selects(c, other))
			continue;
		buf_printf(x->notes, "the labels of %s select %s, too\n", show(c->name, a), show(other->name, b));
		return;
	}
}

/* {matchLabels: {"app": "web"}}; of a container without labels that stay one by its name, and told. */
static const char *selector(const struct export *x, const struct reach_container *c)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	size_t used = 0;

	buf_add_str(&out, "{matchLabels: {");
	for (size_t i = 0; i < c->labels.count && used < SELECTOR_LABELS_MAX; i++) {
		struct slice key, value;

		if (stable_at(c, i, &key, &value))
			buf_printf(&out, "%s\"%.*s\": \"%.*s\"", used++ ? ", " : "", SLICE_FMT(key), SLICE_FMT(value));
	}
	if (!used) {
		struct slice name = slice_of(c->name ? c->name : "");
		char shown[SHOWN_MAX];

		if (!netpol_is_value(name) || !name.n)
			name = SLICE_LIT("unnamed");
		buf_printf(x->notes, "%s has no label that stays: give its pod app: \"%.*s\"\n", show(c->name, shown), SLICE_FMT(name));
		buf_printf(&out, "\"app\": \"%.*s\"", SLICE_FMT(name));
	} else {
		note_others(x, c);
	}
	buf_add_str(&out, "}}");
	return out.failed ? NULL : arena_dup(x->arena, buf_slice(&out));
}

/* ---- flows ---- */

static bool is_loopback(const struct netpol_prefix *p)
{
	static const uint8_t one[16] = { [15] = 1 };

	return p->is_v6 ? !memcmp(p->bytes, one, 16) : p->bytes[0] == 127;
}

/* A single address: what was seen has no prefix. */
static bool read_address(const char *text, struct netpol_prefix *ret)
{
	return text && text[0] && !strchr(text, '/') && netpol_prefix_read(slice_of(text), ret);
}

static size_t find_side(const struct reach_input *in, const char *name, const char *address, size_t near)
{
	if (name && name[0])
		return reach_find(in, name);
	return reach_find_address(in, address, near == REACH_NOBODY ? NULL : &in->containers[near]);
}

/* Pods in the host's network are selected by no label. */
static bool is_pod(const struct reach_container *c)
{
	return !c->network_mode || strcmp(c->network_mode, "host") != 0;
}

static const char *protocol_of(const char *word)
{
	static const char *const names[] = { "TCP", "UDP", "SCTP" };

	for (size_t i = 0; word && i < ARRAY_LEN(names); i++)
		if (!strncasecmp(word, names[i], strlen(names[i])) && (!word[strlen(names[i])] || !strcmp(word + strlen(names[i]), "6")))
			return names[i];
	return "";
}

static int add_item(struct export *x, struct items *to, size_t other, const char *address, const struct reach_flow *f)
{
	struct item *item = &to->v[to->count];
	struct netpol_prefix p;
	char text[64];

	*item = (struct item){ .protocol = protocol_of(f->protocol), .port = f->port };
	if (!item->protocol[0])
		item->port = 0;
	if (other != REACH_NOBODY && is_pod(&x->in->containers[other])) {
		/* found again by its index: the YAML is made once a container, when all are sorted */
		item->peer = arena_printf(x->arena, "c%zu", other);
	} else if (read_address(address, &p)) {
		item->peer = arena_printf(x->arena, "ipBlock: {cidr: \"%s\"}", netpol_prefix_text(&p, text));
	} else {
		x->unknown++;
		return 0;
	}
	to->count++;
	return item->peer ? 0 : -ENOMEM;
}

static int read_flow(struct export *x, const struct reach_flow *f)
{
	size_t from = find_side(x->in, f->from, f->from_address, REACH_NOBODY);
	size_t to = find_side(x->in, f->to, f->to_address, from);
	struct netpol_prefix p;

	if (from == to)
		return 0; /* with itself, or of others */
	if (read_address(f->to_address, &p) && is_loopback(&p)) {
		x->has_dns = x->has_dns || (from == x->subject && f->port == DNS_PORT);
		return 0;
	}
	if (from == x->subject)
		return add_item(x, &x->out, to, f->to_address, f);
	return to == x->subject ? add_item(x, &x->in_, from, f->from_address, f) : 0;
}

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int r = strcmp(x->peer, y->peer);

	if (!r)
		r = strcmp(x->protocol, y->protocol);
	return r ? r : (int)x->port - (int)y->port;
}

static int export_init(struct export *x, struct err *err)
{
	int r = 0;

	if (x->subject >= x->in->container_count)
		return err_set(err, ERR_NOT_FOUND, "no such container");
	if (x->in->container_count > REACH_CONTAINERS_MAX || x->in->flow_count > REACH_FLOWS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d containers or %d flows", REACH_CONTAINERS_MAX, REACH_FLOWS_MAX);
	x->out.v = arena_zalloc(x->arena, x->in->flow_count + 1, sizeof(*x->out.v));
	x->in_.v = arena_zalloc(x->arena, x->in->flow_count + 1, sizeof(*x->in_.v));
	if (!x->out.v || !x->in_.v)
		return err_set(err, ENOMEM, "flows");
	for (size_t i = 0; r >= 0 && i < x->in->flow_count; i++)
		r = read_flow(x, &x->in->flows[i]);
	if (r < 0)
		return err_set(err, -r, "flows");
	qsort(x->out.v, x->out.count, sizeof(*x->out.v), compare);
	qsort(x->in_.v, x->in_.count, sizeof(*x->in_.v), compare);
	if (!x->out.count && !x->in_.count)
		buf_add_str(x->notes, "nothing was seen of it: everything is refused\n");
	if (x->unknown)
		buf_printf(x->notes, "%zu flows have no address on the other side: left out\n", x->unknown);
	return 0;
}

/* ---- Kubernetes ---- */

static void put_ports(const struct items *items, size_t first, size_t end, struct buf *out)
{
	const struct item *before = NULL;

	for (size_t i = first; i < end; i++)
		if (!items->v[i].port && !items->v[i].protocol[0])
			return; /* one of them with any port: all */
	buf_add_str(out, "      ports:\n");
	for (size_t i = first; i < end; before = &items->v[i++]) {
		const struct item *x = &items->v[i];

		if (before && !compare(before, x))
			continue;
		buf_printf(out, "        - {protocol: %s", x->protocol);
		if (x->port)
			buf_printf(out, ", port: %u", x->port);
		buf_add_str(out, "}\n");
	}
}

static int put_rules(struct export *x, const struct items *items, const char *section, const char *side, struct buf *out)
{
	buf_printf(out, "  %s:%s\n", section, items->count || (items == &x->out && x->has_dns) ? "" : " []");
	for (size_t i = 0, end; i < items->count; i = end) {
		const char *peer = items->v[i].peer;

		for (end = i; end < items->count && !strcmp(items->v[end].peer, peer); end++)
			;
		if (peer[0] == 'c') {
			const char *pods = selector(x, &x->in->containers[strtoul(peer + 1, NULL, 10)]);

			if (!pods)
				return -ENOMEM;
			buf_printf(out, "    - %s:\n        - podSelector: %s\n", side, pods);
		} else {
			buf_printf(out, "    - %s:\n        - %s\n", side, peer);
		}
		put_ports(items, i, end, out);
	}
	if (items == &x->out && x->has_dns)
		buf_add_str(out, "    - to:\n"
				 "        - namespaceSelector: {matchLabels: {\"kubernetes.io/metadata.name\": \"kube-system\"}}\n"
				 "          podSelector: {matchLabels: {\"k8s-app\": \"kube-dns\"}}\n"
				 "      ports:\n"
				 "        - {protocol: UDP, port: 53}\n"
				 "        - {protocol: TCP, port: 53}\n");
	return 0;
}

/* An RFC 1123 name, as objects of Kubernetes have. */
static void put_name(const char *name, struct buf *out)
{
	char text[NAME_MAX_BYTES + 1] = "picket-";
	size_t n = strlen(text);

	for (const char *c = name ? name : ""; *c && n < NAME_MAX_BYTES; c++)
		text[n++] = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '-';
	while (n && text[n - 1] == '-')
		n--;
	buf_printf(out, "%.*s", (int)n, text);
}

int netpol_to_kubernetes(const struct reach_input *in, size_t subject, struct arena *a, struct buf *out, struct buf *notes,
			 struct err *err)
{
	struct export x = { .in = in, .subject = subject, .arena = a, .notes = notes };
	char shown[SHOWN_MAX];

	int r = export_init(&x, err);
	if (r < 0)
		return r;
	const struct reach_container *c = &in->containers[subject];
	const char *pods = selector(&x, c);
	if (!pods)
		return err_set(err, ENOMEM, "policy");
	if (!is_pod(c))
		buf_printf(notes, "%s is in the host's network: a NetworkPolicy does not hold for such pods\n", show(c->name, shown));
	buf_add_str(out, "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: ");
	put_name(c->name, out);
	buf_printf(out, "\nspec:\n  podSelector: %s\n  policyTypes: [Ingress, Egress]\n", pods);
	r = put_rules(&x, &x.in_, "ingress", "from", out);
	if (r >= 0)
		r = put_rules(&x, &x.out, "egress", "to", out);
	return r < 0 || out->failed ? err_set(err, ENOMEM, "policy") : 0;
}

/* ---- ours ---- */

static int add_peer(const struct export *x, const struct item *item, struct netpol_prefixes *to, struct err *err)
{
	static const char block[] = "ipBlock: {cidr: \"";
	struct slice rest = slice_of(item->peer), cidr;
	struct netpol_prefix p;

	if (item->peer[0] == 'c') {
		const struct reach_container *c = &x->in->containers[strtoul(item->peer + 1, NULL, 10)];
		size_t before = to->count;
		char shown[SHOWN_MAX];

		int r = netpol_addresses(c, &x->in->containers[x->subject], to, x->arena, err);
		if (r >= 0 && to->count == before)
			buf_printf(x->notes, "%s has no address of its own: not let through\n", show(c->name, shown));
		return r;
	}
	rest = slice_sub(rest, sizeof(block) - 1, rest.n);
	if (!slice_split(&rest, '"', &cidr) || !netpol_prefix_read(cidr, &p))
		return 0;
	return netpol_prefixes_add(to, &p, x->arena, err);
}

int netpol_to_policy(const struct reach_input *in, size_t subject, struct arena *a, struct buf *out, struct buf *notes,
		     struct err *err)
{
	struct export x = { .in = in, .subject = subject, .arena = a, .notes = notes };
	struct netpol_prefixes allowed = { 0 };
	bool has_pods = false, has_ports = false;

	int r = export_init(&x, err);
	if (r < 0)
		return r;
	const char *name = in->containers[subject].name;
	if (!netpol_is_name(slice_of(name ? name : "")))
		return err_set(err, ERR_SYNTAX, "the container's name is none that a scope can say");
	for (size_t i = 0; r >= 0 && i < x.out.count; i++) {
		has_pods = has_pods || x.out.v[i].peer[0] == 'c';
		has_ports = has_ports || x.out.v[i].port;
		if (i && !strcmp(x.out.v[i].peer, x.out.v[i - 1].peer))
			continue;
		r = add_peer(&x, &x.out.v[i], &allowed, err);
	}
	if (r < 0)
		return r;
	if (has_pods)
		buf_add_str(notes, "addresses of containers are those of now: fixed ones (--ip, ipv4_address) or the network's prefix stay\n");
	if (has_ports)
		buf_add_str(notes, "the policy has no ports beside addresses: every port of them is let through\n");
	if (x.in_.count)
		buf_add_str(notes, "who reaches it is not said: the policy judges what a container reaches\n");
	buf_printf(out, "scopes:\n  - name: \"network of %s\"\n    match: {name: \"%s\"}\n    access_control:\n      network_access:\n", name, name);
	netpol_prefixes_put(&allowed, "        ", "whitelist", out);
	return out->failed ? err_set(err, ENOMEM, "policy") : 0;
}
