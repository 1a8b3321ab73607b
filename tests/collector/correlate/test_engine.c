/* engine: bounds, lateness, evidence, approximate counts, explanations. What fires when is in vectors.yml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/collector/correlate/replay.h"

#define SECOND 1000000000ll
#define LOGIN "name: login\ndetection: {selection: {type: login}, condition: selection}\n---\n"

static void begin(struct replay *r, const char *rules, const struct engine_config *config)
{
	struct err err = { 0 };

	if (replay_begin(r, slice_of(rules), false, config, &err) < 0)
		fail_msg("%s", err.msg);
}

static enum engine_taken send(struct replay *r, double time, const char *json)
{
	CLEANUP(cJSON_Deletep) cJSON *fields = cJSON_Parse(json);

	assert_non_null(fields);
	return replay_event(r, time, fields);
}

static enum engine_taken login(struct replay *r, double time, int user)
{
	char text[80];

	snprintf(text, sizeof(text), "{\"type\":\"login\",\"u\":\"user%d\"}", user);
	return send(r, time, text);
}

static struct engine_rule_stats stats_of(struct replay *r, uint32_t rule)
{
	struct engine_rule_stats s;

	engine_rule_stats(r->engine, rule, &s);
	return s;
}

static struct engine_stats stats(struct replay *r)
{
	struct engine_stats s;

	engine_stats(r->engine, &s);
	return s;
}

#define THREE LOGIN "name: three\ncorrelation: {type: event_count, rules: [login], group-by: [u], timespan: 60s, condition: {gte: 3}}\n"

static void bad_bounds_are_refused(void **state)
{
	struct replay r;
	struct err err = { 0 };
	static const struct engine_config rows[] = { { .bytes_max = 100 }, { .events_max = 3 }, { .lateness_ns = -1 }, { .lateness_ns = 90000 * SECOND },
						     { .close_ns = 1 }, { .events_max = 1 << 20 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(replay_begin(&r, SLICE_LIT(THREE), false, &rows[i], &err), -ERR_LIMIT);
		assert_null(r.engine);
		replay_end(&r);
	}
	assert_int_equal(replay_begin(&r, SLICE_LIT(LOGIN "name: many\ncorrelation: {type: event_count, rules: [login], timespan: 60s, condition: {gte: 30}}\n"),
				      false, &(struct engine_config){ .events_max = 20 }, &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "counts further than the 20 events kept"));
	replay_end(&r);
}

static void bad_events_are_counted_not_taken(void **state)
{
	struct replay r;
	const uint32_t rules[] = { 7 };
	struct engine_event ev = { .time_ns = 1, .rules = rules, .rule_count = 1, .get = replay_get };

	(void)state;
	begin(&r, THREE, &(struct engine_config){ 0 });
	assert_int_equal(engine_event(r.engine, &ev), ENGINE_BAD);
	ev.rule_count = 0;
	ev.time_ns = -1;
	assert_int_equal(engine_event(r.engine, &ev), ENGINE_BAD);
	ev.time_ns = INT64_MAX;
	assert_int_equal(engine_event(r.engine, &ev), ENGINE_BAD);
	assert_int_equal(stats(&r).bad, 3);
	assert_int_equal(engine_now(r.engine), 0);
	replay_end(&r);
}

static void late_events_are_told_and_counted(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, THREE, &(struct engine_config){ .lateness_ns = 120 * SECOND });
	assert_int_equal(login(&r, 1000, 1), ENGINE_TAKEN);
	assert_int_equal(login(&r, 880, 1), ENGINE_TAKEN);
	assert_int_equal(login(&r, 879.9, 1), ENGINE_LATE);
	assert_int_equal(stats(&r).late, 1);
	assert_int_equal(stats_of(&r, 1).late, 1);
	assert_int_equal(stats_of(&r, 1).hits, 2);
	replay_end(&r);
}

static void missing_fields_are_counted(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, THREE "---\nname: sum\ncorrelation: {type: value_sum, rules: [login], timespan: 60s, condition: {field: n, gte: 5}}\n", &(struct engine_config){ 0 });
	(void)send(&r, 1, "{\"type\":\"login\"}");
	(void)send(&r, 2, "{\"type\":\"login\",\"u\":null,\"n\":\"2.5\"}");
	(void)send(&r, 3, "{\"type\":\"login\",\"u\":\"a\",\"n\":\"many\"}");
	(void)send(&r, 4, "{\"type\":\"login\",\"u\":\"a\",\"n\":2.5}");
	assert_int_equal(stats_of(&r, 1).no_group, 2);
	assert_int_equal(stats_of(&r, 1).hits, 2);
	assert_int_equal(stats_of(&r, 2).no_value, 2);
	assert_int_equal(r.fire_count, 1);
	assert_string_equal(r.fires[0].text, "4 sum {} 5");
	replay_end(&r);
}

static void groups_go_when_they_are_over(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, THREE, &(struct engine_config){ .lateness_ns = 10 * SECOND });
	for (int i = 0; i < 1000; i++)
		(void)login(&r, 100 + i * 0.001, i);
	assert_int_equal(stats(&r).groups, 1000);
	engine_advance(r.engine, 165 * SECOND);
	assert_int_equal(stats(&r).groups, 1000);
	engine_advance(r.engine, 172 * SECOND);
	assert_int_equal(stats(&r).groups, 0);
	assert_int_equal(stats(&r).bytes, 0);
	assert_int_equal(stats_of(&r, 1).events, 0);
	assert_int_equal(stats_of(&r, 1).evicted, 0);
	replay_end(&r);
}

/* The flood is in one rule: the other's groups stay. */
static void the_largest_rule_evicts_its_own(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, THREE "---\nname: scan\ndetection: {selection: {type: scan}, condition: selection}\n---\n"
	      "name: scans\ncorrelation: {type: event_count, rules: [scan], group-by: [u], timespan: 60s, condition: {gte: 2}}\n",
	      &(struct engine_config){ .groups_max = 100 });
	(void)send(&r, 1, "{\"type\":\"scan\",\"u\":\"x\"}");
	(void)login(&r, 1, 7);
	(void)login(&r, 2, 7);
	for (int i = 100; i < 1000; i++)
		(void)login(&r, 3, i);
	assert_int_equal(stats(&r).groups, 100);
	assert_int_equal(stats_of(&r, 1).evicted, 802);
	assert_int_equal(stats_of(&r, 3).evicted, 0);
	(void)login(&r, 4, 7); /* its first two were evicted */
	assert_int_equal(r.fire_count, 0);
	(void)send(&r, 4, "{\"type\":\"scan\",\"u\":\"x\"}");
	assert_int_equal(r.fire_count, 1);
	replay_end(&r);
}

