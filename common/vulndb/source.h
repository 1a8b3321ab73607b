/* source.h - the files of a source: one by itself (.gz too), an archive's (zip, tar), a folder's; of the last
 * two, those named .json and .csv. Archives are read from front to back, nothing is unpacked to disk, no name
 * in them is used as a path. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

struct source;

/* path: file or folder. *ret: caller frees with source_close. Errors: errno, ERR_SYNTAX. */
int source_open(const char *path, struct source **ret, struct err *err) WARN_UNUSED;
/* 1: the next file is at hand, 0: no more. What is left of the one before is skipped. */
int source_next(struct source *s, struct err *err) WARN_UNUSED;
/* Of the file at hand: "GO-2024-1.json"; for messages. Borrowed until the next source_next. */
const char *source_name(const struct source *s);
/* Bytes read, 0 at its end. ERR_LIMIT: what comes out is out of proportion to what goes in. */
int source_read(struct source *s, void *p, size_t n, struct err *err) WARN_UNUSED;
/* Feeds the file at hand, to its end, to a reader of bytes. */
int source_feed(struct source *s, int (*feed)(void *reader, struct slice bytes, struct err *err), void *reader,
		struct err *err) WARN_UNUSED;
/* An error was of the source as a whole, not of the file at hand. */
bool source_is_broken(const struct source *s);
/* Bytes of the source that were gone through, and those there are. */
uint64_t source_done(const struct source *s);
uint64_t source_total(const struct source *s);
void source_close(struct source *s);
DEFINE_CLEANUP(struct source, source_close)

/* SHA-256 of the file as hex; empty for a folder. */
int source_digest(const char *path, char ret_hex[65], struct err *err) WARN_UNUSED;
