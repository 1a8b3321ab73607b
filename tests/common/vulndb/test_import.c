/* import: only what changed is written, all or nothing, and a reader never sees a part of it. */
#include <time.h>

#include "tests/common/vulndb/fixture.h"

#define REC(id, name, fixed)                                                                               \
	"{\"id\":\"" id "\",\"modified\":\"2024-01-01T00:00:00Z\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"" name \
	"\"},\"ranges\":[{\"type\":\"SEMVER\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"" fixed "\"}]}]}]}"

static const char *const three[] = { "A-1.json", REC("A-1", "one", "1.1.0"), "A-2.json", REC("A-2", "two", "1.1.0"),
				     "A-3.json", REC("A-3", "three", "1.1.0"), NULL };

static uint64_t generation_of(struct fixture *f)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	uint64_t generation = 0;

	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	assert_int_equal(vulndb_generation(db, &generation, &f->err), 0);
	return generation;
}

static void the_same_again_changes_nothing(void **state)
{
	struct fixture *f = *state;

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	assert_counts(f, 3, 0, 0, 0, 0);
	assert_string_equal(f->last.feed, "osv:npm");
	assert_int_equal(f->last.read, 3);
	assert_int_equal(generation_of(f), 1);
	fixture_must_import(f, fixture_path(f, "a.zip"), NULL);
	assert_counts(f, 0, 0, 0, 3, 0);
	assert_int_equal(generation_of(f), 1);
}

static void added_changed_and_removed_records_are_told_and_matched(void **state)
{
	static const char *const later[] = { "A-1.json", REC("A-1", "one", "1.2.0"), "A-4.json", REC("A-4", "four", "1.0.0"),
					     "A-3.json", REC("A-3", "three", "1.1.0"), NULL };
	struct fixture *f = *state;

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	fixture_must_import(f, fixture_zip(f, "b.zip", later), NULL);
	assert_counts(f, 1, 1, 1, 1, 0);
	assert_int_equal(generation_of(f), 2);
	assert_string_equal(MATCH(f, &no_os, "npm one 1.1.5", "npm two 1.0.0", "npm three 1.0.0", "npm four 0.1.0"),
			    "A-1 A-1 fixed=1.2.0 unknown fixed [<1.2.0]\n"
			    "A-3 A-3 fixed=1.1.0 unknown fixed [<1.1.0]\n"
			    "A-4 A-4 fixed=1.0.0 unknown fixed [<1.0.0]\n");
}

static void a_part_of_a_feed_removes_nothing(void **state)
{
	static const char *const one[] = { "A-9.json", REC("A-9", "nine", "1.0.0"), NULL };
	struct fixture *f = *state;

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	struct vulndb_import in = { .path = f->db, .source = fixture_zip(f, "p.zip", one), .is_part = true, .now_unix_s = NOW };
	assert_int_equal(vulndb_import(&in, &f->last, &f->err), 0);
	assert_counts(f, 1, 0, 0, 0, 0);
	/* a record in a file of its own is never the whole of a feed */
	fixture_text(f, "A-8.json", REC("A-8", "eight", "1.0.0"));
	assert_counts(f, 1, 0, 0, 0, 0);
	fixture_must_import(f, fixture_path(f, "a.zip"), NULL);
	assert_counts(f, 0, 0, 2, 3, 0);
}

static void feeds_do_not_touch_each_other(void **state)
{
	struct fixture *f = *state;

	fixture_must_import(f, fixture_zip(f, "a.zip", three), "first");
	fixture_must_import(f, fixture_zip(f, "a.zip", three), "second");
	assert_counts(f, 3, 0, 0, 0, 0);
	/* the same advisory of two feeds is one finding */
	assert_string_equal(MATCH(f, &no_os, "npm one 1.0.0"), "A-1 A-1 fixed=1.1.0 unknown fixed [<1.1.0]\n");
}

