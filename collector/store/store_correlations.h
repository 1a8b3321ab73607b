/* store_correlations.h - what correlations keep: their state as a snapshot, what came since as a journal, when each rule
 * fired; and what is known of a container that an event names. Part of store.h's rules: transactions, borrowed text. */
#pragma once
#include "collector/store/store.h"

/* The newest snapshot that is whole, and what it was made for. */
struct store_correlation_state {
	struct slice names;    /* of rules and fields, as the caller wrote them */
	struct slice snapshot; /* empty: there is none */
	int64_t journal;       /* the number of the last row that it holds */
	int64_t generation;    /* 0: there is none */
};
/* fn: once, borrowed for the call; not called where there is none. ERR_CORRUPT: a part is missing; ERR_LIMIT past bytes_max. */
int store_correlation_state_get(struct store *s, size_t bytes_max,
				int (*fn)(void *arg, const struct store_correlation_state *st), void *arg, struct err *err) WARN_UNUSED;
/* Of the newest snapshot, readable or not; 0: there is none. */
int store_correlation_generation(struct store *s, int64_t *ret, struct err *err) WARN_UNUSED;
/* A snapshot comes in parts, in as many transactions as one likes, and counts from store_correlation_state_put on: it
 * holds the journal up to a number. generation: one more than that of the newest. */
int store_correlation_part_add(struct store *s, int64_t generation, uint64_t part, struct slice data, struct err *err) WARN_UNUSED;
int store_correlation_state_put(struct store *s, struct slice names, int64_t generation, uint64_t parts, int64_t journal,
				struct err *err) WARN_UNUSED;
/* Parts of a newer generation than the newest that is whole: somebody was killed, or gave up. */
int store_correlation_parts_drop(struct store *s, struct err *err) WARN_UNUSED;
/* Removes a little of what the newest snapshot made needless: limit rows, one part. *ret_more: some is left. */
int store_correlation_tidy(struct store *s, uint64_t limit, bool *ret_more, struct err *err) WARN_UNUSED;
/* The number of the last row ever written; 0: none was. */
int store_correlation_journal_last(struct store *s, int64_t *ret, struct err *err) WARN_UNUSED;
/* EEXIST: there is a row of that number. */
int store_correlation_journal_add(struct store *s, int64_t number, struct slice row, struct err *err) WARN_UNUSED;
/* Those behind the snapshot, from the oldest on. fn must not write. */
int store_correlation_journal_each(struct store *s, int (*fn)(void *arg, struct slice row), void *arg,
				   struct err *err) WARN_UNUSED;
struct store_correlation_size {
	uint64_t rows, bytes, snapshot_bytes;
};
int store_correlation_size(struct store *s, struct store_correlation_size *ret, struct err *err) WARN_UNUSED;

/* It fired, or matched and raised an alert. */
int store_rule_fired(struct store *s, const char *rule, uint64_t time_unix_ns, struct err *err) WARN_UNUSED;
/* ret 0, 0: it never did. */
int store_rule_last(struct store *s, const char *rule, uint64_t *ret_count, uint64_t *ret_unix_ns, struct err *err) WARN_UNUSED;

/* What is known of a container. Text in a. ERR_NOT_FOUND. */
struct store_container_brief {
	struct slice name, image;
	const char *image_id, *worst; /* worst: "" none, or not known */
	bool is_privileged, has_config, is_scanned;
	/* An open vulnerability of its image is known to be exploited, or likely to be (EPSS of 0.5). */
	bool is_exploited;
};
int store_container_brief(struct store *s, const char *agent, const char *id, struct arena *a,
			  struct store_container_brief *ret, struct err *err) WARN_UNUSED;

/* A container that has run for age_s and more, with an image whose inventory is not here or was never matched. At most
 * limit; rows are copies: fn may write. */
struct store_unscanned {
	const char *agent, *host, *container, *name, *image_id;
	struct slice image;
};
int store_unscanned_each(struct store *s, uint64_t age_s, uint64_t limit,
			 int (*fn)(void *arg, const struct store_unscanned *row), void *arg, struct err *err) WARN_UNUSED;
