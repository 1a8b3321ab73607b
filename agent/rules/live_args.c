/* live_args.c - the arguments of events, in the order and under the names of Falco's table of events.
 *
 * Paths are those the kernel resolved, where Falco only joins texts: "evt.arg.path startswith /usr/bin/"
 * must hold for a path that leads there. What was written stands in fs.path.*raw and fd.nameraw. */
#include <fcntl.h>
#include <inttypes.h>

#include "agent/rules/live_priv.h"

enum arg_kind {
	ARG_NONE,   /* Falco has it and we have not */
	ARG_RESULT, /* return value; resolved: the name of an error */
	ARG_NEW_FD, /* return value that is the descriptor of the event */
	ARG_FD,	    /* an argument that is the descriptor of the event */
	ARG_DIR_FD, /* base of the first path, */
	ARG_DIR_FD2, /* of the second one */
	ARG_INT,
	ARG_UINT,
	ARG_HEX,
	ARG_HEX64,
	ARG_OCTAL,
	ARG_FLAGS,
	ARG_ENUM,
	ARG_MODE,
	ARG_OPEN_FLAGS,
	ARG_OPEN_MODE,
	ARG_UID,
	ARG_GID,
	ARG_PID,
	ARG_PATH,
	ARG_PATH2,
	ARG_RAW,
	ARG_DEV,
	ARG_INODE,
	ARG_TUPLE,
	ARG_PEER, /* the address that was given */
	ARG_DATA,
	ARG_SIZE, /* the bytes that went, where the call has no size */
	ARG_CAP_INHERITABLE,
	ARG_CAP_PERMITTED,
	ARG_CAP_EFFECTIVE,
	ARG_NS_TYPE,
	/* of the process: exec, exit, fork */
	ARG_EXE,
	ARG_ARGS,
	ARG_ENV,
	ARG_CWD,
	ARG_COMM,
	ARG_CGROUPS,
	ARG_EXE_PATH,
	ARG_FILE_NAME,
	ARG_EXE_FLAGS,
	ARG_EXE_INODE,
	ARG_EXE_CTIME,
	ARG_EXE_MTIME,
	ARG_TID,
	ARG_OWN_PID,
	ARG_PARENT,
	ARG_VPID,
	ARG_TTY,
	ARG_GROUP,
	ARG_EUID,
	ARG_EGID,
	ARG_LOGIN_UID,
	ARG_EXIT_STATUS,
	ARG_EXIT_CODE,
	ARG_EXIT_SIGNAL,
	ARG_ZERO,
};

struct arg_row {
	const char *name;
	uint8_t kind;
	uint8_t from; /* of the call's arguments */
	const struct live_names *names;
};
struct arg_list {
	const struct arg_row *rows;
	size_t count;
};

#define ARGS(...)                                                                                  \
	{ (const struct arg_row[]){ __VA_ARGS__ },                                                 \
	  sizeof((const struct arg_row[]){ __VA_ARGS__ }) / sizeof(struct arg_row) }
#define RES { "res", ARG_RESULT, 0, NULL }
#define FD0 { "fd", ARG_FD, 0, NULL }
#define NEW_FD { "fd", ARG_NEW_FD, 0, NULL }
#define DIR(name, from) { name, ARG_DIR_FD, from, NULL }
#define DIR2(name, from) { name, ARG_DIR_FD2, from, NULL }
#define P(name) { name, ARG_PATH, 0, NULL }
#define P2(name) { name, ARG_PATH2, 0, NULL }
#define V(name, kind, from) { name, ARG_##kind, from, NULL }
#define F(name, from, table) { name, ARG_FLAGS, from, &live_##table }
#define E(name, from, table) { name, ARG_ENUM, from, &live_##table }
#define MODE(from) { "mode", ARG_MODE, from, &live_mode_bits }
#define OPEN_FLAGS V("flags", OPEN_FLAGS, 0)
#define OPEN_FILE V("dev", DEV, 0), V("ino", INODE, 0)
#define EXEC_PROCESS                                                                               \
	V("exe", EXE, 0), V("args", ARGS, 0), V("tid", TID, 0), V("pid", OWN_PID, 0),              \
		V("ptid", PARENT, 0), V("cwd", CWD, 0), V("comm", COMM, 0), V("cgroups", CGROUPS, 0)

