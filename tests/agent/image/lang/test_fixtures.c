/* The lock files that other projects test their own readers with, where they are beside the checkout: every
 * package and version they expect, and not one more. What differs is listed, with the reason. */
#include "tests/agent/image/lang/lang_test.h"

#include "common/file.h"

#define FIXTURES TEST_ROOT "/../shared/fixtures/packages/"

/* Which file a kind of fixture stands for; NULL: by the end of its name. */
static const struct {
	const char *kind, *path;
} kinds[] = {
	{ "cargolock", "Cargo.lock" },
	{ "trivy-rust-cargo", "Cargo.lock" },
	{ "composerlock", "composer.lock" },
	{ "trivy-php-composer", NULL },
	{ "depsjson", "app/x.deps.json" },
	{ "trivy-dotnet-core_deps", "app/x.deps.json" },
	{ "trivy-dotnet-deps", "app/x.deps.json" },
	{ "packageslockjson", "packages.lock.json" },
	{ "trivy-nuget-lock", "packages.lock.json" },
	{ "gemfilelock", "Gemfile.lock" },
	{ "trivy-ruby-bundler", "Gemfile.lock" },
	{ "gomod", "go.mod" },
	{ "trivy-golang-mod", "go.mod" },
	{ "trivy-golang-sum", "go.sum" },
	{ "vendormodules", "vendor/modules.txt" },
	{ "gradlelockfile", "gradle.lockfile" },
	{ "trivy-gradle-lockfile", "gradle.lockfile" },
	{ "packagejson", "lib/node_modules/x/package.json" },
	{ "trivy-nodejs-pkg", "lib/node_modules/x/package.json" },
	{ "packagelockjson", "package-lock.json" },
	{ "trivy-nodejs-npm", "package-lock.json" },
	{ "pnpmlock", "pnpm-lock.yaml" },
	{ "trivy-nodejs-pnpm", "pnpm-lock.yaml" },
	{ "yarnlock", "yarn.lock" },
	{ "trivy-nodejs-yarn", "yarn.lock" },
	{ "pdmlock", "pdm.lock" },
	{ "pipfilelock", "Pipfile.lock" },
	{ "trivy-python-pipenv", "Pipfile.lock" },
	{ "poetrylock", "poetry.lock" },
	{ "trivy-python-poetry", "poetry.lock" },
	{ "pylock", "pylock.toml" },
	{ "trivy-python-pylock", "pylock.toml" },
	{ "pyprojecttoml", "pyproject.toml" },
	{ "requirements", "requirements.txt" },
	{ "trivy-python-pip", "requirements.txt" },
	{ "uvlock", "uv.lock" },
	{ "trivy-python-uv", "uv.lock" },
	{ "wheelegg", NULL },
	{ "trivy-python-packaging", NULL },
};

static const struct {
	const char *end, *path;
} ends[] = {
	{ ".whl", "x.whl" },
	{ ".egg", "site-packages/x.egg" },
	{ ".egg-info", "site-packages/x.egg-info" },
	{ ".PKG-INFO", "site-packages/x.egg-info/PKG-INFO" },
	{ "egginfo", "site-packages/x.egg-info" },
	{ "egginfo_pkginfo", "site-packages/x.egg-info/PKG-INFO" },
	{ "pkginfo", "site-packages/x.egg/EGG-INFO/PKG-INFO" },
	{ "composer_happy.lock", "composer.lock" },
	{ "installed.json", "vendor/composer/installed.json" },
	{ "", "site-packages/x.dist-info/METADATA" },
};

/* "-": expected and not given; "+": given and not expected. Patterns of fnmatch, over the fixture and over
 * the line ("name version", "name version dev"). */
