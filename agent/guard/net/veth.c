/* veth.c - the program at the host's end of a veth: a filter of clsact, which every kernel has. */
#include "agent/guard/net/net_priv.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "agent/guard/net/netlink.h"

static struct bpf_tc_hook hook_of(uint32_t ifindex, enum bpf_tc_attach_point where)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook), .ifindex = (int)ifindex, .attach_point = where };
}

int net_veth_attach(int prog_fd, uint32_t ifindex, struct err *err)
{
	struct bpf_tc_hook hook = hook_of(ifindex, BPF_TC_INGRESS);
	/* Of our handle an older program is replaced at once; a later filter sees what we let pass. */
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = TC_HANDLE, .priority = TC_PRIORITY,
			    .flags = BPF_TC_F_REPLACE);

	net_quiet();
	int r = bpf_tc_hook_create(&hook);
	if (!r || r == -EEXIST)
		r = bpf_tc_attach(&hook, &opts);
	net_loud();
	return r < 0 ? err_set(err, -r, "device %u", ifindex) : 0;
}

static void note_any(void *arg, uint16_t type, struct slice payload)
{
	if (type == RTM_NEWTFILTER)
		*(bool *)arg = true;
}

static bool has_filters(int fd, uint32_t ifindex, uint32_t parent)
{
	struct tcmsg ask = { .tcm_family = AF_UNSPEC, .tcm_ifindex = (int)ifindex,
			     .tcm_parent = TC_H_MAKE(TC_H_CLSACT, parent) };
	bool has = false;

	if (netlink_ask(fd, RTM_GETTFILTER, NLM_F_DUMP, slice_from(&ask, sizeof(ask)), note_any, &has, NULL) < 0)
		return true; /* what can't be seen is not taken away */
	return has;
}

void net_veth_detach(uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_of(ifindex, BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

	net_quiet();
	int r = bpf_tc_query(&hook, &opts);
	opts.prog_fd = 0;
	opts.prog_id = 0;
	opts.flags = 0;
	if (!r && !bpf_tc_detach(&hook, &opts)) {
		CLEANUP(fd_closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
		/* The qdisc too, unless somebody else's filter is in it. */
		if (fd >= 0 && !has_filters(fd, ifindex, TC_H_MIN_INGRESS) &&
		    !has_filters(fd, ifindex, TC_H_MIN_EGRESS)) {
			hook = hook_of(ifindex, BPF_TC_INGRESS | BPF_TC_EGRESS);
			(void)bpf_tc_hook_destroy(&hook);
		}
	}
	net_loud();
}

void net_veth_clear(bool (*keep)(const void *arg, uint32_t ifindex), const void *arg)
{
	struct if_nameindex *all = if_nameindex();

	for (size_t i = 0; all && all[i].if_index; i++)
		if (!keep || !keep(arg, all[i].if_index))
			net_veth_detach(all[i].if_index);
	if_freenameindex(all);
}
