/* verify_priv.h - what the checks of one verification share. Private to the store. */
#pragma once
#include "collector/store/heads.h"

/* What was met of one agent's epoch, over all days. */
struct seen {
	char *agent; /* owned */
	uint64_t epoch, last[CLASS_COUNT], count;
};
/* What one day has of a chain: from a value to a value. */
struct fragment {
	struct chain_value from, to;
	uint32_t date;
};
/* A value that the chain must pass: the state's head, or one that was kept elsewhere. */
struct anchor {
	struct chain_value value;
	bool is_set, is_met, is_wrong;
};
struct checked {
	char *agent; /* owned */
	unsigned class_no;
	struct fragment *fragments; /* owned */
	size_t count, size;
	struct anchor head, kept;
	struct chain_value base;
	bool has_base;
};
/* A chain row of the day being checked. */
struct day_chain {
	int64_t no;
	struct checked *checked;
	struct chain_value from, at, want;
};
/* What was asked last of a class: did retention take this part? */
struct gone {
	uint32_t date;
	unsigned part;
	bool is_gone;
};
struct verify {
	struct store *s;
	void (*fn)(void *arg, const char *fault);
	void *arg;
	uint64_t records, unchained;
	uint32_t unchained_until;
	struct heads heads; /* the sum of those that are there */
	bool has_wrong_heads;
	struct seen *seen; /* open addressing */
	size_t seen_count, seen_size;
	struct checked **chains; /* open addressing on (agent, class) */
	size_t chain_count, chain_size;
	struct day_chain *day_chains; /* in the order of no */
	size_t day_chain_count, day_chain_size;
	struct gone gone[CLASS_COUNT];
	uint32_t date;
	bool has_gone; /* retention took parts of days: what is left can't be counted against what came */
};

void verify_fault(struct verify *v, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- verify_chain.c ---- */
/* What the state says of the chains: heads, and what was kept elsewhere. */
int verify_chains_begin(struct verify *v, const struct store_verify *how, struct err *err) WARN_UNUSED;
int verify_day_begin(struct verify *v, struct db *d, struct err *err) WARN_UNUSED;
/* The records of a block or tail row against its links. g NULL: they are gone, the links go on. */
void verify_links(struct verify *v, const struct segment *g, struct slice links, unsigned class_no, const char *place);
int verify_day_end(struct verify *v, struct err *err) WARN_UNUSED;
/* After all days: do they make whole chains, from the base to the head? */
int verify_chains_end(struct verify *v, struct err *err) WARN_UNUSED;
void verify_chains_fini(struct verify *v);
/* ---- audit_chain.c: the audit log ---- */
int verify_audit(struct verify *v, struct err *err) WARN_UNUSED;
