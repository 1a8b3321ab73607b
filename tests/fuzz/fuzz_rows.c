/* FUZZ_LINK: agent_rules
 * Rules and a call from the bytes: what a rule matches must pass a row of the filter derived from them, and
 * "first" must match whenever "all" does. */
#include <stdlib.h>

#include "common/json.h"
#include "tests/agent/rules/filter_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct rules *r, const struct filter *f, struct dice *d)
{
	CLEANUP(buf_finip) struct buf json = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *event = NULL;
	const struct model m = model_roll(d);

	buf_init(&json, 1 << 16);
	model_json(&m, &json);
	if (json_parse(buf_slice(&json), 1 << 16, &event, NULL) < 0)
		abort();
	struct rules_source src = rules_json_source(event);
	rules_set_matching(r, RULES_MATCH_ALL);
	unsigned all = rules_eval(r, call_name(m.call), &src, NULL, NULL);
	rules_set_matching(r, RULES_MATCH_FIRST);
	if (rules_eval(r, call_name(m.call), &src, NULL, NULL) != (all > 0))
		abort();
	if (all && !model_passes(f, &m))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct dice d = { .p = data, .n = size };
	unsigned count = 1 + dice_roll(&d, 3);
	struct filter f;

	if (size < 4 || size > 4096)
		return 0;
	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < count; i++) {
		buf_printf(&text, "- rule: r%u\n  desc: d\n  condition: >\n    ", i);
		model_condition(&d, 4, &text);
		buf_add_str(&text, "\n  output: o\n  priority: INFO\n  warn_evttypes: false\n");
	}
	if (rules_load_text("fuzz", buf_slice(&text), &r, NULL, NULL) < 0)
		return 0;
	if (rules_filter(r, &f, NULL) < 0)
		abort();
	for (unsigned i = 0; i < 4; i++)
		check(r, &f, &d);
	filter_fini(&f);
	return 0;
}
