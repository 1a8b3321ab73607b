/* supply.h - the files of a source: one by itself (.gz too), an archive's (zip, tar), a folder's; of the last
 * two, those named .json and .csv. Archives are read from front to back, nothing is unpacked to disk, no name
 * in them is used as a path. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

struct supply;

/* path: file or folder. *ret: caller frees with supply_close. Errors: errno, ERR_SYNTAX. */
int supply_open(const char *path, struct supply **ret, struct err *err) WARN_UNUSED;
/* 1: the next file is at hand, 0: no more. What is left of the one before is skipped. */
int supply_next(struct supply *s, struct err *err) WARN_UNUSED;
/* Of the file at hand: "GO-2024-1.json"; for messages. Borrowed until the next supply_next. */
const char *supply_name(const struct supply *s);
/* Bytes read, 0 at its end. ERR_LIMIT: what comes out is out of proportion to what goes in. */
int supply_read(struct supply *s, void *p, size_t n, struct err *err) WARN_UNUSED;
/* Feeds the file at hand, to its end, to a reader of bytes. */
int supply_feed(struct supply *s, int (*feed)(void *reader, struct slice bytes, struct err *err), void *reader,
		struct err *err) WARN_UNUSED;
/* An error was of the source as a whole, not of the file at hand. */
bool supply_is_broken(const struct supply *s);
/* Bytes of the source that were gone through, and those there are. */
uint64_t supply_done(const struct supply *s);
uint64_t supply_total(const struct supply *s);
void supply_close(struct supply *s);
DEFINE_CLEANUP(struct supply, supply_close)

/* SHA-256 of the file as hex; empty for a folder. */
int supply_digest(const char *path, char ret_hex[65], struct err *err) WARN_UNUSED;
