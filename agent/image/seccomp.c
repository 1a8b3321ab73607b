/* seccomp.c - the system calls that a worker is left with, by libseccomp. Each row says what it is for. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/image/sandbox_priv.h"

static const int calls[] = {
	/* reading what was handed over; folders, one step at a time */
	SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(close),
	SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(newfstatat), SCMP_SYS(fstatat64), SCMP_SYS(statx),
	SCMP_SYS(getdents64), SCMP_SYS(readlinkat), SCMP_SYS(fadvise64), SCMP_SYS(fcntl), SCMP_SYS(fcntl64),
	/* the spool, which is the only file open for writing */
	SCMP_SYS(pwrite64), SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64),
	/* memory */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
	/* time, randomness, and what the C library does by itself */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),
	SCMP_SYS(futex), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),
	SCMP_SYS(sysinfo), /* qsort: how much memory is there */
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static int allow_some(scmp_filter_ctx f, int sock)
{
	const struct scmp_arg_cmp to_sock = SCMP_A0_32(SCMP_CMP_EQ, (unsigned)sock);
	const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	/* O_TMPFILE includes O_DIRECTORY: its own bit is the one to forbid. */
	const struct scmp_arg_cmp reads =
		SCMP_A2_32(SCMP_CMP_MASKED_EQ,
			   O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY), O_RDONLY);
	const struct scmp_arg_cmp to_stderr = SCMP_A0_32(SCMP_CMP_EQ, STDERR_FILENO);
	int r = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), 1, &to_sock);

	r = r ? r : seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(recvmsg), 1, &to_sock);
	r = r ? r : seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, &reads);
	r = r ? r : seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code);
	r = r ? r : seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_code);
	r = r ? r : seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, &to_stderr);
	return r;
}

int seccomp_enter(int sock, struct err *err)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < ARRAY_LEN(calls); i++) {
		r = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, calls[i], 0, NULL);
		if (calls[i] < 0) /* of another architecture */
			r = 0;
	}
	r = r ? r : allow_some(f, sock);
	r = r ? r : seccomp_load(f);
	seccomp_release(f);
	return r ? err_set(err, -r, "leave system calls out (seccomp)") : 0;
}
