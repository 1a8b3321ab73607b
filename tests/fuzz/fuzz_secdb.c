/* FUZZ_LINK: picket_vulndb
 * fuzz_secdb.c - the security database of Alpine and its like. */
#include "common/vulndb/feeds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_advisory(void *arg, const struct advisory *a, struct err *err)
{
	return a->affected_count != 1;
}

static int on_bad(void *arg, const char *what, struct err *err)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)secdb_ecosystem(slice_from(data, size));
	(void)!secdb_read(slice_from(data, size), on_advisory, on_bad, NULL, NULL);
	return 0;
}
