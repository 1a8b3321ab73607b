/* fuzz_dns_ttl.c - FUZZ_LINK: agent_world */
#include "agent/world/names_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t ttl = names_answer_ttl(slice_from(data, size));

	if (ttl != NAMES_NO_TTL && ttl >> 31)
		__builtin_trap();
	return 0;
}