static const struct arg_list call_args[CALL_COUNT] = {
	[CALL_EXECVE] = ARGS(RES, EXEC_PROCESS, V("tty", TTY, 0), V("loginuid", LOGIN_UID, 0),
			     V("uid", EUID, 0), V("trusted_exepath", EXE_PATH, 0), V("pgid", GROUP, 0),
			     V("gid", EGID, 0), P("filename")),
	[CALL_EXECVEAT] = ARGS(RES, EXEC_PROCESS, V("tty", TTY, 0), V("loginuid", LOGIN_UID, 0),
			       V("uid", EUID, 0), V("trusted_exepath", EXE_PATH, 0), V("pgid", GROUP, 0),
			       V("gid", EGID, 0), P("pathname"), DIR("dirfd", 0)),
	[CALL_OPEN] = ARGS(NEW_FD, P("name"), OPEN_FLAGS, V("mode", OPEN_MODE, 0), OPEN_FILE),
	[CALL_OPENAT] = ARGS(NEW_FD, DIR("dirfd", 0), P("name"), OPEN_FLAGS, V("mode", OPEN_MODE, 0), OPEN_FILE),
	[CALL_OPENAT2] = ARGS(NEW_FD, DIR("dirfd", 0), P("name"), OPEN_FLAGS, V("mode", OPEN_MODE, 0),
			      V("resolve", NONE, 0), OPEN_FILE),
	[CALL_CREAT] = ARGS(NEW_FD, P("name"), V("mode", OPEN_MODE, 0), OPEN_FILE, V("creat_flags", NONE, 0)),
	[CALL_OPEN_BY_HANDLE_AT] = ARGS(NEW_FD, DIR("mountfd", 0), OPEN_FLAGS, P("path"), OPEN_FILE),

	[CALL_SOCKET] = ARGS(NEW_FD, E("domain", 0, families), V("type", UINT, 1), V("proto", UINT, 2)),
	[CALL_SOCKETPAIR] = ARGS(RES, V("fd1", NONE, 0), V("fd2", NONE, 0), V("source", NONE, 0),
				 V("peer", NONE, 0), E("domain", 0, families), V("type", UINT, 1),
				 V("proto", UINT, 2)),
	[CALL_BIND] = ARGS(RES, V("addr", PEER, 0), FD0),
	[CALL_LISTEN] = ARGS(RES, FD0, V("backlog", INT, 1)),
	[CALL_CONNECT] = ARGS(RES, V("tuple", TUPLE, 0), FD0, V("addr", PEER, 0)),
	[CALL_ACCEPT] = ARGS(NEW_FD, V("tuple", TUPLE, 0), V("queuepct", NONE, 0), V("queuelen", NONE, 0),
			     V("queuemax", NONE, 0)),
	[CALL_ACCEPT4] = ARGS(NEW_FD, V("tuple", TUPLE, 0), V("queuepct", NONE, 0), V("queuelen", NONE, 0),
			      V("queuemax", NONE, 0), V("flags", HEX, 3)),
	[CALL_SENDTO] = ARGS(RES, V("data", DATA, 0), FD0, V("size", UINT, 2), V("tuple", TUPLE, 0)),
	[CALL_SENDMSG] = ARGS(RES, V("data", DATA, 0), FD0, V("size", SIZE, 0), V("tuple", TUPLE, 0)),
	[CALL_RECVFROM] = ARGS(RES, V("data", DATA, 0), V("tuple", TUPLE, 0), FD0, V("size", UINT, 2)),
	[CALL_RECVMSG] = ARGS(RES, V("size", SIZE, 0), V("data", DATA, 0), V("tuple", TUPLE, 0),
			      V("msgcontrol", NONE, 0), FD0),
	[CALL_SHUTDOWN] = ARGS(RES, FD0, E("how", 1, shutdown)),

	[CALL_DUP] = ARGS({ "res", ARG_NEW_FD, 0, NULL }, V("oldfd", FD, 0)),
	[CALL_DUP2] = ARGS({ "res", ARG_NEW_FD, 0, NULL }, V("oldfd", FD, 0), V("newfd", FD, 1)),
	[CALL_DUP3] = ARGS({ "res", ARG_NEW_FD, 0, NULL }, V("oldfd", FD, 0), V("newfd", FD, 1),
			   V("flags", OPEN_FLAGS, 2)),
	[CALL_FCHMOD] = ARGS(RES, FD0, MODE(1)),
	[CALL_FCHOWN] = ARGS(RES, FD0, V("uid", UINT, 1), V("gid", UINT, 2)),
	[CALL_FCHDIR] = ARGS(RES, FD0),
	[CALL_SETNS] = ARGS(RES, FD0, V("nstype", NS_TYPE, 1)),
	[CALL_FINIT_MODULE] = ARGS(RES, FD0, V("uargs", RAW, 0), V("flags", HEX, 2)),

	[CALL_MKDIR] = ARGS(RES, P("path"), V("mode", HEX, 1)),
	[CALL_MKDIRAT] = ARGS(RES, DIR("dirfd", 0), P("path"), V("mode", HEX, 2)),
	[CALL_RMDIR] = ARGS(RES, P("path")),
	[CALL_UNLINK] = ARGS(RES, P("path")),
	[CALL_UNLINKAT] = ARGS(RES, DIR("dirfd", 0), P("name"), F("flags", 2, unlinkat_flags)),
	[CALL_CHMOD] = ARGS(RES, P("filename"), MODE(1)),
	[CALL_FCHMODAT] = ARGS(RES, DIR("dirfd", 0), P("filename"), MODE(2)),
	[CALL_FCHMODAT2] = ARGS(RES, DIR("dirfd", 0), P("filename"), MODE(2), F("flags", 3, fchownat_flags)),
	[CALL_CHOWN] = ARGS(RES, P("path"), V("uid", UINT, 1), V("gid", UINT, 2)),
	[CALL_LCHOWN] = ARGS(RES, P("path"), V("uid", UINT, 1), V("gid", UINT, 2)),
	[CALL_FCHOWNAT] = ARGS(RES, DIR("dirfd", 0), P("pathname"), V("uid", UINT, 2), V("gid", UINT, 3),
			       F("flags", 4, fchownat_flags)),
	[CALL_MKNOD] = ARGS(RES, P("path"), { "mode", ARG_MODE, 1, &live_mknod_bits }, V("dev", HEX, 2)),
	[CALL_MKNODAT] = ARGS(RES, DIR("dirfd", 0), P("path"), { "mode", ARG_MODE, 2, &live_mknod_bits },
			      V("dev", HEX, 3)),
	[CALL_CHDIR] = ARGS(RES, P("path")),
	[CALL_CHROOT] = ARGS(RES, P("path")),
	[CALL_UMOUNT2] = ARGS(RES, P("name"), F("flags", 1, umount_flags)),

	[CALL_LINK] = ARGS(RES, P("oldpath"), P2("newpath")),
	[CALL_LINKAT] = ARGS(RES, DIR("olddir", 0), P("oldpath"), DIR2("newdir", 2), P2("newpath"),
			     F("flags", 4, linkat_flags)),
	[CALL_SYMLINK] = ARGS(RES, P("target"), P2("linkpath")),
	[CALL_SYMLINKAT] = ARGS(RES, P("target"), DIR2("linkdirfd", 1), P2("linkpath")),
	[CALL_RENAME] = ARGS(RES, P("oldpath"), P2("newpath")),
	[CALL_RENAMEAT] = ARGS(RES, DIR("olddirfd", 0), P("oldpath"), DIR2("newdirfd", 2), P2("newpath")),
	[CALL_RENAMEAT2] = ARGS(RES, DIR("olddirfd", 0), P("oldpath"), DIR2("newdirfd", 2), P2("newpath"),
				F("flags", 4, renameat2_flags)),
	[CALL_MOUNT] = ARGS(RES, V("dev", RAW, 0), P2("dir"), V("type", NONE, 0), F("flags", 3, mount_flags)),
	[CALL_MOVE_MOUNT] = ARGS(RES, DIR("olddirfd", 0), P("oldpath"), DIR2("newdirfd", 2), P2("newpath"),
				 V("flags", HEX, 4)),
	[CALL_PIVOT_ROOT] = ARGS(RES, P("newpath"), P2("oldpath")),

	[CALL_SETUID] = ARGS(RES, V("uid", UID, 0)),
	[CALL_SETGID] = ARGS(RES, V("gid", GID, 0)),
	[CALL_SETREUID] = ARGS(RES, V("ruid", UID, 0), V("euid", UID, 1)),
	[CALL_SETREGID] = ARGS(RES, V("rgid", GID, 0), V("egid", GID, 1)),
	[CALL_SETRESUID] = ARGS(RES, V("ruid", UID, 0), V("euid", UID, 1), V("suid", UID, 2)),
	[CALL_SETRESGID] = ARGS(RES, V("rgid", GID, 0), V("egid", GID, 1), V("sgid", GID, 2)),
	[CALL_CAPSET] = ARGS(RES, V("cap_inheritable", CAP_INHERITABLE, 0), V("cap_permitted", CAP_PERMITTED, 0),
			     V("cap_effective", CAP_EFFECTIVE, 0)),
	[CALL_UNSHARE] = ARGS(RES, F("flags", 0, clone_flags)),
	[CALL_PTRACE] = ARGS(RES, V("addr", HEX64, 2), V("data", HEX64, 3), E("request", 0, ptrace),
			     V("pid", PID, 1)),
	[CALL_PROCESS_VM_READV] = ARGS(RES, V("pid", PID, 0), V("data", NONE, 0)),
	[CALL_PROCESS_VM_WRITEV] = ARGS(RES, V("pid", PID, 0), V("data", NONE, 0)),
	[CALL_KILL] = ARGS(RES, V("pid", PID, 0), E("sig", 1, signals)),
	[CALL_TKILL] = ARGS(RES, V("tid", PID, 0), E("sig", 1, signals)),
	[CALL_TGKILL] = ARGS(RES, V("pid", PID, 0), V("tid", PID, 1), E("sig", 2, signals)),
	[CALL_PRCTL] = ARGS(RES, E("option", 0, prctl_options), V("arg2_str", RAW, 0), V("arg2_int", HEX64, 1)),
	[CALL_BPF] = ARGS(NEW_FD, E("cmd", 0, bpf_commands)),
	[CALL_INIT_MODULE] = ARGS(RES, V("img", NONE, 0), V("length", UINT, 1), V("uargs", RAW, 0)),
	[CALL_DELETE_MODULE] = ARGS(RES, V("name", RAW, 0), V("flags", OPEN_FLAGS, 1)),
	[CALL_USERFAULTFD] = ARGS(RES, V("flags", OPEN_FLAGS, 0)),
	[CALL_MEMFD_CREATE] = ARGS(NEW_FD, V("name", RAW, 0), F("flags", 1, memfd_flags)),
	[CALL_SECCOMP] = ARGS(RES, V("op", UINT, 0), V("flags", HEX64, 1)),
	[CALL_IO_URING_SETUP] = ARGS(RES, V("entries", UINT, 0), V("sq_entries", NONE, 0),
				     V("cq_entries", NONE, 0), V("flags", NONE, 0)),
};

