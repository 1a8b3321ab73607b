/* range.h - which versions an advisory means: compiled once at import into a line an interval, judged at
 * every match. A line: FROM tab OP TO; FROM empty = from the first version; OP and TO absent = to the last. */
#pragma once
#include "common/buf.h"
#include "common/vulndb/advisory.h"

/* Events become intervals (OSV's algorithm, sorted by the scheme's order); listed versions that lie in none
 * are kept one a line. Both empty: the record names no version. ERR_LIMIT when the arena is full. */
int range_compile(enum version_scheme s, const struct advisory_affected *af, struct arena *a,
		  struct slice *ret_ranges, struct slice *ret_versions, struct err *err) WARN_UNUSED;

struct range_verdict {
	bool is_affected;
	struct slice fixed; /* the first version without it, on this branch; empty: none known */
};
/* A version that is none of the scheme is affected only where every version is, or where it is listed. */
struct range_verdict range_judge(enum version_scheme s, struct slice ranges, struct slice versions,
				 struct slice version);
/* ">=1.0, <1.4.2 || >=2.0, <=2.3"; listed versions as "=1.0". At most max bytes, then "…". */
void range_show(struct slice ranges, struct slice versions, size_t max, struct buf *out);
