/* cache.h - what is known of files' contents, the least recently asked for given up first. One thread. */
#pragma once
#include <stddef.h>

#include "agent/hash/question.h"
#include "common/err.h"

struct hash_cache;

struct hash_known {
	struct hash_key key;
	enum hash_state state; /* HASH_KNOWN, or why it never will be */
	uint8_t sha256[32];
};

/* max: 1 .. 65535 files. */
int hash_cache_new(size_t max, struct hash_cache **ret, struct err *err) WARN_UNUSED;
/* Borrowed until the next call. NULL: nothing is known. */
const struct hash_known *hash_cache_find(struct hash_cache *c, const struct hash_key *key);
/* Copies it; what is known of the key already is replaced. */
void hash_cache_put(struct hash_cache *c, const struct hash_known *known);
size_t hash_cache_count(const struct hash_cache *c);
uint64_t hash_cache_evicted(const struct hash_cache *c);
void hash_cache_free(struct hash_cache *c);
DEFINE_CLEANUP(struct hash_cache, hash_cache_free)
