/* heads.h - a signed sum over the heads of all chains, the audit log's too, so that none can be taken away, or put
 * back for itself to what it once was. Private to the store.
 *
 * A head is a number of 256 bits that only who has the key can tell. Their sum changes by what each commit changes:
 * what was done to a head behind our back stays in it. */
#pragma once
#include "collector/store/history_priv.h"

enum { HEADS_AUDIT = 255 }; /* in the place of a class: heads of the audit log */

struct heads {
	uint64_t lanes[4], count;
	bool is_ours; /* as it was found; else it is left as it is, for verification to tell */
};

int heads_read(struct store *s, struct heads *ret, struct err *err) WARN_UNUSED;
/* A head goes from a value to another. NULL: there was none, or there is none any more. */
void heads_move(struct store *s, struct heads *h, const char *subject, unsigned class_no, const struct chain_value *from,
		const struct chain_value *to);
int heads_write(struct store *s, const struct heads *h, struct err *err) WARN_UNUSED;
