/* bundle.c - see bundle.h. */
#include "agent/image/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sys/stat.h>

#include "agent/image/image_limits.h"
#include "agent/image/path.h"
#include "proto/limits.h"

struct bundle {
	struct stream content; /* first: bundle_content */
	struct stream *tar;
	struct budget *budget;
	struct archive *a;
	struct err broken;
	uint64_t next; /* of the content: the offset to come */
	size_t items;
	char name[LIMIT_PATH_BYTES + 1], target[LIMIT_PATH_BYTES + 1];
};

static la_ssize_t on_read(struct archive *a, void *arg, const void **ret)
{
	struct bundle *b = arg;
	struct slice piece = SLICE_NONE;

	if (b->tar->read(b->tar, &piece, &b->broken) < 0) {
		archive_set_error(a, EIO, "%s", b->broken.msg);
		return -1;
	}
	*ret = piece.p;
	return (la_ssize_t)piece.n;
}

static la_int64_t on_skip(struct archive *a, void *arg, la_int64_t n)
{
	struct bundle *b = arg;

	(void)a;
	return n > 0 && b->tar->skip && b->tar->skip(b->tar, (uint64_t)n) ? n : 0;
}

static int failed(struct bundle *b, struct err *err)
{
	const char *words = archive_error_string(b->a);

	if (!b->broken.code)
		(void)err_set(&b->broken, archive_errno(b->a) == ENOMEM ? ERR_LIMIT : ERR_CORRUPT, "tar: %s",
			      words ? words : "broken");
	if (err)
		*err = b->broken;
	return -b->broken.code;
}

/* ---- content ---- */

static int content_read(struct stream *s, struct slice *ret, struct err *err)
{
	struct bundle *b = (struct bundle *)s;
	const void *p = NULL;
	size_t n = 0;
	la_int64_t off = 0;

	*ret = SLICE_NONE;
	int r;
	do
		r = archive_read_data_block(b->a, &p, &n, &off);
	while (r == ARCHIVE_OK && !n);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r < ARCHIVE_WARN)
		return failed(b, err);
	if (off < 0 || (uint64_t)off != b->next)
		return err_set(err, ERR_CORRUPT, "a sparse file inside the archive");
	b->next += n;
	*ret = slice_from(p, n);
	return 0;
}

static void content_close(struct stream *s)
{
	(void)s;
}

struct stream *bundle_content(struct bundle *b)
{
	return &b->content;
}

/* ---- items ---- */

int bundle_open(struct stream *tar, struct budget *budget, struct bundle **ret, struct err *err)
{
	CLEANUP(stream_closep) struct stream *taken = tar;
	CLEANUP(bundle_closep) struct bundle *b = calloc(1, sizeof(*b));

	if (!b)
		return err_set(err, ENOMEM, "open an archive");
	b->content = (struct stream){ content_read, content_close, NULL };
	b->tar = take_ptr(taken);
	b->budget = budget;
	b->a = archive_read_new();
	if (!b->a)
		return err_set(err, ENOMEM, "open an archive");
	if (archive_read_support_format_tar(b->a) != ARCHIVE_OK ||
	    archive_read_open2(b->a, b, NULL, on_read, on_skip, NULL) != ARCHIVE_OK)
		return failed(b, err);
	*ret = take_ptr(b);
	return 0;
}

void bundle_close(struct bundle *b)
{
	if (!b)
		return;
	archive_read_free(b->a);
	stream_close(b->tar);
	free(b);
}

static struct slice text_of(const char *bytes, const char *utf8)
{
	return slice_of(bytes ? bytes : utf8);
}

static int read_names(struct bundle *b, struct archive_entry *e, struct bundle_item *ret, struct err *err)
{
	struct slice hard = text_of(archive_entry_hardlink(e), archive_entry_hardlink_utf8(e));
	struct slice soft = text_of(archive_entry_symlink(e), archive_entry_symlink_utf8(e));

	int r = path_clean(text_of(archive_entry_pathname(e), archive_entry_pathname_utf8(e)), b->name, &ret->name,
			   err);
	if (r >= 0 && hard.n)
		r = path_clean(hard, b->target, &ret->target, err);
	else if (r >= 0 && soft.n && !path_join(ret->name, soft, b->target, &ret->target))
		r = err_set(err, ERR_CORRUPT, "a link in the archive leads too far");
	return r;
}

int bundle_next(struct bundle *b, struct bundle_item *ret, struct err *err)
{
	struct archive_entry *e;

	for (;;) {
		int a = archive_read_next_header(b->a, &e);

		if (a == ARCHIVE_EOF)
			return 0;
		if (a < ARCHIVE_WARN)
			return failed(b, err);
		if (++b->items > 4 * IMAGE_ARCHIVE_NAMES)
			return err_set(err, ERR_LIMIT, "the archive holds more than %d files: it is no image's",
				       4 * IMAGE_ARCHIVE_NAMES);
		*ret = (struct bundle_item){ .offset = UINT64_MAX };
		int r = read_names(b, e, ret, err);
		if (r < 0)
			return r;
		if ((archive_entry_filetype(e) != S_IFREG && !ret->target.n) || !ret->name.n)
			continue;
		la_int64_t at = archive_filter_bytes(b->a, 0);
		b->next = 0;
		ret->size = archive_entry_size(e) > 0 ? (uint64_t)archive_entry_size(e) : 0;
		if (at >= 0 && archive_entry_sparse_count(e) == 0)
			ret->offset = (uint64_t)at;
		return 1;
	}
}

/* ---- index ---- */

static int by_name(const void *va, const void *vb)
{
	const struct bundle_place *a = va, *b = vb;
	int c = strcmp(a->name, b->name);

	/* Of two the one further behind first: it is the one that counts. */
	return c ? c : a->offset > b->offset ? -1 : a->offset < b->offset;
}

int bundle_index_read(struct bundle *b, struct arena *a, struct bundle_index *ret, struct err *err)
{
	struct bundle_index x = { 0 };
	struct bundle_item item;
	int r;

	x.list = arena_zalloc(a, IMAGE_ARCHIVE_NAMES, sizeof(*x.list));
	if (!x.list)
		return err_set(err, ENOMEM, "list an archive");
	while ((r = bundle_next(b, &item, err)) > 0) {
		struct bundle_place *p = &x.list[x.count];

		if (x.count == IMAGE_ARCHIVE_NAMES)
			return err_set(err, ERR_LIMIT, "the archive holds more than %d files: it is no image's",
				       IMAGE_ARCHIVE_NAMES);
		*p = (struct bundle_place){ arena_dup(a, item.name), arena_dup(a, item.target), item.offset,
					    item.size };
		if (!p->name || !p->target)
			return err_set(err, ENOMEM, "list an archive");
		x.count++;
	}
	if (r < 0)
		return r;
	qsort(x.list, x.count, sizeof(*x.list), by_name);
	*ret = x;
	return 0;
}

static const struct bundle_place *find_exact(const struct bundle_index *x, const char *name)
{
	size_t low = 0, high = x->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(x->list[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->count && !strcmp(x->list[low].name, name) ? &x->list[low] : NULL;
}

const struct bundle_place *bundle_find(const struct bundle_index *x, const char *name)
{
	for (unsigned hops = 0; hops < 8; hops++) {
		const struct bundle_place *p = find_exact(x, name);

		if (!p || !*p->target)
			return p;
		name = p->target;
	}
	return NULL;
}
