/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* record.h - what stands in a ring, shared by the kernel's side and the decoder.
 *
 *   struct record | what the type adds | texts, one behind the other
 *   `-------- fixed part ------------' `-- text_bytes[] says how long each is
 *
 * size = the fixed part of the type + the sum of text_bytes, exactly. Host byte order. */
#pragma once
#include <linux/types.h>

enum { RECORD_VERSION = 2 };

enum record_type {
	RECORD_EXEC = 1,
	RECORD_EXIT,
	RECORD_FORK,
	RECORD_TASK, /* from the task iterator; same shape as RECORD_EXEC */
	RECORD_CALL, /* struct record_call */
	RECORD_KILL, /* same shape as RECORD_EXEC; the row's index in struct record_exec.pad */
};

enum record_text {
	TEXT_CGROUP,
	TEXT_EXE,
	TEXT_CWD,
	TEXT_ARGS, /* argv[0] first, each ended by a NUL */
	TEXT_ENV,
	/* RECORD_CALL has these in their place */
	TEXT_PATH = TEXT_EXE,
	TEXT_BASE = TEXT_CWD,
	TEXT_RAW = TEXT_ARGS,
	TEXT_RAW2 = TEXT_ENV,
	TEXT_BASE2,
	TEXT_DATA,
	TEXT_COUNT
};

/* Most bytes of each: 2^n - 1, which the verifier understands as a mask. */
enum {
	TEXT_CGROUP_MAX = 1023,
	TEXT_PATH_MAX = 4095,
	TEXT_ARGS_MAX = 8191,
	TEXT_ENV_MAX = 1023,
	TEXT_DATA_MAX = 127,
	RECORD_MAX = 19 * 1024, /* >= the largest fixed part + all texts */
};

enum record_flag {
	RECORD_ARGS_TRUNCATED = 1 << 0,
	RECORD_EXE_TRUNCATED = 1 << 1, /* the upper end is missing: the last components are kept */
	RECORD_CWD_TRUNCATED = 1 << 2,
	RECORD_EXE_UPPER = 1 << 3,
	RECORD_EXE_LOWER = 1 << 4,
	RECORD_EXE_MEMFD = 1 << 5,
	RECORD_EXE_WRITABLE = 1 << 6,
	RECORD_EXE_DELETED = 1 << 7,
	/* RECORD_CALL; EXE_UPPER and EXE_LOWER are of the descriptor's file there */
	RECORD_PATH_TRUNCATED = RECORD_EXE_TRUNCATED,
	RECORD_RAW_TRUNCATED = 1 << 8,
	RECORD_RAW2_TRUNCATED = 1 << 9,
	RECORD_COMPAT = 1 << 10,
	RECORD_URING = 1 << 11,
	RECORD_SOCK_CONNECTED = 1 << 12,
	RECORD_SOCK_LISTENING = 1 << 13,
	RECORD_EXE_HOST_FS = 1 << 14, /* its file system was mounted in the host's user namespace */
};

struct record {
	__u32 size; /* bytes of the whole record */
	__u8 type, version;
	__u16 flags; /* enum record_flag */
	__u64 boot_ns; /* bpf_ktime_get_boot_ns() */
	__u64 start_ns, parent_start_ns;
	__u64 cap_effective, cap_permitted, cap_inheritable;
	__u64 cgroup_id;
	__u32 pid, tid, vpid, ppid;
	__u32 uid, gid, euid, egid;
	__u32 login_uid, tty, session_id, group_id;
	__u32 ns_pid, ns_mnt, ns_net, ns_user, ns_uts, ns_ipc, ns_cgroup;
	__u16 text_bytes[TEXT_COUNT];
	__u16 pad[3];
	char comm[16], parent_comm[16];
};

struct record_exec {
	struct record r;
	__u64 exe_inode, exe_ctime_ns, exe_mtime_ns;
	__u32 exe_dev; /* as stat(2) encodes it */
	__u32 extra; /* the file system's magic number; of a kill the row of the filter */
};

struct record_exit {
	struct record r;
	__s32 status; /* as wait(2) gives it */
	__u32 pad;
};

/* A system call that ended; see struct event_call. */
struct record_call {
	struct record r;
	__s64 ret;
	__u64 arg[6];
	__u64 file_inode;
	__u32 file_dev, file_flags;
	__s32 fd;
	__u32 target_ns_type;
	__u8 local[16], remote[16];
	__u16 local_port, remote_port; /* host order */
	__u16 sock_family, sock_type, sock_protocol;
	__u16 file_mode;
	__u16 call; /* enum call */
	__u16 pad;
};

_Static_assert(sizeof(struct record) == 192, "struct record");
_Static_assert(sizeof(struct record_exec) == 224, "struct record_exec");
_Static_assert(sizeof(struct record_exit) == 200, "struct record_exit");
_Static_assert(sizeof(struct record_call) == 192 + 128, "struct record_call");
_Static_assert(sizeof(struct record_call) + TEXT_CGROUP_MAX + 4 * TEXT_PATH_MAX + TEXT_DATA_MAX + 1024 <=
		       RECORD_MAX,
	       "RECORD_MAX");
_Static_assert(sizeof(struct record_exec) + TEXT_CGROUP_MAX + 2 * TEXT_PATH_MAX + TEXT_ARGS_MAX +
			       TEXT_ENV_MAX <=
		       RECORD_MAX,
	       "RECORD_MAX");

/* One cache line per class and CPU, mapped by the reader. */
struct counters {
	__u64 seen;	 /* the hook ran and wanted a record */
	__u64 submitted; /* it went into the ring */
	__u64 lost;	 /* the ring was full */
	__u64 faults;	 /* a text could not be read; the record went without it */
	__u64 unused[4];
};
_Static_assert(sizeof(struct counters) == 64, "struct counters");

/* The reader's half of the wake-up: mapped and written by it, looked at by every record. */
struct reader {
	__u32 is_idle; /* it stopped its timer: the next record wakes it, and clears this */
	__u32 generation; /* of the programs for system calls that count; others stay silent */
	__u32 kills; /* rows of kill_rows that count, and above KILL_BANK_SHIFT which half of it */
	__u32 unused[13];
};

/* Which ring; the same numbers as enum event_class of agent/event.h. */
enum record_class { CLASS_PROCESS, CLASS_RARE, CLASS_VOLUME, CLASS_COUNT };
