/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* read.h - from the kernel's structures into a record's fields. Nothing here fails: what can't be
 * read stays 0.
 *
 * Pointers whose type the verifier knows are followed directly: a load each, which yields 0 when it
 * faults. BPF_CORE_READ costs a call each (25 ns; an exec had a hundred) and is for the others. */
#pragma once
#include "agent/bpf/maps.h"

enum {
	COMPONENTS_MAX = 96, /* of a path, without bpf_loop; deeper ones are marked truncated */
	STEPS_MAX = 4096,    /* with it: components and mounts; the text ends before */
	CGROUP_DEPTH_MAX = 32,	/* named; of deeper ones the upper part */
	CGROUP_SKIP_MAX = 4096, /* levels below those */
	OVERLAYFS_MAGIC = 0x794c7630,
	SB_READ_ONLY = 1,
	INODE_IMMUTABLE = 8,
	IO_WORKER = 0x10, /* PF_IO_WORKER */
	CAP_DAC_OVERRIDE_BIT = 1 << 1,
};

/* Keeps the compiler from forgetting in one register what the verifier learnt in another. */
#define KEEP(v) asm volatile("" : "+r"(v))

static __always_inline struct scratch *scratch_of(u32 slot)
{
	u32 first = 0;

	if (slot == SLOT_SEED)
		return bpf_map_lookup_elem(&seed_scratch, &first);
	return bpf_map_lookup_elem(&scratches, &slot);
}

/* A path stands at path + TEXT_PATH_MAX - n, n bytes long. */
struct text {
	u16 n;
	bool truncated;
};

/* Puts one name and its slash before what is there. Returns the new start, 0 when there is no room. */
static __always_inline u64 path_prepend(struct scratch *s, u64 at, const void *name, u64 n)
{
	n &= 0xff;
	if (n + 1 >= at)
		return 0;
	at = (at - n - 1) & TEXT_PATH_MAX;
	s->path[at] = '/';
	/* Once more: comparing n + 1 makes 6.12's verifier forget how large n is at most. */
	KEEP(n);
	n &= 0xff;
	bpf_probe_read_kernel(&s->path[at + 1], n, name);
	return at;
}

/* Its length; "/" when no name was put. */
static __always_inline u64 path_text(struct scratch *s, u64 at)
{
	if (at == TEXT_PATH_MAX) {
		at--;
		s->path[TEXT_PATH_MAX - 1] = '/';
	}
	return TEXT_PATH_MAX - at;
}

enum { COPIES_NUMBER = 0xeffffff7U };
#define IS_ZERO(v) ((((v) | -(v)) >> 63) ^ 1) /* of a u64, without a jump */

/* A mount that stands nowhere: open_tree()'s copy, or one that was taken away while a descriptor still led
 * into it. Its own root is no name for it, or any folder could be one's "/". Namespaces without a
 * number are such copies'; since 6.18 they share one. */
static __always_inline bool is_detached(struct mount *mnt)
{
	struct mnt_namespace *ns = BPF_CORE_READ(mnt, mnt_ns);
	u32 number = BPF_CORE_READ(ns, ns.inum);

	return !number || number == COPIES_NUMBER;
}

/* WITH_BPF_LOOP (5.17), of the objects that need no older kernel: a loop whose body is judged once, where
 * a plain one is gone through turn by turn. Not to be asked for while loading: 5.10 refuses the address of
 * a function wherever it stands. */
#ifdef WITH_BPF_LOOP
struct walk {
	u64 dentry, root, mnt, at, is_cut;
	u32 slot;
};

