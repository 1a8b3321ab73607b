/* agent_policy.c - the access-control policy in force here: the host's own file, or the collector's; and what follows
 * from it in the kernel.
 *
 *   /etc/picket/policy.yaml            the host's own; while it is there, the collector's waits
 *   STATE_DIR/policy.yaml              the collector's
 *
 * A new one that is broken leaves the old in force: status, heartbeat and an alert of the collector say so. */
#include "agent/agent_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/record.h"
#include "common/file.h"
#include "common/tls.h"

enum { PATH_BYTES = 4096, PREFIXES_MAX = 131072, NAMES_MAX = 64 };

static const char *const mode_words[] = { [POLICY_OFF] = "off", [POLICY_MONITOR] = "monitor", [POLICY_ENFORCE] = "enforce" };

/* ---- the kernel's side ---- */

struct collecting {
	struct agent *a;
	struct net_prefix *prefixes;
	size_t prefix_count, prefix_room;
	struct net_ports *ports;
	size_t port_count, port_room;
	const char *rule; /* of the name under way */
	bool is_denied, is_monitored, failed;
};

/* "AC-201" -> 201 */
static uint32_t rule_number(const char *rule)
{
	const char *dash = rule ? strrchr(rule, '-') : NULL;

	return dash ? (uint32_t)strtoul(dash + 1, NULL, 10) : 0;
}

static struct net_prefix *add_prefix(struct collecting *k)
{
	if (k->prefix_count == k->prefix_room) {
		size_t room = k->prefix_room ? 2 * k->prefix_room : 64;
		struct net_prefix *p = room <= PREFIXES_MAX ? reallocarray(k->prefixes, room, sizeof(*p)) : NULL;

		if (!p) {
			k->failed = true;
			return NULL;
		}
		k->prefixes = p;
		k->prefix_room = room;
	}
	return &k->prefixes[k->prefix_count++];
}

static void on_address(void *arg, const uint8_t *address, size_t bytes)
{
	struct collecting *k = arg;
	struct net_prefix *to = add_prefix(k);

	if (!to)
		return;
	*to = (struct net_prefix){ .bits = (uint8_t)(8 * bytes), .is_v6 = bytes == 16, .is_denied = k->is_denied,
				     .is_monitored = k->is_monitored, .rule = rule_number(k->rule) };
	memcpy(to->address, address, bytes);
}

static void on_prefix(void *arg, const struct policy_prefix *p)
{
	struct collecting *k = arg;

	if (p->name && *p->name) {
		k->rule = p->rule;
		k->is_denied = p->is_denied;
		world_addresses_of(k->a->world, p->name, on_address, k);
		return;
	}
	struct net_prefix *to = add_prefix(k);
	if (!to)
		return;
	*to = (struct net_prefix){ .bits = p->bits, .is_v6 = p->is_v6, .is_denied = p->is_denied,
				     .is_monitored = k->is_monitored, .rule = rule_number(p->rule) };
	memcpy(to->address, p->address, sizeof(to->address));
}

static void on_ports(void *arg, const struct policy_port_range *r)
{
	struct collecting *k = arg;

	if (k->port_count == k->port_room) {
		size_t room = k->port_room ? 2 * k->port_room : 16;
		struct net_ports *p = reallocarray(k->ports, room, sizeof(*p));

		if (!p) {
			k->failed = true;
			return;
		}
		k->ports = p;
		k->port_room = room;
	}
	k->ports[k->port_count++] = (struct net_ports){ .from = r->from, .to = r->to, .is_denied = r->is_denied,
							 .is_monitored = k->is_monitored, .rule = rule_number(r->rule) };
}

static char *copy_of(struct arena *a, const char *s)
{
	char *copy = arena_dup(a, slice_of(s ? s : ""));

	return copy ? copy : (char *)(uintptr_t)"";
}

