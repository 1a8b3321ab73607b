/* test_workload.c - the body of a create, and what the engine says, as a workload. */
#include "authz_test.h"

static struct policy_workload workload(const char *text)
{
	struct policy_workload w;
	struct err err = { 0 };

	if (authz_workload(body(text), SLICE_NONE, arena, &w, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return w;
}

static void every_field_is_read(void **state)
{
	struct policy_workload w = workload(
		"{\"Image\":\"nginx:1\",\"User\":\"1000\",\"Env\":[\"A=b\",\"C\"],\"Labels\":{\"l\":\"m\"},"
		"\"ExposedPorts\":{\"80/tcp\":{},\"90/udp\":{}},\"Volumes\":{\"/data\":{}},"
		"\"HostConfig\":{\"privileged\":true,\"CapAdd\":[\"SYS_ADMIN\"],\"CapDrop\":\"ALL\",\"SecurityOpt\":[\"no-new-privileges\"],"
		"\"PidMode\":\"host\",\"IpcMode\":\"host\",\"NetworkMode\":\"host\",\"UTSMode\":\"host\",\"UsernsMode\":\"host\","
		"\"CgroupnsMode\":\"host\",\"CgroupParent\":\"/x\",\"Runtime\":\"kata\",\"Binds\":[\"/etc:/e:ro\"],\"VolumesFrom\":[\"v:ro\"],"
		"\"Devices\":[{\"PathOnHost\":\"/dev/kmsg\",\"PathInContainer\":\"/dev/k\",\"CgroupPermissions\":\"rwm\"}],"
		"\"DeviceRequests\":[{\"Count\":-1}],\"DeviceCgroupRules\":[\"b 8:* rwm\"],\"Sysctls\":{\"net.a\":\"1\"},"
		"\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}]},\"PublishAllPorts\":true,"
		"\"ReadonlyRootfs\":true,\"Memory\":1048576,\"NanoCpus\":5,\"CpuQuota\":6,\"PidsLimit\":7,\"OomKillDisable\":true,"
		"\"OomScoreAdj\":-8,\"ExtraHosts\":[\"a:1.2.3.4\"],\"Tmpfs\":{\"/t\":\"\"}},"
		"\"NetworkingConfig\":{\"EndpointsConfig\":{\"blue\":{}}}}");

	(void)state;
	assert_string_equal(w.image, "nginx:1");
	assert_string_equal(w.user, "1000");
	assert_false(w.is_user_root);
	assert_string_equal(w.env_names.v[1], "C");
	assert_string_equal(w.labels.v[0], "l=m");
	assert_true(w.is_privileged && w.is_publish_all && w.is_root_readonly && w.is_oom_kill_disabled);
	assert_string_equal(w.cap_add.v[0], "SYS_ADMIN");
	assert_string_equal(w.cap_drop.v[0], "ALL");
	assert_string_equal(w.pid_mode, "host");
	assert_string_equal(w.ipc_mode, "host");
	assert_string_equal(w.real_network_mode, "host");
	assert_string_equal(w.uts_mode, "host");
	assert_string_equal(w.userns_mode, "host");
	assert_string_equal(w.cgroupns_mode, "host");
	assert_string_equal(w.cgroup_parent, "/x");
	assert_string_equal(w.runtime, "kata");
	assert_string_equal(w.volumes_from.v[0], "v:ro");
	assert_string_equal(w.devices.v[0], "/dev/kmsg:/dev/k:rwm");
	assert_int_equal(w.device_requests, 1);
	assert_string_equal(w.device_rules.v[0], "b 8:* rwm");
	assert_string_equal(w.sysctls.v[0], "net.a=1");
	assert_int_equal(w.port_count, 2);
	assert_int_equal(w.ports[0].host_port, 8080);
	assert_true(w.ports[0].is_published && w.ports[1].is_published && !w.ports[1].host_port);
	assert_string_equal(w.ports[0].host_ip, "127.0.0.1");
	assert_int_equal(w.ports[1].port, 90);
	assert_string_equal(w.ports[1].protocol, "udp");
	assert_int_equal(w.memory_bytes, 1048576);
	assert_int_equal(w.nano_cpus, 5);
	assert_int_equal(w.cpu_quota, 6);
	assert_int_equal(w.pids_limit, 7);
	assert_int_equal(w.oom_score_adj, -8);
	assert_string_equal(w.extra_hosts.v[0], "a:1.2.3.4");
	assert_string_equal(w.networks.v[0], "blue");
	assert_int_equal(w.mount_count, 3);
	assert_string_equal(w.mounts[0].source, "/etc");
	assert_false(w.mounts[0].is_writable);
	assert_string_equal(w.mounts[1].type, "tmpfs");
	assert_string_equal(w.mounts[2].dest, "/data");
}

static void host_config_at_the_top_counts_when_there_is_no_other(void **state)
{
	struct policy_workload w = workload("{\"Image\":\"x\",\"Privileged\":true,\"Binds\":[\"/:/h\"]}");
	static const char *const both[] = { "{\"Privileged\":true,\"HostConfig\":{}}", "{\"binds\":[],\"HostConfig\":{}}",
					    "{\"VolumeDriver\":\"x\",\"HostConfig\":{}}" };

	(void)state;
	assert_true(w.is_privileged);
	assert_int_equal(w.mount_count, 1);
	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		assert_int_equal(authz_workload(body(both[i]), SLICE_NONE, arena, &w, NULL), -ERR_SYNTAX);
	/* null is none */
	w = workload("{\"HostConfig\":null,\"Privileged\":true}");
	assert_true(w.is_privileged);
}

static void what_has_a_wrong_type_is_refused(void **state)
{
	static const char *const bad[] = {
		"[]", "{\"HostConfig\":1}", "{\"HostConfig\":{\"Privileged\":\"true\"}}", "{\"HostConfig\":{\"Privileged\":1}}",
		"{\"HostConfig\":{\"CapAdd\":[1]}}", "{\"HostConfig\":{\"CapAdd\":{}}}", "{\"HostConfig\":{\"Binds\":[\"\"]}}",
		"{\"HostConfig\":{\"Binds\":[\"a:b:c:d\"]}}", "{\"HostConfig\":{\"Mounts\":[1]}}", "{\"HostConfig\":{\"Mounts\":{}}}",
		"{\"HostConfig\":{\"PortBindings\":{\"80\":1}}}", "{\"HostConfig\":{\"PortBindings\":{\"x\":[]}}}",
		"{\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":80}]}}}",
		"{\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"99999\"}]}}}",
		"{\"HostConfig\":{\"PortBindings\":{\"1-65535/tcp\":[]}}}", "{\"HostConfig\":{\"Memory\":1.5}}",
		"{\"HostConfig\":{\"Sysctls\":[]}}", "{\"User\":0}",
		"{\"HostConfig\":{\"Devices\":[{\"PathOnHost\":1}]}}", "{\"Labels\":{\"a\":1}}",
		"{\"NetworkingConfig\":{\"EndpointsConfig\":[]}}", "{\"HostConfig\":{\"Annotations\":[]}}",
	};
	struct policy_workload w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (authz_workload(body(bad[i]), SLICE_NONE, arena, &w, NULL) != -ERR_SYNTAX &&
		    authz_workload(body(bad[i]), SLICE_NONE, arena, &w, NULL) != -ERR_LIMIT)
			fail_msg("%s was read", bad[i]);
}

