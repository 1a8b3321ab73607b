/* image.h - takes stock of an image: which packages are in it, brought by which layer, owning which files.
 *
 * Everything that comes out of an image is read by a worker, a locked-down child of this process
 * (worker.h); this side only finds the image, hands over descriptors and streams, and checks the answer.
 *
 * Targets: NAME[:TAG], NAME@sha256:…, sha256:ID or its beginning (the local engine); docker-archive:FILE;
 * oci:DIR; oci-archive:FILE; dir:PATH; registry:REF; container:ID or name (what its image and its own
 * layer hold together). Archives may be gzip or zstd. */
#pragma once
#include "agent/image/owners.h"
#include "proto/msg.h"

enum image_kind {
	IMAGE_ENGINE,
	IMAGE_DOCKER_ARCHIVE,
	IMAGE_OCI,
	IMAGE_OCI_ARCHIVE,
	IMAGE_DIR,
	IMAGE_REGISTRY,
	IMAGE_CONTAINER,
};

enum image_lockfiles {
	IMAGE_LOCKFILES_AUTO, /* in directories only: what an image's lock files name may not be installed */
	IMAGE_LOCKFILES_NEVER,
	IMAGE_LOCKFILES_ALWAYS,
};

/* Each 0: the default (image_limits.h). Past one: ERR_LIMIT, and which. */
struct image_limits {
	uint64_t entries;	/* files, folders, links of all layers */
	uint64_t unpacked_bytes; /* of all layers */
	uint64_t ratio;		/* unpacked to packed, past the first 64 MiB */
	uint64_t parse_bytes;	/* of one text file */
	uint64_t spool_bytes;	/* a large file (binary, jar, rpm database) of a layer that comes as a stream */
	uint64_t packages;
	uint64_t time_ms;	/* wall time of the whole */
};

struct image_progress {
	uint32_t layer, layers; /* being read: 1 .. layers; layers 0: not known yet */
	uint64_t bytes;		/* read so far, of all layers */
	uint64_t total_bytes;	/* 0: not known */
};

/* container: only. What the container's own layer says other than its image. */
struct image_drift {
	struct image_drift_file {
		struct slice path;
		bool is_removed;    /* of the image's files */
		bool is_executable; /* may be run, or is ELF */
	} *files;		    /* in the arena; at most IMAGE_DRIFT_MAX, executables first */
	size_t count;
	uint64_t total; /* how many there are */
};
enum { IMAGE_DRIFT_MAX = 4096, IMAGE_DIGEST_MAX = 136 };

/* All texts borrowed for the call; all nullable: the default. {0} is fine. */
struct image_options {
	const char *engine_socket; /* $DOCKER_HOST (unix://), else /run/docker.sock */
	const char *user, *password; /* of the registry; else docker_config's */
	const char *docker_config; /* $DOCKER_CONFIG/config.json, else ~/.docker/config.json */
	const char *ca_file;	   /* the system's */
	bool is_insecure;	   /* plain HTTP too; without it only to this host itself */
	const char *platform;	   /* "linux/arm64/v8"; this host's */
	enum image_lockfiles lockfiles;
	struct image_limits limits;
	const char *spool_dir;	/* $TMPDIR, else /tmp; only unlinked files, bounded by limits.spool_bytes */
	const char *cache_dir;	/* none. Results by image id, so that a second look costs nothing; ours alone */
	bool is_idle;		/* CPU and disk only when nobody else wants them */
	struct image_drift *ret_drift; /* not wanted */
	void (*progress)(void *arg, const struct image_progress *p); /* some ten times a second */
	void *arg;
};

/* Which kind the target is, and what stands behind its prefix (borrowed from target). ERR_USAGE where it is
 * none, with the prefixes there are. */
int image_target_parse(const char *target, enum image_kind *ret, const char **ret_rest,
		       struct err *err) WARN_UNUSED;

/* Waits until done. a: LIMIT_INVENTORY_ARENA_BYTES. *ret lives in the arena and has passed
 * msg_read_inventory; files that could not be understood are in its `problems`. *ret_owners: nullable;
 * caller frees with owners_free. Both set only on success.
 * Errors: ERR_NOT_FOUND and ENOENT no such image or file; ERR_PEER, ECONNREFUSED… engine or registry;
 * ERR_DENIED not allowed; ERR_CORRUPT the image is not one; ERR_LIMIT it is too much; ETIMEDOUT. */
int image_take_stock(const char *target, const struct image_options *o, struct arena *a,
		     Picket__Inventory **ret, struct owners **ret_owners, struct err *err) WARN_UNUSED;

/* What digest a registry's reference (without "registry:") has now: a HEAD on its manifest, nothing is pulled. */
int image_registry_digest(const char *ref, const struct image_options *o, char ret[IMAGE_DIGEST_MAX],
			  struct err *err) WARN_UNUSED;

/* The worker: main() of every program that calls image_take_stock gives it its arguments before anything
 * else starts. Does not return when they are a worker's. */
void image_worker_if_asked(int argc, char **argv);
