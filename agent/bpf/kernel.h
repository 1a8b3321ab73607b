/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* kernel.h - the kernel's structures, only the fields we read. Offsets are the running kernel's
 * (CO-RE); a name ending in ___x is an older or newer shape of the structure before it. */
#pragma once
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
/* after bpf_helpers.h */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* anything whose first field is a pointer */
struct llist_node {
	struct llist_node *next;
};

/* files */
struct qstr {
	u64 hash_len;
	u32 len;
	const unsigned char *name;
};
struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};
struct dentry {
	struct hlist_bl_node d_hash; /* pprev is NULL once unlinked */
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct mnt_namespace;
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags;
	void *private_data;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct user_namespace;
struct super_block {
	u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct user_namespace *s_user_ns; /* where it was mounted */
};
typedef struct {
	u32 val;
} kuid_t;
struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
};
struct inode { /* times: since 6.11 */
	u16 i_mode;
	kuid_t i_uid, i_gid;
	u32 i_flags;
	struct super_block *i_sb;
	unsigned long i_ino;
	void *i_private;
	__s64 i_mtime_sec, i_ctime_sec;
	u32 i_mtime_nsec, i_ctime_nsec;
};
struct inode___v6_7 { /* 6.7 .. 6.10; 6.6 has only the first */
	struct timespec64 __i_ctime, __i_mtime;
};
struct inode___v5 { /* .. 6.5; 6.6 has only i_mtime */
	struct timespec64 i_ctime, i_mtime;
};
struct ovl_inode { /* in the kernel's own BTF only where overlayfs is built in */
	struct inode vfs_inode;
	struct dentry *__upperdentry;
};

/* cgroups */
struct kernfs_node { /* since 6.15 */
	struct kernfs_node *__parent;
	const char *name;
	u64 id;
};
struct kernfs_node___v5 {
	struct kernfs_node *parent;
};
struct cgroup_root;
struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
};
struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
};
/* The numbers differ from kernel to kernel: relocated, never taken from here. */
enum cgroup_subsys_id { cpu_cgrp_id = 1, memory_cgrp_id = 2, pids_cgrp_id = 3 };

/* namespaces and process ids */
struct ns_common {
	u32 inum;
	u32 ns_type; /* CLONE_NEW*, since 6.18 */
};
struct proc_ns_operations___v6 {
	int type;
};
struct ns_common___v6 { /* .. 6.17 */
	const struct proc_ns_operations___v6 *ops;
};
struct uts_namespace {
	struct ns_common ns;
};
struct ipc_namespace {
	struct ns_common ns;
};
struct mnt_namespace {
	struct ns_common ns;
};
struct pid_namespace {
	struct ns_common ns;
};
struct cgroup_namespace {
	struct ns_common ns;
};
struct user_namespace {
	int level;
	struct ns_common ns;
};
struct net {
	struct ns_common ns;
};
struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct cgroup_namespace *cgroup_ns;
};
struct upid {
	int nr;
	struct pid_namespace *ns;
};
struct pid {
	unsigned int level;
	struct upid numbers[1];
};

/* tasks */
typedef struct {
	u64 val; /* before 6.3 two u32, low half first: the same bytes */
} kernel_cap_t;
struct cred {
	kuid_t uid, gid, euid, egid, fsuid, fsgid;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective;
	struct user_namespace *user_ns;
};
struct tty_driver {
	int major, minor_start;
};
struct tty_struct {
	int index;
	struct tty_driver *driver;
};
typedef struct {
	int counter;
} atomic_t;
enum { PIDTYPE_PGID = 2, PIDTYPE_SID = 3 }; /* so since 4.19 */
struct signal_struct {
	atomic_t live;
	int nr_threads;
	int group_exit_code;
	unsigned int flags;
	struct pid *pids[4];
	struct tty_struct *tty;
};
struct fs_struct {
	struct path root, pwd;
};
struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
};
struct thread_info {
	u32 status; /* x86 */
};
struct task_struct {
	struct thread_info thread_info;
	struct files_struct *files;
	struct mm_struct *mm;
	unsigned int flags;
	int exit_code;
	int pid, tgid;
	struct task_struct *real_parent, *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	kuid_t loginuid; /* only with CONFIG_AUDIT */
	struct css_set *cgroups;
};
struct linux_binprm {
	struct file *file;
};

/* registers at a system call */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long bp, bx, r10, r9, r8, cx, dx, si, di, orig_ax;
};
#else
struct user_pt_regs {
	u64 regs[31];
};
struct pt_regs {
	struct user_pt_regs user_regs;
	u64 orig_x0;
	s32 syscallno;
};
#endif

/* sockets */
struct in6_addr { /* 16 bytes, read whole: never by a field of it */
	u64 unused[2];
};
struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num; /* the first in network order */
	u16 skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr; /* only with CONFIG_IPV6 */
};
struct sock {
	struct sock_common __sk_common;
	u16 sk_type, sk_protocol;
};
struct socket {
	struct sock *sk;
};
struct sockaddr_un {
	u16 sun_family;
	char sun_path[108];
};
struct unix_address {
	int len; /* of its name */
	struct sockaddr_un name[1];
};
struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct path path;
	struct sock *peer;
};

/* io_uring; the requests' own parts stand at io_kiocb.cmd (6.0) */
struct filename {
	const char *name;
};
struct open_how {
	u64 flags;
};
struct io_open {
	int dfd;
	u32 file_slot;
	struct filename *filename;
	struct open_how how;
};
struct io_connect {
	void *addr;
	int addr_len;
};
struct io_listen {
	int backlog;
};
struct io_socket {
	int domain, type, protocol;
};
struct io_accept {
	int flags;
	u32 file_slot;
};
struct io_rename {
	int old_dfd, new_dfd;
	struct filename *oldpath, *newpath;
	int flags;
};
struct io_unlink {
	int dfd, flags;
	struct filename *filename;
};
struct io_mkdir {
	int dfd;
	u16 mode;
	struct filename *filename;
};
struct io_link { /* of symbolic ones new_dfd only */
	int old_dfd, new_dfd;
	struct filename *oldpath, *newpath;
	int flags;
};
struct io_cmd_data {
	u8 data[1];
};
struct io_cqe {
	int fd;
};
struct io_submit_state {
	unsigned short submit_nr; /* entries of one submission */
};
struct io_ring_ctx {
	unsigned int flags; /* IORING_SETUP_* */
	struct io_submit_state submit_state;
};
struct io_kiocb {
	struct io_cmd_data cmd;
	struct io_ring_ctx *ctx;
	u8 opcode;
	u64 flags; /* 32 bits before 6.8; the lower ones are the same */
	struct io_cqe cqe;
};
struct io_uring_cqe {
	s32 res;
};

/* iterators */
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* 6.2: a pointer whose type the verifier takes our word for. A load through it is a load, where the
 * helper costs a call; it yields 0 when it faults. */
void *bpf_rdonly_cast(const void *p, u32 type) __ksym __weak;
#define HAS_CAST (bpf_rdonly_cast != 0)
#define CAST(type, p) \
	((struct type *)bpf_rdonly_cast((void *)(p), bpf_core_type_id_kernel(struct type)))
