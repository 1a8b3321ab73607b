/* source.h - where an image is: this side of taking stock opens it and hands it to the worker piece by piece.
 * Nothing of what is in the image is read here but what the engine itself says of it, and digests. */
#pragma once
#include "agent/image/image.h"
#include "agent/image/worker.h"

/* An answer to the worker's question. */
struct answer {
	int fd;	      /* nullable: -1; closed after it was sent */
	bool is_pipe; /* content follows: a pipe is made, and source.pump fills it */
	uint64_t a, b;
};

struct pump; /* stock.c: writes to the worker's pipe while looking after the worker */
/* False: the worker wants no more (or is gone). */
bool pump_write(struct pump *p, struct slice piece);

struct source {
	struct job job; /* what the worker is told; limits and options come from stock.c */
	int folders[LIMIT_LAYERS]; /* lowest first; owned */
	size_t folder_count;
	int root_fd; /* above all folders; -1: an empty one will do. Owned */
	/* Known before the worker begins; NULL or empty: not. Owned. */
	char *image_id;
	char **names, **repo_digests;
	size_t name_count, repo_digest_count;
	/* Folders and what they are asked for are answered without it. */
	int (*answer)(struct source *s, const struct chan_msg *ask, struct answer *ret, struct err *err);
	int (*pump)(struct source *s, struct pump *p, struct err *err);
	void (*fini)(struct source *s); /* of the following */
	void *arg;
};

/* Each: ret is set up by this call; source_fini it, also on error. */
int source_open(enum image_kind kind, const char *rest, const struct image_options *o, struct source *ret,
		struct err *err) WARN_UNUSED;
int source_open_folder(const char *path, struct source *ret, struct err *err) WARN_UNUSED;
int source_open_archive(const char *path, bool prefers_oci, struct source *ret, struct err *err) WARN_UNUSED;
int source_open_oci(const char *path, struct source *ret, struct err *err) WARN_UNUSED;
int source_open_engine(const char *name, const struct image_options *o, struct source *ret,
		       struct err *err) WARN_UNUSED;
int source_open_container(const char *name, const struct image_options *o, struct source *ret,
			  struct err *err) WARN_UNUSED;
int source_open_registry(const char *ref, const struct image_options *o, struct source *ret,
			 struct err *err) WARN_UNUSED;
void source_init(struct source *s);
void source_fini(struct source *s);
static inline void source_finip(struct source *s)
{
	source_fini(s);
}

/* Adds a folder; path below root_fd's where there is one. */
int source_add_folder(struct source *s, const char *path, struct err *err) WARN_UNUSED;
/* The answers that every source of folders gives: CHAN_ASK_LAYER, CHAN_ASK_OPAQUE. */
int source_answer_folder(struct source *s, const struct chan_msg *ask, struct answer *ret,
			 struct err *err) WARN_UNUSED;
/* bytes in a file of memory. */
int source_answer_bytes(struct slice bytes, struct answer *ret, struct err *err) WARN_UNUSED;
