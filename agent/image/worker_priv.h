/* worker_priv.h - between worker.c (the process), worker_read.c (layers, however they come) and worker_archive.c. */
#pragma once
#include "agent/image/inventory.h"
#include "agent/image/manifest.h"
#include "agent/image/worker.h"

struct worker {
	int sock;
	struct job job;
	struct chan_msg *msg;
	struct spool spool;
	struct matcher *matcher;
	struct budget budget;
	struct facts_room room;
	struct arena *arena; /* of what stays: configuration, names, aliases */
	struct facts_alias aliases[IMAGE_ALIASES_ALL];
	size_t alias_count;
	uint32_t layer, layers; /* for the progress */
	uint64_t total_bytes;	/* to be read; 0: not known */
	uint64_t told_ns;
	/* the result */
	struct meta meta;
	struct merged merged;
	struct buf drift;
	char **names; /* repo:tag, as an archive says */
	size_t name_count;
};

/* ---- worker.c ---- */
/* The parent's answer in w->msg; its descriptor in *ret_fd (nullable: none is wanted), the caller's to close. */
int worker_ask(struct worker *w, enum chan_ask what, uint64_t a, uint64_t b, struct slice data, int *ret_fd,
	       struct err *err) WARN_UNUSED;
/* A small file that was handed over as a whole. b: initialised by this call. */
int worker_read_document(int fd, uint64_t size, struct buf *b, struct err *err) WARN_UNUSED;

/* ---- worker_read.c ---- */
struct facts_reader worker_reader(struct worker *w, bool is_last_layer);
/* A layer's bytes, packed or not, as facts. in: taken. diff_id: "" unknown. */
int worker_read_layer(struct worker *w, struct stream *in, const char *diff_id, struct facts *ret,
		      struct err *err) WARN_UNUSED;
/* All layers into w->merged, the configuration into w->meta. */
int worker_read_all(struct worker *w, struct err *err) WARN_UNUSED;

/* ---- worker_archive.c ---- */
int worker_read_archive(struct worker *w, struct err *err) WARN_UNUSED;
