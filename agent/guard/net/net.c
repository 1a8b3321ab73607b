/* net.c - containers: whose rules hold where. */
#include "agent/guard/net/net_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statfs.h>

#include <bpf/bpf.h>

#include "common/file.h"

enum { MOUNTINFO_MAX = 4 << 20, DEFAULT_INTERVAL_MS = 60000, DEFAULT_CONTAINERS = 4096, DEFAULT_PREFIXES = 131072 };

static const char *const hook_names[NET_HOOK_COUNT] = { "connect", "sendmsg", "bind", "egress", "ingress", "veth" };
static const char *const layer_names[NET_LAYER_COUNT] = {
#define P(name, type) #name,
	NET_PROGRAMS(P)
#undef P
	"pin",
};
const char *net_hook_name(enum net_hook h)
{
	return (unsigned)h < NET_HOOK_COUNT ? hook_names[h] : "";
}

/* --- keys --- */

static void name_key(const char *id, char ret[NET_ID_BYTES])
{
	memset(ret, 0, NET_ID_BYTES);
	memcpy(ret, id, strnlen(id, NET_ID_BYTES));
}

/* From one set to the next by one store: the kernel's own update of a map copies bytes. */
static void put_slot(struct net *n, const struct box *b, const struct net_slot *slot)
{
	uint64_t word;

	memcpy(&word, slot, sizeof(word));
	__atomic_store_n(&n->words[b->slot], word, __ATOMIC_RELEASE);
}

/* --- boxes --- */

static struct box *find_box(const struct net *n, const char *id)
{
	for (uint32_t i = 1; i <= n->slot_max; i++)
		if (n->boxes[i] && !strcmp(n->boxes[i]->id, id))
			return n->boxes[i];
	return NULL;
}

struct box *net_new_box(struct net *n, const char *id, uint32_t slot)
{
	struct box *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	(void)slice_copy(slice_of(id), b->id, sizeof(b->id));
	b->slot = slot;
	b->link_fd[0] = b->link_fd[1] = -1;
	n->boxes[slot] = b;
	net_traffic_begin(n, b);
	return b;
}

/* The next free one from where the last was taken: a number comes again late. */
static int make_box(struct net *n, const char *id, struct box **ret, struct err *err)
{
	size_t length = strlen(id);

	if (!length || length > NET_ID_BYTES)
		return err_set(err, EINVAL, "a container's id of %zu bytes", length);
	for (uint32_t i = 0; i < n->slot_max; i++) {
		uint32_t slot = 1 + (n->next_slot + i) % n->slot_max;

		if (n->boxes[slot])
			continue;
		n->next_slot = slot;
		*ret = net_new_box(n, id, slot);
		return *ret ? 0 : err_set(err, ENOMEM, "a container's rules");
	}
	return err_set(err, ERR_LIMIT, "more than %u containers", n->slot_max);
}

/* --- the rules of a box --- */

static int put_rules(struct net *n, struct box *b, const struct net_rules *rules, struct err *err)
{
	struct net_slot slot;
	char key[NET_ID_BYTES];

	int r = net_set_get(n, rules, &slot, err);
	if (r < 0)
		return r;
	uint32_t before = b->set;
	b->is_told = true;
	b->set = slot.set;
	put_slot(n, b, &slot);
	net_set_put(n, before); /* the same one: a reference less */
	name_key(b->id, key);
	net_put(n, NET_MAP_names, key, &b->slot);
	return 0;
}

/* --- what the caller says --- */

int net_container(struct net *n, const char *id, pid_t pid, const struct net_rules *rules, struct err *err)
{
	struct box *b = find_box(n, id);
	struct place p;

	int r = place_find(pid, id, n->cgroup_root, &p, err);
	if (r >= 0 && !b)
		r = make_box(n, id, &b, err);
	if (r < 0)
		return r;
	bool is_new = !b->set && !b->cgroup_id;
	r = put_rules(n, b, rules, err);
	if (r < 0) {
		if (is_new)
			net_container_gone(n, id);
		return r;
	}
	net_enter_cgroup(n, b, &p);
	net_enter_netns(n, b, &p);
	return 0;
}

static bool is_hex_id(const char *id)
{
	return strspn(id, "0123456789abcdef") == NET_ID_BYTES && !id[NET_ID_BYTES];
}

