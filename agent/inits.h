/* inits.h - the first process of each container that runs. Bounded; one thread. */
#pragma once
#include "common/slice.h"
#include <sys/types.h>

enum { INITS_MAX = 8192 };

struct inits;

struct inits *inits_new(void) WARN_UNUSED;
/* False: that is known already. */
bool inits_put(struct inits *i, const char *id, pid_t pid);
pid_t inits_get(const struct inits *i, const char *id); /* 0: not known */
void inits_drop(struct inits *i, const char *id);
void inits_free(struct inits *i);
DEFINE_CLEANUP(struct inits, inits_free)
