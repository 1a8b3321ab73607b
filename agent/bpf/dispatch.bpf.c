/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* dispatch.bpf.c - every system call as it ends, in one program.
 *
 * sys_exit, as a BTF tracepoint (5.5). The arguments still stand in the registers, the result is known, and
 * what the call opened or bound is there to be read. It sees 32-bit calls too; what nobody wants leaves
 * after one look into a table. */
#include "agent/bpf/call.h"

char LICENSE[] SEC("license") = "GPL";

enum { UNWANTED = 0xff, IS_COMPAT = 2 /* TS_COMPAT */, NR_SOCKETCALL = 102 };

/* Loader, from calls.def and the filter. [1]: 32-bit calls */
const volatile __u8 call_of[2][CALL_NUMBER_MAX] __weak = {};
/* By the number of socketcall(2). */
const volatile __u8 call_of_socketcall[32] __weak = {};
const volatile __u8 socketcall_bytes[32] __weak = { 0,  12, 12, 12, 8,  12, 12, 12, 16, 16, 16,
					 24, 24, 8,  20, 20, 12, 12, 16, 20, 16 };

static __always_inline bool is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	/* int 0x80 from a 64-bit process is a 32-bit call, so that the code segment says nothing. */
	return task->thread_info.status & IS_COMPAT;
#else
	return false;
#endif
}

#if defined(__TARGET_ARCH_x86)
static __always_inline void read_arguments(struct call_state *s, struct pt_regs *regs)
{
	s->arg[0] = s->compat ? (u32)regs->bx : regs->di;
	s->arg[1] = s->compat ? (u32)regs->cx : regs->si;
	s->arg[2] = s->compat ? (u32)regs->dx : regs->dx;
	s->arg[3] = s->compat ? (u32)regs->si : regs->r10;
	s->arg[4] = s->compat ? (u32)regs->di : regs->r8;
	s->arg[5] = s->compat ? (u32)regs->bp : regs->r9;
}
#define CALL_NUMBER(regs) ((u64)(regs)->orig_ax)
#else
static __always_inline void read_arguments(struct call_state *s, struct pt_regs *regs)
{
	s->arg[0] = regs->orig_x0;
	s->arg[1] = regs->user_regs.regs[1];
	s->arg[2] = regs->user_regs.regs[2];
	s->arg[3] = regs->user_regs.regs[3];
	s->arg[4] = regs->user_regs.regs[4];
	s->arg[5] = regs->user_regs.regs[5];
}
#define CALL_NUMBER(regs) ((u64)(u32)(regs)->syscallno)
#endif

/* socketcall(2): its number and the address of its arguments, 32 bits each. */
static __always_inline u32 undo_socketcall(struct call_state *s)
{
	u32 nr = s->arg[0] & 31, a[8] = {};
	u64 n = socketcall_bytes[nr];

	KEEP(n);
	bpf_probe_read_user(a, n & 31, (const void *)s->arg[1]);
	s->arg[0] = a[0];
	s->arg[1] = a[1];
	s->arg[2] = a[2];
	s->arg[3] = a[3];
	s->arg[4] = a[4];
	s->arg[5] = a[5];
	return call_of_socketcall[nr];
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
	s->ret = compat ? (s32)ret : ret;
	s->compat = compat;
	s->uring = false;
	s->kernel_name = s->kernel_name2 = 0;
	read_arguments(s, regs);
	if (compat && nr == NR_SOCKETCALL) {
		call = undo_socketcall(s);
		if (call == UNWANTED)
			return 0;
	}
	call_run(s, call);
	return 0;
}
