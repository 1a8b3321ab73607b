/* live_names.c - see live_names.h. The order of the rows is that in which Falco prints flags. */
#include "agent/rules/live_names.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/cleanup.h"

enum { OPEN_READ = 1, OPEN_WRITE = 2, OPEN_LARGEFILE = 0100000 };

#define TABLE(name) const struct live_names live_##name = { name, ARRAY_LEN(name) }

/* Falco's numbers, since O_RDONLY is a bit there. O_SYNC holds the bit of O_DSYNC, O_TMPFILE that of
 * O_DIRECTORY: live_falco_open_flags takes them apart. */
static const struct live_name open_flags[] = {
	{ "O_LARGEFILE", 1 << 11, 0 }, { "O_DIRECTORY", 1 << 10, 0 }, { "O_DIRECT", 1 << 9, 0 },
	{ "O_TRUNC", 1 << 8, 0 },      { "O_SYNC", 1 << 7, 0 },	      { "O_NONBLOCK", 1 << 6, 0 },
	{ "O_EXCL", 1 << 5, 0 },       { "O_DSYNC", 1 << 4, 0 },      { "O_APPEND", 1 << 3, 0 },
	{ "O_CREAT", 1 << 2, 0 },      { "O_RDWR", 3, 0 },	      { "O_WRONLY", OPEN_WRITE, 0 },
	{ "O_RDONLY", OPEN_READ, 0 },  { "O_CLOEXEC", 1 << 12, 0 },   { "O_NONE", 0, 0 },
	{ "O_TMPFILE", 1 << 13, 0 },   { "O_F_CREATED", 1 << 14, 0 },
};
const struct live_names live_open_names = { open_flags, ARRAY_LEN(open_flags) };

static const struct live_name clone_flags[] = {
	{ "CLONE_FILES", CLONE_FILES, 1 << 0 },
	{ "CLONE_FS", CLONE_FS, 1 << 1 },
	{ "CLONE_IO", CLONE_IO, 1 << 2 },
	{ "CLONE_NEWIPC", CLONE_NEWIPC, 1 << 3 },
	{ "CLONE_NEWNET", CLONE_NEWNET, 1 << 4 },
	{ "CLONE_NEWNS", CLONE_NEWNS, 1 << 5 },
	{ "CLONE_NEWPID", CLONE_NEWPID, 1 << 6 },
	{ "CLONE_NEWUTS", CLONE_NEWUTS, 1 << 7 },
	{ "CLONE_PARENT", CLONE_PARENT, 1 << 8 },
	{ "CLONE_PARENT_SETTID", CLONE_PARENT_SETTID, 1 << 9 },
	{ "CLONE_PTRACE", CLONE_PTRACE, 1 << 10 },
	{ "CLONE_SIGHAND", CLONE_SIGHAND, 1 << 11 },
	{ "CLONE_SYSVSEM", CLONE_SYSVSEM, 1 << 12 },
	{ "CLONE_THREAD", CLONE_THREAD, 1 << 13 },
	{ "CLONE_UNTRACED", CLONE_UNTRACED, 1 << 14 },
	{ "CLONE_VM", CLONE_VM, 1 << 15 },
	{ "CLONE_NEWUSER", CLONE_NEWUSER, 1 << 19 },
	{ "CLONE_CHILD_CLEARTID", CLONE_CHILD_CLEARTID, 1 << 20 },
	{ "CLONE_CHILD_SETTID", CLONE_CHILD_SETTID, 1 << 21 },
	{ "CLONE_SETTLS", CLONE_SETTLS, 1 << 22 },
	{ "CLONE_VFORK", CLONE_VFORK, 1 << 24 },
	{ "CLONE_NEWCGROUP", CLONE_NEWCGROUP, 1 << 25 },
	{ "CLONE_NEWTIME", 0x80, 1 << 26 },
};
TABLE(clone_flags);

