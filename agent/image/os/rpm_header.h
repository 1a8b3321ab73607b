/* rpm_header.h - a package's header as every rpm database keeps it: an index of tags, then their values. */
#pragma once
#include "agent/image/os/os_priv.h"

enum {
	RPM_HEADER_MAX = 256 * 1024 * 1024, /* rpm's own bound for values */
	RPM_PACKAGES_MAX = 200000, /* of one database: twice what an inventory holds */
};

/* What one database may cost. Headers don't overlap, so that all together are no larger than the file; a
 * hostile one could name the same bytes again and again. */
struct rpm_budget {
	uint64_t bytes;
	uint32_t packages;
};
static inline struct rpm_budget rpm_budget_of(const struct blob *b)
{
	return (struct rpm_budget){ .bytes = b->size, .packages = RPM_PACKAGES_MAX };
}

/* Gives out the package and its files. h: the bytes as in the database: u32 tags, u32 value bytes
 * (big-endian), 16 bytes for each tag, values. Of gpg-pubkey, which is no software, nothing. What is wrong is
 * noted in e. False when there shall be no more: the taker says so, or the budget is spent. */
bool rpm_header_give(struct emit *e, struct rpm_budget *left, const struct blob *h);
