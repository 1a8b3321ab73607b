/* net.h - the network part of the policy, in the kernel, and what each container sends and receives.
 *
 *   sock_addr (connect4|6, sendmsg4|6, bind4|6) at the root of cgroup v2   EPERM at once, and a named event
 *   cgroup_skb ingress|egress on each container's cgroup                   raw sockets, connections already open; counts
 *   tc clsact ingress on the host's end of each container's veth           AF_PACKET
 *
 * Prefix maps keyed by the container's number (an LPM trie whose first 32 bits are that number). Links and maps are
 * pinned: what is enforced goes on without the agent, and an agent that starts takes it over without a gap.
 *
 * Judged is where a container opens a connection or sends first; what others open to it, and its answers, are not
 * (ports restrict those). The loopback is judged like any address: who denies by default allows 127.0.0.0/8 and ::1/128,
 * unless the container is on the host's network.
 * One thread: the loop. */
#pragma once
#include "common/clock.h"
#include "common/err.h"
#include "common/loop.h"
#include "common/slice.h"
#include <netinet/in.h>
#include <sys/types.h>

struct net;

enum net_mode { NET_OFF, NET_MONITOR, NET_ENFORCE };
enum net_hook { NET_CONNECT, NET_SENDMSG, NET_BIND, NET_EGRESS, NET_INGRESS, NET_VETH, NET_HOOK_COUNT };
const char *net_hook_name(enum net_hook h); /* connect sendmsg bind egress ingress veth */

struct net_config {
	/* "/sys/fs/bpf/picket/net"; "": not pinned: ends with the process. Of one that is killed the filters on veths stay
	 * (nothing more passes there than before) until the next one starts, or net_clear. */
	const char *pin_dir;
	const char *cgroup_root; /* where cgroup v2 is mounted; "": found in /proc/self/mountinfo */
	enum net_mode mode;
	/* What holds in a cgroup below an engine's that nobody has told of yet. */
	bool is_unknown_denied;
	bool counts_traffic;
	uint64_t interval_ms; /* of the counts; default 60,000 */
	uint32_t max_containers, max_prefixes; /* default 4,096 and 131,072 */
};

/* Something was refused, or would have been. Folded in the kernel: one per container, address, port and hook in a second. */
struct net_event {
	const char *container_id; /* "" not known yet */
	enum net_hook hook;
	bool is_refused;	  /* false: monitored */
	uint8_t address[16];	  /* of the other side; bind: own */
	bool is_v6;
	uint16_t port;		  /* of the other side; bind, and ingress refused by a rule about ports: own */
	uint8_t protocol;	  /* IPPROTO_* */
	uint32_t pid;		  /* 0 where a packet has none */
	char comm[16];
	uint32_t rule;		  /* what net_prefix.rule said; 0: the default */
	uint64_t boot_ns, count;
};
/* Of one container over one interval, or until it went; one that neither sent nor received is not told of. Without the
 * loopback; IP's bytes, without the link's headers. */
struct net_traffic {
	const char *container_id;
	uint64_t from_unix_ns, to_unix_ns;
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets;
	/* the peers with the most bytes, at most NET_PEERS */
	const struct net_peer {
		uint8_t address[16];
		bool is_v6, is_outgoing; /* the container opened it */
		uint16_t port;		 /* the server's side */
		uint8_t protocol;
		uint64_t rx_bytes, tx_bytes, connections;
	} *peers;
	size_t peer_count;
	uint64_t other_bytes; /* of peers beyond */
};
enum { NET_PEERS = 64 };

struct net_ops {
	void (*on_event)(void *arg, const struct net_event *e);
	void (*on_traffic)(void *arg, const struct net_traffic *t); /* nullable */
	void (*on_lost)(void *arg, uint64_t events);		    /* nullable */
};

struct net_prefix {
	uint8_t address[16];
	uint8_t bits;	/* of the address: 0..32, 0..128 */
	bool is_v6, is_denied;
	uint32_t rule;	   /* below 2^31 */
	bool is_monitored; /* a denial that is only told of, also in mode NET_ENFORCE */
};
struct net_ports {
	uint16_t from, to;
	bool is_denied;
	uint32_t rule;
	bool is_monitored;
};
/* What holds for one container. The longest prefix decides (of the same one twice the last); none:
 * is_denied_by_default. ::ffff:a.b.c.d/96+n is a.b.c.d/n. */
struct net_rules {
	const struct net_prefix *prefixes;
	size_t prefix_count;
	const struct net_ports *ports; /* it may listen on; the last that matches decides; none: allowed */
	size_t port_count;
	bool is_denied_by_default;
};

/* Loads, attaches, takes over what is pinned. Errors: EPERM, ENOTSUP (no cgroup v2, no BPF), ENOENT. What can't be had
 * (tc without veth, no bpffs) is no error and stands in net_layers. */
int net_new(struct loop *l, const struct clock *clk, const struct net_config *cfg, const struct net_ops *ops, void *arg,
	    struct net **ret, struct err *err) WARN_UNUSED;
/* A container runs: pid is its init's. Finds its cgroup (v2, also under v1 + unified), its network namespace's veth on
 * the host, attaches, writes its rules. Of connections already open the packets are judged; who shares a namespace
 * keeps rules of its own. Idempotent; rules replaced without a moment in which neither holds. rules: borrowed,
 * nullable: counted only. Call it again when the container is connected to another network.
 * Errors: ESRCH (it is gone), ERR_LIMIT (containers, prefixes; what held before goes on). */
int net_container(struct net *n, const char *id, pid_t pid, const struct net_rules *rules, struct err *err) WARN_UNUSED;
void net_container_gone(struct net *n, const char *id);
/* Its rules are those of an earlier process; this one has said nothing of it yet. */
bool net_is_inherited(const struct net *n, const char *id);
/* Before its first process runs: the kernel knows its cgroup by the id in the name ("/docker/ID", "docker-ID.scope").
 * Errors: EINVAL (the id is not 64 hex digits), ERR_LIMIT. net_container_gone if it never starts. */
int net_container_announce(struct net *n, const char *id, const struct net_rules *rules, struct err *err) WARN_UNUSED;
/* While it is NET_OFF only the layers that count are attached. */
void net_set_mode(struct net *n, enum net_mode mode);

struct net_layer {
	const char *name; /* "connect4", "egress", "veth"; "pin": whether it outlives the process */
	const char *why_not; /* of the last that failed; "": none did */
	size_t attached;     /* to how many cgroups, devices */
	uint64_t runs, run_ns; /* 0 unless kernel.bpf_stats_enabled */
};
void net_layers(struct net *n, void (*fn)(void *arg, const struct net_layer *l), void *arg);
/* Unpins and detaches everything that any agent left: for `picket-agent network release`, and removal of the package.
 * pin_dir: "" for what is pinned nowhere. */
int net_clear(const char *pin_dir, struct err *err) WARN_UNUSED;
/* Closes; what is pinned goes on. */
void net_free(struct net *n);
DEFINE_CLEANUP(struct net, net_free)
