/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* fallback.bpf.c - families whose file is not linked record nothing. */
#include "agent/bpf/call.h"

char LICENSE[] SEC("license") = "GPL";

#define FALLBACK(family)                                                                           \
	__weak __noinline int family(u32 call)                                                     \
	{                                                                                          \
		return 0;                                                                          \
	}
FALLBACK(family_sock)
FALLBACK(family_fd)
FALLBACK(family_path)
FALLBACK(family_paths)
FALLBACK(family_plain)
