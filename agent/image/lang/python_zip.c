/* python_zip.c - metadata inside an egg or a wheel.
 *
 * The zip is read from its front and not by its directory: a directory of a million names would be kept in
 * memory as a whole. Data is inflated by ourselves up to a bound, never skipped by the library, which
 * inflates without one where an entry's length stands behind it. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#include "agent/image/lang/give.h"
#include "agent/image/lang/lang.h"
#include "common/buf.h"

enum {
	ENTRIES_MAX = 50000,
	METADATA_MAX = 1 << 20,
	UNPACKED_MAX = 128 << 20,
	CHUNK = 16 << 10,
};

struct source {
	const struct blob *b;
	uint64_t at;
	struct err *err;
	char chunk[CHUNK];
};

static la_ssize_t read_chunk(struct archive *a, void *arg, const void **ret)
{
	struct source *s = arg;
	size_t n = 0;

	if (s->b->read_at(s->b->arg, s->at, s->chunk, sizeof(s->chunk), &n, s->err) < 0) {
		archive_set_error(a, EIO, "the file can't be read");
		return -1;
	}
	s->at += n;
	*ret = s->chunk;
	return (la_ssize_t)n;
}

static bool is_metadata(const char *name)
{
	struct slice s = slice_of(name), folder = give_folder(s);

	if (slice_is(s, "EGG-INFO/PKG-INFO"))
		return true;
	return slice_is(give_basename(s), "METADATA") && slice_ends(folder, SLICE_LIT(".dist-info")) &&
	       slice_find_char(folder, '/') < 0;
}

/* One entry's data: into buf when it is wanted, else past. */
static int read_entry(struct archive *a, struct buf *wanted, uint64_t *unpacked, struct err *err)
{
	const void *p;
	size_t n;
	la_int64_t at;
	int r;

	while ((r = archive_read_data_block(a, &p, &n, &at)) == ARCHIVE_OK) {
		*unpacked += n;
		if (*unpacked > UNPACKED_MAX)
			return err_set(err, ERR_LIMIT, "no metadata in the first %d MiB", UNPACKED_MAX >> 20);
		if (wanted)
			buf_add(wanted, p, n);
	}
	if (r != ARCHIVE_EOF)
		return err_set(err, ERR_CORRUPT, "%s", archive_error_string(a) ? archive_error_string(a) : "bad zip");
	return 0;
}

/* *text: empty when there is none. */
static int find_metadata(struct archive *a, struct buf *text, struct err *err)
{
	uint64_t unpacked = 0;

	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		struct archive_entry *entry;
		int r = archive_read_next_header(a, &entry);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return err_set(err, ERR_CORRUPT, "%s",
				       archive_error_string(a) ? archive_error_string(a) : "bad zip");
		const char *name = archive_entry_pathname(entry);
		bool is_wanted = name && is_metadata(name);
		r = read_entry(a, is_wanted ? text : NULL, &unpacked, err);
		if (r < 0 || is_wanted)
			return r;
	}
	return err_set(err, ERR_LIMIT, "no metadata in the first %d files", ENTRIES_MAX);
}

static int read_zip(struct source *s, struct buf *text, struct err *err)
{
	struct archive *a = archive_read_new();

	if (!a)
		return err_set(err, ERR_LIMIT, "no memory for a zip");
	int r = archive_read_support_format_zip_streamable(a);
	if (r == ARCHIVE_OK)
		r = archive_read_open(a, s, NULL, read_chunk, NULL);
	if (r == ARCHIVE_OK)
		r = find_metadata(a, text, err);
	else
		r = err_set(err, ERR_CORRUPT, "%s", archive_error_string(a) ? archive_error_string(a) : "no zip");
	archive_read_free(a);
	return r;
}

int lang_python_zip(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct source s = { .b = b, .err = err };
	struct slice name, version;

	buf_init(&text, METADATA_MAX);
	int r = read_zip(&s, &text, err);
	if (r < 0 || !text.n) /* an egg without metadata, and metadata too large, name nothing */
		return r;
	lang_python_headers(buf_slice(&text), &name, &version);
	r = give_one("pypi", name, version, path, out, err);
	return r ? r : give_owned("pypi", path, path, out);
}