int net_container_announce(struct net *n, const char *id, const struct net_rules *rules, struct err *err)
{
	struct box *b = find_box(n, id);

	/* The kernel finds it by its cgroup's name. */
	if (!is_hex_id(id))
		return err_set(err, EINVAL, "an id that is not 64 hex digits can't be announced");
	bool is_new = !b;
	int r = b ? 0 : make_box(n, id, &b, err);
	if (r >= 0)
		r = put_rules(n, b, rules, err);
	if (r < 0 && is_new)
		net_container_gone(n, id);
	return r;
}

void net_container_gone(struct net *n, const char *id)
{
	struct box *b = find_box(n, id);
	struct net_slot none = { 0 };
	char key[NET_ID_BYTES];

	if (!b)
		return;
	name_key(id, key);
	net_drop(n, NET_MAP_names, key);
	net_leave_netns(n, b);
	net_leave_veths(n, b);
	net_leave_cgroup(n, b);
	net_forget_cgroups(n, b->slot);
	put_slot(n, b, &none);
	net_told_drain(n, b->slot);
	net_traffic_end(n, b);
	net_set_put(n, b->set);
	n->boxes[b->slot] = NULL;
	free(b->cgroup);
	free(b);
}

bool net_is_inherited(const struct net *n, const char *id)
{
	const struct box *b = find_box(n, id);

	return b && !b->is_told;
}

void net_set_mode(struct net *n, enum net_mode mode)
{
	uint32_t first = 0;

	n->cfg.mode = mode;
	n->knobs.mode = mode;
	if (n->is_settled && mode != NET_OFF)
		net_attach_root(n);
	net_put(n, NET_MAP_knobs, &first, &n->knobs);
	if (n->is_settled && mode == NET_OFF)
		net_detach_root(n);
}

/* --- layers --- */

static size_t count_attached(const struct net *n, unsigned layer)
{
	size_t count = 0;

	if (layer < NET_PROGRAM_ROOT_COUNT)
		return n->is_attached[layer];
	if (layer == NET_LAYER_PIN)
		return n->is_pinned;
	for (uint32_t i = 1; i <= n->slot_max; i++) {
		const struct box *b = n->boxes[i];

		if (!b)
			continue;
		if (layer != NET_PROGRAM_veth)
			count += b->has_link[layer - NET_PROGRAM_egress];
		for (size_t k = 0; layer == NET_PROGRAM_veth && k < b->veth_count; k++)
			count += b->is_veth_attached[k];
	}
	return count;
}

void net_layers(struct net *n, void (*fn)(void *arg, const struct net_layer *l), void *arg)
{
	for (unsigned i = 0; i < NET_LAYER_COUNT; i++) {
		struct net_layer l = { .name = layer_names[i], .why_not = n->why_not[i],
				       .attached = count_attached(n, i) };
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		if (i < NET_PROGRAM_COUNT && n->prog_fd[i] >= 0 &&
		    !bpf_obj_get_info_by_fd(n->prog_fd[i], &info, &size)) {
			l.runs = info.run_cnt;
			l.run_ns = info.run_time_ns;
		}
		fn(arg, &l);
	}
}

/* --- life --- */

static void on_sweep(void *arg)
{
	net_sets_sweep(arg);
}

static void settle(struct net *n)
{
	n->is_settled = true;
	/* Every connect of the host passes there: only where there is something to judge. */
	if (n->cfg.mode != NET_OFF)
		net_attach_root(n);
	else
		net_detach_root(n);
	net_take_links(n);
	net_drop_old_pins(n);
	/* Of one that was killed where nothing is pinned: a filter on a device doesn't end with its process. */
	net_veth_clear(net_has_device, n);
}

/* Containers told of since are in the new maps now. */
static void on_settle(void *arg)
{
	settle(arg);
}

static int find_cgroup_root(struct net *n, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct statfs fs;
	int r = 0;

	if (n->cfg.cgroup_root && n->cfg.cgroup_root[0]) {
		if (!slice_copy(slice_of(n->cfg.cgroup_root), n->cgroup_root, sizeof(n->cgroup_root)))
			return err_set(err, ENAMETOOLONG, "cgroup_root");
	} else {
		r = file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &text, err);
		if (r >= 0)
			r = place_parse_mountinfo(buf_slice(&text), n->cgroup_root, sizeof(n->cgroup_root), err);
	}
	if (r == -ERR_NOT_FOUND)
		return err_set(err, ENOTSUP, "cgroup v2 is not mounted");
	if (r < 0)
		return r;
	if (statfs(n->cgroup_root, &fs) < 0)
		return err_set(err, errno, "cgroup v2 at '%s'", n->cgroup_root);
	if ((uint32_t)fs.f_type != CGROUP2_MAGIC_NUMBER)
		return err_set(err, ENOTSUP, "'%s' is no cgroup v2", n->cgroup_root);
	return 0;
}

