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
	VERSION_SEMVER, /* SemVer 2.0; Rust's crates */
	VERSION_GO,	/* SemVer with "v" or "go", pseudo-versions, +incompatible */
	VERSION_NPM,
	VERSION_PEP440,
	VERSION_GEM,
	VERSION_MAVEN,
	VERSION_NUGET,
	VERSION_PACKAGIST,
	VERSION_SCHEME_COUNT
};

enum { VERSION_TEXT_MAX = 4096 }; /* longer texts are no versions */

/* ERR_USAGE names the schemes there are. */
int version_scheme_find(struct slice name, enum version_scheme *ret, struct err *err) WARN_UNUSED;
const char *version_scheme_name(enum version_scheme s);
bool version_is_valid(enum version_scheme s, struct slice v);
/* *ret: -1, 0, 1. ERR_SYNTAX where a or b is not a version of the scheme. */
int version_compare(enum version_scheme s, struct slice a, struct slice b, int *ret,
		    struct err *err) WARN_UNUSED;
/* Is v in the range? The range is written as the scheme's own users write it (npm "^1.2 || >=3",
 * PEP 440 "~=1.4, !=1.4.2", gem "~> 2.1", Maven "[1.0,2.0)", cargo "^1"), and for every scheme also as
 * "> 1.0, <= 2.0 || = 3": comma or blank is and, "||" is or; empty or "*" is any.
 * ERR_SYNTAX with the column where range or v is wrong. */
int version_match(enum version_scheme s, struct slice range, struct slice v, bool *ret,
		  struct err *err) WARN_UNUSED;
