/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* net.bpf.c - what a container may reach and listen on, and what it sends and receives.
 *
 * sock_addr at the root of cgroup v2 (4.17; the cgroup's ancestors, the network namespace's cookie: 5.7),
 * cgroup_skb at each container's cgroup (sockets' cgroups: 5.8), sched_cls at the host's end of a veth.
 *
 * A destination is judged where the container opens a connection, or sends first. What others open to it
 * is not, nor the answers: flows remembers who opened. */
#include <bpf/bpf_endian.h>

#include "agent/bpf/kernel.h"
#include "agent/bpf/net.h"

char LICENSE[] SEC("license") = "GPL";

/* as in agent/guard/net/net.h */
enum { MODE_OFF, MODE_MONITOR, MODE_ENFORCE };
enum { HOOK_CONNECT, HOOK_SENDMSG, HOOK_BIND, HOOK_EGRESS, HOOK_INGRESS, HOOK_VETH };

enum {
	SOCK_RAW_TYPE = 3,
	FAMILY_V4 = 2,
	LOOPBACK_IFINDEX = 1, /* in every network namespace */
	ANCESTORS_MAX = 12,   /* levels below the root where an engine puts containers */
	NAMES_MAX = 32,	      /* levels looked through for one that was only announced */
	ETHERTYPE_IP = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_ARP = 0x0806,
	PROTO_ICMP = 1,
	PROTO_IGMP = 2,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ICMPV6 = 58,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,
	STATE_LISTEN = 10,
	GO_ON = 1,
	TC_UNSPEC = -1, /* the next filter decides */
	TC_SHOT = 2,
};
#define SECOND_NS 1000000000ULL
#define UDP_ANSWER_NS (180 * SECOND_NS)

#define MAP(name, kind, flags, key_type, value_type, entries)                                      \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(map_flags, flags);                                                          \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
		__uint(max_entries, entries);                                                      \
	} name SEC(".maps")

struct net_id {
	char hex[NET_ID_BYTES];
};

/* Sizes marked "loader" are set between open and load. */
MAP(net_knobs, BPF_MAP_TYPE_ARRAY, 0, u32, struct net_knobs, 1);
MAP(net_names, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct net_id, u32, 4096);		     /* loader */
MAP(net_cgroups, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, u64, u32, 8192);			     /* loader */
MAP(net_netns, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, u64, u32, 4096);			     /* loader */
MAP(net_devices, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, u32, struct net_device, 8192);	     /* loader */
MAP(net_slots, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, u32, u64, 4096);			     /* loader */
MAP(net_sets, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, u32, struct net_set, 4096);		     /* loader */
MAP(net_v4, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct net_v4_key, struct net_verdict, 131072); /* loader */
MAP(net_v6, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct net_v6_key, struct net_verdict, 131072); /* loader */
MAP(net_ports, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct net_port_key, struct net_verdict, 65536);
MAP(net_flows, BPF_MAP_TYPE_LRU_HASH, 0, struct net_flow_key, struct net_flow, 32768);
MAP(net_totals, BPF_MAP_TYPE_PERCPU_HASH, BPF_F_NO_PREALLOC, u32, struct net_totals, 4096); /* loader */
MAP(net_seen, BPF_MAP_TYPE_LRU_HASH, 0, struct net_seen_key, struct net_seen, 4096);
MAP(net_budgets, BPF_MAP_TYPE_ARRAY, 0, u32, struct net_budget, 4096); /* loader */
MAP(net_lost, BPF_MAP_TYPE_PERCPU_ARRAY, 0, u32, u64, NET_LOST_COUNT);
/* Cgroups whose names were looked through: 1: an engine's that nobody told of. Ids don't come again. */
MAP(net_looked_at, BPF_MAP_TYPE_LRU_HASH, 0, u64, u8, 4096);
MAP(net_fragments, BPF_MAP_TYPE_LRU_HASH, 0, struct net_fragment_key, u8, 1024);
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 10);
} net_events SEC(".maps");

static __always_inline struct net_knobs *knobs_of(void)
{
	u32 first = 0;

	return bpf_map_lookup_elem(&net_knobs, &first);
}

static __always_inline u64 word_of(u32 slot)
{
	u64 *word = bpf_map_lookup_elem(&net_slots, &slot);

	return word ? *(volatile u64 *)word : 0;
}
#define SET_OF(word) ((u32)(word))
#define FLAGS_OF(word) ((u32)((word) >> 32))

