/* FUZZ_LINK: agent_scan
 * A file of ignored vulnerabilities, in our form or Trivy's. */
#include "agent/scan/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(ignore_freep) struct ignore *g = NULL;
	struct err err = { 0 };

	if (ignore_parse("fuzz", slice_from(data, size), &g, &err) < 0 && strncmp(err.msg, "fuzz", 4) != 0)
		abort();
	return 0;
}
