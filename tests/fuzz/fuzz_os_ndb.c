/* fuzz_os_ndb.c - FUZZ_LINK: agent_image_os
 * rpm's own database. */
#include "tests/fuzz/fuzz_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_os("usr/lib/sysimage/rpm/Packages.db", rpm_ndb_read, data, size);
}
