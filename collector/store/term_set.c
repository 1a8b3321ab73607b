/* term_set.c - see term_set.h. */
#include "collector/store/term_set.h"

#include <stdlib.h>

bool term_set_init(struct term_set *t, size_t size)
{
	*t = (struct term_set){ .size = size };
	t->terms = calloc(size, sizeof(*t->terms));
	t->slots = calloc(size, sizeof(*t->slots));
	t->list = calloc(size, sizeof(*t->list));
	return t->terms && t->slots && t->list;
}

void term_set_fini(struct term_set *t)
{
	free(t->terms);
	free(t->slots);
	free(t->list);
	*t = (struct term_set){ 0 };
}

void term_set_add(void *arg, uint64_t term)
{
	struct term_set *t = arg;
	size_t at = (size_t)term & (t->size - 1);

	while (t->terms[at] && t->terms[at] != term)
		at = (at + 1) & (t->size - 1);
	if (t->terms[at] || !term_set_room(t))
		return;
	t->terms[at] = term;
	t->slots[t->count] = (uint32_t)at;
	t->list[t->count++] = term;
}

/* Only the slots in use: commits are many and mostly small, the table is large. */
void term_set_clear(struct term_set *t)
{
	for (size_t i = 0; i < t->count; i++)
		t->terms[t->slots[i]] = 0;
	t->count = 0;
}

static int order_terms(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct slice term_set_sorted(struct term_set *t)
{
	qsort(t->list, t->count, sizeof(*t->list), order_terms);
	return slice_from(t->list, t->count * sizeof(*t->list));
}

bool term_set_has(struct slice sorted, uint64_t term)
{
	size_t low = 0, high = sorted.n / sizeof(uint64_t);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		uint64_t at;

		memcpy(&at, sorted.p + mid * sizeof(at), sizeof(at));
		if (at == term)
			return true;
		if (at < term)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}
