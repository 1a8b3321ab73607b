/* zip.h - what is in a zip archive, by its central directory, and one entry's data. Bounded memory. */
#pragma once
#include "agent/image/os/inflated.h"
#include "agent/image/os/window.h"

enum { ZIP_STORED = 0, ZIP_DEFLATED = 8 };

struct zip_entry {
	struct slice name; /* borrowed for the call */
	uint16_t method, flags;
	uint64_t packed_n, n; /* bytes */
	uint64_t header;      /* of it, in the blob */
};

/* Calls fn for each entry in the directory's order, until it returns false. entries: how many there may be
 * yet, counted down; past it ERR_LIMIT. A program before the archive (a jar that starts itself) is fine.
 * ERR_CORRUPT: not a zip, or its directory is damaged; the entries before stand. */
int zip_each(const struct blob *b, uint32_t *entries, bool (*fn)(void *arg, const struct zip_entry *e), void *arg,
	     struct err *err) WARN_UNUSED;

/* An entry's data as a blob. Itself must stay where it is; caller frees with zip_data_fini. */
struct zip_data {
	const struct blob *b;
	struct part part;
	struct inflated *inflated;
};
/* budget: see inflated.h. ERR_VERSION: encrypted or packed in another way. */
int zip_data_init(struct zip_data *d, const struct blob *b, const struct zip_entry *e, uint64_t *budget,
		  struct err *err) WARN_UNUSED;
void zip_data_fini(struct zip_data *d);
static inline void zip_data_finip(struct zip_data *d)
{
	zip_data_fini(d);
}
