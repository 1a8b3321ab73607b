/* The package databases collected in ../shared/fixtures/packages, which other scanners are tested with: every
 * package, version, architecture and source of them, exceptions with their reasons. Skipped where they are not. */
#include <archive.h>
#include <archive_entry.h>

#include "collect.h"
#include "common/file.h"

#define FOLDER TEST_ROOT "/../shared/fixtures/packages/"

/* Lines "name version arch source source-version", sorted; an empty source is the package itself. */
struct lines_of {
	char *line[4096];
	size_t count;
};

/* Where the lists and this house differ, and why. */
static const struct {
	const char *fixture, *extra, *missing, *why;
} exceptions[] = {
	{ "dpkg/osv-scalibr__dpkg__statusfield", "wantinstall_unpacked 1.0 - wantinstall_unpacked 1.0", NULL,
	  "an unpacked package's files are on disk, and so may be run" },
	{ "dpkg/osv-scalibr__opkg__statusfield", "wantinstall_unpacked 1.0 - wantinstall_unpacked 1.0", NULL,
	  "the same" },
	{ "rpm/osv-scalibr__Packages_epoch", "hello 1:0.0.1-rls x86_64 hello 1:0.0.1-rls",
	  "hello 0.0.1-rls x86_64 hello 0.0.1-rls", "that list keeps the epoch, and the source, elsewhere" },
};
/* Files that are meant to be broken: what is whole in them counts, and the rest is told. */
static const char *const broken[] = {
	"dpkg/osv-scalibr__dpkg__nopackage", "dpkg/osv-scalibr__dpkg__noversion",
	"dpkg/osv-scalibr__opkg__nopackage", "dpkg/osv-scalibr__opkg__noversion",
	"apk/syft-corrupt",		     "apk/trivy-installed",
	"rpmdb/claircore-no_packages.rpmdb.sqlite",
};
/* apk/osv-scalibr__*: their lists are empty in the collection; how many packages begin in each file is all that
 * can be asked. */
static bool has_no_list(const char *fixture)
{
	return !strncmp(fixture, "apk/osv-scalibr__", 17);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_line(struct lines_of *l, struct slice name, struct slice version, struct slice arch,
		     struct slice source, struct slice source_version)
{
	char text[1024];

	source = source.n && !slice_is(source, "-") ? source : name;
	source_version = source_version.n && !slice_is(source_version, "-") ? source_version : version;
	(void)snprintf(text, sizeof(text), "%.*s %.*s %.*s %.*s %.*s", SLICE_FMT(name), SLICE_FMT(version),
		       SLICE_FMT(arch.n ? arch : SLICE_LIT("-")), SLICE_FMT(source), SLICE_FMT(source_version));
	assert_true(l->count < ARRAY_LEN(l->line));
	l->line[l->count++] = strdup(text);
}

static void add_text(struct lines_of *l, const char *text)
{
	if (text)
		l->line[l->count++] = strdup(text);
}

static void lines_free(struct lines_of *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->line[i]);
	free(l);
}

/* "util-linux-2.32.1-42.el8_8.src.rpm" of util-linux: the list has the file's name. The source's version must
 * stand in it, which tells name from version. */
static bool is_source_file(const char *got, const char *want)
{
	char name[256], source[256], file[600], version[256], arch[64], rest[256];

	if (sscanf(want, "%255s %255s %63s %255s", name, version, arch, rest) != 4 || !strstr(rest, ".src.rpm"))
		return false;
	size_t head = (size_t)snprintf(file, sizeof(file), "%s %s %s ", name, version, arch);
	char source_version[256];
	if (strncmp(got, file, head) != 0 || sscanf(got + head, "%255s %255s", source, source_version) != 2)
		return false;
	const char *colon = strchr(source_version, ':');
	(void)snprintf(file, sizeof(file), "%s-%s.src.rpm", source, colon ? colon + 1 : source_version);
	return !strcmp(file, rest);
}

