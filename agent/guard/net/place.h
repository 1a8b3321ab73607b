/* place.h - where a container is: its cgroup in version 2, its network namespace, its veths on the host. */
#pragma once
#include "common/err.h"
#include "common/slice.h"
#include <sys/types.h>

enum { PLACE_VETHS = 8, PLACE_PATH = 1024 };

struct place {
	char cgroup[PLACE_PATH]; /* below cgroup_root; "" when it has none of its own */
	uint64_t cgroup_id;
	uint64_t netns_cookie; /* 0: the kernel doesn't tell (before 5.14) */
	bool is_host_net;
	uint32_t veths[PLACE_VETHS]; /* the host's ends */
	size_t veth_count;
};

/* Errors: ESRCH (the process is gone, or is not the container's). */
int place_find(pid_t pid, const char *id, const char *cgroup_root, struct place *ret, struct err *err) WARN_UNUSED;

/* Where version 2 of the cgroups is mounted whole, of /proc/PID/mountinfo. Pure. Errors: ERR_NOT_FOUND, ERR_LIMIT. */
int place_parse_mountinfo(struct slice text, char *ret, size_t size, struct err *err) WARN_UNUSED;
/* Of /proc/PID/cgroup, the path in version 2 down to the component that has the id; "" where only version 1 has it.
 * Pure. Errors: ESRCH (the id is in none), ERR_CORRUPT. */
int place_parse_cgroup(struct slice text, struct slice id, char *ret, size_t size, struct err *err) WARN_UNUSED;

/* One link of a dump: veths and what is at their other end. Pure; false: no veth, or cut. */
bool place_parse_veth(struct slice message, uint32_t *ret_peer, int32_t *ret_peer_netns);
