/* test_facts_daemon.c - the engine's answers about itself, its file and its command line. */
#include "facts_test.h"

static void info_is_read(void **state)
{
	static const char body[] =
		"{\"ServerVersion\":\"28.2.2\",\"OSType\":\"linux\",\"Architecture\":\"x86_64\",\"DockerRootDir\":\"/"
		"var/lib/docker\",\"Driver\":\"overlay2\","
		"\"LoggingDriver\":\"json-file\",\"CgroupDriver\":\"systemd\",\"CgroupVersion\":\"2\","
		"\"DefaultRuntime\":\"runc\",\"LiveRestoreEnabled\":true,"
		"\"ExperimentalBuild\":true,\"Containers\":5,\"ContainersRunning\":3,\"Images\":-1,"
		"\"SecurityOptions\":[\"name=apparmor\",\"name=seccomp,profile=default\",\"name=userns\",\"name="
		"cgroupns\"],"
		"\"RegistryConfig\":{\"InsecureRegistryCIDRs\":[\"127.0.0.0/8\",\"::1/128\",\"10.0.0.0/8\"],"
		"\"IndexConfigs\":{\"docker.io\":{\"Secure\":true},\"r:5000\":{\"Secure\":false}}},"
		"\"Plugins\":{\"Authorization\":[\"picket\"]},\"Runtimes\":{\"runc\":{},\"kata\":{}},\"Swarm\":{"
		"\"LocalNodeState\":\"active\",\"ControlAvailable\":true},"
		"\"Warnings\":[\"w\"]}";
	struct facts_daemon d;

	facts_daemon_init(&d);
	assert_int_equal(facts_read_info(slice_of(body), *state, &d, NULL), 0);
	assert_true(d.is_known && d.has_live_restore && d.is_experimental && d.has_apparmor && d.has_seccomp &&
		    d.has_userns);
	assert_false(d.has_selinux || d.is_rootless);
	assert_string_equal(d.seccomp_profile, "builtin");
	assert_int_equal(d.cgroup_version, 2);
	assert_int_equal(d.insecure_registries.count, 2);
	assert_true(has_text(&d.insecure_registries, "r:5000") && has_text(&d.insecure_registries, "10.0.0.0/8"));
	assert_string_equal(d.authz_plugins.v[0], "picket");
	assert_true(has_text(&d.runtimes, "kata"));
	assert_string_equal(d.swarm, "active");
	assert_int_equal(d.is_swarm_manager, FACTS_YES);
	assert_int_equal(d.containers_running, 3);
	assert_int_equal(d.images, 0);
	assert_int_equal(facts_read_info(SLICE_LIT("{\"message\":\"x\"}"), *state, &d, NULL), 0);
	assert_string_equal(d.root_dir, "");
	assert_int_equal(facts_read_info(SLICE_LIT("[1]"), *state, &d, NULL), -ERR_SYNTAX);
}

static void version_networks_and_swarm_are_read(void **state)
{
	struct facts_daemon d;

	facts_daemon_init(&d);
	assert_int_equal(facts_read_version(
				 SLICE_LIT("{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"Experimental\":true}"),
				 *state, &d, NULL),
			 0);
	assert_string_equal(d.version, "20.10.24");
	assert_true(d.is_experimental);
	assert_int_equal(
		facts_read_networks(
			SLICE_LIT("[{\"Name\":\"bridge\",\"Driver\":\"bridge\",\"Internal\":false,\"Options\":{"
				  "\"com.docker.network.bridge.enable_icc\":\"false\",\"com.docker.network.bridge."
				  "default_bridge\":\"true\"}},"
				  "{\"Name\":\"u\",\"Driver\":\"bridge\",\"Internal\":true,\"Options\":{}},"
				  "{\"Name\":\"o\",\"Driver\":\"overlay\",\"Options\":{\"encrypted\":\"\"}},"
				  "{\"Name\":\"p\",\"Driver\":\"overlay\",\"Options\":null},3]"),
			*state, &d, NULL),
		0);
	assert_int_equal(d.network_count, 4);
	assert_int_equal(d.networks[0].has_icc, FACTS_NO);
	assert_true(d.networks[0].is_default && !d.networks[1].is_default);
	assert_int_equal(d.networks[1].has_icc, FACTS_YES);
	assert_int_equal(d.networks[1].is_internal, FACTS_YES);
	assert_int_equal(d.networks[2].is_encrypted, FACTS_YES);
	assert_int_equal(d.networks[3].is_encrypted, FACTS_NO);
	assert_int_equal(d.networks[0].is_encrypted, FACTS_UNKNOWN);
	assert_int_equal(facts_read_swarm(SLICE_LIT("{\"Spec\":{\"EncryptionConfig\":{\"AutoLockManagers\":true},"
						    "\"CAConfig\":{\"NodeCertExpiry\":7776000000000000}}}"),
					  *state, &d, NULL),
			 0);
	assert_int_equal(d.has_swarm_autolock, FACTS_YES);
	assert_int_equal(d.swarm_cert_expiry_ns, 7776000000000000);
	assert_int_equal(facts_read_swarm(SLICE_LIT("{\"Spec\":{\"EncryptionConfig\":{}}}"), *state, &d, NULL), 0);
	assert_int_equal(d.has_swarm_autolock, FACTS_NO);
	assert_int_equal(facts_read_swarm(SLICE_LIT("{\"message\":\"not a manager\"}"), *state, &d, NULL), 0);
	assert_int_equal(d.has_swarm_autolock, FACTS_UNKNOWN);
}

