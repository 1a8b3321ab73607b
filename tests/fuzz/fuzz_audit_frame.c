/* FUZZ_LINK: agent_audit_live
 * fuzz_audit_frame.c - what the audit's worker says, and what it is asked. */
#include <assert.h>
#include <stdint.h>

#include "agent/audit/live/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_from(data, size), body;
	enum frame_kind kind;
	struct question q;
	size_t n = 0;

	if (question_read(in, &q, NULL) >= 0)
		assert(q.subject.n && q.id.n && q.trigger.n);
	for (; frame_read(in, &kind, &body, &n, NULL) > 0; in = slice_sub(in, n, in.n))
		assert(n >= 5 && n <= in.n && body.n == n - 5 && (!body.n || body.p + body.n <= in.p + in.n));
	return 0;
}
