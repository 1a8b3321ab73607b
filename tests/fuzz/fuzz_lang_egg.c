/* fuzz_lang_egg.c - FUZZ_LINK: agent_image_lang
 * Metadata inside a zip. */
#include "tests/fuzz/fuzz_lang.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {
		"x.egg",
		"x.whl",
	};

	return fuzz_lang(paths, ARRAY_LEN(paths), data, size);
}
