/* fuzz_correlate_snapshot.c - hostile snapshots of correlations, with a checksum that is right: refused, or an engine that
 * counts on, and whose own snapshot can be restored. FUZZ_LINK: collector_correlate */
#include <openssl/sha.h>

#include "tests/collector/correlate/every_type.h"
#include "tests/collector/correlate/replay.h"

static void wrap(struct slice body, struct buf *out)
{
	uint8_t sum[32];

	buf_init(out, 64 << 20);
	buf_add(out, "PKTCORR1", 8);
	buf_add_slice(out, body);
	SHA256((const unsigned char *)out->p, out->n, sum);
	buf_add(out, sum, sizeof(sum));
}

static void feed(struct replay *r)
{
	for (unsigned n = 40; n < 80; n++) {
		char text[200];
		double t = every_event(n, text, sizeof(text));
		CLEANUP(cJSON_Deletep) cJSON *fields = cJSON_Parse(text);

		(void)replay_event(r, t, fields);
	}
	engine_advance(r->engine, 2000000000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct replay r;
	const struct engine_config config = { .lateness_ns = 20000000000, .close_ns = 5000000000, .bytes_max = 1 << 20 };
	CLEANUP(buf_finip) struct buf in = { 0 }, out = { 0 };
	struct engine_restored restored;
	struct engine_stats stats;
	struct err err = { 0 };

	if (!r.arena && replay_begin(&r, SLICE_LIT(EVERY_TYPE), false, &config, &err) < 0)
		abort();
	if (replay_new_engine(&r, &err) < 0)
		abort();
	r.fire_count = 0;
	wrap(slice_from(data, size), &in);
	int e = engine_restore(r.engine, buf_slice(&in), &restored, &err);
	engine_stats(r.engine, &stats);
	if (e < 0) {
		if (e != -ERR_CORRUPT || !err.msg[0] || stats.groups || stats.bytes)
			abort();
		return 0;
	}
	if (stats.bytes > config.bytes_max)
		abort();
	feed(&r);
	buf_init(&out, 64 << 20);
	if (engine_snapshot(r.engine, &out, &err) < 0 || replay_new_engine(&r, &err) < 0)
		abort();
	if (engine_restore(r.engine, buf_slice(&out), &restored, &err) < 0)
		abort();
	return 0;
}
