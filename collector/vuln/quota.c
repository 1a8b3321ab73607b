/* quota.c - see quota.h. A bucket is kept as the time at which it would be full again. */
#include "collector/vuln/quota.h"

#include "common/slice.h"

/* An agent's place is one of so many; a crowd pushes out the one that took the least. */
enum { PLACES = 16 };
static const uint64_t each_ns = 3600ull * 1000000000 / QUOTA_PER_HOUR;

bool quota_take(struct quota *q, const char *agent, uint64_t packages, uint64_t now_boot_ns)
{
	uint64_t hash = slice_hash(slice_of(agent)) | 1;
	struct quota_agent *place = &q->agents[hash % QUOTA_AGENTS];

	for (size_t i = 0; i < PLACES; i++) {
		struct quota_agent *a = &q->agents[(hash + i) % QUOTA_AGENTS];

		if (a->hash == hash) {
			place = a;
			break;
		}
		if (a->full_boot_ns < place->full_boot_ns)
			place = a;
	}
	uint64_t full = place->hash == hash && place->full_boot_ns > now_boot_ns ? place->full_boot_ns : now_boot_ns;
	if (packages > QUOTA_AT_ONCE || full - now_boot_ns > each_ns * (QUOTA_AT_ONCE - packages))
		return false;
	*place = (struct quota_agent){ hash, full + each_ns * packages };
	return true;
}
