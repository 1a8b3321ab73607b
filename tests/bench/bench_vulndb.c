/* bench_vulndb.c - what the vulnerability database costs: imports, matching, matching a fleet again.
 *
 *	bench_vulndb [FEEDS [FOLDER]]	FEEDS: a folder with osv/NAME/all.zip, …; a new folder under /var/tmp
 *
 * An OSV zip of 20,000 records (FEEDS' own, else made up), then all of FEEDS and a tracker as large as
 * Debian's (made up: the shape counts, 60 MB), each import in a process of its own so that its peak of
 * memory is its own. Then 1,000 packages, and 1,000 images of 400, drawn from what has advisories. */
#include <archive.h>
#include <archive_entry.h>
#include <ftw.h>
#include <glob.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "common/buf.h"
#include "common/vulndb/vulndb.h"

enum { ZIP_RECORDS = 20000, PACKAGES = 1000, IMAGES = 1000, IMAGE_PACKAGES = 400, NOW = 1800000000 };

static char dir[512];
static uint64_t seed = 88172645463325252ull;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void must(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_vulndb: %s\n", err->msg);
	exit(1);
}

static double now_s(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* ---- a zip of 20,000 records ---- */

struct merge {
	struct archive *out;
	unsigned count;
	uint64_t bytes;
};

static void put_record(struct merge *m, const char *text, size_t n)
{
	struct archive_entry *e = archive_entry_new();
	char name[32];

	snprintf(name, sizeof(name), "r%u.json", m->count++);
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)n);
	archive_write_header(m->out, e);
	archive_write_data(m->out, text, n);
	archive_entry_free(e);
	m->bytes += n;
}

static void take_zip(struct merge *m, const char *path)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	struct buf b;

	buf_init(&b, 0);
	archive_read_support_format_zip(a);
	if (archive_read_open_filename(a, path, 65536) == ARCHIVE_OK)
		while (m->count < ZIP_RECORDS && archive_read_next_header(a, &e) == ARCHIVE_OK) {
			char *p;
			ssize_t got;

			buf_reset(&b);
			while ((p = buf_reserve(&b, 65536)) && (got = archive_read_data(a, p, 65536)) > 0)
				buf_written(&b, (size_t)got);
			if (b.n)
				put_record(m, b.p, b.n);
		}
	archive_read_free(a);
	buf_fini(&b);
}

static void make_up(struct merge *m)
{
	struct buf b;

	buf_init(&b, 0);
	while (m->count < ZIP_RECORDS) {
		unsigned i = m->count;

		buf_reset(&b);
		buf_printf(&b, "{\"id\":\"GHSA-made-%u\",\"modified\":\"2024-01-01T00:00:00Z\",\"aliases\":[\"CVE-2024-%u\"],\"summary\":\"Made up\",\"details\":\"", i, 10000 + i);
		for (int k = 0; k < 40; k++)
			buf_printf(&b, "words that say nothing %llu ", (unsigned long long)rnd());
		buf_printf(&b, "\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"pkg-%u\"},\"ranges\":[{\"type\":\"SEMVER\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"%u.%u.0\"}]}]}]}", i % 5000, i % 9, i % 7);
		put_record(m, b.p, b.n);
	}
	buf_fini(&b);
}

