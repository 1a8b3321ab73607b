/* quota.c - see quota.h. A bucket is kept as the time at which it would be full again. */
#include "common/quota.h"

#include "common/slice.h"

/* A sender's place is one of so many; a crowd pushes out the one that took the least. */
enum { PLACES = 16 };
static const uint64_t hour_ns = 3600ull * 1000000000;

bool quota_take(struct quota *q, const char *sender, uint64_t count, uint64_t now_boot_ns)
{
	uint64_t hash = slice_hash(slice_of(sender)) | 1;
	struct quota_sender *place = &q->senders[hash % QUOTA_SENDERS];

	for (size_t i = 0; i < PLACES; i++) {
		struct quota_sender *a = &q->senders[(hash + i) % QUOTA_SENDERS];

		if (a->hash == hash) {
			place = a;
			break;
		}
		if (a->full_boot_ns < place->full_boot_ns)
			place = a;
	}
	uint64_t each_ns = hour_ns / q->per_hour;
	uint64_t full = place->hash == hash && place->full_boot_ns > now_boot_ns ? place->full_boot_ns : now_boot_ns;
	if (count > q->at_once || full - now_boot_ns > each_ns * (q->at_once - count))
		return false;
	*place = (struct quota_sender){ hash, full + each_ns * count };
	return true;
}
