/* iotrace.c - LD_PRELOAD: what a process does to files below IOTRACE_DIR, in order, into IOTRACE_FILE: writes with their
 * bytes, syncs, truncations, deletions, renames. f04_power_loss.py makes of it what a disk holds after a power cut.
 *
 * A line an operation: "W path offset length" and the bytes, "S path", "T path length", "U path", "R path path". */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static FILE *trace;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *below(const char *path)
{
	const char *dir = getenv("IOTRACE_DIR"), *file = getenv("IOTRACE_FILE");
	size_t n = dir ? strlen(dir) : 0;

	if (!n || !file || strncmp(path, dir, n) != 0 || path[n] != '/' || strstr(path, "-shm"))
		return NULL;
	if (!trace)
		trace = fopen(file, "ae");
	return trace ? path + n + 1 : NULL;
}

static const char *path_of(int fd, char buf[4096])
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, buf, 4095);
	buf[n < 0 ? 0 : n] = '\0';
	return below(buf);
}

static const char *path_at(int dir, const char *name, char buf[4096])
{
	char folder[4096];

	if (name[0] == '/' || dir == AT_FDCWD)
		return below(name);
	if (!path_of(dir, folder) && !getenv("IOTRACE_DIR"))
		return NULL;
	if ((size_t)snprintf(buf, 4096, "%s/%s", folder, name) >= 4096)
		return NULL;
	return below(buf);
}

static void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(trace, fmt, ap);
	va_end(ap);
}

static void note_write(int fd, const void *p, ssize_t n, off_t at)
{
	char buf[4096];
	const char *path = n > 0 ? path_of(fd, buf) : NULL;

	if (!path)
		return;
	pthread_mutex_lock(&mutex);
	note("W %s %lld %zd\n", path, (long long)at, n);
	fwrite(p, 1, (size_t)n, trace);
	fflush(trace);
	pthread_mutex_unlock(&mutex);
}

static void note_fd(const char *op, int fd, long long arg)
{
	char buf[4096];
	const char *path = path_of(fd, buf);

	if (!path)
		return;
	pthread_mutex_lock(&mutex);
	if (*op == 'T')
		note("T %s %lld\n", path, arg);
	else
		note("%s %s\n", op, path);
	fflush(trace);
	pthread_mutex_unlock(&mutex);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t r = REAL(pwrite)(fd, p, n, at);

	note_write(fd, p, r, at);
	return r;
}
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	ssize_t r = REAL(pwrite64)(fd, p, n, at);

	note_write(fd, p, r, at);
	return r;
}
ssize_t write(int fd, const void *p, size_t n)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t r = REAL(write)(fd, p, n);

	if (at >= 0)
		note_write(fd, p, r, at);
	return r;
}
int fsync(int fd)
{
	int r = REAL(fsync)(fd);

	note_fd("S", fd, 0);
	return r;
}
int fdatasync(int fd)
{
	int r = REAL(fdatasync)(fd);

	note_fd("S", fd, 0);
	return r;
}
int ftruncate(int fd, off_t n)
{
	int r = REAL(ftruncate)(fd, n);

	note_fd("T", fd, (long long)n);
	return r;
}
int ftruncate64(int fd, off64_t n)
{
	int r = REAL(ftruncate64)(fd, n);

	note_fd("T", fd, (long long)n);
	return r;
}

static void note_path(const char *path)
{
	if (!path)
		return;
	pthread_mutex_lock(&mutex);
	note("U %s\n", path);
	fflush(trace);
	pthread_mutex_unlock(&mutex);
}

int unlink(const char *name)
{
	int r = REAL(unlink)(name);

	if (!r)
		note_path(below(name));
	return r;
}
int unlinkat(int dir, const char *name, int flags)
{
	char buf[4096];
	int r = REAL(unlinkat)(dir, name, flags);

	if (!r)
		note_path(path_at(dir, name, buf));
	return r;
}
int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	char a[4096], b[4096];
	int r = REAL(renameat)(from_dir, from, to_dir, to);
	const char *x = r ? NULL : path_at(from_dir, from, a), *y = r ? NULL : path_at(to_dir, to, b);

	if (x && y) {
		pthread_mutex_lock(&mutex);
		note("R %s %s\n", x, y);
		fflush(trace);
		pthread_mutex_unlock(&mutex);
	}
	return r;
}
int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
