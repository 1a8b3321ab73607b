/* fuzz_os_rpm_header.c - FUZZ_LINK: agent_image_os
 * A package's header as every rpm database keeps it. */
#include "tests/fuzz/fuzz_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct emit e = { .out = &fuzz_out, .ecosystem = "rpm" };
	const struct slice bytes = slice_from(data, size);
	const struct blob b = blob_from_slice(&bytes);
	struct rpm_budget left = rpm_budget_of(&b);

	(void)rpm_header_give(&e, &left, &b);
	return 0;
}
