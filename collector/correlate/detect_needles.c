/* detect_needles.c - is one of many texts in a value? One pass over it by the automaton of Aho and Corasick. Bytes
 * are put into classes first: those that no text has are one, and unless case is told apart so are a letter's two
 * cases, so that the value needs no copy in lower case. */
#include "collector/correlate/detect_priv.h"

enum { STATES_MAX = 0x7fff, PLACES_MAX = 1 << 20 };
#define FOUND 0x8000U /* in a next state: a text ends there */

struct needles {
	uint8_t class[256];
	uint16_t classes;
	const uint16_t *next; /* [state * classes + class] */
};

static void add_class(struct needles *n, uint8_t byte, bool is_cased)
{
	if (n->class[byte])
		return;
	n->class[byte] = (uint8_t)n->classes++;
	if (!is_cased && byte >= 'a' && byte <= 'z')
		n->class[byte - 'a' + 'A'] = n->class[byte];
}

/* The tree of the texts: 0 in next is "no child". */
static void plant(const struct needles *n, uint16_t *next, const struct text *texts, size_t count)
{
	uint16_t states = 1;

	for (size_t i = 0; i < count; i++) {
		uint16_t at = 0, *to = NULL;

		for (size_t k = 0; k < texts[i].bytes.n; k++) {
			to = &next[(at & ~FOUND) * n->classes + n->class[(uint8_t)texts[i].bytes.p[k]]];
			if (!*to)
				*to = states++;
			at = *to;
		}
		*to |= FOUND;
	}
}

/* Fills what the tree has not from the longest suffix that it has, nearest to the root first. */
static void close_tree(const struct needles *n, uint16_t *next, uint16_t *suffix, uint16_t *queue)
{
	size_t head = 0, tail = 0;

	for (uint16_t c = 0; c < n->classes; c++)
		if (next[c])
			queue[tail++] = next[c] & (uint16_t)~FOUND;
	while (head < tail) {
		uint16_t at = queue[head++];

		for (uint16_t c = 0; c < n->classes; c++) {
			uint16_t *to = &next[at * n->classes + c], other = next[suffix[at] * n->classes + c];

			if (*to) {
				uint16_t child = *to & (uint16_t)~FOUND;

				suffix[child] = other & (uint16_t)~FOUND;
				*to |= other & FOUND;
				queue[tail++] = child;
			} else {
				*to = other;
			}
		}
	}
}

const struct needles *needles_new(struct arena *a, const struct text *texts, size_t count, bool is_cased)
{
	struct needles *n = arena_zalloc(a, 1, sizeof(*n));
	size_t states = 1;

	if (!n)
		return NULL;
	n->classes = 1;
	for (size_t i = 0; i < count; i++) {
		/* An empty text is everywhere; more than 255 classes don't fit a byte: rare, and not worth a way. */
		if (!texts[i].bytes.n)
			return NULL;
		states += texts[i].bytes.n;
		for (size_t k = 0; k < texts[i].bytes.n && n->classes < 255; k++)
			add_class(n, (uint8_t)texts[i].bytes.p[k], is_cased);
	}
	if (n->classes == 255 || states > STATES_MAX || states * n->classes > PLACES_MAX)
		return NULL;
	uint16_t *next = arena_zalloc(a, states * n->classes, sizeof(*next));
	CLEANUP(freep) uint16_t *suffix = calloc(states, sizeof(*suffix));
	CLEANUP(freep) uint16_t *queue = calloc(states, sizeof(*queue));
	if (!next || !suffix || !queue)
		return NULL;
	plant(n, next, texts, count);
	close_tree(n, next, suffix, queue);
	n->next = next;
	return n;
}

bool needles_find(const struct needles *n, struct slice s)
{
	const uint16_t *next = n->next;
	uint32_t at = 0;

	for (size_t i = 0; i < s.n; i++) {
		at = next[at * n->classes + n->class[(uint8_t)s.p[i]]];
		if (at & FOUND)
			return true;
	}
	return false;
}
