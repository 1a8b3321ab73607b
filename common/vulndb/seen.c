/* seen.c - see seen.h. Open addressing, at most half full. */
#include "common/vulndb/seen.h"

#include <errno.h>

static size_t start_of(const struct seen *s, uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ (b * 0x9e3779b97f4a7c15ull)) * 0xff51afd7ed558ccdull;

	return (size_t)(h >> 20) & (s->size - 1);
}

static struct seen_slot *slot_of(const struct seen *s, uint64_t a, uint64_t b)
{
	size_t i = start_of(s, a, b);

	while (s->slots[i].is_used && (s->slots[i].a != a || s->slots[i].b != b))
		i = (i + 1) & (s->size - 1);
	return &s->slots[i];
}

struct seen_slot *seen_find(const struct seen *s, uint64_t a, uint64_t b)
{
	struct seen_slot *slot = s->size ? slot_of(s, a, b) : NULL;

	return slot && slot->is_used ? slot : NULL;
}

static int grow(struct seen *s, struct err *err)
{
	struct seen bigger = { .size = s->size ? s->size * 2 : 1024, .count = s->count };

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return err_set(err, ENOMEM, "table of %zu records", s->count);
	for (size_t i = 0; i < s->size; i++)
		if (s->slots[i].is_used)
			*slot_of(&bigger, s->slots[i].a, s->slots[i].b) = s->slots[i];
	free(s->slots);
	*s = bigger;
	return 0;
}

int seen_add(struct seen *s, uint64_t a, uint64_t b, struct seen_slot **ret, bool *is_new, struct err *err)
{
	int r = s->count * 2 >= s->size ? grow(s, err) : 0;

	if (r < 0)
		return r;
	struct seen_slot *slot = slot_of(s, a, b);
	*is_new = !slot->is_used;
	if (*is_new) {
		*slot = (struct seen_slot){ .a = a, .b = b, .is_used = true };
		s->count++;
	}
	*ret = slot;
	return 0;
}

void seen_fini(struct seen *s)
{
	free(s->slots);
	*s = (struct seen){ 0 };
}
