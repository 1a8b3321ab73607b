/* test_configs.c - how a container was made, from the engine's answer to the audit log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/configs.h"

static const char inspect[] =
	"{\"Id\":\"a1\",\"Name\":\"/web\",\"State\":{\"Status\":\"created\"},\"Config\":{\"User\":\"0:0\",\"Image\":\"nginx\"},"
	"\"HostConfig\":{\"Privileged\":false,\"CapAdd\":[\"SYS_ADMIN\"],\"CapDrop\":[\"ALL\"],\"PidMode\":\"host\","
	"\"SecurityOpt\":[\"no-new-privileges\",\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ALLOW\\\"}\"],"
	"\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":5},\"Memory\":1048576,\"PidsLimit\":10,"
	"\"MaskedPaths\":[],\"ReadonlyPaths\":[],\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}]}},"
	"\"NetworkSettings\":{\"Networks\":{\"backend\":{}}},"
	"\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/etc\",\"Destination\":\"/host\",\"RW\":true,\"Propagation\":\"rprivate\"},"
	"{\"Type\":\"volume\",\"Name\":\"data\",\"Source\":\"/var/lib/docker/volumes/data/_data\",\"Destination\":\"/d\",\"RW\":false}]}";

static Picket__ContainerConfig *get(const struct configs *c, const char *id)
{
	struct slice s = configs_get(c, id);
	Picket__ContainerConfig *m = picket__container_config__unpack(NULL, s.n, (const uint8_t *)s.p);

	assert_non_null(m);
	return m;
}

static void everything_that_matters_is_kept(void **state)
{
	CLEANUP(configs_freep) struct configs *c = configs_new();
	struct err err;

	assert_int_equal(configs_put(c, "a1", slice_of(inspect), &err), 0);
	Picket__ContainerConfig *m = get(c, "a1");
	assert_int_equal(m->n_mounts, 2);
	assert_true(slice_is(msg_slice(m->mounts[0]->source), "/etc") && m->mounts[0]->writable);
	assert_true(slice_is(msg_slice(m->mounts[1]->source), "data") && !m->mounts[1]->writable);
	assert_int_equal(m->n_ports, 1);
	assert_string_equal(m->ports[0]->host_ip, "127.0.0.1");
	assert_int_equal(m->ports[0]->host_port, 8080);
	assert_int_equal(m->ports[0]->port, 80);
	assert_int_equal(m->n_networks, 1);
	assert_true(slice_is(msg_slice(m->networks[0]), "backend"));
	assert_string_equal(m->cap_add[0], "SYS_ADMIN");
	assert_string_equal(m->cap_drop[0], "ALL");
	assert_int_equal(m->n_security_opt, 2);
	assert_true(slice_is(msg_slice(m->security_opt[0]), "no-new-privileges"));
	assert_true(slice_starts(msg_slice(m->security_opt[1]), SLICE_LIT("seccomp=sha256:")));
	assert_int_equal(m->security_opt[1].len, 15 + 64);
	assert_string_equal(m->pid_mode, "host");
	assert_string_equal(m->restart, "on-failure:5");
	assert_int_equal(m->memory_bytes, 1048576);
	assert_int_equal(m->pids_limit, 10);
	assert_true(m->unmasked_paths && m->user_is_root && !m->readonly_root);
	picket__container_config__free_unpacked(m, NULL);
}

static void an_answer_that_is_none_changes_nothing(void **state)
{
	CLEANUP(configs_freep) struct configs *c = configs_new();
	struct err err;

	assert_int_equal(configs_get(c, "a1").n, 0);
	assert_int_equal(configs_put(c, "a1", slice_of(inspect), &err), 0);
	size_t n = configs_get(c, "a1").n;
	assert_true(configs_put(c, "a1", SLICE_LIT("[]"), &err) < 0);
	assert_true(configs_put(c, "a1", SLICE_LIT("{"), &err) < 0);
	assert_int_equal(configs_get(c, "a1").n, n);
	configs_drop(c, "a1");
	assert_int_equal(configs_get(c, "a1").n, 0);
}

/* A container with very much in it is kept shorter, never left out. */
static void what_is_too_long_is_cut(void **state)
{
	CLEANUP(configs_freep) struct configs *c = configs_new();
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	buf_init(&b, 0);
	buf_add_str(&b, "{\"Id\":\"a1\",\"HostConfig\":{\"PidMode\":\"host\"},\"Mounts\":[");
	for (unsigned i = 0; i < 300; i++) {
		buf_printf(&b, "%s{\"Type\":\"bind\",\"Destination\":\"/d%u\",\"Source\":\"/", i ? "," : "", i);
		for (unsigned k = 0; k < 3000; k++)
			buf_add_char(&b, 'x');
		buf_add_str(&b, "\"}");
	}
	buf_add_str(&b, "]}");
	assert_int_equal(configs_put(c, "a1", buf_slice(&b), &err), 0);
	assert_in_range(configs_get(c, "a1").n, 1, CONFIGS_ONE_BYTES);
	Picket__ContainerConfig *m = get(c, "a1");
	assert_int_equal(m->n_mounts, 16);
	assert_int_equal(m->mounts[0]->source.len, 256);
	assert_string_equal(m->pid_mode, "host");
	picket__container_config__free_unpacked(m, NULL);
}

static void the_oldest_goes_first(void **state)
{
	CLEANUP(configs_freep) struct configs *c = configs_new();
	char id[65];
	struct err err;

	for (unsigned i = 0; i <= CONFIGS_MAX; i++) {
		snprintf(id, sizeof(id), "%u", i);
		assert_int_equal(configs_put(c, id, SLICE_LIT("{\"Id\":\"x\"}"), &err), 0);
	}
	assert_int_equal(configs_get(c, "0").n, 0);
	assert_true(configs_get(c, "1").n > 0);
	assert_true(configs_get(c, id).n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_that_matters_is_kept),
		cmocka_unit_test(an_answer_that_is_none_changes_nothing),
		cmocka_unit_test(what_is_too_long_is_cut),
		cmocka_unit_test(the_oldest_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
