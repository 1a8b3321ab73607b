/* sandbox_priv.h - between sandbox.c and the two walls of its own: Landlock and seccomp. */
#pragma once
#include "agent/image/sandbox.h"

/* A ruleset that allows reading below the folders and nothing else; a descriptor, or -1 where the kernel has no
 * Landlock (or it is switched off). */
int landlock_rules(const int *folders, size_t count);
int landlock_enter(int ruleset, struct err *err) WARN_UNUSED;
/* The list of system calls that are left; any other ends the process. */
int seccomp_enter(int sock, struct err *err) WARN_UNUSED;
