/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* fd.h - from a descriptor to its file, and the texts that a call names files with. */
#pragma once
#include "agent/bpf/call.h"

enum {
	AT_CWD = -100,
	MODE_TYPE = 0170000,
	MODE_SOCKET = 0140000,
	SOCKFS_MAGIC = 0x534f434b,
	NSFS_MAGIC = 0x6e736673,
};

/* What stands in the caller's table now: another thread may have put another file there since. */
static __always_inline struct file *fd_file(struct task_struct *task, s32 fd)
{
	struct files_struct *files = task->files;
	struct file *file = NULL;

	if (!files || fd < 0)
		return NULL;
	struct fdtable *table = files->fdt;
	if (!table || (u32)fd >= table->max_fds)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), (void *)((u64)table->fd + (u64)fd * sizeof(file)));
	return file;
}

static __always_inline void put_file(struct record_call *r, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	u32 dev = BPF_CORE_READ(sb, s_dev);

	r->file_flags = BPF_CORE_READ(file, f_flags);
	r->file_mode = BPF_CORE_READ(inode, i_mode);
	r->file_inode = BPF_CORE_READ(inode, i_ino);
	r->file_dev = encode_dev(dev >> 20, dev & 0xfffff);
	if (BPF_CORE_READ(sb, s_magic) == OVERLAYFS_MAGIC)
		r->r.flags |= read_layer(inode);
}

/* truncated: what the record says when the upper end is missing. */
static __always_inline u64 add_resolved(struct scratch *s, u64 at, u32 which, const struct path *path,
					u16 truncated)
{
	struct record *r = (void *)s->data;
	struct text t = read_path(SLOT_CALL, path);

	if (t.truncated)
		r->flags |= truncated;
	return add_path(s, at, which, t.n);
}

static __always_inline void count_fault(u32 call)
{
	struct counters *c = counters_of(call_class[call & (CALLS_MAX - 1)] == CLASS_RARE ? CLASS_RARE :
												CLASS_VOLUME);

	if (c)
		__sync_fetch_and_add(&c->faults, 1);
}

/* A text as the caller gave it, at kernel (io_uring's copy) or else at user. */
struct given {
	u64 user, kernel;
};

static __always_inline u64 add_given(struct scratch *s, u64 at, u32 which, struct given g,
				     u16 truncated)
{
	struct record_call *r = (void *)s->data;
	char more = 0;
	long n;

	if (!(g.user | g.kernel) || !has_room(&at, TEXT_PATH_MAX))
		return at;
	if (g.kernel)
		n = bpf_probe_read_kernel_str(s->data + at, TEXT_PATH_MAX + 1, (void *)g.kernel);
	else
		n = bpf_probe_read_user_str(s->data + at, TEXT_PATH_MAX + 1, (void *)g.user);
	if (n < 1) {
		count_fault(r->call);
		return at;
	}
	n--;
	KEEP(n);
	n &= TEXT_PATH_MAX;
	if (n == TEXT_PATH_MAX && !g.kernel) {
		bpf_probe_read_user(&more, 1, (void *)(g.user + TEXT_PATH_MAX));
		if (more)
			r->r.flags |= truncated;
	}
	r->r.text_bytes[which] = n;
	return at + n;
}

/* Where a text that does not start with a slash counts from: the descriptor's path, or the working
 * directory. Nothing for an absolute one. */
static __always_inline u64 add_base(struct scratch *s, u64 at, u32 which, struct task_struct *task,
				    s32 dir, struct given g)
{
	struct fs_struct *fs = task->fs;
	struct file *file;
	char first = '/';

	if (g.kernel)
		bpf_probe_read_kernel(&first, 1, (void *)g.kernel);
	else if (bpf_probe_read_user(&first, 1, (void *)g.user))
		return at;
	if (first == '/' || !fs)
		return at;
	if (dir == AT_CWD)
		return add_resolved(s, at, which, &fs->pwd, RECORD_CWD_TRUNCATED);
	file = fd_file(task, dir);
	return file ? add_resolved(s, at, which, &file->f_path, RECORD_CWD_TRUNCATED) : at;
}
