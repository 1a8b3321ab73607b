/* fuzz_os_elf.c - FUZZ_LINK: agent_image_os
 * Programs: sections, Go's and cargo auditable's information. */
#include "tests/fuzz/fuzz_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_os("usr/bin/x", binary_read, data, size);
}
