/* FUZZ_LINK: picket_proto
 * fuzz_token.c - a token as a person pastes it, and the same bytes unpacked. */
#include "common/text.h"
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	Picket__Token *m;

	if (!a)
		return 0;
	(void)!msg_read_token(slice_from(data, size), a, &m, NULL);
	if (size < 4096) {
		char text[4096 * 4 / 3 + 16] = "pkt1.";
		size_t n = text_base64url(data, size, text + 5);

		(void)!msg_read_token(slice_from(text, n + 5), a, &m, NULL);
	}
	arena_free(a);
	return 0;
}
