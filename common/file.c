/* file.c - see file.h. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { READ_STEP = 4096, READ_STEP_MAX = 1 << 20 };

static ssize_t read_retry(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got;
}

int file_read(const char *path, size_t max_bytes, struct buf *ret, struct err *err)
{
	buf_init(ret, max_bytes);
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "stat '%s'", path);
	/* The size is only a hint: /proc says 0, and a file may grow while it is read. */
	size_t step = READ_STEP;
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		step = st.st_size < READ_STEP_MAX ? (size_t)st.st_size : READ_STEP_MAX;
	for (;;) {
		char past[1], *dst = past;
		size_t room = max_bytes ? max_bytes - ret->n : step;

		if (room > step)
			room = step;
		if (room) {
			dst = buf_reserve(ret, room);
			if (!dst)
				return err_set(err, ERR_LIMIT, "read '%s': too large", path);
		}
		ssize_t n = read_retry(fd, dst, room ? room : 1);
		if (n < 0)
			return err_set(err, errno, "read '%s'", path);
		if (!n)
			return 0;
		if (!room)
			return err_set(err, ERR_LIMIT, "read '%s': larger than %zu bytes", path,
				       max_bytes);
		buf_written(ret, (size_t)n);
	}
}

int file_write_all(int fd, const void *p, size_t n, struct err *err)
{
	const char *at = p;

	while (n) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_set(err, errno, "write");
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

/* "a/b" -> "a", "/b" -> "/", "b" -> ".". ret holds PATH_MAX. */
static int folder_of(const char *path, char *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');
	struct slice dir = !slash ? SLICE_LIT(".") :
			   slash == path ? SLICE_LIT("/") :
					   slice_from(path, (size_t)(slash - path));

	if (!slice_copy(dir, ret, PATH_MAX))
		return err_set(err, ENAMETOOLONG, "'%.60s...'", path);
	return 0;
}

int file_sync_dir(const char *path, struct err *err)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	if (fsync(fd) < 0)
		return err_set(err, errno, "sync '%s'", path);
	return 0;
}

static int fill_and_rename(int fd, const char *temporary, const char *path, struct slice data,
			   mode_t mode, struct err *err)
{
	int r = file_write_all(fd, data.p, data.n, err);

	if (r < 0)
		return err_wrap(err, r, "'%s'", path);
	/* fchmod, as the umask must not decide who reads a key. */
	if (fchmod(fd, mode) < 0)
		return err_set(err, errno, "set the mode of '%s'", path);
	if (fsync(fd) < 0)
		return err_set(err, errno, "sync '%s'", path);
	if (rename(temporary, path) < 0)
		return err_set(err, errno, "rename to '%s'", path);
	return 0;
}

int file_write_atomic(const char *path, struct slice data, mode_t mode, struct err *err)
{
	char dir[PATH_MAX], temporary[PATH_MAX];
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	int r = folder_of(path, dir, err);

	if (r < 0)
		return r;
	/* A leading dot keeps a half-written file out of every "*.yaml" of its folder. */
	int n = snprintf(temporary, sizeof(temporary), "%s/.%s.XXXXXX", dir, base);
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return err_set(err, ENAMETOOLONG, "'%.60s...'", path);
	CLEANUP(fd_closep) int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "make a file beside '%s'", path);
	r = fill_and_rename(fd, temporary, path, data, mode, err);
	if (r < 0) {
		unlink(temporary);
		return r;
	}
	return file_sync_dir(dir, err);
}

static int make_dir(const char *path, mode_t mode, struct err *err)
{
	struct stat st;

	if (!mkdir(path, mode))
		return 0;
	int e = errno;
	/* Not only EEXIST: a read-only or forbidden parent answers otherwise for a folder that is there. */
	if (!stat(path, &st))
		return S_ISDIR(st.st_mode) ? 0 : err_set(err, ENOTDIR, "'%s'", path);
	return err_set(err, e, "make the folder '%s'", path);
}

int file_make_dirs(const char *path, mode_t mode, struct err *err)
{
	char p[PATH_MAX];

	if (!*path || !slice_copy(slice_of(path), p, sizeof(p)))
		return err_set(err, *path ? ENAMETOOLONG : ENOENT, "'%.60s'", path);
	for (char *s = p + 1; *s; s++) {
		if (*s != '/' || s[-1] == '/')
			continue;
		*s = 0;
		int r = make_dir(p, mode, err);
		if (r < 0)
			return r;
		*s = '/';
	}
	return make_dir(p, mode, err);
}

int file_free_bytes(const char *path, uint64_t *ret, struct err *err)
{
	struct statvfs v;

	if (statvfs(path, &v) < 0)
		return err_set(err, errno, "ask for the free space of '%s'", path);
	*ret = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

uint64_t file_own_rss_bytes(void)
{
	CLEANUP(fclosep) FILE *f = fopen("/proc/self/statm", "re");
	unsigned long size, resident;

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		return 0;
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
