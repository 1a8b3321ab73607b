/* fuzz_cgroup.c - FUZZ_LINK: agent_world */
#include <assert.h>

#include "agent/world/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[65];
	const char *engine = NULL;

	if (cgroup_container_id(slice_from(data, size), id, &engine))
		assert(strlen(id) > 0 && strlen(id) < sizeof(id) && engine && !strchr(id, '/'));
	return 0;
}
