/* bloom.h - which terms a block may have, in few bytes: a Bloom filter. Pure. Private to the store.
 *
 * 16 bits a term and 8 probes: one block in 2,000 is looked into for nothing. A posting row cost 14 bytes. */
#pragma once
#include "common/buf.h"

/* Appends the filter of the terms (any order, each once). */
void bloom_make(const uint64_t *terms, size_t count, struct buf *out);
/* May the term be among them? Anything that is no filter may hold everything. */
bool bloom_may(struct slice filter, uint64_t term);
/* Has the filter the bits of all the terms, and no others? */
bool bloom_is_of(struct slice filter, const uint64_t *terms, size_t count);
