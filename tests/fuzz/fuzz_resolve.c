/* fuzz_resolve.c - FUZZ_LINK: agent_world */
#include <assert.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/world/world_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "raw NUL base NUL raw2": texts of a caller's, with nothing to ask but themselves. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(resolver_freep) struct resolver *r = resolver_new("/nonexistent");
	CLEANUP(arena_freep) struct arena *a = arena_new(256 * 1024);
	struct slice rest = slice_from(data, size > 4096 ? 4096 : size), parts[3] = { SLICE_NONE };
	struct event e = { .type = EV_CALL, .p = { .pid = 7, .vpid = 7, .ns_mnt = 1 } };

	if (!r || !a)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(parts) && slice_split(&rest, 0, &parts[i]); i++)
		;
	e.call = (struct event_call){ .call = CALL_SYMLINKAT, .family = FAMILY_PATHS, .raw = parts[0],
				      .base2 = parts[1], .raw2 = parts[2] };
	resolver_resolve(r, &e, a);
	assert(!e.call.path.n || e.call.path.p[0] == '/' || slice_eq(e.call.path, e.call.raw));
	assert(e.call.path.n <= size + 32);
	return 0;
}
