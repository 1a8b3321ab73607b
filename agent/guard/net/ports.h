/* ports.h - ranges of ports, of which the last that matches decides, as prefixes that don't overlap. Pure. */
#pragma once
#include "agent/guard/net/net.h"

struct port_prefix {
	uint16_t port;
	uint8_t bits; /* 0..16 */
	bool is_denied;
	uint32_t rule;
};

/* *ret: caller frees. A range whose end is before its beginning matches nothing. */
int ports_to_prefixes(const struct net_ports *ports, size_t count, struct port_prefix **ret, size_t *ret_count,
		      struct err *err) WARN_UNUSED;
