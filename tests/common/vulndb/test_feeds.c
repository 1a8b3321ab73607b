/* Real advisories: every feed is read without a bad record, and what other programs make of the same samples
 * is what is found here. Skipped where the feeds are not at hand. */
#include <fts.h>

#include "common/json.h"
#include "tests/common/vulndb/fixture.h"

#define FEEDS TEST_ROOT "/../shared/feeds"

static bool is_there(const char *path)
{
	if (access(path, R_OK) == 0)
		return true;
	print_message("no %s: skipped\n", path);
	return false;
}

/* ---- every feed ---- */

static void every_record_of_every_feed_is_read(void **state)
{
	static const struct {
		const char *path, *feed;
		uint64_t records;
	} rows[] = {
		{ "osv/Go/all.zip", "osv:Go", 4291 },	     { "osv/crates.io/all.zip", "osv:crates.io", 1206 },
		{ "osv/PyPI/all.zip", "osv:PyPI", 2661 },    { "osv/GHSA-subset/all.zip", "osv:GHSA", 426 },
		{ "osv/PSF/all.zip", "osv:PSF", 132 },	     { "osv/distro-samples/all.zip", "osv", 43 },
		{ "debian/derived/derived-bookworm.tracker.json", "debian", 587 },
		{ "kev/known_exploited_vulnerabilities.json", "kev", 1404 },
		{ "epss-subset.csv", "epss", 2634 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char path[512];

		snprintf(path, sizeof(path), FEEDS "/%s", rows[i].path);
		if (!is_there(path))
			skip();
		fixture_must_import(f, path, NULL);
		assert_string_equal(f->last.feed, rows[i].feed);
		assert_int_equal(f->last.read, rows[i].records);
		assert_counts(f, rows[i].records, 0, 0, 0, 0);
	}
}

/* ---- Debian: against the tracker itself ---- */

struct expected {
	const char *source, *version;
	char text[65536];
};

static int put_id(void *arg, size_t package, const struct vulndb_found *f)
{
	struct expected *e = arg;
	size_t n = strlen(e->text);

	snprintf(e->text + n, sizeof(e->text) - n, "%.*s %.*s\n", SLICE_FMT(f->id), SLICE_FMT(f->fixed));
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What the tracker's own words say of a source package at this version. */
static void read_tracker(const cJSON *source, const char *release, const char *version, char *text, size_t size)
{
	char *lines[2000];
	size_t count = 0;

	for (const cJSON *cve = source->child; cve; cve = cve->next) {
		const cJSON *r = cJSON_GetObjectItem(cJSON_GetObjectItem(cve, "releases"), release);
		struct slice fixed = json_get_str(r, "fixed_version");
		int order = -1;

		if (!r || (fixed.n && version_compare(VERSION_DEB, slice_of(version), fixed, &order, NULL) < 0))
			continue;
		if (!fixed.n || order < 0)
			assert_true(asprintf(&lines[count++], "%s %.*s\n", cve->string, SLICE_FMT(fixed)) > 0);
	}
	qsort(lines, count, sizeof(*lines), by_text);
	text[0] = 0;
	for (size_t i = 0; i < count; i++) {
		snprintf(text + strlen(text), size - strlen(text), "%s", lines[i]);
		free(lines[i]);
	}
}

static void each_source_of_the_tracker_is_matched_as_the_tracker_says(void **state)
{
	static const char path[] = FEEDS "/debian/derived/derived-bullseye.tracker.json";
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *tracker = NULL;
	static struct expected e;
	static char want[65536];
	struct fixture *f = *state;
	size_t packages = 0;

	if (!is_there(path))
		skip();
	fixture_must_import(f, path, NULL);
	assert_int_equal(file_read(path, 16 << 20, &text, NULL), 0);
	assert_int_equal(json_parse(buf_slice(&text), 16 << 20, &tracker, NULL), 0);
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	for (const cJSON *source = tracker->child; source; source = source->next) {
		/* before everything, and at the version that fixed its first CVE */
		const cJSON *first = cJSON_GetObjectItem(cJSON_GetObjectItem(source->child, "releases"), "bullseye");
		const char *versions[] = { "0~", first ? json_get_str(first, "fixed_version").p : "1" };

		for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
			const struct vulndb_package p = { .ecosystem = SLICE_LIT("deb"), .name = SLICE_LIT("some-binary"),
							  .version = SLICE_LIT("999:1"), .source = slice_of(source->string),
							  .source_version = slice_of(versions[i]) };
			e.text[0] = 0;
			read_tracker(source, "bullseye", versions[i], want, sizeof(want));
			assert_int_equal(vulndb_match(db, OS(SLICE_LIT("debian"), SLICE_LIT("11"), SLICE_LIT("bullseye")), &p, 1, put_id, &e, &f->err), 0);
			assert_string_equal(e.text, want);
			packages++;
		}
	}
	assert_int_equal(packages, 2 * 40);
}

/* ---- what vunnel makes of the same samples ---- */

static void unpack(struct fixture *f, const char *path)
{
	struct archive *a = archive_read_new(), *disk = archive_write_disk_new();
	struct archive_entry *e;

	archive_read_support_filter_all(a);
	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_filename(a, path, 65536), ARCHIVE_OK);
	while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
		char to[1024];

		if (!strstr(archive_entry_pathname(e), "providers/"))
			continue;
		snprintf(to, sizeof(to), "%s/%s", f->dir, strstr(archive_entry_pathname(e), "providers/"));
		archive_entry_set_pathname(e, to);
		assert_int_equal(archive_read_extract2(a, e, disk), ARCHIVE_OK);
	}
	archive_read_free(a);
	archive_write_free(disk);
}

