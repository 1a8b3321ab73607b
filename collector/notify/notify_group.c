/* notify_group.c - groups that are due become messages, in one transaction for all lanes.
 *
 *   pending member -> what its alert is now -> told (a part of the message) | dropped | silent (kept, not told)
 */
#include "collector/notify/notify_priv.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/store/store_triage.h"
#include "common/text.h"
#include "common/tls.h"

enum { ALERT_BYTES = 1024 * 1024, MEMBERS = 128, GROUPS_AT_ONCE = 32, AGAIN_AT_ONCE = 64, CLOSED_AT_ONCE = 256 };

/* ---- one member ---- */

/* Of an alert that is over. */
static enum member_verdict judge_resolved(struct notify *n, const struct lane *l, const struct store_member *m,
					  struct store_part *ret)
{
	bool was_told = m->said == SAID_OPEN || m->said == SAID_ACKNOWLEDGED;

	if (!was_told)
		n->skipped++;
	if (!was_told || !notify_lane_resolves(l))
		return MEMBER_DROPPED;
	ret->why = NOTIFY_RESOLVED;
	return MEMBER_TOLD;
}

/* Of one that is open, and that people may hear of. */
static enum member_verdict judge_open(const struct lane *l, bool is_held, bool is_acknowledged,
				      const struct store_member *m, struct store_part *ret)
{
	bool is_repeat = m->pending == NOTIFY_REPEATED || m->pending == NOTIFY_UNACKNOWLEDGED;

	if (is_acknowledged && (is_repeat || (is_held && m->said == SAID_NOTHING)))
		return MEMBER_SILENT; /* somebody is on it already */
	if (m->pending == NOTIFY_ACKNOWLEDGED && (!is_acknowledged || m->said == SAID_NOTHING))
		return MEMBER_SILENT;
	if (m->pending == NOTIFY_RESOLVED) { /* it is open again */
		if (m->said != SAID_NOTHING)
			return MEMBER_SILENT;
		ret->why = NOTIFY_REOPENED;
	}
	if (m->pending == NOTIFY_WORSE && m->said == SAID_NOTHING && notify_lane_follows(l))
		ret->why = NOTIFY_NEW;
	return MEMBER_TOLD;
}

int notify_member_judge(struct notify *n, const struct lane *l, bool is_held, const struct store_member *m,
			enum member_verdict *ret, struct store_part *ret_part, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ALERT_BYTES);
	struct store_alert al;
	bool is_quiet = false;

	*ret_part = (struct store_part){ m->alert, m->pending };
	*ret = MEMBER_DROPPED;
	if (!a)
		return err_set(err, ENOMEM, "notify");
	int r = store_alert_get(n->store, m->alert, a, &al, err);
	if (r == -ERR_NOT_FOUND) {
		n->skipped++;
		return store_notify_member_drop(n->store, m->group, m->alert, err);
	}
	if (r < 0)
		return r;
	bool is_resolved = !strcmp(al.status, "resolved"), is_acknowledged = !strcmp(al.status, "acknowledged");
	if (is_resolved) {
		*ret = judge_resolved(n, l, m, ret_part);
		return store_notify_member_drop(n->store, m->group, m->alert, err);
	}
	if (n->cfg->is_quiet)
		r = n->cfg->is_quiet(n->cfg->quiet_arg, &al, &is_quiet, err);
	if (r < 0)
		return r;
	n->quiet += is_quiet;
	*ret = is_quiet ? MEMBER_SILENT : judge_open(l, is_held, is_acknowledged, m, ret_part);
	/* What was never told, and isn't now, is not followed either. */
	if (!notify_lane_follows(l) || (*ret == MEMBER_SILENT && m->said == SAID_NOTHING))
		return store_notify_member_drop(n->store, m->group, m->alert, err);
	enum store_said said = *ret == MEMBER_SILENT ? m->said : is_acknowledged ? SAID_ACKNOWLEDGED : SAID_OPEN;
	return store_notify_member_set(n->store, m->group, m->alert, 0, said, err);
}

/* ---- one group ---- */

struct members {
	struct store_member all[MEMBERS];
	size_t count;
};

static int on_member(void *arg, const struct store_member *m)
{
	struct members *all = arg;

	all->all[all->count++] = *m;
	return 0;
}

/* The same message has the same key, however often it is sent. */
static void message_keys(const struct lane *l, const struct store_group *g, char key[65], char thread[65])
{
	char text[512];
	uint8_t hash[32];

	snprintf(text, sizeof(text), "%.100s\n%.100s\n%" PRId64 "\n%" PRIu64, l->route->name, l->to->name, g->id,
		 g->created_unix_ns);
	tls_sha256(slice_of(text), hash);
	text_hex(hash, sizeof(hash), thread);
	thread[32] = 0;
	snprintf(text, sizeof(text), "%.32s\n%" PRIu64, thread, g->serial + 1);
	tls_sha256(slice_of(text), hash);
	text_hex(hash, sizeof(hash), key);
	key[32] = 0;
}

static int form_message(struct notify *n, const struct lane *l, const struct store_group *g,
			const struct store_part *parts, size_t count, struct err *err)
{
	static const char *const kinds[] = { [NOTIFY_WEBHOOK] = "webhook", [NOTIFY_MAIL] = "mail", [NOTIFY_SYSLOG] = "syslog" };
	char key[65], thread[65];
	int64_t id;

	message_keys(l, g, key, thread);
	struct store_outbox o = { .route = l->route->name,
				  .receiver = l->to->name,
				  .kind = kinds[l->to->kind],
				  .group = g->label,
				  .key = key,
				  .body = "",
				  .thread = thread,
				  .group_id = g->id,
				  .serial = g->serial + 1,
				  .due_unix_ns = notify_now(n),
				  .created_unix_ns = notify_now(n) };
	int r = store_notify_form(n->store, &o, parts, count, &id, err);
	for (size_t i = 0; i < count && r >= 0; i++)
		r = store_trail_add(n->store, parts[i].alert, TRAIL_SYSTEM, "told", l->to->name, err);
	return r;
}

