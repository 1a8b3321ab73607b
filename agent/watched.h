/* watched.h - which files of the host nobody can open for writing without the agent seeing it, by the kernel's filter. Pure. */
#pragma once
#include "agent/filter.h"
#include "common/buf.h"

enum { WATCHED_MAX = 64, WATCHED_BYTES = 8192 };

/* Appends a line for each file or folder: those that a row lets through whoever opens them. What rows can't express
 * whole (the end of a path, a program's name) is left out: too little rather than too much. */
void watched_paths(const struct filter *f, struct buf *out);
