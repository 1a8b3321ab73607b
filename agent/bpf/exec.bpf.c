/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* exec.bpf.c - a program was started.
 *
 * sched_process_exec, as a BTF tracepoint (5.5): past the point of no return, for execve and execveat
 * alike, with the new credentials, memory and file in place, and no cost to any other system call. */
#include "agent/bpf/emit.h"

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct counters *c = counters_of(CLASS_PROCESS);
	struct scratch *s = scratch_of(SLOT_EXEC);
	if (!c || !s)
		return 0;
	__sync_fetch_and_add(&c->seen, 1);

	struct record *r = (void *)s->data;
	struct mm_struct *mm = task->mm;
	bool cut;
	u64 at = fill_process(s, SLOT_EXEC, RECORD_EXEC, sizeof(struct record_exec), task);
	at = fill_files(s, SLOT_EXEC, at, bprm->file, task);
	at = add_user(s, at, TEXT_ARGS, mm->arg_start, mm->arg_end,
		      TEXT_ARGS_MAX, &cut, c);
	if (cut)
		r->flags |= RECORD_ARGS_TRUNCATED;
	at = add_user(s, at, TEXT_ENV, mm->env_start, mm->env_end,
		      TEXT_ENV_MAX, &cut, c);

	emit(&ring_process, CLASS_PROCESS, s, at, c);
	return 0;
}
