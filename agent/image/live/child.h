/* child.h - a child of this program that does one thing and says what it found. On the loop. */
#pragma once
#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"

struct child;

/* status: its exit code, or 128 + signal. out: what it wrote to standard output; why: the last line of its
 * standard error. Borrowed for the call; the child is gone after it. */
typedef void (*child_fn)(void *arg, int status, struct slice out, const char *why);

/* Starts this program again (/proc/self/exe) with argv (argv[0] included, NULL-ended). After limit_ms it is
 * killed (status 137). *ret: valid until fn was called, or child_free. */
int child_start(struct loop *l, const char *const *argv, uint64_t limit_ms, child_fn fn, void *arg,
		struct child **ret, struct err *err) WARN_UNUSED;
/* Kills it and waits; fn is not called. NULL is allowed. */
void child_free(struct child *c);
DEFINE_CLEANUP(struct child, child_free)