static int configure(struct net *n, const struct net_config *cfg, struct err *err)
{
	n->cfg = *cfg;
	if (!n->cfg.interval_ms)
		n->cfg.interval_ms = DEFAULT_INTERVAL_MS;
	if (!n->cfg.max_containers)
		n->cfg.max_containers = DEFAULT_CONTAINERS;
	if (!n->cfg.max_prefixes)
		n->cfg.max_prefixes = DEFAULT_PREFIXES;
	if (n->cfg.max_containers > 1 << 20 || n->cfg.max_prefixes > 1 << 26)
		return err_set(err, EINVAL, "max_containers or max_prefixes");
	if (!slice_copy(slice_of(cfg->pin_dir ? cfg->pin_dir : ""), n->pin_dir, sizeof(n->pin_dir)))
		return err_set(err, ENAMETOOLONG, "pin_dir");
	n->slot_max = n->cfg.max_containers;
	n->boxes = calloc(n->slot_max + 1, sizeof(*n->boxes));
	n->sweep = loop_timer_new(n->loop, on_sweep, n);
	n->settle = loop_timer_new(n->loop, on_settle, n);
	return n->boxes && n->sweep && n->settle ? 0 : err_set(err, ENOMEM, "the network's containers");
}

int net_new(struct loop *l, const struct clock *clk, const struct net_config *cfg, const struct net_ops *ops, void *arg,
	    struct net **ret, struct err *err)
{
	CLEANUP(net_freep) struct net *n = calloc(1, sizeof(*n));
	int cpus = libbpf_num_possible_cpus();

	if (!n)
		return err_set(err, ENOMEM, "the network's rules");
	n->loop = l;
	n->clk = clk;
	n->ops = ops;
	n->arg = arg;
	n->cpu_count = cpus > 0 ? (size_t)cpus : 1;
	memset(n->map_fd, 0xff, sizeof(n->map_fd));
	memset(n->prog_fd, 0xff, sizeof(n->prog_fd));
	memset(n->link_fd, 0xff, sizeof(n->link_fd));
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return err_set(err, ENOTSUP, "no type information of the kernel (BTF)");
	int r = configure(n, cfg, err);
	if (r >= 0)
		r = find_cgroup_root(n, err);
	if (r >= 0)
		r = net_load(n, err);
	if (r >= 0)
		r = net_take_over(n, err);
	if (r >= 0)
		r = net_told_start(n, err);
	if (r < 0)
		return r;
	net_traffic_start(n);
	if (n->is_settled)
		settle(n);
	else
		loop_timer_once(n->settle, SETTLE_MS);
	*ret = take_ptr(n);
	return 0;
}

void net_free(struct net *n)
{
	if (!n)
		return;
	loop_timer_free(n->fold);
	loop_timer_free(n->traffic);
	loop_timer_free(n->sweep);
	loop_timer_free(n->settle);
	loop_fd_free(n->ring_watch);
	ring_buffer__free(n->ring);
	/* Not pinned, nothing is to go on; a veth's filter would. */
	for (uint32_t i = 1; n->boxes && i <= n->slot_max; i++) {
		struct box *b = n->boxes[i];

		if (!b)
			continue;
		for (size_t k = 0; k < b->veth_count && !n->is_pinned; k++)
			net_veth_detach(b->veths[k]);
		fd_closep(&b->link_fd[0]);
		fd_closep(&b->link_fd[1]);
		free(b->cgroup);
		free(b);
	}
	for (size_t i = 0; i < NET_PROGRAM_ROOT_COUNT; i++)
		fd_closep(&n->link_fd[i]);
	for (size_t i = 0; i < NET_PROGRAM_COUNT; i++)
		fd_closep(&n->prog_fd[i]);
	for (size_t i = 0; i < NET_MAP_COUNT; i++)
		fd_closep(&n->map_fd[i]);
	if (n->words)
		munmap(n->words, (n->slot_max + 1) * sizeof(*n->words));
	free(n->boxes);
	free(n->sets);
	free(n);
}
