/* rpm_bdb.c - rpm's Berkeley DB (RHEL 8, CentOS 7, Amazon Linux 2 and before): the file Packages, a hash.
 *
 * Page 0 tells byte order, page size and how many pages there are. Every page begins with 26 bytes:
 *   lsn:8 number:4 previous:4 next:4 entries:2 offset:2 level:1 type:1
 * A hash page has `entries` 16-bit offsets behind that, key and value in turns; an item ends where the one
 * before begins, the first at the page's end. A value that does not fit is "type 3, 3 unused, first page,
 * bytes", its bytes in a chain of overflow pages, `offset` of them in each.
 *
 * Pages are read one after the other instead of bucket by bucket: nothing is hidden by a broken index and
 * nothing can go in circles; rpm is asked for every package anyway. */
#include <errno.h>

#include "agent/image/os/rpm_header.h"

enum {
	MAGIC_HASH = 0x061561,
	MAGIC_BTREE = 0x053162,
	META_BYTES = 80,
	PAGE_HEAD = 26,
	PAGE_MIN = 512,
	PAGE_MAX = 64 * 1024,
	TYPE_HASH_UNSORTED = 2,
	TYPE_OVERFLOW = 7,
	TYPE_HASH = 13,
	ITEM_INLINE = 1,
	ITEM_ELSEWHERE = 3,
	ITEM_ELSEWHERE_BYTES = 12,
	HEADER_MIN = 8 + 16, /* one tag */
	CHAIN_MAX = 64 * 1024, /* pages: 256 MiB of the usual 4 KiB */
	PAGES_MAX = 1 << 20,   /* of a file: 4 GiB; what is sparse costs no more than that */
};

/* A value on overflow pages, readable at any offset. */
struct link {
	uint32_t page;
	uint32_t start; /* the first byte's place in the value */
};

struct db {
	struct emit e;
	struct rpm_budget left;
	const struct blob *b;
	uint32_t page_bytes, pages;
	uint32_t chained; /* overflow pages followed so far: each belongs to one value */
	bool is_big;
	struct link *links; /* owned; of the value being read, one more than there are */
	uint32_t link_count, link_room;
	uint32_t value_bytes;
	char page[PAGE_MAX];
};

static uint32_t u32(const struct db *d, const char *p)
{
	return d->is_big ? get_be32(p) : get_le32(p);
}

static uint16_t u16(const struct db *d, const char *p)
{
	return d->is_big ? get_be16(p) : get_le16(p);
}

/* ---- values on pages of their own ---- */

static int make_room(struct db *d, struct err *err)
{
	if (d->link_count + 1 < d->link_room)
		return 0;
	uint32_t room = d->link_room ? d->link_room * 2 : 64;
	struct link *links = realloc(d->links, room * sizeof(*links));
	if (!links)
		return err_set(err, ENOMEM, "read an rpm database");
	d->links = links;
	d->link_room = room;
	return 0;
}

static int next_link(struct db *d, uint32_t *page, uint32_t *done, struct err *err)
{
	char head[PAGE_HEAD];

	if (!*page || *page >= d->pages || d->link_count == CHAIN_MAX || d->chained++ >= d->pages)
		return err_set(err, ERR_CORRUPT, "a value's next page is %u of %u", *page, d->pages);
	int r = make_room(d, err);
	if (r >= 0)
		r = blob_read(d->b, (uint64_t)*page * d->page_bytes, head, sizeof(head), err);
	if (r < 0)
		return r;
	uint32_t n = u16(d, head + 22);
	if (head[25] != TYPE_OVERFLOW || !n || n > d->page_bytes - PAGE_HEAD || n > d->value_bytes - *done)
		return err_set(err, ERR_CORRUPT, "page %u is no part of a value", *page);
	d->links[d->link_count++] = (struct link){ .page = *page, .start = *done };
	*done += n;
	*page = u32(d, head + 16);
	return 0;
}

static int follow(struct db *d, uint32_t page, uint32_t bytes, struct err *err)
{
	uint32_t done = 0;
	int r = 0;

	d->value_bytes = bytes;
	d->link_count = 0;
	if (bytes > d->b->size || bytes > RPM_HEADER_MAX)
		return err_set(err, ERR_CORRUPT, "a value of %u bytes", bytes);
	while (r >= 0 && done < bytes)
		r = next_link(d, &page, &done, err);
	if (r >= 0 && d->link_count)
		d->links[d->link_count].start = done;
	return r;
}

