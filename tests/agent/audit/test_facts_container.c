/* test_facts_container.c - the engine's answers about containers, execs, volumes and images. */
#include "facts_test.h"

static const char full[] =
	"{\"Id\":\"abc\",\"Name\":\"/"
	"web\",\"Image\":\"sha256:11\",\"Created\":\"2026-11-30T10:00:00.5Z\",\"AppArmorProfile\":\"docker-default\","
	"\"ExecIDs\":[\"e1\",\"e2\"],"
	"\"State\":{\"Status\":\"paused\",\"Pid\":4711,\"StartedAt\":\"2026-11-30T10:00:01Z\",\"Health\":{\"Status\":"
	"\"unhealthy\"}},"
	"\"Config\":{\"Image\":\"nginx@sha256:22\",\"User\":\"app\",\"Env\":[\"DB_PASSWORD=hunter2\",\"PATH=/"
	"bin\",\"DB_PASSWORD_FILE=/run/secrets/x\"],"
	"\"Healthcheck\":{\"Test\":[\"NONE\"]}},"
	"\"HostConfig\":{\"Privileged\":true,\"ReadonlyRootfs\":true,\"OomKillDisable\":true,\"PublishAllPorts\":true,"
	"\"CapAdd\":[\"SYS_ADMIN\",7,\"NET_ADMIN\"],\"CapDrop\":null,\"SecurityOpt\":[\"no-new-privileges:false\"],"
	"\"PidMode\":\"host\",\"IpcMode\":\"container:x\",\"NetworkMode\":\"n\",\"UTSMode\":\"\",\"UsernsMode\":"
	"\"host\",\"CgroupnsMode\":\"host\","
	"\"CgroupParent\":\"/p\",\"Runtime\":\"runc\",\"Devices\":[{\"PathOnHost\":\"/dev/"
	"kmsg\",\"PathInContainer\":\"/dev/k\",\"CgroupPermissions\":\"rwm\"}],"
	"\"DeviceCgroupRules\":[\"a *:* "
	"rwm\"],\"DeviceRequests\":[{}],\"MaskedPaths\":[],\"Sysctls\":{\"net.ipv4.ip_forward\":\"1\"},"
	"\"Memory\":1048576,\"NanoCpus\":500000000,\"CpuQuota\":-1,\"CpuShares\":2,\"PidsLimit\":-1,\"OomScoreAdj\":-"
	"500,"
	"\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":7},\"Ulimits\":[{\"Name\":\"nofile\","
	"\"Soft\":1,\"Hard\":-1}],"
	"\"VolumesFrom\":[\"other\"],\"LogConfig\":{\"Type\":\"none\"},\"Tmpfs\":{\"/tmp\":\"rw\"},"
	"\"PortBindings\":{\"1/tcp\":[{\"HostPort\":\"9\"}]}},"
	"\"NetworkSettings\":{\"Ports\":{\"80/"
	"tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"},{\"HostIp\":\"::\",\"HostPort\":\"8080\"}],\"53/"
	"udp\":null},"
	"\"Networks\":{\"n\":{\"NetworkID\":\"id1\",\"IPAddress\":\"10.0.0.2\",\"GlobalIPv6Address\":\"fd00::2\"}}},"
	"\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/etc\",\"Destination\":\"/"
	"e\",\"RW\":true,\"Propagation\":\"rshared\"},"
	"{\"Type\":\"volume\",\"Name\":\"v\",\"Driver\":\"local\",\"Source\":\"/var/lib/docker/volumes/v/"
	"_data\",\"Destination\":\"/v\",\"RW\":false}]}";

static void an_inspect_is_read_field_by_field(void **state)
{
	struct facts_container c;
	struct err err = { 0 };

	assert_int_equal(facts_read_container(slice_of(full), *state, &c, &err), 0);
	const struct facts_asked *a = &c.asked;
	assert_string_equal(c.id, "abc");
	assert_string_equal(c.name, "web");
	assert_string_equal(c.image, "nginx@sha256:22");
	assert_string_equal(c.image_digest, "sha256:22");
	assert_string_equal(c.image_id, "sha256:11");
	assert_int_equal(c.state, STATE_PAUSED);
	assert_int_equal(c.pid, 4711);
	assert_int_equal(c.created_unix_s, 1796032800);
	assert_int_equal(c.started_unix_s, 1796032801);
	assert_true(a->is_privileged && a->is_root_readonly && a->is_oom_kill_disabled && a->is_publish_all &&
		    a->is_health_none);
	assert_int_equal(a->cap_add.count, 2);
	assert_string_equal(a->cap_add.v[1], "NET_ADMIN");
	assert_int_equal(a->cap_drop.count, 0);
	assert_string_equal(a->security_opt.v[0], "no-new-privileges:false");
	assert_string_equal(a->ipc_mode, "container:x");
	assert_string_equal(a->cgroupns_mode, "host");
	assert_string_equal(a->devices.v[0], "/dev/kmsg:/dev/k:rwm");
	assert_string_equal(a->device_rules.v[0], "a *:* rwm");
	assert_int_equal(a->device_requests, 1);
	assert_int_equal(a->masks_proc, FACTS_NO);
	assert_string_equal(a->sysctls.v[0], "net.ipv4.ip_forward=1");
	assert_int_equal(a->memory_bytes, 1048576);
	assert_int_equal(a->cpu_quota, -1);
	assert_int_equal(a->pids_limit, -1);
	assert_int_equal(a->oom_score_adj, -500);
	assert_int_equal(a->restart, RESTART_ON_FAILURE);
	assert_int_equal(a->restart_max, 7);
	assert_int_equal(a->ulimits[0].hard, -1);
	assert_string_equal(a->health, "unhealthy");
	assert_string_equal(a->log_driver, "none");
	assert_string_equal(a->apparmor, "docker-default");
	assert_string_equal(a->volumes_from.v[0], "other");
}

static void lists_of_an_inspect_are_read(void **state)
{
	struct facts_container c;

	assert_int_equal(facts_read_container(slice_of(full), *state, &c, NULL), 0);
	const struct facts_asked *a = &c.asked;
	assert_int_equal(a->port_count, 2); /* exposed alone is not published */
	assert_string_equal(a->ports[1].host_ip, "::");
	assert_int_equal(a->ports[1].host_port, 8080);
	assert_int_equal(a->ports[1].port, 80);
	assert_string_equal(a->ports[1].protocol, "tcp");
	assert_int_equal(a->mount_count, 3);
	assert_true(a->mounts[0].is_writable && !a->mounts[1].is_writable);
	assert_string_equal(a->mounts[0].propagation, "rshared");
	assert_string_equal(a->mounts[1].driver, "local");
	assert_string_equal(a->mounts[2].type, "tmpfs");
	assert_string_equal(a->mounts[2].dest, "/tmp");
	assert_string_equal(a->networks[0].name, "n");
	assert_string_equal(a->networks[0].address6, "fd00::2");
	assert_int_equal(a->exec_count, 2);
	assert_string_equal(a->execs[1].id, "e2");
	assert_int_equal(a->secret_names.count, 1);
	assert_string_equal(a->secret_names.v[0], "DB_PASSWORD");
}

static void what_was_asked_for_counts_before_the_start(void **state)
{
	static const char body[] = "{\"HostConfig\":{\"PortBindings\":{\"22/"
				   "tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}],\"x\":[{}],\"70000/tcp\":[{}]},"
				   "\"MaskedPaths\":null},\"NetworkSettings\":{\"Ports\":{}},\"State\":{\"Status\":"
				   "\"created\",\"StartedAt\":\"0001-01-01T00:00:00Z\"}}";
	struct facts_container c;

	assert_int_equal(facts_read_container(slice_of(body), *state, &c, NULL), 0);
	assert_int_equal(c.asked.port_count, 1);
	assert_int_equal(c.asked.ports[0].port, 22);
	assert_int_equal(c.asked.ports[0].host_port, 0);
	assert_int_equal(c.started_unix_s, 0);
	assert_int_equal(c.asked.masks_proc, FACTS_NO);
	assert_int_equal(c.state, STATE_CREATED);
	assert_false(c.real.is_known);
	assert_int_equal(c.real.memory_max, -2);
}

static void values_of_the_wrong_type_count_as_absent(void **state)
{
	static const char body[] =
		"{\"Id\":7,\"Name\":[],\"State\":\"x\",\"Config\":[1],\"HostConfig\":{\"Privileged\":\"true\","
		"\"CapAdd\":{\"a\":\"b\"},"
		"\"Memory\":\"1\",\"PidsLimit\":1e300,\"CpuShares\":-1e300,\"Ulimits\":[1,null,{}],\"Devices\":[1],"
		"\"Sysctls\":[1],\"RestartPolicy\":1},"
		"\"Mounts\":[1,{}],\"NetworkSettings\":{\"Networks\":[1],\"Ports\":[1]},\"ExecIDs\":{\"a\":1}}";
	struct facts_container c;

	assert_int_equal(facts_read_container(slice_of(body), *state, &c, NULL), 0);
	assert_string_equal(c.id, "");
	assert_string_equal(c.name, "");
	assert_false(c.asked.is_privileged);
	assert_int_equal(c.asked.cap_add.count, 0);
	assert_int_equal(c.asked.memory_bytes, 0);
	assert_true(c.asked.pids_limit == INT64_MAX && c.asked.cpu_shares == INT64_MIN);
	assert_int_equal(c.asked.ulimit_count, 1);
	assert_int_equal(c.asked.mount_count, 1);
	assert_string_equal(c.asked.mounts[0].source, "");
	assert_int_equal(c.asked.masks_proc, FACTS_UNKNOWN);
}

static void lists_are_cut_at_their_bound(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct facts_container c;

	buf_init(&b, 0);
	buf_add_str(&b, "{\"HostConfig\":{\"CapAdd\":[\"a\"");
	for (size_t i = 0; i < 1000; i++)
		buf_add_str(&b, ",\"a\"");
	buf_add_str(&b, "],\"PortBindings\":{\"1/tcp\":[{}");
	for (size_t i = 0; i < 1000; i++)
		buf_add_str(&b, ",{}");
	buf_add_str(&b, "]},\"Tmpfs\":{\"/0\":\"\"");
	for (size_t i = 0; i < 1000; i++)
		buf_printf(&b, ",\"/%zu\":\"\"", i);
	buf_add_str(&b, "}}}");
	assert_int_equal(facts_read_container(buf_slice(&b), *state, &c, NULL), 0);
	assert_int_equal(c.asked.cap_add.count, FACTS_LIST_MAX);
	assert_int_equal(c.asked.port_count, FACTS_LIST_MAX);
	assert_int_equal(c.asked.mount_count, FACTS_LIST_MAX);
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const bad[] = { "", "[]", "7", "{", "{\"a\":", "null", "{}x", "\xff\xfe" };
	struct facts_container c = { .id = "kept" };
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(facts_read_container(slice_of(bad[i]), *state, &c, &err), -ERR_SYNTAX);
		assert_string_equal(c.id, "kept");
	}
	struct arena *small = arena_new(1024);
	assert_int_equal(facts_read_container(slice_of(full), small, &c, &err), -ERR_LIMIT);
	arena_free(small);
}

