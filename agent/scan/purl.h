/* purl.h - package URLs, as SBOMs and VEX documents name packages:
 * "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12". Pure functions over text from outside. */
#pragma once
#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/picket.pb-c.h"

enum { PURL_TEXT_MAX = 4096, PURL_QUALIFIERS_MAX = 16 };

struct purl_qualifier {
	struct slice key, value; /* key in lower case */
};
/* Decoded; absent parts are empty. Texts live as long as what they were made from. */
struct purl {
	struct slice type, space, name, version, subpath; /* space: the namespace, with its slashes */
	struct purl_qualifier qualifiers[PURL_QUALIFIERS_MAX];
	size_t qualifier_count;
};

/* The texts of *ret live in the arena. Errors: ERR_SYNTAX says what is wrong, ERR_LIMIT. */
int purl_parse(struct slice text, struct arena *a, struct purl *ret, struct err *err) WARN_UNUSED;
/* Empty when there is none of that key. */
struct slice purl_get(const struct purl *p, const char *key);
/* Appends the canonical text. */
void purl_write(const struct purl *p, struct buf *out);

/* Does pattern speak of p? Type, namespace and name are equal, and what else the pattern has (version,
 * qualifiers, subpath) p has, too. A pattern of a Debian source package (arch=source) is asked with a p
 * made by purl_of_source. */
bool purl_covers(const struct purl *pattern, const struct purl *p);

/* A package as a purl: space and name are slices of it, distro and upstream are made in the arena; past
 * its cap they are left out. os: nullable. */
struct purl purl_of_package(const Picket__Package *pkg, const Picket__OsRelease *os, struct arena *a);
/* The source package that a distribution's package was built from, with arch=source. */
struct purl purl_of_source(const Picket__Package *pkg, const Picket__OsRelease *os, struct arena *a);

/* The other way: what a purl says of a package. Texts live in the arena. ERR_LIMIT. */
struct purl_package {
	struct slice ecosystem, name, version, arch, source, source_version;
	struct slice os_id, os_version, os_codename; /* of a distribution's package */
};
int purl_to_package(const struct purl *p, struct arena *a, struct purl_package *ret,
		    struct err *err) WARN_UNUSED;

/* deb, apk, rpm: packages of the distribution. */
bool purl_is_os(struct slice ecosystem);
