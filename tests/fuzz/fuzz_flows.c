/* fuzz_flows.c - hostile tables and events; flows are judged as they come. FUZZ_LINK: agent_learn */
#include "agent/learn/flows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct reach_container web = { .name = "web" };
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
	struct flows f = { 0 };
	struct reach_result r;

	if (flows_add_table(&f, slice_from(data, size), "tcp", "web", a, NULL) < 0 ||
	    flows_add_events(&f, slice_from(data, size), a, NULL) < 0)
		return 0;
	const struct reach_input in = { .containers = &web, .container_count = 1, .flows = f.v, .flow_count = f.count };
	if (reach_judge(&in, 0, a, &r, NULL) < 0 && f.count <= 1000)
		abort();
	return 0;
}
