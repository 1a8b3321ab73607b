/* The table: small formats, which file is whose, and every parser against hostile bytes. */
#include "tests/agent/image/lang/lang_test.h"

#include "agent/image/lang/give.h"

static void cargo_lock_names_crates(void **state)
{
	assert_file("Cargo.lock",
		    "version = 3\n[[package]]\nname = \"a\"\nversion = \"0.10.2+wasi\"\ndependencies = [\n \"b 1.0.0\",\n]\n"
		    "[[package]]\nname = \"a\"\nversion = \"0.10.2+wasi\"\n[[package]]\nname = \"b\"\nversion = '''1.0.0'''\n"
		    "[metadata]\n\"checksum a 1.0.0 (registry+https://example.org)\" = \"1a\"\n",
		    "a 0.10.2+wasi\nb 1.0.0\n", "");
	assert_wrong("Cargo.lock", "[[package]]\nname = \"a\"\nversion = \"1\"\n[[package]]\nname = \"b\"\nversion =\n",
		     "a 1\n", ERR_SYNTAX, "line 6: a value should be here");
}

static void gradle_names_artifacts(void **state)
{
	assert_file("gradle.lockfile",
		    "# comment\norg.x:a:1.0=compileClasspath,runtimeClasspath\n org.x:b:2.0.RELEASE=classpath\r\n"
		    "junit:junit:4.13=testCompileClasspath, testRuntimeClasspath\nempty=\nempty=====\n>>>\na:b=c\n:a:1=c\n"
		    "a::1=c\n",
		    "org.x:a 1.0\norg.x:b 2.0.RELEASE\njunit:junit 4.13 dev\n", "");
	assert_file("app/buildscript-gradle.lockfile", "a:b:1=classpath", "a:b 1\n", "");
}

static void a_package_comes_once_but_for_use_after_development(void **state)
{
	assert_file("gradle.lockfile", "a:b:1=test\na:b:1=test\na:b:1=main\na:b:1=main\na:b:1=test\n",
		    "a:b 1 dev\na:b 1\n", "");
}

static void paths_are_joined_within_the_root(void **state)
{
	static const struct {
		const char *base, *relative, *want; /* NULL: none */
	} rows[] = {
		{ "a/b", "c", "a/b/c" },     { "a/b", "../c", "a/c" }, { "a/b", "./c//d/", "a/b/c/d" },
		{ "", "c", "c" },	     { "a", "../c", "c" },     { "a", "../../c", NULL },
		{ "a", "..", NULL },	     { "a", "/c/d", "c/d" },   { "a", "", NULL },
		{ "a", "/..", NULL },	     { "", ".", NULL },	       { "a", "0123456789abcdef", NULL },
		{ "0123456789abcdef", "x", NULL },
	};
	char out[16];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_ok = give_join(slice_of(rows[i].base), slice_of(rows[i].relative), out, sizeof(out));

		assert_int_equal(is_ok, rows[i].want != NULL);
		if (is_ok)
			assert_string_equal(out, rows[i].want);
	}
}

/* A path for each row; the lock files' own names where the pattern is no glob. */
static void path_for(const struct pkg_parser *p, char *path, size_t size)
{
	size_t n = 0;

	for (const char *c = p->pattern; *c && n + 24 < size; c++)
		n += (size_t)snprintf(path + n, size - n, *c == '*' ? "%s" : "%.1s",
				      *c != '*' ? c : c[1] ? "a/" : "x");
	path[n] = 0;
	if (p->match == PKG_GLOB && fnmatch(p->pattern, path, 0))
		fail_msg("%s does not match %s", path, p->pattern);
}

static void every_row_is_whole_and_is_taken_by_its_path(void **state)
{
	char path[256];

	for (size_t i = 0; i < pkg_lang_parser_count; i++) {
		const struct pkg_parser *p = &pkg_lang_parsers[i];

		path_for(p, path, sizeof(path));
		assert_true(row_matches(p, path));
		assert_true(!p->parse != !p->read);
		assert_true(p->read || (p->max_bytes >= 1 << 20 && p->max_bytes <= 8 << 20));
		assert_true(p->name && p->name[0]);
	}
}

static uint32_t lcg;

static uint32_t next_random(void)
{
	lcg = lcg * 1664525 + 1013904223;
	return lcg >> 8;
}

static int take_package(void *arg, const struct pkg *p)
{
	++*(size_t *)arg;
	assert_true(p->name.n > 0 && p->name.n <= GIVE_TEXT_MAX && p->version.n <= GIVE_TEXT_MAX);
	return 0;
}

static int take_owned(void *arg, const struct pkg_owned *o)
{
	(void)arg;
	assert_true(o->path.n > 0 && o->path.p[0] != '/');
	return 0;
}

static void run_row(const struct pkg_parser *p, const char *path, struct slice text)
{
	struct blob b = blob_from_slice(&text);
	struct err err = { 0 };
	size_t n = 0;
	struct pkg_out out = { take_package, take_owned, &n, NULL };
	int r = p->parse ? p->parse(slice_of(path), text, &out, &err) : p->read(slice_of(path), &b, &out, &err);

	assert_true(r <= 0);
	assert_true(!r || err.msg[0]);
}

