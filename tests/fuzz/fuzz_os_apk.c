/* fuzz_os_apk.c - FUZZ_LINK: agent_image_os
 * What apk says is installed. */
#include "tests/fuzz/fuzz_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_os("lib/apk/db/installed", apk_read, data, size);
}