static const struct {
	const char *fixture, *line, *why;
} exceptions[] = {
	/* what a file asks for is not what is installed */
	{ "packagejson/*", "-*", "installed is the package, not what its manifest asks for" },
	{ "requirements/*", "-* [0-9]*", "a lower or upper bound, or in a file named by -r" },
	{ "requirements/*", "+* ", "not pinned: named without a version" },
	{ "requirements/*per_req_options.txt", "+foo7 1.0", "a version ends at a blank" },
	{ "trivy-python-pip/*_compatible.txt", "-*", "Trivy's option to take the lower bound" },
	{ "trivy-python-pip/*", "+* ", "not pinned: named without a version" },
	{ "pyprojecttoml/*", "-* [0-9]*", "a lower bound" },
	{ "pyprojecttoml/*", "+* ", "not pinned: named without a version" },
	{ "gomod/*", "-stdlib 1.[12][0-9]", "the go line is the oldest Go that would do" },
	{ "gomod/*replace-local.mod", "-./fork/net ", "a folder is no module" },
	/* the project itself, its members */
	{ "trivy-golang-mod/*", "-github.com/org/repo ", "the project itself" },
	{ "trivy-python-uv/*", "-normal 0.1.0", "the project itself" },
	{ "trivy-nodejs-npm/*_workspace.json", "-function1 ", "a folder of the project, without a version" },
	{ "trivy-nodejs-pnpm/*_v9.yaml", "-package1 ", "a folder of the project, without a version" },
	/* what the others leave out on purpose */
	{ "trivy-nodejs-pnpm/*", "+* dev", "Trivy leaves out what is for development" },
	{ "trivy-nodejs-yarn/*_v2_happy.lock", "+fsevents 2.1.3", "a copy patched by yarn" },
	{ "trivy-nodejs-yarn/*_bad_protocol.lock", "+asap 2.0.6", "a protocol that Trivy doesn't know" },
	{ "trivy-nodejs-yarn/*_local.lock", "+local-package 0.0.1", "from a file; osv-scalibr lists such" },
	{ "trivy-rust-cargo/*happy.txtar", "+winapi*", "for development, as only Cargo.toml says" },
	{ "trivy-golang-mod/*go116__go.mod", "+gopkg.in/yaml.v3 *", "Trivy wants go.sum to say so" },
	/* the list beside the fixture is of something else */
	{ "gomod/*indirect-1.16.mod", "-*", "from a go.sum that is not among the fixtures" },
	{ "trivy-nodejs-yarn/*_with_git.lock", "[-+]*", "the list of another fixture" },
	{ "trivy-python-pylock/*sad.toml", "-*", "the list of another fixture; this one is broken" },
	{ "trivy-rust-cargo/*invalid.lock", "-*", "the list of another fixture; this one is broken" },
	{ "uvlock/*", "+*", "the list was cut" },
	{ "vendormodules/*", "-github.com/ 1.2.1", "the name was cut" },
	{ "vendormodules/*", "+github.com/BurntSushi/toml 1.2.1", "the name was cut" },
};

static const char *path_of(const char *fixture, struct slice kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!slice_is(kind, kinds[i].kind))
			continue;
		if (kinds[i].path)
			return kinds[i].path;
		for (size_t k = 0; k < ARRAY_LEN(ends); k++)
			if (slice_ends(slice_of(fixture), slice_of(ends[k].end)))
				return ends[k].path;
	}
	return NULL;
}

static bool is_excepted(const char *fixture, const char *line)
{
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++)
		if (!fnmatch(exceptions[i].fixture, fixture, 0) && !fnmatch(exceptions[i].line, line, 0))
			return true;
	return false;
}

/* "name version\n" of an expected list. Go's "v" is left out on both sides: the two sources differ in it. */
static void add_line(struct buf *b, struct slice name, struct slice version)
{
	/* version: with " dev" behind it, where that is known */
	if (slice_starts(version, SLICE_LIT("v")))
		version = slice_sub(version, 1, version.n);
	buf_printf(b, "%.*s %.*s\n", SLICE_FMT(name), SLICE_FMT(version));
}

static void read_expected(const char *path, struct buf *ret)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct slice rest, line, name, version;

	assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		if (!line.n || line.p[0] == '#' || !slice_split(&line, '\t', &name) ||
		    !slice_split(&line, '\t', &version))
			continue;
		add_line(ret, name, version);
	}
}

static struct slice without_dev(struct slice line)
{
	return slice_ends(line, SLICE_LIT(" dev")) ? slice_sub(line, 0, line.n - 4) : line;
}

static bool has_line(struct slice text, struct slice line)
{
	struct slice one;

	while (slice_split(&text, '\n', &one))
		if (slice_eq(without_dev(one), without_dev(line)))
			return true;
	return false;
}

static size_t lines_only_in(const char *fixture, char sign, struct slice a, struct slice b)
{
	struct slice line;
	size_t count = 0;
	char text[2100];

	while (slice_split(&a, '\n', &line)) {
		if (!line.n || has_line(b, line))
			continue;
		snprintf(text, sizeof(text), "%c%.*s", sign, SLICE_FMT(line));
		if (is_excepted(fixture, text))
			continue;
		print_error("%s: %s\n", fixture, text);
		count++;
	}
	return count;
}

