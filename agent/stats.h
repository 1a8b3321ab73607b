/* stats.h - how much each container does: its processes and its traffic, once an interval.
 *
 * Which container a process is of is told by its cgroup, as events name it. Bounded: STATS_CGROUPS cgroups,
 * STATS_CONTAINERS containers, STATS_NAMES names of each. One thread. */
#pragma once
#include "agent/event.h"
#include "agent/learn/levels.h"
#include "agent/world/world.h"

enum { STATS_CGROUPS = 16384, STATS_CONTAINERS = 4096, STATS_NAMES = 64 };

struct stats;

struct stats *stats_new(void) WARN_UNUSED;
/* A process was seen in it. id: of the container. Cheap to repeat. */
void stats_cgroup(struct stats *s, uint64_t cgroup_id, const char *id);
/* What it sent and received since the last time. */
void stats_traffic(struct stats *s, const char *id, uint64_t bytes, uint64_t interval_ns);
void stats_gone(struct stats *s, const char *id);
/* Counts what runs now, and calls fn for each container that runs; e (EV_STATS) and c borrowed for the call.
 * levels: what is usual; learns from it. */
typedef void (*stats_fn)(void *arg, const struct event *e, const struct container *c);
void stats_take(struct stats *s, struct world *w, struct levels *levels, uint64_t boot_ns, uint64_t unix_ns, stats_fn fn, void *arg);
void stats_free(struct stats *s);
DEFINE_CLEANUP(struct stats, stats_free)
