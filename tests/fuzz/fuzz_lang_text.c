/* fuzz_lang_text.c - FUZZ_LINK: agent_image_lang
 * Lock files and metadata by the line. */
#include "tests/fuzz/fuzz_lang.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {
		"yarn.lock",
		"requirements.txt",
		"x.dist-info/METADATA",
		"x.dist-info/RECORD",
		"x.egg-info/installed-files.txt",
		"Gemfile.lock",
		"specifications/x-1.gemspec",
		"go.mod",
		"vendor/modules.txt",
		"packages.config",
		"gradle.lockfile",
	};

	return fuzz_lang(paths, ARRAY_LEN(paths), data, size);
}
