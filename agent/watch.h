/* watch.h - files and folders that a person edits: says when they changed, once they have been quiet.
 *
 * Folders are watched, never the files themselves, so that an editor which renames a new file over the
 * old one, and a configuration tool which swaps a link, are seen as well as a plain write. */
#pragma once
#include "common/err.h"
#include "common/loop.h"

enum { WATCH_PATHS_MAX = 256, WATCH_QUIET_MS = 200 };

struct watch;

/* fn is called WATCH_QUIET_MS after the last change, and at the latest ten times that after the first. */
int watch_new(struct loop *l, loop_fn fn, void *arg, struct watch **ret, struct err *err) WARN_UNUSED;
/* Replaces what is watched. A path may be a folder (changes of *.yaml and *.yml in it count) or a file,
 * also one that is not there yet. paths: copied. Errors: of a folder that can't be watched; the others
 * are watched all the same. */
int watch_set(struct watch *w, const char *const *paths, size_t count, struct err *err) WARN_UNUSED;
void watch_free(struct watch *w);
DEFINE_CLEANUP(struct watch, watch_free)