struct wanted {
	char package[128], range[256];
	bool is_found;
};

static int look(void *arg, const struct vulndb_place *p)
{
	struct wanted *w = arg;

	w->is_found |= slice_is(p->package, w->package) && slice_is(p->range, w->range);
	return w->is_found;
}

/* "None": no version is fixed, every one is affected. */
static unsigned check_snapshot(struct fixture *f, struct vulndb *db, const char *path)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	unsigned count = 0;

	assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
	assert_int_equal(json_parse(buf_slice(&text), 1 << 20, &doc, NULL), 0);
	const cJSON *v = cJSON_GetObjectItem(cJSON_GetObjectItem(doc, "item"), "Vulnerability");
	for (const cJSON *fix = cJSON_GetObjectItem(v, "FixedIn")->child; fix; fix = fix->next) {
		struct slice version = json_get_str(fix, "Version");
		struct wanted w = { .is_found = false };

		slice_copy(json_get_str(fix, "Name"), w.package, sizeof(w.package));
		snprintf(w.range, sizeof(w.range), slice_is(version, "None") ? "*" : "<%.*s", SLICE_FMT(version));
		int r = vulndb_places(db, json_get_str(v, "Name"), look, &w, &f->err);
		if (r < 0 || !w.is_found)
			fail_msg("%s: no %s %s", path, w.package, w.range);
		count++;
	}
	return count;
}

static unsigned check_snapshots(struct fixture *f, const char *folder, const char *only)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	char path[512];
	char *const paths[] = { path, NULL };
	unsigned count = 0;

	snprintf(path, sizeof(path), "%s/%s", f->dir, folder);
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	for (FTSENT *e; (e = fts_read(fts));)
		if (e->fts_info == FTS_F && (!only || strstr(e->fts_path, only)))
			count += check_snapshot(f, db, e->fts_path);
	fts_close(fts);
	return count;
}

static void samples_are_read_as_vunnel_reads_them(void **state)
{
	static const struct {
		const char *input, *snapshots, *feed;
		unsigned fixes;
	} rows[] = {
		{ "wolfi/test-fixtures/input/secdb/security.json", "wolfi/test-fixtures/snapshots", "wolfi", 58 },
		{ "minimos/test-fixtures/input/secdb/security.json", "minimos/test-fixtures/snapshots", "minimos", 58 },
		{ "chainguard/test-fixtures/input/secdb/security.json", "chainguard/test-fixtures/snapshots/secdb", "chainguard", 100 },
		{ "debian/test-fixtures/input/debian.json", "debian/test-fixtures/snapshots/debian:9", "debian", 5 },
		{ "debian/test-fixtures/input/debian.json", "debian/test-fixtures/snapshots/debian:12", "debian", 2 },
	};
	static const char archive[] = FEEDS "/samples/vunnel-fixtures.tar.xz";
	struct fixture *f = *state;

	if (!is_there(archive))
		skip();
	unpack(f, archive);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[256];

		snprintf(name, sizeof(name), "providers/%s", rows[i].input);
		fixture_must_import(f, fixture_path(f, name), NULL);
		assert_int_equal(f->last.bad, 0);
		assert_string_equal(f->last.feed, rows[i].feed);
		snprintf(name, sizeof(name), "providers/%s", rows[i].snapshots);
		unsigned fixes = check_snapshots(f, name, NULL);
		if (fixes < rows[i].fixes)
			fail_msg("%s: only %u fixes looked at", rows[i].snapshots, fixes);
	}
}

static void samples_of_osv_kev_and_epss_are_read(void **state)
{
	static const struct {
		const char *input;
		uint64_t records;
	} rows[] = {
		{ "alma/test-fixtures/osv-database/advisories", 5 }, { "rocky/test-fixtures/osv", 3 },
		{ "bitnami/test-fixtures/vulndb/data", 2 },	     { "govulndb/test-fixtures/vulndb/ID", 2 },
		{ "kev/test-fixtures/valid-catalog-1.json", 3 },     { "epss/test-fixtures/example-1.csv", 5 },
		{ "epss/test-fixtures/missing-date.csv", 5 },
	};
	static const char archive[] = FEEDS "/samples/vunnel-fixtures.tar.xz";
	struct fixture *f = *state;

	if (!is_there(archive))
		skip();
	unpack(f, archive);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[256];

		snprintf(name, sizeof(name), "providers/%s", rows[i].input);
		fixture_must_import(f, fixture_path(f, name), NULL);
		assert_int_equal(f->last.bad, 0);
		assert_int_equal(f->last.read, rows[i].records);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_record_of_every_feed_is_read),
		T(each_source_of_the_tracker_is_matched_as_the_tracker_says),
		T(samples_are_read_as_vunnel_reads_them),
		T(samples_of_osv_kev_and_epss_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
