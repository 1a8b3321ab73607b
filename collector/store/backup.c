/* backup.c - a consistent copy of every file while the collector runs. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "collector/store/store_priv.h"
#include "common/file.h"

int backup_db(struct db *d, const char *path, struct err *err)
{
	struct stat st;

	if (!lstat(path, &st))
		return err_set(err, EEXIST, "back up to '%s'", path);
	/* VACUUM INTO writes into an empty file that is there: so it has our mode from the start. */
	CLEANUP(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, errno, "back up to '%s'", path);
	int r = DB_RUN(d, err, "VACUUM INTO ?", B_STR(path));
	if (r >= 0 && fsync(fd) < 0)
		r = err_set(err, errno, "back up to '%s'", path);
	return r < 0 ? err_wrap(err, r, "back up '%s'", d->path) : 0;
}

/* The state first: a history that is ahead of it is what a kill leaves too, and harmless. */
int store_backup(struct store *s, const char *dir, struct err *err)
{
	char state[PATH_MAX], history[PATH_MAX];
	int a = snprintf(state, sizeof(state), "%s/state.db", dir);
	int b = snprintf(history, sizeof(history), "%s/history", dir);

	if (a < 0 || b < 0 || (size_t)a >= sizeof(state) || (size_t)b >= sizeof(history))
		return err_set(err, ENAMETOOLONG, "'%s'", dir);
	if (store_in_tx(s))
		return err_set(err, EINVAL, "back up inside a transaction");
	int r = file_make_dirs(history, 0700, err);
	if (r >= 0)
		r = backup_db(&s->state, state, err);
	if (r >= 0)
		r = history_backup(s, history, err);
	if (r >= 0)
		r = file_sync_dir(history, err);
	if (r >= 0)
		r = file_sync_dir(dir, err);
	return r;
}
