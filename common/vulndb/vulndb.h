/* vulndb.h - the vulnerability database: one SQLite file, built from advisories, and matching packages
 * against it. Knows nothing of images or hosts. One thread a handle; any number of readers beside one
 * import (a reader sees the database as it was when it began, never a partial one). */
#pragma once
#include "common/err.h"
#include "common/slice.h"
#include "common/version/version.h"

struct vulndb;

/* Both are stored by number: a new one goes to the end. */
enum vuln_severity { VULN_UNKNOWN, VULN_NONE, VULN_LOW, VULN_MEDIUM, VULN_HIGH, VULN_CRITICAL };
/* What the distribution (or the advisory) says of this package and vulnerability. */
enum vuln_status {
	VULN_AFFECTED,	    /* no fix is known */
	VULN_FIXED,	    /* a fixed version exists and is not installed */
	VULN_WILL_NOT_FIX,  /* Debian: ignored */
	VULN_FIX_DEFERRED,  /* Debian: postponed, no-dsa */
	VULN_END_OF_LIFE,
	VULN_INVESTIGATING, /* Debian: undetermined */
};

/* An installed package. Texts are borrowed for the call. */
struct vulndb_package {
	/* purl type: deb apk rpm npm pypi gem golang cargo composer maven nuget. The Go standard library is
	 * golang "stdlib". */
	struct slice ecosystem;
	struct slice name;	     /* maven: "group:artifact"; composer "vendor/name"; npm "@scope/name" */
	struct slice version;	     /* whole, with epoch and release */
	struct slice arch;	     /* may be empty */
	struct slice source, source_version; /* empty: name and version */
	/* A package of the distribution owns its files: the distribution's word counts, so a language
	 * package with this set is matched only against what the distribution says of the owner. */
	struct slice owner; /* that package's name; empty: none */
};
/* From os-release; all may be empty (then only language ecosystems match). */
struct vulndb_os {
	struct slice id, version_id, codename, id_like; /* debian 12 bookworm; alpine 3.18.4; rhel 9.2 */
};

struct vulndb_found {
	struct slice id;		/* as people know it: CVE where one is among the aliases, else GHSA, … */
	struct slice record;		/* the advisory's own id: DSA-5417-1, GHSA-…, or the CVE */
	const struct slice *aliases;	/* without id */
	size_t alias_count;
	struct slice title, description; /* may be empty */
	const struct slice *urls;
	size_t url_count;
	struct slice fixed;		/* first version that is fixed, on this branch; empty: none known */
	enum vuln_severity severity;	/* the distribution's, else of the CVSS score */
	struct slice severity_source;	/* "debian", "cvss", "ghsa" … */
	double cvss;			/* 0 = none */
	struct slice cvss_vector;
	double epss, epss_percentile;	/* < 0 = none */
	bool kev;			/* known to be exploited (CISA) */
	struct slice kev_added, kev_due; /* dates */
	bool kev_ransomware;
	enum vuln_status status;
	struct slice status_note;	/* the distribution's reason, may be empty */
	struct slice feed;		/* which feed said so: "debian", "alpine", "osv:npm" … */
	struct slice range;		/* what was compared: ">=1.0, <1.4.2" */
	enum version_scheme scheme;
	uint64_t published_unix_s, modified_unix_s; /* 0 = not said */
};
/* All texts borrowed for the call. package: index into the array given. Not 0 ends the match with it. */
typedef int (*vulndb_found_fn)(void *arg, size_t package, const struct vulndb_found *f);

/* Read only. Errors: ENOENT, ERR_VERSION (newer schema), ERR_CORRUPT (no such database, or its signature is
 * wrong). pubkey_pem: nullable; given, a database without a right signature (FILE.sig) is refused. */
int vulndb_open(const char *path, const char *pubkey_pem, struct vulndb **ret, struct err *err) WARN_UNUSED;
void vulndb_close(struct vulndb *db);
DEFINE_CLEANUP(struct vulndb, vulndb_close)

/* Each vulnerability of each package once, aliases merged; order: by package, then by id. */
int vulndb_match(struct vulndb *db, const struct vulndb_os *os, const struct vulndb_package *packages,
		 size_t count, vulndb_found_fn found, void *arg, struct err *err) WARN_UNUSED;