static uint32_t find_link(const struct db *d, uint32_t off)
{
	uint32_t low = 0, high = d->link_count;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (d->links[mid].start <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static int read_value(void *arg, uint64_t off, void *buf, size_t n, size_t *ret_n, struct err *err)
{
	const struct db *d = arg;
	size_t got = 0;
	int r = 0;

	if (off > d->value_bytes || n > d->value_bytes - off)
		n = off < d->value_bytes ? (size_t)(d->value_bytes - off) : 0;
	for (uint32_t i = n ? find_link(d, (uint32_t)off) : 0; r >= 0 && got < n; i++) {
		const struct link *l = &d->links[i];
		uint32_t from = (uint32_t)(off + got) - l->start, some = l[1].start - l->start - from;

		if (some > n - got)
			some = (uint32_t)(n - got);
		r = blob_read(d->b, (uint64_t)l->page * d->page_bytes + PAGE_HEAD + from, (char *)buf + got, some,
			      err);
		got += some;
	}
	*ret_n = got;
	return r;
}

/* ---- hash pages ---- */

/* The bytes of item i of d->page; the type's byte comes first. */
static bool find_item(const struct db *d, unsigned i, struct slice *ret)
{
	uint32_t end = i ? u16(d, d->page + PAGE_HEAD + 2 * (i - 1)) : d->page_bytes;
	uint32_t start = u16(d, d->page + PAGE_HEAD + 2 * i);

	if (start < PAGE_HEAD || start >= end || end > d->page_bytes)
		return false;
	*ret = slice_from(d->page + start, end - start);
	return true;
}

static bool give_item(struct db *d, struct slice item)
{
	struct blob b = { .read_at = read_value, .arg = d };
	struct err err;

	if (item.p[0] == ITEM_INLINE) {
		/* Key 0's value counts packages; a header is longer. */
		const struct slice value = slice_sub(item, 1, item.n);

		b = blob_from_slice(&value);
		return value.n < HEADER_MIN || rpm_header_give(&d->e, &d->left, &b);
	}
	int r = item.p[0] == ITEM_ELSEWHERE && item.n >= ITEM_ELSEWHERE_BYTES ?
			follow(d, u32(d, item.p + 4), u32(d, item.p + 8), &err) :
			err_set(&err, ERR_CORRUPT, "an item of type %d", item.p[0]);
	if (r < 0) {
		os_emit_failed(&d->e, r, &err);
		return true;
	}
	b.size = d->value_bytes;
	return rpm_header_give(&d->e, &d->left, &b);
}

static bool give_page(struct db *d, uint32_t number)
{
	unsigned entries = u16(d, d->page + 20);
	struct slice item;
	bool go_on = true;

	if (entries % 2 || PAGE_HEAD + 2 * entries > d->page_bytes) {
		os_emit_wrong(&d->e, ERR_CORRUPT, "page %u has %u entries", number, entries);
		return true;
	}
	for (unsigned i = 1; go_on && i < entries; i += 2) {
		if (find_item(d, i, &item))
			go_on = give_item(d, item);
		else
			os_emit_wrong(&d->e, ERR_CORRUPT, "page %u: entry %u is outside of it", number, i);
	}
	return go_on;
}

/* ---- the file ---- */

static int read_meta(struct db *d, struct err *err)
{
	char m[META_BYTES];

	int r = blob_read(d->b, 0, m, sizeof(m), err);
	if (r < 0)
		return r;
	if (get_be32(m + 12) == MAGIC_HASH)
		d->is_big = true;
	else if (get_le32(m + 12) == MAGIC_BTREE || get_be32(m + 12) == MAGIC_BTREE)
		return err_set(err, ERR_VERSION, "a Berkeley DB that is no hash");
	else if (get_le32(m + 12) != MAGIC_HASH)
		return err_set(err, ERR_CORRUPT, "not a Berkeley DB");
	d->page_bytes = u32(d, m + 20);
	if (m[24])
		return err_set(err, ERR_VERSION, "an encrypted Berkeley DB");
	if (d->page_bytes < PAGE_MIN || d->page_bytes > PAGE_MAX || (d->page_bytes & (d->page_bytes - 1)))
		return err_set(err, ERR_CORRUPT, "pages of %u bytes", d->page_bytes);
	/* What the head says is not believed beyond the file; a cut file gives what it has. */
	uint64_t there = d->b->size / d->page_bytes, said = (uint64_t)u32(d, m + 32) + 1;
	d->pages = (uint32_t)(there < said ? there : said);
	if (d->pages > PAGES_MAX) {
		os_emit_wrong(&d->e, ERR_LIMIT, "more than %d pages", PAGES_MAX);
		d->pages = PAGES_MAX;
	}
	if (there < said)
		os_emit_wrong(&d->e, ERR_CORRUPT, "the database ends at page %llu of %llu", (unsigned long long)there,
			   (unsigned long long)said);
	return 0;
}

static void db_free(struct db *d)
{
	free(d->links);
	free(d);
}
DEFINE_CLEANUP(struct db, db_free)

/* One page in memory; only its head when it is no hash page, as most are. */
static int read_page(struct db *d, uint32_t number, bool *ret_is_hash, struct err *err)
{
	uint64_t off = (uint64_t)number * d->page_bytes;

	int r = blob_read(d->b, off, d->page, PAGE_HEAD, err);
	*ret_is_hash = r >= 0 && (d->page[25] == TYPE_HASH || d->page[25] == TYPE_HASH_UNSORTED);
	return *ret_is_hash ? blob_read(d->b, off, d->page, d->page_bytes, err) : r;
}

int rpm_bdb_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	CLEANUP(db_freep) struct db *d = calloc(1, sizeof(*d));
	bool go_on = true, is_hash;

	(void)path;
	if (!d)
		return err_set(err, ENOMEM, "read an rpm database");
	d->e = (struct emit){ .out = out, .ecosystem = "rpm" };
	d->b = b;
	d->left = rpm_budget_of(b);
	int r = read_meta(d, err);
	for (uint32_t i = 1; go_on && r >= 0 && i < d->pages; i++) {
		r = read_page(d, i, &is_hash, err);
		if (r >= 0 && is_hash)
			go_on = give_page(d, i);
	}
	return r < 0 ? r : os_emit_end(&d->e, err);
}
