/* paths.h - a JSON document of any size, piece by piece: each value comes with the path it stands at, and
 * memory stays that of one value. SBOMs of large images pass 100 MB.
 *
 * Paths: "" the document, ".components[]" an element of the array, ".components[].name" a value in it. A
 * key with a dot or bracket in it, or longer than 64 bytes, is "?" (none of ours is). */
#pragma once
#include "common/err.h"
#include "common/slice.h"

enum paths_kind { PATHS_OPEN, PATHS_CLOSE, PATHS_STRING, PATHS_OTHER };

/* OPEN and CLOSE: of an object. STRING: value is its text. OTHER: number, true, false, null as written.
 * path and value are borrowed for the call. Negative ends the walk with that code. */
typedef int (*paths_fn)(void *arg, enum paths_kind kind, struct slice path, struct slice value, struct err *err);

enum { PATHS_DEPTH_MAX = 64, PATHS_VALUE_MAX = 1 << 20 };

/* Errors: ERR_SYNTAX "byte N: what", ERR_LIMIT (nested deeper than 64, a value of more than 1 MiB), fn's. */
int paths_text(struct slice text, paths_fn fn, void *arg, struct err *err) WARN_UNUSED;
/* A file, "-" is standard input. ERR_LIMIT past max_bytes. */
int paths_file(const char *path, uint64_t max_bytes, paths_fn fn, void *arg, struct err *err) WARN_UNUSED;
