/* fuzz_notify_zone.c - a TZif file, and offsets at many times of what it says.
 * FUZZ_LINK: collector_notify collector_store picket_proto picket_common */
#include "collector/notify/notify_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 20);
	struct notify_zone *z = NULL;

	if (a && notify_zone_parse(slice_from(data, size), a, &z, NULL) >= 0)
		for (int64_t t = -5000000000; t < 9000000000; t += 123456789)
			(void)notify_zone_offset(z, t);
	arena_free(a);
	return 0;
}