/* With the host's network its own loopback is the host's. */
static void fill_network(const struct agent *a, const struct container *c, struct arena *scratch, struct policy_workload *w)
{
	struct slice packed = configs_get(a->configs, c->id);
	Picket__ContainerConfig *m = packed.n ? picket__container_config__unpack(NULL, packed.n, (const uint8_t *)packed.p) : NULL;

	if (!m)
		return;
	w->network_mode = w->real_network_mode = copy_of(scratch, m->network_mode);
	picket__container_config__free_unpacked(m, NULL);
}

/* Scope and exceptions are told by name, image and labels. */
static bool workload_of(const struct agent *a, const struct container *c, struct arena *scratch, struct policy_workload *w)
{
	const char **labels = arena_zalloc(scratch, c->label_count + 1, sizeof(*labels)), **digests, *digest;

	digests = arena_zalloc(scratch, 1, sizeof(*digests));
	if (!labels || !digests)
		return false;
	*w = (struct policy_workload){ .subject = POLICY_CONTAINER, .name = c->name, .image = c->image, .image_id = c->image_id };
	for (size_t i = 0; i < c->label_count; i++) {
		labels[i] = arena_printf(scratch, "%s=%s", c->labels[i].key, c->labels[i].value);
		if (!labels[i])
			return false;
	}
	w->labels = (struct policy_texts){ .v = labels, .count = c->label_count };
	if (!policy_reference(c->image, scratch, &w->repository, &w->tag, &digest))
		w->repository = w->tag = "";
	if (c->image_digest && *c->image_digest) {
		digests[0] = arena_printf(scratch, "%s@%s", w->repository, c->image_digest);
		w->digests = (struct policy_texts){ .v = digests, .count = digests[0] ? 1 : 0 };
	}
	fill_network(a, c, scratch, w);
	return true;
}

/* The strictest there is, scopes too: what holds for less is told of each denial. */
static enum net_mode net_mode_of(const struct agent *a)
{
	enum policy_mode mode = a->policy ? policy_mode_network(a->policy) : POLICY_OFF;

	return mode == POLICY_ENFORCE ? NET_ENFORCE : mode == POLICY_MONITOR ? NET_MONITOR : NET_OFF;
}

static int make_rules(struct agent *a, const struct container *c, struct collecting *k, struct net_rules *ret)
{
	uint64_t now = clock_unix_ns(a->clk) / 1000000000;
	struct policy_workload w;

	*ret = (struct net_rules){ 0 };
	*k = (struct collecting){ .a = a };
	arena_reset(a->scratch);
	if (!a->policy || !workload_of(a, c, a->scratch, &w))
		return a->policy ? -ENOMEM : 0;
	enum policy_mode addresses = policy_mode_for(a->policy, &w, POLICY_NETWORK);
	enum policy_mode ports = policy_mode_for(a->policy, &w, POLICY_PORT);
	k->is_monitored = addresses == POLICY_MONITOR;
	if (addresses != POLICY_OFF)
		policy_each_prefix(a->policy, &w, now, on_prefix, k);
	k->is_monitored = ports == POLICY_MONITOR;
	if (ports != POLICY_OFF)
		policy_each_port(a->policy, &w, now, on_ports, k);
	*ret = (struct net_rules){ .prefixes = k->prefixes, .prefix_count = k->prefix_count, .ports = k->ports, .port_count = k->port_count };
	return k->failed ? -ENOMEM : 0;
}

/* pid 0: it has none yet. */
static void apply_to(struct agent *a, const struct container *c, pid_t pid)
{
	struct collecting k;
	struct net_rules rules;
	struct err err = { 0 };

	if (!a->net || strlen(c->id) != 64)
		return;
	int r = make_rules(a, c, &k, &rules);
	if (r < 0)
		r = err_set(&err, -r, "network policy of a container");
	else
		r = pid ? net_container(a->net, c->id, pid, &rules, &err) : net_container_announce(a->net, c->id, &rules, &err);
	if (r < 0 && r != -ESRCH && r != -ENOENT)
		LOG(WARN, "policy.network", KV_STR("container", c->id), KV_STR("why", err.msg));
	free(k.prefixes);
	free(k.ports);
}

