/* FUZZ_LINK: picket_vulndb
 * fuzz_epss.c - EPSS scores; no row may leave 0 .. 1. */
#include "common/vulndb/feeds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_row(void *arg, const struct epss_row *r, struct err *err)
{
	if (!(r->score >= 0 && r->score <= 1 && r->percentile >= 0 && r->percentile <= 1 && r->cve > 0))
		__builtin_trap();
	return 0;
}

static int on_bad(void *arg, const char *what, struct err *err)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct epss e = { .row = on_row, .bad = on_bad };

	if (epss_feed(&e, slice_from(data, size / 2), NULL) >= 0 &&
	    epss_feed(&e, slice_from(data + size / 2, size - size / 2), NULL) >= 0)
		(void)!epss_end(&e, NULL);
	return 0;
}
