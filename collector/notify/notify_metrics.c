/* notify_metrics.c - how each lane (a route and a receiver) is doing, for Prometheus. */
#include "collector/notify/notify.h"
#include "common/prom.h"

enum { LANES_MAX = 1024 };

static double age(uint64_t now, uint64_t then)
{
	return then && then < now ? (double)(now - then) / 1e9 : 0;
}

static void write_u64(struct buf *out, const char *name, enum prom_kind kind, const char *help, const struct notify_lane_stats *l,
		      size_t count, size_t offset)
{
	prom_family(out, name, kind, help);
	for (size_t i = 0; i < count; i++)
		prom_u64(out, name, PROM_LABELS("route", l[i].route, "receiver", l[i].receiver),
			 *(const uint64_t *)(const void *)((const char *)&l[i] + offset));
}

static void write_lanes(struct buf *out, const struct notify_lane_stats *l, size_t count, uint64_t now)
{
#define LANE(name, kind, help, field) write_u64(out, name, kind, help, l, count, offsetof(struct notify_lane_stats, field))
	LANE("picket_notify_sent_total", PROM_COUNTER, "Messages that the receiver took.", sent);
	LANE("picket_notify_failures_total", PROM_COUNTER, "Attempts that failed.", failures);
	LANE("picket_notify_digests_total", PROM_COUNTER, "Messages that were digests of a storm.", digests);
	LANE("picket_notify_waiting", PROM_GAUGE, "Messages not delivered yet.", waiting);
	LANE("picket_notify_dead", PROM_GAUGE, "Messages given up.", dead);
	LANE("picket_notify_pending", PROM_GAUGE, "Alerts that wait for their group.", pending);
#undef LANE
	prom_family(out, "picket_notify_oldest_seconds", PROM_GAUGE, "Age of the oldest message that waits; 0: none does.");
	for (size_t i = 0; i < count; i++)
		prom_f64(out, "picket_notify_oldest_seconds", PROM_LABELS("route", l[i].route, "receiver", l[i].receiver),
			 age(now, l[i].oldest_unix_ns));
	prom_family(out, "picket_notify_failing_seconds", PROM_GAUGE,
		    "Since when every attempt failed; 0: the last one succeeded, or there was none.");
	for (size_t i = 0; i < count; i++)
		prom_f64(out, "picket_notify_failing_seconds", PROM_LABELS("route", l[i].route, "receiver", l[i].receiver),
			 age(now, l[i].failing_since_unix_ns));
}

void notify_metrics(struct notify *n, const struct clock *clk, struct buf *out)
{
	struct notify_stats st;
	struct notify_lane_stats *lanes;

	if (notify_stats(n, &st, NULL) < 0)
		return;
	size_t count = st.lane_count < LANES_MAX ? st.lane_count : LANES_MAX, got = 0;
	prom_one(out, "picket_notify_quiet_total", PROM_COUNTER, "Alerts that were silenced, inhibited or snoozed when they would have been told.",
		 st.quiet);
	prom_one(out, "picket_notify_skipped_total", PROM_COUNTER, "Alerts that were over before they were told.", st.skipped);
	lanes = calloc(count + 1, sizeof(*lanes));
	for (size_t i = 0; lanes && i < count; i++)
		got += notify_lane_stats(n, i, &lanes[got], NULL) >= 0;
	write_lanes(out, lanes, got, clock_unix_ns(clk));
	free(lanes);
}