/* --- telling --- */

static __always_inline void lose(void)
{
	u32 which = NET_LOST_EVENTS;
	u64 *lost = bpf_map_lookup_elem(&net_lost, &which);

	if (lost)
		__sync_fetch_and_add(lost, 1);
}

static __always_inline bool may_tell(u32 slot, u64 now)
{
	struct net_budget *b = bpf_map_lookup_elem(&net_budgets, &slot);

	if (!b)
		return false;
	if (now - b->from_ns >= SECOND_NS) {
		b->from_ns = now;
		b->told = 0;
	}
	/* Two CPUs at once may tell one too many: it bounds, it does not count. */
	return b->told++ < NET_TOLD_PER_SECOND;
}

/* r: key filled, of seen what the hook knows. */
static __always_inline void tell(struct net_record *r, bool is_refused)
{
	u64 now = bpf_ktime_get_boot_ns();
	struct net_seen *seen = bpf_map_lookup_elem(&net_seen, &r->key);

	if (seen && now - seen->from_ns < SECOND_NS) {
		__sync_fetch_and_add(&seen->pending, 1);
		return;
	}
	r->seen.is_refused = is_refused;
	r->seen.from_ns = now;
	u64 before = seen ? seen->pending : 0;
	r->seen.pending = 0;
	bpf_map_update_elem(&net_seen, &r->key, &r->seen, BPF_ANY);
	r->seen.pending = before + 1;
	if (!may_tell(r->key.slot, now) || bpf_ringbuf_output(&net_events, r, sizeof(*r), 0))
		lose();
}

/* --- judging --- */

/* Of a packet's or a call's other side. */
struct side {
	u8 address[16];
	u32 rule;
	bool is_v6;
};

static __always_inline bool is_denied(u64 word, struct side *s)
{
	struct net_verdict *v;

	s->rule = 0;
	if (!(FLAGS_OF(word) & NET_DENIES))
		return false;
	if (s->is_v6) {
		struct net_v6_key key = { .bits = 32 + 128, .set = SET_OF(word) };

		__builtin_memcpy(key.address, s->address, 16);
		v = bpf_map_lookup_elem(&net_v6, &key);
	} else {
		struct net_v4_key key = { .bits = 32 + 32, .set = SET_OF(word) };

		__builtin_memcpy(key.address, s->address, 4);
		v = bpf_map_lookup_elem(&net_v4, &key);
	}
	if (!v)
		return FLAGS_OF(word) & NET_DEFAULT_DENIED;
	s->rule = v->rule;
	return v->is_denied;
}

static __always_inline bool is_port_denied(u64 word, u16 port, u32 *rule)
{
	struct net_port_key key = { .bits = 32 + 16, .set = SET_OF(word) };

	if (!(FLAGS_OF(word) & NET_DENIES_PORTS))
		return false;
	key.port[0] = port >> 8;
	key.port[1] = port & 0xff;
	struct net_verdict *v = bpf_map_lookup_elem(&net_ports, &key);
	if (!v)
		return false;
	*rule = v->rule;
	return v->is_denied;
}

/* --- whose cgroup --- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SCOPE_TAIL 0x65706f63732eULL /* ".scope" */
#else
#error "the tail of a scope's name, in big endian"
#endif

static const char hex_digits[256] = {
	['0' ... '9'] = 1,
	['a' ... 'f'] = 1,
};

static __always_inline struct kernfs_node *parent_of(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return BPF_CORE_READ((struct kernfs_node___v5 *)kn, parent);
}

/* Where in the kernel's memory the id in a cgroup's name stands: "<64 hex>", "docker-<64 hex>.scope",
 * "libpod-<64 hex>", "…:cri-containerd:<64 hex>"; 0: none. Global: judged once by the verifier. All reads are of fixed
 * size at fixed places of the stack: 5.10 knows no others. */
