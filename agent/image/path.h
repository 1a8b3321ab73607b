/* path.h - names of files inside an image: cleaned, hashed, walked. Pure. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

/* "./usr//lib/./x/" -> "usr/lib/x"; "/" and "." -> "". dst: LIMIT_PATH_BYTES + 1. ERR_CORRUPT: ".." in it, too
 * long or too deep. */
int path_clean(struct slice path, char *dst, struct slice *ret, struct err *err) WARN_UNUSED;
/* Where the link at `at` leads, seen from the root that holds it: never above it (".." of the root is the
 * root), as a container sees it. Other links on the way are not followed. False: too long. */
bool path_join(struct slice at, struct slice target, char *dst, struct slice *ret);

/* Cuts the next component off *rest, which begins with one; false at the end. */
bool path_next(struct slice *rest, struct slice *ret);
struct slice path_name(struct slice path);   /* the last component */
struct slice path_folder(struct slice path); /* what is before it, without the slash; "" at the top */
/* Is path equal to folder or below it? "" is above everything. */
bool path_is_below(struct slice path, struct slice folder);

/* One step for each byte, so that the hashes of all folders of a path come with its own. */
#define PATH_HASH_START 0xcbf29ce484222325ULL
uint64_t path_hash_more(uint64_t h, struct slice s);
uint64_t path_hash(struct slice path);
