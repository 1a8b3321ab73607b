/* zip.c - see zip.h. From the end backwards (APPNOTE 4.3):
 *
 *   local header, data ... | directory: 46 bytes, name, extra, comment each | [64-bit end, 20-byte locator] |
 *   end: "PK\5\6" ... entries:2 @10 directory bytes:4 @12 offset:4 @16 comment:2 @20
 *
 * libarchive was looked at: it keeps an entry of its own for each of the directory, so a hostile million of
 * them takes 200 MB, and its data can't be read at an offset, as jars within jars need. */
#include "agent/image/os/zip.h"

#include <errno.h>

enum {
	END_MAGIC = 0x06054b50,
	END_BYTES = 22,
	END64_MAGIC = 0x06064b50,
	END64_BYTES = 56,
	LOCATOR_MAGIC = 0x07064b50,
	LOCATOR_BYTES = 20,
	ENTRY_MAGIC = 0x02014b50,
	ENTRY_BYTES = 46,
	LOCAL_MAGIC = 0x04034b50,
	LOCAL_BYTES = 30,
	EXTRA_64 = 1,
	FLAG_ENCRYPTED = 1,
	WINDOW = 64 * 1024 + END_BYTES, /* the longest comment and the end before it */
	NAME_MAX_BYTES = 4096, /* what is longer is no name that anybody asks for */
};

struct directory {
	uint64_t off, n; /* in the blob */
	uint64_t count;
	uint64_t base; /* what stands before the archive and is not counted in its offsets */
};

/* ---- the end ---- */

/* The offset of the last end whose comment reaches the blob's end exactly; what follows an archive otherwise
 * (signatures, padding) is tolerated by taking the last mark. */
static int find_end(struct window *w, uint64_t *ret, struct err *err)
{
	const uint64_t size = w->b->size;
	size_t n = size < WINDOW ? (size_t)size : WINDOW;
	bool found = false;
	const char *p;

	int r = n < END_BYTES ? err_set(err, ERR_CORRUPT, "not a zip") : window_get(w, size - n, n, &p, err);
	if (r < 0)
		return r;
	for (size_t i = n - END_BYTES + 1; i; i--) {
		const char *at = p + i - 1;

		if (get_le32(at) != END_MAGIC)
			continue;
		bool is_exact = i - 1 + END_BYTES + get_le16(at + 20) == n;
		if (!found || is_exact)
			*ret = size - n + i - 1;
		found = true;
		if (is_exact)
			break;
	}
	return found ? 0 : err_set(err, ERR_CORRUPT, "not a zip");
}

/* More than 65,535 entries or 4 GiB: the numbers are in a record before the end. */
static int read_end64(struct window *w, uint64_t end, struct directory *d, struct err *err)
{
	const char *p;

	if (end < LOCATOR_BYTES || window_get(w, end - LOCATOR_BYTES, LOCATOR_BYTES, &p, err) < 0 ||
	    get_le32(p) != LOCATOR_MAGIC)
		return 0;
	uint64_t at = get_le64(p + 8), before = end - LOCATOR_BYTES;
	/* With something before the archive the locator is off by as much: the record stands right before. */
	if (at > before || before - at < END64_BYTES)
		return err_set(err, ERR_CORRUPT, "zip: its 64-bit end");
	int r = window_get(w, at, END64_BYTES, &p, err);
	if (r >= 0 && get_le32(p) != END64_MAGIC && before >= END64_BYTES) {
		at = before - END64_BYTES;
		r = window_get(w, at, END64_BYTES, &p, err);
	}
	if (r < 0)
		return r;
	if (get_le32(p) != END64_MAGIC)
		return err_set(err, ERR_CORRUPT, "zip: its 64-bit end");
	*d = (struct directory){ .count = get_le64(p + 32), .n = get_le64(p + 40), .off = get_le64(p + 48) };
	d->base = at;
	return 1;
}

static int find_directory(struct window *w, struct directory *d, struct err *err)
{
	uint64_t end = 0;
	const char *p;

	int r = find_end(w, &end, err);
	if (r < 0)
		return r;
	r = window_get(w, end, END_BYTES, &p, err);
	if (r < 0)
		return r;
	*d = (struct directory){ .count = get_le16(p + 10), .n = get_le32(p + 12), .off = get_le32(p + 16) };
	d->base = end;
	if (d->count == UINT16_MAX || d->n == UINT32_MAX || d->off == UINT32_MAX)
		r = read_end64(w, end, d, err);
	if (r < 0)
		return r;
	/* The directory stands right before its end. */
	if (d->n > d->base || d->off > d->base - d->n)
		return err_set(err, ERR_CORRUPT, "zip: a directory of %llu bytes at %llu", (unsigned long long)d->n,
			       (unsigned long long)d->off);
	d->base -= d->n + d->off;
	d->off += d->base;
	return 0;
}

