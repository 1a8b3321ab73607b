/* entry_tar.c - a layer as a tar stream. libarchive reads it; what it says is checked here. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sys/stat.h>

#include "agent/image/entry.h"
#include "agent/image/image_limits.h"
#include "agent/image/path.h"
#include "common/buf.h"
#include "proto/limits.h"

enum { IN_MEMORY_BYTES = 256 * 1024 };

struct tar {
	struct archive *a;
	struct stream *in;
	struct budget *budget;
	const struct spool *spool;
	struct err broken; /* the first failure: the stream's, whose code libarchive would lose, or its own */
	/* the entry's content, as far as it was asked for */
	struct archive_entry *ae;
	uint64_t size;
	const void *piece; /* libarchive's, until its next call */
	size_t piece_n;
	int64_t piece_off;
	bool is_begun, is_end, is_spooled;
	char head[ENTRY_HEAD_BYTES];
	size_t head_n;
	struct buf text;
	struct slice text_bytes;
};

static la_ssize_t on_read(struct archive *a, void *arg, const void **ret)
{
	struct tar *t = arg;
	struct slice piece = SLICE_NONE;

	if (t->in->read(t->in, &piece, &t->broken) < 0) {
		archive_set_error(a, EIO, "%s", t->broken.msg);
		return -1;
	}
	*ret = piece.p;
	return (la_ssize_t)piece.n;
}

static la_int64_t on_skip(struct archive *a, void *arg, la_int64_t n)
{
	struct tar *t = arg;

	(void)a;
	return n > 0 && t->in->skip && t->in->skip(t->in, (uint64_t)n) ? n : 0;
}

/* The stream's own error, or libarchive's words. After one there is no going on. */
static int failed(struct tar *t, struct err *err)
{
	const char *words = archive_error_string(t->a);

	if (!t->broken.code && archive_errno(t->a) == ENOMEM)
		(void)err_set(&t->broken, ERR_LIMIT, "the archive's headers take too much memory");
	else if (!t->broken.code)
		(void)err_set(&t->broken, ERR_CORRUPT, "tar: %s", words ? words : "broken");
	if (err)
		*err = t->broken;
	return -t->broken.code;
}

/* ---- content ---- */

/* The next piece of content in t->piece; false at the end. */
static int next_piece(struct tar *t, struct err *err)
{
	if (t->is_end)
		return 0;
	int r = archive_read_data_block(t->a, &t->piece, &t->piece_n, &t->piece_off);
	if (r == ARCHIVE_EOF) {
		t->is_end = true;
		return 0;
	}
	if (r < ARCHIVE_WARN)
		return failed(t, err);
	if (t->piece_off < 0 || (uint64_t)t->piece_off > t->size || t->piece_n > t->size - (uint64_t)t->piece_off)
		return err_set(err, ERR_CORRUPT, "tar: content past the file's size");
	return 1;
}

/* The first bytes; a hole there is zeros. */
static int read_head(struct tar *t, struct err *err)
{
	if (t->is_begun)
		return 0;
	int r = next_piece(t, err);
	if (r < 0)
		return r;
	t->is_begun = true;
	t->head_n = t->size < sizeof(t->head) ? (size_t)t->size : sizeof(t->head);
	memset(t->head, 0, sizeof(t->head));
	if (r > 0 && (uint64_t)t->piece_off < t->head_n) {
		size_t n = t->head_n - (size_t)t->piece_off;
		memcpy(t->head + t->piece_off, t->piece, n < t->piece_n ? n : t->piece_n);
	}
	return 0;
}

static int tar_head(void *arg, struct slice *ret, struct err *err)
{
	struct tar *t = arg;
	int r = read_head(t, err);

	if (r >= 0)
		*ret = slice_from(t->head, t->head_n);
	return r;
}

/* All pieces, each to put. The first was read for the head. */
static int each_piece(struct tar *t, int (*put)(struct tar *t, struct err *err), struct err *err)
{
	int r = read_head(t, err);

	if (r >= 0 && !t->is_end)
		r = put(t, err);
	while (r >= 0 && !t->is_end) {
		r = next_piece(t, err);
		if (r > 0)
			r = put(t, err);
	}
	return r;
}