/* One turn of walk_path. */
static long walk_step(u32 i, void *arg)
{
	struct walk *w = arg;
	struct scratch *s = scratch_of(w->slot);
	struct dentry *dentry = (void *)w->dentry;
	struct mount *mnt = (void *)w->mnt;
	u64 at = w->at;

	if (!s)
		return 1;
	if (w->dentry == w->root) {
		struct mount *up = BPF_CORE_READ(mnt, mnt_parent);

		if ((up == mnt || !up) && is_detached(mnt)) {
			w->root = 0; /* on to the root of its file system */
			return 0;
		}
		if (up == mnt || !up) {
			w->is_cut = 0;
			return 1;
		}
		w->dentry = (u64)BPF_CORE_READ(mnt, mnt_mountpoint);
		w->mnt = (u64)up;
		w->root = (u64)BPF_CORE_READ(up, mnt.mnt_root);
		return 0;
	}
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
	const void *name = BPF_CORE_READ(dentry, d_name.name);
	u64 n = BPF_CORE_READ(dentry, d_name.len) & 0xff;

	if (parent == dentry || !parent) {
		w->is_cut = 0;
		if (n >= at || (n == 1 && at < TEXT_PATH_MAX)) /* "/" has its slash already */
			return 1;
		at = (at - n) & TEXT_PATH_MAX;
		bpf_probe_read_kernel(&s->path[at], n, name);
		w->at = at;
		return 1;
	}
	at = path_prepend(s, at, name, n);
	if (!at)
		return 1;
	w->at = at;
	w->dentry = (u64)parent;
	return 0;
}

#endif

/* Dentry by dentry and mount by mount, up to the root of the mount namespace: a chroot does not
 * shorten it. bpf_d_path is not allowed in these programs. A global function, which the verifier
 * judges once and by itself: inlined twice, the loop's exits multiply past its limit. For the same
 * reason it takes numbers only and finds the scratch again. Returns the text packed. */
__weak __noinline u64 walk_path(u32 slot, u64 vfsmount, u64 leaf)
{
	struct scratch *s = scratch_of(slot);
	struct vfsmount *vfs = (void *)vfsmount;
	struct dentry *dentry = (void *)leaf;
	struct mount *mnt = (void *)vfs - bpf_core_field_offset(struct mount, mnt);
	struct dentry *root = BPF_CORE_READ(vfs, mnt_root);
	u64 at = TEXT_PATH_MAX, is_cut = 1;

	if (!s)
		return 0;
#ifdef WITH_BPF_LOOP
	struct walk w = {
		.dentry = leaf,
		.root = (u64)root,
		.mnt = (u64)mnt,
		.at = at,
		.is_cut = is_cut,
		.slot = slot,
	};

	bpf_loop(STEPS_MAX, walk_step, &w, 0);
	at = w.at & TEXT_PATH_MAX;
	is_cut = w.is_cut;
	(void)dentry;
#else
	/* As walk_step does, of the file's own mount only and without a fork, which the loop would double. */
	u64 up = (u64)BPF_CORE_READ(mnt, mnt_parent), number = BPF_CORE_READ(mnt, mnt_ns, ns.inum);
	u64 goes_on = IS_ZERO(up ^ (u64)mnt) & (IS_ZERO(number) | IS_ZERO(number ^ COPIES_NUMBER));
	u64 mask = goes_on - 1, from = (u64)root;

	KEEP(mask);
	root = (void *)(from & mask);
#pragma clang loop unroll(disable)
	for (int i = 0; i < COMPONENTS_MAX; i++) {
		if (dentry == root) {
			struct mount *up = BPF_CORE_READ(mnt, mnt_parent);

			if (up == mnt || !up) {
				is_cut = 0;
				break;
			}
			dentry = BPF_CORE_READ(mnt, mnt_mountpoint);
			mnt = up;
			root = BPF_CORE_READ(mnt, mnt.mnt_root);
			continue;
		}
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		const void *name = BPF_CORE_READ(dentry, d_name.name);
		u64 n = BPF_CORE_READ(dentry, d_name.len) & 0xff;

		if (parent == dentry || !parent) {
			/* Its own parent and no root of a mount: memfd and the like, "memfd:name". */
			is_cut = 0;
			if (n >= at || (n == 1 && at < TEXT_PATH_MAX))
				break;
			at = (at - n) & TEXT_PATH_MAX;
			bpf_probe_read_kernel(&s->path[at], n, name);
			break;
		}
		u64 next = path_prepend(s, at, name, n);
		if (!next)
			break;
		at = next;
		dentry = parent;
	}
#endif
	return path_text(s, at) | is_cut << 16;
}

