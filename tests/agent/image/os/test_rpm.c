/* rpm: headers, and the three databases they stand in; lies of every kind. */
#include "rpm_build.h"

#define SQLITE "usr/lib/sysimage/rpm/rpmdb.sqlite"
#define NDB "usr/lib/sysimage/rpm/Packages.db"
#define BDB "var/lib/rpm/Packages"

static void expect_all(const char *path, struct slice bytes, int want, const char *packages, const char *files,
		       const char *why)
{
	struct collect c;

	collect_init(&c);
	int r = collect_bytes(&c, path, bytes);
	if (r != want)
		fail_msg("%s: %d %s", path, r, c.err.msg);
	assert_string_equal(collect_packages(&c), packages);
	assert_string_equal(collect_files(&c), files);
	if (why && !strstr(c.err.msg, why))
		fail_msg("'%s' does not say '%s'", c.err.msg, why);
	collect_fini(&c);
}

/* In an ndb, the plainest of them. */
static void expect_header(struct buf header, int want, const char *packages, const char *files, const char *why)
{
	struct buf db = ndb_of(&header, 1);

	expect_all(NDB, buf_slice(&db), want, packages, files, why);
	buf_fini(&db);
	buf_fini(&header);
}

static void a_header_names_package_source_and_files(void **state)
{
	(void)state;
	expect_header(header_hello(), 0, HELLO, HELLO_FILES, NULL);
	expect_header(header_plain("bare"), 0, "rpm bare 1-2 - - -\n", "", NULL);
	expect_header(header_plain("gpg-pubkey"), 0, "", "", NULL);
}

static void the_source_is_cut_from_its_file_name(void **state)
{
	static const struct {
		const char *file, *want;
	} cases[] = {
		{ "util-linux-2.32.1-42.el8_8.src.rpm", "util-linux 2.32.1-42.el8_8" },
		{ "a-b-1-2.nosrc.rpm", "a-b 1-2" },
		{ "(none)", "- -" },
		{ "x.rpm", "- -" },
		{ "-1-2.src.rpm", "- -" },
		{ "a-1.src.rpm", "- -" },
		{ "a-1-2.src", "- -" },
	};
	char want[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct header h;

		header_names(&h, "a", "1", "2");
		header_string(&h, 1044, cases[i].file);
		(void)snprintf(want, sizeof(want), "rpm a 1-2 - %s\n", cases[i].want);
		expect_header(header_end(&h), 0, want, "", NULL);
	}
}

static void every_database_gives_the_same(void **state)
{
	struct buf headers[] = { header_hello(), header_plain("bare") };
	struct bdb d;

	(void)state;
	struct buf db = ndb_of(headers, 2);
	expect_all(NDB, buf_slice(&db), 0, HELLO "rpm bare 1-2 - - -\n", HELLO_FILES, NULL);
	buf_fini(&db);
	db = sqlite_of(PACKAGES_SQL, headers, 2);
	expect_all(SQLITE, buf_slice(&db), 0, HELLO "rpm bare 1-2 - - -\n", HELLO_FILES, NULL);
	buf_fini(&db);
	for (int is_big = 0; is_big < 2; is_big++) {
		bdb_init(&d, is_big);
		bdb_value(&d, buf_slice(&headers[0]));
		bdb_value(&d, buf_slice(&headers[1]));
		expect_all(BDB, buf_slice(&d.out), 0, HELLO "rpm bare 1-2 - - -\n", HELLO_FILES, NULL);
		buf_fini(&d.out);
	}
	buf_fini(&headers[0]);
	buf_fini(&headers[1]);
}

static void a_short_header_may_stand_on_its_hash_page(void **state)
{
	struct buf header = header_plain("bare");
	char item[256] = { 1 };
	struct bdb d;

	(void)state;
	memcpy(item + 1, header.p, header.n);
	bdb_init(&d, false);
	bdb_item(&d, "\1\2\0\0\0", 5);
	bdb_item(&d, item, (unsigned)header.n + 1);
	bdb_u32(&d, d.out.p + 32, 1);
	expect_all(BDB, buf_slice(&d.out), 0, "rpm bare 1-2 - - -\n", "", NULL);
	buf_fini(&d.out);
	buf_fini(&header);
}

