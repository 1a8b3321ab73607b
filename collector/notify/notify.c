/* notify.c - see notify.h.
 *
 *   enqueue (in the alert's transaction)  -> a member of a group, for each route it matches and each of its receivers
 *   kick (after the commit), for each lane (a route and a receiver):
 *       groups that are due (notify_group.c), or in a storm all of them (notify_storm.c)
 *                                         -> messages: rows of the outbox
 *       messages that are due (notify_send.c) -> requests
 *   answer -> row gone | due again later | dead letter
 *
 * Each lane has slots and rows of its own, so that one slow receiver can't stand before another. A group has one
 * message on its way at a time, so its order is kept through every retry. */
#include "collector/notify/notify_priv.h"

#include <errno.h>
#include <event2/dns.h>
#include <inttypes.h>

#include "common/log.h"

enum { ALERT_BYTES = 1024 * 1024, ARENA_BYTES = 4 * 1024 * 1024 };

const char *notify_why_name(enum notify_why why)
{
	switch (why) {
	case NOTIFY_NEW:
		return "new";
	case NOTIFY_WORSE:
		return "worse";
	case NOTIFY_REOPENED:
		return "reopened";
	case NOTIFY_UNACKNOWLEDGED:
		return "unacknowledged";
	case NOTIFY_RESOLVED:
		return "resolved";
	case NOTIFY_ACKNOWLEDGED:
		return "acknowledged";
	case NOTIFY_REPEATED:
		return "repeated";
	}
	return "new";
}

/* ---- what is to be said ---- */

void notify_wake_at(struct notify *n, uint64_t due)
{
	uint64_t now = notify_now(n);

	if (n->wake_unix_ns && n->wake_unix_ns <= due && n->wake_unix_ns > now)
		return;
	n->wake_unix_ns = due > now ? due : now;
	loop_timer_once(n->timer, (n->wake_unix_ns - now) / 1000000 + 1);
}

static int put(struct notify *n, struct lane *l, const struct store_alert *al, enum notify_why why, struct err *err)
{
	struct group_name name;
	struct store_news news = { .route = l->route->name,
				   .receiver = l->to->name,
				   .alert = al->id,
				   .why = (int)why,
				   .wait_ns = l->route->wait_ns,
				   .interval_ns = l->route->interval_ns };
	uint64_t now = notify_now(n), due;
	int r = notify_group_name(l->route, al, &name, err);

	if (r < 0)
		return r;
	news.key = name.key;
	news.label = name.label;
	r = store_notify_put(n->store, &news, &due, err);
	if (r < 0)
		return r;
	notify_pace_news(l, now);
	n->is_uncommitted = true;
	if (due < n->form_at_ns)
		n->form_at_ns = due;
	notify_wake_at(n, due);
	return 0;
}

static int put_route(struct notify *n, const struct route *rt, const struct store_alert *al, enum notify_why why,
		     struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n->lane_count && r >= 0; i++) {
		struct lane *l = &n->lanes[i];

		if (l->route == rt && (int)al->severity >= l->to->min_severity)
			r = put(n, l, al, why, err);
	}
	return r;
}

/* Which routes the filters let it into, by one look at its row. */
static int match(struct notify *n, int64_t id, bool is_in[NOTIFY_ROUTES], struct err *err)
{
	const struct filter *filters[NOTIFY_ROUTES];
	size_t which[NOTIFY_ROUTES], count = 0;
	bool matches[NOTIFY_ROUTES];

	for (size_t i = 0; i < n->route_count; i++) {
		is_in[i] = true;
		if (!n->routes[i].has_filter)
			continue;
		which[count] = i;
		filters[count++] = &n->routes[i].filter;
	}
	int r = count ? store_alert_matches(n->store, id, filters, count, matches, err) : 0;
	for (size_t i = 0; i < count && r >= 0; i++)
		is_in[which[i]] = matches[i];
	return r;
}

static int put_routes(struct notify *n, const struct store_alert *al, enum notify_why why, struct err *err)
{
	bool is_in[NOTIFY_ROUTES], is_over = false;
	int r = match(n, al->id, is_in, err);

	for (size_t i = 0; i < n->route_count && r >= 0; i++) {
		const struct route *rt = &n->routes[i];

		if (!is_in[i] || (int)al->severity < rt->min_severity || (is_over && !rt->is_implicit))
			continue;
		/* a receiver that no route names hears whatever the routes say */
		is_over |= !rt->is_implicit && !rt->goes_on;
		r = put_route(n, rt, al, why, err);
	}
	return r;
}

