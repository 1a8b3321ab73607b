/* escalate.c - see escalate.h. */
#include "collector/alert/escalate.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/alert/quiet.h"
#include "collector/store/store_quiet_list.h"
#include "collector/store/store_triage.h"

enum { SLICE_ALERTS = 50, ROW_ARENA_BYTES = 2 * 1024 * 1024, NAME_BYTES = 64 };
static const uint64_t minute_ns = 60ull * 1000000000;

struct alert_escalations {
	const struct alert_escalation *rows;
	size_t count;
	struct store_matcher *matchers[ALERT_ESCALATIONS_MAX];
};

static int read_one(const struct alert_escalation *x, struct store_matcher **ret, struct err *err)
{
	if (!x->name || !x->name[0] || strlen(x->name) >= NAME_BYTES)
		return err_set(err, ERR_SYNTAX, "alert.escalations: each needs a name of at most %d bytes", NAME_BYTES - 1);
	if (!x->filter || !x->routes.count || !x->after_ms)
		return err_set(err, ERR_SYNTAX, "alert.escalations: '%s' needs filter, after and routes", x->name);
	int r = store_matcher_new(slice_of(x->filter), ret, err);
	return r < 0 ? err_wrap(err, r, "alert.escalations: '%s': filter", x->name) : 0;
}

int alert_escalations_new(const struct alert_escalation *rows, size_t count, struct alert_escalations **ret,
			  struct err *err)
{
	CLEANUP(alert_escalations_freep) struct alert_escalations *e = calloc(1, sizeof(*e));

	if (!e)
		return err_set(err, ENOMEM, "escalations");
	if (count > ALERT_ESCALATIONS_MAX)
		return err_set(err, ERR_SYNTAX, "alert.escalations: more than %d", ALERT_ESCALATIONS_MAX);
	e->rows = rows;
	for (; e->count < count; e->count++) {
		int r = read_one(&rows[e->count], &e->matchers[e->count], err);
		if (r < 0)
			return r;
		for (size_t k = 0; k < e->count; k++)
			if (!strcmp(rows[k].name, rows[e->count].name))
				return err_set(err, ERR_SYNTAX, "alert.escalations: two are called '%s'", rows[k].name);
	}
	*ret = take_ptr(e);
	return 0;
}

void alert_escalations_free(struct alert_escalations *e)
{
	for (size_t i = 0; e && i < ARRAY_LEN(e->matchers); i++)
		store_matcher_free(e->matchers[i]);
	free(e);
}

int alert_escalations_begin(const struct alert_escalations *e, struct store *s, const struct store_alert *al,
			    uint64_t now_unix_ns, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < e->count && r >= 0; i++)
		if (!strcmp(al->status, "new") && store_matcher_matches(e->matchers[i], al, now_unix_ns))
			r = store_escalation_begin(s, al->id, e->rows[i].name, now_unix_ns + e->rows[i].after_ms * 1000000, err);
	return r;
}

int alert_escalations_known(const struct alert_escalations *e, struct store *s, struct err *err)
{
	struct store_policy_key keys[ALERT_ESCALATIONS_MAX];

	for (size_t i = 0; i < e->count; i++)
		keys[i] = (struct store_policy_key){ e->rows[i].name, slice_hash(slice_of(e->rows[i].filter)) };
	return store_escalation_policies(s, keys, e->count, err);
}

