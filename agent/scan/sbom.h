/* sbom.h - bills of materials as inventories: CycloneDX 1.2 to 1.7 and SPDX 2.2, 2.3, both as JSON. What our
 * own writers put there comes back whole; of others' what their package URLs and Trivy's and Syft's
 * properties say. */
#pragma once
#include "common/arena.h"
#include "common/err.h"
#include "proto/picket.pb-c.h"

struct sbom {
	Picket__Inventory *inventory; /* kind "sbom" */
	struct slice format;	      /* "CycloneDX 1.6", "SPDX 2.3" */
	struct slice serial;	      /* "urn:uuid:…", SPDX: its namespace; may be empty */
	/* What the document calls each package, in the inventory's order, layer by layer. */
	const struct slice *refs;
	size_t package_count;
};

enum { SBOM_MAX_MIB = 512 };

/* Everything in *ret lives in the arena; what could not be used is in the inventory's problems. Errors:
 * ERR_SYNTAX (where, what), ERR_VERSION, ERR_LIMIT. */
int sbom_read(struct slice text, struct arena *a, struct sbom *ret, struct err *err) WARN_UNUSED;
/* From a file, "-" is standard input; its size does not matter up to SBOM_MAX_MIB. */
int sbom_read_file(const char *path, struct arena *a, struct sbom *ret, struct err *err) WARN_UNUSED;