static void a_bad_record_keeps_what_was_there(void **state)
{
	static const char *const broken[] = { "A-1.json", "{\"id\":\"A-1\",", "A-2.json", "{\"id\":\"A-2\",\"affected\":[{\"versions\":[\"\"]}]}",
					      "A-3.json", REC("A-3", "three", "1.1.0"), NULL };
	struct fixture *f = *state;

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	fixture_must_import(f, fixture_zip(f, "b.zip", broken), NULL);
	assert_counts(f, 0, 0, 0, 1, 2);
	assert_int_equal(f->last.read, 3);
	assert_memory_equal(f->last.first_bad, "A-1.json: ", 10);
	assert_string_equal(MATCH(f, &no_os, "npm one 1.0.0", "npm two 1.0.0"),
			    "A-1 A-1 fixed=1.1.0 unknown fixed [<1.1.0]\nA-2 A-2 fixed=1.1.0 unknown fixed [<1.1.0]\n");
}

static void an_import_that_fails_leaves_all_as_it_was(void **state)
{
	static const char *const nothing[] = { "x.json", "{\"id\":\"X-1\",", NULL };
	static const char *const none[] = { "README", "hello", NULL };
	struct fixture *f = *state;
	struct buf zip;

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	assert_int_equal(fixture_import(f, fixture_zip(f, "n.zip", nothing), "osv:npm"), -ERR_SYNTAX);
	assert_int_equal(fixture_import(f, fixture_zip(f, "e.zip", none), NULL), -ERR_SYNTAX);
	assert_int_equal(fixture_import(f, fixture_path(f, "missing.zip"), NULL), -ENOENT);
	assert_int_equal(fixture_import(f, fixture_write(f, "empty.json", ""), NULL), -ERR_SYNTAX);
	assert_int_equal(fixture_import(f, fixture_write(f, "page.json", "<html>"), NULL), -ERR_SYNTAX);
	/* a download that was cut off, everywhere */
	assert_int_equal(file_read(fixture_path(f, "a.zip"), 1 << 20, &zip, NULL), 0);
	for (size_t n = 1; n < zip.n - 250; n += 97) {
		assert_int_equal(file_write_atomic(fixture_path(f, "cut.zip"), slice_from(zip.p, n), 0644, NULL), 0);
		assert_true(fixture_import(f, f->source, "osv:npm") < 0);
	}
	buf_fini(&zip);
	assert_int_equal(generation_of(f), 1);
	fixture_must_import(f, fixture_path(f, "a.zip"), NULL);
	assert_counts(f, 0, 0, 0, 3, 0);
}

static void withdrawn_and_rejected_records_are_out(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "w.json",
		     "[{\"id\":\"W-1\",\"withdrawn\":\"2024-01-01T00:00:00Z\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"w\"},\"versions\":[\"1\"]}]},"
		     "{\"id\":\"W-2\",\"details\":\"** REJECTED ** do not use\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"w\"},\"versions\":[\"1\"]}]},"
		     "{\"id\":\"W-3\",\"withdrawn\":\"2031-01-01T00:00:00Z\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"w\"},\"versions\":[\"1\"]}]}]");
	assert_int_equal(f->last.withdrawn, 2);
	assert_string_equal(MATCH(f, &no_os, "npm w 1"), "W-3 W-3 fixed= unknown affected [=1]\n");
	/* its day comes without a new file */
	struct vulndb_import in = { .path = f->db, .source = fixture_path(f, "w.json"), .now_unix_s = 2000000000 };
	assert_int_equal(vulndb_import(&in, &f->last, &f->err), 0);
	assert_counts(f, 0, 1, 0, 2, 0);
	assert_string_equal(MATCH(f, &no_os, "npm w 1"), "");
}