__noinline u64 net_find_id(u64 node)
{
	const char *name = BPF_CORE_READ((struct kernfs_node *)node, name);
	char text[88], before = 0;
	u64 tail = 0;
	u8 are_hex = 1;

	long n = bpf_probe_read_kernel_str(text, sizeof(text), name) - 1;
	if (n == sizeof(text) - 1) /* its end may be further on */
		n += bpf_probe_read_kernel_str(text, sizeof(text), name + n) - 1;
	if (n < NET_ID_BYTES)
		return 0;
	const char *id = name + n - NET_ID_BYTES;
	if (n >= NET_ID_BYTES + 6) {
		bpf_probe_read_kernel(&tail, 6, name + n - 6);
		if (tail == SCOPE_TAIL)
			id -= 6;
	}
	if (id != name) {
		bpf_probe_read_kernel(&before, 1, id - 1);
		if (before != '-' && before != ':')
			return 0;
	}
	if (bpf_probe_read_kernel(text, NET_ID_BYTES, id))
		return 0;
	/* Without a branch: one state for the verifier, whatever stands there. */
	for (int i = 0; i < NET_ID_BYTES; i++)
		are_hex &= hex_digits[(u8)text[i]];
	return are_hex ? (u64)id : 0;
}

enum { WHOSE_HOST, WHOSE_UNKNOWN, WHOSE_TOLD };

/* By the names of the cgroup and those above it; the outermost counts, like everywhere. A container that was announced
 * is known from here on by its cgroup. */
static __noinline int look_at_names(u32 *ret_slot)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct kernfs_node *kn = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
	struct net_id id;
	u64 found = 0, cgroup_id = 0;

	for (int i = 0; i < NAMES_MAX && kn; i++) {
		u64 at = net_find_id((u64)kn);
		if (at) {
			found = at;
			cgroup_id = BPF_CORE_READ(kn, id);
		}
		kn = parent_of(kn);
	}
	if (!found || bpf_probe_read_kernel(&id, sizeof(id), (void *)found))
		return WHOSE_HOST;
	u32 *slot = bpf_map_lookup_elem(&net_names, &id);
	if (!slot)
		return WHOSE_UNKNOWN;
	*ret_slot = *slot;
	bpf_map_update_elem(&net_cgroups, &cgroup_id, ret_slot, BPF_ANY);
	return WHOSE_TOLD;
}

/* The slot of the calling process's container. */
static __always_inline u32 *slot_of_current(u64 id)
{
	u32 *slot = bpf_map_lookup_elem(&net_cgroups, &id);

	/* From the root down: what a container makes below its own cgroup is its own. */
	for (int level = 1; !slot && level <= ANCESTORS_MAX; level++) {
		u64 up = bpf_get_current_ancestor_cgroup_id(level);

		if (!up || up == id)
			break;
		slot = bpf_map_lookup_elem(&net_cgroups, &up);
	}
	return slot;
}

static __always_inline int whose(struct bpf_sock_addr *ctx, const struct net_knobs *knobs, u64 id, u32 *ret_slot)
{
	u32 *slot = slot_of_current(id);
	int r = WHOSE_HOST;

	if (slot) {
		*ret_slot = *slot;
		return WHOSE_TOLD;
	}
	u8 *looked = bpf_map_lookup_elem(&net_looked_at, &id);
	if (!looked || *looked) {
		r = look_at_names(ret_slot);
		if (r == WHOSE_TOLD)
			return r;
		u8 is_engines = r == WHOSE_UNKNOWN;
		if (!looked)
			bpf_map_update_elem(&net_looked_at, &id, &is_engines, BPF_ANY);
	}
	if (r == WHOSE_UNKNOWN && knobs->is_unknown_denied)
		return r;
	u64 cookie = bpf_get_netns_cookie(ctx);
	slot = bpf_map_lookup_elem(&net_netns, &cookie);
	if (!slot)
		return r;
	*ret_slot = *slot;
	return WHOSE_TOLD;
}

/* --- sock_addr --- */

/* A datagram back to who sent one to this very socket's port. */
static __always_inline bool is_answer(struct bpf_sock_addr *ctx, u32 slot, u16 port, const struct side *s)
{
	struct net_flow_key key = { .slot = slot, .peer_port = port, .protocol = PROTO_UDP, .is_v6 = s->is_v6 };
	struct bpf_sock *sk = ctx->sk;

	if (!sk || ctx->protocol != PROTO_UDP)
		return false;
	key.local_port = sk->src_port;
	__builtin_memcpy(key.peer, s->address, 16);
	struct net_flow *f = bpf_map_lookup_elem(&net_flows, &key);
	return f && !f->is_outgoing && bpf_ktime_get_ns() - f->seen_ns <= UDP_ANSWER_NS;
}

