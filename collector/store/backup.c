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

int backup_file(const char *from, const char *to, struct err *err)
{
	CLEANUP(fd_closep) int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(fd_closep) int out = -1;
	ssize_t n;

	if (in < 0) /* its time came while we copied */
		return errno == ENOENT ? 0 : err_set(err, errno, "back up '%s'", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return err_set(err, errno, "back up to '%s'", to);
	do {
		n = copy_file_range(in, NULL, out, NULL, 16 * 1024 * 1024, 0);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || fsync(out) < 0)
		return err_set(err, errno, "back up to '%s'", to);
	return 0;
}

/* The state first: a history that is ahead of it is what a kill leaves too, and harmless. */
int store_backup(struct store *s, const char *dir, struct err *err)
{
	char state[PATH_MAX], history[PATH_MAX], key[PATH_MAX], from[PATH_MAX];
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
		r = store_path(s, "history.key", from, sizeof(from), err);
	if (r >= 0 && snprintf(key, sizeof(key), "%s/history.key", dir) >= (int)sizeof(key))
		r = err_set(err, ENAMETOOLONG, "'%s'", dir);
	if (r >= 0)
		r = backup_file(from, key, err);
	if (r >= 0)
		r = file_sync_dir(history, err);
	if (r >= 0)
		r = file_sync_dir(dir, err);
	return r;
}
