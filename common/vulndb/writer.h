/* writer.h - advisories of one feed into the database: only what changed is written, what is gone is removed.
 * Within the caller's transaction. */
#pragma once
#include "common/vulndb/advisory.h"

struct writer;
enum { WRITER_HASH = 16 };

struct writer_options {
	const char *feed;
	enum vulndb_format format;
	uint64_t now_unix_s;
	struct vulndb_imported *counts; /* borrowed */
};

int writer_open(struct vulndb *db, const struct writer_options *o, struct writer **ret, struct err *err) WARN_UNUSED;
/* The hash of a record's own bytes, for writer_has and writer_put. */
void writer_hash(struct writer *w, struct slice bytes, uint8_t ret[WRITER_HASH]);
/* 1: exactly this record is in the database; it counts as unchanged and need not be put. */
int writer_has(struct writer *w, const uint8_t hash[WRITER_HASH], struct err *err) WARN_UNUSED;
/* hash: nullable: of the advisory itself. 1: *ret_bad says why the record was left out (static text). */
int writer_put(struct writer *w, const struct advisory *a, const uint8_t *hash, const char **ret_bad,
	       struct err *err) WARN_UNUSED;
/* A record that could not be read is kept as it was before, and not removed. */
int writer_keep(struct writer *w, struct slice key, struct err *err) WARN_UNUSED;
/* Removes what did not come unless is_part; writes the feed's own row. digest, date: may be empty. */
int writer_end(struct writer *w, bool is_part, struct slice digest, struct slice date, struct err *err) WARN_UNUSED;
void writer_close(struct writer *w);
DEFINE_CLEANUP(struct writer, writer_close)

/* The row of the feed; made when it is not there. */
int writer_feed_id(struct vulndb *db, const char *name, enum vulndb_format format, int64_t *ret,
		   struct err *err) WARN_UNUSED;
