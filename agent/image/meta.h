/* meta.h - what an image's configuration says: facts for the audit, its layers' names. Pure: JSON of a stranger
 * in, bounded texts in an arena out. */
#pragma once
#include "proto/msg.h"

/* "", for fields that are not const in generated code. */
extern char meta_none[1];

struct meta_layer {
	char *diff_id, *digest, *created_by; /* "" where unknown */
	uint64_t size_bytes;
};

struct meta {
	char *image_id; /* sha256:… of the configuration's bytes */
	char *arch, *os_type, *variant;
	uint64_t created_unix_s;
	Picket__ImageConfig *config; /* never NULL; without setid_files */
	struct meta_layer *layers;   /* lowest first */
	size_t layer_count;
};

/* Of a directory: no layer's name, empty facts. */
int meta_empty(struct arena *a, size_t layer_count, struct meta *ret, struct err *err) WARN_UNUSED;
/* An image's configuration, Docker's or OCI's. ERR_CORRUPT: it is none, or has more than LIMIT_LAYERS. */
int meta_read_config(struct slice json, struct arena *a, struct meta *ret, struct err *err) WARN_UNUSED;

/* Does a variable look as if a secret were in it, by its name or by its value? */
bool meta_is_secret(struct slice name, struct slice value);
/* s without what can't be in a message: cut to max bytes between characters, NUL as blank. NULL: no memory. */
char *meta_text(struct arena *a, struct slice s, size_t max) WARN_UNUSED;
/* "sha256:…" of bytes; dst: 72. */
int meta_digest(struct slice bytes, char dst[72], struct err *err) WARN_UNUSED;