static const struct arg_list exec_args =
	ARGS(V("res", ZERO, 0), EXEC_PROCESS, V("env", ENV, 0), V("tty", TTY, 0), V("vpgid", NONE, 0),
	     V("loginuid", LOGIN_UID, 0), V("flags", EXE_FLAGS, 0), V("cap_inheritable", CAP_INHERITABLE, 0),
	     V("cap_permitted", CAP_PERMITTED, 0), V("cap_effective", CAP_EFFECTIVE, 0),
	     V("exe_ino", EXE_INODE, 0), V("exe_ino_ctime", EXE_CTIME, 0), V("exe_ino_mtime", EXE_MTIME, 0),
	     V("uid", EUID, 0), V("trusted_exepath", EXE_PATH, 0), V("pgid", GROUP, 0), V("gid", EGID, 0),
	     V("filename", FILE_NAME, 0));
static const struct arg_list fork_args = ARGS(V("res", ZERO, 0), EXEC_PROCESS, V("flags", NONE, 0),
					      V("uid", EUID, 0), V("gid", EGID, 0), V("vpid", VPID, 0));
static const struct arg_list exit_args =
	ARGS(V("status", EXIT_STATUS, 0), V("ret", EXIT_CODE, 0), V("sig", EXIT_SIGNAL, 0), V("core", NONE, 0));

