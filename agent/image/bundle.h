/* bundle.h - an archive of a whole image (`docker save`, an OCI layout as tar): documents and layers in a tar,
 * found by name where the archive can be read at any offset, else one after the other. */
#pragma once
#include "agent/image/stream.h"
#include "common/arena.h"

struct bundle;

/* One after the other, from plain bytes (stream_unpacked). tar: taken, also on error. *ret: caller frees with
 * bundle_close. */
int bundle_open(struct stream *tar, struct budget *b, struct bundle **ret, struct err *err) WARN_UNUSED;

struct bundle_item {
	struct slice name;   /* clean; borrowed until the next call */
	struct slice target; /* of a link, clean, from the archive's root; else empty */
	uint64_t size;
	uint64_t offset; /* of its content in the tar's bytes; UINT64_MAX: in pieces (sparse) */
};
/* 1, or 0 at the end. */
int bundle_next(struct bundle *b, struct bundle_item *ret, struct err *err) WARN_UNUSED;
/* The content of the item that bundle_next gave, once. *ret: borrowed from b; not to be closed. */
struct stream *bundle_content(struct bundle *b);
void bundle_close(struct bundle *b);
DEFINE_CLEANUP(struct bundle, bundle_close)

/* Where the items of an archive are: for one that can be read at any offset. */
struct bundle_index {
	struct bundle_place {
		char *name, *target; /* target: "" or what the name is a link to */
		uint64_t offset, size;
	} *list; /* by name */
	size_t count;
};
int bundle_index_read(struct bundle *b, struct arena *a, struct bundle_index *ret, struct err *err) WARN_UNUSED;
/* Follows links. NULL: none of that name, or its links lead in a circle. */
const struct bundle_place *bundle_find(const struct bundle_index *x, const char *name);