static __always_inline struct text read_path(u32 slot, const struct path *path)
{
	u64 r = walk_path(slot, (u64)BPF_CORE_READ(path, mnt), (u64)BPF_CORE_READ(path, dentry));

	return (struct text){ .n = r & TEXT_PATH_MAX, .truncated = r >> 16 & 1 };
}

static __always_inline struct file *file_of(struct task_struct *task, u32 fd)
{
	struct fdtable *fdt = task->files->fdt;
	struct file *file = NULL;

	if (fd >= fdt->max_fds)
		return NULL;
	if (HAS_CAST)
		return (void *)CAST(llist_node, (u64)fdt->fd + fd * sizeof(file))->next;
	bpf_probe_read_kernel(&file, sizeof(file), (void *)((u64)fdt->fd + fd * sizeof(file)));
	return file;
}

static __always_inline struct text read_file_path(u32 slot, struct file *file)
{
	return read_path(slot, (void *)file + bpf_core_field_offset(struct file, f_path));
}

enum { FD_CWD = -100 };

/* What a relative name starts from: the directory of dirfd, or the working directory. */
static __always_inline struct text read_base(u32 slot, struct task_struct *task, u32 dirfd)
{
	struct file *file;

	if ((s32)dirfd == FD_CWD)
		return read_path(slot, &task->fs->pwd);
	file = file_of(task, dirfd);
	return file ? read_file_path(slot, file) : (struct text){ 0 };
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return BPF_CORE_READ((struct kernfs_node___v5 *)kn, parent);
}

#ifdef WITH_BPF_LOOP
static long cgroup_up(u32 i, void *arg)
{
	struct kernfs_node **kn = arg;

	*kn = kernfs_parent(*kn);
	return !*kn;
}
#endif

/* Whose it is stands at the upper end, and below its own cgroup a container may make as many as it
 * likes, with names as long: so it is the lower end that is left out. */
__weak __noinline u64 walk_cgroup(u32 slot, u64 leaf, u32 level)
{
	struct scratch *s = scratch_of(slot);
	struct kernfs_node *kn = (void *)leaf;
	u64 at = TEXT_PATH_MAX;

	if (!s)
		return 0;
#ifdef WITH_BPF_LOOP
	if (level > CGROUP_DEPTH_MAX) {
		u32 skip = level - CGROUP_DEPTH_MAX;

		bpf_loop(skip < CGROUP_SKIP_MAX ? skip : CGROUP_SKIP_MAX, cgroup_up, &kn, 0);
	}
#else
#pragma clang loop unroll(disable)
	for (u32 i = CGROUP_DEPTH_MAX; i < CGROUP_DEPTH_MAX + CGROUP_SKIP_MAX; i++) {
		if (i >= level)
			break;
		kn = kernfs_parent(kn);
	}
#endif
#pragma clang loop unroll(disable)
	for (int i = 0; i <= CGROUP_DEPTH_MAX; i++) {
		struct kernfs_node *parent = kernfs_parent(kn);
		char *name = &s->path[TEXT_PATH_MAX + 1];

		if (!parent)
			break;
		long n = bpf_probe_read_kernel_str(name, 256, BPF_CORE_READ(kn, name));
		if (n < 1)
			break;
		if (at < TEXT_PATH_MAX + 257 - TEXT_CGROUP_MAX)
			at = TEXT_PATH_MAX;
		u64 next = path_prepend(s, at, name, n - 1);
		if (!next)
			break;
		at = next;
		kn = parent;
	}
	return path_text(s, at);
}

#define V1_CGROUP(css, id)                                                                         \
	(bpf_core_enum_value_exists(enum cgroup_subsys_id, id) ?                                   \
		 v1_cgroup(css, bpf_core_enum_value(enum cgroup_subsys_id, id)) :                  \
		 NULL)

static __always_inline struct cgroup *v1_cgroup(struct css_set *css, u64 id)
{
	struct cgroup_subsys_state *state = NULL;
	void *at = (void *)css + bpf_core_field_offset(struct css_set, subsys) + id * sizeof(state);

	bpf_probe_read_kernel(&state, sizeof(state), at);
	struct cgroup *c = BPF_CORE_READ(state, cgroup);
	return BPF_CORE_READ(c, level) > 0 ? c : NULL;
}