static const struct live_name mount_flags[] = {
	{ "RDONLY", MS_RDONLY, 0 },	      { "NOSUID", MS_NOSUID, 0 },
	{ "NODEV", MS_NODEV, 0 },	      { "NOEXEC", MS_NOEXEC, 0 },
	{ "SYNCHRONOUS", MS_SYNCHRONOUS, 0 }, { "REMOUNT", MS_REMOUNT, 0 },
	{ "MANDLOCK", MS_MANDLOCK, 0 },	      { "DIRSYNC", MS_DIRSYNC, 0 },
	{ "NOATIME", MS_NOATIME, 0 },	      { "NODIRATIME", MS_NODIRATIME, 0 },
	{ "BIND", MS_BIND, 0 },		      { "MOVE", MS_MOVE, 0 },
	{ "REC", MS_REC, 0 },		      { "SILENT", MS_SILENT, 0 },
	{ "POSIXACL", MS_POSIXACL, 0 },	      { "UNBINDABLE", MS_UNBINDABLE, 0 },
	{ "PRIVATE", MS_PRIVATE, 0 },	      { "SLAVE", MS_SLAVE, 0 },
	{ "SHARED", MS_SHARED, 0 },	      { "RELATIME", MS_RELATIME, 0 },
	{ "KERNMOUNT", MS_KERNMOUNT, 0 },     { "I_VERSION", MS_I_VERSION, 0 },
	{ "STRICTATIME", MS_STRICTATIME, 0 }, { "LAZYTIME", MS_LAZYTIME, 0 },
};
TABLE(mount_flags);

static const struct live_name umount_flags[] = {
	{ "FORCE", MNT_FORCE, 0 },
	{ "DETACH", MNT_DETACH, 0 },
	{ "EXPIRE", MNT_EXPIRE, 0 },
	{ "NOFOLLOW", UMOUNT_NOFOLLOW, 0 },
};
TABLE(umount_flags);

static const struct live_name unlinkat_flags[] = { { "AT_REMOVEDIR", AT_REMOVEDIR, 0 } };
TABLE(unlinkat_flags);

static const struct live_name linkat_flags[] = {
	{ "AT_SYMLINK_FOLLOW", AT_SYMLINK_FOLLOW, 0 },
	{ "AT_EMPTY_PATH", AT_EMPTY_PATH, 0 },
};
TABLE(linkat_flags);

static const struct live_name fchownat_flags[] = {
	{ "AT_SYMLINK_NOFOLLOW", AT_SYMLINK_NOFOLLOW, 0 },
	{ "AT_EMPTY_PATH", AT_EMPTY_PATH, 0 },
};
TABLE(fchownat_flags);

static const struct live_name renameat2_flags[] = {
	{ "RENAME_NOREPLACE", 1, 0 },
	{ "RENAME_EXCHANGE", 2, 0 },
	{ "RENAME_WHITEOUT", 4, 0 },
};
TABLE(renameat2_flags);

static const struct live_name resolve_flags[] = {
	{ "RESOLVE_BENEATH", RESOLVE_BENEATH, 0 },
	{ "RESOLVE_IN_ROOT", RESOLVE_IN_ROOT, 0 },
	{ "RESOLVE_NO_MAGICLINKS", RESOLVE_NO_MAGICLINKS, 0 },
	{ "RESOLVE_NO_SYMLINKS", RESOLVE_NO_SYMLINKS, 0 },
	{ "RESOLVE_NO_XDEV", RESOLVE_NO_XDEV, 0 },
	{ "RESOLVE_CACHED", 0x20, 0 },
};
TABLE(resolve_flags);

static const struct live_name memfd_flags[] = {
	{ "MFD_CLOEXEC", MFD_CLOEXEC, 0 },
	{ "MFD_ALLOW_SEALING", MFD_ALLOW_SEALING, 0 },
	{ "MFD_HUGETLB", MFD_HUGETLB, 0 },
};
TABLE(memfd_flags);

