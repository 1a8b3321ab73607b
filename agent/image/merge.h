/* merge.h - layers joined, lowest first: what is there in the end, and which layer brought it. Pure. */
#pragma once
#include "agent/image/facts.h"

struct merged_layer {
	uint64_t *keys; /* of facts; sorted */
	size_t key_count;
	uint64_t bytes;
};

struct merged {
	struct facts_room *room; /* borrowed */
	struct facts_file *files;
	struct facts_setid *setids;
	struct facts_link *links;
	size_t file_count, setid_count, link_count;
	size_t file_size, setid_size, link_size;
	struct buf os_release[2];
	struct buf passwd;
	struct buf problems;
	size_t problem_count;
	struct merged_layer *layers;
	size_t layer_count, layer_size;
};

void merged_init(struct merged *m, struct facts_room *room);
void merged_fini(struct merged *m);

/* Puts the next layer on top. f: taken (facts_fini'd by this call), also on error. */
int merge_layer(struct merged *m, struct facts *f, struct err *err) WARN_UNUSED;

/* A layer in overlayfs' form does not say which of its folders are opaque: asks is_opaque (1, 0 or an error)
 * for those that matter, and notes the answers in f. Before merge_layer. */
int merge_ask_opaque(const struct merged *m, struct facts *f,
		     int (*is_opaque)(void *arg, struct slice path, struct err *err), void *arg,
		     struct err *err) WARN_UNUSED;

/* Where path leads when the links that were kept are followed; every component may be one. dst:
 * LIMIT_PATH_BYTES + 1. False: in a circle, or too long. */
bool merged_resolve(const struct merged *m, struct slice path, char *dst, struct slice *ret);

/* Under which other names files have to be looked at: package databases behind links, hard links. Adds to list
 * (*count of max; those that are there stay, as links on the way to others are only kept because of them); texts
 * live in a. 1: some were added, so the layers have to be read again and may then say more. */
struct arena;
int merged_aliases(struct merged *m, const struct matcher *matcher, struct arena *a, struct facts_alias *list,
		   size_t max, size_t *count, struct err *err) WARN_UNUSED;