/* Where controllers are in v1 hierarchies, engines put their containers there, and v2 is a free-for-all:
 * a container that may mount it can give itself any path in it. So v1 goes before v2 there. On a v2 host
 * the controllers' cgroups are of the v2 hierarchy too, and perhaps only an ancestor of the real one. */
static __always_inline struct cgroup *read_cgroup(struct task_struct *task)
{
	struct css_set *css = task->cgroups;
	struct cgroup *v2 = css->dfl_cgrp, *c;

	c = V1_CGROUP(css, pids_cgrp_id);
	if (!c)
		c = V1_CGROUP(css, memory_cgrp_id);
	if (!c)
		c = V1_CGROUP(css, cpu_cgrp_id);
	return c && BPF_CORE_READ(c, root) != v2->root ? c : v2;
}

/* new_encode_dev(): what stat(2) and Falco show. */
static __always_inline u32 encode_dev(u32 major, u32 minor)
{
	return (minor & 0xff) | (major << 8) | ((minor & ~0xffU) << 12);
}

static __always_inline u32 read_tty(struct signal_struct *signal)
{
	struct tty_struct *tty = signal->tty;

	if (!tty)
		return 0;
	return encode_dev(tty->driver->major, tty->driver->minor_start + tty->index);
}

/* io_uring's workers are threads of the process with names of their own, "iou-wrk-1". */
static __always_inline struct task_struct *name_holder(struct task_struct *task)
{
	return task->flags & IO_WORKER ? task->group_leader : task;
}

static __always_inline void read_ids(struct record *r, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct task_struct *parent = task->real_parent->group_leader, *named = name_holder(task);
	struct signal_struct *signal = task->signal;
	struct pid *pid = leader->thread_pid;
	struct upid own = { 0 };

	r->pid = task->tgid;
	r->tid = task->pid;
	r->ppid = parent->tgid;
	r->start_ns = leader->start_boottime;
	r->parent_start_ns = parent->start_boottime;
	BPF_CORE_READ_INTO(&r->comm, named, comm);
	BPF_CORE_READ_INTO(&r->parent_comm, parent, comm);
	r->tty = read_tty(signal);
	r->group_id = BPF_CORE_READ(signal, pids[PIDTYPE_PGID], numbers[0].nr);
	r->session_id = BPF_CORE_READ(signal, pids[PIDTYPE_SID], numbers[0].nr);
	/* The innermost of its numbers: struct upid is 16 bytes wherever there is BTF. */
	bpf_probe_read_kernel(&own, sizeof(own),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      (u64)BPF_CORE_READ(pid, level) * sizeof(own));
	r->vpid = own.nr;
	r->ns_pid = BPF_CORE_READ(own.ns, ns.inum);
}

static __always_inline void read_cred(struct record *r, struct task_struct *task)
{
	const struct cred *cred = task->cred;

	r->uid = cred->uid.val;
	r->gid = cred->gid.val;
	r->euid = cred->euid.val;
	r->egid = cred->egid.val;
	bpf_core_read(&r->cap_effective, sizeof(u64), &cred->cap_effective);
	bpf_core_read(&r->cap_permitted, sizeof(u64), &cred->cap_permitted);
	bpf_core_read(&r->cap_inheritable, sizeof(u64), &cred->cap_inheritable);
	r->ns_user = cred->user_ns->ns.inum;
	r->login_uid = -1;
	if (bpf_core_field_exists(task->loginuid))
		r->login_uid = task->loginuid.val;
}

static __always_inline void read_namespaces(struct record *r, struct task_struct *task)
{
	struct nsproxy *ns = task->nsproxy;

	r->ns_mnt = ns->mnt_ns->ns.inum;
	r->ns_net = ns->net_ns->ns.inum;
	r->ns_uts = ns->uts_ns->ns.inum;
	r->ns_ipc = ns->ipc_ns->ns.inum;
	r->ns_cgroup = ns->cgroup_ns->ns.inum;
}

