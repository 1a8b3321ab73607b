/* fuzz_replay.c - any line is an event, nothing to judge, or an error with its column; and what comes out
 * goes through a condition.
 * FUZZ_LINK: agent_replay agent_rules */
#include <assert.h>

#include "agent/replay_event.h"
#include "agent/rules/rules_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct slice condition =
		SLICE_LIT("proc.aname in (sh) or fd.name startswith /etc or evt.arg.flags contains O_CREAT or "
			  "fd.sip=1.2.3.4 or container.image.repository endswith x or proc.args icontains -e");
	CLEANUP(cJSON_Deletep) cJSON *event = NULL;
	bool matches;
	struct err err;
	int r = replay_event(slice_from(data, n), &event, &err);

	assert((r == 1) == !!event);
	if (r < 0)
		assert(err.code == ERR_LIMIT || (err.msg[0] >= '1' && err.msg[0] <= '9'));
	if (r == 1) {
		struct rules_source src = rules_json_source(event);

		(void)!rules_eval_condition(condition, &src, &matches, &err);
	}
	return 0;
}
