/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* open.bpf.c - a file was opened, or was not.
 *
 * The file of the new descriptor says which it really is; the name as it was given is only told
 * beside it. Most opens are of files that no rule names: they leave after a look into a cache. */
#include "agent/bpf/call.h"

char LICENSE[] SEC("license") = "GPL";

enum {
	SEEN_BITS = 9,
	SEEN_COUNT = 1 << SEEN_BITS,
	SEEN_JIFFIES = 250,	     /* 0.25 .. 2.5 s */
	O_CREATE = 0100 | 01000 | 1, /* creat(2): O_CREAT | O_TRUNC | O_WRONLY */
	ACCESS_MASK = 3,
};

/* What the filter said about a name. dentry, mnt, parent and name are what it stands for; a
 * directory above it that moves is found by path_epoch, or by age where another's call moved it
 * unseen. */
struct path_seen {
	u64 dentry, mnt, parent, hash_len, epoch, born, rows, unused;
};
struct path_cache {
	struct path_seen seen[SEEN_COUNT];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, u32);
	__type(value, struct path_cache);
	__uint(max_entries, 1);
} path_caches SEC(".maps") __weak;

MATCH_FUNCTION(match_path, path_grams)
MATCH_FUNCTION(match_raw, raw_grams)

struct name {
	u64 mnt, dentry, parent, hash_len;
};

static __always_inline void read_name(struct name *n, u64 file)
{
	if (HAS_CAST) {
		struct file *f = CAST(file, file);
		struct dentry *d = f->f_path.dentry;

		n->mnt = (u64)f->f_path.mnt;
		n->dentry = (u64)d;
		n->parent = (u64)d->d_parent;
		n->hash_len = d->d_name.hash_len;
	} else {
		struct file *f = (void *)file;
		struct dentry *d = BPF_CORE_READ(f, f_path.dentry);

		n->mnt = (u64)BPF_CORE_READ(f, f_path.mnt);
		n->dentry = (u64)d;
		n->parent = (u64)BPF_CORE_READ(d, d_parent);
		n->hash_len = BPF_CORE_READ(d, d_name.hash_len);
	}
}

static __always_inline u64 match_file(u64 file)
{
	struct name now;
	u32 first = 0;
	struct path_cache *cache = bpf_map_lookup_elem(&path_caches, &first);

	if (!cache)
		return ~0ULL;
	read_name(&now, file);
	/* By the lowest or highest bits of the hash four to seven of sixteen names alike met in one place. */
	struct path_seen *p =
		&cache->seen[now.hash_len * 0x9e3779b97f4a7c15ULL >> (64 - SEEN_BITS)];
	u64 jiffies = bpf_jiffies64(), epoch = path_epoch;

	if (p->dentry == now.dentry && p->mnt == now.mnt && p->parent == now.parent &&
	    p->hash_len == now.hash_len && p->epoch == epoch && jiffies - p->born < SEEN_JIFFIES)
		return p->rows;
	p->dentry = now.dentry;
	p->mnt = now.mnt;
	/* From there they are numbers, as a global function wants them, and no pointers any more.
	 */
	u64 text = walk_path(SLOT_CALL, *(volatile u64 *)&p->mnt, *(volatile u64 *)&p->dentry);
	u32 n = text & TEXT_PATH_MAX;
	/* Cut: its upper end is missing, so that nothing can be said. */
	u64 rows = text >> 16 & 1 ? ~0ULL : match_path(SLOT_CALL, TEXT_PATH_MAX - n, n);
	p->parent = now.parent;
	p->hash_len = now.hash_len;
	p->epoch = epoch;
	p->born = jiffies;
	p->rows = rows;
	return rows;
}

static __always_inline u64 match_text(const struct call_state *s, u64 name)
{
	struct scratch *sc = scratch_of(SLOT_CALL);

	if (!sc)
		return ~0ULL;
	long n = bpf_probe_read_user_str(sc->path, TEXT_PATH_MAX + 1, (const void *)name);
	if (n <= 1)
		return ~0ULL;
	return match_raw(SLOT_CALL, 0, n - 1);
}

