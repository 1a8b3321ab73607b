/* test_judge.c - whole requests against a policy: what is refused, by which rule, and what is let through. */
#include <stdlib.h>

#include "judge_test.h"

static const char policy_text[] =
	"access_control:\n"
	"  image_access:\n"
	"    allowed_repositories: [registry.company.com/library]\n"
	"    denied_repositories: [docker.io/library]\n"
	"    deny_build: true\n"
	"  network_access:\n"
	"    denied_networks: [secret]\n"
	"  port_access: {allowed_ports: [80, 443, 8080], restricted_ports: [22, 23]}\n"
	"  runtime_access:\n"
	"    deny_privileged: true\n"
	"    deny_privileged_exec: true\n"
	"    deny_host_namespaces: true\n"
	"    denied_capabilities: [SYS_ADMIN, SYS_PTRACE]\n"
	"    denied_mounts: [/var/run/docker.sock, /etc]\n"
	"    deny_unconfined: true\n"
	"    require_user: true\n"
	"  exceptions:\n"
	"    - {match: {name: \"node-exporter*\"}, allow: [host_namespaces], reason: reads the host, until: 2099-01-01}\n"
	"mode: %s\n";
#define IMAGE "\"Image\":\"registry.company.com/library/app:1\",\"User\":\"1000\""
#define CREATE(host) "{" IMAGE ",\"HostConfig\":{" host "}}"

static struct policy *enforcing, *watching, *off;

struct row {
	const char *uri, *body, *rule; /* "" allowed */
};

static void check(const struct row *rows, size_t count, const char *method)
{
	size_t bad = 0;

	for (size_t i = 0; i < count; i++) {
		struct authz_verdict v = judged(enforcing, method, rows[i].uri, rows[i].body, "application/json");

		if (strcmp(v.rule, rows[i].rule) != 0 || (v.answer == AUTHZ_ALLOW) != !*rows[i].rule)
			print_error("%s %s: %s '%s', not %s\n", rows[i].uri, rows[i].body, v.rule, v.message, rows[i].rule), bad++;
		if (*v.rule && (!strstr(v.message, v.rule) || !strchr(v.message, ':')))
			fail_msg("'%s' doesn't say why", v.message);
		if (!strncmp(v.rule, "AC-", 3) && !strstr(v.message, "policy policy.yaml:"))
			fail_msg("'%s' doesn't say where", v.message);
	}
	assert_int_equal(bad, 0);
}

