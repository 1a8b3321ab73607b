/* flood.c - see flood.h. A bucket is kept as the time at which it would be full again. */
#include "collector/alert/flood.h"

#include "common/slice.h"

static uint64_t every_ns(const struct flood *f)
{
	return 3600ull * 1000000000 / (f->per_hour ? f->per_hour : FLOOD_PER_HOUR);
}

/* An agent's place is one of so many; a crowd pushes out the one that raised the least. */
enum { PLACES = 16 };

static uint64_t hash_of(const char *agent)
{
	uint64_t hash = slice_hash(slice_of(agent));

	return hash ? hash : 1;
}

static struct flood_agent *find(struct flood *f, uint64_t hash)
{
	struct flood_agent *least = &f->agents[hash % FLOOD_AGENTS];

	for (size_t i = 0; i < PLACES; i++) {
		struct flood_agent *a = &f->agents[(hash + i) % FLOOD_AGENTS];

		if (a->hash == hash)
			return a;
		if (a->full_boot_ns < least->full_boot_ns)
			least = a;
	}
	return least;
}

bool flood_may(const struct flood *f, const char *agent, uint64_t now_boot_ns)
{
	uint64_t hash = hash_of(agent);
	const struct flood_agent *a = find((struct flood *)(uintptr_t)f, hash);

	uint64_t at_once = f->at_once ? f->at_once : FLOOD_AT_ONCE;

	return a->hash != hash || a->full_boot_ns <= now_boot_ns + every_ns(f) * (at_once - 1);
}

void flood_took(struct flood *f, const char *agent, uint64_t now_boot_ns)
{
	uint64_t hash = hash_of(agent);
	struct flood_agent *a = find(f, hash);

	if (a->hash != hash)
		*a = (struct flood_agent){ .hash = hash };
	a->full_boot_ns = (a->full_boot_ns > now_boot_ns ? a->full_boot_ns : now_boot_ns) + every_ns(f);
}
