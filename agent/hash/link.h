/* link.h - the hash worker as the loop sees it: a process that is started when there is something to ask, ends when
 * there is nothing for a while, and is killed when it hangs. */
#pragma once
#include <stdbool.h>

#include "agent/hash/question.h"
#include "common/err.h"
#include "common/loop.h"

struct hash_link;

struct hash_link_ops {
	/* Not with HASH_ALIVE. */
	void (*on_answer)(void *arg, const struct hash_answer *a);
	/* It takes more. */
	void (*on_room)(void *arg);
	/* It ended. working_id: what it was with if it hung or crashed, 0: nothing. What it was asked and did not answer is
	 * to be asked again, but for that. */
	void (*on_end)(void *arg, uint64_t working_id);
};

/* argv: of this program, argv[0] included, NULL-ended; borrowed as ops are. hang_ms: how long it may be silent while
 * there is work. */
int hash_link_new(struct loop *l, const char *program, const char *const *argv, uint64_t hang_ms,
		  const struct hash_link_ops *ops, void *arg, struct hash_link **ret, struct err *err) WARN_UNUSED;
/* False: not now; on_room or on_end follows. */
bool hash_link_ask(struct hash_link *k, const struct hash_question *q);
/* Whether anything is asked and unanswered: only then may its silence mean that it hangs. */
void hash_link_expect(struct hash_link *k, bool is_expecting);
/* Is it the worker? */
bool hash_link_is(const struct hash_link *k, uint32_t pid);
/* NULL is allowed. Kills it; does not wait for what can't be killed. */
void hash_link_free(struct hash_link *k);
DEFINE_CLEANUP(struct hash_link, hash_link_free)