#define C "/v1.41/containers/create"
static const struct row creations[] = {
	{ C, CREATE(""), "" },
	{ C "?name=x", CREATE("\"NetworkMode\":\"default\",\"CapDrop\":[\"ALL\"]"), "" },
	{ C, CREATE("\"Binds\":[\"/srv:/srv\"]"), "" },
	{ C, CREATE("\"Binds\":[\"vol:/srv\"]"), "" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/t\"}]"), "" },
	{ C, CREATE("\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]}"), "" },
	{ C "?name=node-exporter-1", CREATE("\"PidMode\":\"host\",\"NetworkMode\":\"host\""), "" },
	{ C, CREATE("\"VolumesFrom\":[\"plain\"]"), "" },
	{ C, CREATE("\"NetworkMode\":\"container:plain\""), "" },
	{ C, CREATE("\"NetworkMode\":\"container:absent\""), "" }, /* the engine says so */
	{ C, "{\"Image\":\"registry.company.com/library/absent\"}", "" },
	{ C, CREATE("\"Privileged\":true"), "AC-401" },
	{ C, CREATE("\"privileged\":true"), "AC-401" },
	{ C, "{" IMAGE ",\"hostconfig\":{\"PRIVILEGED\":true}}", "AC-401" },
	{ C, "{" IMAGE ",\"Ho\xc5\xbftConfig\":{\"Privileged\":true}}", "AC-401" },
	{ C, "{" IMAGE ",\"Privileged\":true}", "AC-401" },
	{ "/containers/%63reate", CREATE("\"Privileged\":true"), "AC-401" },
	{ "http://x/v1.41/containers/create", CREATE("\"Privileged\":true"), "AC-401" },
	{ C "?x=/auth", CREATE("\"Privileged\":true"), "AC-401" },
	{ C, CREATE("\"\\u0050rivileged\":true"), "AC-401" },
	{ C, CREATE("\"Privileged\":false,\"PRIVILEGED\":true"), "AZ-004" },
	{ C, "{" IMAGE ",\"HostConfig\":{\"Privileged\":true},\"HostConfig\":{}}", "AZ-004" },
	{ C, "{" IMAGE ",\"HostConfig\":{\"Privileged\":true},\"hostConfig\":{}}", "AZ-004" },
	{ C, CREATE("\"Privileged\":true") "{}", "AZ-004" },
	{ C, "{" IMAGE ",\"Privileged\":true,\"HostConfig\":{}}", "AZ-004" },
	{ C, "null", "AZ-004" },
	{ C, "", "AZ-003" },
	{ "/v1.23/containers/create", CREATE(""), "AZ-002" },
	{ C, CREATE("\"CapAdd\":[\"SYS_ADMIN\"]"), "AC-412" },
	{ C, CREATE("\"CapAdd\":[\"cap_sys_admin\"]"), "AC-412" },
	{ C, CREATE("\"CapAdd\":\"sys_ptrace\""), "AC-412" },
	{ C, CREATE("\"CapAdd\":[\"ALL\"]"), "AC-412" },
	{ C, CREATE("\"PidMode\":\"host\""), "AC-411" },
	{ C, CREATE("\"IpcMode\":\"host\""), "AC-411" },
	{ C, CREATE("\"NetworkMode\":\"host\""), "AC-411" },
	{ C, CREATE("\"NetworkMode\":\"4567\""), "AC-411" },
	{ C, CREATE("\"UTSMode\":\"host\""), "AC-411" },
	{ C, CREATE("\"UsernsMode\":\"host\""), "AC-411" },
	{ C, CREATE("\"CgroupnsMode\":\"host\""), "" }, /* the engine's default on cgroup v1: `true` doesn't mean it */
	{ C, CREATE("\"PidMode\":\"container:hostly\""), "AC-411" },
	{ C, CREATE("\"PidMode\":\"container:second\""), "AC-411" },
	{ C, CREATE("\"NetworkMode\":\"container:second\""), "AC-411" },
	{ C, CREATE("\"PidMode\":\"container:slow\""), "AZ-006" },
	{ C, CREATE("\"PidMode\":\"container:loop\""), "AZ-006" },
	{ C, CREATE("\"Binds\":[\"/etc:/e\"]"), "AC-421" },
	{ C, CREATE("\"Binds\":[\"/etc/passwd:/e:ro\"]"), "AC-421" },
	{ C, CREATE("\"Binds\":[\"/usr/../etc:/e\"]"), "AC-421" },
	{ C, CREATE("\"Binds\":[\"/:/e:ro\"]"), "AC-421" },
	{ C, CREATE("\"Binds\":[\"/var/run:/e:ro\"]"), "AC-421" },
	{ C, CREATE("\"Binds\":[\"/proc/1/root/srv:/e:ro\"]"), "AC-421" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/etc\",\"Target\":\"/e\"}]"), "AC-421" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"absent\",\"Target\":\"/e\",\"VolumeOptions\":{\"DriverConfig\":{\"Name\":\"local\",\"Options\":{\"type\":\"none\",\"o\":\"bind\",\"device\":\"/etc\"}}}}]"), "AC-421" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/e\",\"VolumeOptions\":{\"DriverConfig\":{\"Options\":{\"type\":\"overlay\",\"o\":\"lowerdir=/etc\",\"device\":\"overlay\"}}}}]"), "AC-404" },
	{ C, CREATE("\"Binds\":[\"rooted:/e\"]"), "AC-421" },
	{ C, CREATE("\"Binds\":[\"slow:/e\"]"), "AZ-006" },
	/* a volume that is there stays what it is: the engine leaves the options of who asks for it again */
	{ C, CREATE("\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"rooted\",\"Target\":\"/e\",\"VolumeOptions\":{\"DriverConfig\":{\"Name\":\"local\",\"Options\":{\"type\":\"none\",\"o\":\"bind\",\"device\":\"/srv\"}}}}]"), "AC-421" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"ssh\",\"Target\":\"/e\",\"VolumeOptions\":{\"DriverConfig\":{\"Name\":\"local\"}}}]"), "AC-424" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"rooted\",\"Target\":\"/e\",\"VolumeOptions\":{\"Subpath\":\"a\"}}]"), "AC-421" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/etc/x/y\",\"Target\":\"/e\",\"BindOptions\":{\"CreateMountpoint\":true}}]"), "AC-421" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"npipe\",\"Source\":\"/etc\",\"Target\":\"/e\"}]"), "AC-421" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"BIND\",\"Source\":\"/etc\",\"Target\":\"/e\"}]"), "AC-421" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"cluster\",\"Source\":\"rooted\",\"Target\":\"/e\"}]"), "" }, /* of swarm's, which is refused */
	{ C, CREATE("\"Mounts\":[{\"Type\":\"image\",\"Source\":\"registry.company.com/library/b\",\"Target\":\"/e\"}]"), "" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"image\",\"Source\":\"nginx\",\"Target\":\"/e\"}]"), "AC-102" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"image\",\"Source\":\"registry.company.com/library/retagged\",\"Target\":\"/e\"}]"), "AC-102" },
	{ C, CREATE("\"Mounts\":[{\"Type\":\"image\",\"Source\":\"registry.company.com/library/slow\",\"Target\":\"/e\"}]"), "AZ-006" },
	{ C, CREATE("\"Annotations\":{\"com.example.team\":\"a\"}"), "" },
	{ C, CREATE("\"Annotations\":{\"run.oci.seccomp_bpf_data\":\"AAAA\"}"), "AC-453" },
	{ C, CREATE("\"Annotations\":{\"org.systemd.property.DeviceAllow\":\"x\"}"), "AC-453" },
	{ C, CREATE("\"SecurityOpt\":[\"apparmor=:root:unconfined\"]"), "AC-453" },
	{ C, CREATE("\"SecurityOpt\":[\"writable-cgroups=true\"]"), "AC-405" },
	{ C, CREATE("\"SecurityOpt\":[\"writable-cgroups=false\"]"), "" },
	{ C, CREATE("\"CapAdd\":[\"\u017fYS_ADMIN\"]"), "AC-412" }, /* Go's upper case of a long s */
	{ C, CREATE("\"Capabilities\":[\"SYS_ADMIN\"]"), "AZ-013" },
	{ C, CREATE("\"VolumesFrom\":[\"mounted\"]"), "AC-421" },
	{ C, CREATE("\"VolumesFrom\":[\"slow:ro\"]"), "AZ-006" },
	{ C, CREATE("\"SecurityOpt\":[\"seccomp=unconfined\"]"), "AC-452" },
	{ C, CREATE("\"SecurityOpt\":[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ALLOW\\\"}\"]"), "AC-453" },
	{ C, CREATE("\"SecurityOpt\":[\"apparmor:unconfined\"]"), "AC-452" },
	{ C, CREATE("\"MaskedPaths\":[]"), "AC-405" },
	{ C, CREATE("\"Devices\":[{\"PathOnHost\":\"/dev/mem\",\"PathInContainer\":\"/dev/m\",\"CgroupPermissions\":\"rwm\"}]"), "AC-403" },
	{ C, CREATE("\"PortBindings\":{\"22/tcp\":[{\"HostPort\":\"22\"}]}"), "AC-301" },
	{ C, CREATE("\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"20-24\"}]}"), "AC-302" },
	{ C, "{\"Image\":\"registry.company.com/library/app\",\"User\":\"0\"}", "AC-451" },
	{ C, "{\"Image\":\"registry.company.com/library/rootly\"}", "AC-451" },
	{ C, "{\"Image\":\"nginx\",\"User\":\"1\"}", "AC-102" },
	{ C, "{\"Image\":\"registry.company.com/library/retagged\",\"User\":\"1\"}", "AC-102" },
	{ C, "{\"Image\":\"registry.company.com/library/local\",\"User\":\"1\"}", "AC-103" },
	{ C, "{\"Image\":\"registry.company.com/library/slow\",\"User\":\"1\"}", "AZ-006" },
	{ C, "{" IMAGE ",\"NetworkingConfig\":{\"EndpointsConfig\":{\"secret\":{}}}}", "AC-203" },
	{ C, "{" IMAGE ",\"NetworkingConfig\":{\"EndpointsConfig\":{\"0123\":{}}}}", "AC-203" },
	{ C, "{" IMAGE ",\"NetworkingConfig\":{\"EndpointsConfig\":{\"blue\":{\"NetworkID\":\"0123\"}}}}", "AC-203" },
	{ C, "{" IMAGE ",\"NetworkingConfig\":{\"EndpointsConfig\":{\"blue\":{\"NetworkID\":\"4567\"}}}}", "AC-411" },
	{ C, "{" IMAGE ",\"NetworkingConfig\":{\"EndpointsConfig\":{\"blue\":null}}}", "" },
};

