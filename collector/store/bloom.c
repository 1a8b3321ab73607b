/* bloom.c - see bloom.h. */
#include "collector/store/bloom.h"

enum { BITS_PER_TERM = 16, PROBES = 8, BYTES_MIN = 8 };

/* Terms are hashes already, mixed with the size of the filter. Blocks of a class have most of their terms in common, so
 * without it a term that seems to be in one of them by chance seemed to be in all. */
static uint64_t salted(uint64_t term, size_t bits)
{
	term = (term ^ bits) * 0xbf58476d1ce4e5b9ull;
	return term ^ term >> 32;
}

/* The second, odd one steps through the bits. */
static uint64_t step_of(uint64_t term)
{
	term ^= term >> 31;
	term *= 0x9e3779b97f4a7c15ull;
	return (term ^ term >> 29) | 1;
}

static size_t bit_of(uint64_t term, uint64_t step, unsigned probe, size_t bits)
{
	uint64_t h = term + probe * step;

	h ^= h >> 32;
	return (size_t)(((h & 0xffffffff) * bits) >> 32);
}

void bloom_make(const uint64_t *terms, size_t count, struct buf *out)
{
	size_t bytes = count * BITS_PER_TERM / 8;

	if (bytes < BYTES_MIN)
		bytes = BYTES_MIN;
	unsigned char *p = (unsigned char *)buf_reserve(out, bytes);
	if (!p)
		return;
	memset(p, 0, bytes);
	for (size_t i = 0; i < count; i++) {
		uint64_t term = salted(terms[i], bytes * 8), step = step_of(term);

		for (unsigned k = 0; k < PROBES; k++) {
			size_t bit = bit_of(term, step, k, bytes * 8);

			p[bit / 8] |= (unsigned char)(1u << bit % 8);
		}
	}
	buf_written(out, bytes);
}

bool bloom_may(struct slice filter, uint64_t term)
{
	if (filter.n < BYTES_MIN || filter.n > UINT32_MAX / 8)
		return true;
	term = salted(term, filter.n * 8);
	uint64_t step = step_of(term);
	for (unsigned k = 0; k < PROBES; k++) {
		size_t bit = bit_of(term, step, k, filter.n * 8);

		if (!((unsigned char)filter.p[bit / 8] & 1u << bit % 8))
			return false;
	}
	return true;
}

bool bloom_is_of(struct slice filter, const uint64_t *terms, size_t count)
{
	CLEANUP(buf_finip) struct buf want = { 0 };

	buf_init(&want, 0);
	bloom_make(terms, count, &want);
	return !want.failed && slice_eq(filter, buf_slice(&want));
}
