/* fuzz_lang_yaml.c - FUZZ_LINK: agent_image_lang
 * Lock files in YAML. */
#include "tests/fuzz/fuzz_lang.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {
		"pnpm-lock.yaml",
		"yarn.lock",
	};

	return fuzz_lang(paths, ARRAY_LEN(paths), data, size);
}
