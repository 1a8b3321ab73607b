/* FUZZ_LINK: picket_proto
 * fuzz_inventory.c - an image's inventory as the collector gets it, then each layer's key. */
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	uint8_t key[LIMIT_KEY_BYTES];
	Picket__Inventory *m;

	if (!a)
		return 0;
	if (msg_read_inventory(slice_from(data, size), a, &m, NULL) >= 0)
		for (size_t i = 0; i < m->n_layers; i++)
			(void)!msg_layer_key(m->layers[i]->packages, m->layers[i]->n_packages, key, NULL);
	arena_free(a);
	return 0;
}