/* A slice of what was open before policy i came: 1, there is more. */
static int catch_up(const struct alert_escalations *e, size_t i, struct store *s, uint64_t now, struct err *err)
{
	const struct alert_escalation *x = &e->rows[i];
	bool is_done = false;
	int64_t id;
	int r;

	for (unsigned n = 0; n < SLICE_ALERTS && (r = store_escalation_before(s, x->name, &id, &is_done, err)) > 0; n++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
		struct store_alert al;

		r = a ? store_alert_get(s, id, a, &al, err) : err_set(err, ENOMEM, "escalation");
		if (r >= 0 && store_matcher_matches(e->matchers[i], &al, now))
			r = store_escalation_begin(s, id, x->name, now + x->after_ms * 1000000, err);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : !is_done;
}

static const struct alert_escalation *find(const struct alert_escalations *e, const char *name)
{
	for (size_t i = 0; i < e->count; i++)
		if (!strcmp(e->rows[i].name, name))
			return &e->rows[i];
	return NULL;
}

struct run {
	struct store *store;
	uint64_t now;
	alert_escalate_fn *tell;
	void *arg;
};

static int tell_all(const struct run *run, const struct alert_escalation *x, const struct store_escalation *due,
		    struct err *err)
{
	char **routes = x->routes.items, text[256];
	int n = snprintf(text, sizeof(text), "%s, time %" PRIu64 ": ", x->name, due->done + 1), r = 0;

	for (size_t i = 0; i < x->routes.count && r >= 0; i++) {
		if (n > 0 && (size_t)n < sizeof(text))
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s", i ? ", " : "", routes[i]);
		r = run->tell(run->arg, due->alert, routes[i], err);
	}
	return r < 0 ? r : store_trail_add(run->store, due->alert, TRAIL_SYSTEM, "escalated", text, err);
}

/* What is due of one alert; a policy that is no longer there, and an alert that somebody has seen, end it. */
static int escalate(const struct run *run, const struct alert_escalation *x, const struct store_escalation *due,
		    struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct alert_quiet q = { 0 };
	struct store_alert al;
	int r = a ? store_alert_get(run->store, due->alert, a, &al, err) : err_set(err, ENOMEM, "escalation");

	if (!x || r == -ERR_NOT_FOUND || (r >= 0 && strcmp(al.status, "new") != 0))
		return store_escalation_next(run->store, due->alert, due->policy, 0, 0, err);
	if (r >= 0)
		r = alert_quiet(run->store, &al, run->now, &q, err);
	if (r < 0)
		return r;
	if (q.is_quiet)
		return store_escalation_next(run->store, due->alert, due->policy, run->now + minute_ns, due->done, err);
	r = tell_all(run, x, due, err);
	if (r < 0)
		return r;
	bool is_last = due->done + 1 >= (x->times ? x->times : 1);
	uint64_t next = run->now + (x->every_ms ? x->every_ms : x->after_ms) * 1000000;
	return store_escalation_next(run->store, due->alert, due->policy, is_last ? 0 : next, due->done + 1, err);
}

/* The longest that a policy waits; a minute, of what is quiet. */
static uint64_t longest_ns(const struct alert_escalations *e)
{
	uint64_t longest = minute_ns;

	for (size_t i = 0; i < e->count; i++) {
		const struct alert_escalation *x = &e->rows[i];
		uint64_t ms = x->after_ms > x->every_ms ? x->after_ms : x->every_ms;

		longest = ms * 1000000 > longest ? ms * 1000000 : longest;
	}
	return longest;
}

static int tick(const struct alert_escalations *e, const struct run *run, struct err *err)
{
	char policy[NAME_BYTES];
	int r = store_escalation_at_most(run->store, run->now + longest_ns(e), err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < SLICE_ALERTS; i++) {
		struct store_escalation due;

		r = store_escalation_due(run->store, run->now, &due, policy, err);
		if (r <= 0)
			return r;
		r = escalate(run, find(e, policy), &due, err);
		if (r < 0)
			return r;
	}
	return 1;
}

int alert_escalations_tick(const struct alert_escalations *e, struct store *s, const struct clock *clk,
			   alert_escalate_fn *tell, void *arg, struct err *err)
{
	const struct run run = { s, clock_unix_ns(clk), tell, arg };
	int more = 0, r = store_begin(s, err);

	if (r < 0)
		return r;
	r = tick(e, &run, err);
	for (size_t i = 0; i < e->count && !more && r >= 0; i++) {
		more = catch_up(e, i, s, run.now, err);
		r = more < 0 ? more : r;
	}
	r = store_end(s, r, err);
	return r < 0 ? r : r || more > 0;
}
