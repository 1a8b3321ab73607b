/* reach.h - who can reach whom, and who did: containers, their networks, and the flows that were seen.
 *
 *   shared     one network namespace: everything of the other, its loopback too
 *   host       one of both is in the host's: its ports by the host's address, every container by its bridge
 *   network    a network in common that lets its members talk (a bridge with icc off does not)
 *   published  a port of the host leads there: open to whoever has a way out, so told of once and not pair by pair
 *
 * Pure. Names are the engine's and so a stranger's: what is shown is escaped. */
#pragma once
#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/slice.h"

enum { REACH_CONTAINERS_MAX = 10000, REACH_PAIRS_MAX = 20000, REACH_FLOWS_MAX = 200000 };

struct reach_texts {
	const char *const *v;
	size_t count;
};
struct reach_member {
	const char *network, *address, *address6; /* addresses: "" unknown */
};
struct reach_port {
	uint16_t port, host_port; /* of the container; of the host, 0 not published */
	const char *protocol;	  /* tcp udp sctp */
	const char *host_ip;	  /* "" every address */
};
struct reach_container {
	const char *name, *id;	    /* id: for container:ID; "" unknown */
	const char *network_mode;   /* as the engine says: bridge default host none container:X, a network's name */
	struct reach_texts labels;  /* "key=value" */
	const struct reach_member *members;
	size_t member_count;
	const struct reach_port *ports; /* published, exposed or listened on */
	size_t port_count;
};
struct reach_network {
	const char *name, *driver;
	bool is_icc_off, is_internal, is_default; /* is_default: the engine's own "bridge" */
};
/* One direction: who began. A side is a container of the list, or an address. */
struct reach_flow {
	const char *from, *to;			/* names; "" none of the list, then by address */
	const char *from_address, *to_address;	/* "" unknown */
	uint16_t port;				/* of to; 0 unknown */
	const char *protocol;
	uint64_t count;
};
struct reach_input {
	const struct reach_container *containers;
	size_t container_count;
	const struct reach_network *networks;
	size_t network_count;
	const struct reach_flow *flows;
	size_t flow_count;
};

enum reach_way { REACH_NO, REACH_SHARED, REACH_HOST, REACH_NETWORK };
#define REACH_NOBODY SIZE_MAX
/* Two containers, a < b, that can reach each other, or where one did. Indexes into the input's containers. */
struct reach_pair {
	size_t a, b;
	enum reach_way way;	/* REACH_NO: they talked all the same, by a published port or a route */
	const char *network;	/* the first in common; "" */
	size_t network_count;	/* in common, that let them talk */
	uint64_t ab, ba;	/* flows seen */
};
struct reach_share {
	size_t who, of;
};
struct reach_result {
	struct reach_pair *pairs; /* by a, then b */
	size_t pair_count, unused_count; /* unused: can, and never did */
	bool is_cut;		  /* more than REACH_PAIRS_MAX */
	size_t *on_default;	  /* containers on the engine's default bridge */
	size_t on_default_count;
	struct reach_share *shares; /* whose network namespace is another's */
	size_t share_count;
	uint64_t outside;	  /* flows with a side that is none of the containers */
};

/* only: index of a container, its pairs alone; REACH_NOBODY: all. In a. ERR_LIMIT past the bounds, ENOMEM. */
int reach_judge(const struct reach_input *in, size_t only, struct arena *a, struct reach_result *ret,
		struct err *err) WARN_UNUSED;
/* Index of the container of this name or id (12 hex digits of it are enough), or REACH_NOBODY. */
size_t reach_find(const struct reach_input *in, const char *name);
/* Whose address it is, with a network in common with `near` (nullable) before others; REACH_NOBODY. */
size_t reach_find_address(const struct reach_input *in, const char *address, const struct reach_container *near);
/* For people: who can, who did, and what to do about the difference. */
void reach_text(const struct reach_input *in, size_t only, const struct reach_result *r, struct buf *out);
