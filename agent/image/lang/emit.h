/* emit.h - what a language's parser found goes out through here: checked, and each package of a file once. */
#pragma once
#include "agent/image/pkg.h"

enum {
	EMIT_TEXT_MAX = 1024, /* a name or version; as proto/limits.h has it */
	EMIT_SEEN_MAX = 1 << 16,
};

struct emit {
	const struct pkg_out *out; /* borrowed */
	const char *ecosystem;
	uint64_t *seen; /* hashes of what went out; made with the first */
	size_t bad;	/* packages whose name or version is no text */
};

void emit_init(struct emit *e, const char *ecosystem, const struct pkg_out *out);
/* An empty name is skipped. An empty version: the file says that the package is there, not which. A package
 * comes twice only as is_dev first and then not. */
int emit_package(struct emit *e, struct slice name, struct slice version, bool is_dev) WARN_UNUSED;
/* Has this been asked before? For parsers that must remember names. Forgets when there are too many. */
bool emit_seen(struct emit *e, uint64_t hash);
uint64_t emit_hash(struct slice name, struct slice version, char kind);
/* Frees what e holds. result: of the parse, returned unless it is 0 and something was bad (ERR_SYNTAX). */
int emit_end(struct emit *e, int result, struct err *err) WARN_UNUSED;

/* One package with files of its own. key: see struct pkg. */
int emit_one(const char *ecosystem, struct slice name, struct slice version, struct slice key,
	     const struct pkg_out *out, struct err *err) WARN_UNUSED;
/* path: from the image's root; nobody asks: does nothing. */
int emit_owned(const char *ecosystem, struct slice key, struct slice path, const struct pkg_out *out) WARN_UNUSED;

/* base (a folder, without a slash at its end; may be empty) and a path that begins there, "." and ".."
 * taken out, into ret (size bytes). Absolute: from the root. False: it leaves the root or is too long. */
bool emit_join(struct slice base, struct slice relative, char *ret, size_t size);
/* "a/b/c" -> "a/b"; "c" -> "". */
struct slice emit_folder(struct slice path);
struct slice emit_basename(struct slice path);
