/* file.h - whole files, bounded, and writes that are there entirely or not at all. */
#pragma once
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"

/* Reads the file into ret (initialised by this call; caller frees with buf_fini, also on error).
 * Errors: errno, ERR_LIMIT past max_bytes. Works for /proc files too. */
int file_read(const char *path, size_t max_bytes, struct buf *ret, struct err *err) WARN_UNUSED;
/* Writes to a temporary beside path, fsyncs, renames, fsyncs the folder. */
int file_write_atomic(const char *path, struct slice data, mode_t mode, struct err *err) WARN_UNUSED;
/* Makes every missing folder of path with the mode. An existing folder is fine. */
int file_make_dirs(const char *path, mode_t mode, struct err *err) WARN_UNUSED;
int file_sync_dir(const char *path, struct err *err) WARN_UNUSED;
/* All n bytes or an error; EINTR and short writes are looked after. */
int file_write_all(int fd, const void *p, size_t n, struct err *err) WARN_UNUSED;

/* Resident memory of this process; 0 where /proc does not say. */
uint64_t file_own_rss_bytes(void);
/* Free bytes for an unprivileged writer on the file system of path. */
int file_free_bytes(const char *path, uint64_t *ret, struct err *err) WARN_UNUSED;
