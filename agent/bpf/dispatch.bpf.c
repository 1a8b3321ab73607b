/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* dispatch.bpf.c - every system call as it ends, in one program.
 *
 * sys_exit, as a BTF tracepoint (5.5). The arguments still stand in the registers, the result is
 * known, and what the call opened or bound is there to be read. It sees 32-bit calls too; what
 * nobody wants leaves after one look into a table. */
#include "agent/bpf/entry.h"

char LICENSE[] SEC("license") = "GPL";

enum { IS_COMPAT = 2 /* TS_COMPAT */ };

static __always_inline bool is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	/* int 0x80 from a 64-bit process is a 32-bit call, so that the code segment says nothing.
	 */
	return task->thread_info.status & IS_COMPAT;
#else
	return false;
#endif
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	u64 nr = CALL_NUMBER(regs);
	struct task_struct *task;
	struct call_state *s;
	u32 call;
	bool compat;

	if (nr >= CALL_NUMBER_MAX || (call_of[0][nr] & call_of[1][nr]) == UNWANTED)
		return 0;
	task = bpf_get_current_task_btf();
	compat = is_compat(task);
	call = call_of[compat][nr];
	if (call == UNWANTED)
		return 0;
	s = call_state();
	if (!s)
		return 0;
	entry_fill(s, regs, ret, compat);
	if (compat && nr == NR_SOCKETCALL) {
		call = undo_socketcall(s);
		if (call == UNWANTED)
			return 0;
	}
	call_run(s, call);
	return 0;
}
