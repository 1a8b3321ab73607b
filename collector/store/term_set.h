/* term_set.h - the terms of many records, each once: open addressing, 0 = free. Private to the store. */
#pragma once
#include "common/slice.h"

struct term_set {
	uint64_t *terms;
	uint32_t *slots; /* which are in use */
	uint64_t *list;	 /* the terms, in the order they came, or sorted */
	size_t count, size;
};

/* size: a power of two; three quarters of it hold terms. False: no memory. */
bool term_set_init(struct term_set *t, size_t size) WARN_UNUSED;
void term_set_fini(struct term_set *t);
/* Fits record_terms; arg is the set. More than it can hold are left out: see term_set_room. */
void term_set_add(void *arg, uint64_t term);
static inline size_t term_set_room(const struct term_set *t)
{
	return t->size / 4 * 3 - t->count;
}
void term_set_clear(struct term_set *t);
/* Sorts the list. Its bytes are borrowed until the next change. */
struct slice term_set_sorted(struct term_set *t);
/* Is the term in what term_set_sorted gave? */
bool term_set_has(struct slice sorted, uint64_t term);
