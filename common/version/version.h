/* version.h - comparing versions, one comparator per scheme. Pure functions over text from outside:
 * nothing is allocated, every input has an answer or an error, cost is linear in the text. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

/* NAME is what people type (contract) and what `version-compare` prints. */
enum version_scheme {
	VERSION_DEB,
	VERSION_APK,
	VERSION_RPM,
	VERSION_SEMVER, /* SemVer 2.0 */
	VERSION_GO,	/* SemVer with "v" or "go", pseudo-versions, +incompatible */
	VERSION_NPM,
	VERSION_PEP440,
	VERSION_GEM,
	VERSION_MAVEN,
	VERSION_NUGET,
	VERSION_PACKAGIST,
	VERSION_CARGO,		/* orders as semver does; ranges as Cargo.toml has them */
	VERSION_NPM_PRERELEASE, /* "npm-includePrerelease": ranges let in pre-releases of every version */
	VERSION_MAVEN_GENERIC,	/* "maven-generic": the order of Maven's resolver, not of its advisories */
	VERSION_SCHEME_COUNT
};

enum { VERSION_TEXT_MAX = 4096 }; /* longer texts are no versions */

/* ERR_USAGE names the schemes there are. */
int version_scheme_find(struct slice name, enum version_scheme *ret, struct err *err) WARN_UNUSED;
const char *version_scheme_name(enum version_scheme s);
/* What the scheme's own tools call a version. */
bool version_is_valid(enum version_scheme s, struct slice v);
/* *ret: -1, 0, 1. ERR_SYNTAX with the column where a or b has no order. Takes a little more than
 * version_is_valid: what the scheme's tools warn of and order anyway (deb "1.0_2", apk "6.6.2p1",
 * npm "1.0"), for advisories hold such. Every order is transitive but Maven's own. */
int version_compare(enum version_scheme s, struct slice a, struct slice b, int *ret,
		    struct err *err) WARN_UNUSED;
/* Is v in the range? The range is written as the scheme's own users write it (npm "^1.2 || >=3",
 * PEP 440 "~=1.4, !=1.4.2", gem "~> 2.1", Maven "[1.0,2.0)", cargo "^1", apk "~3.18", Composer "1.2.*",
 * NuGet "[1.0,2.0)"), and for every scheme also as "> 1.0, <= 2.0 || = 3": comma or blank is and, "||"
 * is or; empty or "*" is any. Pre-releases follow each scheme's rule for ranges, which hides them from
 * some: for matching advisories compare with both ends instead.
 * rpm: an epoch counts only where both say one, for people leave it out.
 * ERR_SYNTAX with the column where range or v is wrong (npm: false for a v that is no version). */
int version_match(enum version_scheme s, struct slice range, struct slice v, bool *ret,
		  struct err *err) WARN_UNUSED;

/* A version read once, to be compared with many. The text is borrowed for as long as it is used; the
 * other fields are the scheme's own. */
enum { VERSION_PARTS = 6 };
struct version {
	struct slice text;
	enum version_scheme scheme;
	unsigned kind;
	struct {
		uint16_t at, n; /* within text */
	} part[VERSION_PARTS];
};
/* Errors as version_compare's. */
int version_parse(enum version_scheme s, struct slice text, struct version *ret, struct err *err) WARN_UNUSED;
/* -1, 0, 1; a and b are of the same scheme. */
int version_order(const struct version *a, const struct version *b);