/* One vulnerability by id or alias, without a package; ERR_NOT_FOUND. */
int vulndb_find(struct vulndb *db, struct slice id, int (*fn)(void *arg, const struct vulndb_found *f),
		void *arg, struct err *err) WARN_UNUSED;

/* Where an advisory of that id or alias says what: every package of every record. Not 0 ends it. */
struct vulndb_place {
	struct slice record, feed;	  /* ALSA-2023:4520, "osv:AlmaLinux" */
	struct slice ecosystem, package;  /* as the record says: "AlmaLinux:9", "openssl-libs" */
	struct slice range, note;
	enum vuln_status status;
	enum vuln_severity severity;	  /* of this package, where the distribution says one */
	bool is_withdrawn;		  /* then package and range are empty */
};
int vulndb_places(struct vulndb *db, struct slice id, int (*fn)(void *arg, const struct vulndb_place *p), void *arg,
		  struct err *err) WARN_UNUSED;

struct vulndb_feed {
	struct slice name;		/* "osv:npm", "debian", "alpine", "kev", "epss" */
	uint64_t records;		/* advisories in use */
	uint64_t withdrawn;
	uint64_t imported_unix_s;	/* last success */
	struct slice sha256;		/* of the file it came from */
	struct slice data_date;		/* newest date in the data, RFC 3339 */
};
struct vulndb_info {
	uint64_t schema, generation;	/* generation: +1 with every import that changed something */
	uint64_t records, ranges;
	uint64_t built_unix_s;
	bool is_signed;			/* a right signature was checked at open */
};
int vulndb_status(struct vulndb *db, struct vulndb_info *ret, int (*feed)(void *arg, const struct vulndb_feed *f),
		  void *arg, struct err *err) WARN_UNUSED;

/* Only the number, cheap enough to ask before every use of something remembered. */
int vulndb_generation(struct vulndb *db, uint64_t *ret, struct err *err) WARN_UNUSED;

enum vulndb_format { VULNDB_GUESS, VULNDB_OSV, VULNDB_DEBIAN, VULNDB_ALPINE, VULNDB_KEV, VULNDB_EPSS };
struct vulndb_import {
	const char *path;	   /* the database; made when missing */
	const char *source;	   /* .zip .json .csv .gz or a folder */
	enum vulndb_format format; /* GUESS: from the content */
	const char *feed;	   /* name; nullable: from format and content ("osv:npm") */
	bool is_part;		   /* OSV: records that are absent are kept (else they are removed) */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	uint64_t now_unix_s;
};
struct vulndb_imported {
	char feed[64];
	uint64_t read, added, changed, removed, unchanged, withdrawn, bad; /* advisories */
	char first_bad[200]; /* what was wrong with the first bad one, and where */
};
/* All or nothing: after an error the database is as before. ERR_SYNTAX and ERR_LIMIT say where. */
int vulndb_import(const struct vulndb_import *in, struct vulndb_imported *ret, struct err *err) WARN_UNUSED;
/* The packages (ecosystem, name) that changed after a generation, for re-matching only what may have changed.
 * everything: the change touches all (KEV, EPSS, or too long ago). */
int vulndb_changed(struct vulndb *db, uint64_t since_generation, bool *everything,
		   int (*fn)(void *arg, struct slice ecosystem, struct slice name), void *arg,
		   struct err *err) WARN_UNUSED;
/* The name by which vulndb_changed tells of a package: its source's where the distribution goes by sources,
 * normalised. What to keep beside a stored package, to find those that a change touches. Into dst (size: at
 * least the longest name); a name that needs no change is returned itself. */
struct slice vulndb_package_key(const struct vulndb_package *p, char *dst, size_t size);
/* Ed25519 over the file's bytes and generation, into PATH.sig; keys are PEM. */
int vulndb_sign(const char *path, const char *key_pem, struct err *err) WARN_UNUSED;

const char *vuln_severity_name(enum vuln_severity s); /* "unknown" "none" "low" … */
const char *vuln_status_name(enum vuln_status s);     /* "affected" "fixed" "will_not_fix" "fix_deferred" "end_of_life" "under_investigation" */
