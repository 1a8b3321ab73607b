/* live_names.h - numbers of system calls as the names Falco prints: flags, modes, families, errors. */
#pragma once
#include "common/arena.h"

struct live_name {
	const char *name;
	uint32_t value; /* of the kernel */
	uint32_t falco; /* the same flag in Falco's own numbers; 0: the kernel's */
};
struct live_names {
	const struct live_name *rows;
	size_t count;
};

extern const struct live_names live_open_names, live_clone_flags, live_mount_flags, live_umount_flags,
	live_unlinkat_flags, live_linkat_flags, live_fchownat_flags, live_renameat2_flags, live_resolve_flags,
	live_memfd_flags, live_mode_bits, live_mknod_bits, live_families, live_shutdown, live_ptrace,
	live_bpf_commands, live_prctl_options, live_signals;

/* "O_TRUNC|O_WRONLY": the rows whose bits are all set, in order; a row of the whole value stands alone.
 * A row of value 0 is for no bit at all. Empty: none. */
struct slice live_flags_text(struct arena *scratch, const struct live_names *n, uint32_t value);
/* The name of exactly that value; empty: none. */
struct slice live_enum_text(const struct live_names *n, uint32_t value);
/* O_* of open(2) with O_ACCMODE as bits, and flags of clone(2), in Falco's numbers. */
uint32_t live_falco_open_flags(uint32_t flags);
uint32_t live_falco_flags(const struct live_names *n, uint32_t value);
/* "ENOENT" of -2; "SUCCESS" of what is no error. */
struct slice live_error_name(struct arena *scratch, int64_t ret);