static void compare(const char *fixture, struct lines_of *got, struct lines_of *want)
{
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++)
		if (!strcmp(exceptions[i].fixture, fixture)) {
			add_text(want, exceptions[i].extra);
			add_text(got, exceptions[i].missing);
		}
	qsort(got->line, got->count, sizeof(*got->line), by_text);
	qsort(want->line, want->count, sizeof(*want->line), by_text);
	for (size_t i = 0; i < got->count || i < want->count; i++) {
		const char *g = i < got->count ? got->line[i] : "(none)",
			   *w = i < want->count ? want->line[i] : "(none)";

		if (strcmp(g, w) != 0 && !is_source_file(g, w))
			fail_msg("%s: got '%s', want '%s'", fixture, g, w);
	}
}

static struct lines_of *read_list(const char *name)
{
	struct lines_of *l = calloc(1, sizeof(*l));
	struct slice text, line;
	char path[512];
	struct buf b;

	(void)snprintf(path, sizeof(path), FOLDER "%s", name);
	assert_int_equal(file_read(path, 1 << 20, &b, NULL), 0);
	text = buf_slice(&b);
	while (slice_split(&text, '\n', &line)) {
		struct slice field[5] = { 0 };

		if (!line.n || line.p[0] == '#')
			continue;
		for (size_t i = 0; i < ARRAY_LEN(field); i++)
			(void)slice_split(&line, '\t', &field[i]);
		add_line(l, field[0], field[1], field[2], field[3], field[4]);
	}
	buf_fini(&b);
	return l;
}

static void take_lines(struct lines_of *l, const struct collect *c)
{
	struct slice text = buf_slice(&c->packages), line;

	while (slice_split(&text, '\n', &line)) {
		struct slice ecosystem, field[5] = { 0 };

		(void)slice_split(&line, ' ', &ecosystem);
		for (size_t i = 0; i < ARRAY_LEN(field); i++)
			(void)slice_split(&line, ' ', &field[i]);
		if (field[0].n)
			add_line(l, field[0], field[1], field[2], field[3], field[4]);
	}
}

static bool has_parser(const char *path)
{
	for (size_t i = 0; i < pkg_os_parser_count; i++)
		if (pkg_os_parsers[i].match == PKG_GLOB ? !fnmatch(pkg_os_parsers[i].pattern, path, 0) :
		    pkg_os_parsers[i].match == PKG_PATH && !strcmp(pkg_os_parsers[i].pattern, path))
			return true;
	return false;
}

/* "-- path --" lines before each file. */
static int run_txtar(struct collect *c, struct slice text)
{
	struct slice line, rest = text;
	char path[256] = "";
	const char *start = NULL;
	int r = 0;

	for (bool more = true; more;) {
		more = slice_split(&rest, '\n', &line);
		bool is_head = more && slice_starts(line, SLICE_LIT("-- ")) && slice_ends(line, SLICE_LIT(" --"));
		if (more && !is_head)
			continue;
		const char *end = more ? line.p : text.p + text.n;
		if (start && has_parser(path) && r >= 0)
			r = collect_bytes(c, path, slice_from(start, (size_t)(end - start)));
		if (is_head) {
			(void)slice_copy(slice_sub(line, 3, line.n - 6), path, sizeof(path));
			start = line.p + line.n + 1;
		}
	}
	return r;
}

/* Every file in a tar, and in the tars in it, that has a parser. */
static int run_tar(struct collect *c, struct slice bytes, unsigned depth)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	int r = 0;

	assert_int_equal(archive_read_support_format_tar(a), ARCHIVE_OK);
	(void)archive_read_support_filter_all(a);
	assert_int_equal(archive_read_open_memory(a, bytes.p, bytes.n), ARCHIVE_OK);
	while (r >= 0 && archive_read_next_header(a, &e) == ARCHIVE_OK) {
		const char *path = archive_entry_pathname(e);
		struct buf b;

		if (!has_parser(path) && (depth || !strstr(path, ".tar")))
			continue;
		buf_init(&b, 64 << 20);
		size_t n = (size_t)archive_entry_size(e);
		char *p = buf_reserve(&b, n);
		assert_non_null(p);
		assert_int_equal(archive_read_data(a, p, n), n);
		buf_written(&b, n);
		r = has_parser(path) ? collect_bytes(c, path, buf_slice(&b)) : run_tar(c, buf_slice(&b), depth + 1);
		buf_fini(&b);
	}
	(void)archive_read_free(a);
	return r;
}

