/* arena.h - memory for one message: grows in blocks up to a cap, given back all at once. */
#pragma once
#include "common/slice.h"

struct arena;

/* cap_bytes: the most the arena will ever hold, so that a hostile message can't allocate past it.
 * *caller frees* with arena_free. NULL when out of memory. */
struct arena *arena_new(size_t cap_bytes) WARN_UNUSED;
/* 16-byte aligned, not cleared. NULL past the cap or out of memory. */
void *arena_alloc(struct arena *a, size_t n) WARN_UNUSED;
/* Cleared, count * size checked for overflow. NULL past the cap. */
void *arena_zalloc(struct arena *a, size_t count, size_t size) WARN_UNUSED;
/* NUL-terminated copy; the slice's own length does not count the NUL. NULL past the cap. */
char *arena_dup(struct arena *a, struct slice s) WARN_UNUSED;
/* Each text (none is NULL) becomes a copy in here: what is borrowed from a row stays. false past the cap. */
bool arena_keep(struct arena *a, const char **const texts[], size_t count) WARN_UNUSED;
/* Formatted text; NULL past the cap. */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3) WARN_UNUSED;
/* Forgets everything; keeps the first block. */
void arena_reset(struct arena *a);
/* From now on a reset keeps further blocks, too, of so many bytes together: for one that is filled again and
 * again, where giving pages back and asking for them costs more than what they are filled with. */
void arena_keep_bytes(struct arena *a, size_t bytes);
/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *a);
/* NULL is allowed and does nothing. */
void arena_free(struct arena *a);
DEFINE_CLEANUP(struct arena, arena_free)