static struct arg_list args_of(const struct event *e)
{
	switch (e->type) {
	case EV_EXEC:
		return exec_args;
	case EV_FORK:
		return fork_args;
	case EV_EXIT:
		return exit_args;
	case EV_CALL:
		return call_args[e->call.call];
	case EV_NONE:
	case EV_GAP:
	case EV_STATS:
	case EV_KILL:
	case EV_TYPE_COUNT:
		break;
	}
	return (struct arg_list){ NULL, 0 };
}

uint32_t live_open_flags(const struct event_call *c)
{
	return c->file_flags;
}

bool live_open_mode(const struct event_call *c, uint32_t *ret)
{
	switch (c->call) {
	case CALL_OPEN:
		*ret = (uint32_t)c->arg[2];
		return true;
	case CALL_CREAT:
		*ret = (uint32_t)c->arg[1];
		return true;
	case CALL_OPENAT:
		*ret = (uint32_t)c->arg[3];
		return true;
	case CALL_OPENAT2:
		/* In the caller's memory: what the file got is what there is. */
		*ret = c->file_mode & 07777u;
		return c->file_mode;
	default:
		return false;
	}
}

/* ---- one argument as text and number ---- */

static bool printed(struct live_arg *a, char *text)
{
	a->text = slice_of(text);
	return text;
}

