/* entry_folder.c - a layer as a folder: of the engine's storage, or of a directory on this host. Every step is
 * one component opened below the folder before it, never through a link; a folder that changes meanwhile can
 * cost a file, not lead elsewhere. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/image/entry.h"
#include "agent/image/image_limits.h"
#include "agent/image/path.h"
#include "common/buf.h"
#include "proto/limits.h"

enum { FOLDER_BYTES = 8192 }; /* of names read at once; on the stack, for each folder one is in */

struct folder {
	unsigned flags;
	dev_t device; /* of the top: others are mounted there and are not the image's */
	struct budget *budget;
	const struct entry_ops *ops;
	char path[LIMIT_PATH_BYTES + 1];
	size_t path_n, depth;
	/* the entry's content */
	int folder_fd;
	const char *name;
	int fd; /* -1: not opened yet */
	uint64_t size;
	char head[ENTRY_HEAD_BYTES];
	struct buf text, sibling;
	char target[LIMIT_PATH_BYTES + 1];
};

/* ---- content ---- */

static int open_file(struct folder *f, struct err *err)
{
	struct stat st;

	if (f->fd >= 0)
		return 0;
	/* Not blocking: it may have become a pipe. */
	f->fd = openat(f->folder_fd, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return err_set(err, errno, "open");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CORRUPT, "no file any more");
	f->size = (uint64_t)st.st_size;
	return 0;
}

static int folder_head(void *arg, struct slice *ret, struct err *err)
{
	struct folder *f = arg;
	size_t n = 0;
	int r = open_file(f, err);

	if (r < 0)
		return r;
	struct blob b = blob_from_fd(&f->fd, f->size);
	r = b.read_at(b.arg, 0, f->head, sizeof(f->head), &n, err);
	*ret = slice_from(f->head, n);
	return r;
}

static int folder_blob(void *arg, struct blob *ret, struct err *err)
{
	struct folder *f = arg;
	int r = open_file(f, err);

	if (r >= 0)
		*ret = blob_from_fd(&f->fd, f->size);
	return r;
}

static int folder_text(void *arg, uint64_t max, struct slice *ret, struct err *err)
{
	struct folder *f = arg;
	size_t n = 0;
	int r = open_file(f, err);

	if (r < 0)
		return r;
	if (f->size > max)
		return err_set(err, ERR_LIMIT, "%llu bytes, at most %llu are read",
			       (unsigned long long)f->size, (unsigned long long)max);
	if (!f->text.p) {
		buf_init(&f->text, (size_t)f->size + 1);
		char *p = buf_reserve(&f->text, (size_t)f->size);
		struct blob b = blob_from_fd(&f->fd, f->size);
		if (!p)
			return err_set(err, ENOMEM, "read a file");
		r = b.read_at(b.arg, 0, p, (size_t)f->size, &n, err);
		buf_written(&f->text, n);
	}
	*ret = buf_slice(&f->text);
	return r;
}

static struct slice folder_sibling(void *arg, const char *name, uint64_t max)
{
	struct folder *f = arg;
	struct folder other = { .folder_fd = f->folder_fd, .name = name, .fd = -1 };
	struct slice text = SLICE_NONE;

	if (strchr(name, '/') || f->sibling.p || folder_text(&other, max, &text, NULL) < 0)
		text = SLICE_NONE;
	if (other.fd >= 0)
		close(other.fd);
	if (text.p)
		f->sibling = other.text;
	else
		buf_fini(&other.text);
	return text;
}

static void reset_content(struct folder *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	buf_fini(&f->text);
	buf_fini(&f->sibling);
}

/* ---- entries ---- */

static enum entry_kind kind_of(const struct folder *f, const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return ENTRY_FILE;
	case S_IFDIR:
		return ENTRY_FOLDER;
	case S_IFLNK:
		return ENTRY_SYMLINK;
	case S_IFCHR:
		return f->flags & ENTRY_OVERLAY && st->st_rdev == makedev(0, 0) ? ENTRY_WHITEOUT : ENTRY_OTHER;
	default:
		return ENTRY_OTHER;
	}
}