static void creations_are_judged(void **state)
{
	(void)state;
	check(creations, ARRAY_LEN(creations), "POST");
}

static const struct row others[] = {
	{ "/v1.41/containers/plain/start", "", "" },
	{ "/v1.41/containers/strong/start", "", "AC-401" },
	{ "/v1.41/containers/strong/restart", "", "AC-401" },
	{ "/v1.41/containers/second/start", "", "AC-411" },
	{ "/v1.41/containers/absent/start", "", "" },
	{ "/v1.41/containers/slow/start", "", "AZ-006" },
	{ "/v1.41/containers/plain/start", "{\"Privileged\":true}", "AZ-007" },
	{ "/v1.23/containers/plain/start", "{\"Privileged\":true}", "AZ-002" },
	{ "/v1.23/containers/plain/start", "", "AZ-002" },
	{ "/v1.41/containers/plain/start?checkpoint=c", "", "" },
	{ "/v1.41/containers/plain/start?checkpoint=c&checkpoint-dir=/tmp", "", "AZ-007" },
	{ "/v1.41/containers/plain/checkpoints", "{\"CheckpointDir\":\"/etc\"}", "AZ-005" },
	{ "/v1.41/containers/plain/exec", "{\"Cmd\":[\"x\"]}", "" },
	{ "/v1.41/containers/plain/exec", "{\"Privileged\":true}", "AC-407" },
	{ "/v1.41/containers/plain/exec", "{\"pRivileged\":true}", "AC-407" },
	{ "/v1.41/containers/plain/exec", "{\"Privileged\":false,\"privileged\":true}", "AZ-004" },
	{ "/v1.41/containers/plain/exec", "{\"User\":\"root\"}", "AC-451" },
	{ "/v1.41/containers/plain/exec", "", "AZ-003" },
	{ "/v1.41/containers/strong/exec", "{\"Cmd\":[\"x\"]}", "AC-401" },
	{ "/v1.41/containers/slow/exec", "{}", "AZ-006" },
	{ "/v1.41/exec/plain/start", "{}", "" },
	{ "/v1.41/exec/strong/start", "{}", "AC-407" },
	{ "/v1.41/exec/slow/start", "{}", "AZ-006" },
	{ "/v1.41/containers/plain/update", "{\"Memory\":1000000}", "" },
	{ "/v1.41/containers/plain/update", "{\"Memory\":\"x\"}", "AZ-004" },
	{ "/v1.41/containers/plain/update", "{\"Devices\":[{\"PathOnHost\":\"/dev/mem\"}]}", "AC-403" },
	{ "/v1.41/containers/plain/update", "", "AZ-003" },
	{ "/v1.41/containers/plain/rename?name=x", "", "" },
	{ "/v1.41/containers/hostly/rename?name=x", "", "AC-411" },
	{ "/v1.41/containers/hostly/rename?name=node-exporter", "", "" },
	{ "/v1.41/networks/blue/connect", "{\"Container\":\"plain\"}", "" },
	{ "/v1.41/networks/secret/connect", "{\"Container\":\"plain\"}", "AC-203" },
	{ "/v1.41/networks/0123/connect", "{\"container\":\"plain\"}", "AC-203" },
	{ "/v1.41/networks/blue/connect", "{\"Container\":\"plain\",\"EndpointConfig\":{\"NetworkID\":\"0123\"}}", "AC-203" },
	{ "/v1.41/networks/slow/connect", "{\"container\":\"plain\"}", "AZ-006" },
	{ "/v1.41/images/create?fromImage=registry.company.com/library/app&tag=1", "", "" },
	{ "/v1.41/images/create?fromImage=nginx&tag=latest", "", "AC-101" },
	{ "/v1.41/images/create?fromImage=evil.example/x", "", "AC-102" },
	{ "/v1.41/images/create?fromImage=nginx&fromImage=registry.company.com/library/app", "", "AZ-001" },
	{ "/v1.41/images/create?fromSrc=-&repo=registry.company.com/library/x", "", "AC-110" },
	{ "/v1.41/images/create?fromSrc=-&fromImage=registry.company.com/library/x", "", "AC-110" },
	{ "/v1.41/images/load", "", "AC-110" },
	{ "/v1.41/commit?container=plain", "{}", "AC-110" },
	{ "/v1.41/build?t=x", "", "AC-110" },
	{ "/session", "", "AC-110" },
	{ "/grpc", "", "AC-110" },
	{ "/v1.51//grpc/", "", "AC-110" },
	{ "/v1.41/containers/plain/attach?stream=1", "", "" },
	{ "/v1.41/containers/strong/attach?stream=1", "", "AC-401" },
	{ "/v1.41/containers/slow/attach?stream=1", "", "AZ-006" },
	{ "/v1.41/containers/plain/update", "{\"CapAdd\":[" "\"A\"" "]}", "" },
	{ "/v1.41/images/registry.company.com/library/app/tag?repo=registry.company.com/library/b&tag=1", "", "" },
	{ "/v1.41/images/retagged/tag?repo=registry.company.com/library/b&tag=1", "", "AC-102" },
	{ "/v1.41/volumes/create", "{\"Name\":\"v\"}", "" },
	{ "/v1.41/volumes/create", "{\"Name\":\"v\",\"DriverOpts\":{\"type\":\"tmpfs\",\"device\":\"tmpfs\"}}", "" },
	{ "/v1.41/volumes/create", "{\"Name\":\"v\",\"Driver\":\"local\",\"DriverOpts\":{\"type\":\"none\",\"o\":\"bind\",\"device\":\"/etc\"}}", "AC-421" },
	{ "/v1.41/volumes/create", "{\"Name\":\"v\",\"driveropts\":{\"TYPE\":\"none\",\"O\":\"bind\",\"DEVICE\":\"/etc\"}}", "AC-421" },
	{ "/v1.41/volumes/create", "", "AZ-003" },
	{ "/v1.41/services/create", "{}", "AZ-009" },
	{ "/v1.41/swarm/init", "{}", "AZ-009" },
	{ "/v1.41/plugins/pull?remote=x", "[]", "AZ-010" },
	{ "/v1.41/plugins/x/set", "[]", "AZ-010" },
	{ "/v1.41/containers/x/copy", "{}", "AZ-005" },
	{ "/v1.99/something/new", "{}", "AZ-005" },
	{ "/containers/%zz", "{}", "AZ-001" },
	{ "/v1.41/containers/strong/stop", "", "" },
	{ "/v1.41/containers/strong/kill", "", "" },
	{ "/v1.41/containers/x/attach?stream=1", "", "" },
	{ "/v1.41/networks/create", "{\"Name\":\"x\"}", "" },
	{ "/v1.41/auth", "{}", "" },
};

