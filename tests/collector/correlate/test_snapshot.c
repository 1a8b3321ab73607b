/* engine: snapshots hold everything, and nothing but a snapshot is taken in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/sha.h>

#include "tests/collector/correlate/every_type.h"
#include "tests/collector/correlate/replay.h"

#define SECOND 1000000000ll
static const struct engine_config config = { .lateness_ns = 20 * SECOND, .close_ns = 5 * SECOND };

static void begin(struct replay *r, const char *rules, const struct engine_config *c)
{
	struct err err = { 0 };

	if (replay_begin(r, slice_of(rules), false, c, &err) < 0)
		fail_msg("%s", err.msg);
}

static void feed(struct replay *r, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++) {
		char text[200];
		double t = every_event(n, text, sizeof(text));
		CLEANUP(cJSON_Deletep) cJSON *fields = cJSON_Parse(text);

		assert_non_null(fields);
		(void)replay_event(r, t, fields);
	}
}

static void take(struct replay *r, struct buf *b)
{
	struct err err = { 0 };

	buf_init(b, 64 << 20);
	if (engine_snapshot(r->engine, b, &err) < 0)
		fail_msg("%s", err.msg);
}

static void a_restart_changes_nothing(void **state)
{
	struct replay straight, broken;
	struct err err = { 0 };

	(void)state;
	begin(&straight, EVERY_TYPE, &config);
	begin(&broken, EVERY_TYPE, &config);
	feed(&straight, 0, 600);
	for (unsigned n = 0; n < 600; n += 37) {
		feed(&broken, n, n + 37 < 600 ? n + 37 : 600);
		if (replay_restart(&broken, &err) < 0)
			fail_msg("%s", err.msg);
	}
	assert_true(straight.fire_count > 50);
	assert_int_equal(straight.fire_count, broken.fire_count);
	for (size_t i = 0; i < straight.fire_count; i++) {
		assert_string_equal(straight.fires[i].text, broken.fires[i].text);
		assert_int_equal(straight.fires[i].evidence_count, broken.fires[i].evidence_count);
		for (size_t k = 0; k < straight.fires[i].evidence_count && k < 8; k++) {
			assert_string_equal(straight.fires[i].agents[k], broken.fires[i].agents[k]);
			assert_int_equal(straight.fires[i].evidence[k].sequence, broken.fires[i].evidence[k].sequence);
		}
	}
	replay_end(&straight);
	replay_end(&broken);
}

/* Figures and bytes too, so that what is evicted later is the same. */
static void a_restored_engine_gives_the_same_snapshot(void **state)
{
	CLEANUP(buf_finip) struct buf first = { 0 }, second = { 0 };
	struct engine_stats before, after;
	struct replay r;
	struct err err = { 0 };

	(void)state;
	begin(&r, EVERY_TYPE, &config);
	feed(&r, 0, 300);
	take(&r, &first);
	engine_stats(r.engine, &before);
	if (replay_restart(&r, &err) < 0)
		fail_msg("%s", err.msg);
	engine_stats(r.engine, &after);
	take(&r, &second);
	assert_true(slice_eq(buf_slice(&first), buf_slice(&second)));
	assert_memory_equal(&before, &after, sizeof(before));
	for (uint32_t i = 2; i < 12; i++) {
		struct engine_rule_stats s;

		engine_rule_stats(r.engine, i, &s);
		assert_true(s.hits > 0);
	}
	replay_end(&r);
}

static void eviction_goes_on_as_it_would_have(void **state)
{
	struct engine_config small = { .lateness_ns = 20 * SECOND, .groups_max = 9, .events_max = 16 };
	struct replay straight, broken;
	struct err err = { 0 };

	(void)state;
	begin(&straight, EVERY_TYPE, &small);
	begin(&broken, EVERY_TYPE, &small);
	for (unsigned n = 0; n < 400; n += 23) {
		struct engine_rule_stats a, b;

		feed(&straight, n, n + 23);
		feed(&broken, n, n + 23);
		if (replay_restart(&broken, &err) < 0)
			fail_msg("%s", err.msg);
		for (uint32_t i = 2; i < 12; i++) {
			engine_rule_stats(straight.engine, i, &a);
			engine_rule_stats(broken.engine, i, &b);
			assert_memory_equal(&a, &b, sizeof(a));
		}
	}
	assert_int_equal(straight.fire_count, broken.fire_count);
	replay_end(&straight);
	replay_end(&broken);
}

