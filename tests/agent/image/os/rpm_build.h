/* rpm_build.h - makes rpm headers and the databases they stand in, byte by byte, for tests and their lies. */
#pragma once
#include <sqlite3.h>
#include <sys/stat.h>

#include "collect.h"

enum { HEADER_TAGS_MAX = 16 };

struct header {
	struct buf values;
	uint32_t index[HEADER_TAGS_MAX][4];
	uint32_t count;
};

static inline void be32(char *p, uint32_t v)
{
	p[0] = (char)(v >> 24), p[1] = (char)(v >> 16), p[2] = (char)(v >> 8), p[3] = (char)v;
}

static inline void le32(char *p, uint32_t v)
{
	p[0] = (char)v, p[1] = (char)(v >> 8), p[2] = (char)(v >> 16), p[3] = (char)(v >> 24);
}

static inline void header_init(struct header *h)
{
	memset(h, 0, sizeof(*h));
	buf_init(&h->values, 0);
	/* rpm begins every index with its region, which is not asked for. */
	h->index[h->count][0] = 63, h->index[h->count][1] = 7, h->index[h->count++][3] = 16;
	buf_add(&h->values, "0123456789abcdef", 16);
}

static inline void header_tag(struct header *h, uint32_t tag, uint32_t type, uint32_t count)
{
	while (type == 4 && h->values.n % 4)
		buf_add_char(&h->values, '\0');
	uint32_t *e = h->index[h->count++];
	e[0] = tag, e[1] = type, e[2] = (uint32_t)h->values.n, e[3] = count;
}

static inline void header_string(struct header *h, uint32_t tag, const char *s)
{
	header_tag(h, tag, 6, 1);
	buf_add(&h->values, s, strlen(s) + 1);
}

static inline void header_u32(struct buf *b, uint32_t v)
{
	char p[4];

	be32(p, v);
	buf_add(b, p, sizeof(p));
}

/* The bytes as in a database; fini included. */
static inline struct buf header_end(struct header *h)
{
	struct buf out;

	buf_init(&out, 0);
	header_u32(&out, h->count);
	header_u32(&out, (uint32_t)h->values.n);
	for (uint32_t i = 0; i < h->count; i++)
		for (int k = 0; k < 4; k++)
			header_u32(&out, h->index[i][k]);
	buf_add_slice(&out, buf_slice(&h->values));
	buf_fini(&h->values);
	return out;
}

static inline void header_names(struct header *h, const char *name, const char *version, const char *release)
{
	header_init(h);
	header_string(h, 1000, name);
	header_string(h, 1001, version);
	header_string(h, 1002, release);
}

/* /etc/, /usr/bin/: hello.conf in the one, hello and the folder sub in the other. */
static inline struct buf header_hello(void)
{
	struct header h;

	header_names(&h, "hello", "1.2", "3.el9");
	header_tag(&h, 1003, 4, 1);
	header_u32(&h.values, 4);
	header_string(&h, 1022, "x86_64");
	header_string(&h, 1044, "hello-src-1.2-3.el9.src.rpm");
	header_tag(&h, 1030, 3, 3);
	buf_add(&h.values, "\x81\xa4\x81\xed\x41\xed", 6);
	header_tag(&h, 1116, 4, 3);
	header_u32(&h.values, 0), header_u32(&h.values, 1), header_u32(&h.values, 1);
	header_tag(&h, 1117, 8, 3);
	buf_add(&h.values, "hello.conf\0hello\0sub", 21);
	header_tag(&h, 1118, 8, 2);
	buf_add(&h.values, "/etc/\0/usr/bin/", 16);
	return header_end(&h);
}
#define HELLO "rpm hello 4:1.2-3.el9 x86_64 hello-src 4:1.2-3.el9\n"
#define HELLO_FILES "hello-4:1.2-3.el9.x86_64 etc/hello.conf\nhello-4:1.2-3.el9.x86_64 usr/bin/hello\n"

static inline struct buf header_plain(const char *name)
{
	struct header h;

	header_names(&h, name, "1", "2");
	return header_end(&h);
}

/* ---- ndb: one page of slots ---- */