/* ---- the directory ---- */

/* Fields of 32 bits that are full stand in an extra field, in this order and only those. */
static void read_extra64(struct slice extra, struct zip_entry *e)
{
	while (extra.n >= 4) {
		size_t n = get_le16(extra.p + 2);
		struct slice x = slice_sub(extra, 4, n);
		uint64_t *fields[] = { &e->n, &e->packed_n, &e->header };

		if (x.n < n)
			return;
		for (size_t i = 0; get_le16(extra.p) == EXTRA_64 && i < ARRAY_LEN(fields); i++)
			if (*fields[i] == UINT32_MAX && x.n >= 8) {
				*fields[i] = get_le64(x.p);
				x = slice_sub(x, 8, x.n);
			}
		extra = slice_sub(extra, 4 + n, extra.n);
	}
}

/* *at: of the entry; moves to the next. */
static int read_entry(struct window *w, const struct directory *d, uint64_t *at, struct zip_entry *e,
		      struct err *err)
{
	const char *p;

	int r = window_get(w, *at, ENTRY_BYTES, &p, err);
	if (r < 0)
		return r;
	if (get_le32(p) != ENTRY_MAGIC)
		return err_set(err, ERR_CORRUPT, "zip: no entry at %llu", (unsigned long long)*at);
	size_t name_n = get_le16(p + 28), extra_n = get_le16(p + 30);
	uint64_t next = *at + ENTRY_BYTES + name_n + extra_n + get_le16(p + 32);
	*e = (struct zip_entry){ .flags = get_le16(p + 8),
				 .method = get_le16(p + 10),
				 .packed_n = get_le32(p + 20),
				 .n = get_le32(p + 24),
				 .header = get_le32(p + 42) };
	if (name_n <= NAME_MAX_BYTES) {
		if (name_n + extra_n > WINDOW / 2)
			extra_n = 0;
		r = window_get(w, *at + ENTRY_BYTES, name_n + extra_n, &p, err);
		if (r < 0)
			return r;
		e->name = slice_from(p, name_n);
		read_extra64(slice_from(p + name_n, extra_n), e);
	}
	e->header += d->base;
	*at = next;
	return 0;
}

int zip_each(const struct blob *b, uint32_t *entries, bool (*fn)(void *arg, const struct zip_entry *e), void *arg,
	     struct err *err)
{
	CLEANUP(window_finip) struct window w = { 0 };
	struct directory d;
	struct zip_entry e;
	bool go_on = true;

	int r = window_init(&w, b, WINDOW, err);
	if (r >= 0)
		r = find_directory(&w, &d, err);
	if (r < 0)
		return r;
	const uint64_t end = d.off + d.n;
	for (uint64_t at = d.off; go_on && at < end;) {
		if (!*entries)
			return err_set(err, ERR_LIMIT, "archive: too many entries");
		--*entries;
		r = read_entry(&w, &d, &at, &e, err);
		if (r < 0)
			return r;
		go_on = fn(arg, &e);
	}
	return 0;
}

/* ---- data ---- */

int zip_data_init(struct zip_data *d, const struct blob *b, const struct zip_entry *e, uint64_t *budget,
		  struct err *err)
{
	char p[LOCAL_BYTES];

	*d = (struct zip_data){ 0 };
	if (e->flags & FLAG_ENCRYPTED || (e->method != ZIP_STORED && e->method != ZIP_DEFLATED))
		return err_set(err, ERR_VERSION, "zip: an entry is encrypted or packed by method %u", e->method);
	int r = blob_read(b, e->header, p, sizeof(p), err);
	if (r < 0)
		return r;
	if (get_le32(p) != LOCAL_MAGIC)
		return err_set(err, ERR_CORRUPT, "zip: no data at %llu", (unsigned long long)e->header);
	/* Only here is how long name and extra field before the data are. */
	uint64_t off = e->header + LOCAL_BYTES + get_le16(p + 26) + get_le16(p + 28);
	if (e->method == ZIP_DEFLATED) {
		r = inflated_new(b, off, e->packed_n, e->n, budget, &d->inflated, err);
		if (r >= 0)
			d->b = inflated_blob(d->inflated);
		return r;
	}
	r = part_init(&d->part, b, off, e->packed_n, err);
	d->b = &d->part.b;
	return r;
}

void zip_data_fini(struct zip_data *d)
{
	inflated_free(d->inflated);
	d->inflated = NULL;
}