static __always_inline int judge_call(struct bpf_sock_addr *ctx, u8 hook, struct side *s)
{
	struct net_knobs *knobs = knobs_of();
	u16 port = bpf_ntohs((u16)ctx->user_port);
	u32 slot = NET_SLOT_NONE;
	bool denied = true;

	if (!knobs || knobs->mode == MODE_OFF)
		return GO_ON;
	u64 id = bpf_get_current_cgroup_id();
	int w = whose(ctx, knobs, id, &slot);
	if (w == WHOSE_HOST || (w == WHOSE_UNKNOWN && (!knobs->is_unknown_denied || hook == HOOK_BIND)))
		return GO_ON;
	s->rule = 0;
	if (w == WHOSE_TOLD) {
		u64 word = word_of(slot);
		if (hook == HOOK_BIND)
			denied = port && is_port_denied(word, port, &s->rule);
		else
			denied = is_denied(word, s) && !is_answer(ctx, slot, port, s);
	}
	if (!denied)
		return GO_ON;
	struct net_record r = {
		.key = { .slot = slot, .port = port, .hook = hook, .is_v6 = s->is_v6 },
		.seen = { .cgroup_id = id, .pid = bpf_get_current_pid_tgid() >> 32,
			  .rule = s->rule, .protocol = ctx->protocol },
	};
	__builtin_memcpy(r.key.address, s->address, 16);
	bpf_get_current_comm(r.seen.comm, sizeof(r.seen.comm));
	bool is_refused = knobs->mode == MODE_ENFORCE && !(s->rule & NET_RULE_MONITORED);
	tell(&r, is_refused);
	return !is_refused;
}

static __always_inline int call_v4(struct bpf_sock_addr *ctx, u8 hook)
{
	struct side s = {};
	u32 a = ctx->user_ip4;

	/* 0.0.0.0 leads to oneself. */
	if (!a && hook != HOOK_BIND)
		a = bpf_htonl(0x7f000001);
	__builtin_memcpy(s.address, &a, 4);
	return judge_call(ctx, hook, &s);
}

static __always_inline int call_v6(struct bpf_sock_addr *ctx, u8 hook)
{
	struct side s = { .is_v6 = true };
	u32 a[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };

	if (!a[0] && !a[1] && a[2] == bpf_htonl(0xffff)) { /* IPv4 through an IPv6 socket */
		s.is_v6 = false;
		a[0] = a[3];
		if (!a[0] && hook != HOOK_BIND)
			a[0] = bpf_htonl(0x7f000001);
		a[2] = a[3] = 0;
	} else if (!a[0] && !a[1] && !a[2] && !a[3] && hook != HOOK_BIND) {
		a[3] = bpf_htonl(1);
	}
	__builtin_memcpy(s.address, a, 16);
	return judge_call(ctx, hook, &s);
}

SEC("cgroup/connect4") int net_connect4(struct bpf_sock_addr *ctx)
{
	return call_v4(ctx, HOOK_CONNECT);
}
SEC("cgroup/connect6") int net_connect6(struct bpf_sock_addr *ctx)
{
	return call_v6(ctx, HOOK_CONNECT);
}
SEC("cgroup/sendmsg4") int net_sendmsg4(struct bpf_sock_addr *ctx)
{
	return call_v4(ctx, HOOK_SENDMSG);
}
SEC("cgroup/sendmsg6") int net_sendmsg6(struct bpf_sock_addr *ctx)
{
	return call_v6(ctx, HOOK_SENDMSG);
}
SEC("cgroup/bind4") int net_bind4(struct bpf_sock_addr *ctx)
{
	return call_v4(ctx, HOOK_BIND);
}
SEC("cgroup/bind6") int net_bind6(struct bpf_sock_addr *ctx)
{
	return call_v6(ctx, HOOK_BIND);
}

/* --- packets --- */

struct packet {
	u8 from[16], to[16];
	u16 from_port, to_port;
	u32 fragment_id;
	u16 header_bytes; /* of IP and of TCP or UDP */
	u8 protocol, tcp_flags, icmp_type;
	bool is_v6, is_fragment, is_later_fragment;
};

#define LOAD(skb, at, to) bpf_skb_load_bytes_relative(skb, at, &(to), sizeof(to), BPF_HDR_START_NET)