static void ranges_of_ports_are_told_one_by_one(void **state)
{
	struct policy_workload w = workload("{\"HostConfig\":{\"PortBindings\":{\"80-82/tcp\":[{\"HostPort\":\"20-22\"}],"
					    "\"90/tcp\":[{\"HostPort\":\"8000-8001\"}],\"91\":[{}]}}}");

	(void)state;
	assert_int_equal(w.port_count, 6);
	assert_int_equal(w.ports[2].host_port, 22);
	assert_int_equal(w.ports[2].port, 82);
	assert_int_equal(w.ports[4].host_port, 8001);
	assert_int_equal(w.ports[4].port, 90);
	assert_true(w.ports[5].is_published && !w.ports[5].host_port);
	w = workload("{\"ExposedPorts\":{\"22/tcp\":{}},\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[]}}}");
	assert_true(w.port_count == 2 && !w.ports[0].is_published && !w.ports[1].is_published);
}

static void root_has_many_names(void **state)
{
	static const char *const root[] = { "", "0", "00", "+0", "-0", "root", "0:1000", "root:x", ":0" };
	static const char *const other[] = { "1000", "app", "1", "10:0", "rooty", "0x10" };
	struct policy_workload w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(root); i++) {
		authz_workload_set_user(&w, root[i]);
		if (!w.is_user_root)
			fail_msg("'%s' is root", root[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		authz_workload_set_user(&w, other[i]);
		if (w.is_user_root)
			fail_msg("'%s' is not root", other[i]);
	}
}

#define DEFAULTS_MASKED "\"/proc/acpi\",\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\",\"/proc/timer_list\"," \
			"\"/proc/sched_debug\",\"/proc/scsi\",\"/sys/firmware\""

static void masks_that_are_replaced_are_seen(void **state)
{
	(void)state;
	assert_false(workload("{\"HostConfig\":{}}").has_unmasked_paths);
	assert_false(workload("{\"HostConfig\":{\"MaskedPaths\":null,\"ReadonlyPaths\":null}}").has_unmasked_paths);
	assert_true(workload("{\"HostConfig\":{\"MaskedPaths\":[]}}").has_unmasked_paths);
	assert_true(workload("{\"HostConfig\":{\"ReadonlyPaths\":[]}}").has_unmasked_paths);
	assert_true(workload("{\"HostConfig\":{\"MaskedPaths\":[\"/proc/kcore\"]}}").has_unmasked_paths);
	assert_false(workload("{\"HostConfig\":{\"MaskedPaths\":[" DEFAULTS_MASKED "]}}").has_unmasked_paths);
	assert_true(workload("{\"HostConfig\":{\"SecurityOpt\":[\"systempaths=unconfined\"]}}").has_unmasked_paths);
}

static const struct {
	const char *options;
	bool is_seccomp, is_apparmor;
} confinements[] = {
	{ "[]", false, false },
	{ "[\"no-new-privileges\"]", false, false },
	{ "[\"seccomp=unconfined\"]", true, false },
	{ "[\"seccomp:unconfined\"]", true, false },
	{ "[\"apparmor=unconfined\"]", false, true },
	{ "[\"apparmor:unconfined\"]", false, true },
	{ "[\"seccomp=builtin\"]", false, false },
	{ "[\"seccomp=/no/profile\"]", true, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ALLOW\\\"}\"]", true, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_LOG\\\",\\\"syscalls\\\":[]}\"]", true, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"syscalls\\\":[{\\\"names\\\":[\\\"read\\\"],\\\"action\\\":\\\"SCMP_ACT_ALLOW\\\"}]}\"]", false, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"syscalls\\\":[{\\\"names\\\":[\\\"read\\\",\\\"mount\\\"],\\\"action\\\":\\\"SCMP_ACT_ALLOW\\\"}]}\"]", true, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"syscalls\\\":[{\\\"name\\\":\\\"bpf\\\",\\\"action\\\":\\\"SCMP_ACT_TRACE\\\"}]}\"]", true, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"syscalls\\\":[{\\\"names\\\":[\\\"mount\\\"],\\\"action\\\":\\\"SCMP_ACT_ALLOW\\\",\\\"includes\\\":{\\\"caps\\\":[\\\"CAP_SYS_ADMIN\\\"]}}]}\"]", false, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"syscalls\\\":[{\\\"names\\\":[\\\"clone\\\"],\\\"action\\\":\\\"SCMP_ACT_ALLOW\\\"}]}\"]", true, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"syscalls\\\":[{\\\"names\\\":[\\\"clone\\\"],\\\"action\\\":\\\"SCMP_ACT_ALLOW\\\",\\\"args\\\":[{\\\"index\\\":0,\\\"value\\\":2114060288,\\\"op\\\":\\\"SCMP_CMP_MASKED_EQ\\\"}]}]}\"]", false, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"syscalls\\\":[{\\\"names\\\":[\\\"clone\\\"],\\\"action\\\":\\\"SCMP_ACT_ALLOW\\\",\\\"args\\\":[{\\\"index\\\":0,\\\"value\\\":0,\\\"op\\\":\\\"SCMP_CMP_MASKED_EQ\\\"}]}]}\"]", true, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"DEFAULTACTION\\\":\\\"SCMP_ACT_ALLOW\\\"}\"]", true, false },
	{ "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_KILL_PROCESS\\\"}\"]", false, false },
};

static void a_profile_weaker_than_the_default_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(confinements); i++) {
		char text[1024];
		snprintf(text, sizeof(text), "{\"HostConfig\":{\"SecurityOpt\":%s}}", confinements[i].options);
		struct policy_workload w = workload(text);
		if (w.has_weaker_seccomp != confinements[i].is_seccomp || w.has_weaker_apparmor != confinements[i].is_apparmor)
			fail_msg("%s", confinements[i].options);
	}
}

