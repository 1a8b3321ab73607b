/* FUZZ_LINK: picket_proto
 * fuzz_reply.c - an answer as the agent gets it. */
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	Picket__Reply *m;

	if (!a)
		return 0;
	(void)!msg_read_reply(slice_from(data, size), a, &m, NULL);
	arena_free(a);
	return 0;
}
