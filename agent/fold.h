/* fold.h - at most so many matches of one rule in one container; the rest are counted and told as one.
 *
 * The first `burst` matches of a (rule, container) in a window go out one by one, and after them the first of
 * each further subject (who did what to what), up to FOLD_SUBJECTS of them: who does something harmless ten
 * times does not hide the eleventh. Of the others only the count, the first and the last time are kept, and
 * told when the window ends. Bounded; nothing is dropped
 * without being counted: when the table is full, matches go out one by one. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

struct fold;

enum { FOLD_SUBJECTS = 32 }; /* of a pair, in a window; those within the burst are counted */

/* What was folded: told once per window and (rule, container). Strings borrowed for the call. */
struct folded {
	const char *rule, *container_id; /* "" = host */
	uint64_t count;			 /* >= 1: matches that did not go out */
	uint64_t first_unix_ns, last_unix_ns;
	struct slice sample; /* the packed finding of the first of them, for its details */
};
typedef void (*fold_fn)(void *arg, const struct folded *f);

/* max: (rule, container) pairs remembered. burst 0: nothing is folded. */
int fold_new(size_t max, unsigned burst, uint64_t window_ns, fold_fn fn, void *arg, struct fold **ret,
	     struct err *err) WARN_UNUSED;
/* true: send this one. false: it was counted; sample is copied (at most once a window).
 * subject: a hash of what tells one match from another. */
bool fold_admit(struct fold *f, const char *rule, const char *container_id, uint64_t subject, uint64_t unix_ns);
/* Has this window of the pair no sample yet? Spares packing a finding that would not be looked at. */
bool fold_wants_sample(const struct fold *f, const char *rule, const char *container_id);
void fold_sample(struct fold *f, const char *rule, const char *container_id, struct slice finding);
/* Tells windows that have ended. */
void fold_tick(struct fold *f, uint64_t unix_ns);
uint64_t fold_total(const struct fold *f); /* matches folded since the start */
/* Tells what is left. */
void fold_free(struct fold *f);
DEFINE_CLEANUP(struct fold, fold_free)
