/* test_calls_fd.c - calls on descriptors, calls that are all arguments, programs that did not start, and
 * the same by 32-bit calls. */
#include "tests/agent/probe/watch_calls.h"
#include "tests/e2e/actions/compat.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char dir[64];

static const char *in_dir(const char *name)
{
	static char buf[128];

	snprintf(buf, sizeof(buf), "%s/%s", dir, name);
	return buf;
}

/* A kernel without modules has no tracepoint for their calls. */
static bool may_be_unseen(const struct watch *w, pid_t pid, enum call c)
{
	return watch_mode == PROBE_PER_CALL && !watch_count(w, pid, c) &&
	       (c == CALL_INIT_MODULE || c == CALL_FINIT_MODULE || c == CALL_DELETE_MODULE);
}

/* --- descriptors --- */

static int connected_socket(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int server = (int)must(socket(AF_INET, SOCK_STREAM, 0));
	int client = (int)must(socket(AF_INET, SOCK_STREAM, 0));

	must(bind(server, (struct sockaddr *)&a, n));
	must(listen(server, 1));
	must(getsockname(server, (struct sockaddr *)&a, &n));
	must(connect(client, (struct sockaddr *)&a, n));
	return client;
}

static void act_dup(void)
{
	int client = connected_socket();
	int file = (int)must(open("/etc/passwd", O_RDONLY));
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	must(syscall(SYS_dup3, client, 60, O_CLOEXEC));
	must(syscall(SYS_dup, file));
	(void)syscall(SYS_dup, 998);
	must(syscall(SYS_dup3, pair[0], 61, 0));
#ifdef SYS_dup2
	must(syscall(SYS_dup2, client, 0));
#endif
}

static void a_copy_of_a_descriptor_says_what_it_stands_for(void **state)
{
	struct watch *w = *state;
	pid_t pid = watch_child(w, act_dup);
	const struct event_call *c = watch_call(w, pid, CALL_DUP3, 0);

	CHECK_NUMBER(c, fd, 60);
	CHECK_NUMBER(c, sock_family, AF_INET);
	CHECK_NUMBER(c, sock_type, SOCK_STREAM);
	CHECK_NUMBER(c, sock_protocol, IPPROTO_TCP);
	CHECK_NUMBER(c, remote.address[0], 127);
	assert_int_equal(c->file_mode & S_IFMT, S_IFSOCK);
	assert_true(c->is_sock_connected && c->remote.port && c->local.port);
	CHECK_TEXT(c, path, "");
	c = watch_call(w, pid, CALL_DUP, 0);
	CHECK_TEXT(c, path, "/etc/passwd");
	CHECK_NUMBER(c, fd, c->ret);
	CHECK_NUMBER(c, sock_family, 0);
	CHECK_NUMBER(c, file_mode, S_IFREG | 0644);
	assert_true(c->file_inode && c->file_dev);
	c = watch_call(w, pid, CALL_DUP, 1);
	CHECK_NUMBER(c, ret, -EBADF);
	CHECK_NUMBER(c, fd, -1);
	CHECK_TEXT(c, path, "");
	c = watch_call(w, pid, CALL_DUP3, 1);
	CHECK_NUMBER(c, sock_family, AF_UNIX);
	assert_true(c->is_sock_connected);
#ifdef SYS_dup2
	c = watch_call(w, pid, CALL_DUP2, 0);
	CHECK_NUMBER(c, fd, 0);
	CHECK_NUMBER(c, sock_family, AF_INET);
	assert_true(c->remote.port && c->is_sock_connected);
#endif
}

static void act_files(void)
{
	int file = (int)must(open(in_dir("file"), O_CREAT | O_RDWR, 0600));
	int folder = (int)must(open(dir, O_DIRECTORY | O_RDONLY));

	must(fchmod(file, 0751));
	must(fchown(file, 1, 2));
	must(fchdir(folder));
	(void)syscall(SYS_fchdir, file);
	(void)syscall(SYS_finit_module, file, "x=1", 0);
	must(unlink(in_dir("file")));
	must(fchmod(file, 0600));
	int p[2];
	must(pipe(p));
	must(fchmod(p[0], 0600));
	(void)syscall(SYS_fchmod, -1, 0600);
}

