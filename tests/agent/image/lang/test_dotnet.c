/* .NET: what was published with a program, and NuGet's lock files. */
#include "tests/agent/image/lang/lang_test.h"

static void a_published_program_names_its_libraries(void **state)
{
	assert_file("app/x.deps.json",
		    "\xef\xbb\xbf{\"targets\": {\".NETCoreApp,Version=v8.0\": {},"
		    "\".NETCoreApp,Version=v8.0/linux-x64\": {"
		    "\"App/1.0.0\": {\"dependencies\": {\"runtime\": \"1\"}, \"runtime\": {\"App.dll\": {}}},"
		    "\"Json/13.0.1\": {\"runtime\": {\"lib/net6.0/Json.dll\": {\"fileVersion\": \"13.0\"}}},"
		    "\"runtimepack.Core.linux-x64/8.0.0\": {\"native\": {\"libcore.so\": {}}},"
		    "\"Libuv/1.9.1\": {\"runtimeTargets\": {\"runtimes/linux/native/libuv.so\": {}}},"
		    "\"Words/1.0.0\": {\"resources\": {\"lib/de/Words.resources.dll\": {\"locale\": \"de\"}}},"
		    "\"Meta/1.0.0\": {\"dependencies\": {\"Json\": \"13.0.1\"}}}},"
		    "\"libraries\": {\"App/1.0.0\": {\"type\": \"project\"}, \"Json/13.0.1\": {\"type\": \"package\"},"
		    "\"runtimepack.Core.linux-x64/8.0.0\": {}, \"Libuv/1.9.1\": {}, \"Words/1.0.0\": {},"
		    "\"Meta/1.0.0\": {}, \"Unknown/2.0.0\": {}, \"NoVersion\": {}, \"/1\": {}}}",
		    "App 1.0.0\nJson 13.0.1\nCore.linux-x64 8.0.0\nLibuv 1.9.1\nWords 1.0.0\nUnknown 2.0.0\n",
		    "App app/App.dll\nJson app/Json.dll\nCore.linux-x64 app/libcore.so\n"
		    "Libuv app/runtimes/linux/native/libuv.so\n");
	assert_wrong("x.deps.json", "{\"libraries\": {\"A/1\": {}", "", ERR_SYNTAX, "line 1: ");
}

static void locks_name_what_was_resolved(void **state)
{
	assert_file("packages.lock.json",
		    "{\"version\": 1, \"dependencies\": {\"net6.0\": {"
		    "\"A\": {\"type\": \"Direct\", \"requested\": \"[1, )\", \"resolved\": \"1.2.0\"},"
		    "\"Project\": {\"type\": \"Project\", \"dependencies\": {\"resolved\": \"9\"}}},"
		    "\"net7.0\": {\"A\": {\"resolved\": \"1.2.0\"}, \"B\": {\"resolved\": \"2.0.0\"}}}}",
		    "A 1.2.0\nB 2.0.0\n", "");
	assert_file("packages.config",
		    "<?xml version=\"1.0\"?>\n<packages>\n  <package id=\"A\" version=\"1.0\" targetFramework=\"net46\" />\n"
		    "  <package version = '2.0'\n   id='B' developmentDependency=\"true\"/>\n<package id=\"C\" />\n"
		    "<package grid=\"X\" version=\"1\"/></packages>\n",
		    "A 1.0\nB 2.0 dev\nC \n", "");
	assert_file("packages.config", "<package id=\"A\" version=\"1.0", "", "");
	assert_file("packages.config", "<package id=\"A version=1.0>", "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_published_program_names_its_libraries),
		cmocka_unit_test(locks_name_what_was_resolved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