/* *ret_is_made: there was something to be told. */
static int form_group(struct notify *n, const struct lane *l, const struct store_group *g, bool *ret_is_made,
		      struct err *err)
{
	struct store_part parts[NOTIFY_MAIL_ALERTS];
	struct members members = { .count = 0 };
	size_t most = notify_lane_most(l), count = 0, i = 0;
	uint64_t now = notify_now(n);

	int r = store_notify_pending(n->store, g->id, MEMBERS, on_member, &members, err);
	for (; i < members.count && count < most && r >= 0; i++) {
		enum member_verdict v;

		r = notify_member_judge(n, l, g->is_held, &members.all[i], &v, &parts[count], err);
		count += r >= 0 && v == MEMBER_TOLD;
	}
	if (r < 0)
		return r;
	bool has_more = i < members.count || members.count == MEMBERS;
	*ret_is_made = count > 0;
	if (count)
		r = form_message(n, l, g, parts, count, err);
	if (r >= 0)
		r = store_notify_set_due(n->store, g->id, has_more ? now : 0, has_more && g->is_held, err);
	if (r >= 0 && count && l->route->repeat_ns)
		r = store_notify_set_again(n->store, g->id, now + l->route->repeat_ns, err);
	return r;
}

/* ---- one lane ---- */

struct groups {
	struct store_group all[CLOSED_AT_ONCE];
	size_t count;
	char label[1024]; /* of the last */
};

static int on_group(void *arg, const struct store_group *g)
{
	struct groups *gs = arg;

	slice_copy(slice_of(g->label), gs->label, sizeof(gs->label));
	gs->all[gs->count] = *g;
	gs->all[gs->count].label = gs->label;
	gs->count++;
	return 0;
}

static int tell_again(struct notify *n, const struct lane *l, uint64_t now, struct groups *gs, struct err *err)
{
	gs->count = 0;
	int r = store_notify_due_again(n->store, l->route->name, l->to->name, now, AGAIN_AT_ONCE, on_group, gs, err);
	for (size_t i = 0; i < gs->count && r >= 0; i++) {
		size_t count;

		r = store_notify_renew(n->store, gs->all[i].id, NOTIFY_REPEATED, &count, err);
		if (r >= 0)
			r = store_notify_set_again(n->store, gs->all[i].id, count ? now + l->route->repeat_ns : 0, err);
		if (r >= 0 && count && !gs->all[i].due_unix_ns)
			r = store_notify_set_due(n->store, gs->all[i].id, now, false, err);
	}
	return r;
}

/* Outside of the route's hours everything waits until they begin. */
static int put_off(struct notify *n, const struct lane *l, uint64_t now, uint64_t until, struct groups *gs,
		   struct err *err)
{
	gs->count = 0;
	int r = store_notify_due(n->store, l->route->name, l->to->name, now, CLOSED_AT_ONCE, on_group, gs, err);
	for (size_t i = 0; i < gs->count && r >= 0; i++)
		r = store_notify_set_due(n->store, gs->all[i].id, until, true, err);
	return r;
}

static int form_lane(struct notify *n, struct lane *l, uint64_t now, struct groups *gs, uint64_t *ret_next,
		     struct err *err)
{
	int r = l->route->repeat_ns ? tell_again(n, l, now, gs, err) : 0;
	size_t due;

	if (r >= 0)
		r = store_notify_count_due(n->store, l->route->name, l->to->name, now, 1, &due, err);
	if (r < 0 || (!due && !l->is_collecting && !l->storm_window_ns))
		return r;
	uint64_t closed = notify_route_closed(l->route, now);
	if (closed)
		return put_off(n, l, now, closed, gs, err);
	r = notify_storm(n, l, now, ret_next, err);
	if (r != 0)
		return r < 0 ? r : 0;
	for (unsigned i = 0; i < GROUPS_AT_ONCE; i++) {
		bool is_made;

		gs->count = 0;
		r = store_notify_due(n->store, l->route->name, l->to->name, now, 1, on_group, gs, err);
		if (r < 0 || !gs->count)
			return r;
		if (!notify_pace_take(l, now)) {
			*ret_next = notify_pace_next(l, now);
			return 0;
		}
		r = form_group(n, l, &gs->all[0], &is_made, err);
		if (r < 0)
			return r;
		if (!is_made)
			l->milli_tokens += 1000;
	}
	*ret_next = now; /* there may be more */
	return 0;
}

int notify_form(struct notify *n, uint64_t *ret_next, struct err *err)
{
	CLEANUP(freep) struct groups *gs = malloc(sizeof(*gs));
	uint64_t now = notify_now(n);

	*ret_next = 0;
	if (!gs)
		return err_set(err, ENOMEM, "notify");
	int r = store_begin(n->store, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n->lane_count && r >= 0; i++) {
		uint64_t next = 0;

		r = form_lane(n, &n->lanes[i], now, gs, &next, err);
		if (r >= 0 && !next)
			r = store_notify_next(n->store, n->lanes[i].route->name, n->lanes[i].to->name, now, &next, err);
		if (next && (!*ret_next || next < *ret_next))
			*ret_next = next;
	}
	return store_end(n->store, r, err);
}