#define MODE_BITS                                                                                  \
	{ "S_IXOTH", S_IXOTH, 0 }, { "S_IWOTH", S_IWOTH, 0 }, { "S_IROTH", S_IROTH, 0 },           \
	{ "S_IXGRP", S_IXGRP, 0 }, { "S_IWGRP", S_IWGRP, 0 }, { "S_IRGRP", S_IRGRP, 0 },           \
	{ "S_IXUSR", S_IXUSR, 0 }, { "S_IWUSR", S_IWUSR, 0 }, { "S_IRUSR", S_IRUSR, 0 },           \
	{ "S_ISVTX", S_ISVTX, 0 }, { "S_ISGID", S_ISGID, 0 }, { "S_ISUID", S_ISUID, 0 }
static const struct live_name mode_bits[] = { MODE_BITS };
TABLE(mode_bits);

/* The types are no bits: those that contain others come first. */
static const struct live_name mknod_bits[] = {
	MODE_BITS,
	{ "S_IFSOCK", S_IFSOCK, 0 },
	{ "S_IFBLK", S_IFBLK, 0 },
	{ "S_IFREG", S_IFREG, 0 },
	{ "S_IFCHR", S_IFCHR, 0 },
	{ "S_IFIFO", S_IFIFO, 0 },
};
TABLE(mknod_bits);

static const struct live_name families[] = {
	{ "AF_UNSPEC", AF_UNSPEC, 0 },	 { "AF_UNIX", AF_UNIX, 0 },	      { "AF_INET", AF_INET, 0 },
	{ "AF_AX25", AF_AX25, 0 },	 { "AF_IPX", AF_IPX, 0 },	      { "AF_APPLETALK", AF_APPLETALK, 0 },
	{ "AF_NETROM", AF_NETROM, 0 },	 { "AF_BRIDGE", AF_BRIDGE, 0 },	      { "AF_ATMPVC", AF_ATMPVC, 0 },
	{ "AF_X25", AF_X25, 0 },	 { "AF_INET6", AF_INET6, 0 },	      { "AF_ROSE", AF_ROSE, 0 },
	{ "AF_DECnet", AF_DECnet, 0 },	 { "AF_NETBEUI", AF_NETBEUI, 0 },     { "AF_SECURITY", AF_SECURITY, 0 },
	{ "AF_KEY", AF_KEY, 0 },	 { "AF_NETLINK", AF_NETLINK, 0 },     { "AF_PACKET", AF_PACKET, 0 },
	{ "AF_ASH", AF_ASH, 0 },	 { "AF_ECONET", AF_ECONET, 0 },	      { "AF_ATMSVC", AF_ATMSVC, 0 },
	{ "AF_RDS", AF_RDS, 0 },	 { "AF_SNA", AF_SNA, 0 },	      { "AF_IRDA", AF_IRDA, 0 },
	{ "AF_PPPOX", AF_PPPOX, 0 },	 { "AF_WANPIPE", AF_WANPIPE, 0 },     { "AF_LLC", AF_LLC, 0 },
	{ "AF_CAN", AF_CAN, 0 },	 { "AF_TIPC", AF_TIPC, 0 },	      { "AF_BLUETOOTH", AF_BLUETOOTH, 0 },
	{ "AF_IUCV", AF_IUCV, 0 },	 { "AF_RXRPC", AF_RXRPC, 0 },	      { "AF_ISDN", AF_ISDN, 0 },
	{ "AF_PHONET", AF_PHONET, 0 },	 { "AF_IEEE802154", AF_IEEE802154, 0 }, { "AF_CAIF", AF_CAIF, 0 },
	{ "AF_ALG", AF_ALG, 0 },	 { "AF_NFC", AF_NFC, 0 },	      { "AF_VSOCK", AF_VSOCK, 0 },
	{ "AF_XDP", 44, 0 },
};
TABLE(families);

static const struct live_name shutdown_how[] = {
	{ "SHUT_RD", SHUT_RD, 0 },
	{ "SHUT_WR", SHUT_WR, 0 },
	{ "SHUT_RDWR", SHUT_RDWR, 0 },
};
const struct live_names live_shutdown = { shutdown_how, ARRAY_LEN(shutdown_how) };

