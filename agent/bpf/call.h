/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* call.h - a system call that ended, between the entry that saw it and the family that records it.
 *
 * The entry (dispatch, fexit, per-call) fills a struct call_state in the scratch of its CPU and calls
 * family_X(); the family asks the filter with what it alone knows, and makes the record. */
#pragma once
#include "agent/bpf/emit.h"
#include "agent/calls.h"

struct call_state {
	s64 ret;
	u64 arg[6]; /* widened; socketcall undone */
	u64 rows;   /* of the filter, that call and outcome left over; not 0 */
	u32 call;   /* enum call */
	bool compat, uring;
};

/* One per CPU: tracepoints don't nest on one, see scratches. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, u32);
	__type(value, struct call_state);
	__uint(max_entries, 1);
} call_states SEC(".maps") __weak;

static __always_inline struct call_state *call_state(void)
{
	u32 first = 0;

	return bpf_map_lookup_elem(&call_states, &first);
}

/* Each returns 0. */
int family_open(u32 call);
int family_sock(u32 call);
int family_fd(u32 call);
int family_path(u32 call);
int family_paths(u32 call);
int family_plain(u32 call);