static bool as_int(const struct live_query *q, int64_t v, struct live_arg *a)
{
	a->num = v;
	return printed(a, arena_printf(q->scratch, "%" PRId64, v));
}

static bool as_hex(const struct live_query *q, uint64_t v, struct live_arg *a)
{
	a->num = (int64_t)v;
	return printed(a, arena_printf(q->scratch, "%" PRIX64, v));
}

static bool as_text(struct slice s, struct live_arg *a)
{
	a->text = s.p ? s : SLICE_LIT("");
	return true;
}

static bool as_path(struct slice path, struct slice raw, struct live_arg *a)
{
	a->text = path.n ? path : raw;
	return a->text.n;
}

/* "<f>/etc/passwd", "<4t>a:1->b:2" */
static struct slice fd_text(const struct live_query *q)
{
	const struct event_call *c = live_call(q);
	enum live_fd_kind kind = live_fd_kind(q->live->event);
	struct slice name = live_fd_name(q);
	const char *protocol = "";

	if (kind == LIVE_FD_IPV4 || kind == LIVE_FD_IPV6) {
		unsigned type = c->sock_type & 0xf;

		protocol = type == 1 ? "t" : type == 2 ? "u" : "";
	}
	return kind == LIVE_FD_NONE ? SLICE_NONE :
				      slice_of(arena_printf(q->scratch, "<%s%s>%.*s", live_fd_word(kind)->letter,
							    protocol, SLICE_FMT(name)));
}

static bool as_result(const struct live_query *q, int64_t v, struct live_arg *a)
{
	if (v < 0)
		a->resolved = live_error_name(q->scratch, v);
	return as_int(q, v, a);
}

static bool as_fd(const struct live_query *q, int64_t v, struct live_arg *a)
{
	if (v < 0)
		return as_result(q, v, a);
	a->resolved = fd_text(q);
	return as_int(q, v, a);
}

static bool as_dir(const struct live_query *q, int64_t v, struct slice base, struct live_arg *a)
{
	if (v == AT_FDCWD)
		a->resolved = SLICE_LIT("AT_FDCWD");
	else if (base.n)
		a->resolved = slice_of(arena_printf(q->scratch, "<d>%.*s", SLICE_FMT(base)));
	return as_int(q, v, a);
}

static bool as_flags(const struct live_query *q, const struct live_names *names, uint64_t v, struct live_arg *a)
{
	a->resolved = live_flags_text(q->scratch, names, (uint32_t)v);
	return as_int(q, live_falco_flags(names, (uint32_t)v), a);
}

static bool as_open_flags(const struct live_query *q, uint32_t flags, bool is_file, struct live_arg *a)
{
	const struct event_call *c = live_call(q);
	uint32_t falco = live_falco_open_flags(flags);

	if (!is_file && !(flags & O_ACCMODE))
		falco &= ~1u; /* flags of a call that opens nothing say nothing of access */
	a->resolved = live_flags_text(q->scratch, &live_open_names, falco);
	if (is_file && (c->file_upper_layer || c->file_lower_layer))
		a->resolved = slice_of(arena_printf(q->scratch, "%.*s|%s", SLICE_FMT(a->resolved),
						    c->file_upper_layer ? "FD_UPPER_LAYER" : "FD_LOWER_LAYER"));
	return as_int(q, falco, a);
}

static bool as_enum(const struct live_query *q, const struct live_names *names, uint64_t v, struct live_arg *a)
{
	a->resolved = live_enum_text(names, (uint32_t)v);
	return as_int(q, (int32_t)v, a);
}

