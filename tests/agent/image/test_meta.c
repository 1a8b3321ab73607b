/* meta: facts of a configuration, and configurations of strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/image/meta.h"

#define ID1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define ID2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static const char example[] =
	"{\"architecture\":\"arm64\",\"variant\":\"v8\",\"os\":\"linux\",\"created\":\"2024-05-06T07:08:09.123Z\","
	"\"config\":{\"User\":\"app\",\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}},\"WorkingDir\":\"/srv\","
	"\"Env\":[\"PATH=/bin\",\"DB_PASSWORD=hunter2\",\"EMPTY_TOKEN=\",\"URL=http://u:pw@h/\",\"NOVALUE\"],"
	"\"Entrypoint\":[\"/init\",\"--x\"],\"Cmd\":\"one text\",\"Volumes\":{\"/data\":{}},\"StopSignal\":\"SIGQUIT\","
	"\"Labels\":{\"a\":\"b\",\"n\":1},\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":30000000000}},"
	"\"history\":[{\"created\":\"2024-05-06T07:08:09Z\",\"created_by\":\"ADD rootfs\"},"
	"{\"created_by\":\"ENV x\",\"empty_layer\":true},{\"created_by\":\"RUN apt\",\"comment\":\"c\"}],"
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" ID1 "\",\"" ID2 "\"]}}";

static int read_config(const char *json, struct arena **a, struct meta *m, struct err *err)
{
	*a = arena_new(1 << 20);
	return meta_read_config(slice_of(json), *a, m, err);
}

static void a_configuration_is_read(void **state)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	char digest[73] = "";
	struct meta m;

	assert_int_equal(read_config(example, &a, &m, NULL), 0);
	assert_int_equal(meta_digest(slice_of(example), digest, NULL), 0);
	digest[71] = 0;
	assert_string_equal(m.image_id, digest);
	assert_string_equal(m.arch, "arm64");
	assert_string_equal(m.variant, "v8");
	assert_int_equal(m.created_unix_s, 1714979289);
	const Picket__ImageConfig *c = m.config;
	assert_string_equal(c->user, "app");
	assert_int_equal(c->n_exposed_ports, 2);
	assert_string_equal(c->exposed_ports[1], "53/udp");
	assert_int_equal(c->n_env_names, 5);
	assert_int_equal(c->n_secret_env, 2);
	assert_string_equal(c->secret_env[0], "DB_PASSWORD");
	assert_string_equal(c->secret_env[1], "URL");
	assert_int_equal(c->n_entrypoint, 2);
	assert_int_equal(c->n_cmd, 1);
	assert_string_equal(c->cmd[0], "one text");
	assert_string_equal(c->volumes[0], "/data");
	assert_int_equal(c->n_labels, 1);
	assert_true(c->healthcheck->is_declared && !c->healthcheck->is_none);
	assert_int_equal(c->healthcheck->interval_ns, 30000000000);
	assert_int_equal(c->n_history, 3);
}

static void layers_get_the_step_that_made_them(void **state)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	struct meta m;

	assert_int_equal(read_config(example, &a, &m, NULL), 0);
	assert_int_equal(m.layer_count, 2);
	assert_string_equal(m.layers[0].diff_id, ID1);
	assert_string_equal(m.layers[0].created_by, "ADD rootfs");
	assert_string_equal(m.layers[1].created_by, "RUN apt");
}

static void no_value_of_a_variable_is_kept(void **state)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	uint8_t packed[4096];
	struct meta m;

	assert_int_equal(read_config(example, &a, &m, NULL), 0);
	assert_true(picket__image_config__get_packed_size(m.config) < sizeof(packed));
	struct slice s = slice_from(packed, picket__image_config__pack(m.config, packed));
	assert_true(slice_find(s, SLICE_LIT("hunter2")) < 0 && slice_find(s, SLICE_LIT("u:pw@h")) < 0);
	assert_true(slice_find(s, SLICE_LIT("DB_PASSWORD")) >= 0);
}

static void secrets_are_known_by_name_or_value(void **state)
{
	static const struct {
		const char *name, *value;
		bool secret;
	} rows[] = {
		{ "MYSQL_ROOT_PASSWORD", "x", true },
		{ "mysql_root_password", "x", true },
		{ "MYSQL_ROOT_PASSWORD_FILE", "/run/secrets/x", false },
		{ "MYSQL_ROOT_PASSWORD", "", false },
		{ "GITHUB_TOKEN", "x", true },
		{ "TOKENIZER", "x", false },
		{ "AWS_SECRET_ACCESS_KEY", "x", true },
		{ "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", true },
		{ "AWS_ACCESS_KEY_ID", "none", false },
		{ "GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D", false },
		{ "PWD", "/srv", false },
		{ "MYSQL_PWD", "x", true },
		{ "COMPASS", "north", false },
		{ "KEY", "-----BEGIN RSA PRIVATE KEY-----", true },
		{ "CERT", "-----BEGIN CERTIFICATE-----", false },
		{ "DATABASE_URL", "postgres://user:pass@host/db", true },
		{ "DATABASE_URL", "postgres://user@host/db", false },
		{ "DATABASE_URL", "postgres://host:5432/db", false },
		{ "DATABASE_URL", "postgres://user:$PASS@host/db", false },
		{ "SITE", "http://host/a:b@c", false },
		{ "PYTHON_SHA256", "0123", false },
		{ "api-key", "x", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (meta_is_secret(slice_of(rows[i].name), slice_of(rows[i].value)) != rows[i].secret)
			fail_msg("%s=%s", rows[i].name, rows[i].value);
}

static void a_healthcheck_can_be_none_or_absent(void **state)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	CLEANUP(arena_freep) struct arena *b = NULL;
	struct meta m;

	assert_int_equal(read_config("{\"config\":{\"Healthcheck\":{\"Test\":[\"NONE\"]}},\"rootfs\":{\"diff_ids\":[]}}", &a, &m,
			      NULL),
			 0);
	assert_true(m.config->healthcheck->is_none);
	assert_int_equal(read_config("{\"rootfs\":{\"diff_ids\":[]}}", &b, &m, NULL), 0);
	assert_false(m.config->healthcheck->is_declared);
	assert_string_equal(m.config->user, "");
}

static void what_is_no_configuration_is_refused(void **state)
{
	static const char *const rows[] = {
		"",  "[]", "\"x\"", "{}", "{\"rootfs\":{}}", "{\"rootfs\":{\"diff_ids\":[1]}}",
		"{\"rootfs\":{\"diff_ids\":[\"md5:1\"]}}", "{\"rootfs\":{\"diff_ids\":[\"sha256:11\"]}}", "{\"rootfs\"",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_freep) struct arena *a = NULL;
		struct meta m;
		struct err err;

		if (read_config(rows[i], &a, &m, &err) >= 0)
			fail_msg("%s", rows[i]);
	}
}

static void long_lists_and_texts_are_cut(void **state)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	struct buf b;
	struct meta m;

	buf_init(&b, 1 << 20);
	buf_add_str(&b, "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"User\":\"");
	for (size_t i = 0; i < 200; i++)
		buf_add_str(&b, "\xc3\xa4\xc3\xa4");
	buf_add_str(&b, "x\",\"Cmd\":[\"0\"");
	for (size_t i = 0; i < 1000; i++)
		buf_add_str(&b, ",\"x\"");
	buf_add_str(&b, "]}}");
	assert_int_equal(read_config(b.p, &a, &m, NULL), 0);
	assert_int_equal(strlen(m.config->user), LIMIT_NAME_BYTES);
	assert_int_equal(m.config->n_cmd, LIMIT_IMAGE_LIST);
	buf_fini(&b);
	/* at a character's border */
	assert_string_equal(meta_text(a, SLICE_LIT("a\xc3\xa4"), 2), "a");
	assert_string_equal(meta_text(a, SLICE_LIT("a\0b"), 9), "a b");
}

static void too_many_layers_are_refused(void **state)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	struct buf b;
	struct meta m;
	struct err err;

	buf_init(&b, 1 << 20);
	buf_add_str(&b, "{\"rootfs\":{\"diff_ids\":[\"" ID1 "\"");
	for (size_t i = 0; i < LIMIT_LAYERS; i++)
		buf_add_str(&b, ",\"" ID1 "\"");
	buf_add_str(&b, "]}}");
	assert_int_equal(read_config(b.p, &a, &m, &err), -ERR_LIMIT);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_is_read),
		cmocka_unit_test(layers_get_the_step_that_made_them),
		cmocka_unit_test(no_value_of_a_variable_is_kept),
		cmocka_unit_test(secrets_are_known_by_name_or_value),
		cmocka_unit_test(a_healthcheck_can_be_none_or_absent),
		cmocka_unit_test(what_is_no_configuration_is_refused),
		cmocka_unit_test(long_lists_and_texts_are_cut),
		cmocka_unit_test(too_many_layers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