static const char *parser_path(const char *fixture)
{
	return strstr(fixture, "opkg")	       ? "usr/lib/opkg/status" :
	       strstr(fixture, "status.d__")   ? "var/lib/dpkg/status.d/" :
	       !strncmp(fixture, "dpkg/", 5)   ? "var/lib/dpkg/status" :
	       !strncmp(fixture, "apk/", 4)    ? "lib/apk/db/installed" :
	       strstr(fixture, "rpmdb.sqlite") ? "var/lib/rpm/rpmdb.sqlite" :
						 "var/lib/rpm/Packages";
}

static int run_fixture(struct collect *c, const char *fixture, struct slice bytes)
{
	char path[256];

	if (strstr(fixture, ".txtar"))
		return run_txtar(c, bytes);
	if (strstr(fixture, ".tar"))
		return run_tar(c, bytes, 0);
	const char *folder = parser_path(fixture), *file = strstr(fixture, "status.d__");
	(void)snprintf(path, sizeof(path), "%s%s", folder, file ? file + 10 : "");
	return collect_bytes(c, path, bytes);
}

static bool is_broken(const char *fixture)
{
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		if (!strcmp(broken[i], fixture))
			return true;
	return false;
}

static unsigned count_begins(struct slice text)
{
	struct slice line;
	unsigned n = 0;

	while (slice_split(&text, '\n', &line))
		n += slice_starts(line, SLICE_LIT("P:"));
	return n;
}

static unsigned check_fixture(const char *fixture, const char *list)
{
	struct lines_of *got = calloc(1, sizeof(*got)), *want;
	struct collect c;
	char path[512];
	struct buf b;

	(void)snprintf(path, sizeof(path), FOLDER "%s", fixture);
	assert_int_equal(file_read(path, 16 << 20, &b, NULL), 0);
	collect_init(&c);
	int r = run_fixture(&c, fixture, buf_slice(&b));
	if ((r < 0) != is_broken(fixture))
		fail_msg("%s: %d %s", fixture, r, c.err.msg);
	if (has_no_list(fixture)) {
		assert_int_equal(c.package_count, count_begins(buf_slice(&b)));
	} else {
		take_lines(got, &c);
		want = read_list(list);
		compare(fixture, got, want);
		lines_free(want);
	}
	unsigned n = c.package_count;
	collect_fini(&c);
	lines_free(got);
	buf_fini(&b);
	return n;
}

static bool is_ours(struct slice kind, struct slice list)
{
	static const char *const kinds[] = { "dpkg", "apk", "rpm", "rpmdb", "trivy-pkg-dpkg", "images" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (slice_is(kind, kinds[i]))
			return slice_ends(list, SLICE_LIT(".expected.tsv"));
	return false;
}

static void every_package_of_every_database_is_there(void **state)
{
	unsigned fixtures = 0, packages = 0;
	struct slice text, line;
	struct buf b;

	(void)state;
	if (file_read(FOLDER "MANIFEST.tsv", 1 << 20, &b, NULL) < 0) {
		print_message("skipped: no " FOLDER "\n");
		buf_fini(&b);
		skip();
	}
	text = buf_slice(&b);
	while (slice_split(&text, '\n', &line)) {
		struct slice name, kind, list;
		char fixture[256], file[256];

		if (line.n && line.p[0] != '#' && slice_split(&line, '\t', &name) &&
		    slice_split(&line, '\t', &kind) && slice_split(&line, '\t', &list) && is_ours(kind, list)) {
			(void)slice_copy(name, fixture, sizeof(fixture));
			(void)slice_copy(list, file, sizeof(file));
			packages += check_fixture(fixture, file);
			fixtures++;
		}
	}
	buf_fini(&b);
	print_message("%u fixtures, %u packages\n", fixtures, packages);
	assert_true(fixtures >= 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_package_of_every_database_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
