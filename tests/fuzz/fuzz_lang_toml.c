/* fuzz_lang_toml.c - FUZZ_LINK: agent_image_lang
 * Lock files in TOML. */
#include "tests/fuzz/fuzz_lang.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {
		"Cargo.lock",
		"poetry.lock",
		"pdm.lock",
		"uv.lock",
		"pylock.toml",
		"pyproject.toml",
	};

	return fuzz_lang(paths, ARRAY_LEN(paths), data, size);
}