static bool as_octal(const struct live_query *q, uint32_t v, struct live_arg *a)
{
	a->num = v;
	return printed(a, arena_printf(q->scratch, v ? "0%o" : "%o", v));
}

static bool as_mode(const struct live_query *q, const struct live_names *names, uint32_t v, struct live_arg *a)
{
	a->resolved = live_flags_text(q->scratch, names, v & 0xffff);
	return as_octal(q, v & 0xffff, a);
}

static bool as_user(const struct live_query *q, uint32_t id, bool is_group, struct live_arg *a)
{
	struct rules_value v = { 0 };

	if (id == UINT32_MAX)
		return as_int(q, -1, a);
	if (live_copy(q, is_group ? world_group_name(q->live->world, live_process(q), id) :
				    world_user_name(q->live->world, live_process(q), id), &v))
		a->resolved = v.str;
	return as_int(q, id, a);
}

/* The number is of the caller's pid namespace: only the host's leads to a name. */
static bool as_pid(const struct live_query *q, int32_t pid, bool is_host_pid, struct live_arg *a)
{
	const struct proc *p = is_host_pid && pid > 0 ? world_proc(q->live->world, (uint32_t)pid) : NULL;

	if (p)
		a->resolved = p->name;
	return as_int(q, pid, a);
}

static bool as_tuple(const struct live_query *q, struct live_arg *a)
{
	const struct event_call *c = live_call(q);
	struct slice s = live_socket_family(c) ? live_tuple_text(q->scratch, c) : c->path;

	return s.n && as_text(s, a);
}

/* bind: where it listens; else the other end. */
static bool as_peer(const struct live_query *q, struct live_arg *a)
{
	const struct event_call *c = live_call(q);

	if (!live_socket_family(c))
		return c->path.n && as_text(c->path, a);
	return as_text(live_end_text(q->scratch, c, c->call == CALL_BIND ? &c->local : &c->remote), a);
}

static bool of_process(const struct live_query *q, const struct arg_row *row, struct live_arg *a);

static bool of_call(const struct live_query *q, const struct arg_row *row, struct live_arg *a)
{
	const struct event_call *c = live_call(q);
	uint64_t v = c->arg[row->from];
	uint32_t mode;

	switch ((enum arg_kind)row->kind) {
	case ARG_RESULT:
		return as_result(q, c->ret, a);
	case ARG_NEW_FD:
		return as_fd(q, c->ret, a);
	case ARG_FD:
		return as_fd(q, (int32_t)v, a);
	case ARG_DIR_FD:
		return as_dir(q, (int32_t)v, c->base, a);
	case ARG_DIR_FD2:
		return as_dir(q, (int32_t)v, c->base2, a);
	case ARG_INT:
		return as_int(q, (int32_t)v, a);
	case ARG_UINT:
		return as_int(q, (uint32_t)v, a);
	case ARG_HEX:
		return as_hex(q, (uint32_t)v, a);
	case ARG_HEX64:
		return as_hex(q, v, a);
	case ARG_OCTAL:
		return as_octal(q, (uint32_t)v, a);
	case ARG_FLAGS:
		return as_flags(q, row->names, v, a);
	case ARG_ENUM:
		return as_enum(q, row->names, v, a);
	case ARG_MODE:
		return as_mode(q, row->names, (uint32_t)v, a);
	case ARG_OPEN_FLAGS:
		return c->family == FAMILY_OPEN ? as_open_flags(q, live_open_flags(c), true, a) :
						  as_open_flags(q, (uint32_t)v, false, a);
	case ARG_OPEN_MODE:
		return live_open_mode(c, &mode) && as_octal(q, mode, a);
	case ARG_UID:
		return as_user(q, (uint32_t)v, false, a);
	case ARG_GID:
		return as_user(q, (uint32_t)v, true, a);
	case ARG_PID:
		return as_pid(q, (int32_t)v, live_process(q)->pid == live_process(q)->vpid, a);
	case ARG_PATH:
		return as_path(c->path, c->raw, a);
	case ARG_PATH2:
		return as_path(c->path2, c->raw2, a);
	case ARG_RAW:
		return c->raw.n && as_text(c->raw, a);
	case ARG_DEV:
		return c->file_inode && as_hex(q, c->file_dev, a);
	case ARG_INODE:
		return c->file_inode && as_int(q, (int64_t)c->file_inode, a);
	case ARG_TUPLE:
		return as_tuple(q, a);
	case ARG_PEER:
		return as_peer(q, a);
	case ARG_DATA:
		return c->data.n && as_text(c->data, a);
	case ARG_SIZE:
		return c->ret >= 0 && as_int(q, c->ret, a);
	case ARG_NS_TYPE:
		return as_flags(q, &live_clone_flags, v ? v : c->target_ns_type, a);
	default:
		return of_process(q, row, a);
	}
}

