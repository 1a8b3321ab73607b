/* Other projects' version cases, where the checkout has them beside it: what is not as published is printed,
 * and at most one in a hundred may be so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/version/version.h"

#define VECTORS TEST_ROOT "/../shared/vectors/versions/"

enum { WORST_PCT = 1 };

static const struct file {
	const char *name;
	enum version_scheme scheme;
	enum { ORDER, RANGE, VALID } kind;
	const char *why; /* nullable: what the rows have in common that we answer otherwise */
} files[] = {
	{ "deb", VERSION_DEB, ORDER, NULL },
	{ "deb-ranges", VERSION_DEB, RANGE, NULL },
	{ "apk", VERSION_APK, ORDER, NULL },
	{ "apk-ranges", VERSION_APK, RANGE, NULL },
	{ "apk-valid", VERSION_APK, VALID, NULL },
	{ "rpm", VERSION_RPM, ORDER, NULL },
	{ "rpm-ranges", VERSION_RPM, RANGE, NULL },
	{ "semver", VERSION_SEMVER, ORDER, NULL },
	{ "semver-ranges", VERSION_SEMVER, RANGE, NULL },
	{ "cargo", VERSION_CARGO, ORDER, NULL },
	{ "cargo-ranges", VERSION_CARGO, RANGE, NULL },
	{ "go", VERSION_GO, ORDER, NULL },
	{ "go-ranges", VERSION_GO, RANGE, NULL },
	{ "npm", VERSION_NPM, ORDER, NULL },
	{ "npm-ranges", VERSION_NPM, RANGE, NULL },
	{ "npm-includePrerelease-ranges", VERSION_NPM_PRERELEASE, RANGE, NULL },
	{ "pep440", VERSION_PEP440, ORDER, NULL },
	{ "pep440-ranges", VERSION_PEP440, RANGE, NULL },
	{ "gem", VERSION_GEM, ORDER, NULL },
	{ "gem-ranges", VERSION_GEM, RANGE, NULL },
	{ "maven", VERSION_MAVEN, ORDER, NULL },
	{ "maven-ranges", VERSION_MAVEN, RANGE, NULL },
	{ "maven-ops-ranges", VERSION_MAVEN, RANGE, NULL },
	{ "maven-generic", VERSION_MAVEN_GENERIC, ORDER, NULL },
	{ "nuget", VERSION_NUGET, ORDER, NULL },
	{ "packagist", VERSION_PACKAGIST, ORDER, "Composer fills up with zeros: 1.0 is 1.0.0" },
};

static const char *order_word(int r)
{
	return r < 0 ? "<" : r > 0 ? ">" : "=";
}

/* What we say to a row's first columns, in the words of its last. */
static const char *answer(const struct file *f, struct slice a, struct slice b, struct err *err)
{
	bool matches;
	int r;

	if (f->kind == VALID)
		return version_is_valid(f->scheme, a) ? "true" : "false";
	if (f->kind == RANGE)
		return version_match(f->scheme, a, b, &matches, err) < 0 ? err->msg : matches ? "true" : "false";
	return version_compare(f->scheme, a, b, &r, err) < 0 ? err->msg : order_word(r);
}

/* An order is asked from both sides. */
static bool is_as_published(const struct file *f, const struct slice *col, const char **got, struct err *err)
{
	struct slice a = col[0], b = f->kind == ORDER ? col[2] : col[1];
	struct slice want = f->kind == RANGE ? col[2] : col[1];
	int r;

	*got = answer(f, a, b, err);
	if (!slice_is(want, *got) || f->kind != ORDER)
		return slice_is(want, *got);
	if (version_compare(f->scheme, b, a, &r, err) < 0)
		return false;
	*got = "not the other way round";
	return slice_is(want, order_word(-r));
}

static void check_file(const struct file *f)
{
	CLEANUP(fclosep) FILE *in = NULL;
	char path[512], line[20000];
	unsigned rows = 0, wrong = 0;

	snprintf(path, sizeof(path), VECTORS "%s.tsv", f->name);
	in = fopen(path, "re");
	if (!in) {
		print_message("%s: skipped, not there\n", f->name);
		return;
	}
	while (fgets(line, sizeof(line), in)) {
		struct slice rest = slice_of(line), col[3] = { SLICE_NONE, SLICE_NONE, SLICE_NONE };
		struct err err = { 0 };
		const char *got;

		if (line[0] == '#')
			continue;
		if (rest.n && rest.p[rest.n - 1] == '\n')
			rest.n--;
		for (size_t i = 0; i < 3 && slice_split(&rest, '\t', &col[i]); i++)
			;
		rows++;
		if (is_as_published(f, col, &got, &err))
			continue;
		wrong++;
		print_message("%s: '%.*s' '%.*s' '%.*s': we say %s\n", f->name, SLICE_FMT(col[0]),
			      SLICE_FMT(col[1]), SLICE_FMT(col[2]), got);
	}
	print_message("%s: %u of %u as published%s%s\n", f->name, rows - wrong, rows, f->why && wrong ? "; " : "",
		      f->why && wrong ? f->why : "");
	assert_true(wrong * 100 <= rows * WORST_PCT);
	assert_true(rows > 0);
}

static void published_cases_get_the_published_answers(void **state)
{
	if (access(VECTORS, R_OK) < 0) {
		print_message("no vectors in " VECTORS "\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		check_file(&files[i]);
}

/* Rows which a scheme's own tool refuses or answers otherwise than somebody hoped. */
static void contested_cases_get_an_answer_or_an_error(void **state)
{
	CLEANUP(fclosep) FILE *in = fopen(VECTORS "contested.tsv", "re");
	char line[20000];

	if (!in)
		skip();
	while (fgets(line, sizeof(line), in)) {
		struct slice rest = slice_of(line), col[4] = { { 0 } };
		struct err err;
		bool matches;
		int r, back;

		for (size_t i = 0; i < 4 && slice_split(&rest, '\t', &col[i]); i++)
			;
		for (int s = 0; s < VERSION_SCHEME_COUNT; s++) {
			(void)!version_match((enum version_scheme)s, col[1], col[2], &matches, &err);
			if (version_compare((enum version_scheme)s, col[1], col[3], &r, &err) < 0)
				continue;
			assert_int_equal(version_compare((enum version_scheme)s, col[3], col[1], &back, &err), 0);
			assert_int_equal(r, -back);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_cases_get_the_published_answers),
		cmocka_unit_test(contested_cases_get_an_answer_or_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
