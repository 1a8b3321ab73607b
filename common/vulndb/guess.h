/* guess.h - what a source is, from what it holds. */
#pragma once
#include "common/vulndb/vulndb.h"

enum { GUESS_BYTES = 262144 };

/* From the first bytes of a document (up to GUESS_BYTES); VULNDB_GUESS: of none we know. */
enum vulndb_format guess_format(struct slice start);

/* The feed's name of OSV records, from some of them: the ecosystem that all have, else what their ids begin
 * with ("GHSA"), else none. */
struct guess_name {
	unsigned count;
	char ecosystems[8][64]; /* those of the first record that all others had, too */
	unsigned ecosystem_count;
	char prefix[32];
};
struct advisory;
void guess_name_add(struct guess_name *g, const struct advisory *a);
/* "osv:npm", "osv:GHSA", "osv". */
void guess_name_end(const struct guess_name *g, char *dst, size_t size);
