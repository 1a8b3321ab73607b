/* FUZZ_LINK: agent_scan
 * A bill of materials; the corpus is of CycloneDX documents. */
#include "agent/scan/sbom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(4 << 20);
	struct sbom s;
	struct err err = { 0 };
	int r = sbom_read(slice_from(data, size), a, &s, &err);
	size_t n = 0;

	if (r < 0 && !err.msg[0])
		abort();
	for (size_t i = 0; r >= 0 && i < s.inventory->n_layers; i++)
		n += s.inventory->layers[i]->n_packages;
	if (r >= 0 && n != s.package_count)
		abort();
	return 0;
}
