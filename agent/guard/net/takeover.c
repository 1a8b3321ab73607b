/* takeover.c - what an earlier process left in the maps becomes this one's. */
#include "agent/guard/net/net_priv.h"

#include <errno.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

static void take_names(struct net *n)
{
	char key[ID_BYTES] = "", before[ID_BYTES];
	void *prev = NULL;
	uint32_t slot;

	for (; !bpf_map_get_next_key(n->map_fd[NET_MAP_names], prev, key); prev = before) {
		memcpy(before, key, sizeof(before));
		if (!key[0] || bpf_map_lookup_elem(n->map_fd[NET_MAP_names], key, &slot) < 0 || !slot ||
		    slot > n->slot_max || n->boxes[slot])
			continue;
		struct box *b = net_new_box(n, key, slot);
		struct net_slot word;
		if (!b)
			return;
		memcpy(&word, &n->words[slot], sizeof(word));
		b->set = word.set;
		net_set_ref(n, word.set);
	}
}

static void take_ids(struct net *n, enum net_map map, void (*fn)(struct box *b, uint64_t id))
{
	uint64_t key, before;
	void *prev = NULL;
	uint32_t slot;

	for (; !bpf_map_get_next_key(n->map_fd[map], prev, &key); prev = &before) {
		before = key;
		if (!bpf_map_lookup_elem(n->map_fd[map], &key, &slot) && slot <= n->slot_max && n->boxes[slot])
			fn(n->boxes[slot], key);
	}
}

/* Ids only grow: of a container that was started again the last is its own. */
static void set_cgroup(struct box *b, uint64_t id)
{
	if (id > b->cgroup_id)
		b->cgroup_id = id;
}

static void set_netns(struct box *b, uint64_t cookie)
{
	b->netns_cookie = cookie;
}

static void take_devices(struct net *n)
{
	uint32_t key, before;
	void *prev = NULL;

	for (; !bpf_map_get_next_key(n->map_fd[NET_MAP_devices], prev, &key); prev = &before) {
		struct net_device d;

		before = key;
		if (bpf_map_lookup_elem(n->map_fd[NET_MAP_devices], &key, &d) < 0)
			continue;
		for (size_t i = 0; i < NET_SHARERS && d.slots[i]; i++) {
			struct box *b = d.slots[i] <= n->slot_max ? n->boxes[d.slots[i]] : NULL;
			if (b && b->veth_count < PLACE_VETHS)
				b->veths[b->veth_count++] = key;
		}
	}
}

/* Old programs become ours in place; a container whose cgroup is no more ended while nobody looked. */
void net_take_links(struct net *n)
{
	for (uint32_t i = 1; i <= n->slot_max; i++) {
		struct box *b = n->boxes[i];
		bool can_tell = n->prog_fd[NET_PROGRAM_egress] >= 0 && n->prog_fd[NET_PROGRAM_ingress] >= 0;

		if (!b)
			continue;
		if (b->cgroup_id)
			net_enter_links(n, b);
		if (b->cgroup_id && !b->cgroup && can_tell && !b->has_link[0] && !b->has_link[1])
			net_container_gone(n, b->id);
		else
			net_attach_veths(n, b);
	}
}

static int map_words(struct net *n, struct err *err)
{
	void *p = mmap(NULL, (n->slot_max + 1) * sizeof(*n->words), PROT_READ | PROT_WRITE, MAP_SHARED,
		       n->map_fd[NET_MAP_slots], 0);

	if (p == MAP_FAILED)
		return err_set(err, errno, "map the network's slots");
	n->words = p;
	return 0;
}

int net_take_over(struct net *n, struct err *err)
{
	struct net_knobs before = { 0 };
	uint32_t first = 0;

	(void)bpf_map_lookup_elem(n->map_fd[NET_MAP_knobs], &first, &before);
	n->knobs = (struct net_knobs){ .mode = n->cfg.mode, .is_unknown_denied = n->cfg.is_unknown_denied,
				       .counts_traffic = n->cfg.counts_traffic, .epoch = before.epoch + 1 };
	int r = map_words(n, err);
	if (r >= 0)
		r = net_sets_take_over(n, err);
	if (r < 0)
		return r;
	take_names(n);
	take_ids(n, NET_MAP_cgroups, set_cgroup);
	take_ids(n, NET_MAP_netns, set_netns);
	take_devices(n);
	for (size_t i = 0; i < n->set_count;) /* of nobody any more */
		if (n->sets[i].refs) {
			i++;
		} else {
			n->sets[i].refs = 1;
			net_set_put(n, n->sets[i].number);
		}
	net_put(n, NET_MAP_knobs, &first, &n->knobs);
	loop_timer_once(n->sweep, SWEEP_MS);
	return 0;
}