static const struct live_name ptrace[] = {
	{ "PTRACE_TRACEME", 0, 0 },	     { "PTRACE_PEEKTEXT", 1, 0 },	  { "PTRACE_PEEKDATA", 2, 0 },
	{ "PTRACE_PEEKUSR", 3, 0 },	     { "PTRACE_POKETEXT", 4, 0 },	  { "PTRACE_POKEDATA", 5, 0 },
	{ "PTRACE_POKEUSR", 6, 0 },	     { "PTRACE_CONT", 7, 0 },		  { "PTRACE_KILL", 8, 0 },
	{ "PTRACE_SINGLESTEP", 9, 0 },	     { "PTRACE_GETREGS", 12, 0 },	  { "PTRACE_SETREGS", 13, 0 },
	{ "PTRACE_GETFPREGS", 14, 0 },	     { "PTRACE_SETFPREGS", 15, 0 },	  { "PTRACE_ATTACH", 16, 0 },
	{ "PTRACE_DETACH", 17, 0 },	     { "PTRACE_GETFPXREGS", 18, 0 },	  { "PTRACE_SETFPXREGS", 19, 0 },
	{ "PTRACE_OLDSETOPTIONS", 21, 0 },   { "PTRACE_SYSCALL", 24, 0 },	  { "PTRACE_GET_THREAD_AREA", 25, 0 },
	{ "PTRACE_SET_THREAD_AREA", 26, 0 }, { "PTRACE_ARCH_PRCTL", 30, 0 },	  { "PTRACE_SYSEMU", 31, 0 },
	{ "PTRACE_SYSEMU_SINGLESTEP", 32, 0 }, { "PTRACE_SINGLEBLOCK", 33, 0 },	  { "PTRACE_SETOPTIONS", 0x4200, 0 },
	{ "PTRACE_GETEVENTMSG", 0x4201, 0 }, { "PTRACE_GETSIGINFO", 0x4202, 0 },  { "PTRACE_SETSIGINFO", 0x4203, 0 },
	{ "PTRACE_GETREGSET", 0x4204, 0 },   { "PTRACE_SETREGSET", 0x4205, 0 },	  { "PTRACE_SEIZE", 0x4206, 0 },
	{ "PTRACE_INTERRUPT", 0x4207, 0 },   { "PTRACE_LISTEN", 0x4208, 0 },	  { "PTRACE_PEEKSIGINFO", 0x4209, 0 },
	{ "PTRACE_GETSIGMASK", 0x420a, 0 },  { "PTRACE_SETSIGMASK", 0x420b, 0 },
};
TABLE(ptrace);

/* By number: headers differ in how many they know. */
static const struct live_name bpf_commands[] = {
	{ "BPF_MAP_CREATE", 0, 0 },
	{ "BPF_MAP_LOOKUP_ELEM", 1, 0 },
	{ "BPF_MAP_UPDATE_ELEM", 2, 0 },
	{ "BPF_MAP_DELETE_ELEM", 3, 0 },
	{ "BPF_MAP_GET_NEXT_KEY", 4, 0 },
	{ "BPF_PROG_LOAD", 5, 0 },
	{ "BPF_OBJ_PIN", 6, 0 },
	{ "BPF_OBJ_GET", 7, 0 },
	{ "BPF_PROG_ATTACH", 8, 0 },
	{ "BPF_PROG_DETACH", 9, 0 },
	{ "BPF_PROG_TEST_RUN", 10, 0 },
	{ "BPF_PROG_GET_NEXT_ID", 11, 0 },
	{ "BPF_MAP_GET_NEXT_ID", 12, 0 },
	{ "BPF_PROG_GET_FD_BY_ID", 13, 0 },
	{ "BPF_MAP_GET_FD_BY_ID", 14, 0 },
	{ "BPF_OBJ_GET_INFO_BY_FD", 15, 0 },
	{ "BPF_PROG_QUERY", 16, 0 },
	{ "BPF_RAW_TRACEPOINT_OPEN", 17, 0 },
	{ "BPF_BTF_LOAD", 18, 0 },
	{ "BPF_BTF_GET_FD_BY_ID", 19, 0 },
	{ "BPF_TASK_FD_QUERY", 20, 0 },
	{ "BPF_MAP_LOOKUP_AND_DELETE_ELEM", 21, 0 },
	{ "BPF_MAP_FREEZE", 22, 0 },
	{ "BPF_BTF_GET_NEXT_ID", 23, 0 },
	{ "BPF_MAP_LOOKUP_BATCH", 24, 0 },
	{ "BPF_MAP_LOOKUP_AND_DELETE_BATCH", 25, 0 },
	{ "BPF_MAP_UPDATE_BATCH", 26, 0 },
	{ "BPF_MAP_DELETE_BATCH", 27, 0 },
	{ "BPF_LINK_CREATE", 28, 0 },
	{ "BPF_LINK_UPDATE", 29, 0 },
	{ "BPF_LINK_GET_FD_BY_ID", 30, 0 },
	{ "BPF_LINK_GET_NEXT_ID", 31, 0 },
	{ "BPF_ENABLE_STATS", 32, 0 },
	{ "BPF_ITER_CREATE", 33, 0 },
	{ "BPF_LINK_DETACH", 34, 0 },
	{ "BPF_PROG_BIND_MAP", 35, 0 },
	{ "BPF_TOKEN_CREATE", 36, 0 },
};
TABLE(bpf_commands);

