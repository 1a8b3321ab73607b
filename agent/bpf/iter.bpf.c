/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* iter.bpf.c - every process that runs already, written as records to the iterator's descriptor.
 *
 * iter/task (5.8) has all but the arguments, which are in the memory of another process; the
 * sleepable one (5.18) reads those too. An object of its own: it is loaded once and let go. */
#include "agent/bpf/emit.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline u64 fill_seed(struct scratch *s, struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	struct file *file = mm ? mm->exe_file : NULL;
	u64 at = fill_process(s, SLOT_SEED, RECORD_TASK, sizeof(struct record_exec), task);

	return fill_files(s, SLOT_SEED, at, file, task);
}

static __always_inline void write_seed(struct seq_file *seq, struct scratch *s, u64 size)
{
	struct record *r = (void *)s->data;

	KEEP(size);
	if (size > RECORD_MAX)
		size = RECORD_MAX;
	r->size = size;
	bpf_seq_write(seq, s->data, size);
}

SEC("iter/task")
int seed_plain(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct scratch *s = scratch_of(SLOT_SEED);

	if (!task || !s || task->pid != task->tgid)
		return 0;
	write_seed(seq, s, fill_seed(s, task));
	return 0;
}

SEC("iter.s/task")
int seed_args(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct scratch *s = scratch_of(SLOT_SEED);

	if (!task || !s || task->pid != task->tgid)
		return 0;
	u64 at = fill_seed(s, task);
	u64 from = task->mm->arg_start;
	u64 n = task->mm->arg_end - from;
	struct record *r = (void *)s->data;

	if (n > TEXT_ARGS_MAX) {
		n = TEXT_ARGS_MAX;
		r->flags |= RECORD_ARGS_TRUNCATED;
	}
	KEEP(n);
	n &= TEXT_ARGS_MAX;
	if (from && n && has_room(&at, TEXT_ARGS_MAX) &&
	    !bpf_copy_from_user_task(s->data + at, n, (const void *)from, task, 0)) {
		r->text_bytes[TEXT_ARGS] = n;
		at += n;
	}
	write_seed(seq, s, at);
	return 0;
}
