/* pnpm: keys of every format. */
#include "tests/agent/image/lang/lang_test.h"

static void keys_of_format_5_divide_by_slashes(void **state)
{
	assert_file("pnpm-lock.yaml",
		    "lockfileVersion: 5.4\n\nspecifiers:\n  foo: ^1\n\npackages:\n\n"
		    "  /foo/1.0.0:\n    resolution: {integrity: sha512-x==}\n    dependencies:\n      version: 9.9.9\n"
		    "    dev: false\n"
		    "  /@foo/bar/2.0.0_react@18.2.0+x@1:\n    dev: true\n"
		    "  registry.example.org/@foo/baz/3.0.0:\n"
		    "  example.org/qux/4.0.0_abc:\n"
		    "  github.com/kevva/is-positive:\n"
		    "  github.com/o/r/267087851ad5fac92a184749c27cd539e2fc862e:\n    name: '@s/named'\n    version: 5.0.0\n"
		    "  file:../local:\n    name: local\n    version: 0.0.0\n"
		    "  file:../nameless:\n    version: 1.0.0\n"
		    "  /foo/bar:\n",
		    "foo 1.0.0\n@foo/bar 2.0.0 dev\n@foo/baz 3.0.0\nqux 4.0.0\n@s/named 5.0.0\nlocal 0.0.0\n", "");
}

static void keys_from_format_6_on_divide_by_ats(void **state)
{
	assert_file("pnpm-lock.yaml",
		    "lockfileVersion: '6.0'\npackages:\n"
		    "  /foo@1.0.0-rc.1(@s/x@1.0.0)(y@2.0.0):\n    dev: true\n"
		    "  /@foo/bar@2.0.0:\n    dev: false\n"
		    "  '@codeload.github.com/o/r/tar.gz/1a':\n    name: baz\n    version: 3.0.0\n",
		    "foo 1.0.0-rc.1 dev\n@foo/bar 2.0.0\nbaz 3.0.0\n", "");
	assert_file("a/pnpm-lock.yaml",
		    "lockfileVersion: '9.0'\npackages:\n"
		    "  foo@1.0.0:\n    resolution: {integrity: sha512-x==}\n"
		    "  '@foo/bar@2.0.0':\n    hasBin: true\n"
		    "  git@https://example.org/tar.gz/1a:\n    version: 3.0.0\n"
		    "  place@file:../x:\n    resolution: {directory: ../x}\n"
		    "snapshots:\n  foo@1.0.0(x@1.0.0): {}\n",
		    "foo 1.0.0\n@foo/bar 2.0.0\ngit 3.0.0\n", "");
	/* the next format is none of the old ones */
	assert_file("pnpm-lock.yaml", "lockfileVersion: '10.0'\npackages:\n  foo@1.0.0: {}\n", "foo 1.0.0\n", "");
}

static void the_project_is_the_last_document(void **state)
{
	assert_file("pnpm-lock.yaml",
		    "---\nlockfileVersion: '9.0'\npackages:\n  pnpm@10.0.0: {}\n"
		    "---\nlockfileVersion: '9.0'\npackages:\n  foo@1.0.0: {}\n",
		    "foo 1.0.0\n", "");
}

#define V9 "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: ^1\n"     \
	   "        version: 1.0.0(p@1.0.0)\n      al:\n        specifier: npm:c@^1\n        version: c@1.0.0\n" \
	   "    devDependencies:\n      d:\n        specifier: ^1\n        version: 1.0.0\n"
#define PACKAGES "packages:\n  a@1.0.0: {}\n  b@1.0.0: {}\n  c@1.0.0: {}\n  d@1.0.0: {}\n  '@s/e@1.0.0': {}\n"

static void from_format_9_on_the_graph_tells_what_is_for_development(void **state)
{
	assert_file("pnpm-lock.yaml",
		    V9 PACKAGES "snapshots:\n  a@1.0.0(p@1.0.0):\n    dependencies:\n      b: 1.0.0\n"
				"  b@1.0.0:\n    optionalDependencies:\n      a: 1.0.0(p@1.0.0)\n  c@1.0.0: {}\n"
				"  d@1.0.0:\n    dependencies:\n      '@s/e': 1.0.0(b@1.0.0)\n      b: 1.0.0\n"
				"  '@s/e@1.0.0(b@1.0.0)': {}\n",
		    "a 1.0.0\nb 1.0.0\nc 1.0.0\nd 1.0.0 dev\n@s/e 1.0.0 dev\n", "");
	/* without importers, or broken: nothing is said */
	assert_file("pnpm-lock.yaml", "lockfileVersion: '9.0'\n" PACKAGES "snapshots:\n  a@1.0.0: {}\n",
		    "a 1.0.0\nb 1.0.0\nc 1.0.0\nd 1.0.0\n@s/e 1.0.0\n", "");
	assert_wrong("pnpm-lock.yaml", V9 PACKAGES "snapshots:\n  a@1.0.0: {\n",
		     "a 1.0.0\nb 1.0.0\nc 1.0.0\nd 1.0.0\n@s/e 1.0.0\n", ERR_SYNTAX, "line ");
}

static void empty_and_broken_locks(void **state)
{
	assert_file("pnpm-lock.yaml", "", "", "");
	assert_file("pnpm-lock.yaml", "lockfileVersion: 5.3\n", "", "");
	assert_file("node_modules/x/pnpm-lock.yaml", "packages:\n  /foo/1.0.0:\n", "", "");
	assert_wrong("pnpm-lock.yaml", "packages:\n  /foo/1.0.0: {}\n  /bar/1.0.0: {\n", "foo 1.0.0\n", ERR_SYNTAX,
		     "line 4: ");
	assert_wrong("pnpm-lock.yaml", "a: &a {x: y}\npackages:\n  /foo/1.0.0: *a\n", "", ERR_SYNTAX, "no aliases");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_format_5_divide_by_slashes),
		cmocka_unit_test(keys_from_format_6_on_divide_by_ats),
		cmocka_unit_test(from_format_9_on_the_graph_tells_what_is_for_development),
		cmocka_unit_test(the_project_is_the_last_document),
		cmocka_unit_test(empty_and_broken_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