static void one_id_for_several_releases_is_kept_for_each(void **state)
{
	static const char *const alma[] = {
		"8/ALSA-1.json",
		"{\"id\":\"ALSA-1\",\"related\":[\"CVE-2024-0001\"],\"affected\":[{\"package\":{\"ecosystem\":\"AlmaLinux:8\",\"name\":\"p\"},\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"1-2.el8\"}]}]}]}",
		"9/ALSA-1.json",
		"{\"id\":\"ALSA-1\",\"related\":[\"CVE-2024-0001\"],\"affected\":[{\"package\":{\"ecosystem\":\"AlmaLinux:9\",\"name\":\"p\"},\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"1-3.el9\"}]}]}]}",
		"10/ALSA-1.json",
		"{\"id\":\"ALSA-1\",\"related\":[\"CVE-2024-0001\"],\"affected\":[{\"package\":{\"ecosystem\":\"AlmaLinux:8\",\"name\":\"p\"},\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"1-2.el8\"}]}]}]}",
		NULL
	};
	struct fixture *f = *state;

	fixture_must_import(f, fixture_zip(f, "a.zip", alma), NULL);
	assert_counts(f, 2, 0, 0, 1, 0); /* the third is the first once more */
	for (int i = 0; i < 2; i++) {
		assert_string_equal(MATCH(f, OS(SLICE_LIT("almalinux"), SLICE_LIT("9.4")), "rpm p 1-1.el9"),
				    "CVE-2024-0001 ALSA-1 fixed=1-3.el9 unknown fixed [<1-3.el9]\n");
		assert_string_equal(MATCH(f, OS(SLICE_LIT("almalinux"), SLICE_LIT("8.10")), "rpm p 1-1.el8"),
				    "CVE-2024-0001 ALSA-1 fixed=1-2.el8 unknown fixed [<1-2.el8]\n");
		fixture_must_import(f, fixture_path(f, "a.zip"), NULL);
		assert_counts(f, 0, 0, 0, 3, 0);
	}
}

/* The second of two that share an id is changed, and stands first now. */
static void records_that_share_an_id_may_change_places(void **state)
{
	static const char *const before[] = { "8/S-1.json", REC("S-1", "one", "1.0.0"), "9/S-1.json", REC("S-1", "two", "1.0.0"), NULL };
	static const char *const after[] = { "8/S-1.json", REC("S-1", "two", "3.0.0"), "9/S-1.json", REC("S-1", "one", "1.0.0"), NULL };
	static const char *const later[] = { "8/S-1.json", REC("S-1", "two", "3.0.0"), "9/S-1.json", REC("S-1", "one", "4.0.0"), NULL };
	struct fixture *f = *state;

	fixture_must_import(f, fixture_zip(f, "a.zip", before), NULL);
	fixture_must_import(f, fixture_zip(f, "b.zip", after), NULL);
	assert_string_equal(MATCH(f, &no_os, "npm one 0.1.0", "npm two 2.0.0"),
			    "S-1 S-1 fixed=1.0.0 unknown fixed [<1.0.0]\nS-1 S-1 fixed=3.0.0 unknown fixed [<3.0.0]\n");
	fixture_must_import(f, fixture_path(f, "b.zip"), NULL);
	assert_counts(f, 0, 0, 0, 2, 0);
	/* only the second is changed: the first keeps its place */
	fixture_must_import(f, fixture_zip(f, "c.zip", later), NULL);
	assert_counts(f, 0, 1, 0, 1, 0);
	assert_string_equal(MATCH(f, &no_os, "npm one 3.5.0", "npm two 2.0.0"),
			    "S-1 S-1 fixed=4.0.0 unknown fixed [<4.0.0]\nS-1 S-1 fixed=3.0.0 unknown fixed [<3.0.0]\n");
}

#define SECDB(release, fixes)                                                                              \
	"{\"distroversion\":\"" release "\",\"reponame\":\"main\",\"packages\":[{\"pkg\":{\"name\":\"p\",\"secfixes\":{" fixes "}}}]}"

