/* event.h - one thing that happened on this host, as the rooms of the agent hand it on.
 *
 * The probe decodes the kernel's record into it; everything here was read at the event itself. All
 * slices are borrowed and live until the callback that got the event returns. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/calls.h"
#include "common/slice.h"

enum event_type {
	EV_NONE,
	EV_EXEC, /* a program was started: after the point of no return, sched_process_exec */
	EV_EXIT, /* the last thread of a process ended */
	EV_FORK, /* a new process (not a thread); p is the child, exe and args are its parent's */
	EV_GAP,	 /* records of a class were lost */
	EV_CALL, /* a system call ended, see calls.def; FAMILY_EXEC: it failed */
	EV_KILL, /* the kernel's side killed a process at its exec; kill.rule is the row of the filter */
	EV_STATS, /* how much a container does, once an interval; of no process: p is empty */
	EV_TYPE_COUNT
};

enum event_class { EVC_PROCESS, EVC_RARE, EVC_VOLUME, EVC_COUNT };

struct event_process {
	uint32_t pid, tid; /* task->tgid, task->pid in the host's pid namespace */
	uint32_t vpid;	   /* in its own pid namespace */
	uint32_t ppid;	   /* real_parent->tgid */
	uint64_t start_ns; /* task->start_boottime of the group leader */
	uint64_t parent_start_ns;
	uint32_t uid, gid, euid, egid; /* initial user namespace; Falco's user.uid is euid */
	uint32_t login_uid;	       /* UINT32_MAX = unset */
	uint32_t tty;		       /* device number as Falco prints it: 34816 = pts/0 */
	uint32_t session_id, group_id; /* host pid namespace */
	uint64_t cap_effective, cap_permitted, cap_inheritable;
	uint32_t ns_pid, ns_mnt, ns_net, ns_user, ns_uts, ns_ipc, ns_cgroup; /* inode numbers */
	uint64_t cgroup_id;
	struct slice cgroup; /* path below the root of its hierarchy, "/docker/<64 hex>": v1 of the
				controllers where they are there, else v2. Too deep: the upper end */
	struct slice name;   /* comm */
	struct slice parent_name; /* comm of real_parent */
	/* EV_EXEC only */
	struct slice exe;   /* resolved path of the executable, from bprm->file */
	struct slice argv0;
	struct slice args; /* after argv[0], each ended by a NUL */
	struct slice cwd;
	struct slice env; /* first 1 KiB of the environment, each ended by a NUL; may be empty */
	uint64_t exe_inode, exe_ctime_ns, exe_mtime_ns; /* unix ns */
	uint32_t exe_dev, exe_fs; /* exe_fs: the magic number of its file system */
	bool args_truncated, exe_truncated, cwd_truncated;
	bool exe_upper_layer, exe_lower_layer, exe_from_memfd, exe_writable;
	bool exe_deleted; /* the file had no name any more when it was run */
	bool exe_host_fs; /* its file system was mounted in the host's user namespace */
	bool has_exe_sha256;
	uint8_t exe_sha256[32]; /* of the file, where it was known at the event */
};

/* One end of a connection. */
struct event_end {
	uint8_t address[16]; /* AF_INET: the first 4 */
	uint16_t port;	     /* host order */
};

/* EV_CALL. What the call's family has not stays 0 or empty; enum call_family says which it has. p's exe,
 * args and env are empty: the tree has them. */
struct event_call {
	enum call call;
	enum call_family family;
	bool is_compat; /* 32-bit system call */
	bool is_uring;	/* submitted through io_uring */
	int64_t ret;	/* < 0: -errno */
	uint64_t arg[6]; /* as passed, zero-extended; socketcall(2) is undone */
	/* As the kernel resolved it, from the mount namespace's root. For FAMILY_PATH and FAMILY_PATHS, and
	 * where the call failed, filled by world_resolve() after the probe, as well as path2. */
	struct slice path, path2;
	struct slice raw, raw2;	  /* as the caller gave them */
	struct slice base, base2; /* resolved directory that raw is relative to; empty: raw is absolute */
	struct slice data; /* first bytes that were sent or received, only when a rule asks */
	bool path_truncated, raw_truncated, raw2_truncated;
	/* The file of the descriptor (FAMILY_OPEN, FAMILY_FD) */
	uint16_t file_mode; /* inode's i_mode, 0: no file */
	uint32_t file_flags, file_dev;
	uint64_t file_inode;
	bool file_upper_layer, file_lower_layer;
	int32_t fd; /* the descriptor it is about; -1: none */
	/* The socket (FAMILY_SOCK, FAMILY_FD). sock_family 0: none */
	uint16_t sock_family, sock_type; /* AF_*, SOCK_* */
	uint16_t sock_protocol;		 /* IPPROTO_* */
	bool is_sock_connected;		 /* has a peer; for UDP: connect(2) was called on it */
	bool is_sock_listening;
	struct event_end local, remote;
	uint32_t target_ns_type; /* setns: CLONE_NEW*, of the descriptor */
};

struct event {
	enum event_type type;
	enum event_class class;
	uint64_t boot_ns; /* bpf_ktime_get_boot_ns() */
	uint64_t unix_ns; /* the same on the wall clock */
	struct event_process p;
	struct { /* EV_EXIT */
		int32_t code; /* exit status; -1 when killed */
		uint32_t signal;
		uint64_t duration_ns;
	} exit;
	struct { /* EV_GAP */
		enum event_class class;
		uint64_t lost, from_unix_ns, to_unix_ns;
		const char *reason;
	} gap;
	struct event_call call; /* EV_CALL */
	struct { /* EV_STATS; borrowed like all else */
		uint64_t process_count;
		const struct slice *names; /* comm of its processes, each once */
		size_t name_count;
		bool has_net; /* what it sends and receives is counted */
		uint64_t net_per_minute, net_learned, net_above; /* bytes a minute: now, usual, above the usual */
		/* The same of all of its image on this host together; told with the one of them that has the most. */
		bool has_image_net;
		uint64_t image_net_per_minute, image_net_learned, image_net_above;
	} stats;
	struct { /* EV_KILL; p is as in EV_EXEC */
		uint32_t row;
	} kill;
};
