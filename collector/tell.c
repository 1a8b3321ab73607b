/* tell.c - see tell.h. */
#include "collector/tell.h"

#include <errno.h>

#include "collector/alert/quiet.h"
#include "collector/store/store_exceptions.h"
#include "collector/store/store_risk.h"
#include "common/log.h"

enum { ROW_ARENA_BYTES = 2 * 1024 * 1024, RISKS_AT_ONCE = 5 };
static const uint64_t slice_ns = 20000000;

int tell_open(struct tell *t, const struct collector_config *cfg, struct store *s, const struct clock *clk, struct err *err)
{
	struct store_inhibition rules[STORE_INHIBITIONS_MAX];

	*t = (struct tell){ .store = s, .clk = clk };
	int r = collector_inhibitions(cfg, rules, err);
	if (r >= 0)
		r = store_inhibitions_set(s, rules, (size_t)r, err);
	if (r >= 0)
		r = alert_escalations_new(cfg->escalations.items, cfg->escalations.count, &t->escalations, err);
	return r < 0 ? r : alert_escalations_known(t->escalations, s, err);
}

int tell_through(struct tell *t, const struct collector_config *cfg, struct notify *n, struct err *err)
{
	const struct alert_escalation *x = cfg->escalations.items;

	t->notify = n;
	for (size_t i = 0; i < cfg->escalations.count; i++)
		for (size_t k = 0; k < x[i].routes.count; k++) {
			char *const *names = x[i].routes.items;

			if (!notify_has_route(n, names[k]))
				return err_set(err, ERR_SYNTAX,
					       "alert.escalations: '%s': notify has no route (and, where it lists none, no receiver) "
					       "called '%.64s'",
					       x[i].name, names[k]);
		}
	return 0;
}

void tell_close(struct tell *t)
{
	alert_escalations_free(t->escalations);
	t->escalations = NULL;
}

/* Told, unless something holds it back; whoever shall acknowledge it has time from now on. */
int tell_alert(struct tell *t, int64_t id, enum notify_why why, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	uint64_t now = clock_unix_ns(t->clk);
	struct alert_quiet q = { 0 };
	struct store_alert al;
	int r = a ? store_alert_get(t->store, id, a, &al, err) : err_set(err, ENOMEM, "alert");

	if (r >= 0)
		r = store_inhibit_note(t->store, &al, err);
	if (r >= 0)
		r = alert_escalations_begin(t->escalations, t->store, &al, now, err);
	if (r >= 0)
		r = alert_quiet_hold(t->store, &al, now, &q, err);
	if (r < 0 || q.is_quiet)
		return r;
	return notify_enqueue(t->notify, id, why, err);
}

int tell_is_quiet(void *arg, const struct store_alert *al, bool *ret, struct err *err)
{
	struct tell *t = arg;
	struct alert_quiet q = { 0 };
	int r = alert_quiet_hold(t->store, al, clock_unix_ns(t->clk), &q, err);

	*ret = q.is_quiet;
	return r;
}

/* What was held back, or woke. */
static int on_quiet_over(void *arg, int64_t id, bool woke, struct err *err)
{
	return tell_alert(arg, id, woke ? NOTIFY_REPEATED : NOTIFY_NEW, err);
}

static int on_unacknowledged(void *arg, int64_t id, const char *route, struct err *err)
{
	struct tell *t = arg;
	int r = notify_enqueue_route(t->notify, id, route, NOTIFY_UNACKNOWLEDGED, err);

	/* the route may have gone from the configuration since */
	return r == -ERR_NOT_FOUND ? notify_enqueue(t->notify, id, NOTIFY_UNACKNOWLEDGED, err) : r;
}

typedef int tend_fn(struct tell *t, struct err *err);

static int tend_quiet(struct tell *t, struct err *err)
{
	return alert_quiet_tick(t->store, t->clk, on_quiet_over, t, err);
}

static int tend_escalations(struct tell *t, struct err *err)
{
	return alert_escalations_tick(t->escalations, t->store, t->clk, on_unacknowledged, t, err);
}

static int tend_exceptions(struct tell *t, struct err *err)
{
	int r = store_exceptions_expire(t->store, err);

	return r < 0 ? r : 0;
}

static int tend_inhibited(struct tell *t, struct err *err)
{
	return store_inhibit_catch_up(t->store, err);
}

static int tend_risks(struct tell *t, struct err *err)
{
	bool is_due = false;
	int r = store_risk_judge(t->store, RISKS_AT_ONCE, &is_due, err);

	return r < 0 ? r : is_due;
}

/* A slice of each: true, there is more. One that fails, and may do so for good, must not keep the others. */
static bool tend(struct tell *t)
{
	static tend_fn *const steps[] = { tend_quiet, tend_escalations, tend_exceptions, tend_inhibited, tend_risks };
	bool is_more = false, has_failed = false;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int r = steps[i](t, &err);

		if (r < 0)
			LOG(ERROR, "collector.tend", KV_STR("why", err.msg));
		has_failed |= r < 0;
		is_more |= r > 0;
	}
	return is_more && !has_failed;
}

void tell_tend(struct tell *t)
{
	uint64_t until = clock_boot_ns(t->clk) + slice_ns;

	while (tend(t) && clock_boot_ns(t->clk) < until)
		;
}
