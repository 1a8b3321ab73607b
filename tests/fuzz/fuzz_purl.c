/* FUZZ_LINK: agent_scan
 * A package URL: what is read can be written, and reads back as the same. */
#include "agent/scan/purl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct purl_package pkg;
	struct purl p, again;

	if (purl_parse(slice_from(data, size), a, &p, NULL) < 0)
		return 0;
	buf_init(&text, 0);
	purl_write(&p, &text);
	(void)!purl_to_package(&p, a, &pkg, NULL);
	if (text.n <= PURL_TEXT_MAX &&
	    (purl_parse(buf_slice(&text), a, &again, NULL) < 0 || !purl_covers(&p, &again)))
		abort();
	return 0;
}