static void a_descriptor_is_told_by_its_path(void **state)
{
	struct watch *w = *state;
	pid_t pid = watch_child(w, act_files);
	const struct event_call *c = watch_call(w, pid, CALL_FCHMOD, 0);

	CHECK_TEXT(c, path, in_dir("file"));
	CHECK_NUMBER(c, arg[1], 0751);
	assert_int_equal(c->file_flags & O_ACCMODE, O_RDWR);
	c = watch_call(w, pid, CALL_FCHOWN, 0);
	CHECK_TEXT(c, path, in_dir("file"));
	CHECK_NUMBER(c, arg[2], 2);
	c = watch_call(w, pid, CALL_FCHDIR, 0);
	CHECK_TEXT(c, path, dir);
	assert_int_equal(c->file_mode & S_IFMT, S_IFDIR);
	c = watch_call(w, pid, CALL_FCHDIR, 1);
	CHECK_NUMBER(c, ret, -ENOTDIR);
	CHECK_TEXT(c, path, in_dir("file"));
	if (!may_be_unseen(w, pid, CALL_FINIT_MODULE)) {
		c = watch_call(w, pid, CALL_FINIT_MODULE, 0);
		assert_true(c->ret < 0);
		CHECK_TEXT(c, path, in_dir("file"));
	}
	CHECK_TEXT(watch_call(w, pid, CALL_FCHMOD, 1), path, in_dir("file"));
	c = watch_call(w, pid, CALL_FCHMOD, 2);
	assert_int_equal(c->file_mode & S_IFMT, S_IFIFO);
	c = watch_call(w, pid, CALL_FCHMOD, 3);
	CHECK_NUMBER(c, ret, -EBADF);
	CHECK_NUMBER(c, file_mode, 0);
	CHECK_NUMBER(c, fd, -1);
}

static struct stat own_uts;

static void act_setns(void)
{
	int uts = (int)must(open("/proc/self/ns/uts", O_RDONLY));
	int self = (int)must(syscall(SYS_pidfd_open, getpid(), 0));

	must(syscall(SYS_setns, uts, 0));
	must(syscall(SYS_setns, self, CLONE_NEWUTS | CLONE_NEWIPC));
	(void)syscall(SYS_setns, 998, CLONE_NEWNET);
	(void)syscall(SYS_setns, (int)must(open("/dev/null", O_RDONLY)), 0);
}

static void setns_says_which_kinds_of_namespace(void **state)
{
	struct watch *w = *state;
	pid_t pid = watch_child(w, act_setns);
	const struct event_call *c = watch_call(w, pid, CALL_SETNS, 0);

	assert_int_equal(stat("/proc/self/ns/uts", &own_uts), 0);
	CHECK_NUMBER(c, ret, 0);
	CHECK_NUMBER(c, target_ns_type, CLONE_NEWUTS);
	CHECK_NUMBER(c, file_inode, own_uts.st_ino);
	c = watch_call(w, pid, CALL_SETNS, 1);
	CHECK_NUMBER(c, target_ns_type, CLONE_NEWUTS | CLONE_NEWIPC);
	c = watch_call(w, pid, CALL_SETNS, 2);
	CHECK_NUMBER(c, ret, -EBADF);
	CHECK_NUMBER(c, target_ns_type, 0);
	c = watch_call(w, pid, CALL_SETNS, 3);
	CHECK_NUMBER(c, ret, -EINVAL);
	CHECK_TEXT(c, path, "/dev/null");
}

/* --- arguments --- */

static struct {
	enum call call;
	long nr, arg[5];
	const char *raw;
	bool gives_fd;
} plain[] = {
	{ CALL_SETUID, SYS_setuid, { 0 }, "", false },
	{ CALL_SETGID, SYS_setgid, { 0 }, "", false },
	{ CALL_SETREUID, SYS_setreuid, { -1, 0 }, "", false },
	{ CALL_SETREGID, SYS_setregid, { -1, 0 }, "", false },
	{ CALL_SETRESUID, SYS_setresuid, { -1, -1, 0 }, "", false },
	{ CALL_SETRESGID, SYS_setresgid, { -1, -1, 0 }, "", false },
	{ CALL_CAPSET, SYS_capset, { 1, 1 }, "", false },
	{ CALL_UNSHARE, SYS_unshare, { CLONE_NEWUTS }, "", false },
	{ CALL_PTRACE, SYS_ptrace, { PTRACE_ATTACH, 0x7ffffff0 }, "", false },
	{ CALL_PROCESS_VM_READV, SYS_process_vm_readv, { 0x7ffffff0, 0, 0, 0, 0 }, "", false },
	{ CALL_PROCESS_VM_WRITEV, SYS_process_vm_writev, { 0x7ffffff0, 0, 0, 0, 0 }, "", false },
	{ CALL_KILL, SYS_kill, { 0x7ffffff0, SIGUSR1 }, "", false },
	{ CALL_TKILL, SYS_tkill, { 0x7ffffff0, SIGUSR1 }, "", false },
	{ CALL_TGKILL, SYS_tgkill, { 0x7ffffff0, 0x7ffffff0, SIGUSR1 }, "", false },
	{ CALL_PRCTL, SYS_prctl, { PR_SET_DUMPABLE, 1 }, "", false },
	{ CALL_BPF, SYS_bpf, { BPF_MAP_CREATE, 0, 0 }, "", false },
	{ CALL_INIT_MODULE, SYS_init_module, { 0, 0, 0 }, "", false },
	{ CALL_DELETE_MODULE, SYS_delete_module, { (long)"picket_none", O_NONBLOCK }, "picket_none", false },
	{ CALL_USERFAULTFD, SYS_userfaultfd, { O_CLOEXEC }, "", true },
	{ CALL_MEMFD_CREATE, SYS_memfd_create, { (long)"a name", 0 }, "a name", true },
	{ CALL_SECCOMP, SYS_seccomp, { SECCOMP_GET_ACTION_AVAIL, 0, 0 }, "", false },
	{ CALL_IO_URING_SETUP, SYS_io_uring_setup, { 0, 0 }, "", true },
};
static long *plain_ret; /* shared with the child */

