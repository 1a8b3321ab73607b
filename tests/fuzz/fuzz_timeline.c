/* fuzz_timeline.c - a hostile file of events through the shipped rules. FUZZ_LINK: collector_ruleset */
#include "collector/correlate/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ruleset *rs;
	struct arena *a = arena_new(16 << 20);
	struct timeline_result t;
	struct err err = { 0 };

	if (!rs) {
		rs = ruleset_new();
		if (!rs || ruleset_add_shipped(rs, &err) < 0 || ruleset_link(rs, false, &err) < 0)
			abort();
	}
	if (!a)
		abort();
	int r = timeline_run(rs, "fuzz", slice_from(data, size), a, &t, &err);
	if (r < 0 && strncmp(err.msg, "fuzz:", 5) != 0)
		abort();
	/* What fired is told as JSON. */
	for (size_t i = 0; r >= 0 && i < t.firing_count && i < TIMELINE_FIRINGS_MAX; i++) {
		cJSON *group = NULL;

		if (t.firings[i].group && json_parse(slice_of(t.firings[i].group), 1 << 20, &group, NULL) < 0)
			abort();
		cJSON_Delete(group);
	}
	arena_free(a);
	return 0;
}
