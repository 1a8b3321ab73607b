/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* fd.bpf.c - calls that take a descriptor: the file, socket or namespace that it stands for. */
#include "agent/bpf/sock.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline s32 descriptor(const struct call_state *s, u32 call)
{
	if (call != CALL_DUP && call != CALL_DUP2 && call != CALL_DUP3)
		return s->arg[0];
	return s->ret >= 0 && !s->uring ? s->ret : -1;
}

/* CLONE_NEW*: of a file of /proc/PID/ns its own; a process's descriptor stands for those asked for. */
static __always_inline u32 namespace_type(const struct call_state *s, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct ns_common *ns = BPF_CORE_READ(inode, i_private);

	if (BPF_CORE_READ(inode, i_sb, s_magic) != NSFS_MAGIC)
		return s->arg[1];
	if (bpf_core_field_exists(ns->ns_type))
		return BPF_CORE_READ(ns, ns_type);
	return BPF_CORE_READ((struct ns_common___v6 *)ns, ops, type);
}

int family_fd(u32 call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *s = call_state();
	struct scratch *sc = scratch_of(SLOT_CALL);

	if (!s || !sc || !filter_process(s->rows, task))
		return 0;
	struct record_call *r = (void *)sc->data;
	s32 fd = descriptor(s, call);
	struct file *file = fd_file(task, fd);
	u64 at = fill_call(sc, SLOT_CALL, s, task);
	r->fd = fd;
	if (file) {
		struct sock *sk = file_sock(file);

		put_file(r, file);
		if (call == CALL_SETNS)
			r->target_ns_type = namespace_type(s, file);
		if (sk) {
			struct ends e = { 0 };

			read_ends(&e, sk);
			put_ends(r, &e);
			if (e.family == FAMILY_UNIX)
				at = add_unix(sc, at, sk);
		} else {
			at = add_resolved(sc, at, TEXT_PATH, &file->f_path, RECORD_PATH_TRUNCATED);
		}
	}
	emit_call(sc, call, at);
	return 0;
}