static __always_inline void read_transport(struct __sk_buff *skb, struct packet *p, u32 at)
{
	u16 ports[2], flags;
	u8 type;

	p->header_bytes = at;
	if (p->is_later_fragment)
		return;
	if (p->protocol == PROTO_ICMP || p->protocol == PROTO_ICMPV6) {
		if (!LOAD(skb, at, type))
			p->icmp_type = type;
		return;
	}
	/* TCP, UDP, UDP-Lite, SCTP, DCCP */
	if (p->protocol != PROTO_TCP && p->protocol != PROTO_UDP && p->protocol != 136 &&
	    p->protocol != 132 && p->protocol != 33)
		return;
	if (LOAD(skb, at, ports))
		return;
	p->from_port = bpf_ntohs(ports[0]);
	p->to_port = bpf_ntohs(ports[1]);
	if (p->protocol == PROTO_TCP && !LOAD(skb, at + 12, flags)) {
		flags = bpf_ntohs(flags);
		p->tcp_flags = flags & 0xff;
		p->header_bytes += (flags >> 12) * 4;
	} else {
		p->header_bytes += 8;
	}
}

static __always_inline bool read_v4(struct __sk_buff *skb, struct packet *p)
{
	u8 h[20];

	if (LOAD(skb, 0, h) || h[0] >> 4 != 4)
		return false;
	u16 fragment = (h[6] & 0x3f) << 8 | h[7]; /* with "more" */
	p->is_fragment = fragment;
	p->is_later_fragment = fragment & 0x1fff;
	p->fragment_id = h[4] << 8 | h[5];
	p->protocol = h[9];
	__builtin_memcpy(p->from, h + 12, 4);
	__builtin_memcpy(p->to, h + 16, 4);
	read_transport(skb, p, (h[0] & 15) * 4);
	return true;
}

static __always_inline bool read_v6(struct __sk_buff *skb, struct packet *p)
{
	u8 h[40], ext[8];
	u32 at = sizeof(h);

	if (LOAD(skb, 0, h) || h[0] >> 4 != 6)
		return false;
	p->is_v6 = true;
	p->protocol = h[6];
	__builtin_memcpy(p->from, h + 8, 16);
	__builtin_memcpy(p->to, h + 24, 16);
	for (int i = 0; i < 6; i++) { /* hop by hop, routing, fragment, authentication, destination */
		u8 next = p->protocol;

		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
			break;
		if (LOAD(skb, at, ext))
			break;
		p->protocol = ext[0];
		if (next == 44) {
			p->is_fragment = true;
			__builtin_memcpy(&p->fragment_id, ext + 4, 4);
			at += 8;
			if (ext[2] || ext[3] & 0xf8) {
				p->is_later_fragment = true;
				break;
			}
		} else if (next == 51) {
			at += (ext[1] + 2) * 4;
		} else {
			at += (ext[1] + 1) * 8;
		}
	}
	read_transport(skb, p, at);
	return true;
}

static __always_inline bool read_packet(struct __sk_buff *skb, struct packet *p)
{
	u16 kind = bpf_ntohs((u16)skb->protocol);

	if (kind == ETHERTYPE_IP)
		return read_v4(skb, p);
	return kind == ETHERTYPE_IPV6 && read_v6(skb, p);
}

static __always_inline void flow_key(struct net_flow_key *key, u32 slot, const struct packet *p, bool is_egress)
{
	key->slot = slot;
	key->protocol = p->protocol;
	key->is_v6 = p->is_v6;
	__builtin_memcpy(key->peer, is_egress ? p->to : p->from, 16);
	key->peer_port = is_egress ? p->to_port : p->from_port;
	key->local_port = is_egress ? p->from_port : p->to_port;
}

static __always_inline void tell_packet(u8 hook, const struct net_flow_key *key, u32 rule, bool is_refused)
{
	struct net_record r = {
		.key = { .slot = key->slot, .hook = hook, .is_v6 = key->is_v6 },
		.seen = { .rule = rule, .protocol = key->protocol },
	};

	/* A packet that comes in is told by the port it is for only where that port is the matter. */
	r.key.port = key->peer_port;
	__builtin_memcpy(r.key.address, key->peer, 16);
	tell(&r, is_refused);
}

/* --- cgroup_skb --- */

/* What a network needs to work, and that goes no further than the link. */
static __always_inline bool is_of_the_link(const struct packet *p)
{
	if (!p->is_v6) /* IGMP to 224.0.0.0/24 */
		return p->protocol == PROTO_IGMP && p->to[0] == 224 && !p->to[1] && !p->to[2];
	bool is_near = (p->to[0] == 0xff && (p->to[1] & 15) <= 2) || (p->to[0] == 0xfe && (p->to[1] & 0xc0) == 0x80);
	/* multicast listeners; neighbours and routers */
	return p->protocol == PROTO_ICMPV6 && is_near &&
	       ((p->icmp_type >= 130 && p->icmp_type <= 137) || p->icmp_type == 143);
}