static int with_alert(struct notify *n, int64_t id, struct arena **ret_arena, struct store_alert *ret, struct err *err)
{
	*ret_arena = arena_new(ALERT_BYTES);
	if (!*ret_arena)
		return err_set(err, ENOMEM, "notify");
	int r = store_alert_get(n->store, id, *ret_arena, ret, err);
	return r < 0 ? err_wrap(err, r, "notify alert %" PRId64, id) : 0;
}

int notify_enqueue(struct notify *n, int64_t alert_id, enum notify_why why, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	struct store_alert al;
	int r = with_alert(n, alert_id, &a, &al, err);

	/* What is over is told to those who heard of it, and they are known: see notify_sweep.c. */
	if (r < 0 || why == NOTIFY_RESOLVED || why == NOTIFY_ACKNOWLEDGED) {
		n->swept_ns = 0;
		return r;
	}
	r = put_routes(n, &al, why, err);
	return r < 0 ? err_wrap(err, r, "notify alert %" PRId64, alert_id) : 0;
}

static const struct route *find_route(const struct notify *n, const char *name)
{
	for (size_t i = 0; i < n->route_count; i++)
		if (!strcmp(n->routes[i].name, name))
			return &n->routes[i];
	return NULL;
}

bool notify_has_route(const struct notify *n, const char *name)
{
	return find_route(n, name) != NULL;
}

int notify_enqueue_route(struct notify *n, int64_t alert_id, const char *route, enum notify_why why, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	struct store_alert al;
	const struct route *rt = find_route(n, route);

	if (!rt)
		return err_set(err, ERR_NOT_FOUND, "no route '%.64s'", route);
	int r = with_alert(n, alert_id, &a, &al, err);
	return r < 0 ? r : put_route(n, rt, &al, why, err);
}

int notify_enqueue_others(struct notify *n, int64_t alert_id, const char *receiver, enum notify_why why,
			  struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	struct store_alert al;
	int r = with_alert(n, alert_id, &a, &al, err);

	for (size_t i = 0; i < n->lane_count && r >= 0; i++) {
		struct lane *l = &n->lanes[i];
		bool is_told = !strcmp(l->to->name, receiver);

		/* one that several routes name once */
		for (size_t k = 0; k < i; k++)
			is_told |= n->lanes[k].to == l->to;
		if (!is_told)
			r = put(n, l, &al, why, err);
	}
	return r;
}

/* ---- what is due ---- */

static void kick(struct notify *n)
{
	struct err err = { 0 };
	uint64_t next = 0;

	if (n->is_uncommitted)
		return; /* the caller's kick follows its commit */
	if (!store_notify_may_begin(n->store)) {
		notify_wake_at(n, notify_now(n) + NOTIFY_SECOND / 20);
		return;
	}
	int r = notify_clock_look(n, &err);
	if (r >= 0)
		r = notify_sweep(n, &err);
	/* Most commits bring no alert. */
	if (r >= 0 && notify_now(n) >= n->form_at_ns) {
		r = notify_form(n, &next, &err);
		n->form_at_ns = r < 0 ? 0 : next ? next : UINT64_MAX;
	} else if (n->form_at_ns < UINT64_MAX) {
		next = n->form_at_ns;
	}
	if (r < 0)
		LOG(ERROR, "notify.form", KV_STR("why", err.msg));
	notify_send_due(n);
	if (next)
		notify_wake_at(n, next);
}

void notify_kick(struct notify *n)
{
	n->is_uncommitted = false;
	kick(n);
}

void notify_retry(struct notify *n)
{
	for (size_t i = 0; i < n->lane_count; i++)
		n->lanes[i].blocked_until_ns = 0;
	notify_kick(n);
}

static void on_timer(void *arg)
{
	struct notify *n = arg;

	n->wake_unix_ns = 0;
	kick(n);
}

/* ---- life ---- */

/* What the configuration no longer has: nobody would ever send it. */
struct orphans {
	const struct notify *notify;
	struct arena *arena;
	size_t count;
	int64_t ids[1024];
	struct {
		const char *route, *receiver;
	} lanes[256];
	size_t lane_count;
};

static bool has_lane(const struct notify *n, const char *route, const char *receiver)
{
	for (size_t i = 0; i < n->lane_count; i++)
		if (!strcmp(n->lanes[i].route->name, route) && !strcmp(n->lanes[i].to->name, receiver))
			return true;
	return false;
}