struct applying {
	struct agent *a;
	struct inits *inits;
};

static void apply_one(void *arg, const struct container *c)
{
	struct agent *a = arg;

	if (c->is_running)
		apply_to(a, c, inits_get(a->inits, c->id));
}

static void on_net_event(void *arg, const struct net_event *e)
{
	struct agent *a = arg;
	const struct container *c = e->container_id[0] ? world_container_by_id(a->world, slice_of(e->container_id)) : NULL;

	if (e->is_refused)
		a->net_denied += e->count;
	else
		a->net_would_deny += e->count;
	agent_send_net_event(a, e, c);
}

static void on_traffic(void *arg, const struct net_traffic *t)
{
	struct agent *a = arg;
	const struct container *c = world_container_by_id(a->world, slice_of(t->container_id));

	stats_traffic(a->stats, t->container_id, t->rx_bytes + t->tx_bytes, t->to_unix_ns - t->from_unix_ns);
	if (c)
		agent_send_traffic(a, t, c);
}

static void on_net_lost(void *arg, uint64_t events)
{
	struct agent *a = arg;
	uint64_t now = clock_unix_ns(a->clk);

	losses_add(&a->losses, EVC_VOLUME, events, now, now, "ring_full", clock_boot_ns(a->clk), agent_send_gap, a);
}

/* ---- the policy ---- */

static void say_mode(struct agent *a)
{
	static const enum policy_section sections[] = { POLICY_IMAGE, POLICY_NETWORK, POLICY_PORT, POLICY_RUNTIME };
	static const char *const names[] = { "image", "network", "port", "runtime" };
	size_t n = 0;

	a->policy_mode[0] = 0;
	for (size_t i = 0; a->policy && i < ARRAY_LEN(sections); i++)
		n += (size_t)snprintf(a->policy_mode + n, sizeof(a->policy_mode) - n, "%s%s=%s", i ? " " : "", names[i],
				      mode_words[policy_mode_of(a->policy, sections[i])]);
}

struct watched_names {
	const char *all[NAMES_MAX];
	size_t count;
};

static void add_name(void *arg, const struct policy_prefix *p)
{
	struct watched_names *n = arg;

	if (!p->name || !*p->name || n->count == NAMES_MAX)
		return;
	for (size_t i = 0; i < n->count; i++)
		if (!strcmp(n->all[i], p->name))
			return;
	n->all[n->count++] = p->name;
}

/* Of the general part; those of scopes are found with the containers they hold for. */
static void watch_names_of(struct agent *a, const struct policy_workload *w, struct watched_names *n)
{
	policy_each_prefix(a->policy, w, clock_unix_ns(a->clk) / 1000000000, add_name, n);
}

struct naming {
	struct agent *a;
	struct watched_names names;
};

static void name_one(void *arg, const struct container *c)
{
	struct naming *n = arg;
	struct policy_workload w;

	arena_reset(n->a->scratch);
	if (workload_of(n->a, c, n->a->scratch, &w))
		watch_names_of(n->a, &w, &n->names);
}

static void watch_names(struct agent *a)
{
	struct naming n = { .a = a };
	struct policy_workload none = { .name = "" };
	struct err err;

	if (a->policy) {
		watch_names_of(a, &none, &n.names);
		world_containers_each(a->world, name_one, &n);
	}
	a->policy_names = n.names.count;
	if (world_resolve_names(a->world, n.names.all, n.names.count, &err) < 0)
		LOG(WARN, "policy.names", KV_STR("why", err.msg));
}

static void apply(struct agent *a)
{
	watch_names(a);
	if (a->net) {
		/* Stricter: the rules first; milder: the mode first. A moment of too little is never. */
		bool is_off = net_mode_of(a) == NET_OFF;

		if (is_off)
			net_set_mode(a->net, NET_OFF);
		world_containers_each(a->world, apply_one, a);
		if (!is_off)
			net_set_mode(a->net, net_mode_of(a));
	}
	if (a->audit)
		audit_live_changed(a->audit, "policy");
}