/* The kernel's own answers to what came from outside: dropped like all else, but not the container's doing. */
static __always_inline bool is_kernels_answer(const struct packet *p)
{
	u8 t = p->icmp_type;

	if (p->protocol == PROTO_TCP)
		return p->tcp_flags & TCP_RST;
	if (p->protocol == PROTO_ICMP)
		return t == 0 || t == 3 || t == 11;
	return p->protocol == PROTO_ICMPV6 && ((t >= 1 && t <= 4) || t == 129);
}

static __always_inline u32 slot_of_skb(struct __sk_buff *skb)
{
	u64 id = bpf_skb_cgroup_id(skb);
	u32 *slot = bpf_map_lookup_elem(&net_cgroups, &id);

	for (int level = 1; !slot && level <= ANCESTORS_MAX; level++) {
		u64 up = bpf_skb_ancestor_cgroup_id(skb, level);

		if (!up || up == id)
			break;
		slot = bpf_map_lookup_elem(&net_cgroups, &up);
	}
	return slot ? *slot : NET_SLOT_NONE;
}

/* Somebody listens at the packet's own end: then others connect, not we. Asked once per connection that was there
 * before us, or that we forgot. */
static __always_inline bool has_listener(struct __sk_buff *skb, const struct packet *p, bool is_egress)
{
	struct bpf_sock_tuple t = {};

	/* The other side's port 0 is nobody's, so that only a listener is found. */
	if (p->is_v6) {
		__builtin_memcpy(t.ipv6.saddr, is_egress ? p->to : p->from, 16);
		__builtin_memcpy(t.ipv6.daddr, is_egress ? p->from : p->to, 16);
		t.ipv6.dport = bpf_htons(is_egress ? p->from_port : p->to_port);
	} else {
		__builtin_memcpy(&t.ipv4.saddr, is_egress ? p->to : p->from, 4);
		__builtin_memcpy(&t.ipv4.daddr, is_egress ? p->from : p->to, 4);
		t.ipv4.dport = bpf_htons(is_egress ? p->from_port : p->to_port);
	}
	struct bpf_sock *sk = p->is_v6 ? bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0) :
					 bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	bool is_listener = sk->state == STATE_LISTEN;
	bpf_sk_release(sk);
	return is_listener;
}

struct seen_by {
	u32 type, state; /* of the socket */
	bool is_egress, is_loopback, is_syn;
};

/* Who opened it; < 0: not to be remembered. */
static __always_inline int opened_by(struct __sk_buff *skb, const struct packet *p, const struct seen_by *by)
{
	enum { OTHERS, OURSELVES };
	/* What a raw socket makes may say anything of itself. On the loopback anybody may be the sender. */
	if (by->is_egress && (by->type == SOCK_RAW_TYPE || by->is_loopback))
		return OURSELVES;
	if (!by->is_egress && (by->type == SOCK_RAW_TYPE || by->is_loopback))
		return -1;
	if (p->protocol == PROTO_TCP) {
		if (by->is_syn)
			return by->is_egress ? OURSELVES : by->state == STATE_LISTEN ? OTHERS : -1;
		if (by->state == STATE_LISTEN)
			return OTHERS;
		return !has_listener(skb, p, by->is_egress);
	}
	if (by->is_egress)
		return OURSELVES;
	return p->protocol == PROTO_UDP || p->protocol == 132 ? OTHERS : -1;
}

static __always_inline struct net_flow *open_flow(struct __sk_buff *skb, const struct packet *p,
						  const struct seen_by *by, const struct net_flow_key *key,
						  struct net_flow *f, u32 epoch)
{
	int is_outgoing = opened_by(skb, p, by);

	if (is_outgoing < 0)
		return f;
	if (f) {
		f->is_outgoing = is_outgoing;
		f->opened_epoch = epoch;
		f->set = 0;
		return f;
	}
	struct net_flow fresh = { .is_outgoing = is_outgoing, .epoch = epoch, .opened_epoch = epoch };

	bpf_map_update_elem(&net_flows, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&net_flows, key);
}

/* connect or sendmsg told of it a moment ago; the packets need not say it again. */
static __always_inline bool was_told(const struct net_flow_key *key)
{
	struct net_seen_key k = { .slot = key->slot, .port = key->peer_port, .hook = HOOK_CONNECT,
				  .is_v6 = key->is_v6 };

	__builtin_memcpy(k.address, key->peer, 16);
	if (bpf_map_lookup_elem(&net_seen, &k))
		return true;
	k.hook = HOOK_SENDMSG;
	return bpf_map_lookup_elem(&net_seen, &k);
}