static int put_text(struct tar *t, struct err *err)
{
	(void)err;
	memcpy(t->text.p + t->piece_off, t->piece, t->piece_n); /* within size: next_piece */
	return 0;
}

static int too_large(uint64_t size, uint64_t max, struct err *err)
{
	return err_set(err, ERR_LIMIT, "%llu bytes, at most %llu are read", (unsigned long long)size,
		       (unsigned long long)max);
}

static int put_spool(struct tar *t, struct err *err)
{
	const char *p = t->piece;

	for (size_t done = 0; done < t->piece_n;) {
		ssize_t n = pwrite(t->spool->fd, p + done, t->piece_n - done, (off_t)t->piece_off + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "write a large file to the spool");
		done += (size_t)n;
	}
	return 0;
}

static int to_spool(struct tar *t, struct err *err)
{
	if (t->spool->fd < 0)
		return err_set(err, ERR_LIMIT, "there is no spool for large files");
	if (t->size > t->spool->max_bytes)
		return too_large(t->size, t->spool->max_bytes, err);
	if (ftruncate(t->spool->fd, 0) < 0 || ftruncate(t->spool->fd, (off_t)t->size) < 0)
		return err_set(err, errno, "empty the spool");
	int r = each_piece(t, put_spool, err);
	t->is_spooled = r >= 0;
	return r;
}

static int tar_text(void *arg, uint64_t max, struct slice *ret, struct err *err)
{
	struct tar *t = arg;
	int r = 0;

	if (t->size > max)
		return too_large(t->size, max, err);
	if (!t->text.p) {
		buf_init(&t->text, (size_t)max + 1);
		char *p = buf_reserve(&t->text, (size_t)t->size);
		if (!p)
			return err_set(err, ENOMEM, "read a file");
		memset(p, 0, (size_t)t->size); /* holes */
		buf_written(&t->text, (size_t)t->size);
		struct blob b = blob_from_fd(&t->spool->fd, t->size);
		r = t->is_spooled ? blob_read(&b, 0, p, (size_t)t->size, err) : each_piece(t, put_text, err);
	}
	*ret = buf_slice(&t->text);
	return r;
}

static int tar_blob(void *arg, struct blob *ret, struct err *err)
{
	struct tar *t = arg;
	int r = 0;

	/* What is small needs no file. */
	if (!t->is_spooled && (t->text.p || t->size <= IN_MEMORY_BYTES)) {
		r = tar_text(t, t->size, &t->text_bytes, err);
		*ret = blob_from_slice(&t->text_bytes);
		return r;
	}
	if (!t->is_spooled)
		r = to_spool(t, err);
	if (r >= 0)
		*ret = blob_from_fd(&t->spool->fd, t->size);
	return r;
}

static void reset_content(struct tar *t)
{
	/* A large text's memory is not kept for the small ones that follow. */
	buf_fini(&t->text);
	t->is_begun = t->is_end = t->is_spooled = false;
	t->head_n = 0;
}

/* ---- entries ---- */

/* A name as it stands in the archive; libarchive gives one form or the other. */
static struct slice name_of(const char *bytes, const char *utf8)
{
	return slice_of(bytes ? bytes : utf8);
}

static enum entry_kind kind_of(mode_t type)
{
	switch (type) {
	case S_IFREG:
		return ENTRY_FILE;
	case S_IFDIR:
		return ENTRY_FOLDER;
	case S_IFLNK:
		return ENTRY_SYMLINK;
	default:
		return ENTRY_OTHER;
	}
}

/* ".wh.NAME" says that NAME is gone, ".wh..wh..opq" that its folder is opaque; other names that begin with
 * ".wh..wh." are aufs' own. False: not to be told. */
