/* manifest: which image an index, a manifest or an archive's list names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/image/manifest.h"
#include "common/buf.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "sha256:3333333333333333333333333333333333333333333333333333333333333333"

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new(1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

static struct manifest read_ok(const char *json)
{
	struct manifest m;
	struct err err;

	if (manifest_read(slice_of(json), arena, &m, &err) < 0)
		fail_msg("%s: %s", json, err.msg);
	return m;
}

static void an_image_names_configuration_and_layers(void **state)
{
	struct manifest m = read_ok("{\"schemaVersion\":2,\"config\":{\"digest\":\"" D1 "\",\"size\":7},\"layers\":["
				    "{\"digest\":\"" D2 "\",\"size\":10,\"mediaType\":\"t\"},{\"digest\":\"" D3 "\"}]}");

	assert_int_equal(m.kind, MANIFEST_IMAGE);
	assert_string_equal(m.config.digest, D1);
	assert_int_equal(m.config.size, 7);
	assert_int_equal(m.count, 2);
	assert_string_equal(m.items[0].digest, D2);
	assert_int_equal(m.items[0].size, 10);
	assert_true(m.items[1].size == UINT64_MAX);
}

static const char index_of_three[] =
	"{\"manifests\":["
	"{\"digest\":\"" D1 "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
	"{\"digest\":\"" D2 "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}},"
	"{\"digest\":\"" D3 "\",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"},"
	"\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}}]}";

static void an_index_is_chosen_from_by_platform(void **state)
{
	struct manifest m = read_ok(index_of_three);
	const struct manifest_blob *b;
	struct err err;

	assert_int_equal(m.kind, MANIFEST_INDEX);
	assert_int_equal(manifest_choose(&m, "linux/amd64", &b, NULL), 0);
	assert_string_equal(b->digest, D1);
	assert_int_equal(manifest_choose(&m, "linux/arm/v7", &b, NULL), 0);
	assert_string_equal(b->digest, D2);
	assert_int_equal(manifest_choose(&m, "linux/arm", &b, NULL), 0);
	assert_int_equal(manifest_choose(&m, "linux/arm/v6", &b, &err), -ERR_NOT_FOUND);
	assert_int_equal(manifest_choose(&m, "windows/amd64", &b, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "linux/amd64, linux/arm/v7"));
	assert_null(strstr(err.msg, "unknown"));
}

static void an_index_of_one_needs_no_choice(void **state)
{
	struct manifest m = read_ok("{\"manifests\":[{\"digest\":\"" D1 "\"}]}");
	const struct manifest_blob *b;

	assert_int_equal(manifest_choose(&m, NULL, &b, NULL), 0);
	assert_string_equal(b->digest, D1);
}

static void an_archives_list_names_files(void **state)
{
	struct manifest m = read_ok("[{\"Config\":\"./c.json\",\"RepoTags\":[\"a:1\",\"b:2\"],"
				    "\"Layers\":[\"x/layer.tar\",\"blobs/sha256/22\"]}]");

	assert_int_equal(m.kind, MANIFEST_SAVED);
	assert_string_equal(m.config.digest, "c.json");
	assert_int_equal(m.count, 2);
	assert_string_equal(m.items[0].digest, "x/layer.tar");
	assert_int_equal(m.name_count, 2);
	assert_string_equal(m.names[1], "b:2");
	m = read_ok("[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[]}]");
	assert_int_equal(m.name_count, 0);
}

static void what_is_no_manifest_is_refused(void **state)
{
	static const char *const rows[] = {
		"", "x", "{}", "[]", "[1]", "{\"manifests\":1}", "{\"manifests\":[{\"digest\":\"x\"}]}",
		"{\"schemaVersion\":1,\"fsLayers\":[]}", "{\"config\":{\"digest\":\"" D1 "\"}}",
		"{\"config\":{\"digest\":\"sha256:../../x\"},\"layers\":[]}",
		"[{\"Config\":\"../../etc/passwd\",\"Layers\":[]}]", "[{\"Config\":\"c\",\"Layers\":[\"../x\"]}]",
		"[{\"Config\":\"\",\"Layers\":[]}]", "[{\"Config\":\"c\",\"Layers\":[1]}]",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct manifest m;
		struct err err;

		if (manifest_read(slice_of(rows[i]), arena, &m, &err) >= 0)
			fail_msg("%s", rows[i]);
	}
}

static void more_layers_than_an_image_has_are_refused(void **state)
{
	struct manifest m;
	struct err err;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_add_str(&b, "{\"config\":{\"digest\":\"" D1 "\"},\"layers\":[{\"digest\":\"" D2 "\"}");
	for (size_t i = 0; i < 512; i++)
		buf_add_str(&b, ",{\"digest\":\"" D2 "\"}");
	buf_add_str(&b, "]}");
	assert_int_equal(manifest_read(buf_slice(&b), arena, &m, &err), -ERR_LIMIT);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_names_configuration_and_layers),
		cmocka_unit_test(an_index_is_chosen_from_by_platform),
		cmocka_unit_test(an_index_of_one_needs_no_choice),
		cmocka_unit_test(an_archives_list_names_files),
		cmocka_unit_test(what_is_no_manifest_is_refused),
		cmocka_unit_test(more_layers_than_an_image_has_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