static __always_inline void judge_flow(struct net_flow *f, const struct net_flow_key *key, u64 word, bool is_raw)
{
	struct side s = { .is_v6 = key->is_v6 };

	__builtin_memcpy(s.address, key->peer, 16);
	f->is_denied = is_denied(word, &s);
	f->rule = s.rule;
	f->is_told = f->is_denied && !is_raw && was_told(key);
	f->set = SET_OF(word);
}

static __always_inline void count(struct __sk_buff *skb, const struct packet *p, struct net_flow *f, u32 slot,
				  bool is_egress, u32 epoch)
{
	struct net_totals *t = bpf_map_lookup_elem(&net_totals, &slot);
	u64 bytes = skb->len, packets = 1;

	/* Of segments that travel as one, each has its headers on the wire. */
	if (skb->gso_segs > 1) {
		packets = skb->gso_segs;
		bytes += (packets - 1) * p->header_bytes;
	}
	if (t) {
		__sync_fetch_and_add(is_egress ? &t->tx_bytes : &t->rx_bytes, bytes);
		__sync_fetch_and_add(is_egress ? &t->tx_packets : &t->rx_packets, packets);
	}
	if (!f)
		return;
	if (f->epoch != epoch) {
		if (epoch - f->epoch > 1)
			f->bytes[~epoch & 1] = (struct net_flow_bytes){};
		f->bytes[epoch & 1] = (struct net_flow_bytes){};
		f->epoch = epoch;
	}
	__sync_fetch_and_add(is_egress ? &f->bytes[epoch & 1].tx : &f->bytes[epoch & 1].rx, bytes);
}

/* A new connection from outside to a port that nobody may listen on: who listened before, or got the port by chance. */
static __always_inline bool is_listening_denied(const struct packet *p, const struct seen_by *by, u64 word,
						u32 *rule)
{
	return !by->is_egress && !by->is_loopback && by->is_syn && is_port_denied(word, p->to_port, rule);
}

static __always_inline int on_skb(struct __sk_buff *skb, bool is_egress)
{
	struct net_knobs *knobs = knobs_of();
	struct packet p = {};
	struct net_flow_key key = {};
	struct seen_by by = { .is_egress = is_egress, .is_loopback = skb->ifindex == LOOPBACK_IFINDEX };
	struct bpf_sock *sk = skb->sk;
	u32 slot = slot_of_skb(skb), rule = 0;
	bool denied = false, is_told = false;

	if (!knobs || !slot)
		return GO_ON;
	u64 word = word_of(slot);
	u32 mode = knobs->mode, epoch = knobs->epoch;
	if (!read_packet(skb, &p))
		return !(mode == MODE_ENFORCE && FLAGS_OF(word) & NET_REFUSES);
	/* A namespace's own sockets have the cgroup of who made it. */
	if (is_of_the_link(&p))
		return GO_ON;
	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk) {
		by.type = sk->type;
		by.state = sk->state;
	}
	by.is_syn = p.protocol == PROTO_TCP && (p.tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	flow_key(&key, slot, &p, is_egress);
	struct net_flow *f = bpf_map_lookup_elem(&net_flows, &key);
	bool is_udp = p.protocol == PROTO_UDP;
	if (f && is_udp && is_egress && !f->is_outgoing && bpf_ktime_get_ns() - f->seen_ns > UDP_ANSWER_NS) {
		f->is_outgoing = true; /* too late for an answer */
		f->set = 0;
	}
	if (!f || by.is_syn)
		f = open_flow(skb, &p, &by, &key, f, epoch);
	if (f && is_udp && !is_egress && !f->is_outgoing && by.type != SOCK_RAW_TYPE && !by.is_loopback)
		f->seen_ns = bpf_ktime_get_ns();
	if (mode != MODE_OFF) {
		if (f && f->is_outgoing) {
			if (f->set != SET_OF(word) || !f->set)
				judge_flow(f, &key, word, by.type == SOCK_RAW_TYPE);
			denied = f->is_denied;
			rule = f->rule;
			is_told = f->is_told && !(mode == MODE_ENFORCE && !(rule & NET_RULE_MONITORED));
		} else if (!f && is_egress) { /* no room to remember it */
			struct side s = { .is_v6 = p.is_v6 };

			__builtin_memcpy(s.address, p.to, 16);
			denied = is_denied(word, &s);
			rule = s.rule;
		}
		if (!denied && is_listening_denied(&p, &by, word, &rule)) {
			denied = true;
			key.peer_port = p.to_port;
		}
	}
	if (denied) {
		bool is_refused = mode == MODE_ENFORCE && !(rule & NET_RULE_MONITORED);

		if (!is_told && !(by.type == SOCK_RAW_TYPE && is_kernels_answer(&p)))
			tell_packet(is_egress ? HOOK_EGRESS : HOOK_INGRESS, &key, rule, is_refused);
		if (is_refused)
			return 0;
	}
	/* A raw socket gets a copy of what another socket gets. */
	bool is_copy = !is_egress && by.type == SOCK_RAW_TYPE && (p.protocol == PROTO_TCP || is_udp);
	if (knobs->counts_traffic && !by.is_loopback && !is_copy)
		count(skb, &p, f, slot, is_egress, epoch);
	return GO_ON;
}