/* One rule is gone, one changed, one new, the order another: the others keep their state. */
static void unchanged_rules_keep_their_state(void **state)
{
	static const char *const rules = "name: b\ndetection: {selection: {t: b}, condition: selection}\n---\n"
					 "name: new\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 20s, condition: {gte: 3}}\n---\n"
					 "name: both\ncorrelation: {type: temporal, rules: [a, b], group-by: [u], timespan: 21s}\n---\n"
					 "name: a\ndetection: {selection: {t: a}, condition: selection}\n---\n"
					 "name: count\ntitle: With a title\ncorrelation: {rules: [a], type: event_count, group-by: [u], timespan: 20s, condition: {gte: 3}}\n";
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct engine_rule_stats before, after;
	struct engine_restored restored;
	struct replay r;
	struct err err = { 0 };

	(void)state;
	begin(&r, EVERY_TYPE, &config);
	feed(&r, 0, 300);
	take(&r, &b);
	engine_rule_stats(r.engine, 2, &before);
	replay_end(&r);
	begin(&r, rules, &config);
	assert_int_equal(engine_restore(r.engine, buf_slice(&b), &restored, &err), 0);
	assert_int_equal(restored.kept, 1);
	assert_int_equal(restored.dropped, 9);
	engine_rule_stats(r.engine, 4, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	engine_rule_stats(r.engine, 2, &after);
	assert_int_equal(after.hits + after.groups, 0);
	replay_end(&r);
}

static void smaller_bounds_hold_for_what_is_restored(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct engine_config small = config;
	struct engine_restored restored;
	struct engine_stats s;
	struct replay r;
	struct err err = { 0 };

	(void)state;
	begin(&r, EVERY_TYPE, &config);
	feed(&r, 0, 300);
	take(&r, &b);
	replay_end(&r);
	small.groups_max = 5;
	small.events_max = 16;
	small.agents_max = 1;
	begin(&r, EVERY_TYPE, &small);
	assert_int_equal(engine_restore(r.engine, buf_slice(&b), &restored, &err), 0);
	engine_stats(r.engine, &s);
	assert_int_equal(s.groups, 5);
	feed(&r, 300, 400);
	replay_end(&r);
}

static void a_full_buffer_is_an_error(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct replay r;
	struct err err = { 0 };

	(void)state;
	begin(&r, EVERY_TYPE, &config);
	feed(&r, 0, 300);
	buf_init(&b, 1000);
	assert_int_equal(engine_snapshot(r.engine, &b, &err), -ERR_LIMIT);
	replay_end(&r);
}

static void assert_refused(struct replay *r, struct slice s, int code)
{
	struct engine_restored restored;
	struct engine_stats stats;
	struct err err = { 0 };

	assert_int_equal(engine_restore(r->engine, s, &restored, &err), -code);
	assert_true(err.msg[0]);
	engine_stats(r->engine, &stats);
	assert_int_equal(stats.groups + stats.bytes + stats.events + stats.windows_open + restored.kept, 0);
}

static void damage_is_found(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct replay r;
	struct err err = { 0 };

	(void)state;
	begin(&r, EVERY_TYPE, &config);
	feed(&r, 0, 60);
	take(&r, &b);
	assert_int_equal(replay_new_engine(&r, &err), 0);
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 0x20;
		assert_refused(&r, buf_slice(&b), i == 7 ? ERR_VERSION : ERR_CORRUPT);
		b.p[i] ^= 0x20;
	}
	for (size_t n = 0; n < b.n; n += 7)
		assert_refused(&r, slice_sub(buf_slice(&b), 0, n), ERR_CORRUPT);
	replay_end(&r);
}

/* With a checksum that is right: what is taken in behaves, what is not leaves nothing behind. */
static void lies_are_survived(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	unsigned taken = 0, refused = 0, x = 12345;
	struct replay r;
	struct err err = { 0 };

	(void)state;
	begin(&r, EVERY_TYPE, &(struct engine_config){ .lateness_ns = 20 * SECOND, .bytes_max = 1 << 20 });
	feed(&r, 0, 200);
	take(&r, &b);
	for (unsigned n = 0; n < 3000; n++) {
		struct engine_restored restored;
		size_t at = 8 + (x = x * 1664525 + 1013904223) % (b.n - 40);
		char old = b.p[at];

		b.p[at] = (char)((x >> 24) ^ (n % 3 ? 0 : old));
		SHA256((const unsigned char *)b.p, b.n - 32, (unsigned char *)b.p + b.n - 32);
		if (engine_restore(r.engine, buf_slice(&b), &restored, &err) < 0)
			refused++;
		else
			taken++;
		if (n % 10 == 0)
			feed(&r, 200 + n, 220 + n);
		b.p[at] = old;
	}
	assert_true(taken > 100 && refused > 100);
	replay_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restart_changes_nothing),
		cmocka_unit_test(a_restored_engine_gives_the_same_snapshot),
		cmocka_unit_test(eviction_goes_on_as_it_would_have),
		cmocka_unit_test(unchanged_rules_keep_their_state),
		cmocka_unit_test(smaller_bounds_hold_for_what_is_restored),
		cmocka_unit_test(a_full_buffer_is_an_error),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(lies_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
