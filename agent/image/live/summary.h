/* summary.h - what the running agent keeps of an inventory: a JSON document that the child which took stock
 * prints, and leaves beside it for the next start. */
#pragma once
#include "common/json.h"
#include "proto/msg.h"

enum { SUMMARY_BYTES = 256 * 1024, SUMMARY_NAMES = 64 };

struct summary {
	uint8_t (*keys)[LIMIT_KEY_BYTES]; /* of the layers, lowest first */
	size_t key_count;
	char *names[SUMMARY_NAMES], *repo_digests[SUMMARY_NAMES];
	size_t name_count, repo_digest_count;
	uint64_t packages, problems;
	char first_problem[160];
};

void summary_write(const Picket__Inventory *inv, struct buf *out);
/* From a file that only we write, checked all the same. *ret: summary_fini; set only on success. */
int summary_read(struct slice text, struct summary *ret, struct err *err) WARN_UNUSED;
void summary_fini(struct summary *s);
