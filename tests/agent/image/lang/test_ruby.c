/* Ruby: Gemfile.lock, and the specifications of installed gems. */
#include "tests/agent/image/lang/lang_test.h"

static void specs_are_read_from_every_section(void **state)
{
	assert_file("Gemfile.lock",
		    "GIT\n  remote: https://example.org/x.git\n  revision: 1a\n  specs:\n    x (1.0.0.alpha1)\n"
		    "      rack (~> 2.0)\n\n"
		    "PATH\n  remote: vendor/y\n  specs:\n    y (2.0)\n\n"
		    "GEM\r\n  remote: https://rubygems.example.org/\r\n  specs:\r\n    nokogiri (1.13.3-x86_64-linux)\r\n"
		    "      racc (~> 1.4)\r\n    nokogiri (1.13.3-java)\r\n    invalid-name\r\n    empty ()\r\n\r\n"
		    "PLATFORMS\n  x86_64-linux\n    no (1)\n\nDEPENDENCIES\n  x!\n\n"
		    "CHECKSUMS\n  x (1.0) sha256=1a\n\nBUNDLED WITH\n   2.2.28\n",
		    "x 1.0.0.alpha1\ny 2.0\nnokogiri 1.13.3\n", "");
	assert_file("gems.locked", "GEM\n  specs:\n    a (1)", "a 1\n", "");
	assert_file("Gemfile.lock", "", "", "");
}

static void an_installed_gem_owns_its_folder(void **state)
{
	assert_file("usr/local/bundle/specifications/rack-2.2.3.gemspec",
		    "# -*- encoding: utf-8 -*-\n# stub: rack 2.2.3 ruby lib\n\nGem::Specification.new do |s|\n",
		    "rack 2.2.3\n",
		    "usr/local/bundle/specifications/rack-2.2.3.gemspec usr/local/bundle/gems/rack-2.2.3/\n");
	assert_file("specifications/nokogiri-1.13.3-x86_64-linux.gemspec",
		    "Gem::Specification.new do |s|\n  s.name = \"nokogiri\".freeze\n"
		    "  s.version = \"1.13.3\"\n  s.platform = \"x86_64-linux\".freeze\n",
		    "nokogiri 1.13.3\n",
		    "specifications/nokogiri-1.13.3-x86_64-linux.gemspec gems/nokogiri-1.13.3-x86_64-linux/\n");
	/* among Ruby's own files */
	assert_file("usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec",
		    "# stub: json 2.6.1 ruby lib\n", "json 2.6.1\n", "");
}

static void a_gemspec_that_must_be_run_is_an_error(void **state)
{
	static const char path[] = "specifications/x.gemspec";

	assert_wrong(path, "s.name = NAME\ns.version = '1'\n", "", ERR_SYNTAX, "no name");
	assert_wrong(path, "s.name = 'x'\ns.version = VERSION\n", "", ERR_SYNTAX, "no version");
	assert_wrong(path, "s.name = 'x'\ns.version = \"#{1}\"\n", "", ERR_SYNTAX, "no version");
	assert_wrong(path, "s.name = 'x\ns.version = \"", "", ERR_SYNTAX, "no name");
	assert_wrong(path, "# stub: x", "", ERR_SYNTAX, "no version");
	assert_wrong(path, "", "", ERR_SYNTAX, "no name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(specs_are_read_from_every_section),
		cmocka_unit_test(an_installed_gem_owns_its_folder),
		cmocka_unit_test(a_gemspec_that_must_be_run_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