static __always_inline u64 timespec_ns(struct timespec64 t)
{
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static __always_inline void read_times(struct record_exec *e, struct inode *inode)
{
	struct inode___v6_7 *v6_7 = (void *)inode;
	struct inode___v5 *v5 = (void *)inode;
	struct timespec64 c = { 0 }, m = { 0 };

	if (bpf_core_field_exists(inode->i_ctime_sec)) {
		c.tv_sec = inode->i_ctime_sec;
		/* the top bit says that somebody looked (6.13) */
		c.tv_nsec = inode->i_ctime_nsec & ~(1U << 31);
	} else if (bpf_core_field_exists(v6_7->__i_ctime)) {
		bpf_core_read(&c, sizeof(c), &v6_7->__i_ctime);
	} else {
		bpf_core_read(&c, sizeof(c), &v5->i_ctime);
	}
	if (bpf_core_field_exists(inode->i_mtime_sec)) {
		m.tv_sec = inode->i_mtime_sec;
		m.tv_nsec = inode->i_mtime_nsec;
	} else if (bpf_core_field_exists(v6_7->__i_mtime)) {
		bpf_core_read(&m, sizeof(m), &v6_7->__i_mtime);
	} else {
		bpf_core_read(&m, sizeof(m), &v5->i_mtime);
	}
	e->exe_ctime_ns = timespec_ns(c);
	e->exe_mtime_ns = timespec_ns(m);
}

/* The overlay's own inode ends with the upper dentry; where overlayfs is a module, its layout is
 * not in the kernel's BTF, but that pointer has always stood right behind struct inode. */
static __always_inline u16 read_layer(struct inode *inode)
{
	struct dentry *upper = NULL;
	u64 offset = bpf_core_type_size(struct inode);

	if (bpf_core_type_exists(struct ovl_inode))
		offset = bpf_core_field_offset(struct ovl_inode, __upperdentry) -
			 bpf_core_field_offset(struct ovl_inode, vfs_inode);
	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)inode + offset);
	return upper ? RECORD_EXE_UPPER : RECORD_EXE_LOWER;
}

/* inode_permission(MAY_WRITE), nearly: no access lists, no supplementary groups, and a capability
 * counts in the initial user namespace only. */
static __always_inline bool may_write(struct inode *inode, struct super_block *sb,
				      struct task_struct *task)
{
	const struct cred *cred = task->cred;
	u64 caps = 0;
	u16 mode = inode->i_mode;

	if (sb->s_flags & SB_READ_ONLY ||
	    inode->i_flags & INODE_IMMUTABLE)
		return false;
	bpf_core_read(&caps, sizeof(caps), &cred->cap_effective);
	if (caps & CAP_DAC_OVERRIDE_BIT && !cred->user_ns->level)
		return true;
	if (cred->fsuid.val == inode->i_uid.val)
		return mode & 0200;
	if (cred->fsgid.val == inode->i_gid.val)
		return mode & 0020;
	return mode & 0002;
}

static __always_inline void read_exe(struct record_exec *e, struct file *file,
				     struct task_struct *task)
{
	struct inode *inode = file->f_inode;
	struct dentry *dentry = file->f_path.dentry;
	struct super_block *sb = inode->i_sb;
	u32 dev = sb->s_dev;
	bool is_own_parent = dentry->d_parent == dentry;
	char name[8] = "";

	e->exe_inode = inode->i_ino;
	e->exe_dev = encode_dev(dev >> 20, dev & 0xfffff);
	e->extra = (u32)sb->s_magic;
	if (!sb->s_user_ns->level)
		e->r.flags |= RECORD_EXE_HOST_FS;
	read_times(e, inode);
	if (sb->s_magic == OVERLAYFS_MAGIC)
		e->r.flags |= read_layer(inode);
	if (may_write(inode, sb, task))
		e->r.flags |= RECORD_EXE_WRITABLE;
	if (is_own_parent) {
		bpf_probe_read_kernel_str(name, sizeof(name), dentry->d_name.name);
		if (name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' &&
		    name[4] == 'd' && name[5] == ':')
			e->r.flags |= RECORD_EXE_MEMFD;
	} else if (!dentry->d_hash.pprev) {
		e->r.flags |= RECORD_EXE_DELETED;
	}
}
