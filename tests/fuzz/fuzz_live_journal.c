/* fuzz_live_journal.c - a row and the names of a state file that somebody else wrote. FUZZ_LINK: collector_live */
#include "collector/correlate/live_journal.h"

static void on_name(void *arg, size_t i, struct slice name)
{
	*(size_t *)arg += i + name.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct live_row row, again;
	struct slice all = slice_from(data, size);
	struct err err = { 0 };
	int64_t lateness;
	size_t sum = 0;

	if (live_row_get(all, &row, &err) >= 0) {
		struct buf b = { 0 };

		/* What was read can be written, and means the same. */
		live_row_put(&b, &row);
		if (b.failed || live_row_get(buf_slice(&b), &again, &err) < 0 || again.rule_count != row.rule_count ||
		    again.value_count != row.value_count || again.time_ns != row.time_ns || !slice_eq(again.ref.agent, row.ref.agent))
			abort();
		buf_fini(&b);
	}
	if (live_lateness_get(&all, &lateness, &err) >= 0 && live_names_get(&all, 1000, on_name, &sum, &err) >= 0)
		(void)!live_names_get(&all, 1000, on_name, &sum, &err); /* ignored: either is fine */
	return 0;
}