static const struct live_name prctl_options[] = {
	{ "PR_GET_DUMPABLE", PR_GET_DUMPABLE, 0 },
	{ "PR_SET_DUMPABLE", PR_SET_DUMPABLE, 0 },
	{ "PR_GET_KEEPCAPS", PR_GET_KEEPCAPS, 0 },
	{ "PR_SET_KEEPCAPS", PR_SET_KEEPCAPS, 0 },
	{ "PR_SET_NAME", PR_SET_NAME, 0 },
	{ "PR_GET_NAME", PR_GET_NAME, 0 },
	{ "PR_GET_SECCOMP", PR_GET_SECCOMP, 0 },
	{ "PR_SET_SECCOMP", PR_SET_SECCOMP, 0 },
	{ "PR_CAPBSET_READ", PR_CAPBSET_READ, 0 },
	{ "PR_CAPBSET_DROP", PR_CAPBSET_DROP, 0 },
	{ "PR_GET_SECUREBITS", PR_GET_SECUREBITS, 0 },
	{ "PR_SET_SECUREBITS", PR_SET_SECUREBITS, 0 },
	{ "PR_MCE_KILL", PR_MCE_KILL, 0 },
	{ "PR_SET_MM", PR_SET_MM, 0 },
	{ "PR_SET_PTRACER", PR_SET_PTRACER, 0 },
	{ "PR_SET_CHILD_SUBREAPER", PR_SET_CHILD_SUBREAPER, 0 },
	{ "PR_GET_CHILD_SUBREAPER", PR_GET_CHILD_SUBREAPER, 0 },
	{ "PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS, 0 },
	{ "PR_GET_NO_NEW_PRIVS", PR_GET_NO_NEW_PRIVS, 0 },
	{ "PR_GET_TID_ADDRESS", PR_GET_TID_ADDRESS, 0 },
	{ "PR_SET_THP_DISABLE", PR_SET_THP_DISABLE, 0 },
	{ "PR_GET_THP_DISABLE", PR_GET_THP_DISABLE, 0 },
	{ "PR_CAP_AMBIENT", PR_CAP_AMBIENT, 0 },
};
TABLE(prctl_options);

#define SIGNAL(name) { #name, name, 0 }
static const struct live_name signals[] = {
	SIGNAL(SIGHUP),	 SIGNAL(SIGINT),  SIGNAL(SIGQUIT), SIGNAL(SIGILL),    SIGNAL(SIGTRAP), SIGNAL(SIGABRT),
	SIGNAL(SIGBUS),	 SIGNAL(SIGFPE),  SIGNAL(SIGKILL), SIGNAL(SIGUSR1),   SIGNAL(SIGSEGV), SIGNAL(SIGUSR2),
	SIGNAL(SIGPIPE), SIGNAL(SIGALRM), SIGNAL(SIGTERM), SIGNAL(SIGSTKFLT), SIGNAL(SIGCHLD), SIGNAL(SIGCONT),
	SIGNAL(SIGSTOP), SIGNAL(SIGTSTP), SIGNAL(SIGTTIN), SIGNAL(SIGTTOU),   SIGNAL(SIGURG),  SIGNAL(SIGXCPU),
	SIGNAL(SIGXFSZ), SIGNAL(SIGVTALRM), SIGNAL(SIGPROF), SIGNAL(SIGWINCH), SIGNAL(SIGIO),  SIGNAL(SIGPWR),
	SIGNAL(SIGSYS),
};
TABLE(signals);

struct slice live_enum_text(const struct live_names *n, uint32_t value)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->rows[i].value == value)
			return slice_of(n->rows[i].name);
	return SLICE_NONE;
}