static void an_exec_is_read(void **state)
{
	struct facts_exec e;

	assert_int_equal(facts_read_exec(SLICE_LIT("{\"ID\":\"e\",\"Running\":true,\"Pid\":9,\"ProcessConfig\":{"
						   "\"user\":\"root\",\"privileged\":true}}"),
					 *state, &e, NULL),
			 0);
	assert_true(e.is_privileged && e.is_running && e.pid == 9);
	assert_string_equal(e.user, "root");
	assert_int_equal(facts_read_exec(SLICE_LIT("{\"Pid\":99999999999}"), *state, &e, NULL), 0);
	assert_int_equal(e.pid, 0);
	assert_int_equal(facts_read_exec(SLICE_LIT("{\"Pid\":7,\"Running\":false}"), *state, &e, NULL), 0);
	assert_int_equal(e.pid, 0);
}

static void a_volume_that_is_a_bind_names_its_folder(void **state)
{
	const char *name, *device;

	assert_int_equal(facts_read_volume(SLICE_LIT("{\"Name\":\"v\",\"Options\":{\"type\":\"none\",\"o\":\"ro,bind\","
						     "\"device\":\"/etc\"}}"),
					   *state, &name, &device, NULL),
			 0);
	assert_string_equal(name, "v");
	assert_string_equal(device, "/etc");
	assert_int_equal(facts_read_volume(SLICE_LIT("{\"Name\":\"v\",\"Options\":{\"type\":\"nfs\",\"o\":\"addr="
						     "binder\",\"device\":\":/x\"}}"),
					   *state, &name, &device, NULL),
			 0);
	assert_string_equal(device, "");
	assert_int_equal(
		facts_read_volume(SLICE_LIT("{\"Name\":\"v\",\"Options\":null}"), *state, &name, &device, NULL), 0);
	assert_string_equal(device, "");
}

