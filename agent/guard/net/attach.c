/* attach.c - where a container's rules hold: its cgroup, its network namespace, the host's ends of its veths. */
#include "agent/guard/net/net_priv.h"

#include <errno.h>
#include <fcntl.h>

#include <bpf/bpf.h>

#include "common/file.h"

static const char *const links[] = { "egress", "ingress" };

void net_put(struct net *n, enum net_map map, const void *key, const void *value)
{
	(void)bpf_map_update_elem(n->map_fd[map], key, value, BPF_ANY);
}

void net_drop(struct net *n, enum net_map map, const void *key)
{
	(void)bpf_map_delete_elem(n->map_fd[map], key);
}

void net_why_not(struct net *n, unsigned layer, const char *what)
{
	(void)slice_copy(slice_of(what), n->why_not[layer], sizeof(n->why_not[layer]));
}

/* --- devices --- */

static size_t sharers_of(const struct net *n, uint32_t ifindex, struct net_device *ret)
{
	size_t count = 0;

	*ret = (struct net_device){ 0 };
	for (uint32_t i = 1; i <= n->slot_max; i++)
		for (size_t k = 0; n->boxes[i] && k < n->boxes[i]->veth_count; k++)
			if (n->boxes[i]->veths[k] == ifindex) {
				if (count < NET_SHARERS)
					ret->slots[count] = i;
				count++;
			}
	return count;
}

/* Whose frames may come in there. Nobody's: the program goes. */
static bool put_device(struct net *n, uint32_t ifindex)
{
	struct net_device d;
	size_t count = sharers_of(n, ifindex, &d);
	struct err e = { 0 };

	if (!count || count > NET_SHARERS) {
		net_drop(n, NET_MAP_devices, &ifindex);
		if (n->is_settled)
			net_veth_detach(ifindex);
		if (count)
			net_why_not(n, NET_PROGRAM_veth, "more than 8 containers share a network");
		return false;
	}
	net_put(n, NET_MAP_devices, &ifindex, &d);
	if (!n->is_settled)
		return false;
	if (n->prog_fd[NET_PROGRAM_veth] < 0 || net_veth_attach(n->prog_fd[NET_PROGRAM_veth], ifindex, &e) < 0) {
		if (e.code && e.code != ENODEV)
			net_why_not(n, NET_PROGRAM_veth, e.msg);
		return false;
	}
	return true;
}

void net_attach_veths(struct net *n, struct box *b)
{
	for (size_t i = 0; i < b->veth_count; i++)
		b->is_veth_attached[i] = put_device(n, b->veths[i]);
}

void net_leave_veths(struct net *n, struct box *b)
{
	size_t count = b->veth_count;

	b->veth_count = 0;
	for (size_t i = 0; i < count; i++)
		(void)put_device(n, b->veths[i]);
}

/* --- cgroups --- */

static void pin_name(const struct box *b, size_t which, char *ret, size_t size)
{
	snprintf(ret, size, "%s-%016llx", links[which], (unsigned long long)b->cgroup_id);
}