static bool folder_link(void *arg, struct slice *ret)
{
	struct folder *f = arg;
	ssize_t n = readlinkat(f->folder_fd, f->name, f->target, sizeof(f->target));

	if (n < 0 || (size_t)n == sizeof(f->target))
		return false; /* gone, or none that leads anywhere */
	*ret = slice_from(f->target, (size_t)n);
	return true;
}

static int tell(struct folder *f, const struct stat *st, struct err *err)
{
	uint64_t size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
	const struct entry e = { .path = slice_from(f->path, f->path_n),
				 .kind = kind_of(f, st),
				 .mode = st->st_mode,
				 .uid = st->st_uid,
				 .gid = st->st_gid,
				 .size = size,
				 .own_bytes = st->st_nlink > 1 ? size / st->st_nlink : size,
				 .link = folder_link,
				 .head = folder_head,
				 .text = folder_text,
				 .blob = folder_blob,
				 .sibling = folder_sibling,
				 .arg = f };

	int r = f->ops->entry(f->ops->arg, &e, err);
	reset_content(f);
	return r;
}

static int walk(struct folder *f, int fd, struct err *err);

static void tell_problem(struct folder *f, const char *why)
{
	f->ops->problem(f->ops->arg, slice_from(f->path, f->path_n), why);
}

static int enter(struct folder *f, int fd, const char *name, struct err *err)
{
	struct stat st;
	int r = 0;

	if (f->depth == IMAGE_PATH_DEPTH) {
		tell_problem(f, "too deep");
		return 0;
	}
	int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (below < 0) {
		if (errno != ENOENT)
			tell_problem(f, err_name(errno));
		return 0;
	}
	/* What is mounted there is not the image's. */
	if (fstat(below, &st) >= 0 && st.st_dev == f->device) {
		f->depth++;
		r = walk(f, below, err);
		f->depth--;
	}
	close(below);
	return r;
}

/* Only files are asked for more than their name: half of the time goes into such questions. */
static bool look(int fd, const struct dirent64 *d, struct stat *ret)
{
	*ret = (struct stat){ .st_mode = d->d_type == DT_DIR ? S_IFDIR : S_IFLNK };
	return d->d_type == DT_DIR || d->d_type == DT_LNK || fstatat(fd, d->d_name, ret, AT_SYMLINK_NOFOLLOW) >= 0;
}

static int visit(struct folder *f, int fd, const struct dirent64 *d, struct err *err)
{
	size_t was = f->path_n, n = strlen(d->d_name);
	struct stat st;

	if (!f->budget->entries_left)
		return err_set(err, ERR_LIMIT, "more files than are allowed for an image");
	f->budget->entries_left--;
	if (was + 1 + n > LIMIT_PATH_BYTES) {
		tell_problem(f, "holds names that are too long");
		return 0;
	}
	if (!look(fd, d, &st))
		return 0; /* gone meanwhile */
	if (was)
		f->path[f->path_n++] = '/';
	memcpy(f->path + f->path_n, d->d_name, n + 1);
	f->path_n += n;
	f->folder_fd = fd;
	f->name = d->d_name;
	int r = tell(f, &st, err);
	if (!r && S_ISDIR(st.st_mode))
		r = enter(f, fd, d->d_name, err);
	f->path_n = was;
	f->path[was] = 0;
	return r;
}

/* fd: borrowed. */
static int walk(struct folder *f, int fd, struct err *err)
{
	_Alignas(struct dirent64) char buf[FOLDER_BYTES];
	ssize_t n;
	int r = 0;

	if (f->budget->tick)
		f->budget->tick(f->budget);
	while (!r && (n = getdents64(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; !r && at < n;) {
			const struct dirent64 *d = (const struct dirent64 *)(buf + at);

			at += d->d_reclen;
			if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
				r = visit(f, fd, d, err);
		}
	}
	if (!r && n < 0)
		tell_problem(f, err_name(errno));
	return r;
}

int entry_read_folder(int fd, unsigned flags, struct budget *b, const struct entry_ops *ops, struct err *err)
{
	struct folder f = { .flags = flags, .budget = b, .ops = ops, .fd = -1 };
	CLEANUP(fd_closep) int top = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (top < 0 || fstat(top, &st) < 0)
		return err_set(err, errno, "open the folder");
	f.device = st.st_dev;
	return walk(&f, top, err);
}