/* A header of some MB, longer than any window and any chain of pages in memory. */
static struct buf header_large(unsigned folders, unsigned files)
{
	struct header h;

	header_names(&h, "big", "5", "1");
	header_tag(&h, 1116, 4, folders * files);
	for (unsigned i = 0; i < folders * files; i++)
		header_u32(&h.values, i / files);
	header_tag(&h, 1117, 8, folders * files);
	for (unsigned i = 0; i < folders * files; i++) {
		char name[64];

		buf_add(&h.values, name, (size_t)snprintf(name, sizeof(name), "a-file-with-some-name-%u.c", i % files) + 1);
	}
	header_tag(&h, 1118, 8, folders);
	for (unsigned i = 0; i < folders; i++) {
		char name[64];

		buf_add(&h.values, name, (size_t)snprintf(name, sizeof(name), "/usr/src/a-folder-%u/", i) + 1);
	}
	return header_end(&h);
}

static void a_large_header_is_read_in_pieces(void **state)
{
	enum { FOLDERS = 300, FILES = 300 };
	struct buf header = header_large(FOLDERS, FILES), dbs[3];
	static const char *const paths[] = { NDB, SQLITE, BDB };
	struct bdb d;

	(void)state;
	assert_true(header.n > 2000000);
	dbs[0] = ndb_of(&header, 1);
	dbs[1] = sqlite_of(PACKAGES_SQL, &header, 1);
	bdb_init(&d, false);
	bdb_value(&d, buf_slice(&header));
	dbs[2] = d.out;
	for (int i = 0; i < 3; i++) {
		struct collect c;

		collect_init(&c);
		assert_int_equal(collect_bytes(&c, paths[i], buf_slice(&dbs[i])), 0);
		assert_int_equal(c.owned_count, FOLDERS * FILES);
		assert_non_null(strstr(collect_files(&c), "big-5-1. usr/src/a-folder-0/a-file-with-some-name-0.c\n"));
		assert_non_null(strstr(collect_files(&c), "big-5-1. usr/src/a-folder-299/a-file-with-some-name-299.c\n"));
		collect_fini(&c);
		buf_fini(&dbs[i]);
	}
	buf_fini(&header);
}

/* ---- lies ---- */

static void a_header_that_lies_is_refused(void **state)
{
	struct header h;

	(void)state;
	struct buf b = header_plain("a");
	be32(b.p, 0x7fffffff);
	expect_header(b, -ERR_CORRUPT, "", "", "2147483647 tags");
	b = header_plain("a");
	be32(b.p + 4, 0x0fffffff);
	expect_header(b, -ERR_CORRUPT, "", "", "should be");
	b = header_plain("a"); /* the name's place is far away */
	be32(b.p + 8 + 16 + 8, 0x7fffffff);
	expect_header(b, -ERR_CORRUPT, "", "", "tag 1000");
	b = header_plain("a"); /* of another type */
	be32(b.p + 8 + 16 + 4, 4);
	expect_header(b, -ERR_CORRUPT, "", "", "tag 1000");
	b = header_plain("a"); /* values end in the middle of the release */
	b.p[b.n - 1] = 'x';
	expect_header(b, -ERR_CORRUPT, "", "", "without an end");

	header_names(&h, "a", "1", "2"); /* more files than there can be */
	header_tag(&h, 1117, 8, 0xfffffff0);
	buf_add(&h.values, "x", 2);
	expect_header(header_end(&h), -ERR_CORRUPT, "", "", "tag 1117");

	header_names(&h, "a", "1", "2"); /* a file in a folder that is not there */
	header_tag(&h, 1116, 4, 1);
	header_u32(&h.values, 7);
	header_tag(&h, 1117, 8, 1);
	buf_add(&h.values, "x", 2);
	header_tag(&h, 1118, 8, 1);
	buf_add(&h.values, "/", 2);
	expect_header(header_end(&h), -ERR_CORRUPT, "rpm a 1-2 - - -\n", "", "folder 7 of 1");

	header_names(&h, "a", "1", "2"); /* counts that differ */
	header_tag(&h, 1116, 4, 1);
	header_u32(&h.values, 0);
	header_tag(&h, 1117, 8, 2);
	buf_add(&h.values, "x\0y", 4);
	header_tag(&h, 1118, 8, 1);
	buf_add(&h.values, "/", 2);
	expect_header(header_end(&h), -ERR_CORRUPT, "rpm a 1-2 - - -\n", "", "2 files, 1 in folders");
}