static bool read_whiteout(struct entry *e, char *dst)
{
	struct slice name = path_name(e->path), folder = path_folder(e->path);

	if (!slice_starts(name, SLICE_LIT(".wh.")))
		return true;
	if (slice_is(name, ".wh..wh..opq")) {
		e->kind = ENTRY_OPAQUE;
		e->path = folder;
		return true;
	}
	if (slice_starts(name, SLICE_LIT(".wh..wh.")) || name.n == 4)
		return false;
	name = slice_sub(name, 4, name.n);
	size_t at = folder.n ? folder.n + 1 : 0;
	memmove(dst + at, name.p, name.n);
	dst[at + name.n] = 0;
	e->path = slice_from(dst, at + name.n);
	e->kind = ENTRY_WHITEOUT;
	return true;
}

static int tell(struct tar *t, const struct entry_ops *ops, struct err *err)
{
	char path[LIMIT_PATH_BYTES + 1], target[LIMIT_PATH_BYTES + 1];
	struct slice name = name_of(archive_entry_pathname(t->ae), archive_entry_pathname_utf8(t->ae));
	struct slice hard = name_of(archive_entry_hardlink(t->ae), archive_entry_hardlink_utf8(t->ae));
	struct entry e = { .kind = kind_of(archive_entry_filetype(t->ae)),
			   .mode = archive_entry_mode(t->ae),
			   .uid = (uint32_t)archive_entry_uid(t->ae),
			   .gid = (uint32_t)archive_entry_gid(t->ae),
			   .head = tar_head,
			   .text = tar_text,
			   .blob = tar_blob,
			   .arg = t };

	if (!name.p)
		return err_set(err, ERR_CORRUPT, "tar: an entry without a name");
	int r = path_clean(name, path, &e.path, err);
	if (r >= 0 && hard.p) {
		e.kind = ENTRY_HARDLINK;
		r = path_clean(hard, target, &e.target, err);
	}
	if (r < 0)
		return r;
	if (e.kind == ENTRY_SYMLINK)
		e.target = name_of(archive_entry_symlink(t->ae), archive_entry_symlink_utf8(t->ae));
	if (e.kind == ENTRY_FILE && archive_entry_size(t->ae) > 0)
		e.size = (uint64_t)archive_entry_size(t->ae);
	t->size = e.own_bytes = e.size;
	if (!read_whiteout(&e, path) || (!e.path.n && e.kind != ENTRY_OPAQUE))
		return 0;
	return ops->entry(ops->arg, &e, err);
}

static int read_entries(struct tar *t, const struct entry_ops *ops, struct err *err)
{
	for (;;) {
		int a = archive_read_next_header(t->a, &t->ae);

		if (a == ARCHIVE_EOF)
			return 0;
		if (a < ARCHIVE_WARN)
			return failed(t, err);
		if (!t->budget->entries_left--) {
			t->budget->entries_left = 0;
			return err_set(err, ERR_LIMIT, "more files than are allowed for an image");
		}
		int r = tell(t, ops, err);
		reset_content(t);
		if (r)
			return r;
	}
}

static int open_tar(struct tar *t, struct err *err)
{
	t->a = archive_read_new();
	if (!t->a)
		return err_set(err, ENOMEM, "read a layer");
	/* empty: an image may have a layer of no bytes at all. */
	if (archive_read_support_format_tar(t->a) != ARCHIVE_OK ||
	    archive_read_support_format_empty(t->a) != ARCHIVE_OK ||
	    archive_read_open2(t->a, t, NULL, on_read, on_skip, NULL) != ARCHIVE_OK)
		return failed(t, err);
	return 0;
}

int entry_read_tar(struct stream *tar, struct budget *b, const struct spool *spool,
		   const struct entry_ops *ops, struct err *err)
{
	struct tar t = { .in = tar, .budget = b, .spool = spool };

	int r = open_tar(&t, err);
	if (r >= 0)
		r = read_entries(&t, ops, err);
	buf_fini(&t.text);
	archive_read_free(t.a);
	return r < 0 ? r : stream_drain(tar, err);
}
