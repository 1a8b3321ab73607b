/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* emit.h - fill a record in the scratch, append its texts, put exactly the used bytes into a ring. */
#pragma once
#include "agent/bpf/read.h"

static __always_inline struct counters *counters_of(u32 class)
{
	u32 key = bpf_get_smp_processor_id() * CLASS_COUNT + class;

	return bpf_map_lookup_elem(&counters, &key);
}

/* Where the next text goes, and how long the record is so far. */
static __always_inline bool has_room(u64 *at, u64 max)
{
	KEEP(*at);
	return *at <= RECORD_MAX - 1 - max;
}

static __always_inline u64 add_path(struct scratch *s, u64 at, u32 which, u64 n)
{
	struct record *r = (void *)s->data;
	u64 from = (TEXT_PATH_MAX - n) & TEXT_PATH_MAX;

	if (!has_room(&at, TEXT_PATH_MAX))
		return at;
	KEEP(n);
	n &= TEXT_PATH_MAX;
	/* The source is an address like any other to this helper: it may run past the path's end. */
	if (bpf_probe_read_kernel(s->data + at, n, s->path + from))
		return at;
	r->text_bytes[which] = n;
	return at + n;
}

/* max: 2^n - 1. from: an address of the current process. Sets *cut when there was more. */
static __always_inline u64 add_user(struct scratch *s, u64 at, u32 which, u64 from, u64 to, u64 max,
				    bool *cut, struct counters *c)
{
	struct record *r = (void *)s->data;
	u64 n = to - from;

	*cut = false;
	if (!from || to <= from)
		return at;
	if (n > max) {
		n = max;
		*cut = true;
	}
	if (!has_room(&at, max))
		return at;
	KEEP(n);
	n &= max;
	if (bpf_probe_read_user(s->data + at, n, (const void *)from)) {
		if (c)
			__sync_fetch_and_add(&c->faults, 1);
		return at;
	}
	r->text_bytes[which] = n;
	return at + n;
}

/* A NUL-ended text of the current process. Sets *cut when there was more. */
static __always_inline u64 add_user_text(struct scratch *s, u64 at, u32 which, u64 from, bool *cut)
{
	struct record *r = (void *)s->data;

	*cut = false;
	if (!from || !has_room(&at, TEXT_PATH_MAX + 1))
		return at;
	KEEP(at);
	if (at > RECORD_MAX - TEXT_PATH_MAX - 2)
		return at;
	long n = bpf_probe_read_user_str(s->data + at, TEXT_PATH_MAX + 1, (const void *)from);
	if (n <= 1)
		return at;
	n--;
	/* A whole PATH_MAX less its NUL is as long as a path may be: what is longer never was opened. */
	*cut = n >= TEXT_PATH_MAX;
	n &= TEXT_PATH_MAX;
	r->text_bytes[which] = n;
	return at + n;
}

/* The same of the kernel's memory. */
static __always_inline u64 add_kernel_text(struct scratch *s, u64 at, u32 which, u64 from)
{
	struct record *r = (void *)s->data;

	if (!from || !has_room(&at, TEXT_PATH_MAX + 1))
		return at;
	KEEP(at);
	if (at > RECORD_MAX - TEXT_PATH_MAX - 2)
		return at;
	long n = bpf_probe_read_kernel_str(s->data + at, TEXT_PATH_MAX + 1, (const void *)from);
	if (n <= 1)
		return at;
	n = (n - 1) & TEXT_PATH_MAX;
	r->text_bytes[which] = n;
	return at + n;
}

/* What all types share. Returns where the texts go on. */
static __always_inline u64 fill_process(struct scratch *s, u32 slot, u8 type, u64 fixed_bytes,
					struct task_struct *task)
{
	struct record *r = (void *)s->data;

	__builtin_memset(s->data, 0, fixed_bytes);
	r->type = type;
	r->version = RECORD_VERSION;
	r->boot_ns = bpf_ktime_get_boot_ns();
	read_ids(r, task);
	read_cred(r, task);
	read_namespaces(r, task);

	struct cgroup *cgroup = read_cgroup(task);
	struct kernfs_node *kn = BPF_CORE_READ(cgroup, kn);
	r->cgroup_id = BPF_CORE_READ(kn, id);
	return add_path(s, fixed_bytes, TEXT_CGROUP, walk_cgroup(slot, (u64)kn, BPF_CORE_READ(cgroup, level)));
}

/* The resolved executable and the working directory. */
static __always_inline u64 fill_files(struct scratch *s, u32 slot, u64 at, struct file *file,
				      struct task_struct *task)
{
	struct record_exec *e = (void *)s->data;
	struct fs_struct *fs = task->fs;
	struct text t;

	if (file) {
		read_exe(e, file, task);
		t = read_path(slot, &file->f_path);
		if (t.truncated)
			e->r.flags |= RECORD_EXE_TRUNCATED;
		at = add_path(s, at, TEXT_EXE, t.n);
	}
	if (fs) {
		t = read_path(slot, &fs->pwd);
		if (t.truncated)
			e->r.flags |= RECORD_CWD_TRUNCATED;
		at = add_path(s, at, TEXT_CWD, t.n);
	}
	return at;
}

/* A wake-up per record costs an exec storm 45 %; a reader on a timer next to nothing. So a record
 * wakes when the ring runs full faster than the timer comes, or when it is the first after a quiet
 * time, in which the reader has no timer. */
static __always_inline u64 wake_flags(void *ring, u32 class)
{
	u32 key = 0;
	struct reader *reader = bpf_map_lookup_elem(&readers, &key);

	if (reader && reader->is_idle) {
		reader->is_idle = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > wake_bytes[class] ?
		       BPF_RB_FORCE_WAKEUP :
		       BPF_RB_NO_WAKEUP;
}

static __always_inline void emit(void *ring, u32 class, struct scratch *s, u64 size,
				 struct counters *c)
{
	struct record *r = (void *)s->data;
	u64 flags = wake_flags(ring, class);

	KEEP(size);
	if (size > RECORD_MAX)
		size = RECORD_MAX;
	r->size = size;
	if (bpf_ringbuf_output(ring, s->data, size, flags))
		__sync_fetch_and_add(&c->lost, 1);
	else
		__sync_fetch_and_add(&c->submitted, 1);
}
