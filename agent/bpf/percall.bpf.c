/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* percall.bpf.c - one program at the sys_exit_* tracepoint of each wanted call.
 *
 * Other calls pay less than with sys_exit, these more. 32-bit calls are not seen: the kernel leaves
 * them out there. bpf_task_pt_regs: 5.15. */
#include "agent/bpf/entry.h"

char LICENSE[] SEC("license") = "GPL";

struct exit_of_call {
	u64 common;
	s32 nr, unused;
	s64 ret;
};

SEC("tp")
int on_per_call(struct exit_of_call *ctx)
{
	u32 nr = ctx->nr;
	struct call_state *s = call_state();
	u32 call;

	if (!s || nr >= CALL_NUMBER_MAX)
		return 0;
	call = call_of[0][nr];
	if (call == UNWANTED)
		return 0;
	entry_fill(s, (void *)bpf_task_pt_regs(bpf_get_current_task_btf()), ctx->ret, false);
	call_run(s, call);
	return 0;
}
