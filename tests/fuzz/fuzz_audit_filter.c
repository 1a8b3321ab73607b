/* FUZZ_LINK: agent_audit_facts
 * fuzz_audit_filter.c - classic BPF as a process has it: a byte says where the first of two programs ends. */
#include <assert.h>
#include <linux/filter.h>

#include "agent/audit/facts_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct facts_filter f = { 0 };
	size_t count = size ? (size - 1) / sizeof(struct sock_filter) : 0;
	struct sock_filter *v = malloc((count + 1) * sizeof(*v));
	unsigned bits = 0;

	if (!v)
		return 0;
	if (count)
		memcpy(v, data + 1, count * sizeof(*v));
	size_t first = size && data[0] < count ? data[0] : count;
	const struct facts_program p[2] = { { v, first }, { v + first, count - first } };
	if (facts_filter_evaluate(p, first < count ? 2 : 1, facts_native_arch(), &f, NULL) == 0) {
		for (size_t n = 0; n < FACTS_SYSCALLS / 64; n++) {
			assert(!(f.always[n] & ~f.allows[n]));
			bits += (unsigned)__builtin_popcountll(f.allows[n]);
		}
		assert(bits == f.allowed && f.is_read);
	}
	free(v);
	return 0;
}
