/* fuzz_store_segment.c - the bytes of a block: damaged ones are refused, good ones encode to themselves.
 * FUZZ_LINK: collector_store */
#include <assert.h>

#include "collector/store/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(segment_freep) struct segment *g = segment_new();
	CLEANUP(segment_freep) struct segment *again = segment_new();
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	buf_init(&b, SEGMENT_RAW_MAX);
	if (!g || !again || segment_decode(slice_from(data, n), 1, g, &err) < 0)
		return 0;
	for (size_t i = 0; i < g->count; i++) {
		struct slice rec = segment_record(g, i);

		assert(!rec.n || (rec.p >= (const char *)data && rec.p + rec.n <= (const char *)data + n));
	}
	segment_encode(g, &b);
	assert(!b.failed && segment_decode(buf_slice(&b), 1, again, &err) == 0);
	assert(again->count == g->count && again->source_count == g->source_count);
	return 0;
}
