/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* fork.bpf.c - a new process; threads are none.
 *
 * sched_process_fork (BTF tracepoint, 5.5): the child is complete, in its cgroup and namespaces, and
 * has not run yet. */
#include "agent/bpf/emit.h"

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if (child->pid != child->tgid)
		return 0;
	struct counters *c = counters_of(CLASS_PROCESS);
	struct scratch *s = scratch_of(SLOT_FORK);
	if (!c || !s)
		return 0;
	__sync_fetch_and_add(&c->seen, 1);

	u64 at = fill_process(s, SLOT_FORK, RECORD_FORK, sizeof(struct record), child);
	emit(&ring_process, CLASS_PROCESS, s, at, c);
	return 0;
}