static bool of_process(const struct live_query *q, const struct arg_row *row, struct live_arg *a)
{
	const struct event *e = q->live->event;
	const struct event_process *p = &e->p;

	switch ((enum arg_kind)row->kind) {
	case ARG_ZERO:
		return as_int(q, 0, a);
	case ARG_EXE:
		return as_text(live_argv0(q), a);
	case ARG_ARGS:
		return as_text(live_joined(q->scratch, live_arguments(q)), a);
	case ARG_ENV:
		return p->env.n && as_text(live_joined(q->scratch, p->env), a);
	case ARG_CWD:
		return as_text(live_cwd(q), a);
	case ARG_COMM:
		return as_text(p->name, a);
	case ARG_CGROUPS:
		return p->cgroup.n && as_text(p->cgroup, a);
	case ARG_EXE_PATH:
	case ARG_FILE_NAME:
		return as_text(live_exe(q), a);
	case ARG_EXE_FLAGS:
		a->resolved = live_exec_flags(q->scratch, p);
		return as_int(q, p->exe_writable | p->exe_upper_layer << 1 | p->exe_from_memfd << 2 |
					 p->exe_lower_layer << 3, a);
	case ARG_EXE_INODE:
		return as_int(q, (int64_t)p->exe_inode, a);
	case ARG_EXE_CTIME:
		return as_int(q, (int64_t)p->exe_ctime_ns, a);
	case ARG_EXE_MTIME:
		return as_int(q, (int64_t)p->exe_mtime_ns, a);
	case ARG_TID:
		a->resolved = p->name;
		return as_int(q, p->tid, a);
	case ARG_OWN_PID:
		a->resolved = p->name;
		return as_int(q, p->pid, a);
	case ARG_PARENT:
		a->resolved = p->parent_name;
		return as_int(q, p->ppid, a);
	case ARG_VPID:
		return as_int(q, p->vpid, a);
	case ARG_TTY:
		return as_int(q, p->tty, a);
	case ARG_GROUP:
		return as_pid(q, (int32_t)p->group_id, true, a);
	case ARG_EUID:
		return as_user(q, p->euid, false, a);
	case ARG_EGID:
		return as_user(q, p->egid, true, a);
	case ARG_LOGIN_UID:
		return as_user(q, p->login_uid, false, a);
	case ARG_CAP_INHERITABLE:
		return as_hex(q, p->cap_inheritable, a);
	case ARG_CAP_PERMITTED:
		return as_hex(q, p->cap_permitted, a);
	case ARG_CAP_EFFECTIVE:
		return as_hex(q, p->cap_effective, a);
	case ARG_EXIT_STATUS:
		return as_int(q, e->exit.code < 0 ? e->exit.signal : (int64_t)e->exit.code << 8, a);
	case ARG_EXIT_CODE:
		return as_int(q, e->exit.code < 0 ? 0 : e->exit.code, a);
	case ARG_EXIT_SIGNAL:
		return as_enum(q, &live_signals, e->exit.signal, a);
	default:
		return false;
	}
}

static bool arg_value(const struct live_query *q, const struct arg_row *row, struct live_arg *ret)
{
	*ret = (struct live_arg){ .name = row->name };
	return live_call(q) ? of_call(q, row, ret) : of_process(q, row, ret);
}

size_t live_arg_count(const struct live_query *q)
{
	return args_of(q->live->event).count;
}

bool live_arg_at(const struct live_query *q, size_t index, struct live_arg *ret)
{
	struct arg_list list = args_of(q->live->event);

	return index < list.count && arg_value(q, &list.rows[index], ret);
}

bool live_arg_named(const struct live_query *q, struct slice name, struct live_arg *ret)
{
	struct arg_list list = args_of(q->live->event);

	for (size_t i = 0; i < list.count; i++)
		if (slice_is(name, list.rows[i].name))
			return arg_value(q, &list.rows[i], ret);
	return false;
}
