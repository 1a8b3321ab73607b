/* fuzz_decode_record.c - FUZZ_LINK: agent_probe picket_common
 * A record of any bytes: refused, or an event whose slices lie within it. */
#include "agent/probe/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice s, const uint8_t *data, size_t size)
{
	const uint8_t *p = (const uint8_t *)s.p;

	if (s.n && (p < data || s.n > size || (size_t)(p - data) > size - s.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event e;

	if (probe_decode(slice_from(data, size), 0, &e, NULL) < 0)
		return 0;
	check(e.p.cgroup, data, size);
	check(e.p.name, data, size);
	check(e.p.parent_name, data, size);
	check(e.p.exe, data, size);
	check(e.p.argv0, data, size);
	check(e.p.args, data, size);
	check(e.p.cwd, data, size);
	check(e.p.env, data, size);
	check(e.call.path, data, size);
	check(e.call.raw, data, size);
	check(e.call.raw2, data, size);
	check(e.call.base, data, size);
	check(e.call.base2, data, size);
	check(e.call.data, data, size);
	if (e.type == EV_CALL && (unsigned)e.call.call >= CALL_COUNT)
		abort();
	return 0;
}