static void random_bytes_are_an_error_or_nothing(void **state)
{
	static const char marks[] = "{}[]:,\"'\n\n  =#@()/-.ab1%*&|>\\\t<";
	char path[256], text[4096];

	for (size_t i = 0; i < pkg_lang_parser_count; i++)
		for (uint32_t seed = 0; seed < 40; seed++) {
			size_t n = next_random() % sizeof(text);

			lcg = seed * 7919 + (uint32_t)i;
			for (size_t k = 0; k < n; k++)
				text[k] = seed % 2 ? (char)next_random() : marks[next_random() % (sizeof(marks) - 1)];
			path_for(&pkg_lang_parsers[i], path, sizeof(path));
			run_row(&pkg_lang_parsers[i], path, slice_from(text, n));
		}
}

/* One text that all have something in common with, cut at each byte and with each byte changed. */
static void truncated_and_changed_files_are_survived(void **state)
{
	static const char *const texts[] = {
		"{\"packages\":{\"node_modules/a\":{\"version\":\"1\"}},\"dependencies\":{\"n\":{\"a\":{\"resolved\":\"1\"}}}}",
		"lockfileVersion: 9\npackages:\n  a@1(b): {dev: true}\n__metadata:\n",
		"[[package]]\nname = \"a\\u0041\"\nversion = '''1'''\ngroups = [ 'x', {a.b = 1} ]\n",
		"a@^1, b:\n  version \"1\"\n", "Name: a\nVersion: 1\n\n", "require (\n a v1 // x\n)\nreplace a => b v1\n",
		"GEM\n  specs:\n    a (1-x)\n", "a[x]==1 \\\n ; y #z\n", "# stub: a 1 ruby lib\ns.name = 'a'\n",
	};
	char path[256], text[256];

	for (size_t i = 0; i < pkg_lang_parser_count; i++)
		for (size_t t = 0; t < ARRAY_LEN(texts); t++)
			for (size_t at = 0; at < strlen(texts[t]); at++) {
				size_t n = strlen(texts[t]);

				path_for(&pkg_lang_parsers[i], path, sizeof(path));
				run_row(&pkg_lang_parsers[i], path, slice_from(texts[t], at));
				memcpy(text, texts[t], n);
				text[at] ^= (char)(1 << at % 7);
				run_row(&pkg_lang_parsers[i], path, slice_from(text, n));
			}
}

static int stop(void *arg, const struct pkg *p)
{
	(void)p;
	return ++*(int *)arg == 2 ? -ERR_LIMIT : 0;
}

static void a_parse_ends_with_the_code_of_whoever_takes(void **state)
{
	static const struct {
		const char *path, *text;
	} rows[] = {
		{ "package-lock.json", "{\"dependencies\":{\"a\":{\"version\":\"1\"},\"b\":{\"version\":\"1\"},\"c\":{}}}" },
		{ "package-lock.json", "{\"packages\":{\"node_modules/a\":{},\"node_modules/b\":{},\"node_modules/c\":{}}}" },
		{ "yarn.lock", "a:\n  version 1\nb:\n  version 1\nc:\n  version 1\n" },
		{ "pnpm-lock.yaml", "packages:\n  /a/1:\n  /b/1:\n  /c/1:\n" },
		{ "requirements.txt", "a\nb\nc\n" },
		{ "poetry.lock", "[[package]]\nname='a'\n[[package]]\nname='b'\n[[package]]\nname='c'\n" },
		{ "Gemfile.lock", "  specs:\n    a (1)\n    b (1)\n    c (1)\n" },
		{ "go.mod", "require (\na v1\nb v1\nc v1\n)\n" },
		{ "vendor/modules.txt", "# a v1\na\n# b v1\nb\n# c v1\nc\n" },
		{ "gradle.lockfile", "a:a:1=\nb:b:1=\nc:c:1=\n" },
		{ "packages.config", "<package id='a'/><package id='b'/><package id='c'/>" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < pkg_lang_parser_count; k++) {
			const struct pkg_parser *p = &pkg_lang_parsers[k];
			int n = 0;
			struct pkg_out out = { stop, NULL, &n, NULL };

			if (!p->parse || !row_matches(p, rows[i].path))
				continue;
			int r = p->parse(slice_of(rows[i].path), slice_of(rows[i].text), &out, NULL);
			if (r != -ERR_LIMIT || n != 2)
				fail_msg("%s: %d after %d", rows[i].path, r, n);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cargo_lock_names_crates),
		cmocka_unit_test(gradle_names_artifacts),
		cmocka_unit_test(a_package_comes_once_but_for_use_after_development),
		cmocka_unit_test(paths_are_joined_within_the_root),
		cmocka_unit_test(every_row_is_whole_and_is_taken_by_its_path),
		cmocka_unit_test(random_bytes_are_an_error_or_nothing),
		cmocka_unit_test(truncated_and_changed_files_are_survived),
		cmocka_unit_test(a_parse_ends_with_the_code_of_whoever_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