static int on_row(void *arg, const struct store_outbox *o)
{
	struct orphans *p = arg;

	if (!has_lane(p->notify, o->route, o->receiver) && !o->is_dead && p->count < ARRAY_LEN(p->ids))
		p->ids[p->count++] = o->id;
	return 0;
}

static int on_lane(void *arg, const char *route, const char *receiver)
{
	struct orphans *p = arg;

	if (has_lane(p->notify, route, receiver) || p->lane_count == ARRAY_LEN(p->lanes))
		return 0;
	p->lanes[p->lane_count].route = arena_dup(p->arena, slice_of(route));
	p->lanes[p->lane_count].receiver = arena_dup(p->arena, slice_of(receiver));
	if (!p->lanes[p->lane_count].route || !p->lanes[p->lane_count].receiver)
		return -ENOMEM;
	p->lane_count++;
	return 0;
}

static int bury_orphans(struct notify *n, struct err *err)
{
	static const char why[] = "its route is not configured any more";
	CLEANUP(arena_freep) struct arena *a = arena_new(ARENA_BYTES);
	CLEANUP(freep) struct orphans *p = calloc(1, sizeof(*p));

	if (!p || !a)
		return err_set(err, ENOMEM, "notify");
	p->notify = n;
	p->arena = a;
	int r = store_outbox_each(n->store, on_row, p, err);
	for (size_t i = 0; i < p->count && r >= 0; i++)
		r = store_outbox_retry(n->store, p->ids[i], 0, why, err);
	if (r >= 0)
		r = store_notify_lanes(n->store, on_lane, p, err);
	for (size_t i = 0; i < p->lane_count && r >= 0; i++)
		r = store_notify_bury(n->store, p->lanes[i].route, p->lanes[i].receiver, why, err);
	if (p->count || p->lane_count)
		LOG(WARN, "notify.orphans", KV_U64("rows", p->count), KV_U64("lanes", p->lane_count));
	return r;
}

static int make(struct loop *l, const struct notify_config *cfg, struct notify **ret, struct err *err)
{
	CLEANUP(notify_freep) struct notify *n = calloc(1, sizeof(*n));

	if (!n)
		return err_set(err, ENOMEM, "notify");
	n->loop = l;
	n->cfg = cfg;
	n->max_attempts = cfg->max_attempts ? cfg->max_attempts : 10;
	n->arena = arena_new(ARENA_BYTES);
	if (!n->arena)
		return err_set(err, ENOMEM, "notify");
	int r = notify_setup(n, err);
	if (r < 0)
		return r;
	*ret = take_ptr(n);
	return 0;
}

static int make_dns(struct notify *n, struct err *err)
{
	for (size_t i = 0; i < n->receiver_count && !n->dns; i++) {
		if (n->receivers[i].kind != NOTIFY_SYSLOG)
			continue;
		n->dns = evdns_base_new(loop_base(n->loop),
					EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		if (!n->dns) /* a resolv.conf without servers: addresses and /etc/hosts still do */
			n->dns = evdns_base_new(loop_base(n->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		if (!n->dns)
			return err_set(err, ENOMEM, "notify: no resolver");
	}
	return 0;
}

int notify_new(struct loop *l, struct store *s, struct fetch_pool *pool, const struct clock *clk,
	       const struct notify_config *cfg, struct notify **ret, struct err *err)
{
	CLEANUP(notify_freep) struct notify *n = NULL;
	int r = make(l, cfg, &n, err);

	if (r < 0)
		return r;
	n->store = s;
	n->pool = pool;
	n->clk = clk;
	n->timer = loop_timer_new(l, on_timer, n);
	if (!n->timer)
		return err_set(err, ENOMEM, "notify");
	r = make_dns(n, err);
	if (r >= 0)
		r = bury_orphans(n, err);
	if (r >= 0)
		r = notify_clock_begin(n, err);
	for (size_t i = 0; i < n->lane_count && r >= 0; i++) {
		int64_t open;

		r = store_notify_open(s, n->lanes[i].route->name, n->lanes[i].to->name, &open, err);
		n->lanes[i].is_collecting = open != 0; /* a digest that an earlier run began */
		if (r >= 0)
			r = notify_pace_restore(n, &n->lanes[i], err);
	}
	if (r < 0)
		return r;
	*ret = take_ptr(n);
	return 0;
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	notify_jobs_cancel(n);
	if (n->dns)
		evdns_base_free(n->dns, 0);
	notify_setup_fini(n);
	if (n->timer)
		loop_timer_free(n->timer);
	arena_free(n->arena);
	free(n);
}
