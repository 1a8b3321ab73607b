/* fuzz_policy.c - hostile policies: parsed, then a fixed workload judged by what was accepted; what is told to the kernel
 * must come to what is judged. FUZZ_LINK: picket_policy */
#include "common/policy/policy.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const digests[] = { "docker.io/library/nginx@sha256:" HEX64, "quay.io/a/b@sha256:" HEX64 };
static const char *const caps[] = { "ALL", "sys_admin", "x" };
static const char *const devices[] = { "/dev/sda:/dev/x", "/srv/link", "vendor.com/gpu=0" };
static const char *const device_rules[] = { "a *:* rwm", "c 10:200 rw" };
static const char *const options[] = { "seccomp=unconfined", "no-new-privileges:false" };
static const char *const labels[] = { "tier=db", "owner" };
static const char *const sysctls[] = { "net.core.somaxconn=1" };
static const char *const networks[] = { "app-1", "bridge" };
static const struct policy_mount mounts[] = {
	{ .type = "bind", .source = "/var/run/docker.sock", .real = "/run/docker.sock", .protects = "/run/docker.sock" },
	{ .type = "bind", .source = "/proc/1/cwd/x", .is_writable = true },
	{ .type = "volume", .source = "v", .driver = "nfs", .device = "/etc" },
};
static const struct policy_port ports[] = { { .host_port = 22, .port = 80 }, { .port = 443, .is_published = true } };
static const struct policy_workload workload = {
	.name = "app-1", .image = "nginx:latest", .image_id = "sha256:" HEX64, .tag = "latest", .digests = { digests, 2 },
	.labels = { labels, 2 }, .is_scan_known = true, .is_scanned = true, .worst_severity = "high", .scanned_unix_s = 1796000000,
	.user = "0", .cap_add = { caps, 3 }, .security_opt = { options, 2 }, .devices = { devices, 3 },
	.device_rules = { device_rules, 2 }, .sysctls = { sysctls, 1 }, .pid_mode = "host", .real_network_mode = "host",
	.cgroup_parent = "x", .runtime = "crun", .has_unmasked_paths = true, .is_publish_all = true, .device_requests = 1,
	.oom_score_adj = -1, .ports = ports, .port_count = 2, .mounts = mounts, .mount_count = 3, .networks = { networks, 2 },
};

static const struct {
	uint8_t address[16];
	bool is_v6;
} addresses[] = {
	{ { 10, 1, 2, 3 }, false }, { { 127, 0, 0, 1 }, false }, { { 0 }, false }, { { 0 }, true },
	{ { [15] = 1 }, true }, { { 0x20, 1, 0xd, 0xb8, [15] = 9 }, true }, { { 192, 168, 0, 255 }, false },
};

struct kernel {
	int best[ARRAY_LEN(addresses)];
	bool is_denied[ARRAY_LEN(addresses)], is_port_denied;
};

static void on_prefix(void *arg, const struct policy_prefix *p)
{
	struct kernel *k = arg;

	if (p->bits > (p->is_v6 ? 128 : 32) || p->is_denied != (p->rule[0] != 0))
		abort();
	for (size_t i = 0; i < ARRAY_LEN(addresses) && !p->name[0]; i++) {
		bool holds = p->is_v6 == addresses[i].is_v6;

		for (unsigned b = 0; holds && b < p->bits; b++)
			holds = !((p->address[b / 8] ^ addresses[i].address[b / 8]) >> (7 - b % 8) & 1);
		if (!holds || p->bits < k->best[i])
			continue;
		if (p->bits == k->best[i])
			abort(); /* told twice */
		k->best[i] = p->bits;
		k->is_denied[i] = p->is_denied;
	}
}

static void on_range(void *arg, const struct policy_port_range *r)
{
	struct kernel *k = arg;

	if (!r->from || r->from > r->to)
		abort();
	if (r->from <= 22 && r->to >= 22)
		k->is_port_denied = r->is_denied;
}

static void on_path(void *arg, const char *path)
{
	(void)arg;
	if (path[0] != '/')
		abort();
}

/* Sorted, and each once. */
static void on_host_name(void *arg, const char *name)
{
	char *last = arg;

	if (!name[0] || strlen(name) > 253 || strchr(name, '/') || strcmp(last, name) >= 0)
		abort();
	strcpy(last, name);
}

static void check_kernel(const struct policy *p, uint64_t now)
{
	struct kernel k = { 0 };
	char last[256] = "";

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		k.best[i] = -1;
	policy_each_prefix(p, &workload, now, on_prefix, &k);
	policy_each_port(p, &workload, now, on_range, &k);
	policy_each_denied_mount(p, on_path, NULL);
	policy_each_host_name(p, on_host_name, last);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		if (policy_may_reach(p, &workload, now, addresses[i].address, addresses[i].is_v6, NULL) == k.is_denied[i])
			abort();
	if (policy_may_listen(p, &workload, now, 22, NULL) == k.is_port_denied)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(policy_freep) struct policy *p = NULL;
	CLEANUP(arena_freep) struct arena *a = arena_new(16 << 20);
	CLEANUP(buf_finip) struct buf summary = { 0 };
	struct policy_workload w = workload;
	struct policy_verdict v;
	struct err err = { 0 };
	int r = policy_parse(slice_from(data, size), "fuzz.yaml", &p, &err);

	if (r < 0) {
		/* A refusal has a place and words. */
		if (r != -ERR_SYNTAX || strncmp(err.msg, "fuzz.yaml:", 10) || p)
			abort();
		return 0;
	}
	for (int subject = POLICY_CONTAINER; subject <= POLICY_NETWORKS; subject++) {
		w.subject = (enum policy_subject)subject;
		if (policy_judge(p, &w, 1796083200, a, &v, &err) < 0)
			abort();
		for (size_t i = 0; i < v.count; i++)
			if (!v.denials[i].reason[0] || !v.denials[i].line)
				abort();
	}
	check_kernel(p, 1796083200);
	policy_summary(p, 1796083200, &summary);
	return 0;
}
