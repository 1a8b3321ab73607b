/* FUZZ_LINK: agent_uplink
 * fuzz_spool.c - a spool file's name and bytes, in one window and in small ones. */
#include "agent/uplink/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum; /* of what is read, so that a read past the end is seen */

static size_t scan(struct slice file, size_t window)
{
	size_t at = SEGMENT_START_BYTES, used, records = 0, end = at + window;
	struct segment_record rec = {0};

	while (at <= file.n) {
		if (end > file.n)
			end = file.n;
		enum segment_found f =
			segment_parse(slice_sub(file, at, end - at), end == file.n, 1, &used, &rec);
		if (f == SEGMENT_END)
			break;
		if (f == SEGMENT_MORE) {
			if (end == file.n)
				__builtin_trap(); /* nothing more will come */
			end += window;
			continue;
		}
		if (!used)
			__builtin_trap(); /* a reader would never end */
		if (f == SEGMENT_RECORD) {
			records++;
			for (size_t i = 0; i < rec.body.n; i++)
				sum += (uint8_t)rec.body.p[i];
		}
		at += used;
	}
	return records;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice file = slice_from(data, size);
	struct segment_name name;
	struct segment_totals totals;

	(void)segment_name_parse(file, &name);
	if (size >= SEGMENT_FOOTER_BYTES)
		(void)segment_parse_footer(slice_sub(file, size - SEGMENT_FOOTER_BYTES, size), 1,
					   &totals);
	if (scan(file, 1 << 20) != scan(file, 50))
		__builtin_trap(); /* what is read must not depend on the window */
	return 0;
}
