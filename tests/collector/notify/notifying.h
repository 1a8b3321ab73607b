/* notifying.h - a store, a loop, a pool and a notify for the tests of both kinds of route. */
#pragma once
#include "collector/alert/alert.h"
#include "collector/notify/notify.h"
#include "tests/collector/people.h"

struct notifying {
	struct people p;
	struct loop *loop;
	struct fetch_pool *pool;
	struct notify *notify;
	struct alert_config alerts;
	uint64_t seq;
};

static inline void notifying_open(struct notifying *n, const struct notify_config *cfg)
{
	MUST(loop_new(&n->loop, &must_err));
	MUST(fetch_pool_new(n->loop, 16, &n->pool, &must_err));
	MUST(notify_new(n->loop, n->p.store, n->pool, &n->p.clk, cfg, &n->notify, &must_err));
}

static inline void notifying_close(struct notifying *n)
{
	notify_free(n->notify);
	n->notify = NULL;
	fetch_pool_free(n->pool);
	loop_free(n->loop);
}

/* As the pipeline does it: alert and outbox in one transaction, then the kick. */
static inline struct alert_change notifying_alert(struct notifying *n, struct people_finding *f)
{
	struct alert_change c;

	MUST(store_begin(n->p.store, &must_err));
	MUST(alert_from_finding(n->p.store, &n->alerts, "agent-1", "host-07", 5, ++n->seq, &f->record, &c,
				&must_err));
	if (c.is_new || c.is_escalated || c.is_reopened)
		MUST(notify_enqueue(n->notify, c.id,
				    c.is_new ? NOTIFY_NEW : c.is_reopened ? NOTIFY_REOPENED : NOTIFY_WORSE, &must_err));
	MUST(store_commit(n->p.store, &must_err));
	notify_kick(n->notify);
	return c;
}

struct outbox_count {
	unsigned waiting, dead;
	char last_error[256];
};

static inline int notifying_on_row(void *arg, const struct store_outbox *o)
{
	struct outbox_count *c = arg;

	if (o->is_dead)
		c->dead++;
	else
		c->waiting++;
	slice_copy(slice_of(o->last_error), c->last_error, sizeof(c->last_error));
	return 0;
}

static inline struct outbox_count notifying_count(struct notifying *n)
{
	struct outbox_count c = { 0 };

	struct notify_stats st;

	MUST(store_outbox_each(n->p.store, notifying_on_row, &c, &must_err));
	if (n->notify) {
		MUST(notify_stats(n->notify, &st, &must_err));
		c.waiting += (unsigned)st.pending;
	}
	return c;
}

/* Turns the loop until the outbox looks so, or ms went by. */
static inline bool notifying_until(struct notifying *n, unsigned waiting, unsigned dead, unsigned ms)
{
	uint64_t end = clock_boot_ns(clock_real()) + ms * 1000000ull;

	while (clock_boot_ns(clock_real()) < end) {
		struct outbox_count c = notifying_count(n);

		if (c.waiting == waiting && c.dead == dead)
			return true;
		loop_step(n->loop, 10);
	}
	return false;
}
