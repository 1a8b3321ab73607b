/* FUZZ_LINK: picket_vulndb
 * fuzz_cvss.c - CVSS vectors; no score may leave 0.0 .. 10.0. */
#include "common/vulndb/cvss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum vuln_severity s;
	double score;

	(void)cvss_version(slice_from(data, size));
	if (cvss_score(slice_from(data, size), &score, &s, NULL) >= 0 && !(score >= 0 && score <= 10))
		__builtin_trap();
	return 0;
}
