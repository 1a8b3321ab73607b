/* calls.c - see calls.h. */
#include "agent/audit/calls.h"

#include <seccomp.h>
#include <stdlib.h>

#include "common/slice.h"

bool calls_name(int number, char *dst, size_t size)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
	bool known = name && slice_copy(slice_of(name), dst, size);

	free(name);
	return known;
}