static void the_group_used_last_stays(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, THREE, &(struct engine_config){ .groups_max = 10 });
	(void)login(&r, 1, 7);
	for (int i = 100; i < 109; i++)
		(void)login(&r, 2, i);
	(void)login(&r, 3, 7);
	for (int i = 200; i < 209; i++)
		(void)login(&r, 4, i);
	(void)login(&r, 5, 7);
	assert_int_equal(r.fire_count, 1);
	assert_int_equal(stats_of(&r, 1).evicted, 9);
	replay_end(&r);
}

/* However far the clock leaps. */
static void windows_close_in_the_order_of_their_ends(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, LOGIN "name: long\ncorrelation: {type: event_count, rules: [login], group-by: [u], timespan: 90s, condition: {lt: 5}}\n---\n"
	      "name: short\ncorrelation: {type: event_count, rules: [login], group-by: [u], timespan: 40s, condition: {lt: 5}}\n",
	      &(struct engine_config){ 0 });
	for (int i = 0; i < 30; i++)
		(void)login(&r, 100 + i, i);
	assert_int_equal(stats(&r).windows_open, 60);
	engine_advance(r.engine, 100000 * SECOND);
	assert_int_equal(r.fire_count, 60);
	for (size_t i = 1; i < r.fire_count; i++)
		assert_true(r.fires[i - 1].time <= r.fires[i].time);
	assert_int_equal(stats(&r).windows_open + stats(&r).groups, 0);
	replay_end(&r);
}

