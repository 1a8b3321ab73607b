/* The lock files of Python's tools. */
#include "tests/agent/image/lang/lang_test.h"

static void pipenv_locks_by_group(void **state)
{
	assert_file("Pipfile.lock",
		    "{\"_meta\": {\"hash\": {\"version\": \"==9\"}, \"pipfile-spec\": 6},"
		    "\"default\": {\"a\": {\"hashes\": [\"x\"], \"version\": \"==1.0\"}, \"git\": {\"ref\": \"1a\"}},"
		    "\"develop\": {\"b\": {\"version\": \"===2.0\"}, \"a\": {\"version\": \"==1.0\"}},"
		    "\"docs\": {\"c\": {\"version\": \"3\"}}}",
		    "a 1.0\ngit \nb 2.0 dev\nc 3\n", "");
}

static void poetry_and_pdm_tell_groups(void **state)
{
	static const char text[] = "[[package]]\nname = \"a\"\nversion = \"1.0\"\ncategory = \"main\"\n"
				   "[package.source]\nname = \"no\"\nversion = \"9\"\n"
				   "[package.dependencies]\nversion = \">=1\"\n"
				   "[[package]]\nname = \"b\"\nversion = \"2.0\"\ncategory = \"dev\"\n"
				   "[[package]]\nname = \"c\"\nversion = \"3.0\"\ngroups = [\"test\", \"main\"]\n"
				   "[[package]]\nname = \"d\"\nversion = \"4.0\"\ngroups = [\"test\", \"docs\"]\n"
				   "[[package]]\nname = \"e\"\nversion = \"5.0\"\ngroups = [\"default\"]\n"
				   "[[package]]\nversion = \"6.0\"\n"
				   "[metadata]\nname = \"no\"\nversion = \"1\"\n";
	static const char want[] = "a 1.0\nb 2.0 dev\nc 3.0\nd 4.0 dev\ne 5.0\n";

	assert_file("poetry.lock", text, want, "");
	assert_file("pdm.lock", text, want, "");
	assert_wrong("poetry.lock", "[[package]]\nname = \"a\"\nversion = \"1.0\"\n[[package]]\nname = ", "a 1.0\n",
		     ERR_SYNTAX, "line 5: ");
}

static void uv_leaves_out_the_project(void **state)
{
	assert_file("uv.lock",
		    "version = 1\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n"
		    "dependencies = [{ name = \"a\" }]\n"
		    "[[package]]\nname = \"member\"\nversion = \"0.1.0\"\nsource = { editable = \"m\" }\n"
		    "[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { registry = \"https://example.org\" }\n"
		    "dependencies = [\n    { name = \"b\", version = \"9\" },\n]\n"
		    "sdist = { url = \"https://example.org/a.tar.gz\", size = 1 }\n",
		    "a 1.0\n", "");
}

static void uv_tells_by_the_graph_what_is_for_development(void **state)
{
	static const char text[] = "[[package]]\nname = \"app\"\nversion = \"1\"\nsource = { virtual = \".\" }\n"
				   "dependencies = [{ name = \"a\" }]\n"
				   "[package.optional-dependencies]\nx = [{ name = \"b\" }]\n"
				   "[package.dev-dependencies]\ndev = [{ name = \"c\" }]\n"
				   "[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [{ name = \"d\" }]\n"
				   "[[package]]\nname = \"b\"\nversion = \"1\"\n[[package]]\nname = \"c\"\nversion = \"1\"\n"
				   "dependencies = [{ name = \"d\" }, { name = \"e\" }]\n"
				   "[[package]]\nname = \"d\"\nversion = \"1\"\n[[package]]\nname = \"e\"\nversion = \"1\"\n";

	assert_file("uv.lock", text, "a 1\nb 1\nc 1 dev\nd 1\ne 1 dev\n", "");
}

static void the_standard_lock(void **state)
{
	static const char text[] = "lock-version = '1.0'\n[[packages]]\nname = 'a'\nversion = '1.0'\n"
				   "wheels = [{name = 'a-1.0.whl'}]\n[packages.archive]\nname = 'no'\n"
				   "[[packages]]\nname = 'app'\ndirectory = { path = '.', editable = true }\n"
				   "[[packages]]\nname = 'git'\n[packages.vcs]\ntype = 'git'\n";

	assert_file("pylock.toml", text, "a 1.0\ngit \n", "");
	assert_file("app/pylock.dev.toml", text, "a 1.0\ngit \n", "");
	assert_file("pylock.dev.toml", text, "a 1.0\ngit \n", "");
	assert_file("pylock.toml", "packages = [ { name = 'a', version = '1' } ]", "a 1\n", "");
}

static void a_project_may_pin_too(void **state)
{
	assert_file("pyproject.toml",
		    "[project]\nname = \"app\"\ndependencies = [\"a==1.0; python_version > '3'\", \"b>=2\"]\n"
		    "[project.optional-dependencies]\nx = ['c[y]==3']\n[tool.x]\ndependencies = ['d==4']\n",
		    "a 1.0\nb \nc 3\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipenv_locks_by_group),	cmocka_unit_test(poetry_and_pdm_tell_groups),
		cmocka_unit_test(uv_leaves_out_the_project),	cmocka_unit_test(the_standard_lock),
		cmocka_unit_test(uv_tells_by_the_graph_what_is_for_development),
		cmocka_unit_test(a_project_may_pin_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
