/* cache.c - see cache.h. A fixed table of rows; chains and the order of use are row numbers, 0 is none. */
#include "agent/hash/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "common/slice.h"

struct row {
	struct hash_known known;
	uint16_t next;		/* of its chain */
	uint16_t newer, older; /* in order of use */
};

struct hash_cache {
	struct row *rows; /* [0] is the ring's head: its older is the newest, its newer the oldest */
	uint16_t *chains;
	size_t max, count, chain_mask;
	uint64_t evicted;
};

int hash_cache_new(size_t max, struct hash_cache **ret, struct err *err)
{
	CLEANUP(hash_cache_freep) struct hash_cache *c = calloc(1, sizeof(*c));
	size_t chains = 16;

	while (chains < max)
		chains *= 2;
	if (c) {
		c->rows = calloc(max + 1, sizeof(*c->rows));
		c->chains = calloc(chains, sizeof(*c->chains));
		c->max = max;
		c->chain_mask = chains - 1;
	}
	if (!c || !c->rows || !c->chains)
		return err_set(err, ENOMEM, "hashes of files");
	*ret = take_ptr(c);
	return 0;
}

static uint16_t *chain_of(const struct hash_cache *c, const struct hash_key *k)
{
	uint64_t h = slice_hash(slice_from((const char *)k, sizeof(*k)));

	return &c->chains[(h ^ h >> 32) & c->chain_mask];
}

static void unlink_row(struct hash_cache *c, uint16_t i)
{
	struct row *r = &c->rows[i];

	c->rows[r->newer].older = r->older;
	c->rows[r->older].newer = r->newer;
}

static void link_newest(struct hash_cache *c, uint16_t i)
{
	struct row *head = &c->rows[0], *r = &c->rows[i];

	r->newer = 0;
	r->older = head->older;
	c->rows[head->older].newer = i;
	head->older = i;
	if (!head->newer)
		head->newer = i;
}

static struct row *find(struct hash_cache *c, const struct hash_key *key)
{
	uint16_t i = *chain_of(c, key);

	while (i && memcmp(&c->rows[i].known.key, key, sizeof(*key)) != 0)
		i = c->rows[i].next;
	if (!i)
		return NULL;
	unlink_row(c, i);
	link_newest(c, i);
	return &c->rows[i];
}

const struct hash_known *hash_cache_find(struct hash_cache *c, const struct hash_key *key)
{
	const struct row *r = find(c, key);

	return r ? &r->known : NULL;
}

/* The row of what was not asked for longest; out of its chain and the order. */
static uint16_t take_oldest(struct hash_cache *c)
{
	uint16_t i = c->rows[0].newer, *at = chain_of(c, &c->rows[i].known.key);

	while (*at != i)
		at = &c->rows[*at].next;
	*at = c->rows[i].next;
	unlink_row(c, i);
	c->evicted++;
	return i;
}

void hash_cache_put(struct hash_cache *c, const struct hash_known *known)
{
	struct row *r = find(c, &known->key);

	if (!r) {
		uint16_t i = c->count < c->max ? (uint16_t)++c->count : take_oldest(c);
		uint16_t *chain = chain_of(c, &known->key);

		r = &c->rows[i];
		r->next = *chain;
		*chain = i;
		link_newest(c, i);
	}
	r->known = *known;
}

size_t hash_cache_count(const struct hash_cache *c)
{
	return c->count;
}

uint64_t hash_cache_evicted(const struct hash_cache *c)
{
	return c->evicted;
}

void hash_cache_free(struct hash_cache *c)
{
	if (!c)
		return;
	free(c->rows);
	free(c->chains);
	free(c);
}
