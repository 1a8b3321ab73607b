/* fuzz_workload.c - a container from an agent, whatever its bytes, judged by a policy as `policy diff` does it.
 * FUZZ_LINK: collector_api collector_store picket_policy */
#include <assert.h>

#include "collector/api/workload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slice text = SLICE_LIT("access_control:\n"
					   "  image_access: {allowed_repositories: [docker.io/library], max_severity: high}\n"
					   "  network_access: {blacklist: [0.0.0.0/0]}\n"
					   "  port_access: {allowed_ports: [80, 443], restricted_ports: [22]}\n"
					   "  runtime_access: {deny_privileged: true, deny_host_namespaces: true, denied_capabilities: [SYS_ADMIN],\n"
					   "    denied_mounts: [/var/run/docker.sock, /etc], require_user: true}\n"
					   "mode: enforce\n");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	CLEANUP(policy_freep) struct policy *p = NULL;
	struct store_container c = { .id = "c", .image_id = "", .labels = "{\"a\":\"b\"}" };
	struct policy_verdict verdict;
	struct policy_workload w;
	Picket__Record *rec;

	if (!a || msg_read_record(slice_from(data, size), a, &rec, NULL) < 0)
		return 0;
	const Picket__Container *from = rec->body_case == PICKET__RECORD__BODY_CONTAINER ? rec->container :
					rec->body_case == PICKET__RECORD__BODY_EVENT	? rec->event->container :
											  NULL;
	if (!from || !from->config || policy_parse(text, "fuzz", &p, NULL) < 0)
		return 0;
	c.name = msg_slice(from->name);
	c.image = msg_slice(from->image);
	c.user = msg_slice(from->user);
	c.config = from->config;
	if (workload_from(&c, NULL, a, &w, NULL) < 0)
		return 0;
	assert(w.name && w.image && w.repository && w.mount_count == from->config->n_mounts);
	if (policy_judge(p, &w, 1800000000, a, &verdict, NULL) >= 0)
		for (size_t i = 0; i < verdict.count; i++)
			assert(verdict.denials[i].rule && verdict.denials[i].reason && verdict.denials[i].exception);
	return 0;
}
