/* alert_kept.h - alerts of a state (a vulnerability, a check) and not of events: opened once, kept up to date in silence,
 * closed with why. Private to this room. */
#pragma once
#include "collector/alert/alert.h"

enum { ALERT_DOCUMENT_BYTES = 128 * 1024 };
const char *alert_priority(enum msg_severity severity); /* Falco's word */

/* One of them while it is made. */
struct alert_draft {
	const char *about; /* which, for an error */
	struct buf title, document, key;
	/* severity, source, rule, host, agent, container_id; the rest is the draft's */
	struct store_alert row;
};
/* The parts that make it one and the same alert. */
void alert_draft_init(struct alert_draft *d, const char *const key[static 4]);
/* id 0: opens it; else brings it up to date. ERR_NOT_FOUND: it is here no longer. ERR_LIMIT: too large. */
int alert_draft_tell(struct alert_draft *d, struct store *s, const struct clock *clk, int64_t id,
		     enum alert_renewal how, struct alert_change *ret, struct err *err) WARN_UNUSED;
static inline void alert_draft_finip(struct alert_draft *d)
{
	buf_fini(&d->title);
	buf_fini(&d->document);
	buf_fini(&d->key);
}
