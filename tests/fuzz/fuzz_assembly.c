/* FUZZ_LINK: collector_vuln collector_store picket_proto
 * fuzz_assembly.c - an inventory's frame as it comes off the wire: unpacked, and what came out read. The first 32
 * bytes are its digest. */
#include "collector/vuln/assembly.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_from(data, size);
	struct arena *a = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	struct buf out = { 0 };
	Picket__Inventory *m;

	if (!a || size < LIMIT_KEY_BYTES) {
		arena_free(a);
		return 0;
	}
	(void)!assembly_unpack(slice_sub(all, LIMIT_KEY_BYTES, size), slice_sub(all, 0, LIMIT_KEY_BYTES), &out, NULL);
	(void)!msg_read_inventory(buf_slice(&out), a, &m, NULL);
	buf_fini(&out);
	arena_free(a);
	return 0;
}
