/* kinds.h - packages in groups: of the operating system, of each language, of each file. */
#pragma once
#include "agent/scan/result.h"

struct kind {
	const char *ecosystem, *file, *type, *together, *people;
};

/* Never NULL: the last row takes what no other does. The rows' order is that of reports. */
const struct kind *kind_of(const Picket__Package *p);
bool kind_is_os(const struct kind *k);

/* Packages that are reported together, as Trivy does it. */
struct group {
	const struct kind *kind;
	struct slice target; /* a name for all, or the path of a file; of OS packages empty */
	size_t first, count; /* of groups.order */
};
struct groups {
	struct group *groups;
	size_t count;
	uint32_t *order;    /* indexes of packages, group by group */
	uint32_t *group_of; /* by index of package */
};
/* Lives in the result's arena. ERR_LIMIT. */
int groups_of(const struct scan_result *r, struct groups *ret, struct err *err) WARN_UNUSED;
