/* FUZZ_LINK: agent_rules
 * A whole rule file: loaded, and if it loads run on an event that has a value for every field. */
#include "agent/rules/rules.h"
#include "agent/rules/rules_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool get(void *ctx, const struct rules_field *f, int index, struct slice arg, struct arena *scratch,
		struct rules_value *ret)
{
	static const struct slice list[] = { { "a", 1 }, { "10.0.0.1", 8 } };
	bool is_list = f->flags & (FIELD_IS_LIST | FIELD_IS_ANCESTOR | FIELD_IS_EITHER);

	(void)ctx;
	(void)index;
	(void)arg;
	(void)scratch;
	*ret = (struct rules_value){ .str = SLICE_LIT("/bin/a -c 10.0.0.1"), .num = 5 };
	if (is_list) {
		ret->list = list;
		ret->list_count = ARRAY_LEN(list);
		ret->is_list = f->flags & FIELD_IS_LIST;
	}
	return true;
}

static void ignore(void *arg, const struct rules_match *m)
{
	(void)arg;
	(void)m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	const struct rules_source src = { get, NULL };
	struct rules_report report;

	if (rules_load_text("fuzz", slice_from(data, size), &r, &report, NULL) >= 0)
		(void)rules_eval(r, "execve", &src, ignore, NULL);
	rules_report_fini(&report);
	return 0;
}
