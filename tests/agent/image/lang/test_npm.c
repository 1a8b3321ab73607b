/* npm: the three formats of its lock file, and what lies in node_modules. */
#include "tests/agent/image/lang/lang_test.h"

static void format_1_is_a_tree(void **state)
{
	assert_file("app/package-lock.json",
		    "{\"name\": \"app\", \"version\": \"1.0.0\", \"lockfileVersion\": 1, \"dependencies\": {"
		    "\"ansi-styles\": {\"version\": \"1.0.0\", \"requires\": {\"version\": \"^9\"}},"
		    "\"@vue/utils\": {\"dependencies\": {\"lru\": {\"version\": \"4.1.5\", \"dev\": true}},"
		    "  \"version\": \"3.1.0\"},"
		    "\"gone\": {\"version\": \"git+ssh://git@example.org/gone.git#1a2b\"},"
		    "\"local\": {\"version\": \"file:../local\"},"
		    "\"frame\": {\"version\": \"npm:@babel/code-frame@7.0.0\", \"dev\": true},"
		    "\"lru\": {\"version\": \"4.1.5\"}}}",
		    "ansi-styles 1.0.0\n"
		    "lru 4.1.5 dev\n"
		    "@vue/utils 3.1.0\n"
		    "gone \n"
		    "local \n"
		    "@babel/code-frame 7.0.0 dev\n"
		    "lru 4.1.5\n",
		    "");
}

static void format_3_is_by_folder(void **state)
{
	assert_file("package-lock.json",
		    "{\"lockfileVersion\": 3, \"packages\": {"
		    "\"\": {\"name\": \"app\", \"version\": \"1.0.0\"},"
		    "\"node_modules/a\": {\"version\": \"1.0.0\", \"dependencies\": {\"version\": \"^2\"}},"
		    "\"node_modules/a/node_modules/@s/b\": {\"version\": \"2.0.0-rc.1+x\", \"dev\": true},"
		    "\"node_modules/alias\": {\"name\": \"real\", \"version\": \"3.0.0\"},"
		    "\"node_modules/member\": {\"resolved\": \"libs/member\", \"link\": true},"
		    "\"libs/member\": {\"version\": \"0.1.0\"},"
		    "\"libs/nameless\": {\"license\": \"ISC\"},"
		    "\"node_modules/a/node_modules/c\": {\"version\": null, \"dev\": false}}}",
		    "a 1.0.0\n"
		    "@s/b 2.0.0-rc.1+x dev\n"
		    "real 3.0.0\n"
		    "member 0.1.0\n"
		    "c \n",
		    "");
}

static void format_2_says_it_once(void **state)
{
	/* in whichever order */
	assert_file("npm-shrinkwrap.json",
		    "{\"dependencies\": {\"a\": {\"version\": \"9.9.9\"}}, \"lockfileVersion\": 2,"
		    "\"packages\": {\"node_modules/a\": {\"version\": \"1.0.0\"}, "
		    "\"node_modules/b/node_modules/a\": {\"version\": \"1.0.0\"}}}",
		    "a 1.0.0\n", "");
}

static void a_broken_lock_gives_what_stood_before(void **state)
{
	assert_wrong("package-lock.json", "{\"packages\": {\"node_modules/a\": {\"version\": \"1.0.0\"},\n\n}",
		     "a 1.0.0\n", ERR_SYNTAX, "line 3: ");
	assert_wrong("package-lock.json", "{\"dependencies\": {\"a\": {\"version\": \"1.0.0\"},\n\"b\"",
		     "a 1.0.0\n", ERR_SYNTAX, "line 2: ");
}

static void names_that_are_no_text_are_left_out_and_counted(void **state)
{
	static char text[3000];
	char *p = text + sprintf(text, "{\"packages\": {\"node_modules/a\\nb\": {\"version\": \"1\"}, \"node_modules/");

	memset(p, 'x', 1025);
	strcpy(p + 1025, "\": {\"version\": \"1\"}, \"node_modules/ok\": {\"version\": \"1\"}}}");
	assert_wrong("package-lock.json", text, "ok 1\n", ERR_SYNTAX,
		     "packages without a right name or version: 2");
}

static void lock_files_that_packages_bring_along_are_not_read(void **state)
{
	static const char text[] = "{\"packages\": {\"node_modules/a\": {\"version\": \"1.0.0\"}}}";

	assert_file("app/node_modules/x/package-lock.json", text, "", "");
	assert_file("node_modules/package-lock.json", text, "", "");
}

static void an_installed_package_owns_its_folder(void **state)
{
	static const char text[] = "{\"name\": \"@s/x\", \"version\": \"1.2.3\", \"dependencies\": {\"name\": \"^1\"}, "
				   "\"author\": {\"name\": \"A\"}}";

	assert_file("usr/lib/node_modules/x/package.json", "{\"version\": \"1.2.3\", \"name\": \"x\"}", "x 1.2.3\n",
		    "usr/lib/node_modules/x usr/lib/node_modules/x/\n");
	assert_file("app/node_modules/a/node_modules/@s/x/package.json", text, "@s/x 1.2.3\n",
		    "app/node_modules/a/node_modules/@s/x app/node_modules/a/node_modules/@s/x/\n");
	assert_file("node_modules/.pnpm/x@1.2.3/node_modules/@s/x/package.json", text, "@s/x 1.2.3\n", NULL);
	/* inside a package */
	assert_file("node_modules/x/dist/esm/package.json", text, "", "");
	assert_file("node_modules/x/test/node_modules_y/package.json", text, "", "");
}

static void other_things_called_package_json_are_none(void **state)
{
	static const char path[] = "node_modules/x/package.json";

	assert_file(path, "{\"name\": \"x\"}", "", "");
	assert_file(path, "{\"version\": \"1.0.0\"}", "", "");
	assert_file(path, "{\"name\": \"\", \"version\": \"1.0.0\"}", "", "");
	assert_file(path, "{\"name\": \"x\", \"version\": 1}", "", "");
	assert_file(path, "{\"name\": \"x\", \"version\": \"1\", \"engines\": {\"vscode\": \"*\"}}", "", "");
	assert_file(path, "{\"name\": \"x\", \"version\": \"1\", \"unity\": \"2020.3\"}", "", "");
	assert_file(path, "{\"name\": \"x\", \"version\": \"1\", \"contributes\": {}}", "", "");
	assert_wrong(path, "{\"name\": \"x\", \"version\": \"1\"", "", ERR_SYNTAX, "line 1: ");
	assert_wrong(path, "{\"name\": \"x\\n\", \"version\": \"1\"}", "", ERR_SYNTAX, "no text");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_1_is_a_tree),
		cmocka_unit_test(format_3_is_by_folder),
		cmocka_unit_test(format_2_says_it_once),
		cmocka_unit_test(a_broken_lock_gives_what_stood_before),
		cmocka_unit_test(names_that_are_no_text_are_left_out_and_counted),
		cmocka_unit_test(lock_files_that_packages_bring_along_are_not_read),
		cmocka_unit_test(an_installed_package_owns_its_folder),
		cmocka_unit_test(other_things_called_package_json_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