static void daemon_json_is_read(void **state)
{
	struct facts_daemon d;

	facts_daemon_init(&d);
	assert_int_equal(
		facts_read_config(SLICE_LIT("\xef\xbb\xbf{\"icc\":false,\"userland-proxy\":false,\"tlsverify\":true,"
					    "\"log-level\":\"debug\",\"hosts\":[\"tcp://0.0.0.0:2376\"],"
					    "\"default-ulimits\":{\"nofile\":{\"Name\":\"nofile\",\"Hard\":64000,"
					    "\"Soft\":32000}},\"storage-opts\":[\"dm.basesize=20G\"],"
					    "\"tlscacert\":\"/"
					    "ca\",\"no-new-privileges\":\"true\",\"metrics-addr\":\"127.0.0.1:9323\"}"),
				  *state, &d, NULL),
		0);
	assert_true(d.has_config && !d.is_config_bad);
	assert_int_equal(d.icc, FACTS_NO);
	assert_int_equal(d.userland_proxy, FACTS_NO);
	assert_int_equal(d.tls_verify, FACTS_YES);
	assert_int_equal(d.no_new_privileges, FACTS_UNKNOWN); /* of the wrong type */
	assert_int_equal(d.iptables, FACTS_UNKNOWN);
	assert_string_equal(d.log_level, "debug");
	assert_string_equal(d.basesize, "20G");
	assert_string_equal(d.tls_ca, "/ca");
	assert_string_equal(d.hosts.v[0], "tcp://0.0.0.0:2376");
	assert_int_equal(d.ulimits[0].hard, 64000);
	assert_string_equal(d.metrics_address, "127.0.0.1:9323");
}

static void a_broken_daemon_json_is_told(void **state)
{
	static const char *const bad[] = { "{\"icc\":false,}", "[]", "{", "icc = false" };
	struct facts_daemon d;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		facts_daemon_init(&d);
		assert_int_equal(facts_read_config(slice_of(bad[i]), *state, &d, NULL), -ERR_SYNTAX);
		assert_true(d.has_config && d.is_config_bad);
		assert_string_not_equal(d.config_error, "");
		assert_int_equal(d.icc, FACTS_UNKNOWN);
	}
	facts_daemon_init(&d);
	assert_int_equal(facts_read_config(SLICE_LIT(" \n"), *state, &d, NULL), 0);
	assert_true(d.has_config && !d.is_config_bad);
}

#define ARGV(...)                                         \
	const char *words[] = { "dockerd", __VA_ARGS__ }; \
	const struct facts_texts argv = { words, ARRAY_LEN(words) }

static void the_command_line_wins_over_the_file(void **state)
{
	struct facts_daemon d;
	ARGV("--icc=false", "--no-new-privileges", "-DH", "tcp://1.2.3.4:1", "-Hunix:///a", "--host=fd://", "-l",
	     "warn", "--default-ulimit", "nofile=64:128", "--default-ulimit=nproc=9", "--storage-opt", "dm.basesize=5G",
	     "--userland-proxy=0", "--live-restore", "--tlsverify=nonsense", "--iptables=T");

	facts_daemon_init(&d);
	assert_int_equal(facts_read_config(SLICE_LIT("{\"icc\":true,\"log-level\":\"info\",\"default-ulimits\":{"
						     "\"nofile\":{\"Hard\":1,\"Soft\":1}}}"),
					   *state, &d, NULL),
			 0);
	facts_read_argv(&argv, *state, &d);
	assert_int_equal(d.icc, FACTS_NO);
	assert_int_equal(d.no_new_privileges, FACTS_YES);
	assert_int_equal(d.userland_proxy, FACTS_NO);
	assert_int_equal(d.tls_verify, FACTS_UNKNOWN);
	assert_int_equal(d.iptables, FACTS_YES);
	assert_string_equal(d.log_level, "warn");
	assert_int_equal(d.hosts.count, 3);
	assert_string_equal(d.hosts.v[0], "tcp://1.2.3.4:1");
	assert_string_equal(d.hosts.v[1], "unix:///a");
	assert_string_equal(d.hosts.v[2], "fd://");
	assert_int_equal(d.ulimit_count, 2);
	assert_int_equal(d.ulimits[0].hard, 128);
	assert_int_equal(d.ulimits[1].soft, 9);
	assert_int_equal(d.ulimits[1].hard, 9);
	assert_string_equal(d.basesize, "5G");
}

/* What stands behind an option that takes a value is that value, whatever it looks like. */
static void a_value_that_looks_like_an_option_is_none(void **state)
{
	struct facts_daemon d;
	ARGV("-G", "--icc=false", "--log-level", "--icc=false", "--", "--icc=false", "-H");

	facts_daemon_init(&d);
	facts_read_argv(&argv, *state, &d);
	assert_int_equal(d.icc, FACTS_UNKNOWN);
	assert_string_equal(d.log_level, "--icc=false");
	assert_int_equal(d.hosts.count, 0);
}

static void a_command_line_that_ends_early_is_read(void **state)
{
	static const char *const ends[] = { "-H",
					    "--log-level",
					    "-l",
					    "-",
					    "--",
					    "-D=",
					    "--icc=",
					    "--default-ulimit",
					    "--default-ulimit=x",
					    "--default-ulimit=x=" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct facts_daemon d;
		ARGV(ends[i]);

		facts_daemon_init(&d);
		facts_read_argv(&argv, *state, &d);
		assert_int_equal(d.icc, FACTS_UNKNOWN);
	}
	const struct facts_texts none = { 0 };
	struct facts_daemon d;
	facts_daemon_init(&d);
	facts_read_argv(&none, *state, &d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_arena(info_is_read),
		with_arena(version_networks_and_swarm_are_read),
		with_arena(daemon_json_is_read),
		with_arena(a_broken_daemon_json_is_told),
		with_arena(the_command_line_wins_over_the_file),
		with_arena(a_value_that_looks_like_an_option_is_none),
		with_arena(a_command_line_that_ends_early_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