static void bytes_are_bounded(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, THREE, &(struct engine_config){ .bytes_max = 64 << 10 });
	for (int i = 0; i < 20000; i++) {
		(void)login(&r, 3 + i * 0.0001, i % 3000);
		assert_true(stats(&r).bytes <= 64 << 10);
	}
	assert_true(stats(&r).groups > 100);
	assert_true(stats_of(&r, 1).evicted > 0);
	assert_int_equal(stats_of(&r, 1).bytes, stats(&r).bytes);
	replay_end(&r);
}

static void one_group_keeps_the_newest_events(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, LOGIN "name: count\nx: {refire: every}\ncorrelation: {type: event_count, rules: [login], timespan: 60s, condition: {gte: 15}}\n",
	      &(struct engine_config){ .events_max = 20 });
	for (int i = 0; i < 50; i++)
		(void)login(&r, i * 0.1, i);
	assert_int_equal(stats_of(&r, 1).overflowed, 30);
	assert_int_equal(stats_of(&r, 1).events, 20);
	assert_int_equal(r.fire_count, 36);
	assert_string_equal(r.fires[35].text, "4.9 count {} 20");
	replay_end(&r);
}

static void long_texts_are_told_apart(void **state)
{
	struct replay r;
	char text[2000], tail[] = "abca";

	(void)state;
	begin(&r, THREE, &(struct engine_config){ 0 });
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "{\"type\":\"login\",\"u\":\"%01000d%c\"}", 0, tail[i]);
		(void)send(&r, i, text);
	}
	assert_int_equal(stats(&r).groups, 3);
	replay_end(&r);
}

#define VALUES LOGIN "name: users\nx: {refire: every}\ncorrelation: {type: value_count, rules: [login], timespan: 1h, condition: {field: u, gte: 1}}\n"

static void different_values_are_exact_to_4096(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, VALUES, &(struct engine_config){ 0 });
	for (int i = 0; i < 4096; i++) {
		(void)login(&r, 1 + i * 0.01, i);
		(void)login(&r, 1 + i * 0.01, i / 2);
	}
	assert_false(r.fires[r.fire_count - 1].is_approx);
	assert_string_equal(strrchr(r.fires[r.fire_count - 1].text, ' '), " 4096");
	/* An hour later all but the last have left the window. */
	(void)login(&r, 1 + 4095 * 0.01 + 3599.995, 1);
	assert_string_equal(strrchr(r.fires[r.fire_count - 1].text, ' '), " 3");
	assert_int_equal(stats_of(&r, 1).approximate, 0);
	replay_end(&r);
}

static double last_value(const struct replay *r)
{
	return strtod(strrchr(r->fires[r->fire_count - 1].text, ' '), NULL);
}

static void beyond_they_are_approximate_and_say_so(void **state)
{
	struct replay r;
	struct err err = { 0 };

	(void)state;
	begin(&r, VALUES, &(struct engine_config){ 0 });
	for (int i = 0; i < 20000; i++) {
		(void)login(&r, 10 + i * 0.01, i);
		if (i % 7000 == 6999 && replay_restart(&r, &err) < 0)
			fail_msg("%s", err.msg);
	}
	assert_true(r.fires[r.fire_count - 1].is_approx);
	assert_true(fabs(last_value(&r) - 20000) < 20000 * 0.1);
	assert_int_equal(stats_of(&r, 1).approximate, 1);
	assert_true(stats_of(&r, 1).bytes < 30000);
	double before = last_value(&r);
	(void)login(&r, 300, 5); /* known */
	assert_true(last_value(&r) == before);
	/* After a quiet hour it is exact again. */
	(void)login(&r, 5000, 1);
	assert_false(r.fires[r.fire_count - 1].is_approx);
	assert_true(last_value(&r) == 1);
	(void)login(&r, 5001, 2);
	assert_true(last_value(&r) == 2);
	replay_end(&r);
}

