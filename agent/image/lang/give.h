/* give.h - what a language's parser found goes out through here: checked, and each package of a file once. */
#pragma once
#include "agent/image/pkg.h"

enum {
	GIVE_TEXT_MAX = 1024, /* a name or version; as proto/limits.h has it */
	GIVE_SEEN_MAX = 1 << 16,
};

struct give {
	const struct pkg_out *out; /* borrowed */
	const char *ecosystem;
	uint64_t *seen; /* hashes of what went out; made with the first */
	size_t bad;	/* packages whose name or version is no text */
};

void give_init(struct give *e, const char *ecosystem, const struct pkg_out *out);
/* An empty name is skipped. An empty version: the file says that the package is there, not which. A package
 * comes twice only as is_dev first and then not. */
int give_package(struct give *e, struct slice name, struct slice version, bool is_dev) WARN_UNUSED;
/* Has this been asked before? For parsers that must remember names. Forgets when there are too many. */
bool give_seen(struct give *e, uint64_t hash);
uint64_t give_hash(struct slice name, struct slice version, char kind);
/* Frees what e holds. result: of the parse, returned unless it is 0 and something was bad (ERR_SYNTAX). */
int give_end(struct give *e, int result, struct err *err) WARN_UNUSED;

/* One package with files of its own. key: see struct pkg. */
int give_one(const char *ecosystem, struct slice name, struct slice version, struct slice key,
	     const struct pkg_out *out, struct err *err) WARN_UNUSED;
/* path: from the image's root; nobody asks: does nothing. */
int give_owned(const char *ecosystem, struct slice key, struct slice path, const struct pkg_out *out) WARN_UNUSED;

/* base (a folder, without a slash at its end; may be empty) and a path that begins there, "." and ".."
 * taken out, into ret (size bytes). Absolute: from the root. False: it leaves the root or is too long. */
bool give_join(struct slice base, struct slice relative, char *ret, size_t size);
/* "a/b/c" -> "a/b"; "c" -> "". */
struct slice give_folder(struct slice path);
struct slice give_basename(struct slice path);
