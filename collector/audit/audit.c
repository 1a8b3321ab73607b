/* audit.c - judging in slices, the minute's tidying, life. */
#include "collector/audit/audit_priv.h"

#include <errno.h>

#include "common/log.h"

enum { TICK_MS = 1000 };
static const uint64_t ms_ns = 1000000, minute_ns = 60ull * 1000000000, day_ns = 24ull * 3600 * 1000000000;
static const uint64_t grace_ns = 10 * 60ull * 1000000000;

/* ---- one case ---- */

static enum audit_case_why why_of(const struct store_check_case *c)
{
	if (c->told_state == CHECK_CLOSED)
		return AUDIT_CASE_AGAIN;
	if (c->told_state != CHECK_TOLD)
		return AUDIT_CASE_NEW;
	if (c->severity > c->told_severity)
		return AUDIT_CASE_WORSE;
	return c->newest > c->told_newest ? AUDIT_CASE_MORE : AUDIT_CASE_SAME;
}

static int judge_one(struct audit *a, struct store_check_case *c, struct err *err)
{
	int r = 0;

	if (!c->count) {
		if (c->told_state == CHECK_TOLD)
			r = a->ops.on_closed(a->arg, c->alert, c->why_over, err);
		c->told_state = c->told_state == CHECK_TOLD ? CHECK_CLOSED : CHECK_UNTOLD;
	} else {
		enum audit_case_why why = why_of(c);

		c->told_state = CHECK_TOLD;
		r = a->ops.on_case(a->arg, c, why, err);
	}
	c->told_severity = c->severity;
	c->told_newest = c->newest;
	return r < 0 ? r : store_check_case_done(a->store, c, err);
}

/* 1: there may be more to do. */
static int judge_some(struct audit *a, uint64_t until_boot_ns, bool *ret_any, struct err *err)
{
	CLEANUP(freep) struct store_check_case *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(err, ENOMEM, "checks");
	do {
		arena_reset(a->case_arena);
		int r = store_check_case_next(a->store, grace_ns, a->case_arena, c, err);
		if (r > 0) {
			*ret_any = true;
			r = judge_one(a, c, err);
			r = r < 0 ? r : 1;
		}
		if (r <= 0)
			return r;
	} while (clock_boot_ns(a->clk) < until_boot_ns);
	return 1;
}

static int do_slice(struct audit *a, struct err *err)
{
	bool any = false;
	int r = store_begin(a->store, err);

	if (r < 0)
		return r;
	r = judge_some(a, clock_boot_ns(a->clk) + AUDIT_SLICE_MS * ms_ns, &any, err);
	r = store_end(a->store, r, err);
	if (r >= 0 && any && a->ops.on_committed)
		a->ops.on_committed(a->arg);
	return r;
}

static void on_work(void *arg)
{
	struct audit *a = arg;
	struct err err = { 0 };

	int r = do_slice(a, &err);
	if (r < 0)
		LOG(ERROR, "audit.judge", KV_STR("why", err.msg));
	if (r > 0)
		audit_kick(a);
}

void audit_kick(struct audit *a)
{
	loop_timer_soon(a->work, 1);
}

/* ---- each second, each minute ---- */

struct telling {
	struct audit *a;
	struct err *err;
};

static int on_expired(void *arg, const struct store_waiver *w)
{
	struct telling *t = arg;

	return t->a->ops.on_waiver ? t->a->ops.on_waiver(t->a->arg, w, t->err) : 0;
}

static int tidy(struct audit *a, struct err *err)
{
	struct telling t = { a, err };
	int r = store_begin(a->store, err);

	if (r < 0)
		return r;
	r = store_waivers_expire(a->store, on_expired, &t, err);
	if (r >= 0)
		r = store_checks_tidy(a->store, 7 * day_ns, 90 * day_ns, err);
	r = store_end(a->store, r, err);
	if (r >= 0 && a->ops.on_committed)
		a->ops.on_committed(a->arg);
	return r;
}

static int tidy_in_time(struct audit *a, struct err *err)
{
	uint64_t now = clock_boot_ns(a->clk);

	if (now - a->tidied_boot_ns < minute_ns)
		return 0;
	a->tidied_boot_ns = now;
	return tidy(a, err);
}

static void on_tick(void *arg)
{
	struct audit *a = arg;
	struct err err = { 0 };

	if (tidy_in_time(a, &err) < 0)
		LOG(ERROR, "audit.tidy", KV_STR("why", err.msg));
	audit_kick(a);
}

int audit_work_all(struct audit *a, struct err *err)
{
	int r = tidy_in_time(a, err);

	if (r < 0)
		return r;
	do {
		r = do_slice(a, err);
	} while (r > 0);
	return r;
}

/* ---- status ---- */

void audit_status(struct audit *a, struct json *j)
{
	struct store_check_counts n;

	if (store_check_counts(a->store, &n, NULL) < 0)
		return;
	json_kv_object(j, "checks");
	for (size_t i = ARRAY_LEN(n.open); i-- > 0;)
		json_kv_u64(j, msg_severity_name((enum msg_severity)i), n.open[i]);
	json_kv_u64(j, "waived", n.waived);
	json_kv_u64(j, "mended", n.mended);
	json_kv_u64(j, "subjects", n.subjects);
	json_kv_u64(j, "hosts", n.hosts);
	json_object_close(j);
}

/* ---- life ---- */

int audit_new(struct loop *l, struct store *s, const struct clock *clk, const struct audit_ops *ops, void *arg,
	      struct audit **ret, struct err *err)
{
	CLEANUP(audit_freep) struct audit *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(err, ENOMEM, "checks");
	a->store = s;
	a->clk = clk;
	a->ops = *ops;
	a->arg = arg;
	a->quota.at_once = AUDIT_RESULTS_AT_ONCE;
	a->quota.per_hour = AUDIT_RESULTS_PER_HOUR;
	a->tidied_boot_ns = clock_boot_ns(clk);
	a->case_arena = arena_new(AUDIT_CASE_ARENA_BYTES);
	a->work = loop_timer_new(l, on_work, a);
	a->tick = loop_timer_new(l, on_tick, a);
	if (!a->case_arena || !a->work || !a->tick)
		return err_set(err, ENOMEM, "checks");
	loop_timer_every(a->tick, TICK_MS);
	*ret = take_ptr(a);
	return 0;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	loop_timer_free(a->work);
	loop_timer_free(a->tick);
	arena_free(a->case_arena);
	free(a);
}
