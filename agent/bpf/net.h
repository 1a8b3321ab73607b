/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* net.h - what the network programs and agent/guard/net share: maps' keys and values, records.
 *
 *   names    id (64 hex)  -> slot        cgroups  cgroup v2 id    -> slot
 *   netns    cookie       -> slot        devices  host's ifindex  -> slots
 *   slots    slot         -> set, flags: one word, so that a container passes from one set of rules to the next at once
 *   v4, v6   set, address -> verdict     ports    set, port       -> verdict      (LPM tries)
 *   flows    slot, peer, ports -> who opened it, what was judged, bytes
 *
 * Another layout of any of these: another NET_LAYOUT. */
#pragma once
#include <linux/types.h>

enum {
	NET_LAYOUT = 2,
	NET_ID_BYTES = 64,
	NET_SHARERS = 8,   /* containers in one network namespace that are told apart */
	NET_SLOT_NONE = 0, /* no container, or one that nobody told of */
};

/* struct net_slot.flags */
enum {
	NET_DEFAULT_DENIED = 1,
	NET_DENIES = 2, /* an address at all, if only to tell of it */
	NET_DENIES_PORTS = 4,
	NET_REFUSES = 8 /* an address for real */
};
/* In a rule's number: what it denies is told of and let through, whatever the mode. */
#define NET_RULE_MONITORED 0x80000000U
struct net_slot { /* read and written as one 64-bit word */
	__u32 set, flags;
};
_Static_assert(sizeof(struct net_slot) == 8, "one word");

struct net_knobs {
	__u32 mode; /* enum net_mode */
	__u32 is_unknown_denied, counts_traffic;
	__u32 epoch; /* of the counts of flows: which half is written */
};

struct net_v4_key { /* bits: 32 of the set, then of the address */
	__u32 bits, set;
	__u8 address[4];
};
struct net_v6_key {
	__u32 bits, set;
	__u8 address[16];
};
struct net_port_key {
	__u32 bits, set;
	__u8 port[2], unused[2]; /* big endian */
};
struct net_verdict {
	__u32 rule, is_denied;
};
/* A set whose prefixes are all written; by number. */
struct net_set {
	__u8 digest[32]; /* SHA-256 of the rules */
	__u32 flags, unused;
};
struct net_device {
	__u32 slots[NET_SHARERS]; /* up to the first 0 */
};

struct net_flow_key {
	__u32 slot;
	__u8 peer[16]; /* IPv4: the first four */
	__u16 peer_port, local_port;
	__u8 protocol, is_v6, unused[2];
};
struct net_flow_bytes {
	__u64 rx, tx;
};
struct net_flow {
	struct net_flow_bytes bytes[2]; /* by epoch & 1 */
	__u64 seen_ns;			/* UDP that came from outside: the last that came */
	__u32 epoch, opened_epoch;	/* last counted in; opened in */
	__u32 set, rule;		/* judged by; 0: not yet */
	__u8 is_denied, is_outgoing, is_told, unused[5];
};
_Static_assert(sizeof(struct net_flow) == 64, "a cache line");

struct net_totals { /* per CPU */
	__u64 rx_bytes, tx_bytes, rx_packets, tx_packets;
};

/* Refusals that are folded: the first is told at once, the others of its second together. */
struct net_seen_key {
	__u32 slot;
	__u16 port;
	__u8 hook, is_v6;
	__u8 address[16];
};
struct net_seen {
	__u64 from_ns, pending, cgroup_id;
	__u32 pid, rule;
	__u8 protocol, is_refused, unused[6];
	char comm[16];
};
struct net_record {
	struct net_seen_key key;
	struct net_seen seen; /* pending: how many; from_ns: when, boot time */
};

/* How many different ones a container may have told in a second: a scan must not push out the others. */
enum { NET_TOLD_PER_SECOND = 256 };
struct net_budget {
	__u64 from_ns;
	__u32 told, unused;
};

/* Fragments after the first have no ports; they go where their first went. */
struct net_fragment_key {
	__u32 ifindex, id;
	__u8 from[16], to[16];
};

enum net_lost { NET_LOST_EVENTS, NET_LOST_COUNT };
