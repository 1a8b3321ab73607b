/* netpol_priv.h - what both directions of netpol.h share. */
#pragma once
#include <stdint.h>

#include "agent/learn/netpol.h"

struct netpol_prefix {
	uint8_t bytes[16];
	uint8_t bits;
	bool is_v6;
};
struct netpol_prefixes {
	struct netpol_prefix *v; /* room for size */
	size_t count, size;
};

/* An address, or a prefix where there is a slash; bits beyond the prefix are cleared, mapped ones are IPv4. */
bool netpol_prefix_read(struct slice s, struct netpol_prefix *ret);
/* 10.0.0.0/8 into dst of 64 bytes. */
char *netpol_prefix_text(const struct netpol_prefix *p, char *dst);
bool netpol_prefix_holds(const struct netpol_prefix *wide, const struct netpol_prefix *narrow);
/* Grows in the arena. ERR_LIMIT, ENOMEM. */
int netpol_prefixes_add(struct netpol_prefixes *p, const struct netpol_prefix *x, struct arena *a, struct err *err) WARN_UNUSED;
/* Sorted, each once: "key: [..]\n" as YAML. */
void netpol_prefixes_put(struct netpol_prefixes *p, const char *indent, const char *key, struct buf *out);
/* As Kubernetes wants them: the characters of a label's key, of its value; of a container's name, as the engine's. */
bool netpol_is_key(struct slice s);
bool netpol_is_value(struct slice s);
bool netpol_is_name(struct slice s);
/* The value of the label, false where there is none. */
bool netpol_label(const struct reach_container *c, struct slice key, struct slice *ret);
/* Its own addresses: in no network but those of near (nullable) where they have one in common. */
int netpol_addresses(const struct reach_container *c, const struct reach_container *near, struct netpol_prefixes *to,
		     struct arena *a, struct err *err) WARN_UNUSED;
