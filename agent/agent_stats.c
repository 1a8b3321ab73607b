/* agent_stats.c - how much each container does goes to the rules (container_stats), and what is usual is kept. */
#include "agent/agent_priv.h"

#include <errno.h>
#include <stdio.h>

enum { PATH_BYTES = 4096 };
#define SAVE_EVERY_NS (300 * 1000000000ull)

static void levels_path(const struct agent *a, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/levels.json", a->cfg->state_dir);
}

static void save(struct agent *a)
{
	char path[PATH_BYTES];
	struct err err;

	levels_path(a, path);
	if (levels_save(a->levels, path, &err) < 0)
		LOG(WARN, "stats.levels", KV_STR("why", err.msg), KV_STR("lost", "what was learned, if the agent ends now"));
	a->levels_saved_ns = clock_boot_ns(a->clk);
}

static void on_stats(void *arg, const struct event *e, const struct container *c)
{
	agent_judge_in(arg, e, 0, c);
}

static void on_interval(void *arg)
{
	struct agent *a = arg;
	uint64_t now = clock_boot_ns(a->clk);

	stats_take(a->stats, a->world, a->levels, now, clock_unix_ns(a->clk), on_stats, a);
	if (now - a->levels_saved_ns >= SAVE_EVERY_NS)
		save(a);
}

int agent_open_stats(struct agent *a, struct loop *l, struct err *err)
{
	char path[PATH_BYTES];
	struct err why;

	a->stats = stats_new();
	a->levels = levels_new();
	a->stats_timer = loop_timer_new(l, on_interval, a);
	if (!a->stats || !a->levels || !a->stats_timer)
		return err_set(err, ENOMEM, "statistics");
	levels_path(a, path);
	if (levels_load(a->levels, path, clock_unix_ns(a->clk) / 1000000000, &why) < 0)
		LOG(WARN, "stats.levels", KV_STR("why", why.msg), KV_STR("instead", "it is learned anew"));
	a->levels_saved_ns = clock_boot_ns(a->clk);
	loop_timer_every(a->stats_timer, a->cfg->stats_ms);
	return 0;
}

void agent_close_stats(struct agent *a)
{
	if (a->levels && a->stats_timer)
		save(a);
	loop_timer_free(a->stats_timer);
	stats_free(a->stats);
	levels_free(a->levels);
}