static void a_secdb_of_one_release_leaves_the_others(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "18.json", SECDB("v3.18", "\"1.0-r1\":[\"CVE-2024-0001\",\"CVE-2024-0002\"]"));
	assert_string_equal(f->last.feed, "alpine");
	fixture_text(f, "19.json", SECDB("v3.19", "\"1.0-r2\":[\"CVE-2024-0001\"]"));
	assert_counts(f, 1, 0, 0, 0, 0);
	fixture_text(f, "18.json", SECDB("v3.18", "\"1.0-r3\":[\"CVE-2024-0001\"]"));
	assert_counts(f, 1, 0, 2, 0, 0);
	assert_string_equal(MATCH(f, OS(SLICE_LIT("alpine"), SLICE_LIT("3.19.1")), "apk p 1.0-r0"),
			    "CVE-2024-0001 CVE-2024-0001 fixed=1.0-r2 unknown fixed [<1.0-r2]\n");
}

static void kev_and_epss_are_replaced_as_a_whole(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "e.csv", "#model_version:v1,score_date:2024-10-15T00:00:00+0000\ncve,epss,percentile\nCVE-2024-0001,0.5,0.9\nCVE-2024-0002,0.1,0.2\n");
	assert_counts(f, 2, 0, 0, 0, 0);
	fixture_text(f, "e.csv", "cve,epss,percentile\nCVE-2024-0001,0.6,0.9\nCVE-2024-0003,0.1,0.2\nnonsense\n");
	assert_counts(f, 1, 1, 1, 0, 1);
	fixture_text(f, "k.json", "{\"catalogVersion\":\"1\",\"vulnerabilities\":[{\"cveID\":\"CVE-2024-0001\",\"dateAdded\":\"2024-01-01\"}]}");
	assert_counts(f, 1, 0, 0, 0, 0);
	fixture_must_import(f, f->source, NULL);
	assert_counts(f, 0, 0, 0, 1, 0);
	assert_int_equal(generation_of(f), 3);
}

static void gz_and_folders_are_sources_too(void **state)
{
	struct fixture *f = *state;
	char command[512];

	fixture_write(f, "e.csv", "cve,epss,percentile\nCVE-2024-0001,0.5,0.9\n");
	snprintf(command, sizeof(command), "gzip -k %s/e.csv && mkdir -p %s/osv/sub %s/osv/.git", f->dir, f->dir, f->dir);
	assert_int_equal(system(command), 0);
	fixture_must_import(f, fixture_path(f, "e.csv.gz"), NULL);
	assert_string_equal(f->last.feed, "epss");
	assert_counts(f, 1, 0, 0, 0, 0);
	fixture_write(f, "osv/A-1.json", REC("A-1", "one", "1.0.0"));
	fixture_write(f, "osv/sub/A-2.json", REC("A-2", "two", "1.0.0"));
	fixture_write(f, "osv/README.md", "not a record");
	assert_int_equal(symlink("/etc/passwd", fixture_path(f, "osv/link.json")), 0);
	fixture_must_import(f, fixture_path(f, "osv"), NULL);
	assert_counts(f, 2, 0, 0, 0, 0);
	assert_string_equal(f->last.feed, "osv:npm");
	unlink(fixture_path(f, "osv/A-1.json"));
	fixture_must_import(f, fixture_path(f, "osv"), NULL);
	assert_counts(f, 0, 0, 1, 1, 0);
}

struct changed {
	char text[1024];
	bool everything;
};

static int put_changed(void *arg, struct slice ecosystem, struct slice name)
{
	struct changed *c = arg;
	size_t n = strlen(c->text);

	snprintf(c->text + n, sizeof(c->text) - n, "%.*s/%.*s ", SLICE_FMT(ecosystem), SLICE_FMT(name));
	return 0;
}