SEC("cgroup_skb/egress") int net_egress(struct __sk_buff *skb)
{
	return on_skb(skb, true);
}
SEC("cgroup_skb/ingress") int net_ingress(struct __sk_buff *skb)
{
	return on_skb(skb, false);
}

/* --- the host's end of a veth --- */

static __always_inline void fragment_key(struct net_fragment_key *k, const struct __sk_buff *skb,
					 const struct packet *p)
{
	k->ifindex = skb->ifindex;
	k->id = p->fragment_id;
	__builtin_memcpy(k->from, p->from, 16);
	__builtin_memcpy(k->to, p->to, 16);
}

SEC("tc") int net_veth(struct __sk_buff *skb)
{
	struct net_knobs *knobs = knobs_of();
	u32 ifindex = skb->ifindex;
	struct net_device *d = bpf_map_lookup_elem(&net_devices, &ifindex);
	struct packet p = {};
	struct net_flow_key key = {};
	struct net_fragment_key fragment = {};
	u32 refused_slot = NET_SLOT_NONE, rule = 0;
	bool is_known = false;

	if (!knobs || knobs->mode == MODE_OFF || !d || bpf_ntohs((u16)skb->protocol) == ETHERTYPE_ARP)
		return TC_UNSPEC;
	bool is_ip = read_packet(skb, &p);
	if (is_ip && is_of_the_link(&p))
		return TC_UNSPEC;
	if (p.is_later_fragment) {
		fragment_key(&fragment, skb, &p);
		if (bpf_map_lookup_elem(&net_fragments, &fragment))
			return TC_UNSPEC;
	}
	/* A frame doesn't say whose it is of those who share the namespace: what one may, goes. */
	for (int i = 0; i < NET_SHARERS; i++) {
		struct side s = { .is_v6 = p.is_v6 };
		u32 slot = d->slots[i];
		u64 word = word_of(slot);

		if (!slot)
			break;
		if (!(FLAGS_OF(word) & NET_DENIES))
			return TC_UNSPEC;
		if (is_ip) {
			flow_key(&key, slot, &p, true);
			struct net_flow *f = bpf_map_lookup_elem(&net_flows, &key);
			if (f && !f->is_outgoing) {
				if (p.is_fragment) {
					u8 one = 1;

					fragment_key(&fragment, skb, &p);
					bpf_map_update_elem(&net_fragments, &fragment, &one, BPF_ANY);
				}
				return TC_UNSPEC;
			}
			is_known |= f != NULL;
			__builtin_memcpy(s.address, p.to, 16);
			if (!is_denied(word, &s))
				return TC_UNSPEC;
		}
		if (!refused_slot) {
			refused_slot = slot;
			rule = is_ip || FLAGS_OF(word) & NET_REFUSES ? s.rule : NET_RULE_MONITORED;
		}
	}
	if (!refused_slot)
		return TC_UNSPEC;
	bool is_refused = knobs->mode == MODE_ENFORCE && !(rule & NET_RULE_MONITORED);
	/* Monitored, the socket's own hooks have told of it. */
	if (!is_kernels_answer(&p) && (is_refused || !is_known)) {
		key.slot = refused_slot;
		key.protocol = p.protocol;
		tell_packet(HOOK_VETH, &key, rule, is_refused);
	}
	return is_refused ? TC_SHOT : TC_UNSPEC;
}
