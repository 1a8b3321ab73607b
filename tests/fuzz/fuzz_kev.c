/* FUZZ_LINK: picket_vulndb
 * fuzz_kev.c - CISA's catalogue, in two chunks. */
#include "common/vulndb/feeds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_row(void *arg, const struct kev_row *r, struct err *err)
{
	return r->cve <= 0;
}

static int on_bad(void *arg, const char *what, struct err *err)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct kev_reader reader = { on_row, on_bad, NULL };
	CLEANUP(kev_freep) struct kev *k = kev_new(&reader);

	if (k && kev_feed(k, slice_from(data, size / 2), NULL) >= 0 &&
	    kev_feed(k, slice_from(data + size / 2, size - size / 2), NULL) >= 0)
		(void)!kev_end(k, NULL);
	return 0;
}
