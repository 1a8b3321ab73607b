/* format_cdx.h - what the two halves of the CycloneDX writer share. */
#pragma once
#include "agent/scan/format.h"

#define CDX_ROOT_REF "root"
#define CDX_OS_REF "operating-system"

struct cdx {
	const struct scan_result *r;
	struct out *o;
	uint8_t *is_double; /* by package: its purl stands at an earlier one already */
	bool has_os;
};

/* What the package is called in this document; in scratch memory. */
struct slice cdx_ref(const struct cdx *c, size_t package);
int cdx_vulnerabilities(const struct cdx *c, struct err *err) WARN_UNUSED;
