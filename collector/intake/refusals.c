/* refusals.c - see refusals.h. */
#include "collector/intake/refusals.h"

struct slice refusals_host(const char *address)
{
	const char *colon = strrchr(address, ':');

	return colon ? slice_from(address, (size_t)(colon - address)) : slice_of(address);
}

bool refusals_are_news(struct refusals *r, struct slice who, const char *why, uint64_t now_boot_ns,
		       uint64_t *ret_silent)
{
	uint64_t hash = slice_hash(who) * 31 + slice_hash(slice_of(why));
	struct refusal *oldest = &r->kept[0];

	hash += !hash;
	for (size_t i = 0; i < REFUSALS_KEPT; i++) {
		struct refusal *x = &r->kept[i];

		if (x->hash == hash) {
			if (now_boot_ns - x->said_boot_ns < REFUSALS_SAY_AGAIN_S * 1000000000ull) {
				x->silent++;
				return false;
			}
			*ret_silent = x->silent;
			*x = (struct refusal){ .hash = hash, .said_boot_ns = now_boot_ns };
			return true;
		}
		if (x->said_boot_ns < oldest->said_boot_ns)
			oldest = x;
	}
	*oldest = (struct refusal){ .hash = hash, .said_boot_ns = now_boot_ns };
	*ret_silent = 0;
	return true;
}
