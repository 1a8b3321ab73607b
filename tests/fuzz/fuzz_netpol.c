/* fuzz_netpol.c - hostile NetworkPolicies: what is accepted must be a policy of ours. FUZZ_LINK: agent_learn picket_policy */
#include "agent/learn/netpol.h"
#include "common/policy/policy.h"

static const char *const labels[] = { "app=web", "tier=db" };
static const struct reach_member members[] = { { "front", "172.20.0.2", "fd00::2" } };
static const struct reach_container containers[] = {
	{ .name = "web", .network_mode = "front", .labels = { labels, 2 }, .members = members, .member_count = 1 },
	{ .name = "host", .network_mode = "host" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct reach_input in = { .containers = containers, .container_count = ARRAY_LEN(containers) };
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
	CLEANUP(policy_freep) struct policy *p = NULL;
	CLEANUP(buf_finip) struct buf out = { 0 };
	CLEANUP(buf_finip) struct buf notes = { 0 };
	struct err err = { 0 };

	int r = netpol_import(slice_from(data, size), "fuzz.yaml", &in, a, &out, &notes, &err);
	if (r == -ERR_SYNTAX && strncmp(err.msg, "fuzz.yaml:", 10) != 0)
		abort();
	if (r < 0)
		return 0;
	/* Nothing is dropped without a word, and what is said is understood. */
	if (out.n ? policy_parse(buf_slice(&out), "out.yaml", &p, &err) < 0 : !notes.n)
		abort();
	return 0;
}
