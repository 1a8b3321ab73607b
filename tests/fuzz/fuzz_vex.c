/* FUZZ_LINK: agent_scan
 * A VEX document, applied to a finding that it may speak of. */
#include "agent/scan/vex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	CLEANUP(vex_freep) struct vex *v = NULL;
	char ecosystem[] = "npm", name[] = "a";
	Picket__Package package = PICKET__PACKAGE__INIT;
	Picket__Inventory inventory = PICKET__INVENTORY__INIT;
	struct scan_package packages[] = { { .pkg = &package } };
	struct scan_vuln vuln = { .id = SLICE_LIT("CVE-1") };
	struct scan_finding findings[] = { { .vuln = &vuln } };
	struct scan_result r = { .arena = a, .target = "web:1", .inventory = &inventory, .packages = packages,
				 .package_count = 1, .findings = findings, .finding_count = 1 };

	package.ecosystem = ecosystem;
	package.name = name;
	if (vex_new(&v, NULL) < 0 || vex_parse(v, "fuzz", slice_from(data, size), NULL) < 0)
		return 0;
	vex_apply(v, &r);
	return 0;
}
