/* reference: names of images as the engine reads them. */
#include "policy_test.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_name_is_read_as_the_engine_reads_it(void **state)
{
	static const struct {
		const char *image, *repository, *tag, *digest;
	} rows[] = {
		{ "nginx", "docker.io/library/nginx", "latest", "" },
		{ "nginx:1.25", "docker.io/library/nginx", "1.25", "" },
		{ "bitnami/redis", "docker.io/bitnami/redis", "latest", "" },
		{ "library/nginx", "docker.io/library/nginx", "latest", "" },
		{ "docker.io/nginx", "docker.io/library/nginx", "latest", "" },
		{ "index.docker.io/nginx", "docker.io/library/nginx", "latest", "" },
		{ "index.docker.io/library/nginx:a", "docker.io/library/nginx", "a", "" },
		{ "localhost/a", "localhost/a", "latest", "" },
		{ "localhost:5000/a/b:c", "localhost:5000/a/b", "c", "" },
		{ "r:5000/a/b@sha256:" HEX64, "r:5000/a/b", "", "sha256:" HEX64 },
		{ "r.example/a:t@sha256:" HEX64, "r.example/a", "t", "sha256:" HEX64 },
		{ "[::1]:5000/a", "[::1]:5000/a", "latest", "" },
		{ "REGISTRY.example/a", "REGISTRY.example/a", "latest", "" },
		{ "Foo/bar", "Foo/bar", "latest", "" },
		{ "a__b/c-d---e.f", "docker.io/a__b/c-d---e.f", "latest", "" },
		{ "deadbeef", "docker.io/library/deadbeef", "latest", "" },
		{ "a.b/c", "a.b/c", "latest", "" },
		{ "ab:_t.1-x", "docker.io/library/ab", "_t.1-x", "" },
	};
	static const char *const wrong[] = {
		"", "/", ":", "@", "Nginx", "a/B", "a//b", "a/", "/a", "-a", "a-", "a..b", "a___b", "a._b", "a:", "a:-t", "a:.t",
		"a b", "a\nb", "a@sha256:1234", "a@sha256", "a@", "a@:" HEX64, "a@sha256:" HEX64 "00", "a@sha256:zz" HEX64, HEX64,
		"sha256:" HEX64, "r:/a", "r:x/a", "http://r/a", "r.example./a", ".r.example/a", "-r.example/a", "r_x.example/a", "a:b:c",
		"a@sha256:" HEX64 "@sha256:" HEX64, "\xc3\xa9", "a/\xe2\x80\xae", "[::1/a", "a:tag/", "..", "a/../b", "docker.io/", "$(id)",
	};
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	const char *repository, *tag, *digest;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!policy_reference(rows[i].image, a, &repository, &tag, &digest))
			fail_msg("'%s' is refused", rows[i].image);
		assert_string_equal(repository, rows[i].repository);
		assert_string_equal(tag, rows[i].tag);
		assert_string_equal(digest, rows[i].digest);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (policy_reference(wrong[i], a, &repository, &tag, &digest))
			fail_msg("'%s' is taken for %s", wrong[i], repository);
	assert_false(policy_reference(NULL, a, &repository, &tag, &digest));
}

static void what_is_too_long_is_no_name(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	const char *repository, *tag, *digest;
	char text[600];

	memset(text, 'a', sizeof(text));
	text[255] = 0;
	assert_true(policy_reference(text, a, &repository, &tag, &digest));
	text[255] = 'a';
	text[256] = 0;
	assert_false(policy_reference(text, a, &repository, &tag, &digest));
	memset(text, 'a', sizeof(text));
	text[1] = ':';
	text[2 + 128] = 0;
	assert_true(policy_reference(text, a, &repository, &tag, &digest));
	text[2 + 128] = 'a';
	text[2 + 129] = 0;
	assert_false(policy_reference(text, a, &repository, &tag, &digest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_read_as_the_engine_reads_it),
		cmocka_unit_test(what_is_too_long_is_no_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
