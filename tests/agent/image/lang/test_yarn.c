/* yarn: its own format, and YAML. */
#include "tests/agent/image/lang/lang_test.h"

static void yarn_1_is_read_by_the_line(void **state)
{
	assert_file("yarn.lock",
		    "# yarn lockfile v1\r\n\r\n\r\n"
		    "\"@babel/core@^7.0.0\", \"@babel/core@^7.1.0\":\r\n"
		    "  version \"7.4.0\"\r\n"
		    "  resolved \"https://registry.example.org/x.tgz\"\r\n"
		    "  dependencies:\r\n"
		    "    version \"^9.9.9\"\r\n"
		    "\r\n"
		    "a@1.x, a@^1.0.0:\n"
		    "  version \"1.5.0\"\n"
		    "alias@npm:b@^2.0.0:\n"
		    "  version \"0.0.1\"\n"
		    "\"cjs@npm:@s/b@^2.0.0\":\n"
		    "  \"integrity\" sha512-x==\n"
		    "  \"version\" \"2.1.0\"\n"
		    "\n"
		    "\"mine@git+ssh://git@example.org/mine#1a\":\n"
		    "  version \"3.0.0-alpha\"\n"
		    "nameless:\n"
		    "  version \"4.0.0\"\n"
		    "last@^1:\n"
		    "  dependencies:\n"
		    "    version \"^9.9.9\"\n"
		    "  version \"5.0.0\"\n"
		    "versionless@^1:\n"
		    "  resolved \"x\"\n",
		    "@babel/core 7.4.0\n"
		    "a 1.5.0\n"
		    "alias 0.0.1\n"
		    "@s/b 2.1.0\n"
		    "mine 3.0.0-alpha\n"
		    "nameless 4.0.0\n"
		    "last 5.0.0\n",
		    "");
	assert_file("yarn.lock", "", "", "");
}

static void berry_is_yaml(void **state)
{
	assert_file("app/yarn.lock",
		    "# generated\n\n__metadata:\n  version: 8\n  cacheKey: 10c0\n\n"
		    "\"alias@npm:real@^5.0.0\":\n  version: 5.0.1\n  resolution: \"real@npm:5.0.1\"\n"
		    "  dependencies:\n    version: ^1\n"
		    "\"@s/x@npm:^1, @s/x@npm:^1.1\":\n  version: 1.2.0\n  resolution: \"@s/x@npm:1.2.0\"\n"
		    "\"mine@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"mine@workspace:.\"\n"
		    "? \"long@npm:^1, long@npm:^2\"\n: version: 2.0.0\n"
		    "\"p@patch:p@npm%3A1.0.0#./x.patch\":\n  \"version\": 1.0.0\n"
		    "  \"resolution\": \"p@patch:p@npm%3A1.0.0#./x.patch::version=1.0.0&hash=1\"\n",
		    "real 5.0.1\n@s/x 1.2.0\nlong 2.0.0\np 1.0.0\n", "");
	assert_file("yarn.lock", "__metadata:\n  version: 4\n", "", "");
	assert_wrong("yarn.lock", "__metadata:\n  version: 4\n\"a@npm:1\":\n  version: 1\n\"b@npm:1\":\n  version: {",
		     "a 1\n", ERR_SYNTAX, "line ");
}

static void a_lock_file_inside_a_package_is_not_read(void **state)
{
	assert_file("node_modules/x/yarn.lock", "a@^1:\n  version \"1.0.0\"\n", "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yarn_1_is_read_by_the_line),
		cmocka_unit_test(berry_is_yaml),
		cmocka_unit_test(a_lock_file_inside_a_package_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
