/* store_risk.h - how urgent running containers and images are, and why. One thread; part of the store.
 *
 * Whoever writes what it is made of makes it due, by triggers of the database; store_risk_judge works that off. */
#pragma once
#include "collector/store/store.h"

/* At most limit containers and images that are due, or whose time has come (alerts fade); *ret_more: some are left. In
 * a transaction of its own, or the open one. */
int store_risk_judge(struct store *s, unsigned limit, bool *ret_more, struct err *err) WARN_UNUSED;
/* JSON array of {"points","what","text"}, the score is their sum, at most 100; "[]" and 0 where nothing is known. Appended
 * to out. */
int store_risk_container(struct store *s, const char *agent, const char *id, uint64_t *ret_score, struct buf *out,
			 struct err *err) WARN_UNUSED;
int store_risk_image(struct store *s, int64_t image, uint64_t *ret_score, struct buf *out, struct err *err) WARN_UNUSED;