static void other_writing_requests_are_judged(void **state)
{
	static const struct row puts[] = { { "/v1.41/containers/plain/archive?path=/", "", "" },
					   { "/v1.41/containers/strong/archive?path=/", "", "AC-401" },
					   { "/v1.41/containers/slow/archive?path=/", "", "AZ-006" } };
	static const struct row reads[] = { { "/v1.12/containers/json", "", "" }, { "/anything", "", "" },
					    { "/v1.41/containers/strong/json", "", "" },
					    { "/v1.41/containers/plain/archive?path=/x", "", "" },
					    { "/v1.41/containers/strong/archive?path=/x", "", "AC-401" },
					    { "/v1.41/containers/mounted/archive?path=/s/shadow", "", "AC-421" },
					    { "/containers/mounted/%61rchive?path=/s/shadow", "", "AC-421" },
					    { "http:/containers/mounted/archive?path=/s/shadow", "", "AZ-005" },
					    { "http://x/v1.41/containers/mounted/archive", "", "AC-421" },
					    { "/v1.41/containers/strong/attach/ws?stdin=1", "", "AC-401" },
					    { "/v1.41/containers/plain/attach/ws?stdin=1", "", "" } };
	static const struct row heads[] = { { "/v1.12/containers/json", "", "" }, { "/_ping", "", "" },
					    { "/v1.41/containers/mounted/archive?path=/s", "", "AC-421" } };

	(void)state;
	check(others, ARRAY_LEN(others), "POST");
	check(puts, ARRAY_LEN(puts), "PUT");
	check(reads, ARRAY_LEN(reads), "GET");
	check(heads, ARRAY_LEN(heads), "HEAD");
	check(heads, 1, "OPTIONS");
}

