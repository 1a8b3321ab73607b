/* Fields of system calls: for each family one event as the probe makes it, and what it gives. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live_world.h"

#define CALLER                                                                                     \
	.type = EV_CALL, .boot_ns = 5000000000, .unix_ns = 1700000005000000000, .p = { .pid = 20, .tid = 20, .vpid = 1,   \
		.ppid = 10, .start_ns = 3000000000, .session_id = 20, .group_id = 20, .login_uid = UINT32_MAX,          \
		.name = SLICE_LIT("sh"), .parent_name = SLICE_LIT("containerd-shim"), .cap_effective = 1 }
#define IPV4(a, b, c, d, p) { .address = { a, b, c, d }, .port = p }
#define MAPPED(a, b, c, d, p) { .address = { [10] = 0xff, 0xff, a, b, c, d }, .port = p }

struct row {
	const char *what;
	struct event event;
	const char *conditions[12];
};

static void assert_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ARRAY_LEN(rows[i].conditions) && rows[i].conditions[k]; k++)
			if (!eval(NULL, &rows[i].event, rows[i].conditions[k]))
				fail_msg("%s: not true: %s", rows[i].what, rows[i].conditions[k]);
}

static void an_open_gives_its_file_and_how_it_was_opened(void **state)
{
	static const struct row rows[] = {
		{ "openat of a link",
		  { CALLER, .call = { .call = CALL_OPENAT, .family = FAMILY_OPEN, .ret = 3, .fd = 3,
				      .arg = { (uint32_t)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC, 0 },
				      .file_flags = O_RDONLY | O_CLOEXEC, .file_mode = S_IFREG | 0644,
				      .file_dev = 0xfd00, .file_inode = 42, .file_upper_layer = true,
				      .path = SLICE_LIT("/etc/shadow"), .raw = SLICE_LIT("..//../tmp/x") } },
		  { "evt.type = openat and evt.res = SUCCESS and evt.rawres = 3 and evt.failed = false",
		    "fd.name = /etc/shadow and fd.directory = /etc and fd.filename = shadow and fd.num = 3",
		    "fd.nameraw = ../../tmp/x and fs.path.name = /etc/shadow and fs.path.nameraw = ..//../tmp/x",
		    "fd.type = file and fd.typechar = f and fd.ino = 42 and fd.dev = 64768 and fd.dev.major = 253",
		    "fd.is_upper_layer = true and fd.is_lower_layer = false and fd.containername = host:/etc/shadow",
		    "evt.is_open_read = true and evt.is_open_write = false and evt.is_open_create = false",
		    "evt.arg.flags = 'O_RDONLY|O_CLOEXEC|FD_UPPER_LAYER' and evt.rawarg.flags = 4097",
		    "evt.arg.fd = <f>/etc/shadow and evt.rawarg.fd = 3 and evt.arg.name = /etc/shadow",
		    "evt.arg.dirfd = AT_FDCWD and evt.arg[0] = <f>/etc/shadow and evt.abspath = /etc/shadow",
		    "evt.args = 'fd=3(<f>/etc/shadow) dirfd=-100(AT_FDCWD) name=/etc/shadow flags=4097(O_RDONLY|O_CLOEXEC|FD_UPPER_LAYER) mode=0 dev=FD00 ino=42'",
		    "not fd.ip exists and not fd.sip.name exists and evt.category = file and evt.is_io = false",
		    "proc.name = sh and proc.cmdline = 'sh -c x y' and proc.exepath = /bin/dash and proc.cwd = /srv/" } },
		{ "open that makes a program",
		  { CALLER, .call = { .call = CALL_OPEN, .family = FAMILY_OPEN, .ret = 4, .fd = 4,
				      .arg = { 0, O_RDWR | O_CREAT | O_TRUNC, 0755 }, .file_flags = O_RDWR | O_CREAT | O_TRUNC,
				      .file_mode = S_IFREG | 0755, .path = SLICE_LIT("/a"), .raw = SLICE_LIT("/a") } },
		  { "evt.arg.flags = 'O_TRUNC|O_CREAT|O_RDWR' and evt.arg.mode = 0755",
		    "evt.is_open_read = true and evt.is_open_write = true and evt.is_open_create = true",
		    "evt.is_open_exec = true and fd.directory = / and fd.filename = a" } },
		{ "open that failed",
		  { CALLER, .call = { .call = CALL_OPENAT, .family = FAMILY_OPEN, .ret = -2, .fd = -1, .arg = { 5, 0, 0, 0 },
				      .path = SLICE_LIT("/etc/nothing"), .raw = SLICE_LIT("nothing"),
				      .base = SLICE_LIT("/etc") } },
		  { "evt.res = ENOENT and evt.res startswith E and evt.rawres = -2 and evt.failed = true",
		    "fd.num = -1 and fd.typechar = f and fd.name = /etc/nothing and fd.directory = /etc",
		    "not fd.type exists and not fd.filename exists and not fs.path.name exists",
		    "evt.arg.fd = ENOENT and evt.arg.dirfd = <d>/etc and evt.count.error.file = 1",
		    "not evt.count.error.net exists and evt.arg.name = /etc/nothing and fd.nameraw = nothing" } },
		{ "creat",
		  { CALLER, .call = { .call = CALL_CREAT, .family = FAMILY_OPEN, .ret = 5, .fd = 5, .arg = { 0, 0644 },
				      .file_flags = O_WRONLY | O_CREAT | O_TRUNC, .file_mode = S_IFREG | 0644,
				      .path = SLICE_LIT("/dev/x"), .raw = SLICE_LIT("/dev/x") } },
		  { "evt.type = creat and evt.is_open_create = true and evt.is_open_exec = false and fd.directory = /dev",
		    "evt.is_open_write = true and evt.is_open_read = false and evt.arg.mode = 0644" } },
		{ "a directory",
		  { CALLER, .call = { .call = CALL_OPENAT2, .family = FAMILY_OPEN, .ret = 0, .fd = 0,
				      .file_flags = O_DIRECTORY, .file_mode = S_IFDIR | 0755, .path = SLICE_LIT("/etc/x"),
				      .raw = SLICE_LIT("/etc/x") } },
		  { "fd.typechar = d and fd.type = directory and fd.directory = /etc/x and not fd.filename exists",
		    "fd.num = 0 and evt.arg.flags = 'O_DIRECTORY|O_RDONLY'" } },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void a_socket_gives_both_its_ends(void **state)
{
	static const struct row rows[] = {
		{ "connect",
		  { CALLER, .call = { .call = CALL_CONNECT, .family = FAMILY_SOCK, .ret = -115, .fd = 6, .arg = { 6 },
				      .sock_family = AF_INET, .sock_type = SOCK_STREAM, .sock_protocol = 6,
				      .local = IPV4(172, 17, 0, 2, 43210), .remote = IPV4(10, 0, 0, 1, 443) } },
		  { "evt.res = EINPROGRESS and fd.num = 6 and fd.name = 172.17.0.2:43210->10.0.0.1:443",
		    "fd.typechar = 4 and fd.type = ipv4 and fd.l4proto = tcp and fd.sockfamily = ip",
		    "fd.cip = 172.17.0.2 and fd.sip = 10.0.0.1 and fd.lip = 172.17.0.2 and fd.rip = 10.0.0.1",
		    "fd.cport = 43210 and fd.sport = 443 and fd.lport = 43210 and fd.rport = 443 and fd.sproto = 443",
		    "fd.ip = 10.0.0.1 and fd.ip = 172.17.0.2 and not fd.ip = 10.0.0.2 and fd.ip != 10.0.0.2",
		    "not fd.ip != 10.0.0.1 and fd.port = 443 and fd.port in (43210) and fd.net = 10.0.0.0/8",
		    "fd.snet in (10.0.0.0/8) and not fd.snet in (192.168.0.0/16) and fd.rnet = 10.0.0.0/8",
		    "fd.sip.name = metadata.example and fd.rip.name in (kube.example) and not fd.sip.name = other.example",
		    "not fd.sip.name != kube.example and fd.lip.name != kube.example and fd.is_server = false",
		    "evt.arg.tuple = 172.17.0.2:43210->10.0.0.1:443 and evt.arg.addr = 10.0.0.1:443 and evt.arg.res = EINPROGRESS",
		    "evt.arg.fd = <4t>172.17.0.2:43210->10.0.0.1:443 and fd.name_changed = true and fd.connected = false",
		    "evt.category = net and not fd.filename exists and not fd.directory exists and not fs.path.name exists" } },
		{ "accept",
		  { CALLER, .call = { .call = CALL_ACCEPT4, .family = FAMILY_SOCK, .ret = 7, .fd = 7, .arg = { 3, 0, 0, 0 },
				      .sock_family = AF_INET, .sock_type = SOCK_STREAM, .sock_protocol = 6,
				      .is_sock_connected = true, .local = IPV4(172, 17, 0, 2, 80),
				      .remote = IPV4(10, 0, 0, 9, 5555) } },
		  { "fd.name = 10.0.0.9:5555->172.17.0.2:80 and fd.cip = 10.0.0.9 and fd.sip = 172.17.0.2",
		    "fd.lip = 172.17.0.2 and fd.rip = 10.0.0.9 and fd.lport = 80 and fd.is_server = true",
		    "fd.connected = true and evt.rawres >= 0 and evt.arg.tuple = 10.0.0.9:5555->172.17.0.2:80" } },
		{ "listen",
		  { CALLER, .call = { .call = CALL_LISTEN, .family = FAMILY_SOCK, .fd = 3, .arg = { 3, 128 },
				      .sock_family = AF_INET, .sock_type = SOCK_STREAM, .sock_protocol = 6,
				      .is_sock_listening = true, .local = IPV4(0, 0, 0, 0, 8080) } },
		  { "fd.name = 0.0.0.0:8080 and fd.sip = 0.0.0.0 and fd.sport = 8080 and not fd.cip exists",
		    "not fd.lip exists and fd.is_server = true and fd.port = 8080 and evt.arg.backlog = 128" } },
		{ "IPv4 by a socket of IPv6",
		  { CALLER, .call = { .call = CALL_CONNECT, .family = FAMILY_SOCK, .fd = 3, .sock_family = AF_INET6,
				      .sock_type = SOCK_STREAM, .sock_protocol = 6, .local = MAPPED(10, 1, 1, 1, 40000),
				      .remote = MAPPED(169, 254, 169, 254, 80) } },
		  { "fd.sip = 169.254.169.254 and fd.typechar = 4 and fd.name = 10.1.1.1:40000->169.254.169.254:80" } },
		{ "IPv6",
		  { CALLER, .call = { .call = CALL_CONNECT, .family = FAMILY_SOCK, .fd = 3, .sock_family = AF_INET6,
				      .sock_type = SOCK_STREAM, .sock_protocol = 6,
				      .local = { .address = { [15] = 1 }, .port = 40000 },
				      .remote = { .address = { 0x20, 1, 0xd, 0xb8, [15] = 5 }, .port = 22 } } },
		  { "fd.sip = 2001:db8::5 and fd.typechar = 6 and fd.type = ipv6 and fd.net = 2001:db8::/32",
		    "fd.name = ::1:40000->2001:db8::5:22" } },
		{ "a datagram to nobody in particular",
		  { CALLER, .call = { .call = CALL_SENDTO, .family = FAMILY_SOCK, .ret = 5, .fd = 3, .arg = { 3, 0, 5 },
				      .sock_family = AF_INET, .sock_type = SOCK_DGRAM, .sock_protocol = 17,
				      .local = IPV4(172, 17, 0, 2, 40000), .remote = IPV4(8, 8, 8, 8, 53),
				      .data = SLICE_LIT("\xca\xfe\xba\xbe!") } },
		  { "fd.l4proto = udp and fd.connected = false and fd.name_changed = true and fd.sip = 8.8.8.8",
		    "evt.buffer bcontains cafebabe and evt.buflen = 5 and evt.is_io_write = true and evt.io_dir = write",
		    "evt.arg.size = 5 and evt.category = net" } },
		{ "a connection by io_uring, still to be made",
		  { CALLER, .call = { .call = CALL_CONNECT, .family = FAMILY_SOCK, .is_uring = true, .fd = 3,
				      .arg = { 3 }, .sock_family = AF_INET, .sock_type = SOCK_STREAM, .sock_protocol = 6,
				      .remote = IPV4(169, 254, 169, 254, 80) } },
		  { "evt.rawres >= 0 and fd.ip != 0.0.0.0 and fd.net != 127.0.0.0/8 and fd.sip = 169.254.169.254",
		    "fd.ip = 169.254.169.254 and not fd.ip = 0.0.0.0 and fd.name = 0.0.0.0:0->169.254.169.254:80" } },
		{ "a datagram of a connected socket",
		  { CALLER, .call = { .call = CALL_SENDMSG, .family = FAMILY_SOCK, .ret = 5, .fd = 3, .sock_family = AF_INET,
				      .sock_type = SOCK_DGRAM, .is_sock_connected = true,
				      .local = IPV4(1, 1, 1, 1, 40000), .remote = IPV4(8, 8, 8, 8, 53) } },
		  { "fd.connected = true and fd.name_changed = false and fd.l4proto = udp" } },
		{ "a datagram that came",
		  { CALLER, .call = { .call = CALL_RECVFROM, .family = FAMILY_SOCK, .ret = 5, .fd = 3, .sock_family = AF_INET,
				      .sock_type = SOCK_DGRAM, .local = IPV4(172, 17, 0, 2, 53),
				      .remote = IPV4(10, 0, 0, 9, 5353) } },
		  { "fd.cip = 10.0.0.9 and fd.sport = 53 and fd.name_changed = true and evt.is_io_read = true" } },
		{ "a socket of files",
		  { CALLER, .call = { .call = CALL_CONNECT, .family = FAMILY_SOCK, .fd = 3, .sock_family = AF_UNIX,
				      .sock_type = SOCK_STREAM, .path = SLICE_LIT("/run/docker.sock") } },
		  { "fd.name = /run/docker.sock and fd.typechar = u and fd.type = unix and fd.sockfamily = unix",
		    "not fd.ip exists and not fd.l4proto exists and evt.arg.tuple = /run/docker.sock" } },
		{ "a new packet socket",
		  { CALLER, .call = { .call = CALL_SOCKET, .family = FAMILY_SOCK, .ret = 3, .fd = 3,
				      .arg = { AF_PACKET, SOCK_RAW, 768 }, .sock_family = AF_PACKET, .sock_type = SOCK_RAW } },
		  { "evt.arg.domain = AF_PACKET and evt.arg.domain contains AF_PACKET and evt.rawarg.domain = 17",
		    "evt.arg.type = 3 and not fd.name exists and fd.num = 3" } },
		{ "a shell on a connection",
		  { CALLER, .call = { .call = CALL_DUP2, .family = FAMILY_FD, .ret = 0, .fd = 0, .arg = { 3, 0 },
				      .file_mode = S_IFSOCK | 0777, .sock_family = AF_INET, .sock_type = SOCK_STREAM,
				      .sock_protocol = 6, .is_sock_connected = true, .local = IPV4(172, 17, 0, 2, 40000),
				      .remote = IPV4(6, 6, 6, 6, 4444) } },
		  { "evt.rawres in (0, 1, 2) and fd.type in (ipv4, ipv6) and fd.num = 0 and fd.sip = 6.6.6.6",
		    "fd.name = 172.17.0.2:40000->6.6.6.6:4444 and evt.arg.oldfd startswith <4t> and evt.category = net" } },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void calls_on_paths_give_them_resolved_and_as_written(void **state)
{
	static const struct row rows[] = {
		{ "unlinkat",
		  { CALLER, .call = { .call = CALL_UNLINKAT, .family = FAMILY_PATH, .arg = { 4, 0, AT_REMOVEDIR },
				      .path = SLICE_LIT("/root/.bash_history"), .raw = SLICE_LIT("./.bash_history"),
				      .base = SLICE_LIT("/root") } },
		  { "evt.arg.name = /root/.bash_history and evt.arg.flags = AT_REMOVEDIR and evt.rawarg.name = ./.bash_history",
		    "fs.path.name = /root/.bash_history and fs.path.nameraw = ./.bash_history and not fd.name exists",
		    "evt.args = 'res=0 dirfd=4(<d>/root) name=/root/.bash_history flags=512(AT_REMOVEDIR)'",
		    "not fd.num exists and not fs.path.source exists and not evt.arg.path exists" } },
		{ "chmod",
		  { CALLER, .call = { .call = CALL_CHMOD, .family = FAMILY_PATH, .arg = { 0, 04755 },
				      .path = SLICE_LIT("/tmp/su"), .raw = SLICE_LIT("/tmp/su") } },
		  { "evt.arg.mode contains S_ISUID and evt.arg.mode contains S_IXOTH and evt.arg.filename = /tmp/su",
		    "evt.arg.mode = 'S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID'",
		    "evt.rawarg.mode = 2541" } },
		{ "fchmod",
		  { CALLER, .call = { .call = CALL_FCHMOD, .family = FAMILY_FD, .fd = 3, .arg = { 3, 0111 },
				      .file_mode = S_IFREG, .path = SLICE_LIT("/tmp/x") } },
		  { "fd.name = /tmp/x and evt.arg.mode = 'S_IXOTH|S_IXGRP|S_IXUSR' and evt.arg.fd = <f>/tmp/x",
		    "fs.path.name = /tmp/x" } },
		{ "mkdirat",
		  { CALLER, .call = { .call = CALL_MKDIRAT, .family = FAMILY_PATH, .arg = { (uint32_t)AT_FDCWD, 0, 0755 },
				      .path = SLICE_LIT("/usr/bin/x"), .raw = SLICE_LIT("x") } },
		  { "evt.arg.path startswith /usr/bin/ and evt.arg.mode = 1ED and evt.abspath = /usr/bin/x" } },
		{ "renameat2",
		  { CALLER, .call = { .call = CALL_RENAMEAT2, .family = FAMILY_PATHS, .arg = { 3, 0, 4, 0, 1 },
				      .path = SLICE_LIT("/usr/bin/ls"), .raw = SLICE_LIT("ls"), .path2 = SLICE_LIT("/tmp/ls"),
				      .raw2 = SLICE_LIT("../tmp/ls"), .base2 = SLICE_LIT("/usr") } },
		  { "evt.arg.oldpath = /usr/bin/ls and evt.arg.newpath = /tmp/ls and evt.arg.flags = RENAME_NOREPLACE",
		    "fs.path.source = /usr/bin/ls and fs.path.target = /tmp/ls and fs.path.targetraw = ../tmp/ls",
		    "evt.abspath.src = /usr/bin/ls and evt.abspath.dst = /tmp/ls and evt.arg.newdirfd = <d>/usr" } },
		{ "symlink",
		  { CALLER, .call = { .call = CALL_SYMLINK, .family = FAMILY_PATHS, .path = SLICE_LIT("/etc/shadow"),
				      .raw = SLICE_LIT("../etc/shadow"), .path2 = SLICE_LIT("/tmp/x"), .raw2 = SLICE_LIT("x") } },
		  { "evt.arg.target = /etc/shadow and evt.arg.linkpath = /tmp/x and fs.path.target = /etc/shadow",
		    "fs.path.targetraw = ../etc/shadow and fs.path.source = /tmp/x" } },
		{ "link that failed",
		  { CALLER, .call = { .call = CALL_LINK, .family = FAMILY_PATHS, .ret = -1, .path = SLICE_LIT("/etc/shadow"),
				      .raw = SLICE_LIT("/etc/shadow"), .path2 = SLICE_LIT("/x"), .raw2 = SLICE_LIT("/x") } },
		  { "evt.arg.res = EPERM and evt.arg.oldpath = /etc/shadow and not fs.path.source exists" } },
		{ "mount",
		  { CALLER, .call = { .call = CALL_MOUNT, .family = FAMILY_PATHS, .arg = { 0, 0, 0, 4096 | 1 },
				      .path = SLICE_LIT("/"), .raw = SLICE_LIT("/"), .path2 = SLICE_LIT("/mnt"),
				      .raw2 = SLICE_LIT("/mnt") } },
		  { "evt.arg.dev = / and evt.arg.dir = /mnt and evt.arg.flags = 'RDONLY|BIND' and not evt.arg.type exists" } },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void plain_calls_give_their_arguments_by_name(void **state)
{
	static const struct row rows[] = {
		{ "setuid", { CALLER, .call = { .call = CALL_SETUID, .family = FAMILY_PLAIN, .arg = { 33 } } },
		  { "evt.arg.uid = u33 and evt.rawarg.uid = 33 and evt.args = 'res=0 uid=33(u33)' and evt.category = user",
		    "not fd.num exists and not fd.typechar exists" } },
		{ "unshare",
		  { CALLER, .call = { .call = CALL_UNSHARE, .family = FAMILY_PLAIN, .arg = { 0x10000000 | 0x20000 } } },
		  { "evt.arg.flags = 'CLONE_NEWNS|CLONE_NEWUSER' and evt.arg.flags contains CLONE_NEWUSER" } },
		{ "setns",
		  { CALLER, .call = { .call = CALL_SETNS, .family = FAMILY_FD, .fd = 3, .arg = { 3, 0 },
				      .path = SLICE_LIT("net:[4026531840]"), .target_ns_type = 0x40000000 } },
		  { "evt.arg.nstype = CLONE_NEWNET and fd.num = 3" } },
		{ "ptrace", { CALLER, .call = { .call = CALL_PTRACE, .family = FAMILY_PLAIN, .arg = { 16, 10, 0, 0 } } },
		  { "evt.arg.request = PTRACE_ATTACH and evt.arg.request contains PTRACE_ATTACH and evt.rawarg.pid = 10",
		    "not evt.arg.request contains PTRACE_TRACEME" } },
		{ "bpf", { CALLER, .call = { .call = CALL_BPF, .family = FAMILY_PLAIN, .ret = 9, .arg = { 5 } } },
		  { "evt.arg.cmd = BPF_PROG_LOAD and evt.arg.cmd != BPF_MAP_CREATE and fd.num = 9 and fd.typechar = b" } },
		{ "kill", { CALLER, .call = { .call = CALL_KILL, .family = FAMILY_PLAIN, .arg = { 10, 9 } } },
		  { "evt.arg.sig = SIGKILL and evt.rawarg.pid = 10 and evt.category = signal" } },
		{ "memfd_create",
		  { CALLER, .call = { .call = CALL_MEMFD_CREATE, .family = FAMILY_PLAIN, .ret = 3, .arg = { 0, 1 },
				      .raw = SLICE_LIT("x") } },
		  { "evt.arg.name = x and evt.arg.flags = MFD_CLOEXEC and fd.typechar = m and fd.name = x" } },
		{ "userfaultfd", { CALLER, .call = { .call = CALL_USERFAULTFD, .family = FAMILY_PLAIN, .ret = -1 } },
		  { "evt.res != SUCCESS and evt.res = EPERM and fd.num = -1" } },
		{ "a module from memory",
		  { CALLER, .call = { .call = CALL_INIT_MODULE, .family = FAMILY_PLAIN, .ret = -38, .arg = { 1, 77 } } },
		  { "evt.res = ENOSYS and evt.arg.length = 77" } },
		{ "a program that could not be started",
		  { CALLER, .call = { .call = CALL_EXECVE, .family = FAMILY_EXEC, .ret = -13, .path = SLICE_LIT("/tmp/x"),
				      .raw = SLICE_LIT("./x"), .base = SLICE_LIT("/tmp") } },
		  { "evt.type = execve and evt.res = EACCES and evt.arg.filename = /tmp/x and proc.name = sh",
		    "proc.exe = sh and proc.args = '-c x y' and proc.pname = containerd-shim and evt.arg.exe = sh",
		    "proc.is_exe_from_memfd = true and not proc.env exists and proc.exe_ino.ctime_duration_pidns_start = 1500000000" } },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

/* Every call has a name and arguments that can be asked for, whatever is in the record. */
static void hostile_numbers_and_empty_records_give_values_or_none(void **state)
{
	static const char *const fields[] = { "evt.args", "evt.arg[0]", "evt.arg.flags", "evt.arg.mode", "fd.name", "fd.type",
					      "fd.typechar", "fd.directory", "fd.filename", "fd.nameraw", "fd.sip", "fd.cip.name",
					      "fd.uid", "evt.category", "evt.res", "fs.path.name", "fs.path.source", "evt.abspath" };

	(void)state;
	for (unsigned c = 0; c < CALL_COUNT; c++)
		for (unsigned k = 0; k < 6; k++) {
			struct event e = { CALLER, .call = { .call = (enum call)c } };
			char condition[100];

			e.call.family = (enum call_family)(k % FAMILY_COUNT);
			e.call.ret = k & 1 ? INT64_MIN + 1 : -4096;
			memset(e.call.arg, k & 2 ? 0xff : 0, sizeof(e.call.arg));
			e.call.sock_family = k & 1 ? AF_INET6 : 0xffff;
			e.call.file_mode = 0xffff;
			e.call.fd = k & 4 ? -1 : INT32_MAX;
			for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
				snprintf(condition, sizeof(condition), "%s exists or not %s exists", fields[f], fields[f]);
				assert_true(eval(NULL, &e, condition));
			}
		}
}

