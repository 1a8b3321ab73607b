/* fuzz_lang_json.c - FUZZ_LINK: agent_image_lang
 * Lock files in JSON. */
#include "tests/fuzz/fuzz_lang.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {
		"package-lock.json",
		"node_modules/x/package.json",
		"Pipfile.lock",
		"composer.lock",
		"vendor/composer/installed.json",
		"app/x.deps.json",
		"packages.lock.json",
	};

	return fuzz_lang(paths, ARRAY_LEN(paths), data, size);
}
