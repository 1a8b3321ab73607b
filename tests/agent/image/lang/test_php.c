/* Composer: what it locked, what it installed and where. */
#include "tests/agent/image/lang/lang_test.h"

static const char lock[] = "{\"packages\": [{\"name\": \"a/b\", \"version\": \"v1.0.2\", \"source\": "
			   "{\"name\": \"no\", \"version\": \"9\"}, \"require\": {\"name\": \"^1\"}}],"
			   "\"packages-dev\": [{\"version\": \"9.5\", \"name\": \"php/unit\"}, {\"version\": \"1\"}],"
			   "\"aliases\": [{\"name\": \"x\", \"version\": \"1\"}]}";

static void a_lock_tells_what_is_for_development(void **state)
{
	assert_file("composer.lock", lock, "a/b v1.0.2\nphp/unit 9.5 dev\n", "");
	assert_file("app/vendor/x/y/composer.lock", lock, "", "");
	assert_wrong("composer.lock", "{\"packages\": [{\"name\": \"a/b\", \"version\": \"1\"}", "a/b 1\n",
		     ERR_SYNTAX, "line 1: ");
}

static void installed_packages_own_their_folder(void **state)
{
	assert_file("app/vendor/composer/installed.json",
		    "{\"packages\": [{\"name\": \"a/b\", \"version\": \"1.0\", \"install-path\": \"../a/./b\"},"
		    "{\"name\": \"c/d\", \"version\": \"2.0\", \"install-path\": \"../../../../../etc\"},"
		    "{\"name\": \"e/f\", \"version\": \"3.0\", \"install-path\": null}], \"dev\": true}",
		    "a/b 1.0\nc/d 2.0\ne/f 3.0\n", "a/b app/vendor/a/b/\n");
	/* Composer 1 */
	assert_file("vendor/composer/installed.json", "[{\"name\": \"a/b\", \"version\": \"1.0\"}]", "a/b 1.0\n",
		    "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_tells_what_is_for_development),
		cmocka_unit_test(installed_packages_own_their_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
