/* spare.c - an empty day file, made ahead: the first batch of a day needs a rename where making one costs eight
 * syncs. Those are 5 s on a disk that takes 600 ms for each, and the whole fleet waited for them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "collector/store/history_priv.h"
#include "common/file.h"

static const char spare[] = "history/spare.db", unfinished[] = "history/spare.db.new";

/* What a kill left of one that was being made. */
static int remove_unfinished(const char *path, struct err *err)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char full[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		int n = snprintf(full, sizeof(full), "%s%s", path, suffixes[i]);

		if (n < 0 || (size_t)n >= sizeof(full))
			return err_set(err, ENAMETOOLONG, "'%.60s...'", path);
		if (unlink(full) < 0 && errno != ENOENT)
			return err_set(err, errno, "remove '%s'", full);
	}
	return 0;
}

/* Closing moves everything out of the WAL: what is synced then is one whole file. */
static int fill(const char *path, struct err *err)
{
	struct db d;
	int r = db_open(path, DB_LARGE_PAGES | DB_CREATE | DB_UNSYNCED, &d, err);

	if (r >= 0)
		r = schema_migrate(&d, &schema_day, err);
	db_close(&d);
	return r;
}

static int make(struct store *s, const char *path, struct err *err)
{
	char temporary[PATH_MAX];
	int r = store_path(s, unfinished, temporary, sizeof(temporary), err);

	if (r >= 0)
		r = remove_unfinished(temporary, err);
	if (r >= 0)
		r = fill(temporary, err);
	if (r < 0)
		return r;
	CLEANUP(fd_closep) int fd = open(temporary, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fsync(fd) < 0)
		return err_set(err, errno, "sync '%s'", temporary);
	if (rename(temporary, path) < 0)
		return err_set(err, errno, "rename to '%s'", path);
	return 0;
}

int store_history_prepare(struct store *s, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;
	int r = store_path(s, spare, path, sizeof(path), err);

	if (r < 0 || !stat(path, &st))
		return r;
	r = make(s, path, err);
	return r < 0 ? err_wrap(err, r, "make a day file ahead") : 0;
}

int history_take_spare(struct store *s, const char *path, struct err *err)
{
	char from[PATH_MAX], dir[PATH_MAX];
	int r = store_history_prepare(s, err);

	if (r >= 0)
		r = store_path(s, spare, from, sizeof(from), err);
	if (r >= 0)
		r = store_path(s, "history", dir, sizeof(dir), err);
	if (r < 0)
		return r;
	if (rename(from, path) < 0)
		return err_set(err, errno, "rename to '%s'", path);
	return file_sync_dir(dir, err);
}
