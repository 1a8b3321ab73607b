/* fuzz_os_jar.c - FUZZ_LINK: agent_image_os
 * Java archives, and those in them. */
#include "tests/fuzz/fuzz_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_os("app/x-1.0.war", java_read, data, size);
}
