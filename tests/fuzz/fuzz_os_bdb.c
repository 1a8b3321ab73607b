/* fuzz_os_bdb.c - FUZZ_LINK: agent_image_os
 * rpm's Berkeley DB. */
#include "tests/fuzz/fuzz_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_os("var/lib/rpm/Packages", rpm_bdb_read, data, size);
}
