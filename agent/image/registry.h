/* registry.h - a registry's v2 API, as far as reading an image needs it: manifests, blobs, tokens. Waits. */
#pragma once
#include "agent/image/image.h"
#include "common/fetch.h"

struct registry_ref {
	char host[256];	  /* as people write it: "docker.io", "registry.example:5000" */
	char server[256]; /* who is asked: docker.io's is another one */
	char repo[512];	  /* "library/debian" */
	char tag[136];	  /* "12"; empty where a digest is given */
	char digest[72];  /* "sha256:…" or empty */
};
/* [HOST[:PORT]/]PATH[:TAG][@sha256:…]. ERR_USAGE. */
int registry_ref_parse(const char *text, struct registry_ref *ret, struct err *err) WARN_UNUSED;

struct registry;
/* o: borrowed as long as the registry. Nothing is asked yet. *ret: caller frees with registry_close. */
int registry_open(const struct registry_ref *ref, const struct image_options *o, struct registry **ret,
		  struct err *err) WARN_UNUSED;
/* The manifest that the reference names, or one by digest (nullable), checked against its digest. ret_digest:
 * 72. *ret: initialised by this call; caller frees with buf_fini. */
int registry_manifest(struct registry *g, const char *digest, struct buf *ret, char *ret_digest,
		      struct err *err) WARN_UNUSED;
/* The digest that the reference has now, by a HEAD. ret: 72. */
int registry_digest(struct registry *g, char *ret, struct err *err) WARN_UNUSED;
/* A blob, piece by piece, not checked. on_data false: no more is wanted, which is no error. */
int registry_blob(struct registry *g, const char *digest, bool (*on_data)(void *arg, struct slice piece), void *arg,
		  struct err *err) WARN_UNUSED;
void registry_close(struct registry *g);
DEFINE_CLEANUP(struct registry, registry_close)
