/* arena.c - see arena.h. Blocks double from 4 KiB to 256 KiB; larger wishes get their own. What a reset keeps
 * waits in the spare list. */
#include "common/arena.h"

#include <stdarg.h>

enum { FIRST_BLOCK = 4096, MAX_BLOCK = 256 * 1024, ALIGN = 16 };

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(ALIGN) char data[];
};

struct arena {
	struct block *blocks; /* newest first; the last one is never freed by a reset */
	struct block *spare;
	size_t cap, used, keep, spare_bytes;
};

struct arena *arena_new(size_t cap_bytes)
{
	struct arena *a = calloc(1, sizeof(*a));

	/* So that rounding a wish up, or adding a block's head to it, can't pass SIZE_MAX. */
	if (a)
		a->cap = cap_bytes < PTRDIFF_MAX ? cap_bytes : PTRDIFF_MAX;
	return a;
}

static struct block *take_spare(struct arena *a, size_t need)
{
	struct block *b = a->spare;

	if (!b || b->size < need)
		return NULL;
	a->spare = b->next;
	a->spare_bytes -= b->size;
	b->next = a->blocks;
	return a->blocks = b;
}

static struct block *add_block(struct arena *a, size_t need)
{
	struct block *kept = take_spare(a, need);

	if (kept)
		return kept;
	size_t size = a->blocks ? a->blocks->size * 2 : FIRST_BLOCK;

	if (size > MAX_BLOCK)
		size = MAX_BLOCK;
	if (size < need)
		size = need;
	struct block *b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	b->size = size;
	b->used = 0;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > a->cap)
		return NULL;
	size_t need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!need)
		need = ALIGN;
	if (need > a->cap - a->used)
		return NULL;
	struct block *b = a->blocks;
	if (!b || b->size - b->used < need) {
		b = add_block(a, need);
		if (!b)
			return NULL;
	}
	void *p = b->data + b->used;
	b->used += need;
	a->used += need;
	return p;
}

void *arena_zalloc(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		return NULL;
	void *p = arena_alloc(a, n);
	if (p)
		memset(p, 0, n);
	return p;
}

char *arena_dup(struct arena *a, struct slice s)
{
	char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;

	if (p)
		slice_copy(s, p, s.n + 1);
	return p;
}

bool arena_keep(struct arena *a, const char **const texts[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		*texts[i] = arena_dup(a, slice_of(*texts[i]));
		if (!*texts[i])
			return false;
	}
	return true;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (p)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

void arena_reset(struct arena *a)
{
	while (a->blocks && a->blocks->next) {
		struct block *b = a->blocks;

		a->blocks = b->next;
		if (a->spare_bytes + b->size > a->keep) {
			free(b);
			continue;
		}
		b->used = 0;
		b->next = a->spare;
		a->spare = b;
		a->spare_bytes += b->size;
	}
	if (a->blocks)
		a->blocks->used = 0;
	a->used = 0;
}

void arena_keep_bytes(struct arena *a, size_t bytes)
{
	a->keep = bytes;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	a->keep = 0;
	arena_reset(a);
	free(a->blocks);
	while (a->spare) {
		struct block *b = a->spare;

		a->spare = b->next;
		free(b);
	}
	free(a);
}