static void make_zip(const char *feeds, const char *to)
{
	struct merge m = { .out = archive_write_new() };
	char pattern[1024];
	glob_t g = { 0 };

	archive_write_set_format_zip(m.out);
	archive_write_open_filename(m.out, to);
	snprintf(pattern, sizeof(pattern), "%s/osv/*/all.zip", feeds);
	if (glob(pattern, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			take_zip(&m, g.gl_pathv[i]);
	globfree(&g);
	make_up(&m);
	archive_write_free(m.out);
	printf("zip: %u records, %.1f MB of JSON\n", m.count, (double)m.bytes / 1e6);
}

/* ---- a tracker of Debian's size ---- */

static void put_cve(FILE *f, bool first, unsigned source, unsigned n)
{
	static const char *const releases[] = { "bullseye", "bookworm", "trixie", "forky", "sid" };

	fprintf(f, "%s\"CVE-%u-%u\":{\"description\":\"Something in source package number %u is wrong in a way that takes about this many words to tell, as it is in the real one, and a little more.\",\"scope\":\"remote\",\"releases\":{", first ? "" : ",", 2010 + n % 16, 1000 + (source * 7 + n) % 90000, source);
	for (unsigned i = 0; i < 5; i++) {
		fprintf(f, "%s\"%s\":{", i ? "," : "", releases[i]);
		if ((source + n + i) % 4)
			fprintf(f, "\"status\":\"resolved\",\"fixed_version\":\"%u.%u-%u\",\"urgency\":\"not yet assigned\",", 1 + n % 5, source % 30, 1 + i);
		else
			fprintf(f, "\"status\":\"open\",\"urgency\":\"low\",\"nodsa\":\"Minor issue\",\"nodsa_reason\":\"\",");
		fprintf(f, "\"repositories\":{\"%s\":\"1.%u-1\",\"%s-security\":\"1.%u-1\"}}", releases[i], n, releases[i], n);
	}
	fputs("}}", f);
}

static void make_tracker(const char *to)
{
	FILE *f = fopen(to, "w");

	if (!f)
		exit(1);
	fputs("{", f);
	for (unsigned s = 0; s < 3500; s++) {
		unsigned count = s == 0 ? 4000 : 1 + s % 23; /* the kernel's */

		fprintf(f, "%s\"source-%u\":{", s ? "," : "", s);
		for (unsigned n = 0; n < count; n++)
			put_cve(f, n == 0, s, n);
		fputs("}", f);
	}
	fputs("}", f);
	fclose(f);
}

/* ---- imports, each in a process of its own ---- */

static void import_here(const char *db, const char *source, const char *feed)
{
	struct vulndb_import in = { .path = db, .source = source, .feed = feed, .now_unix_s = NOW };
	struct vulndb_imported r;
	struct err err;
	double wall = now_s(CLOCK_MONOTONIC);

	if (vulndb_import(&in, &r, &err) < 0) {
		printf("import %s: %s\n", source, err.msg);
		exit(0);
	}
	printf("import %-22s %8llu read %8llu written %6llu same  wall_s=%.2f cpu_s=%.2f", r.feed, (unsigned long long)r.read,
	       (unsigned long long)(r.added + r.changed), (unsigned long long)r.unchanged, now_s(CLOCK_MONOTONIC) - wall,
	       now_s(CLOCK_PROCESS_CPUTIME_ID));
	fflush(stdout);
	exit(0);
}

static void import(const char *db, const char *source, const char *feed)
{
	struct rusage use;
	struct stat st;
	int status;

	if (stat(source, &st) < 0)
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		import_here(db, source, feed);
	wait4(pid, &status, 0, &use);
	printf(" peak_mb=%.0f\n", (double)use.ru_maxrss / 1024);
}

static void import_feeds(const char *db, const char *feeds)
{
	static const char *const patterns[] = { "osv/*/all.zip", "debian/derived/*bullseye*.json", "alpine/*.zip", "kev/*s.json", "epss*.csv" };

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		char pattern[1024];
		glob_t g = { 0 };

		snprintf(pattern, sizeof(pattern), "%s/%s", feeds, patterns[i]);
		if (glob(pattern, 0, NULL, &g) == 0)
			for (size_t k = 0; k < g.gl_pathc; k++)
				import(db, g.gl_pathv[k], strstr(patterns[i], "debian") ? "debian-derived" : NULL);
		globfree(&g);
	}
}

/* ---- matching ---- */

struct pool {
	struct vulndb_package *v;
	size_t count;
};

/* Packages that have advisories, each at a version that fixes one of them: about half of what is known. */
static void read_pool(const char *path, struct pool *pool)
{
	static const char sql[] = "SELECT s.purl, p.name, (SELECT x.ranges FROM affected x WHERE x.package=p.id AND x.ranges LIKE '%<%' LIMIT 1)"
				  " FROM package p JOIN space s ON s.id=p.space WHERE s.name IN ('debian:12','npm','pypi','go','crates.io','maven','rubygems')";
	sqlite3_stmt *st;
	sqlite3 *h;

	if (sqlite3_open_v2(path, &h, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK || sqlite3_prepare_v2(h, sql, -1, &st, NULL) != SQLITE_OK)
		exit(1);
	pool->v = calloc(200000, sizeof(*pool->v));
	while (sqlite3_step(st) == SQLITE_ROW && pool->count < 200000) {
		struct vulndb_package *p = &pool->v[pool->count++];
		struct slice range = slice_of((const char *)sqlite3_column_text(st, 2)), line = SLICE_NONE;
		ptrdiff_t at;

		(void)slice_split(&range, '\n', &line);
		at = slice_find_char(line, '<');
		p->ecosystem = slice_of(slice_dup(slice_of((const char *)sqlite3_column_text(st, 0))));
		p->name = slice_of(slice_dup(slice_of((const char *)sqlite3_column_text(st, 1))));
		p->version = slice_of(slice_dup(at >= 0 ? slice_sub(line, (size_t)at + 1, SIZE_MAX) : SLICE_LIT("1.0")));
	}
	sqlite3_finalize(st);
	sqlite3_close(h);
}

static int count_found(void *arg, size_t package, const struct vulndb_found *f)
{
	(void)package;
	(void)f;
	++*(uint64_t *)arg;
	return 0;
}

/* share: of the packages, per cent that have advisories; an ordinary image has some 15. */
static void draw(const struct pool *pool, unsigned share, struct vulndb_package *ret, size_t count)
{
	static char names[PACKAGES][32];

	for (size_t i = 0; i < count; i++) {
		if (pool->count && rnd() % 100 < share) {
			ret[i] = pool->v[rnd() % pool->count];
			continue;
		}
		snprintf(names[i % PACKAGES], 32, "lib-unknown-%llu", (unsigned long long)(rnd() % 100000));
		ret[i] = (struct vulndb_package){ .ecosystem = i % 2 ? SLICE_LIT("deb") : SLICE_LIT("npm"), .name = slice_of(names[i % PACKAGES]), .version = SLICE_LIT("1.2.3") };
	}
}

static const struct vulndb_os bookworm = { { "debian", 6 }, { "12", 2 }, { "bookworm", 8 }, { NULL, 0 } };

static void match_once(const char *path, const struct pool *pool, unsigned share)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	static struct vulndb_package p[PACKAGES];
	double best = 1e9, first = 0, cpu = 0;
	uint64_t found = 0;
	struct err err;

	draw(pool, share, p, PACKAGES);
	must(vulndb_open(path, NULL, &db, &err), &err);
	for (int i = 0; i < 7; i++) {
		double start = now_s(CLOCK_MONOTONIC), cpu_start = now_s(CLOCK_PROCESS_CPUTIME_ID);

		found = 0;
		must(vulndb_match(db, &bookworm, p, PACKAGES, count_found, &found, &err), &err);
		double took = now_s(CLOCK_MONOTONIC) - start;
		cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
		best = took < best ? took : best;
		first = i ? first : took;
	}
	printf("match %u packages, %u %% with advisories: %llu found, first_ms=%.1f best_ms=%.1f cpu_ms=%.1f\n", PACKAGES, share,
	       (unsigned long long)found, first * 1e3, best * 1e3, cpu * 1e3);
}

static void match_fleet(const char *path, const struct pool *pool, unsigned share)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	static struct vulndb_package p[IMAGE_PACKAGES];
	uint64_t found = 0;
	struct rusage use;
	double took = 0, cpu = 0;
	struct err err;

	must(vulndb_open(path, NULL, &db, &err), &err);
	for (int i = 0; i < IMAGES; i++) {
		draw(pool, share, p, IMAGE_PACKAGES);
		double start = now_s(CLOCK_MONOTONIC), cpu_start = now_s(CLOCK_PROCESS_CPUTIME_ID);

		must(vulndb_match(db, &bookworm, p, IMAGE_PACKAGES, count_found, &found, &err), &err);
		took += now_s(CLOCK_MONOTONIC) - start;
		cpu += now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
	}
	getrusage(RUSAGE_SELF, &use);
	printf("match again %d images of %d packages, %u %% with advisories: %llu found, all_s=%.2f cpu_s=%.2f peak_mb=%.0f\n", IMAGES,
	       IMAGE_PACKAGES, share, (unsigned long long)found, took, cpu, (double)use.ru_maxrss / 1024);
}

