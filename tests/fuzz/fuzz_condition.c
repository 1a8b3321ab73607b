/* FUZZ_LINK: agent_rules
 * One condition: parsed, printed and parsed again to the same text, then compiled. */
#include <stdlib.h>

#include "agent/rules/cond.h"
#include "agent/rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool print(struct slice text, struct buf *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
	const struct cond *c;

	if (!a || cond_parse(a, text, 2 * COND_DEPTH, &c, NULL) < 0)
		return false;
	cond_print(c, out);
	return !out->failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_finip) struct buf once = { 0 };
	CLEANUP(buf_finip) struct buf twice = { 0 };
	struct slice text = slice_from(data, size);

	buf_init(&once, 1 << 20);
	buf_init(&twice, 1 << 20);
	/* What is printed must parse, and print the same. */
	if (size < 65536 && print(text, &once) && (!print(buf_slice(&once), &twice) ||
						   !slice_eq(buf_slice(&once), buf_slice(&twice))))
		abort();
	(void)!rules_compile_condition(text, NULL);
	return 0;
}
