/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* calls.h - the system calls of calls.def as numbers of ours; shared with the kernel's side. */
#pragma once

enum call {
#define CALL(id, name, family, class, x86_64, i386, arm64) CALL_##id,
#include "agent/calls.def"
#undef CALL
	CALL_COUNT,
	CALL_NONE = 255,
};

/* What a record of a call carries beside its arguments and result. */
enum call_family {
	FAMILY_EXEC,  /* raw: the program's path as it was given */
	FAMILY_OPEN,  /* path: of the open file; raw: as given; base: what raw is relative to */
	FAMILY_SOCK,  /* the socket: both ends, or path for a unix socket */
	FAMILY_FD,    /* path or socket of the descriptor (dup: of the new one) */
	FAMILY_PATH,  /* raw, base */
	FAMILY_PATHS, /* raw, base: the source (symlink: the target's text); raw2, base2: the destination */
	FAMILY_PLAIN, /* arguments alone; raw where calls.def says so */
	FAMILY_COUNT
};

_Static_assert(CALL_COUNT <= 128, "struct filter_row has 128 bits of calls");
