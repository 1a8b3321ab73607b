/* FUZZ_LINK: agent_audit_facts
 * fuzz_audit_container.c - the engine's answers about containers, execs, volumes and images. */
#include <assert.h>

#include "agent/audit/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_from(data, size);
	struct arena *a = arena_new(16 << 20);
	struct facts_container c;
	struct facts_exec e;
	struct facts_image i;
	const char *name, *device;

	if (!a)
		return 0;
	if (facts_read_container(s, a, &c, NULL) == 0) {
		assert(c.id && c.name && c.asked.user && c.asked.pid_mode && c.asked.health);
		assert(c.asked.mount_count <= FACTS_LIST_MAX && c.asked.port_count <= FACTS_LIST_MAX && c.asked.cap_add.count <= FACTS_LIST_MAX);
		for (size_t n = 0; n < c.asked.mount_count; n++)
			assert(c.asked.mounts[n].source && c.asked.mounts[n].dest && c.asked.mounts[n].propagation && c.asked.mounts[n].device);
		for (size_t n = 0; n < c.asked.secret_names.count; n++)
			assert(*c.asked.secret_names.v[n] && !strchr(c.asked.secret_names.v[n], '='));
	}
	if (facts_read_exec(s, a, &e, NULL) == 0)
		assert(e.user && e.pid >= 0);
	(void)!facts_read_volume(s, a, &name, &device, NULL);
	facts_image_init(&i);
	(void)!facts_read_image(s, a, &i, NULL);
	(void)!facts_read_history(s, a, &i, NULL);
	arena_free(a);
	return 0;
}