static const struct {
	const char *text, *type, *source, *dest, *device, *protects, *driver;
	bool is_writable;
} mounts[] = {
	{ "\"Binds\":[\"/a:/b\"]", "bind", "/a", "/b", "", "", "", true },
	{ "\"Binds\":[\"/a:/b:ro,z\"]", "bind", "/a", "/b", "", "", "", false },
	{ "\"Binds\":[\"/a:/b:rshared\"]", "bind", "/a", "/b", "", "", "", true },
	{ "\"Binds\":[\"vol:/b\"]", "volume", "vol", "/b", "", "", "", true },
	{ "\"VolumeDriver\":\"nfs\",\"Binds\":[\"vol:/b\"]", "volume", "vol", "/b", "", "", "nfs", true },
	{ "\"Binds\":[\"/b\"]", "volume", "", "/b", "", "", "", true },
	{ "\"Binds\":[\"/b:ro\"]", "volume", "", "/b", "", "", "", false },
	{ "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true}]", "bind", "/a", "/b", "", "", "", false },
	{ "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"v\",\"Target\":\"/b\",\"VolumeOptions\":{\"DriverConfig\":{\"Name\":\"local\",\"Options\":{\"type\":\"none\",\"o\":\"bind\",\"device\":\"/etc\"}}}}]",
	  "volume", "v", "/b", "/etc", "", "local", true },
	{ "\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/b\",\"VolumeOptions\":{\"DriverConfig\":{\"Options\":{\"type\":\"tmpfs\",\"o\":\"ro,rbind\",\"device\":\"/etc\"}}}}]",
	  "volume", "", "/b", "/etc", "", "", true },
	{ "\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/b\",\"VolumeOptions\":{\"DriverConfig\":{\"Options\":{\"type\":\"overlay\",\"o\":\"lowerdir=/\",\"device\":\"overlay\"}}}}]",
	  "volume", "", "/b", "/", "", "", true },
	{ "\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/b\",\"VolumeOptions\":{\"DriverConfig\":{\"Options\":{\"type\":\"ext4\",\"device\":\"/dev/sda1\"}}}}]",
	  "volume", "", "/b", "/", "", "", true },
	{ "\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/b\",\"VolumeOptions\":{\"DriverConfig\":{\"Options\":{\"type\":\"tmpfs\",\"device\":\"tmpfs\",\"o\":\"size=1m\"}}}}]",
	  "volume", "", "/b", "", "", "", true },
	{ "\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/b\"}]", "tmpfs", "", "/b", "", "", "", true },
};

