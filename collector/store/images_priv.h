/* images_priv.h - what the files about images share. */
#pragma once
#include "collector/store/store_images.h"
#include "collector/store/store_priv.h"

/* images.c */
/* The image's row; made when it isn't there. *ret 0: too many images. */
int images_row(struct store *s, const char *image_id, int64_t *ret, struct err *err) WARN_UNUSED;
/* ["a","b"] of texts that are fit to be shown; old (a JSON array or "") first, each once, at most max. */
void images_list(struct buf *out, const char *old, char *const *texts, size_t count, size_t max);

/* packages.c */
int packages_put_layer(struct store *s, const Picket__Layer *l, int64_t *ret, struct err *err) WARN_UNUSED;
int packages_find_layer(struct store *s, struct slice key, int64_t *ret, struct err *err) WARN_UNUSED;
/* The layer's packages are looked at as this distribution's from now on. */
int packages_due(struct store *s, int64_t layer, int64_t os, struct err *err) WARN_UNUSED;
int packages_os_row(struct store *s, const Picket__OsRelease *o, int64_t *ret, struct err *err) WARN_UNUSED;
/* Whatever no image has any more, at most bite of each; 1: there may be more. */
int packages_prune(struct store *s, int64_t bite, struct err *err) WARN_UNUSED;

/* images_use.c: hosts, containers and exposure of the image as its uses have them; marks what follows. */
int images_recount(struct store *s, int64_t image, struct err *err) WARN_UNUSED;

/* images_scans.c: the images with the vulnerability, by name or alias, are judged anew. */
int images_unjudged(struct store *s, const char *vuln, struct err *err) WARN_UNUSED;

/* vulns.c */
int vulns_due_of_image(struct store *s, int64_t image, struct err *err) WARN_UNUSED;
int vulns_due_of_package(struct store *s, const char *ecosystem, const char *name, const char *version,
			 struct err *err) WARN_UNUSED;
/* Those without a finding. */
int vulns_prune(struct store *s, int64_t bite, struct err *err) WARN_UNUSED;

/* numbers.c */
int numbers_add(struct store *s, const char *name, uint64_t n, struct err *err) WARN_UNUSED;