static struct changed changed_since(struct fixture *f, uint64_t generation)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct changed c = { 0 };

	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	assert_int_equal(vulndb_changed(db, generation, &c.everything, put_changed, &c, &f->err), 0);
	return c;
}

static void what_changed_is_named(void **state)
{
	static const char *const later[] = { "A-1.json", REC("A-1", "renamed", "1.1.0"), "A-3.json", REC("A-3", "three", "1.1.0"), NULL };
	struct fixture *f = *state;
	struct changed c;

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	fixture_must_import(f, fixture_zip(f, "b.zip", later), NULL);
	c = changed_since(f, 1);
	assert_false(c.everything);
	/* changed away, changed to, removed; not what stayed */
	assert_non_null(strstr(c.text, "npm/one "));
	assert_non_null(strstr(c.text, "npm/renamed "));
	assert_non_null(strstr(c.text, "npm/two "));
	assert_null(strstr(c.text, "npm/three "));
	c = changed_since(f, 2);
	assert_string_equal(c.text, "");
	assert_false(c.everything);
	fixture_text(f, "e.csv", "cve,epss,percentile\nCVE-2024-0001,0.5,0.9\n");
	assert_true(changed_since(f, 2).everything);
	assert_false(changed_since(f, 3).everything);
	/* of another database than the one that was asked then */
	assert_true(changed_since(f, 99).everything);
}

static void the_key_of_a_package_is_what_a_change_names(void **state)
{
	char text[64];
	const struct vulndb_package deb = { .ecosystem = SLICE_LIT("deb"), .name = SLICE_LIT("libssl3"), .source = SLICE_LIT("openssl") };
	const struct vulndb_package rpm = { .ecosystem = SLICE_LIT("rpm"), .name = SLICE_LIT("openssl-libs"), .source = SLICE_LIT("openssl") };
	const struct vulndb_package pip = { .ecosystem = SLICE_LIT("pypi"), .name = SLICE_LIT("Flask_Login") };

	assert_true(slice_is(vulndb_package_key(&deb, text, sizeof(text)), "openssl"));
	assert_true(slice_is(vulndb_package_key(&rpm, text, sizeof(text)), "openssl-libs"));
	assert_true(slice_is(vulndb_package_key(&pip, text, sizeof(text)), "flask-login"));
}

static int stop_at_first(void *arg, size_t package, const struct vulndb_found *f)
{
	struct fixture *fx = arg;
	static const char *const later[] = { "A-1.json", REC("A-1", "one", "9.0.0"), NULL };

	struct timespec before, after;

	/* an import while this reader is in the middle: it commits, does not wait, and is not seen here */
	clock_gettime(CLOCK_MONOTONIC, &before);
	if (package == 0)
		fixture_must_import(fx, fixture_zip(fx, "b.zip", later), NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 8);
	return put_found(&fx->found, package, f);
}

static void a_reader_sees_the_database_as_it_was_when_it_began(void **state)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct fixture *f = *state;
	const struct vulndb_package p[] = { { .ecosystem = SLICE_LIT("npm"), .name = SLICE_LIT("one"), .version = SLICE_LIT("1.0.0") },
					    { .ecosystem = SLICE_LIT("npm"), .name = SLICE_LIT("two"), .version = SLICE_LIT("1.0.0") } };

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	assert_int_equal(vulndb_match(db, &no_os, p, 2, stop_at_first, f, &f->err), 0);
	assert_string_equal(f->found.p, "A-1 A-1 fixed=1.1.0 unknown fixed [<1.1.0]\nA-2 A-2 fixed=1.1.0 unknown fixed [<1.1.0]\n");
	/* and the same handle sees the new one at its next call */
	buf_reset(&f->found);
	assert_int_equal(vulndb_match(db, &no_os, p, 2, put_found, &f->found, &f->err), 0);
	assert_string_equal(f->found.p, "A-1 A-1 fixed=9.0.0 unknown fixed [<9.0.0]\n");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vulndb *db = NULL;

	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), -ENOENT);
	fixture_write(f, "v.db", "");
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), -ERR_CORRUPT);
	fixture_write(f, "v.db", "this is text, of more than a hundred bytes, so that SQLite looks at its head and finds that it is none of its own");
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), -ERR_CORRUPT);
	fixture_write(f, "x.json", REC("A-1", "one", "1.0.0"));
	assert_int_equal(fixture_import(f, f->source, NULL), -ERR_CORRUPT);
	assert_null(db);
}