static void one_bad_header_hides_no_other(void **state)
{
	struct buf headers[] = { header_plain("a"), header_plain("b"), header_plain("c") };

	(void)state;
	be32(headers[1].p, 0);
	struct buf db = ndb_of(headers, 3);
	expect_all(NDB, buf_slice(&db), -ERR_CORRUPT, "rpm a 1-2 - - -\nrpm c 1-2 - - -\n", "", "0 tags");
	buf_fini(&db);
	db = sqlite_of(PACKAGES_SQL, headers, 3);
	expect_all(SQLITE, buf_slice(&db), -ERR_CORRUPT, "rpm a 1-2 - - -\nrpm c 1-2 - - -\n", "", "0 tags");
	buf_fini(&db);
	for (int i = 0; i < 3; i++)
		buf_fini(&headers[i]);
}

static void slots_that_name_the_same_bytes_again_are_refused(void **state)
{
	struct buf header = header_large(10, 100);
	struct buf db = ndb_of(&header, 1);
	struct collect c;

	(void)state;
	for (size_t i = 48; i < 4096; i += 16)
		memcpy(db.p + i, db.p + 32, 16);
	collect_init(&c);
	assert_int_equal(collect_bytes(&c, NDB, buf_slice(&db)), -ERR_CORRUPT);
	assert_non_null(strstr(c.err.msg, "more headers than fit"));
	assert_int_equal(c.package_count, 1);
	collect_fini(&c);
	buf_fini(&db);
	buf_fini(&header);
}

static void ndb_pages_and_slots_are_checked(void **state)
{
	struct buf header = header_plain("a");
	struct buf db = ndb_of(&header, 1);

	(void)state;
	le32(db.p + 12, 0xffffffff);
	expect_all(NDB, buf_slice(&db), -ERR_CORRUPT, "", "", "pages of slots");
	le32(db.p + 12, 1);
	le32(db.p + 32 + 8, 0xffffffff); /* the blob is behind the end */
	expect_all(NDB, buf_slice(&db), -ERR_CORRUPT, "", "", "ends at");
	le32(db.p + 32 + 8, 4096 / 16);
	le32(db.p + 32 + 4, 9); /* another package's */
	expect_all(NDB, buf_slice(&db), -ERR_CORRUPT, "", "", "no package 9");
	le32(db.p + 4, 1);
	expect_all(NDB, buf_slice(&db), -ERR_VERSION, "", "", "version 1");
	expect_all(NDB, SLICE_LIT("RpmP"), -ERR_CORRUPT, "", "", NULL);
	buf_fini(&db);
	buf_fini(&header);
}