static void variables_look_like_a_secret_by_name_or_value(void **state)
{
	static const struct {
		const char *variable;
		bool is_secret;
	} rows[] = {
		{ "DB_PASSWORD=hunter2", true },
		{ "dbPassword=x1", true },
		{ "PGPASSWORD=abc", true },
		{ "MYSQL_PWD=abc", true },
		{ "TOKEN2=abcdef", true },
		{ "STRIPE_API_KEY=abcdef", true },
		{ "AWS_SECRET_ACCESS_KEY=abcdef", true },
		{ "SMTP_PASS=abc", true },
		{ "X=AKIAIOSFODNN7EXAMPLE", true },
		{ "DATABASE_URL=postgres://u:p@db/x", true },
		{ "KEY=-----BEGIN RSA PRIVATE KEY-----", true },
		{ "GH=ghp_0123456789012345678901234567890123456", true },
		{ "PWD=/root", false },
		{ "PWD=x", false },
		{ "OLDPWD=x", false },
		{ "COMPASS=north", false },
		{ "DB_PASSWORD_FILE=/run/secrets/db", false },
		{ "DB_PASSWORD=/run/secrets/db", false },
		{ "DB_PASSWORD=", false },
		{ "TOKEN=true", false },
		{ "TOKEN_URL=https://x/y", false },
		{ "URL=https://host:80/a@b:c", false },
		{ "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568", false },
		{ "MONKEY=1234", false },
		{ "=x", false },
		{ "PASSWORD", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cJSON *env = cJSON_CreateArray();
		struct facts_out o = { .a = *state };
		struct facts_texts t;

		cJSON_AddItemToArray(env, cJSON_CreateString(rows[i].variable));
		facts_secret_names(&o, env, &t);
		if (t.count != rows[i].is_secret)
			fail_msg("%s: %zu", rows[i].variable, t.count);
		if (t.count)
			assert_null(strchr(t.v[0], '='));
		cJSON_Delete(env);
	}
}

static void an_image_and_its_history_are_read(void **state)
{
	struct facts_image i;

	assert_int_equal(facts_read_image(SLICE_LIT("{\"Id\":\"sha256:1\",\"RepoTags\":[\"a:1\"],\"RepoDigests\":[\"a@"
						    "sha256:2\"],\"Created\":\"2026-11-30T10:00:00Z\","
						    "\"Size\":12,\"Config\":{\"User\":\"root\",\"ExposedPorts\":{\"22/"
						    "tcp\":{}},\"Env\":[\"API_TOKEN=abc\"],"
						    "\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"]}}}"),
					  *state, &i, NULL),
			 0);
	assert_string_equal(i.tags.v[0], "a:1");
	assert_string_equal(i.digests.v[0], "a@sha256:2");
	assert_string_equal(i.exposed_ports.v[0], "22/tcp");
	assert_string_equal(i.secret_names.v[0], "API_TOKEN");
	assert_int_equal(i.health_test.count, 2);
	assert_int_equal(i.size_bytes, 12);
	assert_int_equal(i.created_unix_s, 1796032800);
	assert_int_equal(
		facts_read_history(
			SLICE_LIT(
				"[{\"CreatedBy\":\"newest\"},{\"CreatedBy\":\"middle\"},7,{\"CreatedBy\":\"oldest\"}]"),
			*state, &i, NULL),
		0);
	assert_int_equal(i.history.count, 3);
	assert_string_equal(i.history.v[0], "oldest");
	assert_string_equal(i.history.v[2], "newest");
	assert_int_equal(facts_read_history(SLICE_LIT("[]"), *state, &i, NULL), 0);
	assert_int_equal(i.history.count, 0);
	assert_int_equal(facts_read_history(SLICE_LIT("{}"), *state, &i, NULL), -ERR_SYNTAX);
}

