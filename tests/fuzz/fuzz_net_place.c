/* FUZZ_LINK: agent_guard_net
 * fuzz_net_place.c - /proc's texts and netlink's messages of where a container is; the first byte says which. */
#include <assert.h>
#include <stdint.h>

#include "agent/guard/net/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_from(data, size), rest = slice_sub(all, 1, SIZE_MAX), id;
	char path[64];
	uint32_t peer = 0;
	int32_t netns;

	if (!size)
		return 0;
	switch (data[0] % 3) {
	case 0:
		if (place_parse_mountinfo(rest, path, sizeof(path), NULL) >= 0)
			assert(strlen(path) < sizeof(path));
		break;
	case 1:
		if (slice_split(&rest, '\n', &id) && place_parse_cgroup(rest, id, path, sizeof(path), NULL) >= 0)
			assert(strlen(path) < sizeof(path) && !strstr(path, "/../"));
		break;
	case 2:
		if (place_parse_veth(rest, &peer, &netns))
			assert(peer);
		break;
	}
	return 0;
}
