/* notify_sweep.c - what became of alerts that were told: resolved, acknowledged, gone. A look at the rows themselves,
 * a slice each second, because alerts change in many places and a kill may come between. */
#include "collector/notify/notify_priv.h"

#include <errno.h>

enum { SLICE_MEMBERS = 500 };

struct sweep {
	struct notify *notify;
	size_t count;
	struct {
		int64_t group, alert;
		int pending; /* -1: the member goes */
		enum store_said said;
		struct lane *lane;
	} changes[SLICE_MEMBERS];
	size_t change_count;
	int64_t group, alert; /* the last seen */
};

static struct lane *find_lane(struct notify *n, const struct store_member *m)
{
	for (size_t i = 0; i < n->lane_count; i++)
		if (!strcmp(n->lanes[i].route->name, m->route) && !strcmp(n->lanes[i].to->name, m->receiver))
			return &n->lanes[i];
	return NULL;
}

static bool tells_acknowledged(const struct lane *l)
{
	return l->to->kind == NOTIFY_WEBHOOK && l->to->webhook->preset == NOTIFY_PAGERDUTY;
}

static int on_member(void *arg, const struct store_member *m)
{
	struct sweep *s = arg;
	struct lane *l = find_lane(s->notify, m);
	int pending = 0;

	s->count++;
	s->group = m->group;
	s->alert = m->alert;
	if (!m->status[0] || !l || !notify_lane_follows(l))
		pending = -1;
	else if (!strcmp(m->status, "resolved"))
		pending = notify_lane_resolves(l) && m->said != SAID_NOTHING ? NOTIFY_RESOLVED : -1;
	else if (!strcmp(m->status, "acknowledged") && m->said == SAID_OPEN && tells_acknowledged(l))
		pending = NOTIFY_ACKNOWLEDGED;
	if (!pending)
		return 0;
	s->changes[s->change_count].group = m->group;
	s->changes[s->change_count].alert = m->alert;
	s->changes[s->change_count].said = m->said;
	s->changes[s->change_count].lane = l;
	s->changes[s->change_count++].pending = pending;
	return 0;
}

/* Into the group's next message. */
static int announce(struct notify *n, const struct lane *l, int64_t group, int64_t alert, int why, enum store_said said,
		    struct err *err)
{
	int r = store_notify_member_set(n->store, group, alert, why, said, err);

	return r < 0 ? r : store_notify_hurry(n->store, group, l->route->interval_ns, err);
}

static int apply(struct notify *n, const struct sweep *s, struct err *err)
{
	int r = s->change_count ? store_begin(n->store, err) : 0;

	if (r < 0 || !s->change_count)
		return r;
	n->form_at_ns = 0;
	for (size_t i = 0; i < s->change_count && r >= 0; i++)
		r = s->changes[i].pending < 0 ?
			    store_notify_member_drop(n->store, s->changes[i].group, s->changes[i].alert, err) :
			    announce(n, s->changes[i].lane, s->changes[i].group, s->changes[i].alert,
				     s->changes[i].pending, s->changes[i].said, err);
	return store_end(n->store, r, err);
}

int notify_sweep(struct notify *n, struct err *err)
{
	uint64_t now = notify_now(n), longest = 3600 * NOTIFY_SECOND;

	if (n->swept_ns && now - n->swept_ns < NOTIFY_SECOND)
		return 0;
	n->swept_ns = now;
	CLEANUP(freep) struct sweep *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, ENOMEM, "notify");
	s->notify = n;
	int r = store_notify_members_after(n->store, n->sweep_group, n->sweep_alert, SLICE_MEMBERS, on_member, s, err);
	if (r < 0)
		return r;
	n->sweep_group = s->count == SLICE_MEMBERS ? s->group : 0;
	n->sweep_alert = s->count == SLICE_MEMBERS ? s->alert : 0;
	r = apply(n, s, err);
	if (r < 0 || (n->tidied_ns && now - n->tidied_ns < 60 * NOTIFY_SECOND))
		return r;
	n->tidied_ns = now;
	for (size_t i = 0; i < n->route_count; i++)
		if (n->routes[i].interval_ns > longest)
			longest = n->routes[i].interval_ns;
	return store_notify_tidy(n->store, now > longest ? now - longest : 0, err);
}
