/* agent_network.c - what the policy says of addresses and ports, in the kernel: whose rules hold for which container, by
 * which of its processes it is found, and what comes back. */
#include "agent/agent_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/record.h"
#include "common/json.h"

enum { PREFIXES_MAX = 131072, INSPECT_BYTES = 1024 * 1024 };
#define INHERITED_NS (30 * 1000000000ull)

/* ---- rules of a container ---- */

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

/* What holds for it is an earlier agent's, and who it is can't be said before the engine answers: rules made without its
 * name and labels would be others'. */
static bool must_wait(const struct agent *a, const struct container *c)
{
	if (c->is_inspected || !a->cfg->docker_socket[0] || !net_is_inherited(a->net, c->id))
		return false;
	return !a->has_engine || clock_boot_ns(a->clk) - a->engine_since_ns < INHERITED_NS;
}

static int put_rules(struct agent *a, const struct container *c, pid_t pid, const struct net_rules *rules, struct err *err)
{
	int r = pid ? net_container(a->net, c->id, pid, rules, err) : -ESRCH;

	if (r != -ESRCH)
		return r;
	/* Its first process is gone, or not there yet: the rules hold by its cgroup's name. */
	inits_drop(a->inits, c->id);
	return net_container_announce(a->net, c->id, rules, err);
}

/* pid 0: it has none yet. */
static void apply_to(struct agent *a, const struct container *c, pid_t pid)
{
	struct collecting k;
	struct net_rules rules;
	struct err err = { 0 };

	if (!a->net || strlen(c->id) != 64 || must_wait(a, c))
		return;
	int r = make_rules(a, c, &k, &rules);
	if (r < 0)
		r = err_set(&err, -r, "network policy of a container");
	else
		r = put_rules(a, c, pid, &rules, &err);
	if (r < 0 && r != -ENOENT)
		LOG(WARN, "policy.network", KV_STR("container", c->id), KV_STR("why", err.msg));
	free(k.prefixes);
	free(k.ports);
}

static void apply_one(void *arg, const struct container *c)
{
	struct agent *a = arg;

	if (c->is_running)
		apply_to(a, c, inits_get(a->inits, c->id));
}

void agent_network_apply(struct agent *a)
{
	/* Stricter: the rules first; milder: the mode first. A moment of too little is never. */
	bool is_off = net_mode_of(a) == NET_OFF;

	if (!a->net)
		return;
	if (is_off)
		net_set_mode(a->net, NET_OFF);
	world_containers_each(a->world, apply_one, a);
	if (!is_off)
		net_set_mode(a->net, net_mode_of(a));
}

/* ---- what comes back ---- */

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

/* ---- containers ---- */

static bool is_alive(pid_t pid)
{
	return pid > 0 && kill(pid, 0) == 0;
}

void agent_network_container(struct agent *a, const struct container *c, enum world_change change)
{
	switch (change) {
	case WORLD_CREATED:
	case WORLD_UPDATED:
	case WORLD_STARTED:
	case WORLD_CHANGED:
		apply_to(a, c, c->is_running ? inits_get(a->inits, c->id) : 0);
		break;
	case WORLD_STOPPED:
		if (is_alive(inits_get(a->inits, c->id)))
			break; /* told late: it was started again meanwhile */
		/* fall through */
	case WORLD_REMOVED:
		inits_drop(a->inits, c->id);
		if (a->net)
			net_container_gone(a->net, c->id);
		break;
	}
}

/* One of its processes, by which its cgroup and network are found: the first that is seen, and as long as that lives no
 * other. A process may make namespaces of its own, in which it is the first, too. */
void agent_network_process(struct agent *a, const struct container *c, const struct event_process *p)
{
	pid_t before = inits_get(a->inits, c->id);

	if (p->vpid != 1 && (before || !p->ns_mnt || p->ns_mnt == a->own_ns_mnt))
		return; /* with the host's processes in sight none is number 1; what makes it ready still sees the host's files */
	if (before != (pid_t)p->pid && is_alive(before))
		return;
	if (inits_put(a->inits, c->id, (pid_t)p->pid))
		apply_to(a, c, (pid_t)p->pid);
}

/* The engine knows better than we guess. It is asked before the container's first start, too: then there is none. */
void agent_network_inspected(struct agent *a, const struct container *c, struct slice body)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;

	if (json_parse(body, INSPECT_BYTES, &o, NULL) < 0)
		return;
	uint64_t pid = json_get_u64(cJSON_GetObjectItemCaseSensitive(o, "State"), "Pid", 0);
	if (pid && pid <= INT32_MAX)
		(void)inits_put(a->inits, c->id, (pid_t)pid); /* WORLD_UPDATED follows */
}

/* Once a minute or so: what names lead to, and exceptions that have ended. */
void agent_network_tick(struct agent *a)
{
	uint64_t now = clock_boot_ns(a->clk), resolved = world_resolved_count(a->world);

	if (!a->policy || !a->net)
		return;
	if (resolved != a->policy_resolved)
		agent_names_save(a);
	if (resolved == a->policy_resolved && now - a->policy_applied_ns < 60 * 1000000000ull)
		return;
	a->policy_resolved = resolved;
	a->policy_applied_ns = now;
	if (a->policy_names || net_mode_of(a) != NET_OFF)
		world_containers_each(a->world, apply_one, a);
}

/* ---- begin ---- */

static uint32_t own_ns_mnt(void)
{
	struct stat st;

	return stat("/proc/self/ns/mnt", &st) < 0 ? 0 : (uint32_t)st.st_ino;
}

/* What an earlier agent left in force is not wanted any more. */
static void lift_network(struct agent *a)
{
	struct err err;

	if (net_clear(a->cfg->network_pin_dir, &err) < 0)
		LOG(WARN, "policy.network", KV_STR("why", err.msg), KV_STR("instead", "what an earlier agent left in force goes on"));
}

void agent_open_network(struct agent *a, struct loop *l)
{
	static const struct net_ops ops = { .on_event = on_net_event, .on_traffic = on_traffic, .on_lost = on_net_lost };
	struct net_config cfg = { .pin_dir = a->cfg->network_pin_dir,
				  .cgroup_root = "",
				  .mode = net_mode_of(a),
				  .is_unknown_denied = a->cfg->network_unknown_denied,
				  .counts_traffic = true,
				  .interval_ms = a->cfg->stats_ms };
	struct err why;

	a->own_ns_mnt = own_ns_mnt();
	if (!a->cfg->network_enabled) {
		lift_network(a);
	} else if (net_new(l, a->clk, &cfg, &ops, a, &a->net, &why) < 0) {
		(void)slice_copy(slice_of(why.msg), a->net_why, sizeof(a->net_why));
		LOG(WARN, "policy.network", KV_STR("why", why.msg),
		    KV_STR("instead", "addresses and ports are judged at admission only, traffic is not counted"));
	}
}
