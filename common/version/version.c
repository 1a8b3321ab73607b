/* version.c - see version.h. The table of schemes. */
#include "common/version/version_priv.h"

#include <stdio.h>

static const struct scheme {
	const char *name;
	size_t (*parse)(struct version *v);
	int (*order)(const struct version *a, const struct version *b);
	bool (*is_strict)(const struct version *v); /* nullable */
	bool trims;				    /* its tools ignore blanks at both ends */
} schemes[VERSION_SCHEME_COUNT] = {
	[VERSION_DEB] = { "deb", deb_parse, deb_order, deb_is_strict, true },
	[VERSION_APK] = { "apk", apk_parse, apk_order, apk_is_strict, false },
	[VERSION_RPM] = { "rpm", rpm_parse, rpm_order, NULL, false },
	[VERSION_SEMVER] = { "semver", semver_parse, semver_order, NULL, false },
	[VERSION_GO] = { "go", semver_parse, semver_order, NULL, false },
	[VERSION_NPM] = { "npm", semver_parse, semver_order, npm_is_strict, true },
	[VERSION_PEP440] = { "pep440", pep440_parse, pep440_order, NULL, true },
	[VERSION_GEM] = { "gem", gem_parse, gem_order, NULL, true },
	[VERSION_MAVEN] = { "maven", maven_parse, maven_order, NULL, false },
	[VERSION_NUGET] = { "nuget", semver_parse, semver_order, NULL, false },
	[VERSION_PACKAGIST] = { "packagist", packagist_parse, packagist_order, NULL, false },
	[VERSION_CARGO] = { "cargo", semver_parse, semver_order, NULL, false },
	[VERSION_NPM_PRERELEASE] = { "npm-includePrerelease", semver_parse, semver_order, npm_is_strict, true },
	[VERSION_MAVEN_GENERIC] = { "maven-generic", generic_parse, generic_order, NULL, false },
};

int version_scheme_find(struct slice name, enum version_scheme *ret, struct err *err)
{
	char known[200];
	size_t n = 0;

	for (int s = 0; s < VERSION_SCHEME_COUNT; s++) {
		if (slice_is(name, schemes[s].name)) {
			*ret = (enum version_scheme)s;
			return 0;
		}
		n += (size_t)snprintf(known + n, sizeof(known) - n, " %s", schemes[s].name);
	}
	return err_set(err, ERR_USAGE, "no such version scheme; there are:%s", known);
}

const char *version_scheme_name(enum version_scheme s)
{
	return schemes[s].name;
}

static struct slice trim(struct slice s)
{
	while (s.n && version_is_blank(s.p[0]))
		s = slice_sub(s, 1, s.n);
	while (s.n && version_is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

size_t version_read(enum version_scheme s, struct slice text, struct version *ret)
{
	struct slice whole = text;

	if (text.n > VERSION_TEXT_MAX)
		return VERSION_TEXT_MAX + 1;
	if (schemes[s].trims)
		text = trim(text);
	*ret = (struct version){ .text = text.n ? text : SLICE_LIT(""), .scheme = s };
	size_t wrong = schemes[s].parse(ret);
	return wrong && text.n ? wrong + (size_t)(text.p - whole.p) : wrong;
}

int version_parse(enum version_scheme s, struct slice text, struct version *ret, struct err *err)
{
	size_t wrong = version_read(s, text, ret);

	if (!wrong)
		return 0;
	return err_set(err, ERR_SYNTAX, "column %zu: not a version of %s", wrong, schemes[s].name);
}

int version_order(const struct version *a, const struct version *b)
{
	return schemes[a->scheme].order(a, b);
}

bool version_is_valid(enum version_scheme s, struct slice v)
{
	struct version parsed;

	return !version_read(s, v, &parsed) && (!schemes[s].is_strict || schemes[s].is_strict(&parsed));
}

int version_compare(enum version_scheme s, struct slice a, struct slice b, int *ret, struct err *err)
{
	struct version x, y;

	int r = version_parse(s, a, &x, err);
	if (r < 0)
		return err_wrap(err, r, "first version");
	r = version_parse(s, b, &y, err);
	if (r < 0)
		return err_wrap(err, r, "second version");
	*ret = schemes[s].order(&x, &y);
	return 0;
}

int version_match(enum version_scheme s, struct slice range, struct slice v, bool *ret, struct err *err)
{
	struct version parsed;
	bool is_npm = s == VERSION_NPM || s == VERSION_NPM_PRERELEASE;
	size_t wrong = version_read(s, v, &parsed);

	if (wrong && !is_npm)
		return err_set(err, ERR_SYNTAX, "version, column %zu: not a version of %s", wrong,
			       schemes[s].name);
	if (range.n > VERSION_TEXT_MAX)
		return err_set(err, ERR_SYNTAX, "range, column %d: longer than a range may be",
			       VERSION_TEXT_MAX + 1);
	/* a wrong range is an error all the same */
	if (wrong && version_read(s, SLICE_LIT("0.0.0"), &parsed))
		return err_set(err, ERR_SYNTAX, "version");
	int r = range_match(&parsed, range, ret, err);
	if (wrong && r >= 0)
		*ret = false;
	return r;
}