static void berkeley_chains_that_circle_or_lead_astray_end(void **state)
{
	struct buf header = header_large(10, 100);
	struct bdb d;

	(void)state;
	bdb_init(&d, false);
	bdb_value(&d, buf_slice(&header));
	le32(d.out.p + 3 * BDB_PAGE + 16, 2); /* page 3 leads back to 2 */
	expect_all(BDB, buf_slice(&d.out), -ERR_CORRUPT, "", "", "no part of a value");
	le32(d.out.p + 3 * BDB_PAGE + 16, 0xfffffff0);
	expect_all(BDB, buf_slice(&d.out), -ERR_CORRUPT, "", "", "next page");
	le32(d.out.p + 3 * BDB_PAGE + 16, 1); /* a hash page */
	expect_all(BDB, buf_slice(&d.out), -ERR_CORRUPT, "", "", "no part of a value");
	le32(d.out.p + BDB_PAGE + d.low + 8, 0xffffffff); /* a value of 4 GiB */
	expect_all(BDB, buf_slice(&d.out), -ERR_CORRUPT, "", "", "a value of 4294967295");
	memset(d.out.p + BDB_PAGE + 26, 0xff, 8); /* items outside of the page */
	expect_all(BDB, buf_slice(&d.out), -ERR_CORRUPT, "", "", "outside");
	d.out.p[BDB_PAGE + 20] = d.out.p[BDB_PAGE + 21] = (char)0xfe; /* 65,278 entries */
	expect_all(BDB, buf_slice(&d.out), -ERR_CORRUPT, "", "", "65278 entries");
	le32(d.out.p + 20, 48); /* pages of 48 bytes */
	expect_all(BDB, buf_slice(&d.out), -ERR_CORRUPT, "", "", "pages of 48");
	le32(d.out.p + 12, 0x053162);
	expect_all(BDB, buf_slice(&d.out), -ERR_VERSION, "", "", "no hash");
	buf_fini(&d.out);
	buf_fini(&header);
}

static void a_cut_berkeley_file_gives_what_it_has(void **state)
{
	struct buf headers[] = { header_plain("a"), header_hello() };
	struct bdb d;

	(void)state;
	bdb_init(&d, false);
	bdb_value(&d, buf_slice(&headers[0]));
	bdb_value(&d, buf_slice(&headers[1]));
	expect_all(BDB, slice_sub(buf_slice(&d.out), 0, d.out.n - BDB_PAGE), -ERR_CORRUPT, "rpm a 1-2 - - -\n", "",
		   "ends at page");
	buf_fini(&d.out);
	buf_fini(&headers[0]);
	buf_fini(&headers[1]);
}

static void an_sqlite_schema_runs_nothing(void **state)
{
	static const char *const schemas[] = {
		"CREATE TABLE other(x)",
		"CREATE VIEW Packages AS WITH RECURSIVE c(hnum) AS (SELECT 1 UNION ALL SELECT hnum+1 FROM c) "
		"SELECT hnum, zeroblob(1000000) AS blob FROM c",
		"CREATE TABLE Packages(hnum INTEGER PRIMARY KEY) ; INSERT INTO Packages VALUES(1)",
		"CREATE TABLE Packages(blob TEXT); INSERT INTO Packages VALUES('no blob'),(7),(NULL)",
		"CREATE TABLE Packages(blob BLOB PRIMARY KEY) WITHOUT ROWID; INSERT INTO Packages VALUES(x'00')",
		"CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, b2 BLOB, blob BLOB AS (zeroblob(100000000)) VIRTUAL);"
		"INSERT INTO Packages(b2) VALUES(x'00')",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
		struct buf db = sqlite_of(schemas[i], NULL, 0);

		expect_all(SQLITE, buf_slice(&db), -ERR_CORRUPT, "", "", NULL);
		buf_fini(&db);
	}
	/* Whatever a module of SQLite would make of its tables. */
	struct buf virtual = sqlite_of("CREATE VIRTUAL TABLE Packages USING fts5(blob)", NULL, 0);
	expect_all(SQLITE, buf_slice(&virtual), -ERR_CORRUPT, "", "", "no table Packages");
	buf_fini(&virtual);
	struct buf none = sqlite_of(PACKAGES_SQL, NULL, 0);
	expect_all(SQLITE, buf_slice(&none), 0, "", "", NULL);
	buf_fini(&none);
}