struct slice live_flags_text(struct arena *scratch, const struct live_names *n, uint32_t value)
{
	struct slice whole = live_enum_text(n, value);
	size_t bytes = 0, at = 0;

	if (whole.n)
		return whole;
	for (size_t i = 0; i < n->count; i++)
		bytes += strlen(n->rows[i].name) + 1;
	char *text = value ? arena_alloc(scratch, bytes) : NULL;
	for (size_t i = 0; text && i < n->count; i++) {
		const struct live_name *row = &n->rows[i];
		size_t length = strlen(row->name);

		if (!row->value || (value & row->value) != row->value)
			continue;
		if (at)
			text[at++] = '|';
		memcpy(text + at, row->name, length);
		at += length;
		value &= ~row->value; /* O_RDWR is not O_RDONLY and O_WRONLY, too */
	}
	return slice_from(text, at);
}

uint32_t live_falco_open_flags(uint32_t flags)
{
	static const struct {
		uint32_t kernel, falco;
	} bits[] = {
		{ O_CREAT, 1 << 2 },	{ O_APPEND, 1 << 3 },	      { O_EXCL, 1 << 5 },
		{ O_NONBLOCK, 1 << 6 }, { O_TRUNC, 1 << 8 },	      { O_DIRECT, 1 << 9 },
		{ O_DSYNC, 1 << 4 },	{ OPEN_LARGEFILE, 1 << 11 },  { O_CLOEXEC, 1 << 12 },
		{ O_SYNC, 1 << 7 },	{ O_TMPFILE, 1 << 13 },	      { O_DIRECTORY, 1 << 10 },
	};
	uint32_t access = flags & O_ACCMODE;
	uint32_t out = access == O_WRONLY ? OPEN_WRITE : access == O_RDWR ? OPEN_READ | OPEN_WRITE : OPEN_READ;

	for (size_t i = 0; i < ARRAY_LEN(bits); i++)
		if ((flags & bits[i].kernel) == bits[i].kernel)
			out |= bits[i].falco;
	return out;
}

uint32_t live_falco_flags(const struct live_names *n, uint32_t value)
{
	uint32_t out = 0;

	for (size_t i = 0; i < n->count; i++)
		if (n->rows[i].value && (value & n->rows[i].value) == n->rows[i].value)
			out |= n->rows[i].falco ? n->rows[i].falco : n->rows[i].value;
	return out;
}

struct slice live_error_name(struct arena *scratch, int64_t ret)
{
	enum { RESTART_MIN = 512, RESTART_MAX = 516 }; /* the kernel's own: the call goes on after a signal */

	if (ret >= 0)
		return SLICE_LIT("SUCCESS");
	if (-ret >= RESTART_MIN && -ret <= RESTART_MAX)
		return SLICE_LIT("ERESTARTSYS");
	const char *name = -ret < RESTART_MIN ? strerrorname_np((int)-ret) : NULL;
	return slice_of(name ? name : arena_printf(scratch, "E%lld", -(long long)ret));
}