static void collectors_path(const struct agent *a, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/policy.yaml", a->cfg->state_dir);
}

/* The path of the one that counts; "" none. */
static void find_policy(struct agent *a, char path[PATH_BYTES], const char **ret_source)
{
	snprintf(path, PATH_BYTES, "%s", a->cfg->policy_path);
	*ret_source = "file";
	if (path[0] && access(path, F_OK) == 0)
		return;
	collectors_path(a, path);
	*ret_source = "collector";
	if (access(path, F_OK) < 0) {
		path[0] = 0;
		*ret_source = "";
	}
}

void agent_load_policy(struct agent *a)
{
	struct policy *p = NULL;
	char path[PATH_BYTES];
	const char *source;
	struct err err;

	find_policy(a, path, &source);
	if (path[0] && policy_load(path, &p, &err) < 0) {
		(void)slice_copy(slice_of(err.msg), a->policy_error, sizeof(a->policy_error));
		LOG(ERROR, "policy.load", KV_STR("why", err.msg),
		    KV_STR("instead", a->policy ? "the one before stays in force" : "there is none"));
		return;
	}
	a->policy_error[0] = 0;
	if (!p && !a->policy)
		return;
	if (p && a->policy && !strcmp(policy_digest(p), policy_digest(a->policy))) {
		policy_free(p);
		a->policy_source = source;
		return;
	}
	policy_free(a->policy);
	a->policy = p;
	a->policy_source = source;
	say_mode(a);
	LOG(INFO, "policy.loaded", KV_STR("source", source), KV_STR("digest", p ? policy_digest(p) : ""),
	    KV_STR("mode", a->policy_mode));
	apply(a);
}

static void on_policy_file(void *arg)
{
	agent_load_policy(arg);
}

