/* rate.c - see rate.h. A bucket is kept as the time at which it would be full again. */
#include "collector/fleet/rate.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/slice.h"

enum { ADDRESSES = 1024 }; /* remembered; the one longest unused makes place */

struct limit {
	uint64_t every_ns; /* one more each */
	unsigned at_once;
};
static const struct limit of_address = { 200000000, 10 };
static const struct limit of_all = { 50000000, 40 };
static const struct limit of_failures = { 1000000000, 3 };

struct entry {
	struct rate_key key;
	bool is_used;
	uint64_t seen_boot_ns, tries, failures;
};

struct rate {
	struct entry entries[ADDRESSES];
	uint64_t all;
};

struct rate *rate_new(void)
{
	return calloc(1, sizeof(struct rate));
}

void rate_free(struct rate *r)
{
	free(r);
}

struct rate_key rate_key(const char *address)
{
	struct slice s = slice_of(address);
	struct rate_key k = { 0 };
	uint32_t v4;
	struct in6_addr v6;
	char text[64];

	while (s.n && s.p[s.n - 1] != ':')
		s.n--;
	s = slice_sub(s, 0, s.n ? s.n - 1 : 0);
	if (slice_starts(s, SLICE_LIT("[")) && slice_ends(s, SLICE_LIT("]")))
		s = slice_sub(s, 1, s.n - 2);
	slice_copy(s, text, sizeof(text));
	text[strcspn(text, "%")] = 0; /* the scope of a link-local address */
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		k.is_v6 = true;
		memcpy(&k.half, &v6, sizeof(k.half));
	} else if (inet_pton(AF_INET, text, &v4) == 1) {
		k.half = v4;
	} else {
		k.half = slice_hash(s);
	}
	return k;
}

static struct entry *find(struct rate *r, const struct rate_key *k)
{
	struct entry *oldest = &r->entries[0];

	for (size_t i = 0; i < ADDRESSES; i++) {
		struct entry *e = &r->entries[i];

		if (e->is_used && e->key.half == k->half && e->key.is_v6 == k->is_v6)
			return e;
		if (e->seen_boot_ns < oldest->seen_boot_ns)
			oldest = e;
	}
	*oldest = (struct entry){ .key = *k, .is_used = true };
	return oldest;
}

static bool has_one(uint64_t full_boot_ns, const struct limit *l, uint64_t now)
{
	return full_boot_ns <= now + l->every_ns * (l->at_once - 1);
}

static void take_one(uint64_t *full_boot_ns, const struct limit *l, uint64_t now)
{
	*full_boot_ns = (*full_boot_ns > now ? *full_boot_ns : now) + l->every_ns;
}

bool rate_try(struct rate *r, const struct rate_key *k, uint64_t now_boot_ns)
{
	struct entry *e = find(r, k);

	e->seen_boot_ns = now_boot_ns;
	if (!has_one(e->tries, &of_address, now_boot_ns) ||
	    !has_one(e->failures, &of_failures, now_boot_ns) || !has_one(r->all, &of_all, now_boot_ns))
		return false;
	take_one(&e->tries, &of_address, now_boot_ns);
	take_one(&r->all, &of_all, now_boot_ns);
	return true;
}

void rate_failed(struct rate *r, const struct rate_key *k, uint64_t now_boot_ns)
{
	take_one(&find(r, k)->failures, &of_failures, now_boot_ns);
}
