/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* fexit.bpf.c - the end of each wanted system call's own function: other calls pay nothing.
 *
 * Where the kernel has trampolines and gives a program the cookie it was attached with (5.19). One
 * program, loaded once for each function; agent/probe does that with its instructions, so that the
 * families, which are long, are loaded once each and jumped to. They can be preempted, hence the
 * claim. */
#include "agent/bpf/entry.h"

char LICENSE[] SEC("license") = "GPL";

enum { COOKIE_COMPAT = 1 << 8, COOKIE_SOCKETCALL = 1 << 9 };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__type(key, u32);
	__type(value, u32);
	__uint(max_entries, FAMILY_COUNT);
} family_programs SEC(".maps") __weak;

SEC("fexit")
int BPF_PROG(on_fexit, struct pt_regs *regs, long ret)
{
	u64 cookie = bpf_get_attach_cookie(ctx);
	struct call_state *s = call_claim();
	u32 call = cookie & 0xff;

	if (!s)
		return 0;
	entry_fill(s, regs, ret, cookie & COOKIE_COMPAT);
	if (cookie & COOKIE_SOCKETCALL)
		call = undo_socketcall(s);
	if (call != UNWANTED && call_start(s, call))
		bpf_tail_call(ctx, &family_programs, call_families[call & (CALLS_MAX - 1)]);
	call_release(s);
	return 0;
}

#define FAMILY(name)                                                  \
	SEC("fexit")                                                  \
	int BPF_PROG(on_fexit_##name, struct pt_regs *regs, long ret) \
	{                                                             \
		struct call_state *s = call_state();                  \
                                                                      \
		if (!s)                                               \
			return 0;                                     \
		family_##name(s->call);                               \
		call_release(s);                                      \
		return 0;                                             \
	}
FAMILY(open)
FAMILY(sock)
FAMILY(fd)
FAMILY(path)
FAMILY(paths)
FAMILY(plain)