/* What is pinned is taken over; where nobody told of the container yet, only that. */
void net_enter_links(struct net *n, struct box *b)
{
	char path[PATH_MAX];
	CLEANUP(fd_closep) int fd = -1;

	if (b->cgroup) {
		snprintf(path, sizeof(path), "%s%s", n->cgroup_root, b->cgroup);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	for (size_t i = 0; n->is_settled && i < ARRAY_LEN(links); i++) {
		enum net_program p = NET_PROGRAM_egress + (unsigned)i;
		struct err e = { 0 };
		char pin[64];

		if (b->has_link[i])
			continue;
		pin_name(b, i, pin, sizeof(pin));
		b->has_link[i] = net_attach_cgroup(n, p, fd, pin, &b->link_fd[i], &e) >= 0;
		if (!b->has_link[i] && fd >= 0)
			net_why_not(n, p, e.msg);
	}
}

void net_leave_cgroup(struct net *n, struct box *b)
{
	for (size_t i = 0; i < ARRAY_LEN(links) && b->cgroup_id; i++) {
		char pin[64], path[PATH_MAX];

		pin_name(b, i, pin, sizeof(pin));
		snprintf(path, sizeof(path), "%s/links/%s", n->pin_dir, pin);
		if (n->is_pinned)
			(void)unlink(path);
		fd_closep(&b->link_fd[i]);
		b->link_fd[i] = -1;
		b->has_link[i] = false;
	}
	if (b->cgroup_id)
		net_drop(n, NET_MAP_cgroups, &b->cgroup_id);
	b->cgroup_id = 0;
}

/* Also those that the kernel found by their names. */
void net_forget_cgroups(struct net *n, uint32_t slot)
{
	uint64_t key, alive;
	void *prev = NULL;
	uint32_t its;

	while (!bpf_map_get_next_key(n->map_fd[NET_MAP_cgroups], prev, &key)) {
		if (!bpf_map_lookup_elem(n->map_fd[NET_MAP_cgroups], &key, &its) && its == slot &&
		    !bpf_map_delete_elem(n->map_fd[NET_MAP_cgroups], &key))
			continue;
		alive = key;
		prev = &alive;
	}
}

void net_enter_cgroup(struct net *n, struct box *b, const struct place *p)
{
	if (b->cgroup_id != p->cgroup_id) {
		net_leave_cgroup(n, b);
		b->cgroup_id = p->cgroup_id;
	}
	free(b->cgroup);
	b->cgroup = b->cgroup_id ? slice_dup(slice_of(p->cgroup)) : NULL;
	if (!b->cgroup_id) {
		net_why_not(n, NET_PROGRAM_egress, "a container has no cgroup of version 2");
		net_why_not(n, NET_PROGRAM_ingress, "a container has no cgroup of version 2");
		return;
	}
	net_put(n, NET_MAP_cgroups, &b->cgroup_id, &b->slot);
	net_enter_links(n, b);
}

/* --- network namespaces --- */

/* Of those who share one, the first is asked for what is in no cgroup of theirs. */
static void put_netns(struct net *n, uint64_t cookie)
{
	uint32_t slot;

	if (!cookie)
		return;
	if (!bpf_map_lookup_elem(n->map_fd[NET_MAP_netns], &cookie, &slot) && slot <= n->slot_max &&
	    n->boxes[slot] && n->boxes[slot]->netns_cookie == cookie)
		return;
	for (uint32_t i = 1; i <= n->slot_max; i++)
		if (n->boxes[i] && n->boxes[i]->netns_cookie == cookie) {
			net_put(n, NET_MAP_netns, &cookie, &i);
			return;
		}
	net_drop(n, NET_MAP_netns, &cookie);
}

void net_leave_netns(struct net *n, struct box *b)
{
	uint64_t before = b->netns_cookie;

	b->netns_cookie = 0;
	put_netns(n, before);
}

void net_enter_netns(struct net *n, struct box *b, const struct place *p)
{
	if (b->netns_cookie != p->netns_cookie)
		net_leave_netns(n, b);
	if (b->veth_count != p->veth_count || memcmp(b->veths, p->veths, sizeof(p->veths)))
		net_leave_veths(n, b);
	b->netns_cookie = p->netns_cookie;
	memcpy(b->veths, p->veths, sizeof(b->veths));
	b->veth_count = p->veth_count;
	put_netns(n, b->netns_cookie);
	net_attach_veths(n, b);
	if (!p->veth_count && !p->is_host_net)
		net_why_not(n, NET_PROGRAM_veth, "a container's network has no veth on this host");
}

bool net_has_device(const void *arg, uint32_t ifindex)
{
	const struct net *n = arg;
	struct net_device d;

	return !bpf_map_lookup_elem(n->map_fd[NET_MAP_devices], &ifindex, &d);
}