static void a_body_must_be_shown_as_json(void **state)
{
	static const struct {
		const char *type, *rule;
	} rows[] = {
		{ "application/json", "AC-401" }, { "Application/JSON; charset=utf-8", "AC-401" }, { " application/json ", "AC-401" },
		{ "text/plain", "AZ-003" },	  { "", "AZ-003" },				   { "application/jsonp", "AZ-003" },
		{ "application/x-www-form-urlencoded", "AZ-008" }, { "Multipart/form-data; boundary=x", "AZ-008" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(judged(enforcing, "POST", C, CREATE("\"Privileged\":true"), rows[i].type).rule, rows[i].rule);
	assert_string_equal(judged(enforcing, "POST", "/images/create?fromImage=registry.company.com/library/app", "", "application/x-www-form-urlencoded").rule, "AZ-008");
}

static void a_watching_policy_tells_and_lets_through(void **state)
{
	static const struct row rows[] = { { C, CREATE("\"Privileged\":true"), "AC-401" }, { C, "", "AZ-003" },
					   { "/v1.9/containers/x/start", "{}", "AZ-002" }, { "/new/thing", "", "AZ-005" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct authz_verdict v = judged(watching, "POST", rows[i].uri, rows[i].body, "application/json");

		assert_int_equal(v.answer, AUTHZ_ALLOW);
		assert_true(v.is_monitored);
		assert_string_equal(v.rule, rows[i].rule);
		v = judged(off, "POST", rows[i].uri, rows[i].body, "application/json");
		assert_true(v.answer == AUTHZ_ALLOW && !v.is_monitored && !*v.rule);
	}
}

static void without_a_policy_what_is_guarded_is_refused(void **state)
{
	(void)state;
	assert_string_equal(judged(NULL, "POST", C, CREATE(""), "application/json").rule, "AZ-011");
	assert_string_equal(judged(NULL, "POST", "/v1.41/containers/x/stop", "", "").rule, "");
	assert_string_equal(judged(NULL, "GET", "/info", "", "").rule, "");
	assert_string_equal(judged(NULL, "POST", "/new", "", "").rule, "AZ-011");
}

static void a_message_has_no_control_characters(void **state)
{
	struct authz_verdict v = judged(enforcing, "POST", C, CREATE("\"PidMode\":\"container:slow\",\"Binds\":[\"/etc\\u001b[31m:/e\"]"), "application/json");

	(void)state;
	for (const char *p = v.message; *p; p++)
		assert_true((uint8_t)*p >= 0x20);
	v = judged(enforcing, "POST", C, CREATE("\"Binds\":[\"/etc/\\u001b[31m:/e\"]"), "application/json");
	assert_string_equal(v.rule, "AC-421");
	for (const char *p = v.message; *p; p++)
		assert_true((uint8_t)*p >= 0x20);
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void a_judgement_takes_less_than_a_millisecond(void **state)
{
	enum { TIMES = 200 };
	uint64_t took[TIMES];

	(void)state;
	for (int i = 0; i < TIMES; i++) {
		uint64_t from = cpu_ns();

		(void)judged(enforcing, "POST", C, CREATE("\"Binds\":[\"/srv/a:/a\",\"/usr/share:/b\",\"vol:/c\"],\"CapAdd\":[\"NET_ADMIN\"]"), "application/json");
		took[i] = cpu_ns() - from;
	}
	qsort(took, TIMES, sizeof(*took), by_time);
	print_message("median %lu us, 19 of 20 within %lu us, worst %lu us\n", (unsigned long)(took[TIMES / 2] / 1000),
		      (unsigned long)(took[TIMES / 20 * 19] / 1000), (unsigned long)(took[TIMES - 1] / 1000));
	assert_true(took[TIMES / 2] < 5000000); /* with the sanitizers */
}

static int open_policies(void **state)
{
	const char *const modes[] = { "enforce", "monitor", "off" };
	struct policy **const to[] = { &enforcing, &watching, &off };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		char text[2048];
		struct err err = { 0 };

		snprintf(text, sizeof(text), policy_text, modes[i]);
		if (policy_parse(slice_of(text), "policy.yaml", to[i], &err) < 0) {
			print_error("%s\n", err.msg);
			return -1;
		}
	}
	return 0;
}

static int close_policies(void **state)
{
	(void)state;
	policy_free(enforcing);
	policy_free(watching);
	policy_free(off);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creations_are_judged),
		cmocka_unit_test(other_writing_requests_are_judged),
		cmocka_unit_test(a_body_must_be_shown_as_json),
		cmocka_unit_test(a_watching_policy_tells_and_lets_through),
		cmocka_unit_test(without_a_policy_what_is_guarded_is_refused),
		cmocka_unit_test(a_message_has_no_control_characters),
		cmocka_unit_test(a_judgement_takes_less_than_a_millisecond),
	};

	return cmocka_run_group_tests(tests, open_policies, close_policies);
}
