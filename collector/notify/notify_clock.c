/* notify_clock.c - a wall clock that was ahead and is set right. Groups and retries are due by it, as they must be after a
 * restart; so what was put off by a wrong clock would wait until that time comes. */
#include "collector/notify/notify_priv.h"

#include "common/log.h"

#define SET_BACK_NS (5 * NOTIFY_SECOND) /* less is waited for */
#define LONGEST_RETRY_NS (3600 * NOTIFY_SECOND)

static uint64_t longest_repeat(const struct notify *n)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < n->route_count; i++)
		longest = n->routes[i].repeat_ns > longest ? n->routes[i].repeat_ns : longest;
	return longest;
}

int notify_clock_begin(struct notify *n, struct err *err)
{
	struct store_notify_longest most = { .repeat_ns = longest_repeat(n), .retry_ns = LONGEST_RETRY_NS };

	/* What waits for a route's hours is judged again when it is due. */
	for (size_t i = 0; i < n->route_count; i++) {
		const struct route *rt = &n->routes[i];

		most.group_ns = rt->wait_ns > most.group_ns ? rt->wait_ns : most.group_ns;
		most.group_ns = rt->interval_ns > most.group_ns ? rt->interval_ns : most.group_ns;
	}
	n->clock_ahead_ns = (int64_t)(notify_now(n) - clock_boot_ns(n->clk));
	return store_notify_set_back(n->store, &most, err);
}

int notify_clock_look(struct notify *n, struct err *err)
{
	const struct store_notify_longest most = { .repeat_ns = longest_repeat(n) };
	uint64_t now = notify_now(n);
	int64_t ahead = (int64_t)(now - clock_boot_ns(n->clk)), before = n->clock_ahead_ns;

	n->clock_ahead_ns = ahead;
	if (ahead >= before || before - ahead < (int64_t)SET_BACK_NS)
		return 0;
	LOG(WARN, "notify.clock", KV_U64("set_back_ms", (uint64_t)(before - ahead) / 1000000));
	for (size_t i = 0; i < n->lane_count; i++) {
		struct lane *l = &n->lanes[i];

		l->blocked_until_ns = 0;
		l->counted_ns = l->counted_ns > now ? now : l->counted_ns;
		l->window_ns = now;
		if (l->storm_due_ns > now + l->storm_window_ns)
			l->storm_due_ns = now + l->storm_window_ns;
	}
	n->swept_ns = n->tidied_ns = n->form_at_ns = n->wake_unix_ns = 0;
	int r = store_notify_set_back(n->store, &most, err);
	if (r < 0)
		n->clock_ahead_ns = before; /* once more */
	return r;
}