#define STEPS                                                                                                                    \
	LOGIN "name: shell\ndetection: {selection: {type: shell}, condition: selection}\n---\n"                                  \
	      "name: then\nx: {include_events: 3}\ncorrelation: {type: temporal_ordered, rules: [login, shell], group-by: [u], timespan: 60s}\n---\n" \
	      "name: outer\ncorrelation: {type: event_count, rules: [then], timespan: 60s, condition: {gte: 1}}\n"

/* Three are kept: the one login is not pushed out by shells. */
static void evidence_names_the_events(void **state)
{
	struct replay r;

	(void)state;
	begin(&r, STEPS, &(struct engine_config){ .lateness_ns = 60 * SECOND });
	for (int i = 1; i < 9; i++) {
		char text[100];

		snprintf(text, sizeof(text), "{\"type\":\"shell\",\"u\":\"a\",\"_uid\":\"h2/5/%d\"}", i);
		(void)send(&r, 100 + i, text);
	}
	(void)send(&r, 105, "{\"type\":\"login\",\"u\":\"a\",\"_uid\":\"h1/9/77\"}");
	assert_int_equal(r.fire_count, 2);
	assert_string_equal(r.fires[0].text, "106 then {\"u\":\"a\"} 2");
	assert_int_equal(r.fires[0].evidence_count, 1); /* shells 7 and 8 are kept, and come after the window's end */
	(void)send(&r, 300, "{\"type\":\"login\",\"u\":\"a\",\"_uid\":\"h1/9/78\"}");
	(void)send(&r, 301, "{\"type\":\"shell\",\"u\":\"a\",\"_uid\":\"h2/5/9\"}");
	assert_int_equal(r.fire_count, 4);
	assert_int_equal(r.fires[2].evidence_count, 2);
	assert_string_equal(r.fires[2].agents[0], "h1");
	assert_int_equal(r.fires[2].evidence[0].sequence, 78);
	assert_int_equal(r.fires[2].evidence[0].epoch, 9);
	assert_string_equal(r.fires[2].agents[1], "h2");
	assert_int_equal(r.fires[2].evidence[1].sequence, 9);
	/* Of the chained one: the hit that completed what it counts. */
	assert_int_equal(r.fires[3].evidence_count, 1);
	assert_int_equal(r.fires[3].evidence[0].sequence, 9);
	replay_end(&r);
}

static void agents_are_bounded(void **state)
{
	struct replay r;
	char text[100];

	(void)state;
	begin(&r, STEPS, &(struct engine_config){ .agents_max = 10, .lateness_ns = 60 * SECOND });
	(void)send(&r, 1, "{\"type\":\"login\",\"u\":\"a\",\"_uid\":\"first/1/5\"}");
	assert_int_equal(send(&r, 1, "{\"type\":\"login\",\"u\":\"a\",\"_uid\":\"first/1/5\"}"), ENGINE_SEEN);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "{\"type\":\"login\",\"u\":\"b\",\"_uid\":\"agent%d/1/1\"}", i);
		assert_int_equal(send(&r, 2, text), ENGINE_TAKEN);
		assert_int_equal(send(&r, 2, text), ENGINE_SEEN);
	}
	/* Its place was given away: it does not stand for another's event. */
	(void)send(&r, 3, "{\"type\":\"shell\",\"u\":\"a\"}");
	assert_int_equal(r.fire_count, 2);
	assert_int_equal(r.fires[0].evidence_count, 0);
	replay_end(&r);
}

/* ---- explain ---- */

static void explain(struct replay *r, uint32_t rule, const char *user, int64_t time_ns, const char *what)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct engine_value v = { .kind = ENGINE_TEXT, .text = slice_of(user) };
	struct err err = { 0 };

	if (engine_explain(r->engine, rule, &v, 1, time_ns, &b, &err) < 0)
		fail_msg("%s", err.msg);
	CLEANUP(cJSON_Deletep) cJSON *j = cJSON_Parse(b.p);
	assert_non_null(j);
	if (!strstr(b.p, what))
		fail_msg("%s has no %s", b.p, what);
}

