/* fuzz_os_sqlite.c - FUZZ_LINK: agent_image_os
 * rpm's SQLite database, through the file system that is a blob. */
#include "tests/fuzz/fuzz_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_os("var/lib/rpm/rpmdb.sqlite", rpm_sqlite_read, data, size);
}
