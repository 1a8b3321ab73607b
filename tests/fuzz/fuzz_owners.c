/* fuzz_owners.c - FUZZ_LINK: agent_image
 * A table of owners that somebody else wrote. */
#include "agent/image/owners.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(owners_freep) struct owners *o = NULL;
	struct owners_package p;
	struct buf again;

	if (owners_read(slice_from(data, size), &o, NULL) < 0)
		return 0;
	(void)owners_find(o, SLICE_LIT("/usr/bin/ls"), &p);
	(void)owners_find(o, slice_from(data, size), &p);
	buf_init(&again, OWNERS_BYTES_MAX);
	if (owners_write(o, &again, NULL) < 0 || !slice_eq(buf_slice(&again), slice_from(data, size)))
		__builtin_trap();
	buf_fini(&again);
	return 0;
}
