/* FUZZ_LINK: picket_proto
 * fuzz_batch.c - a request as the collector gets it, then every record of its batch. */
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	Picket__Request *m;
	Picket__Record *r;

	if (!a)
		return 0;
	if (msg_read_request(slice_from(data, size), a, &m, NULL) >= 0 &&
	    m->body_case == PICKET__REQUEST__BODY_BATCH)
		for (size_t i = 0; i < m->batch->n_records; i++)
			(void)!msg_read_record(msg_slice(m->batch->records[i]), a, &r, NULL);
	arena_reset(a);
	(void)!msg_read_record(slice_from(data, size), a, &r, NULL);
	arena_free(a);
	return 0;
}
