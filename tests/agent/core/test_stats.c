/* test_stats.c - processes and traffic of containers, counted once an interval. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/stats.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MINUTE 60000000000ull
#define UNIX_NS 1700000000000000000ull

struct fixture {
	struct loop *loop;
	struct fetch_pool *pool;
	struct world *world;
	struct stats *stats;
	struct levels *levels;
	uint64_t unix_ns;
	char log[4096];
	uint64_t above, image_above, image_told;
};

static struct fixture fx;

static void open_world(void)
{
	static const struct world_config cfg = { .proc_root = "/proc" };
	struct err err;

	fx = (struct fixture){ .unix_ns = UNIX_NS };
	assert_int_equal(loop_new(&fx.loop, &err), 0);
	assert_int_equal(fetch_pool_new(fx.loop, 2, &fx.pool, &err), 0);
	assert_int_equal(world_new(fx.loop, fx.pool, clock_real(), &cfg, NULL, NULL, &fx.world, &err), 0);
	fx.stats = stats_new();
	fx.levels = levels_new();
	assert_non_null(fx.stats);
	assert_non_null(fx.levels);
}

static void close_world(void)
{
	stats_free(fx.stats);
	levels_free(fx.levels);
	world_free(fx.world);
	fetch_pool_free(fx.pool);
	loop_free(fx.loop);
}

static void start(uint32_t pid, const char *id, uint64_t cgroup_id, const char *name)
{
	char cgroup[100];
	snprintf(cgroup, sizeof(cgroup), "/docker/%s", id);
	struct event e = { .type = EV_EXEC, .boot_ns = pid,
			   .p = { .pid = pid, .tid = pid, .start_ns = pid * 1000000000ull, .cgroup_id = cgroup_id,
				  .cgroup = slice_of(cgroup), .name = slice_of(name), .exe = SLICE_LIT("/bin/x") } };

	world_apply(fx.world, &e);
	const struct container *c = world_container(fx.world, &e.p);
	assert_non_null(c);
	stats_cgroup(fx.stats, cgroup_id, c->id);
}

static void stop(uint32_t pid)
{
	struct event e = { .type = EV_EXIT, .boot_ns = pid + 1, .p = { .pid = pid, .tid = pid, .start_ns = pid * 1000000000ull } };

	world_apply(fx.world, &e);
}

static void on_stats(void *arg, const struct event *e, const struct container *c)
{
	size_t n = strlen(fx.log);

	assert_int_equal(e->type, EV_STATS);
	n += (size_t)snprintf(fx.log + n, sizeof(fx.log) - n, "%.4s %llu", c->id, (unsigned long long)e->stats.process_count);
	for (size_t i = 0; i < e->stats.name_count; i++)
		n += (size_t)snprintf(fx.log + n, sizeof(fx.log) - n, " %.*s", SLICE_FMT(e->stats.names[i]));
	if (e->stats.has_net)
		n += (size_t)snprintf(fx.log + n, sizeof(fx.log) - n, " net %llu",
				      (unsigned long long)e->stats.net_per_minute);
	snprintf(fx.log + n, sizeof(fx.log) - n, ";");
	fx.above = e->stats.net_above;
	if (!e->stats.has_image_net)
		return;
	fx.image_told++;
	fx.image_above = e->stats.image_net_above;
}

static const char *take(void)
{
	fx.log[0] = 0;
	fx.unix_ns += MINUTE;
	stats_take(fx.stats, fx.world, fx.levels, fx.unix_ns, fx.unix_ns, on_stats, NULL);
	return fx.log;
}

static void processes_are_counted_by_container(void **state)
{
	open_world();
	start(101, ID_A, 1, "sh");
	start(102, ID_A, 1, "java");
	start(103, ID_A, 2, "java"); /* in a cgroup below the container's */
	assert_string_equal(take(), "aaaa 3 sh java;");
	stop(103);
	stop(101);
	assert_string_equal(take(), "aaaa 1 java;");
	stop(102);
	assert_string_equal(take(), "");
	close_world();
}

static void traffic_is_told_and_learned(void **state)
{
	open_world();
	start(101, ID_A, 1, "sh");
	for (unsigned i = 0; i < 70; i++) {
		stats_traffic(fx.stats, ID_A, 500, MINUTE / 2);
		stats_traffic(fx.stats, ID_A, 500, MINUTE / 2);
		assert_string_equal(take(), "aaaa 1 sh net 1000;");
		assert_true(fx.above < 10);
	}
	stats_traffic(fx.stats, ID_A, 5000000, MINUTE);
	assert_string_equal(take(), "aaaa 1 sh net 5000000;");
	assert_in_range(fx.above, 4998000, 5000000);
	assert_string_equal(take(), "aaaa 1 sh;"); /* not counted in this interval */
	close_world();
}

/* Neither alone is above what it has had; both at once are. */
static void an_images_containers_count_together(void **state)
{
	open_world();
	start(101, ID_A, 1, "sh"); /* of the same image: "" */
	start(102, ID_B, 2, "sh");
	for (unsigned i = 0; i < 70; i++) {
		stats_traffic(fx.stats, i % 2 ? ID_A : ID_B, 1000000, MINUTE);
		stats_traffic(fx.stats, i % 2 ? ID_B : ID_A, 10, MINUTE);
		fx.image_told = 0;
		take();
		assert_int_equal(fx.image_told, 1);
		assert_true(fx.image_above < 20000);
	}
	stats_traffic(fx.stats, ID_A, 1000000, MINUTE);
	stats_traffic(fx.stats, ID_B, 1000000, MINUTE);
	take();
	assert_true(fx.above < 20000);
	assert_in_range(fx.image_above, 980000, 1020000);
	close_world();
}

static void what_is_gone_or_unknown_is_not_told(void **state)
{
	open_world();
	stats_traffic(fx.stats, ID_B, 500, MINUTE); /* nobody knows that container */
	start(101, ID_A, 1, "sh");
	stats_gone(fx.stats, ID_A);
	assert_string_equal(take(), "");
	stats_cgroup(fx.stats, 0, ID_A);
	stats_cgroup(fx.stats, 1, "far too long " ID_A ID_A);
	assert_string_equal(take(), "");
	close_world();
}

static void many_cgroups_and_names_stay_within_bounds(void **state)
{
	char name[16];

	open_world();
	for (unsigned i = 0; i < 3 * STATS_NAMES; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		start(1000 + i, ID_A, 1, name);
	}
	take();
	assert_memory_equal(fx.log, "aaaa 192 n", 10);
	for (unsigned i = 0; i < 2 * STATS_CGROUPS; i++)
		stats_cgroup(fx.stats, 10 + i, ID_B);
	assert_string_equal(take(), ""); /* the oldest, that of A, went */
	close_world();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_are_counted_by_container),
		cmocka_unit_test(traffic_is_told_and_learned),
		cmocka_unit_test(an_images_containers_count_together),
		cmocka_unit_test(what_is_gone_or_unknown_is_not_told),
		cmocka_unit_test(many_cgroups_and_names_stay_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
