/* ids.c - see ids.h. Chains by hash, their heads doubled as they get long. */
#include "agent/scan/ids.h"

#include <errno.h>
#include <strings.h>

enum { ENTRIES_MAX = 4 << 20 };

static uint32_t hash(const struct ids *t, struct slice id)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (uint64_t)((uint8_t)id.p[i] & ~0x20u)) * 1099511628211u;
	return (uint32_t)(h ^ h >> 32) & (t->head_count - 1);
}

static bool grow(struct ids *t)
{
	uint32_t size = t->size ? t->size * 2 : 64;
	struct ids_entry *entries = reallocarray(t->entries, size, sizeof(*entries));

	if (entries)
		t->entries = entries;
	uint32_t *heads = entries ? calloc(size, sizeof(*heads)) : NULL;
	if (!heads)
		return false;
	free(t->heads);
	t->heads = heads;
	t->head_count = t->size = size;
	t->count = t->count ? t->count : 1;
	for (uint32_t i = 1; i < t->count; i++) {
		uint32_t h = hash(t, entries[i].id);

		entries[i].next = heads[h];
		heads[h] = i;
	}
	return true;
}

int ids_add(struct ids *t, struct slice id, uint32_t item, struct err *err)
{
	if (t->count >= ENTRIES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d ids", ENTRIES_MAX);
	if (t->count == t->size && !grow(t))
		return err_set(err, ENOMEM, "keep ids");
	uint32_t h = hash(t, id);
	t->entries[t->count] = (struct ids_entry){ id, item, t->heads[h] };
	t->heads[h] = t->count++;
	return 0;
}

static uint32_t matching(const struct ids *t, uint32_t at, struct slice id)
{
	while (at && !(t->entries[at].id.n == id.n && !strncasecmp(t->entries[at].id.p, id.p, id.n)))
		at = t->entries[at].next;
	return at;
}

uint32_t ids_find(const struct ids *t, struct slice id)
{
	return t->size && id.n ? matching(t, t->heads[hash(t, id)], id) : 0;
}

uint32_t ids_next(const struct ids *t, uint32_t at)
{
	return matching(t, t->entries[at].next, t->entries[at].id);
}

void ids_fini(struct ids *t)
{
	free(t->entries);
	free(t->heads);
	*t = (struct ids){ 0 };
}
