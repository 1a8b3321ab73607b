/* writer_priv.h - the writer between its two files. */
#pragma once
#include <openssl/evp.h>

#include "common/vulndb/seen.h"
#include "common/vulndb/vulndb_priv.h"
#include "common/vulndb/writer.h"

enum { SPACE_CACHE = 256 };

struct ecosystem;
struct writer {
	struct vulndb *db; /* borrowed */
	struct writer_options o;
	int64_t feed;
	uint64_t generation; /* of this import */
	struct seen before;  /* hash -> advisory, of the feed as it was */
	struct seen done;    /* advisories put or kept by this import */
	struct seen packages; /* marked as changed by it */
	struct seen parts;
	uint64_t last_part;
	struct arena *arena; /* of the record at hand */
	EVP_MD_CTX *md;
	EVP_MD *sha256;
	/* by the hash of the text: ecosystems and packages asked for lately */
	struct cached_space {
		uint64_t hash;
		struct slice name; /* what was asked for, in `text` */
		char text[96];
		const struct ecosystem *ecosystem;
		int64_t id;
	} spaces[SPACE_CACHE];
};

struct row {
	const struct advisory *a;
	struct slice key;
	const uint8_t *hash;
	bool is_withdrawn;
	int64_t id; /* 0: a new one; in, out */
};

/* 1: *ret_bad says what is wrong; nothing was written. */
int row_write(struct writer *w, struct row *row, const char **ret_bad, struct err *err) WARN_UNUSED;
/* Unless its part of the feed did not come. */
int row_remove(struct writer *w, int64_t id, bool *ret_removed, struct err *err) WARN_UNUSED;
