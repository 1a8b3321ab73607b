/* owners.h - which package a file of an image belongs to: a compact table from the path's hash. */
#pragma once
#include "common/buf.h"
#include "common/err.h"
#include "common/slice.h"

struct owners;

/* Texts: borrowed from the table. */
struct owners_package {
	struct slice ecosystem; /* purl type: deb, apk, rpm, pypi … */
	struct slice name, version;
};
enum {
	OWNERS_PACKAGES_MAX = 100000,
	OWNERS_FILES_MAX = 1000000,
	OWNERS_ALIASES_MAX = 64,
	OWNERS_BYTES_MAX = 32 << 20, /* written */
};

/* path: from the image's root, with or without the leading slash, links resolved ("/usr/bin/ls" finds what
 * the package calls "/bin/ls" where bin is a link to usr/bin). Of several owners the distribution's.
 * False: nobody's. Cost: one look-up for each component of the path. */
bool owners_find(const struct owners *o, struct slice path, struct owners_package *ret);
size_t owners_package_count(const struct owners *o);
size_t owners_file_count(const struct owners *o);
/* Bytes it takes in memory. */
size_t owners_bytes(const struct owners *o);

/* Appends the table's bytes to out (ERR_LIMIT when they don't fit), and back. What is read may come from a
 * stranger: ERR_CORRUPT, ERR_VERSION. *ret: caller frees with owners_free. */
int owners_write(const struct owners *o, struct buf *out, struct err *err) WARN_UNUSED;
int owners_read(struct slice bytes, struct owners **ret, struct err *err) WARN_UNUSED;
/* The same with a file, replaced at once or not at all. */
int owners_save(const struct owners *o, const char *path, struct err *err) WARN_UNUSED;
int owners_load(const char *path, struct owners **ret, struct err *err) WARN_UNUSED;
/* NULL is allowed and does nothing. */
void owners_free(struct owners *o);
DEFINE_CLEANUP(struct owners, owners_free)

/* Making one. */
struct owners_maker;
int owners_maker_new(struct owners_maker **ret, struct err *err) WARN_UNUSED;
/* The next package; its number is *ret. ERR_LIMIT. */
int owners_add_package(struct owners_maker *m, const struct owners_package *p, uint32_t *ret,
		       struct err *err) WARN_UNUSED;
/* A file of package number p, by owners_hash of its path; of several owners the first one added stays.
 * is_prefix: a folder, and all below it. */
int owners_add_file(struct owners_maker *m, uint64_t hash, bool is_prefix, uint32_t p,
		    struct err *err) WARN_UNUSED;
/* Folder `link` of the image is a symbolic link to folder `target` (both from the root, no slashes at the
 * ends): what is below target may be owned by its name below link. Past OWNERS_ALIASES_MAX: ignored. */
int owners_add_alias(struct owners_maker *m, struct slice link, struct slice target,
		     struct err *err) WARN_UNUSED;
/* *ret: caller frees with owners_free. The maker is empty from then on. */
int owners_make(struct owners_maker *m, struct owners **ret, struct err *err) WARN_UNUSED;
void owners_maker_free(struct owners_maker *m);
DEFINE_CLEANUP(struct owners_maker, owners_maker_free)

/* FNV-1a over the path without slashes at its ends. */
uint64_t owners_hash(struct slice path);