static __always_inline u64 open_flags(const struct call_state *s)
{
	u64 flags = 0;

	switch (s->call) {
	case CALL_OPEN:
		return s->arg[1];
	case CALL_CREAT:
		return O_CREATE;
	case CALL_OPENAT2:
		if (s->uring)
			return s->arg[2];
		bpf_probe_read_user(&flags, sizeof(flags), (const void *)s->arg[2]);
		return flags;
	default:
		return s->arg[2];
	}
}

static __always_inline u64 open_name(const struct call_state *s)
{
	switch (s->call) {
	case CALL_OPEN:
	case CALL_CREAT:
		return s->arg[0];
	case CALL_OPEN_BY_HANDLE_AT:
		return 0;
	default:
		return s->arg[1];
	}
}

static __always_inline u32 open_dir(const struct call_state *s)
{
	return s->call == CALL_OPEN || s->call == CALL_CREAT ? FD_CWD : s->arg[0];
}

static __always_inline u64 add_file(struct scratch *sc, u64 at, struct file *file)
{
	struct record_call *r = (void *)sc->data;
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	u32 dev = BPF_CORE_READ(sb, s_dev);
	struct text t;

	r->file_mode = BPF_CORE_READ(inode, i_mode);
	r->file_inode = BPF_CORE_READ(inode, i_ino);
	r->file_dev = encode_dev(dev >> 20, dev & 0xfffff);
	if (BPF_CORE_READ(sb, s_magic) == OVERLAYFS_MAGIC)
		r->r.flags |= read_layer(inode);
	t = read_file_path(SLOT_CALL, file);
	if (t.truncated)
		r->r.flags |= RECORD_PATH_TRUNCATED;
	return add_path(sc, at, TEXT_PATH, t.n);
}

/* Its own function: what a record needs is long, and most opens end before it. */
__weak __noinline int record_open(u64 flags, u32 has_file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *sc = scratch_of(SLOT_CALL);
	struct call_state *s = call_state();
	bool cut = false;
	char first = 0;

	if (!sc || !s)
		return 0;
	struct record_call *r = (void *)sc->data;
	struct file *file = has_file ? file_of(task, s->ret) : NULL;
	u64 name = open_name(s);
	u64 at = fill_call(sc, SLOT_CALL, s, task);

	r->file_flags = flags;
	if (file)
		r->fd = s->ret;
	if (file)
		at = add_file(sc, at, file);
	if (s->kernel_name)
		bpf_probe_read_kernel(&first, 1, (const void *)s->kernel_name);
	else if (name)
		bpf_probe_read_user(&first, 1, (const void *)name);
	if (!file && first && first != '/') {
		struct text t = read_base(SLOT_CALL, task, open_dir(s));

		at = add_path(sc, at, TEXT_BASE, t.n);
	}
	if (s->kernel_name)
		at = add_kernel_text(sc, at, TEXT_RAW, s->kernel_name);
	else
		at = add_user_text(sc, at, TEXT_RAW, name, &cut);
	if (cut)
		r->r.flags |= RECORD_RAW_TRUNCATED;
	emit_call(sc, s->call, at);
	return 0;
}

__noinline int family_open(u32 call)
{
	struct call_state *s = call_state();

	if (!s)
		return 0;
	struct task_struct *task = bpf_get_current_task_btf();
	u64 flags = open_flags(s), rows;
	struct file *file = NULL;

	/* Another thread may have changed the caller's struct since; not what was opened. */
	if (s->call == CALL_OPENAT2 && !s->uring && !call_failed(s->ret)) {
		file = file_of(task, s->ret);
		if (file)
			flags = (flags & ~(u64)ACCESS_MASK) | (BPF_CORE_READ(file, f_flags) & ACCESS_MASK);
	}
	rows = s->rows & access_rows[flags & ACCESS_MASK];
	if (!rows)
		return 0;
	if (call_failed(s->ret)) {
		if (rows & ~raw_grams.all)
			rows &= match_text(s, open_name(s));
	} else {
		file = s->kernel_name ? NULL : file_of(task, s->ret);
		if (file && rows & ~path_grams.all)
			rows &= match_file((u64)file);
		/* Every program that starts opens something in /etc; few by a name with "../". */
		if (rows & raw_binds && !s->kernel_name)
			rows &= match_text(s, open_name(s)) | ~raw_binds;
	}
	if (!rows || !filter_process(rows, task))
		return 0;
	return record_open(flags, file != NULL);
}