/* An inner page of the tree whose children are all itself, or the same leaf: the rows would never end. */
static void an_sqlite_tree_in_a_circle_ends(void **state)
{
	enum { COUNT = 2000 };
	static struct buf headers[COUNT];

	(void)state;
	for (int i = 0; i < COUNT; i++)
		headers[i] = header_plain("a");
	struct buf db = sqlite_of(PACKAGES_SQL, headers, COUNT);
	for (int i = 0; i < COUNT; i++)
		buf_fini(&headers[i]);
	/* Inner pages of tables have type 5; page 2 is the root of Packages. */
	size_t size = (size_t)(uint8_t)db.p[16] << 8 | (uint8_t)db.p[17], root = size;
	assert_int_equal(db.p[root], 5);
	unsigned cells = (unsigned)(uint8_t)db.p[root + 3] << 8 | (uint8_t)db.p[root + 4];
	for (int self = 0; self < 2; self++) {
		uint32_t child = self ? 2 : 0;
		struct collect c;

		for (unsigned i = 0; i < cells; i++) {
			char *at = db.p + root + 12 + 2 * i, *cell = db.p + root + ((uint8_t)at[0] << 8 | (uint8_t)at[1]);

			if (!child)
				child = (uint32_t)(uint8_t)cell[3] | (uint32_t)(uint8_t)cell[2] << 8;
			be32(cell, child);
		}
		be32(db.p + root + 8, child);
		collect_init(&c);
		c.is_counting = true;
		assert_true(collect_bytes(&c, SQLITE, buf_slice(&db)) < 0);
		assert_true(c.package_count <= COUNT);
		collect_fini(&c);
	}
	buf_fini(&db);
}

static void cut_and_random_databases_do_no_harm(void **state)
{
	struct buf headers[] = { header_hello(), header_plain("b") };
	struct bdb d;

	(void)state;
	struct buf db = ndb_of(headers, 2);
	/* The page of slots is mostly free ones: its beginning, then what follows. */
	expect_unharmed(NDB, slice_sub(buf_slice(&db), 0, 96), 1);
	expect_unharmed(NDB, buf_slice(&db), 101);
	buf_fini(&db);
	bdb_init(&d, false);
	bdb_value(&d, buf_slice(&headers[0]));
	bdb_value(&d, buf_slice(&headers[1]));
	expect_unharmed(BDB, buf_slice(&d.out), 11);
	buf_fini(&d.out);
	db = sqlite_of("PRAGMA page_size=512;" PACKAGES_SQL, headers, 2);
	expect_unharmed(SQLITE, buf_slice(&db), 37);
	buf_fini(&db);
	expect_unharmed_by_noise(NDB, SLICE_LIT("RpmP\0\0\0\0\0\0\0\0\1\0\0\0"));
	expect_unharmed_by_noise(BDB, SLICE_LIT("\0\0\0\0\0\0\0\0\0\0\0\0\x61\x15\x06\0\x09\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0"));
	expect_unharmed_by_noise(SQLITE, SLICE_LIT("SQLite format 3\0\2\0\1\1\0\x40\x20\x20"));
	buf_fini(&headers[0]);
	buf_fini(&headers[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_names_package_source_and_files),
		cmocka_unit_test(the_source_is_cut_from_its_file_name),
		cmocka_unit_test(every_database_gives_the_same),
		cmocka_unit_test(a_short_header_may_stand_on_its_hash_page),
		cmocka_unit_test(a_large_header_is_read_in_pieces),
		cmocka_unit_test(a_header_that_lies_is_refused),
		cmocka_unit_test(one_bad_header_hides_no_other),
		cmocka_unit_test(slots_that_name_the_same_bytes_again_are_refused),
		cmocka_unit_test(ndb_pages_and_slots_are_checked),
		cmocka_unit_test(berkeley_chains_that_circle_or_lead_astray_end),
		cmocka_unit_test(a_cut_berkeley_file_gives_what_it_has),
		cmocka_unit_test(an_sqlite_schema_runs_nothing),
		cmocka_unit_test(an_sqlite_tree_in_a_circle_ends),
		cmocka_unit_test(cut_and_random_databases_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