static void what_proc_tells_is_asked_of_this_very_process(void **state)
{
	struct event e = { CALLER };
	static const char *const conditions[] = {
		"proc.nthreads = 1 and proc.nchilds = 0 and proc.vmsize > 0 and proc.vmrss > 0 and proc.vmswap >= 0",
		"proc.fdopencount > 0 and proc.fdlimit > 0 and proc.fdusage >= 0 and thread.vtid = 1",
		"proc.stdin.type = pipe and proc.stdin.name startswith 'pipe:[' and fd.types[0] intersects (pipe)",
		"fd.types intersects (pipe)",
	};
	char text[1024];
	int ends[2], saved = dup(0);
	FILE *f = fopen("/proc/self/stat", "r");

	(void)state;
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	char *at = strrchr(text, ')');
	for (unsigned i = 0; i < 20; i++)
		at = strchr(at + 1, ' ');
	e.p.pid = e.p.tid = (uint32_t)getpid();
	e.p.start_ns = strtoull(at, NULL, 10) * 10000000;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[0], 0), 0);
	assert_all(NULL, &e, conditions, ARRAY_LEN(conditions));
	e.p.start_ns += 100000000;
	assert_true(eval(NULL, &e, "not proc.nthreads exists and not proc.stdin.name exists"));
	assert_int_equal(dup2(saved, 0), 0);
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open_gives_its_file_and_how_it_was_opened),
		cmocka_unit_test(a_socket_gives_both_its_ends),
		cmocka_unit_test(calls_on_paths_give_them_resolved_and_as_written),
		cmocka_unit_test(plain_calls_give_their_arguments_by_name),
		cmocka_unit_test(hostile_numbers_and_empty_records_give_values_or_none),
		cmocka_unit_test(what_proc_tells_is_asked_of_this_very_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