static void explain_says_what_is_there_and_what_is_missing(void **state)
{
	struct replay r;
	struct err err = { 0 };
	CLEANUP(buf_finip) struct buf b = { 0 };

	(void)state;
	begin(&r, THREE "---\nname: shell\ndetection: {selection: {type: shell}, condition: selection}\n---\n"
	      "name: then\ncorrelation: {type: temporal_ordered, rules: [login, shell], group-by: [u], timespan: 60s}\n---\n"
	      "name: alone\ncorrelation: {type: temporal, condition: login and not shell, group-by: [u], timespan: 60s}\n",
	      &(struct engine_config){ .lateness_ns = 600 * SECOND, .close_ns = 0 });
	explain(&r, 1, "user1", 0, "nothing is counted for this group now");
	(void)login(&r, 100, 1);
	(void)login(&r, 110, 1);
	explain(&r, 1, "user1", 0, "the value 2 does not meet the condition");
	explain(&r, 1, "user1", 0, "\"condition\":\"gte 3\"");
	explain(&r, 1, "user1", 105 * SECOND, "\"events\":1");
	explain(&r, 1, "user1", 300 * SECOND, "nothing was counted in this window");
	explain(&r, 3, "user1", 0, "the steps came as far as 1 of 2; next would be 'shell'");
	explain(&r, 3, "user1", 0, "\"missing\":[\"shell\"]");
	explain(&r, 4, "user1", 0, "not decided yet");
	(void)login(&r, 120, 1);
	(void)login(&r, 130, 1);
	explain(&r, 1, "user1", 0, "it fired already and has not been false since");
	explain(&r, 1, "user1", 120 * SECOND, "\"met\":true");
	explain(&r, 1, "user1", 120 * SECOND, "\"why\":\"the condition is met\"");
	assert_int_equal(engine_explain(r.engine, 0, NULL, 0, 0, &b, &err), -ERR_NOT_FOUND);
	assert_int_equal(engine_explain(r.engine, 1, NULL, 0, 0, &b, &err), -ERR_USAGE);
	replay_end(&r);
}

static bool count_group(void *arg, const struct engine_value *group, size_t group_count, size_t events, bool is_active)
{
	int *seen = arg;

	assert_int_equal(group_count, 1);
	assert_true(slice_is(group[0].text, *seen ? "user1" : "user2"));
	assert_int_equal(events, *seen ? 3 : 1);
	assert_int_equal(is_active, *seen == 1);
	return ++*seen < 2;
}

static void groups_are_listed_newest_first(void **state)
{
	struct replay r;
	int seen = 0;

	(void)state;
	begin(&r, THREE, &(struct engine_config){ 0 });
	(void)login(&r, 1, 0);
	for (int i = 0; i < 3; i++)
		(void)login(&r, 1, 1);
	(void)login(&r, 2, 2);
	engine_each_group(r.engine, 1, count_group, &seen);
	assert_int_equal(seen, 2);
	engine_each_group(r.engine, 0, count_group, &seen);
	engine_each_group(r.engine, 99, count_group, &seen);
	assert_int_equal(seen, 2);
	replay_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_bounds_are_refused),
		cmocka_unit_test(bad_events_are_counted_not_taken),
		cmocka_unit_test(late_events_are_told_and_counted),
		cmocka_unit_test(missing_fields_are_counted),
		cmocka_unit_test(groups_go_when_they_are_over),
		cmocka_unit_test(the_largest_rule_evicts_its_own),
		cmocka_unit_test(the_group_used_last_stays),
		cmocka_unit_test(windows_close_in_the_order_of_their_ends),
		cmocka_unit_test(bytes_are_bounded),
		cmocka_unit_test(one_group_keeps_the_newest_events),
		cmocka_unit_test(long_texts_are_told_apart),
		cmocka_unit_test(different_values_are_exact_to_4096),
		cmocka_unit_test(beyond_they_are_approximate_and_say_so),
		cmocka_unit_test(evidence_names_the_events),
		cmocka_unit_test(agents_are_bounded),
		cmocka_unit_test(explain_says_what_is_there_and_what_is_missing),
		cmocka_unit_test(groups_are_listed_newest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
