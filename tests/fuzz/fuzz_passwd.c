/* FUZZ_LINK: agent_image
 * An image's /etc/passwd holds what its builder wrote. */
#include "agent/image/passwd.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	size_t lines = 0;

	if (size > PASSWD_BYTES)
		return 0;
	buf_init(&b, PASSWD_BYTES);
	passwd_roots(slice_from(data, size), &b);
	for (size_t i = 0; i < b.n; i++)
		lines += b.p[i] == '\n';
	if (b.failed || lines > PASSWD_ROOTS || (b.n && b.p[b.n - 1] != '\n'))
		abort();
	return 0;
}
