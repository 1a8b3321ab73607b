/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* entry.h - from the registers at the end of a system call to a struct call_state. */
#pragma once
#include "agent/bpf/call.h"

enum { UNWANTED = 0xff, NR_SOCKETCALL = 102 };

/* Loader, from calls.def and the filter. [1]: 32-bit calls */
const volatile __u8 call_of[2][CALL_NUMBER_MAX] __weak = {};
/* By the number of socketcall(2). */
const volatile __u8 call_of_socketcall[32] __weak = {};
const volatile __u8 socketcall_bytes[32] __weak = {0,  12, 12, 12, 8,  12, 12, 12, 16, 16, 16,
						   24, 24, 8,  20, 20, 12, 12, 16, 20, 16};

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
/* Since 5.14 the kernel looks at the lower half only, so what stands in the upper one is the
 * caller's. x32 has its bit and, of what rules ask for, mostly the numbers of x86-64. */
#define X32_BIT		  0x40000000
#define CALL_NUMBER(regs) ((u64)((u32)(regs)->orig_ax & ~X32_BIT))
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

static __always_inline void entry_fill(struct call_state *s, struct pt_regs *regs, long ret,
				       bool compat)
{
	s->ret = compat ? (s32)ret : ret;
	s->compat = compat;
	s->uring = false;
	s->kernel_name = s->kernel_name2 = 0;
	read_arguments(s, regs);
}
