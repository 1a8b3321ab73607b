/* scores.h - KEV and EPSS into the database: facts about CVEs, replaced as a whole, written where they differ.
 * Within the caller's transaction. */
#pragma once
#include "common/vulndb/feeds.h"
#include "common/vulndb/seen.h"

struct scores {
	struct vulndb *db;
	enum vulndb_format format;
	struct vulndb_imported *counts; /* borrowed */
	struct seen before;		/* CVE -> what was said of it */
};

/* Reads what is there. ret: caller calls scores_fini, also after an error. */
int scores_open(struct vulndb *db, enum vulndb_format format, struct vulndb_imported *counts, struct scores *ret,
		struct err *err) WARN_UNUSED;
int scores_put_kev(struct scores *s, const struct kev_row *row, struct err *err) WARN_UNUSED;
int scores_put_epss(struct scores *s, const struct epss_row *row, struct err *err) WARN_UNUSED;
/* Removes what did not come; writes the feed's row. */
int scores_end(struct scores *s, const char *feed, struct slice digest, struct slice date, uint64_t now_unix_s,
	       struct err *err) WARN_UNUSED;
void scores_fini(struct scores *s);
static inline void scores_finip(struct scores *s)
{
	scores_fini(s);
}
