/* manifest.h - the documents that say what an image is made of: Docker's and OCI's manifests, indexes of several
 * platforms, the list in `docker save` archives. Pure: JSON of a stranger in, checked names out. */
#pragma once
#include "common/arena.h"
#include "common/err.h"

enum manifest_kind {
	MANIFEST_IMAGE, /* config and layers, by digest */
	MANIFEST_INDEX, /* of manifests, by platform */
	MANIFEST_SAVED, /* manifest.json of an archive: config and layers, by file name */
};

/* All texts in the arena. */
struct manifest_blob {
	char *digest; /* sha256:…, checked; of MANIFEST_SAVED: a file's name, clean */
	char *media_type;
	uint64_t size; /* UINT64_MAX: not said */
	/* index only */
	char *os, *arch, *variant;
	bool is_image; /* not an attestation or the like */
};

struct manifest {
	enum manifest_kind kind;
	struct manifest_blob config;
	struct manifest_blob *items; /* layers, lowest first; or an index's manifests */
	size_t count;
	char **names; /* MANIFEST_SAVED: repo:tag */
	size_t name_count;
};

/* ERR_SYNTAX, ERR_CORRUPT: it is none; ERR_LIMIT. */
int manifest_read(struct slice json, struct arena *a, struct manifest *ret, struct err *err) WARN_UNUSED;

/* platform: "os/arch" or "os/arch/variant"; NULL: this host's. *ret: borrowed from m. An index of one image has
 * no choice. ERR_NOT_FOUND names the platforms there are. */
int manifest_choose(const struct manifest *m, const char *platform, const struct manifest_blob **ret,
		    struct err *err) WARN_UNUSED;
