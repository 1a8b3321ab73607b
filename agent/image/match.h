/* match.h - which parser wants which file: the parsers' tables, prepared for a million paths. */
#pragma once
#include "agent/image/pkg.h"

struct pkg_table {
	const struct pkg_parser *rows;
	size_t count;
};

enum { MATCH_ROWS_MAX = 512, MATCH_FOUND_MAX = 8 };

struct matcher;

/* tables: borrowed as long as the matcher. *ret: caller frees with matcher_free. */
int matcher_new(const struct pkg_table *tables, size_t count, bool with_lockfiles, struct matcher **ret,
		struct err *err) WARN_UNUSED;
/* Rows that want a file of this path, by number; PKG_ELF's are not among them. Past MATCH_FOUND_MAX: the rest
 * goes without. */
size_t matcher_find(const struct matcher *m, struct slice path, uint16_t found[MATCH_FOUND_MAX]);
/* Those of PKG_ELF. */
size_t matcher_elf(const struct matcher *m, uint16_t found[MATCH_FOUND_MAX]);
const struct pkg_parser *matcher_row(const struct matcher *m, uint16_t row);
/* Is path a file that a row names with its whole path, or a folder on the way to one? A link there has to be
 * followed. hash: path_hash(path). */
bool matcher_is_way(const struct matcher *m, uint64_t hash);
/* The paths behind matcher_is_way that a row begins with: whole paths, folders of globs. False past the last. */
bool matcher_fixed(const struct matcher *m, size_t i, struct slice *ret);
/* NULL is allowed and does nothing. */
void matcher_free(struct matcher *m);
DEFINE_CLEANUP(struct matcher, matcher_free)