/* ---- all ---- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static const char *in_dir(const char *name)
{
	static char paths[8][600];
	static unsigned next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

int main(int argc, char **argv)
{
	const char *feeds = argc > 1 ? argv[1] : "";
	struct pool pool = { 0 };
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/bench-vulndb-XXXXXX", argc > 2 ? argv[2] : "/var/tmp");
	if (!mkdtemp(dir))
		return 1;
	make_zip(feeds, in_dir("20k.zip"));
	import(in_dir("one.db"), in_dir("20k.zip"), NULL);
	import(in_dir("one.db"), in_dir("20k.zip"), NULL);
	import_feeds(in_dir("all.db"), feeds);
	make_tracker(in_dir("tracker.json"));
	if (stat(in_dir("tracker.json"), &st) == 0)
		printf("tracker: %.1f MB\n", (double)st.st_size / 1e6);
	import(in_dir("all.db"), in_dir("tracker.json"), NULL);
	import(in_dir("all.db"), in_dir("20k.zip"), "again");
	if (stat(in_dir("all.db"), &st) == 0)
		printf("database: %.1f MB\n", (double)st.st_size / 1e6);
	read_pool(in_dir("all.db"), &pool);
	printf("%zu packages with advisories\n", pool.count);
	match_once(in_dir("all.db"), &pool, 100);
	match_once(in_dir("all.db"), &pool, 15);
	match_fleet(in_dir("all.db"), &pool, 100);
	match_fleet(in_dir("all.db"), &pool, 15);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
