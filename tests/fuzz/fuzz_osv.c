/* FUZZ_LINK: picket_vulndb
 * fuzz_osv.c - an OSV record: read, its ranges compiled and judged, its ids grouped. */
#include "common/vulndb/ecosystem.h"
#include "common/vulndb/groups.h"
#include "common/vulndb/guess.h"
#include "common/vulndb/osv.h"
#include "common/vulndb/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(osv_freep) struct osv *o = osv_new();
	CLEANUP(arena_freep) struct arena *a = arena_new(8 << 20);
	struct slice ranges, versions, groups;
	char space[SPACE_MAX];
	struct advisory adv;

	(void)guess_format(slice_from(data, size));
	if (!o || !a || osv_read(o, slice_from(data, size), a, &adv, NULL) < 0)
		return 0;
	(void)!groups_make(&adv, size % 2, a, &groups, NULL);
	for (size_t i = 0; i < adv.affected_count; i++) {
		const struct ecosystem *e = ecosystem_of_osv(adv.affected[i].ecosystem);

		(void)ecosystem_space(e, adv.affected[i].ecosystem, space);
		if (range_compile(e ? e->scheme : VERSION_SEMVER, &adv.affected[i], a, &ranges, &versions, NULL) >= 0)
			(void)range_judge(e ? e->scheme : VERSION_SEMVER, ranges, versions, SLICE_LIT("1.2.3"));
	}
	return 0;
}
