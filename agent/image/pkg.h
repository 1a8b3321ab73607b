/* pkg.h - what a package parser is: a row of a table that says which files it wants, and a pure function
 * from one file's bytes to packages. Parsers never open anything. */
#pragma once
#include "agent/image/blob.h"

/* A package found. Texts are borrowed for the call. Meaning as in vulndb_package. */
struct pkg {
	const char *ecosystem; /* purl type: "deb" … */
	/* version: empty where a lock file says that it is there and not which (a git checkout, "flask>=2"). */
	struct slice name, version, arch, source, source_version;
	/* Any text that is this package's alone among those of one ecosystem; pkg_owned names it. Empty: the
	 * name. dpkg: "name:arch" or "name" as the .list file is called; Python: path of its *-info folder. */
	struct slice key;
	/* Only for building or testing, as the lock file says. A file may name a package twice, first as
	 * is_dev and then not: then it is not. */
	bool is_dev;
};
/* A file that a package owns, from the image's root, without a leading slash. Ends in "/": all below it.
 * As the database has it: folders in it may be links in the image (Debian's list says "bin/ls", the file is
 * usr/bin/ls), so whoever asks by path looks where the folders lead. A path may come twice (dpkg's .list and
 * .md5sums), and empty folders may be among them. */
struct pkg_owned {
	const char *ecosystem;
	struct slice key;
	struct slice path;
};

/* Where parsers put what they find. Not 0 ends the parse with that code. */
struct pkg_out {
	int (*package)(void *arg, const struct pkg *p);
	int (*owned)(void *arg, const struct pkg_owned *o); /* nullable: nobody asks for files */
	void *arg;
	/* Nullable. The text of another file of the folder in which the one being parsed lies, borrowed until the
	 * parse ends; empty where there is none or it can't be had. go.mod before Go 1.17 asks for "go.sum". */
	struct slice (*sibling)(void *arg, const char *name);
};

enum pkg_match {
	PKG_PATH, /* pattern is the whole path: "var/lib/dpkg/status" */
	PKG_NAME, /* the last component: "package-lock.json" */
	PKG_GLOB, /* fnmatch(3) without FNM_PATHNAME over the path: "*.dist-info/METADATA" */
	PKG_ELF,  /* a regular file that begins with "\177ELF" and may be run; pattern unused */
};

struct pkg_parser {
	const char *name; /* "dpkg", for errors and --list-packages */
	enum pkg_match match;
	const char *pattern;
	/* Where it counts: an installed thing counts everywhere; a lock file only in directories and SBOM-like
	 * targets, as an image's lock files may not be installed. Trivy does the same. */
	bool is_lockfile;
	uint32_t max_bytes; /* for parse: a larger file is an error of that file, not of the image */
	/* One of the two. path: of the file, from the image's root. A wrong file is ERR_SYNTAX or ERR_CORRUPT
	 * with file-relative line or offset; packages already given stand. */
	int (*parse)(struct slice path, struct slice text, const struct pkg_out *out, struct err *err);
	int (*read)(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
};

/* Tables; .count rows. os: distributions' databases and binaries. lang: languages. */
extern const struct pkg_parser pkg_os_parsers[], pkg_lang_parsers[];
extern const size_t pkg_os_parser_count, pkg_lang_parser_count;

/* os-release: id, version_id, codename (VERSION_CODENAME, or from VERSION), id_like, pretty_name. Slices of text. */
struct pkg_os_release {
	struct slice id, version_id, codename, id_like, pretty_name;
};
int pkg_os_release_parse(struct slice text, struct pkg_os_release *ret, struct err *err) WARN_UNUSED;
