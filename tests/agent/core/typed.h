/* typed.h - a command of the agent's run in the test's own process, what it writes kept. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char out[65536], errors[65536];

/* Returns what the command returned; out and errors have what it wrote. */
static inline int typed(int (*command)(int argc, char **argv), int argc, char **argv)
{
	char *into[2] = { out, errors };
	int saved[2], files[2];

	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		saved[i] = dup(i + 1);
		files[i] = memfd_create("output", MFD_CLOEXEC);
		dup2(files[i], i + 1);
	}
	int r = command(argc, argv);
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		ssize_t n = pread(files[i], into[i], sizeof(out) - 1, 0);
		into[i][n > 0 ? n : 0] = 0;
		close(saved[i]);
		close(files[i]);
	}
	return r;
}
