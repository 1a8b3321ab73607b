/* rate.h - how often strangers may try to enrol.
 *
 * Three buckets, filled with time: of the address (5/s, 10 at once), of all (20/s, 40 at once), and of the
 * address's failures (1/s, 3 at once). So 50 hosts behind one address are through in about ten seconds,
 * and one address can neither guess fast nor take everybody's turn. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct rate;
/* An IPv4 address, or the first 64 bits of an IPv6 one: a host there has 2^64 addresses to come from. */
struct rate_key {
	uint64_t half;
	bool is_v6;
};

/* NULL when out of memory. Caller frees with rate_free. */
struct rate *rate_new(void);
/* address: "192.0.2.1:55555" or "[2001:db8::1]:55555", as wire_peer_address gives it. */
struct rate_key rate_key(const char *address);
/* May it try now? Only a try that may is counted: being sent away costs nothing. */
bool rate_try(struct rate *r, const struct rate_key *k, uint64_t now_boot_ns);
/* The try was one that a good host does not make. */
void rate_failed(struct rate *r, const struct rate_key *k, uint64_t now_boot_ns);
void rate_free(struct rate *r);