static void act_plain(void)
{
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		const long *a = plain[i].arg;
		long r = syscall(plain[i].nr, a[0], a[1], a[2], a[3], a[4]);

		plain_ret[i] = r < 0 ? -errno : r;
	}
}

static void arguments_and_results_are_those_of_the_call(void **state)
{
	struct watch *w = *state;

	plain_ret = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(plain_ret, MAP_FAILED);
	pid_t pid = watch_child(w, act_plain);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (may_be_unseen(w, pid, plain[i].call))
			continue;
		const struct event_call *c = watch_call(w, pid, plain[i].call, 0);

		CHECK_NUMBER(c, ret, plain_ret[i]);
		for (size_t k = 0; k < 3; k++)
			CHECK_NUMBER(c, arg[k], plain[i].arg[k]);
		CHECK_NUMBER(c, fd, plain[i].gives_fd && c->ret >= 0 ? c->ret : -1);
		if (c->ret != -ENOSYS)
			CHECK_TEXT(c, raw, plain[i].raw);
		assert_false(c->is_compat || c->is_uring || c->path.n || c->base.n || c->sock_family);
	}
	munmap(plain_ret, 4096);
}

static void act_setuid(void)
{
	must(syscall(SYS_setresuid, 65534, 65534, 65534));
	(void)syscall(SYS_setuid, 0);
}

static void credentials_are_those_after_the_call(void **state)
{
	struct watch *w = *state;
	pid_t pid = watch_child(w, act_setuid);

	CHECK_NUMBER(watch_call(w, pid, CALL_SETUID, 0), ret, -EPERM);
	for (size_t i = 0; i < w->count; i++) {
		const struct event *e = &w->seen[i];

		if (e->p.pid == (uint32_t)pid && e->call.call == CALL_SETRESUID)
			assert_true(e->p.euid == 65534 && e->p.uid == 65534 && !e->p.cap_effective);
	}
}

/* --- programs that did not start --- */

static void act_exec(void)
{
	const char *const argv[] = { "x", NULL };

	must(chdir(dir));
	int folder = (int)must(open("/usr", O_DIRECTORY | O_RDONLY));
	(void)syscall(SYS_execve, "./none", argv, NULL);
	(void)syscall(SYS_execve, "/none/at/all", argv, NULL);
	(void)syscall(SYS_execveat, folder, "lib/none", argv, NULL, 0);
	(void)syscall(SYS_execveat, folder, "", argv, NULL, AT_EMPTY_PATH);
}

static void a_program_that_did_not_start_is_named_as_it_was_given(void **state)
{
	struct watch *w = *state;
	pid_t pid = watch_child(w, act_exec);
	const struct event_call *c = watch_call(w, pid, CALL_EXECVE, 0);

	CHECK_NUMBER(c, ret, -ENOENT);
	CHECK_NUMBER(c, family, FAMILY_EXEC);
	CHECK_TEXT(c, raw, "./none");
	CHECK_TEXT(c, base, dir);
	c = watch_call(w, pid, CALL_EXECVE, 1);
	CHECK_TEXT(c, raw, "/none/at/all");
	CHECK_TEXT(c, base, "");
	c = watch_call(w, pid, CALL_EXECVEAT, 0);
	CHECK_TEXT(c, raw, "lib/none");
	CHECK_TEXT(c, base, "/usr");
	c = watch_call(w, pid, CALL_EXECVEAT, 1);
	CHECK_NUMBER(c, ret, -EACCES);
	CHECK_TEXT(c, base, "/usr");
}

static void act_good_exec(void)
{
	const char *const argv[] = { "true", NULL };

	(void)syscall(SYS_execve, "/bin/true", argv, NULL);
}

