/* fuzz_filter.c - the filter language: any bytes give terms or an error with its column.
 * FUZZ_LINK: collector_store */
#include <assert.h>

#include "collector/store/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const keys[] = { "host", "severity", "pid", "since", "time", "text", NULL };
	CLEANUP(arena_freep) struct arena *a = arena_new(256 * 1024);
	struct slice text = slice_from(data, n);
	uint64_t since = 0, until = 0;
	struct filter f;
	struct err err;

	if (filter_parse(text, keys, a, &f, &err) < 0) {
		assert(!strncmp(err.msg, "column ", 7) && !strchr(err.msg, '\n'));
		return 0;
	}
	filter_window(&f, 1795400000000000000ull, &since, &until);
	for (size_t i = 0; i < f.count; i++) {
		/* a term and its negation never agree */
		struct filter_term other = f.terms[i];

		other.is_negated = !other.is_negated;
		assert(filter_match_text(&f.terms[i], text) != filter_match_text(&other, text));
		assert(filter_match_number(&f.terms[i], 42) != filter_match_number(&other, 42));
	}
	return 0;
}
