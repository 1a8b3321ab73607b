/* fuzz_authz_body.c - FUZZ_LINK: agent_guard_authz picket_policy
 * JSON as Go sees it, and everything that is read from it: workloads, the engine's answers, seccomp profiles. */
#include <assert.h>

#include "agent/guard/authz/authz_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct policy_workload *w)
{
	for (size_t i = 0; i < w->mount_count; i++)
		assert(w->mounts[i].type && w->mounts[i].source && w->mounts[i].real && w->mounts[i].device && w->mounts[i].protects);
	for (size_t i = 0; i < w->port_count; i++)
		assert(w->ports[i].host_ip && w->ports[i].protocol);
	assert(w->name && w->image && w->user && w->pid_mode && w->real_pid_mode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(AUTHZ_ARENA_BYTES);
	struct slice s = slice_from(data, size);
	const struct authz_body *b;
	struct policy_workload w;
	struct policy_mount m = { .protects = "", .device = "", .driver = "" };
	struct authz_exec e;
	struct authz_request rq;
	const char *name;

	if (authz_body_read(s, a, &b, NULL) >= 0 && authz_workload(b, SLICE_LIT("name=x"), a, &w, NULL) >= 0)
		check(&w);
	authz_workload_init(&w);
	if (authz_read_image(s, a, &w, NULL) >= 0)
		assert(*w.image_id);
	if (authz_read_container(s, a, &w, NULL) >= 0)
		check(&w);
	if (authz_read_volume(s, a, &m, NULL) >= 0)
		assert(m.driver && m.device);
	if (authz_read_exec(s, a, &e, NULL) >= 0)
		assert(*e.container && e.user);
	if (authz_read_network(s, a, &name, NULL) >= 0)
		assert(*name);
	if (authz_envelope(s, a, &rq, NULL) >= 0)
		assert(rq.method.n && rq.uri.n && (rq.has_body || !rq.body.n));
	(void)authz_seccomp_is_weaker(s, a);
	arena_free(a);
	return 0;
}
