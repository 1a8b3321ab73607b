/* records.h - the records of a file of OSV: one object, an array of them, or one a line. Cuts only; what
 * stands between the braces is the reader's. */
#pragma once
#include "common/buf.h"
#include "common/err.h"

struct records {
	struct buf text; /* of the record that is open */
	unsigned depth;
	bool in_string, after_escape;
	int (*fn)(void *arg, struct slice record, struct err *err);
	void *arg;
};

void records_init(struct records *r, int (*fn)(void *arg, struct slice record, struct err *err), void *arg);
/* ERR_LIMIT: a record over VULNDB_RECORD_MAX; ERR_SYNTAX: something else than records; or what fn gave. */
int records_feed(struct records *r, struct slice bytes, struct err *err) WARN_UNUSED;
/* A file ends; a record must not be open. Ready for the next file, also after an error. */
int records_end(struct records *r, struct err *err) WARN_UNUSED;
void records_fini(struct records *r);
static inline void records_finip(struct records *r)
{
	records_fini(r);
}