static inline struct buf ndb_of(const struct buf *headers, size_t count)
{
	struct buf out;
	static char page[4096];

	memset(page, 0, sizeof(page));
	for (size_t i = 0; i < sizeof(page); i += 16)
		memcpy(page + i, "Slot", 4);
	memset(page, 0, 32);
	memcpy(page, "RpmP", 4);
	le32(page + 12, 1);
	buf_init(&out, 0);
	buf_add(&out, page, sizeof(page));
	for (size_t i = 0; i < count; i++) {
		/* A free slot between. */
		char *slot = page + 32 + 32 * i, head[16] = "BlbS", tail[12] = { 0 };
		size_t off = out.n;

		le32(head + 4, (uint32_t)i + 1);
		le32(head + 12, (uint32_t)headers[i].n);
		buf_add(&out, head, sizeof(head));
		buf_add_slice(&out, buf_slice(&headers[i]));
		while ((out.n + sizeof(tail)) % 16)
			buf_add_char(&out, '\0');
		memcpy(tail + 8, "BlbE", 4);
		buf_add(&out, tail, sizeof(tail));
		le32(slot + 4, (uint32_t)i + 1);
		le32(slot + 8, (uint32_t)(off / 16));
		le32(slot + 12, (uint32_t)((out.n - off) / 16));
	}
	memcpy(out.p, page, sizeof(page));
	return out;
}

/* ---- Berkeley DB: a page of head, one hash page, overflow pages ---- */

enum { BDB_PAGE = 512, BDB_ROOM = BDB_PAGE - 26 };

struct bdb {
	struct buf out;
	bool is_big;
	unsigned entries, low; /* of page 1; low: where its items begin */
};

static inline void bdb_u32(const struct bdb *d, char *p, uint32_t v)
{
	if (d->is_big)
		be32(p, v);
	else
		le32(p, v);
}

static inline void bdb_u16(const struct bdb *d, char *p, unsigned v)
{
	p[d->is_big] = (char)v;
	p[!d->is_big] = (char)(v >> 8);
}

static inline void bdb_page(struct bdb *d, unsigned type)
{
	char page[BDB_PAGE] = { 0 };

	bdb_u32(d, page + 8, (uint32_t)(d->out.n / BDB_PAGE));
	page[25] = (char)type;
	buf_add(&d->out, page, sizeof(page));
}

static inline void bdb_item(struct bdb *d, const void *p, unsigned n)
{
	char *page = d->out.p + BDB_PAGE;

	d->low -= n;
	memcpy(page + d->low, p, n);
	bdb_u16(d, page + 26 + 2 * d->entries, d->low);
	d->entries++;
	bdb_u16(d, page + 20, d->entries);
	bdb_u16(d, page + 22, d->low);
}

static inline void bdb_init(struct bdb *d, bool is_big)
{
	*d = (struct bdb){ .is_big = is_big, .low = BDB_PAGE };
	buf_init(&d->out, 0);
	bdb_page(d, 8);
	bdb_u32(d, d->out.p + 12, 0x061561);
	bdb_u32(d, d->out.p + 16, 9);
	bdb_u32(d, d->out.p + 20, BDB_PAGE);
	bdb_page(d, 13);
	/* Key 0: how many packages; no header. */
	bdb_item(d, "\1\0\0\0\0", 5);
	bdb_item(d, "\1\7\0\0\0", 5);
}

static inline void bdb_value(struct bdb *d, struct slice value)
{
	char item[12] = { 3 };
	uint32_t first = (uint32_t)(d->out.n / BDB_PAGE);

	bdb_item(d, "\1\2\0\0\0", 5);
	bdb_u32(d, item + 4, first);
	bdb_u32(d, item + 8, (uint32_t)value.n);
	bdb_item(d, item, sizeof(item));
	while (value.n) {
		size_t n = value.n < BDB_ROOM ? value.n : BDB_ROOM;

		bdb_page(d, 7);
		char *page = d->out.p + d->out.n - BDB_PAGE;
		bdb_u16(d, page + 22, (unsigned)n);
		memcpy(page + 26, value.p, n);
		value = slice_sub(value, n, value.n);
		bdb_u32(d, page + 16, value.n ? (uint32_t)(d->out.n / BDB_PAGE) : 0);
	}
	bdb_u32(d, d->out.p + 32, (uint32_t)(d->out.n / BDB_PAGE) - 1);
}

/* ---- SQLite ---- */

static inline struct buf sqlite_of(const char *sql, const struct buf *headers, size_t count)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	sqlite3_int64 n = 0;
	struct buf out;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO Packages(blob) VALUES(?)", -1, &s, NULL), SQLITE_OK);
		(void)sqlite3_bind_blob(s, 1, headers[i].p, (int)headers[i].n, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(s), SQLITE_DONE);
		(void)sqlite3_finalize(s);
	}
	unsigned char *p = sqlite3_serialize(db, "main", &n, 0);
	assert_non_null(p);
	buf_init(&out, 0);
	buf_add(&out, p, (size_t)n);
	sqlite3_free(p);
	(void)sqlite3_close(db);
	/* As rpm leaves it: a write-ahead log belongs to it. */
	out.p[18] = out.p[19] = 2;
	return out;
}
#define PACKAGES_SQL "CREATE TABLE IF NOT EXISTS 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL);"
