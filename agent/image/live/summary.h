/* summary.h - what the running agent keeps of an inventory: a JSON document that the child which took stock
 * prints, and leaves beside it for the next start. */
#pragma once
#include "common/arena.h"
#include "common/json.h"
#include "proto/msg.h"

enum { SUMMARY_BYTES = 256 * 1024, SUMMARY_NAMES = 64, SUMMARY_SETIDS = 256, SUMMARY_SETID_BYTES = 64 * 1024 };

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

/* What the audit wants of it, which the running agent does not keep: programs with the set-user-ID or set-group-ID bit,
 * as many as fit, and who is root by /etc/passwd. */
struct summary_files {
	const char **setids, **roots;
	size_t setid_count, root_count;
	uint64_t setids_total, packages;
	bool has_passwd;
};
/* The lists live in a. */
int summary_read_files(struct slice text, struct arena *a, struct summary_files *ret, struct err *err) WARN_UNUSED;
/* Of the image "sha256:…", as an agent with this state_dir keeps it. ENOENT: no stock was taken of it (yet). */
int summary_load_files(const char *state_dir, const char *id, struct arena *a, struct summary_files *ret,
		       struct err *err) WARN_UNUSED;
