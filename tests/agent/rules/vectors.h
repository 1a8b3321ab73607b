/* vectors.h - the shared vectors, where this machine has them: PICKET_VECTORS, or beside the checkout. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/json.h"

/* Path of a file among the vectors; dst holds 512. */
static inline const char *vectors_path(const char *name, char *dst)
{
	const char *root = getenv("PICKET_VECTORS");

	snprintf(dst, 512, "%s/%s", root && *root ? root : TEST_ROOT "/../shared/vectors", name);
	return dst;
}

/* Reads it, or skips the test with the reason. Caller frees with buf_fini. */
static inline void vectors_read(const char *name, struct buf *ret)
{
	char path[512];
	struct err err;

	if (file_read(vectors_path(name, path), 16 << 20, ret, &err) < 0) {
		print_message("skipped: %s (set PICKET_VECTORS)\n", err.msg);
		buf_fini(ret);
		skip();
	}
}

/* Undoes the backslash escapes of a table's cell, in place. */
static inline void vectors_unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s != '\\' || !s[1]) {
			*to++ = *s;
			continue;
		}
		s++;
		*to++ = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s == 'r' ? '\r' : *s;
	}
	*to = 0;
}

/* The next line's cells, at most max; false at the end. text is cut up. */
static inline bool vectors_row(char **text, char **cells, size_t max)
{
	char *line = strsep(text, "\n");

	if (!line || !*line)
		return false;
	for (size_t i = 0; i < max; i++)
		cells[i] = line ? strsep(&line, "\t") : (char *)"";
	return true;
}
