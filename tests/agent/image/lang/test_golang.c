/* Go: modules required and replaced, those that go.sum adds, those that were copied. */
#include "tests/agent/image/lang/lang_test.h"

static void requirements_come_alone_and_in_blocks(void **state)
{
	assert_file("go.mod",
		    "module example.org/app // v9\n\ngo 1.22\n\n"
		    "require example.org/a v1.0.0\r\n"
		    "require (\n\texample.org/b v0.0.0-20200804184101-5ec99f83aff1 // indirect\n"
		    "\t\"example.org/c\" v2.0.0+incompatible\n\n\t// example.org/no v1.0.0\n)\n"
		    "exclude example.org/d v1.0.0\nexclude (\n\texample.org/e v1.0.0\n)\n"
		    "retract [v1.0.0, v1.9.9]\ntool example.org/t\n",
		    "example.org/a v1.0.0\nexample.org/b v0.0.0-20200804184101-5ec99f83aff1\n"
		    "example.org/c v2.0.0+incompatible\n",
		    "");
}

static void replaced_modules_are_what_replaces_them(void **state)
{
	assert_file("go.mod",
		    "module x\n\ngo 1.17\n\n"
		    "replace example.org/a => example.org/fork v1.0.1\n"
		    "require (\n\texample.org/a v1.0.0\n\texample.org/b v1.0.0\n\texample.org/b v1.1.0\n"
		    "\texample.org/c v1.0.0\n\texample.org/d v1.0.0\n)\n"
		    "replace (\n\texample.org/b => example.org/b v9.0.0\n\texample.org/b v1.1.0 => example.org/b v1.1.1\n"
		    "\texample.org/c => ../c\n\texample.org/d v1.2.3 => ../d\n)\n",
		    "example.org/fork v1.0.1\nexample.org/b v9.0.0\nexample.org/b v1.1.1\nexample.org/d v1.0.0\n", "");
}

static void the_library_counts_where_a_toolchain_is_named(void **state)
{
	assert_file("go.mod", "go 1.23.5\ntoolchain go1.23.6-custom\n", "stdlib 1.23.6\n", "");
	assert_file("go.mod", "go 1.23.5\n", "", "");
	assert_file("go.mod", "toolchain default\n", "", "");
}

static struct slice go_sum(void *arg, const char *name)
{
	(void)arg;
	assert_string_equal(name, "go.sum");
	return SLICE_LIT("example.org/a v1.0.0 h1:x=\nexample.org/a v1.0.0/go.mod h1:x=\n"
			 "example.org/b v1.0.0 h1:x=\nexample.org/b v1.1.0/go.mod h1:x=\n\n"
			 "example.org/c v0.1.0/go.mod h1:x=\nwrong\n");
}

static void assert_with_sum(const char *text, const char *want)
{
	struct got g;

	got_init(&g);
	g.sibling = go_sum;
	get(&g, "go.mod", slice_of(text));
	assert_int_equal(g.result, 0);
	assert_string_equal(g.packages.n ? g.packages.p : "", want);
	got_fini(&g);
}

static void go_sum_is_asked_before_go_1_17(void **state)
{
	assert_with_sum("go 1.16\nrequire example.org/a v0.9.0\n",
			"example.org/a v0.9.0\nexample.org/b v1.1.0\nexample.org/c v0.1.0\n");
	assert_with_sum("require example.org/x v1.0.0\nreplace example.org/x => example.org/b v1.0.0\n",
			"example.org/b v1.0.0\nexample.org/a v1.0.0\nexample.org/c v0.1.0\n");
	assert_with_sum("go 1.17\nrequire example.org/a v0.9.0\n", "example.org/a v0.9.0\n");
	assert_with_sum("go 1.21.3\n", "");
}

static void copied_modules_are_those_with_packages(void **state)
{
	assert_file("app/vendor/modules.txt",
		    "# example.org/a v1.2.1\n## explicit; go 1.21\nexample.org/a\nexample.org/a/b\n"
		    "# example.org/header v0.1.0\n## explicit\n"
		    "# example.org/b v0.5.6 => example.org/fork v1.4.5\n## explicit\nexample.org/b/http2\n"
		    "# example.org/c => example.org/fork v1.4.6\nexample.org/c\n"
		    "# example.org/local v1.0.0 => ./local\nexample.org/local\n"
		    "# example.org/noversion => ./local\nexample.org/noversion\n# malformed\nx\n",
		    "example.org/a v1.2.1\nexample.org/fork v1.4.5\nexample.org/fork v1.4.6\nexample.org/local v1.0.0\n",
		    "");
}

static void others_modules_are_not_read(void **state)
{
	static const char text[] = "module x\nrequire example.org/a v1.0.0\n";

	assert_file("root/go/pkg/mod/example.org/x@v1/go.mod", text, "", "");
	assert_file("app/vendor/x/go.mod", text, "", "");
	assert_file("app/mod/go.mod", text, "example.org/a v1.0.0\n", "");
}

static void replacements_are_bounded(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 1025; i++)
		buf_printf(&b, "replace a%d => b v1\n", i);
	assert_wrong("go.mod", b.p, "", ERR_LIMIT, "more than 1024 modules");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requirements_come_alone_and_in_blocks),
		cmocka_unit_test(replaced_modules_are_what_replaces_them),
		cmocka_unit_test(the_library_counts_where_a_toolchain_is_named),
		cmocka_unit_test(go_sum_is_asked_before_go_1_17),
		cmocka_unit_test(copied_modules_are_those_with_packages),
		cmocka_unit_test(others_modules_are_not_read),
		cmocka_unit_test(replacements_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
