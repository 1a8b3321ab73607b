/* net_priv.h - what the files of this room share. */
#pragma once
#include "agent/bpf/net.h"
#include "agent/guard/net/net.h"
#include "agent/guard/net/place.h"

#include <bpf/libbpf.h>
#include <limits.h>

/* Places of maps in struct net; the programs' own names are net_<name>. */
#define NET_MAPS(M)                                                                                \
	M(knobs) M(names) M(cgroups) M(netns) M(devices) M(slots) M(sets) M(v4) M(v6) M(ports)     \
	M(flows) M(totals) M(seen) M(budgets) M(lost) M(looked_at) M(fragments) M(events)
enum net_map {
#define M(name) NET_MAP_##name,
	NET_MAPS(M)
#undef M
	NET_MAP_COUNT
};

/* The first six at the root of cgroup v2, two at each container's cgroup, one at each veth; PIN is no program: whether
 * it all outlives the process. */
#define NET_PROGRAMS(P)                                                                            \
	P(connect4, BPF_CGROUP_INET4_CONNECT) P(connect6, BPF_CGROUP_INET6_CONNECT)                \
	P(sendmsg4, BPF_CGROUP_UDP4_SENDMSG) P(sendmsg6, BPF_CGROUP_UDP6_SENDMSG)                  \
	P(bind4, BPF_CGROUP_INET4_BIND) P(bind6, BPF_CGROUP_INET6_BIND)                            \
	P(egress, BPF_CGROUP_INET_EGRESS) P(ingress, BPF_CGROUP_INET_INGRESS) P(veth, 0)
enum net_program {
#define P(name, type) NET_PROGRAM_##name,
	NET_PROGRAMS(P)
#undef P
	NET_PROGRAM_COUNT,
	NET_PROGRAM_ROOT_COUNT = NET_PROGRAM_egress,
	NET_LAYER_PIN = NET_PROGRAM_COUNT,
	NET_LAYER_COUNT
};

enum {
	ID_BYTES = 65,
	SWEEP_MS = 200, /* after a set was let go: no program that read its number still runs */
	FOLD_MS = 1000,
	SETTLE_MS = 5000, /* what another version left goes on until we were told of the containers */
	TC_PRIORITY = 1,
	TC_HANDLE = 0x7069636b, /* "pick" */
};
#define BPFFS_MAGIC_NUMBER 0xcafe4a11U
#define CGROUP2_MAGIC_NUMBER 0x63677270U

/* Rules of one or more containers, in the kernel under a number. */
struct set {
	uint8_t digest[32];
	uint32_t number, flags, refs;
};

struct box {
	char id[ID_BYTES];
	uint32_t slot, set;
	uint64_t cgroup_id, netns_cookie; /* 0: none of its own */
	char *cgroup;			  /* its path; NULL until this process was told of it */
	uint32_t veths[PLACE_VETHS];
	bool is_veth_attached[PLACE_VETHS];
	size_t veth_count;
	bool is_told;		  /* in this process */
	bool has_link[2];	  /* egress, ingress */
	int link_fd[2];		  /* -1 when pinned */
	struct net_totals told;	  /* what earlier intervals had */
	uint64_t told_unix_ns;
};

struct net {
	struct loop *loop;
	const struct clock *clk;
	struct net_config cfg;
	char pin_dir[PATH_MAX - 128], cgroup_root[PATH_MAX / 2];
	const struct net_ops *ops;
	void *arg;
	bool is_pinned, is_settled;
	int map_fd[NET_MAP_COUNT], prog_fd[NET_PROGRAM_COUNT], link_fd[NET_PROGRAM_ROOT_COUNT];
	bool is_attached[NET_PROGRAM_ROOT_COUNT];
	char why_not[NET_LAYER_COUNT][160];
	struct net_knobs knobs;
	struct box **boxes; /* by slot; [0] is nobody */
	uint64_t *words;    /* the map of slots: struct net_slot each */
	uint32_t slot_max, next_slot;
	struct set *sets;
	size_t set_count, set_max;
	uint32_t next_set;
	struct ring_buffer *ring;
	struct loop_fd *ring_watch;
	struct loop_timer *fold, *traffic, *sweep, *settle;
	bool is_folding;
	size_t cpu_count;
	uint64_t interval_from_unix_ns;
};

/* net.c: one of an earlier process, or new; no rules yet. */
struct box *net_new_box(struct net *n, const char *id, uint32_t slot);

/* attach.c */
void net_put(struct net *n, enum net_map map, const void *key, const void *value);
void net_drop(struct net *n, enum net_map map, const void *key);
void net_why_not(struct net *n, unsigned layer, const char *what);
void net_enter_cgroup(struct net *n, struct box *b, const struct place *p);
/* What is pinned is taken over; where nobody told of the container yet, only that. */
void net_enter_links(struct net *n, struct box *b);
void net_leave_cgroup(struct net *n, struct box *b);
/* Also those that the kernel found by their names. */
void net_forget_cgroups(struct net *n, uint32_t slot);
void net_enter_netns(struct net *n, struct box *b, const struct place *p);
void net_leave_netns(struct net *n, struct box *b);
void net_attach_veths(struct net *n, struct box *b);
void net_leave_veths(struct net *n, struct box *b);
/* arg: struct net. Somebody's frames come in there. */
bool net_has_device(const void *arg, uint32_t ifindex);

/* takeover.c */
int net_take_over(struct net *n, struct err *err) WARN_UNUSED;
/* Old programs become ours in place; a container whose cgroup is no more ended while nobody looked. */
void net_take_links(struct net *n);

/* load.c: libbpf's words while quiet are kept, not printed. */
void net_quiet(void);
void net_loud(void);
const char *net_last_message(void);
int net_load(struct net *n, struct err *err) WARN_UNUSED;
/* At the root; replaces what is pinned there. */
void net_detach_root(struct net *n);
void net_attach_root(struct net *n);
/* Pins of other layouts and of our own maps before they grew. */
void net_drop_old_pins(struct net *n);
/* Makes or takes over the link of program p at the cgroup; pin: its name below links/. ret_fd: -1 when pinned. */
int net_attach_cgroup(struct net *n, enum net_program p, int cgroup_fd, const char *pin, int *ret_fd,
		      struct err *err) WARN_UNUSED;

/* sets.c */
int net_sets_take_over(struct net *n, struct err *err) WARN_UNUSED;
/* The set of these rules, written if it isn't yet; one reference more. rules: nullable, then number 0. */
int net_set_get(struct net *n, const struct net_rules *rules, struct net_slot *ret, struct err *err) WARN_UNUSED;
void net_set_ref(struct net *n, uint32_t number);
void net_set_put(struct net *n, uint32_t number);
/* Deletes the prefixes of sets that are no more. */
void net_sets_sweep(struct net *n);

/* veth.c */
int net_veth_attach(int prog_fd, uint32_t ifindex, struct err *err) WARN_UNUSED;
void net_veth_detach(uint32_t ifindex);
/* Of every device of this network namespace but those that keep says. keep: nullable. */
void net_veth_clear(bool (*keep)(const void *arg, uint32_t ifindex), const void *arg);

/* told.c */
int net_told_start(struct net *n, struct err *err) WARN_UNUSED;
/* All that is to be told of this slot, before it is another's. */
void net_told_drain(struct net *n, uint32_t slot);

/* traffic.c */
void net_traffic_start(struct net *n);
/* The box's totals count from here. */
void net_traffic_begin(struct net *n, struct box *b);
/* Tells what the box had since, and forgets its connections. */
void net_traffic_end(struct net *n, struct box *b);