static void every_way_to_files_is_a_mount(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
		char text[1024];
		snprintf(text, sizeof(text), "{\"HostConfig\":{%s}}", mounts[i].text);
		struct policy_workload w = workload(text);
		assert_int_equal(w.mount_count, 1);
		const struct policy_mount *m = w.mounts;
		if (strcmp(m->type, mounts[i].type) || strcmp(m->source, mounts[i].source) || strcmp(m->dest, mounts[i].dest) ||
		    strcmp(m->device, mounts[i].device) || strcmp(m->protects, mounts[i].protects) ||
		    strcmp(m->driver, mounts[i].driver) || m->is_writable != mounts[i].is_writable)
			fail_msg("%s: %s %s %s device '%s' protects '%s' driver '%s' %d", text, m->type, m->source, m->dest, m->device,
				 m->protects, m->driver, m->is_writable);
	}
}

/* ---- the engine's answers ---- */

static void a_container_is_read_as_it_was_made(void **state)
{
	struct policy_workload w;
	struct err err = { 0 };
	int r = authz_read_container(
		SLICE_LIT("{\"Id\":\"1\",\"Name\":\"/box\",\"Image\":\"sha256:aa\",\"Config\":{\"Image\":\"nginx\",\"User\":\"5\",\"Labels\":{\"a\":\"1\",\"A\":\"2\"}},"
			  "\"HostConfig\":{\"Privileged\":true,\"PidMode\":\"host\",\"Binds\":[\"/a:/b\"]},\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\","
			  "\"Destination\":\"/b\",\"RW\":true},{\"Type\":\"volume\",\"Name\":\"v\",\"Source\":\"/var/lib/docker/volumes/v/_data\",\"Driver\":\"local\","
			  "\"Destination\":\"/c\",\"RW\":false}],\"NetworkSettings\":{\"Networks\":{\"blue\":{}}}}"),
		arena, &w, &err);

	(void)state;
	if (r < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(w.name, "box");
	assert_string_equal(w.image_id, "sha256:aa");
	assert_true(w.is_privileged);
	assert_int_equal(w.mount_count, 2);
	assert_string_equal(w.mounts[1].source, "v");
	assert_false(w.mounts[1].is_writable);
	assert_string_equal(w.networks.v[0], "blue");
	assert_int_equal(authz_read_container(SLICE_LIT("{}"), arena, &w, NULL), -ERR_PEER);
	assert_int_equal(authz_read_container(SLICE_LIT("[]"), arena, &w, NULL), -ERR_PEER);
}

static void an_image_gives_its_user_to_who_names_none(void **state)
{
	struct slice text = SLICE_LIT("{\"Id\":\"sha256:bb\",\"RepoDigests\":[\"a@sha256:cc\"],\"Config\":{\"User\":\"app\"}}");
	struct policy_workload w;

	(void)state;
	authz_workload_init(&w);
	assert_int_equal(authz_read_image(text, arena, &w, NULL), 0);
	assert_string_equal(w.user, "app");
	assert_string_equal(w.digests.v[0], "a@sha256:cc");
	authz_workload_set_user(&w, "0");
	assert_int_equal(authz_read_image(text, arena, &w, NULL), 0);
	assert_true(w.is_user_root);
	assert_int_equal(authz_read_image(SLICE_LIT("{}"), arena, &w, NULL), -ERR_PEER);
}

static void scans_are_told_by_the_image(void **state)
{
	const struct authz_body *b = body("{\"images\":{\"sha256:bb\":{\"scanned\":1700000000,\"worst\":\"high\"}}}");
	struct policy_workload w;

	(void)state;
	authz_workload_init(&w);
	authz_read_scan(b, "sha256:bb", &w);
	assert_true(w.is_scan_known && w.is_scanned && w.scanned_unix_s == 1700000000);
	assert_string_equal(w.worst_severity, "high");
	authz_read_scan(b, "sha256:cc", &w);
	assert_true(w.is_scan_known && !w.is_scanned);
	assert_string_equal(w.worst_severity, "");
}

static void a_question_leads_nowhere_else(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/../b", "/a", "a//b", "a/./b", "a/", "../containers/x" };

	(void)state;
	assert_string_equal(authz_question_path("/images/", "r:5000/a/b@sha256:1", "/json", arena), "/images/r:5000/a/b@sha256:1/json");
	assert_string_equal(authz_question_path("/containers/", "a b?c#d%e", "/json", arena), "/containers/a%20b%3Fc%23d%25e/json");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (*authz_question_path("/images/", bad[i], "/json", arena))
			fail_msg("'%s' is asked", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(host_config_at_the_top_counts_when_there_is_no_other),
		cmocka_unit_test(what_has_a_wrong_type_is_refused),
		cmocka_unit_test(ranges_of_ports_are_told_one_by_one),
		cmocka_unit_test(root_has_many_names),
		cmocka_unit_test(masks_that_are_replaced_are_seen),
		cmocka_unit_test(a_profile_weaker_than_the_default_is_seen),
		cmocka_unit_test(every_way_to_files_is_a_mount),
		cmocka_unit_test(a_container_is_read_as_it_was_made),
		cmocka_unit_test(an_image_gives_its_user_to_who_names_none),
		cmocka_unit_test(scans_are_told_by_the_image),
		cmocka_unit_test(a_question_leads_nowhere_else),
	};

	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
