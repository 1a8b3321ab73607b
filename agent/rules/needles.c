/* needles.c - is one of many texts in a value? One pass over it by the automaton of Aho and Corasick, with a
 * row of next states for every byte that the texts have; bytes that none has are one class. */
#include "agent/rules/prog_priv.h"

enum { STATES_MAX = 8192, PLACES_MAX = 1 << 18 };
#define FOUND (1U << 31) /* in a next place: a text ends there */

struct needles {
	uint16_t class[256];
	uint16_t classes;
	bool is_always;	      /* one of the texts is empty */
	const uint32_t *next; /* by place + class; a place is a state times classes, which saves a multiplication */
};

static size_t total(const struct slice *texts, size_t count)
{
	size_t n = 1;

	for (size_t i = 0; i < count; i++)
		n += texts[i].n;
	return n;
}

/* The tree of the texts: 0 in next is "no child". Returns the number of states. */
static uint16_t plant(const struct needles *n, uint16_t *next, bool *is_end, const struct slice *texts, size_t count)
{
	uint16_t states = 1;

	for (size_t i = 0; i < count; i++) {
		uint16_t at = 0;

		for (size_t k = 0; k < texts[i].n; k++) {
			uint16_t *to = &next[at * n->classes + n->class[(uint8_t)texts[i].p[k]]];

			if (!*to)
				*to = states++;
			at = *to;
		}
		is_end[at] = true;
	}
	return states;
}

/* Fills what the tree has not from the longest suffix that it has, in order of depth. */
static void close_tree(const struct needles *n, uint16_t *next, bool *is_end, uint16_t *fail, uint16_t *queue)
{
	size_t head = 0, tail = 0;

	for (uint16_t c = 0; c < n->classes; c++)
		if (next[c])
			queue[tail++] = next[c];
	while (head < tail) {
		uint16_t at = queue[head++];

		is_end[at] |= is_end[fail[at]];
		for (uint16_t c = 0; c < n->classes; c++) {
			uint16_t *to = &next[at * n->classes + c], suffix = next[fail[at] * n->classes + c];

			if (*to) {
				fail[*to] = suffix;
				queue[tail++] = *to;
			} else {
				*to = suffix;
			}
		}
	}
}

const struct needles *needles_new(struct arena *a, const struct slice *texts, size_t count)
{
	struct needles *n = arena_zalloc(a, 1, sizeof(*n));
	size_t size = total(texts, count);

	if (size > STATES_MAX || !n)
		return NULL;
	n->classes = 1;
	for (size_t i = 0; i < count; i++) {
		n->is_always |= !texts[i].n;
		for (size_t k = 0; k < texts[i].n; k++)
			if (!n->class[(uint8_t)texts[i].p[k]])
				n->class[(uint8_t)texts[i].p[k]] = n->classes++;
	}
	if (size * n->classes > PLACES_MAX)
		return NULL;
	CLEANUP(freep) uint16_t *next = calloc(size * n->classes, sizeof(*next));
	uint32_t *places = arena_alloc(a, size * n->classes * sizeof(*places));
	CLEANUP(freep) bool *is_end = calloc(size, sizeof(*is_end));
	CLEANUP(freep) uint16_t *fail = calloc(size, sizeof(*fail));
	CLEANUP(freep) uint16_t *queue = calloc(size, sizeof(*queue));
	if (!next || !places || !is_end || !fail || !queue)
		return NULL;
	size_t states = plant(n, next, is_end, texts, count);
	close_tree(n, next, is_end, fail, queue);
	for (size_t i = 0; i < states * n->classes; i++)
		places[i] = next[i] * (uint32_t)n->classes | (is_end[next[i]] ? FOUND : 0);
	n->next = places;
	return n;
}

bool needles_find(const struct needles *n, struct slice s)
{
	uint32_t at = 0;

	for (size_t i = 0; i < s.n; i++) {
		at = n->next[at + n->class[(uint8_t)s.p[i]]];
		if (at & FOUND)
			return true;
	}
	return n->is_always;
}
