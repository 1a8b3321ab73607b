/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* exec.bpf.c - a program was started.
 *
 * sched_process_exec, as a BTF tracepoint (5.5): past the point of no return, for execve and
 * execveat alike, with the new credentials, memory and file in place, and no cost to any other
 * system call. */
#include "agent/bpf/emit.h"

char LICENSE[] SEC("license") = "GPL";

enum { SIGNAL_KILL = 9, KILL_NONE = ~0U };

/* Whether a row fulfils the record; what could not be read fulfils nothing. Global: judged by
 * itself, once. Its path stands at the start of the scratch's path. where: of its cgroup; 0: not
 * known. */
__weak __noinline u32 kill_holds(u32 key, u32 where)
{
	struct kill_row *row = bpf_map_lookup_elem(&kill_rows, &key);
	struct scratch *s = scratch_of(SLOT_EXEC);

	if (!row || !s)
		return 0;
	struct record *r = (void *)s->data;
	u64 *exe = (void *)s->path, *comm = (void *)r->comm, differs = 0;

	if (row->flags & ~r->flags)
		return 0;
	if (row->where && row->where != where)
		return 0;
	if (row->has_comm && (row->comm[0] != comm[0] || row->comm[1] != comm[1]))
		return 0;
	if (row->exe_bytes) {
		if (r->flags & RECORD_EXE_TRUNCATED || r->text_bytes[TEXT_EXE] < row->exe_bytes)
			return 0;
		if (row->exe_is_whole && r->text_bytes[TEXT_EXE] != row->exe_bytes)
			return 0;
#pragma clang loop unroll(full)
		for (int w = 0; w < KILL_EXE_WORDS; w++)
			differs |= (exe[w] ^ row->exe[w]) & row->exe_mask[w];
		if (differs)
			return 0;
	}
	return 1;
}

/* Which row of the filter wants this program killed. */
__weak __noinline u32 find_kill(u32 kills)
{
	struct scratch *s = scratch_of(SLOT_EXEC);
	u32 first = kills >> KILL_BANK_SHIFT ? KILL_ROWS_MAX : 0, count = kills & 0xff;

	if (!s)
		return KILL_NONE;
	struct record *r = (void *)s->data;
	u64 id = r->cgroup_id, from = sizeof(struct record_exec) + r->text_bytes[TEXT_CGROUP];
	u32 *known = bpf_map_lookup_elem(&cgroups, &id), where = known ? *known : 0;

	if (from > RECORD_MAX - 8 * KILL_EXE_WORDS)
		return KILL_NONE;
	/* To a place that compares word by word; what stands behind the path is not looked at. */
	if (bpf_probe_read_kernel(s->path, 8 * KILL_EXE_WORDS, s->data + from))
		return KILL_NONE;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < KILL_ROWS_MAX; i++) {
		u32 key = first + i;

		if (i >= count)
			break;
		if (!kill_holds(key, where))
			continue;
		struct kill_row *row = bpf_map_lookup_elem(&kill_rows, &key);
		return row ? row->index : KILL_NONE;
	}
	return KILL_NONE;
}

/* After the record: the process does not run one instruction of the new program. */
static __always_inline void kill_if_wanted(struct scratch *s, u64 size, struct counters *c)
{
	struct record_exec *e = (void *)s->data;
	u32 key = 0;
	struct reader *reader = bpf_map_lookup_elem(&readers, &key);

	if (!reader || !reader->kills || e->r.pid == 1)
		return;
	u32 index = find_kill(reader->kills);
	if (index == KILL_NONE || bpf_send_signal(SIGNAL_KILL))
		return;
	e->r.type = RECORD_KILL;
	e->extra = index;
	__sync_fetch_and_add(&c->seen, 1);
	emit(&ring_process, CLASS_PROCESS, s, size, c);
}

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
	at = add_user(s, at, TEXT_ARGS, mm->arg_start, mm->arg_end, TEXT_ARGS_MAX, &cut, c);
	if (cut)
		r->flags |= RECORD_ARGS_TRUNCATED;
	at = add_user(s, at, TEXT_ENV, mm->env_start, mm->env_end, TEXT_ENV_MAX, &cut, c);

	emit(&ring_process, CLASS_PROCESS, s, at, c);
	kill_if_wanted(s, at, c);
	return 0;
}
