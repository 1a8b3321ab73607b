/* ecosystem.h - whose advisories a record's are, and which of them a package and a host ask for. A "space" is
 * where package names are unique: "npm", "debian:12", "alpine:3.18". */
#pragma once
#include "common/vulndb/vulndb.h"

enum ecosystem_names { NAMES_EXACT, NAMES_LOWER, NAMES_PEP503, NAMES_CRATE, NAMES_DEBIAN };
enum ecosystem_release {
	RELEASE_NONE,	 /* a language */
	RELEASE_ROLLING, /* a distribution without releases */
	RELEASE_WORD,	 /* as it is written */
	RELEASE_MAJOR,	 /* the number before the first dot */
	RELEASE_DEBIAN,	 /* 12 = bookworm */
	RELEASE_UBUNTU,	 /* 22.04:LTS, Pro:18.04:LTS */
	RELEASE_ALPINE,	 /* v3.18, edge */
	RELEASE_REDHAT,	 /* a CPE: enterprise_linux:9::appstream, rhel_eus:9.2::baseos */
	RELEASE_OPENSUSE, /* Leap 15.5, Tumbleweed */
	RELEASE_SUSE,	 /* Linux Enterprise Module for Basesystem 15 SP5 */
};

struct ecosystem {
	const char *osv, *purl;
	enum version_scheme scheme;
	enum ecosystem_names names;
	enum ecosystem_release release;
	const char *os;
};

enum { SPACE_MAX = 600, SPACES_MAX = 4 };

static inline bool ecosystem_is_distro(const struct ecosystem *e)
{
	return e->release != RELEASE_NONE;
}

/* Of OSV's name, "Debian:12" as well; NULL when it is not in the table. */
const struct ecosystem *ecosystem_of_osv(struct slice osv);
/* The language ecosystem of a purl type; NULL for a distribution's types and unknown ones. */
const struct ecosystem *ecosystem_of_purl(struct slice type);
/* The distribution of the os whose packages have this purl type; NULL: none in the table. */
const struct ecosystem *ecosystem_of_os(const struct vulndb_os *os, struct slice purl);

/* The space of OSV's name into dst; an unknown ecosystem's is its name in lower case. */
struct slice ecosystem_space(const struct ecosystem *e, struct slice osv, char dst[SPACE_MAX]);
/* Of a Debian tracker's or a secdb's release: "bookworm", "v3.18". */
struct slice ecosystem_space_of_release(const struct ecosystem *e, struct slice release, char dst[SPACE_MAX]);

/* The spaces a host asks, the most particular first: what it says of a vulnerability decides. */
struct ecosystem_spaces {
	char name[SPACES_MAX][SPACE_MAX];
	size_t count;
};
void ecosystem_spaces_of_os(const struct ecosystem *e, const struct vulndb_os *os, struct ecosystem_spaces *ret);

/* The name as the database has it, into dst (size >= name.n); a name that needs no change is returned itself. */
struct slice ecosystem_name(const struct ecosystem *e, struct slice name, char *dst, size_t size);
/* The version as it is compared: Bitnami's "1.2.3-4" is 1.2.3, the packaging's revision off. */
struct slice ecosystem_version(const struct ecosystem *e, struct slice version);
