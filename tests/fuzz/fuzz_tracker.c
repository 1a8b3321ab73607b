/* FUZZ_LINK: picket_vulndb
 * fuzz_tracker.c - Debian's security tracker, in two chunks. */
#include "common/vulndb/feeds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_advisory(void *arg, const struct advisory *a, struct err *err)
{
	return a->affected_count > 64 ? -1 : 0;
}

static int on_bad(void *arg, const char *what, struct err *err)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(debian_freep) struct debian *d = debian_new(on_advisory, on_bad, NULL);

	if (d && debian_feed(d, slice_from(data, size / 2), NULL) >= 0 &&
	    debian_feed(d, slice_from(data + size / 2, size - size / 2), NULL) >= 0)
		(void)!debian_end(d, NULL);
	return 0;
}
