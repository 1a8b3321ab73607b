/* facts_default.c - what Docker's own profile lets through, from its table. Pure. */
#include <linux/audit.h>
#include <linux/capability.h>

#include "agent/audit/facts_priv.h"

enum how { SOME, ALWAYS };

#define NONE UINT32_MAX
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF	    39
#endif

static const struct call {
	int16_t x86_64, arm64;
	uint32_t capability; /* its bit; NONE */
	enum how how;
	uint8_t until;
} calls[] = {
#define CAP_NONE					  NONE
#define CALL(name, x86_64, arm64, capability, how, until) { x86_64, arm64, CAP_##capability, how, until },
#include "agent/audit/facts_default.def"
#undef CALL
};

uint32_t facts_native_arch(void)
{
#if defined(__x86_64__)
	return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
	return AUDIT_ARCH_AARCH64;
#else
#error "no table of calls for this machine"
#endif
}

static unsigned major_of(const char *version)
{
	struct slice rest = slice_of(version), first = SLICE_NONE;
	uint64_t n;

	(void)slice_split(&rest, '.', &first);
	return slice_to_u64(first, &n) && n < 1000 ? (unsigned)n : 0;
}

void facts_default_filter(uint64_t cap_bounding, const char *engine_version, struct facts_filter *ret)
{
	const unsigned major = major_of(engine_version);

	facts_filter_init(ret);
	ret->is_read = true;
	ret->filters = 1;
	ret->allows_other_abi = true; /* i386 and x32, or arm, by the same names */
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		const struct call *c = &calls[i];
		int n = facts_native_arch() == AUDIT_ARCH_X86_64 ? c->x86_64 : c->arm64;

		if (n < 0 || n >= FACTS_SYSCALLS || (c->until && major >= c->until))
			continue;
		if (c->capability != NONE && !(cap_bounding >> c->capability & 1))
			continue;
		uint64_t bit = 1ULL << n % 64, *allows = &ret->allows[n / 64];
		ret->allowed += !(*allows & bit);
		*allows |= bit;
		if (c->how == ALWAYS)
			ret->always[n / 64] |= bit;
	}
}
