/* store_images.h - images as the store has them: what is in them, where they run, what registries say.
 *
 * A package stands once for the whole fleet, and a layer is a list of packages, so that a thousand images on
 * one base cost little more than one. Verbs of store.h's kind: text given in is borrowed for the call, rows
 * handed out for the callback; writing verbs join the open transaction or make their own. */
#pragma once
#include "collector/store/store.h"

enum {
	STORE_IMAGES_MAX = 50000,	 /* rows; a further image is not taken */
	STORE_IMAGES_SENT_MAX = 10000,	 /* inventories of one agent */
	STORE_IMAGE_PACKAGES_MAX = 50000, /* of one inventory */
	STORE_IMAGES_USED_MAX = 5000,	 /* by one agent; what is beyond is not kept, and counted */
	STORE_CONTAINERS_MAX = 20000,
	STORE_PACKAGES_USED_MAX = 100000,
};

/* ---- what agents ask and tell ---- */

/* Is the image's inventory here? Not when who sent it is revoked since: then it is asked for again. Names and
 * digests that are new are taken over, and the image counts as seen. */
int store_image_ask(struct store *s, const Picket__ImageAsk *ask, bool *ret_is_known,
		    struct err *err) WARN_UNUSED;
int store_layer_is_known(struct store *s, struct slice key, bool *ret, struct err *err) WARN_UNUSED;
/* Is this very inventory of the image stored? */
int store_inventory_is_stored(struct store *s, const char *image_id, struct slice sha256, bool *ret,
			      struct err *err) WARN_UNUSED;
/* Stores it and makes what is new in it due for matching. Layers without packages must be known, keys of the
 * others right. An inventory that another agent sent before, one that is not revoked, stays: *ret_is_kept.
 * ERR_LIMIT: too many packages or images; ERR_NOT_FOUND: a layer isn't here. */
int store_inventory_put(struct store *s, const char *agent, const Picket__Inventory *inv, struct slice sha256,
			bool *ret_is_kept, struct err *err) WARN_UNUSED;

/* One part of what runs on the agent's host. *ret_is_wanted_whole: say it all again. unknown: called for each
 * image whose inventory isn't here. Images that run newly or no longer, packages that are used newly: their
 * vulnerabilities become due for judging (store_vulns.h). */
int store_images_in_use(struct store *s, const char *agent, const Picket__ImagesInUse *m,
			bool *ret_is_wanted_whole, int (*unknown)(void *arg, const char *image_id), void *arg,
			struct err *err) WARN_UNUSED;
int store_base_image_put(struct store *s, const char *agent, const Picket__BaseImage *b,
			 struct err *err) WARN_UNUSED;

/* ---- what changes by itself; call every minute or so ---- */

struct store_images_tidy {
	uint64_t gone_ns;  /* an image that ended runs for so long still: a restart is no news */
	uint64_t quiet_ns; /* an agent that says nothing for so long runs nothing */
	uint64_t keep_ns;  /* images not in use, and not seen for so long, are dropped */
};
/* A bite of each; *ret_dropped: images. */
int store_images_tidy(struct store *s, const struct store_images_tidy *how, uint64_t *ret_dropped,
		      struct err *err) WARN_UNUSED;

/* ---- for people ---- */

struct store_image {
	int64_t row;
	const char *image_id;
	bool is_known; /* its inventory is here */
	const char *agent; /* who sent it */
	const char *kind, *arch, *os_type, *os, *os_version, *os_codename, *os_title;
	const char *names, *digests, *problems; /* JSON arrays of text */
	struct slice config;		        /* packed ImageConfig; may be empty */
	uint64_t created_unix_s, size_bytes, taken_unix_s, stored_unix_ns, first_seen_unix_ns, seen_unix_ns;
	uint64_t packages, hosts, containers;
	bool is_exposed; /* a port is published */
	/* Of its vulnerabilities, as last counted: one per (vulnerability, package). */
	uint64_t critical, high, medium, low, other, fixable, kev;
	bool is_newer; /* a registry has another image by its tag */
	uint64_t risk; /* 0 to 100; see store_risk.h */
};
/* What people call it: the first name, else the reference it runs by, else its id. dst: 256 at least. */
const char *store_image_name(struct store *s, const struct store_image *im, char *dst, size_t size);

/* By id, the beginning of an id (12 digits at least), name or digest; ERR_NOT_FOUND, and ERR_USAGE where
 * a beginning or a name has several (the message says so). Text lives in a. */
int store_image_get(struct store *s, const char *name, struct arena *a, struct store_image *ret,
		    struct err *err) WARN_UNUSED;
/* Running ones first, then the newest seen. Keys: image host container os arch package running exposed known
 * newer severity kev fixable risk text. Cursor, limit, fn as of store_alert_query. */
int store_image_query(struct store *s, const struct store_query *q,
		      int (*fn)(void *arg, const struct store_image *im), void *arg, char *ret_cursor,
		      size_t cursor_size, struct err *err) WARN_UNUSED;

struct store_layer {
	unsigned position;
	const char *diff_id, *digest, *created_by;
	uint64_t size_bytes, packages;
};
int store_image_layers(struct store *s, int64_t image, int (*fn)(void *arg, const struct store_layer *l),
		       void *arg, struct err *err) WARN_UNUSED;

struct store_package {
	int64_t row;
	const char *ecosystem, *name, *version, *arch, *source, *source_version, *owner;
	struct slice path;
	unsigned layer;	/* position, lowest 0 */
	bool is_dev;
	bool is_executed, is_loaded; /* by a container of the image, on any host */
};
/* In the order of (name, layer); from: how many to leave out. */
int store_image_packages(struct store *s, int64_t image, uint64_t from, uint64_t limit,
			 int (*fn)(void *arg, const struct store_package *p), void *arg,
			 struct err *err) WARN_UNUSED;

struct store_use {
	const char *agent, *host, *reference;
	const char *container, *container_name; /* "" where none runs any more */
	const char *ports;			/* JSON array */
	uint64_t started_unix_s;
};
/* Each container that runs the image, host by host; at most limit. */
int store_image_uses(struct store *s, int64_t image, uint64_t limit,
		     int (*fn)(void *arg, const struct store_use *u), void *arg, struct err *err) WARN_UNUSED;

struct store_base {
	const char *reference, *running_digest, *current_digest, *error;
	uint64_t checked_unix_s;
	bool is_newer;
	/* With the newer image's inventory here: its id, how many findings it is rid of and how many it adds. */
	const char *image_id; /* "" else */
	uint64_t fixes, adds;
};
int store_image_bases(struct store *s, int64_t image, int (*fn)(void *arg, const struct store_base *b),
		      void *arg, struct err *err) WARN_UNUSED;
/* The findings that image other has no longer: fn gets vulnerability and package. At most limit. */
int store_image_fixes(struct store *s, int64_t image, int64_t other, uint64_t limit,
		      int (*fn)(void *arg, const char *vuln, const char *package), void *arg,
		      struct err *err) WARN_UNUSED;
