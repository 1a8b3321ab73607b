/* FUZZ_LINK: agent_image_live
 * /proc/PID/maps holds paths that a container chose. */
#include "agent/image/live/maps.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_path(void *arg, struct slice path)
{
	(void)arg;
	if (path.n < 2 || path.p[0] != '/' || memchr(path.p, '\n', path.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	maps_parse(slice_from(data, size), on_path, NULL);
	return 0;
}
