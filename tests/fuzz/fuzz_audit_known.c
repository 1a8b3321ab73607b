/* FUZZ_LINK: agent_audit_facts
 * What the agent keeps for the audit's worker comes back as a word; what is read is written alike. */
#include "agent/audit/facts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct facts_known k, again;
	struct facts_real r = { .is_known = true };

	if (facts_known_read(slice_from(data, size), &k, NULL) < 0)
		return 0;
	r.init = (struct facts_process){ .pid = k.pid, .seccomp = SECCOMP_FILTERED, .seccomp_filters = k.seccomp_filters };
	r.init_start_ticks = k.start_ticks;
	r.filter = k.filter;
	buf_init(&b, FACTS_KNOWN_BYTES);
	facts_known_write(&r, &b);
	if (!b.n && !b.failed)
		return 0; /* of nobody */
	if (b.failed || facts_known_read(buf_slice(&b), &again, NULL) < 0 || again.pid != k.pid ||
	    memcmp(again.filter.allows, k.filter.allows, sizeof(k.filter.allows)) != 0)
		abort();
	return 0;
}