/* From the collector: kept whether or not it loads, so that its error is seen; the one in force stays until it does. */
void agent_on_policy(void *arg, struct slice text, const char *digest)
{
	struct agent *a = arg;
	struct policy *p = NULL;
	char path[PATH_BYTES];
	uint8_t sum[32];
	char hex[65];
	struct err err;

	if (!text.n || (a->policy && !strcmp(digest, policy_digest(a->policy))) || !strcmp(digest, a->policy_refused))
		return;
	tls_sha256(text, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	int r = strcmp(hex, digest) ? err_set(&err, ERR_CORRUPT, "policy of the collector: its digest is another") :
				      policy_parse(text, "the collector's policy", &p, &err);
	policy_free(p);
	collectors_path(a, path);
	if (r >= 0)
		r = file_write_atomic(path, text, 0600, &err);
	if (r >= 0) {
		a->policy_refused[0] = 0;
		agent_load_policy(a);
		return;
	}
	(void)slice_copy(slice_of(digest), a->policy_refused, sizeof(a->policy_refused));
	(void)slice_copy(slice_of(err.msg), a->policy_error, sizeof(a->policy_error));
	LOG(ERROR, "policy.load", KV_STR("why", err.msg), KV_STR("instead", "the one before stays in force"));
}

/* ---- containers ---- */

void agent_policy_container(struct agent *a, const struct container *c, enum world_change change)
{
	switch (change) {
	case WORLD_CREATED:
	case WORLD_UPDATED:
		if (!c->is_running)
			apply_to(a, c, 0);
		break;
	case WORLD_STARTED:
	case WORLD_CHANGED:
		apply_to(a, c, inits_get(a->inits, c->id));
		break;
	case WORLD_STOPPED:
	case WORLD_REMOVED:
		inits_drop(a->inits, c->id);
		if (a->net)
			net_container_gone(a->net, c->id);
		break;
	}
}

/* Its first process runs: now everything about it can be found. */
void agent_policy_init(struct agent *a, const struct container *c, uint32_t pid)
{
	if (inits_put(a->inits, c->id, (pid_t)pid))
		apply_to(a, c, (pid_t)pid);
}

/* Once a minute or so: what names lead to, and exceptions that have ended. */
void agent_policy_tick(struct agent *a)
{
	uint64_t now = clock_boot_ns(a->clk), resolved = world_resolved_count(a->world);

	if (!a->policy || !a->net)
		return;
	if (resolved == a->policy_resolved && now - a->policy_applied_ns < 60 * 1000000000ull)
		return;
	a->policy_resolved = resolved;
	a->policy_applied_ns = now;
	if (a->policy_names || net_mode_of(a) != NET_OFF)
		world_containers_each(a->world, apply_one, a);
}

/* ---- begin and end ---- */

int agent_open_policy(struct agent *a, struct loop *l, struct err *err)
{
	static const struct net_ops ops = { .on_event = on_net_event, .on_traffic = on_traffic, .on_lost = on_net_lost };
	struct net_config cfg = { .pin_dir = a->cfg->network_pin_dir,
				  .cgroup_root = "",
				  .is_unknown_denied = a->cfg->network_unknown_denied,
				  .counts_traffic = true,
				  .interval_ms = a->cfg->stats_ms };
	struct err why;

	a->inits = inits_new();
	if (!a->inits)
		return err_set(err, ENOMEM, "policy");
	a->policy_source = "";
	/* First: what an earlier agent left in force goes on without a gap. */
	agent_load_policy(a);
	cfg.mode = net_mode_of(a);
	if (a->cfg->network_enabled && net_new(l, a->clk, &cfg, &ops, a, &a->net, &why) < 0) {
		(void)slice_copy(slice_of(why.msg), a->net_why, sizeof(a->net_why));
		LOG(WARN, "policy.network", KV_STR("why", why.msg),
		    KV_STR("instead", "addresses and ports are judged at admission only, traffic is not counted"));
	}
	if (a->cfg->policy_path[0]) {
		const char *path = a->cfg->policy_path;
		int r = watch_new(l, on_policy_file, a, &a->policy_watch, &why);

		if (r >= 0)
			r = watch_set(a->policy_watch, &path, 1, &why);
		if (r < 0)
			LOG(WARN, "policy.watch", KV_STR("why", why.msg), KV_STR("instead", "SIGHUP loads it again"));
	}
	return 0;
}

void agent_close_policy(struct agent *a)
{
	watch_free(take_ptr(a->policy_watch));
	net_free(take_ptr(a->net));
	policy_free(take_ptr(a->policy));
	inits_free(take_ptr(a->inits));
}

static void write_layer(void *arg, const struct net_layer *l)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_str(j, "name", l->name);
	json_kv_str(j, "why_not", l->why_not);
	json_kv_u64(j, "attached", l->attached);
	json_object_close(j);
}

void agent_write_policy(const struct agent *a, struct json *j)
{
	json_kv_str(j, "source", a->policy_source);
	json_kv_str(j, "digest", a->policy ? policy_digest(a->policy) : "");
	json_kv_str(j, "mode", a->policy_mode);
	json_kv_str(j, "error", a->policy_error);
	json_kv_u64(j, "network_denied", a->net_denied);
	json_kv_u64(j, "network_would_deny", a->net_would_deny);
	json_kv_str(j, "network_why_not", a->net_why);
	json_key(j, "layers");
	json_array_open(j);
	if (a->net)
		net_layers(a->net, write_layer, j);
	json_array_close(j);
}

void agent_policy_state(const struct agent *a, struct uplink_policy *ret)
{
	*ret = (struct uplink_policy){ .digest = a->policy ? policy_digest(a->policy) : "",
				       .source = a->policy_source,
				       .mode = a->policy_mode,
				       .error = a->policy_error,
				       .has_admission = a->has_admission,
				       .has_network = a->net && a->policy,
				       .denied = a->net_denied + a->admission_denied,
				       .would_deny = a->net_would_deny + a->admission_would_deny };
}