/* beside the file being read: go.sum */
static struct slice sum;

static struct slice find_sum(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "go.sum") ? SLICE_NONE : sum;
}

/* "-- name --" begins a file; before the first stands what the case is about. */
static bool next_file(struct slice *rest, struct slice *ret_name, struct slice *ret_text)
{
	struct slice mark = SLICE_LIT("-- ");

	while (rest->n && !slice_starts(*rest, mark)) {
		struct slice line;
		if (!slice_split(rest, '\n', &line))
			return false;
	}
	if (!slice_split(rest, '\n', ret_name) || ret_name->n < 7)
		return false;
	*ret_name = slice_sub(*ret_name, 3, ret_name->n - 6);
	ptrdiff_t end = slice_find(*rest, SLICE_LIT("\n-- "));
	*ret_text = end < 0 ? *rest : slice_sub(*rest, 0, (size_t)end + 1);
	*rest = end < 0 ? SLICE_NONE : slice_sub(*rest, (size_t)end + 1, rest->n);
	return true;
}

static void read_archive(struct got *g, struct slice text)
{
	struct slice rest = text, name, one;
	char path[256];

	while (next_file(&rest, &name, &one))
		if (slice_is(name, "go.sum"))
			sum = one;
	rest = text;
	while (next_file(&rest, &name, &one)) {
		assert_true(slice_copy(name, path, sizeof(path)));
		get(g, path, one);
	}
}

static void read_fixture(struct got *g, const char *fixture, const char *path)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char file[512];

	snprintf(file, sizeof(file), FIXTURES "%s", fixture);
	assert_int_equal(file_read(file, 16 << 20, &text, NULL), 0);
	sum = SLICE_NONE;
	g->sibling = find_sum;
	if (slice_ends(slice_of(fixture), SLICE_LIT(".txtar"))) {
		read_archive(g, buf_slice(&text));
	} else if (!strcmp(path, "go.sum")) {
		sum = buf_slice(&text);
		get(g, "go.mod", SLICE_LIT("module x\n\ngo 1.16\n"));
	} else {
		get(g, path, buf_slice(&text));
	}
	assert_true(g->rows > 0);
}

static void normalise(struct slice packages, struct buf *ret)
{
	struct slice line, name;

	while (slice_split(&packages, '\n', &line))
		if (slice_split(&line, ' ', &name) && name.n)
			add_line(ret, name, line);
}

static size_t compare(const char *fixture, const char *path, size_t *count)
{
	CLEANUP(buf_finip) struct buf want = { 0 }, have = { 0 };
	char expected[512];
	struct got g;

	got_init(&g);
	read_fixture(&g, fixture, path);
	snprintf(expected, sizeof(expected), FIXTURES "%s.expected.tsv", fixture);
	read_expected(expected, &want);
	normalise(buf_slice(&g.packages), &have);
	*count += g.count;
	size_t wrong = lines_only_in(fixture, '-', buf_slice(&want), buf_slice(&have)) +
		       lines_only_in(fixture, '+', buf_slice(&have), buf_slice(&want));
	if (wrong && g.result)
		print_error("%s: %s\n", fixture, g.err.msg);
	got_fini(&g);
	return wrong;
}

static void every_package_is_found_and_no_other(void **state)
{
	CLEANUP(buf_finip) struct buf manifest = { 0 };
	size_t fixtures = 0, wrong = 0, packages = 0;
	struct slice rest, line, name, kind;
	char fixture[256];

	if (file_read(FIXTURES "MANIFEST.tsv", 1 << 20, &manifest, NULL) < 0) {
		print_message("no " FIXTURES "\n");
		skip();
	}
	rest = buf_slice(&manifest);
	while (slice_split(&rest, '\n', &line)) {
		if (!slice_split(&line, '\t', &name) || !slice_split(&line, '\t', &kind) ||
		    !slice_copy(name, fixture, sizeof(fixture)) || !path_of(fixture, kind))
			continue;
		wrong += compare(fixture, path_of(fixture, kind), &packages);
		fixtures++;
	}
	print_message("%zu fixtures, %zu packages found\n", fixtures, packages);
	assert_true(fixtures > 250);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_package_is_found_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