static void a_program_that_started_is_no_call(void **state)
{
	struct watch *w = *state;
	pid_t pid = watch_child(w, act_good_exec);

	assert_int_equal(watch_count(w, pid, CALL_EXECVE), 0);
}

/* --- 32-bit --- */

#if defined(__x86_64__)
static long call32(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

static void act_compat(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	uint32_t *args = (uint32_t *)(low + 1024);
	struct sockaddr_in *to = (void *)(low + 2048);

	if (low == MAP_FAILED)
		_exit(1);
	must(chdir(dir));
	strcpy(low, "low");
	(void)call32(39, (long)low, 0700, 0); /* mkdir */
	(void)call32(63, 1, 70, 0);	      /* dup2 */
	(void)call32(356, (long)low, 0, 0);   /* memfd_create */
	int fd = (int)call32(359, AF_INET, SOCK_STREAM, 0);
	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(9),
				    .sin_addr.s_addr = htonl(0x7f000009) };
	args[0] = (uint32_t)fd;
	args[1] = (uint32_t)(uintptr_t)to;
	args[2] = sizeof(*to);
	(void)call32(102, 3, (long)args, 0); /* socketcall: connect */
	(void)call32(37, 0x7ffffff0, -1, 0); /* kill */
	/* sendmsg: 32-bit pointers in its message */
	struct sockaddr_in *at = (void *)(low + 2100);
	uint32_t *message = (uint32_t *)(low + 3000), *part = (uint32_t *)(low + 3100);
	*at = *to;
	strcpy(low + 200, "payload");
	part[0] = (uint32_t)(uintptr_t)(low + 200);
	part[1] = 7;
	message[0] = (uint32_t)(uintptr_t)at;
	message[1] = sizeof(*at);
	message[2] = (uint32_t)(uintptr_t)part;
	message[3] = 1;
	int udp = (int)call32(359, AF_INET, SOCK_DGRAM, 0);
	(void)call32(370, udp, (long)message, 0);
}

static void a_32_bit_call_is_the_same(void **state)
{
	struct watch *w = *state;

	if (!has_32_bit_calls()) {
		print_message("no 32-bit calls in this kernel\n");
		skip();
	}
	pid_t pid = watch_child(w, act_compat);
	if (!watch_count(w, pid, CALL_MKDIR)) {
		print_message("no 32-bit calls in this kernel, or not in this mode\n");
		skip();
	}
	const struct event_call *c = watch_call(w, pid, CALL_MKDIR, 0);
	assert_true(c->is_compat);
	CHECK_NUMBER(c, ret, 0);
	CHECK_TEXT(c, raw, "low");
	CHECK_TEXT(c, base, dir);
	c = watch_call(w, pid, CALL_DUP2, 0);
	assert_true(c->is_compat);
	CHECK_NUMBER(c, fd, 70);
	c = watch_call(w, pid, CALL_MEMFD_CREATE, 0);
	assert_true(c->is_compat);
	CHECK_TEXT(c, raw, "low");
	c = watch_call(w, pid, CALL_SOCKET, 0);
	assert_true(c->is_compat);
	CHECK_NUMBER(c, sock_family, AF_INET);
	c = watch_call(w, pid, CALL_CONNECT, 0);
	assert_true(c->is_compat);
	CHECK_NUMBER(c, ret, -ECONNREFUSED);
	CHECK_NUMBER(c, remote.address[3], 9);
	CHECK_NUMBER(c, remote.port, 9);
	c = watch_call(w, pid, CALL_KILL, 0);
	CHECK_NUMBER(c, arg[0], 0x7ffffff0);
	CHECK_NUMBER(c, arg[1], 0xffffffff);
	c = watch_call(w, pid, CALL_SENDMSG, 0);
	CHECK_NUMBER(c, ret, 7);
	CHECK_NUMBER(c, remote.port, 9);
}
#endif

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_of_a_descriptor_says_what_it_stands_for),
		cmocka_unit_test(a_descriptor_is_told_by_its_path),
		cmocka_unit_test(setns_says_which_kinds_of_namespace),
		cmocka_unit_test(arguments_and_results_are_those_of_the_call),
		cmocka_unit_test(credentials_are_those_after_the_call),
		cmocka_unit_test(a_program_that_did_not_start_is_named_as_it_was_given),
		cmocka_unit_test(a_program_that_started_is_no_call),
#if defined(__x86_64__)
		cmocka_unit_test(a_32_bit_call_is_the_same),
#endif
	};
	char command[128];
	int r = watch_begin(argc, argv);

	if (r)
		return r;
	snprintf(dir, sizeof(dir), "/tmp/picket-fd-%d", (int)getpid());
	if (mkdir(dir, 0700) < 0)
		return 1;
	r = cmocka_run_group_tests(tests, watch_setup, watch_teardown);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) ? 1 : r;
}