static void a_database_of_a_newer_picket_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vulndb *db = NULL;
	char command[256];

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	snprintf(command, sizeof(command), "sqlite3 %s 'PRAGMA user_version=99'", f->db);
	if (system(command) != 0)
		skip(); /* no sqlite3 here */
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), -ERR_VERSION);
	assert_non_null(strstr(f->err.msg, "newer picket"));
	assert_int_equal(fixture_import(f, fixture_path(f, "a.zip"), NULL), -ERR_VERSION);
}

static void a_database_with_more_than_tables_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vulndb *db = NULL;
	char command[512];

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	snprintf(command, sizeof(command), "sqlite3 %s 'ALTER TABLE kev RENAME TO k; CREATE VIEW kev AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT n AS cve, n AS added, n AS due, n AS ransomware, n AS title FROM r'", f->db);
	if (system(command) != 0)
		skip(); /* no sqlite3 here */
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), -ERR_CORRUPT);
	assert_non_null(strstr(f->err.msg, "more than tables"));
}

static int count_feed(void *arg, const struct vulndb_feed *feed)
{
	struct buf *b = arg;

	buf_printf(b, "%.*s %d/%d %.*s %zu; ", SLICE_FMT(feed->name), (int)feed->records, (int)feed->withdrawn,
		   SLICE_FMT(feed->data_date), feed->sha256.n);
	assert_int_equal(feed->imported_unix_s, NOW);
	return 0;
}

static void status_tells_of_each_feed(void **state)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct fixture *f = *state;
	struct vulndb_info info;

	fixture_must_import(f, fixture_zip(f, "a.zip", three), NULL);
	fixture_text(f, "k.json", "{\"catalogVersion\":\"1\",\"dateReleased\":\"2025-08-25\",\"vulnerabilities\":[{\"cveID\":\"CVE-2024-0001\"}]}");
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	assert_int_equal(vulndb_status(db, &info, count_feed, &f->found, &f->err), 0);
	assert_string_equal(f->found.p, "kev 1/0 2025-08-25 64; osv:npm 3/0 2024-01-01T00:00:00.000000000Z 64; ");
	assert_int_equal(info.records, 3);
	assert_int_equal(info.ranges, 3);
	assert_int_equal(info.generation, 2);
	assert_int_equal(info.built_unix_s, NOW);
	assert_false(info.is_signed);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_same_again_changes_nothing),
		T(added_changed_and_removed_records_are_told_and_matched),
		T(a_part_of_a_feed_removes_nothing),
		T(feeds_do_not_touch_each_other),
		T(a_bad_record_keeps_what_was_there),
		T(an_import_that_fails_leaves_all_as_it_was),
		T(withdrawn_and_rejected_records_are_out),
		T(one_id_for_several_releases_is_kept_for_each),
		T(records_that_share_an_id_may_change_places),
		T(a_secdb_of_one_release_leaves_the_others),
		T(kev_and_epss_are_replaced_as_a_whole),
		T(gz_and_folders_are_sources_too),
		T(what_changed_is_named),
		T(the_key_of_a_package_is_what_a_change_names),
		T(a_reader_sees_the_database_as_it_was_when_it_began),
		T(a_file_that_is_no_database_is_refused),
		T(a_database_of_a_newer_picket_is_refused),
		T(a_database_with_more_than_tables_is_refused),
		T(status_tells_of_each_feed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