static struct facts_image layered(const char **layers, size_t count)
{
	struct facts_image i;

	facts_image_init(&i);
	i.layers = (struct facts_texts){ layers, count };
	return i;
}

static void a_base_has_the_lowest_layers(void **state)
{
	const char *layers[] = { "sha256:a", "sha256:b", "sha256:c" }, *other[] = { "sha256:a", "sha256:x" };
	const char *tags[] = { "debian:latest", "a/b:latest", "debian:12" };
	struct facts_image whole = layered(layers, 3), two = layered(layers, 2), wrong = layered(other, 2), none = layered(layers, 0);

	assert_true(facts_image_is_base(&two, &whole));
	assert_false(facts_image_is_base(&whole, &whole));
	assert_false(facts_image_is_base(&whole, &two));
	assert_false(facts_image_is_base(&wrong, &whole));
	assert_false(facts_image_is_base(&none, &whole));
	assert_true(facts_image_is_latest(&(struct facts_texts){ tags, 2 }));
	assert_false(facts_image_is_latest(&(struct facts_texts){ tags, 3 }));
	assert_false(facts_image_is_latest(&(struct facts_texts){ tags, 0 }));
}

static void stock_says_who_is_root(void **state)
{
	const char *roots[] = { "root", "app", "1000" };
	struct facts_stock s = { .roots = { roots, 3 }, .has_passwd = true, .package_count = 7 };
	static const struct {
		const char *user;
		enum facts_tri want;
	} cases[] = { { "app", FACTS_YES }, { "app:users", FACTS_YES }, { "application", FACTS_NO }, { "1000", FACTS_YES },
		      { "1001:0", FACTS_NO }, { "", FACTS_NO } };
	struct facts_image i;

	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		facts_image_init(&i);
		i.user = cases[k].user;
		facts_image_stock(&i, &s);
		assert_int_equal(i.has_user_uid0, cases[k].want);
		assert_true(i.has_stock && i.package_count == 7);
	}
	s.has_passwd = false;
	s.roots.count = 0;
	i.user = "app";
	facts_image_stock(&i, &s);
	assert_int_equal(i.has_user_uid0, FACTS_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_arena(an_inspect_is_read_field_by_field),
		with_arena(lists_of_an_inspect_are_read),
		with_arena(what_was_asked_for_counts_before_the_start),
		with_arena(values_of_the_wrong_type_count_as_absent),
		with_arena(lists_are_cut_at_their_bound),
		with_arena(what_is_no_object_is_refused),
		with_arena(an_exec_is_read),
		with_arena(a_volume_that_is_a_bind_names_its_folder),
		with_arena(variables_look_like_a_secret_by_name_or_value),
		with_arena(an_image_and_its_history_are_read),
		with_arena(a_base_has_the_lowest_layers),
		with_arena(stock_says_who_is_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
