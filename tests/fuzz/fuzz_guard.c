/* fuzz_guard.c - FUZZ_LINK: agent_guard
 * What the engine says of a container, what it refuses with, and a process's stat line. */
#include <assert.h>

#include "agent/guard/guard_priv.h"
#include "common/text.h"

#define A16 "aaaaaaaaaaaaaaaa"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_from(data, size);
	struct inspect in = { 0 };
	struct proc_stat st;
	char message[64];

	if (inspect_parse(s, A16 A16 A16 A16, &in, NULL) >= 0)
		for (const char *p = in.network; *p; p++)
			assert((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z'));
	inspect_message(s, message, sizeof(message));
	assert(text_is_clean(slice_of(message)));
	(void)proc_stat_parse(s, &st);
	return 0;
}
