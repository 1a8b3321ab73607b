/* compat.h - does this kernel take 32-bit system calls? Some are built, or started, without them: then the
 * instruction is a fault. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool has_32_bit_calls(void)
{
#if defined(__x86_64__)
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		long r;

		signal(SIGSEGV, SIG_DFL);
		__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11"); /* getpid */
		_exit(r == getpid() ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
#else
	return false;
#endif
}
