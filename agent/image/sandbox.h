/* sandbox.h - locks this process down, for good: before it reads what a stranger wrote.
 *
 * What is left: reading what was handed over, writing to the socket and to the spool, memory, time. No new
 * program, no network, no other file, no other process. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

struct sandbox {
	const int *folders; /* may be read with all below; Landlock holds to exactly these */
	size_t folder_count;
	int root_fd;	    /* the new root directory: above all folders, else an empty one; -1: none */
	bool reads_all;	    /* keeps CAP_DAC_READ_SEARCH: the folders are not ours */
	int sock;	    /* the only one for messages */
	uint64_t data_bytes, file_bytes, cpu_s; /* resource limits: memory, a written file, time */
};
enum { SANDBOX_NOTE_MAX = 200 };

/* note: what this kernel or this user can't do, "" if all is well. An error where what is left would not hold a
 * stranger. */
int sandbox_enter(const struct sandbox *s, char note[SANDBOX_NOTE_MAX], struct err *err) WARN_UNUSED;
