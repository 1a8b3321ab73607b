/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* exit.bpf.c - the last thread of a process ended.
 *
 * sched_process_exit (BTF tracepoint, 5.5): the count of living threads has been lowered, the cgroup
 * and the namespaces are still there. */
#include "agent/bpf/emit.h"

char LICENSE[] SEC("license") = "GPL";

enum { SIGNAL_GROUP_EXIT = 4 };

/* Threads that end at the same moment all see live == 0. The first one of them tells; while there
 * was another thread it leaves a mark, and one that is alone by now looks for it. */
static __always_inline bool is_first(struct task_struct *task, struct signal_struct *signal)
{
	struct last_exit key = {
		.start_ns = task->group_leader->start_boottime,
		.tgid = task->tgid,
	};
	u8 one = 1;

	if (signal->nr_threads > 1)
		return !bpf_map_update_elem(&exited, &key, &one, BPF_NOEXIST);
	return !bpf_map_lookup_elem(&exited, &key);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	if (signal->live.counter || !is_first(task, signal))
		return 0;
	struct counters *c = counters_of(CLASS_PROCESS);
	struct scratch *s = scratch_of(SLOT_EXIT);
	if (!c || !s)
		return 0;
	__sync_fetch_and_add(&c->seen, 1);

	struct record_exit *e = (void *)s->data;
	u64 at = fill_process(s, SLOT_EXIT, RECORD_EXIT, sizeof(*e), task);
	/* What the parent's wait() will say, as wait_task_zombie() finds it. */
	e->status = signal->flags & SIGNAL_GROUP_EXIT ?
			    signal->group_exit_code :
			    task->group_leader->exit_code;
	emit(&ring_process, CLASS_PROCESS, s, at, c);
	return 0;
}
