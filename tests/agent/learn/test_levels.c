/* test_levels.c - what is usual, learned minute by minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/learn/levels.h"

#define MINUTE 60000000000ull
#define MB 1000000ull
#define T0 1700000000ull

/* `minutes` of so many bytes each; the last minute's verdict. */
static struct level run(struct levels *l, const char *container, const char *image, uint64_t bytes, unsigned minutes,
			uint64_t *now)
{
	struct level v = { 0 };

	for (unsigned i = 0; i < minutes; i++)
		levels_add(l, container, image, bytes, MINUTE, *now += 60, &v);
	return v;
}

static void nothing_is_unusual_while_it_is_learned(void **state)
{
	CLEANUP(levels_freep) struct levels *l = levels_new();
	uint64_t now = T0;

	struct level v = run(l, "web", "nginx", 5 * MB, 59, &now);
	assert_true(v.is_learning);
	assert_int_equal(v.above, 0);
	assert_int_equal(v.per_minute, 5 * MB);
	v = run(l, "web", "nginx", 5 * MB, 2, &now);
	assert_false(v.is_learning);
	assert_int_equal(v.above / 10000, 0); /* what it lost by age alone */
	assert_in_range(v.learned, 49 * MB / 10, 5 * MB);
}

static void a_jump_is_above_and_what_stays_is_learned(void **state)
{
	CLEANUP(levels_freep) struct levels *l = levels_new();
	uint64_t now = T0;

	run(l, "web", "nginx", MB, 70, &now);
	struct level v = run(l, "web", "nginx", 100 * MB, 1, &now);
	assert_in_range(v.above, 98 * MB, 100 * MB);
	v = run(l, "web", "nginx", 100 * MB, 30, &now);
	assert_in_range(v.above, 0, 5 * MB);
	/* one burst hardly moves it */
	CLEANUP(levels_freep) struct levels *other = levels_new();
	now = T0;
	run(other, "web", "nginx", MB, 70, &now);
	run(other, "web", "nginx", 100 * MB, 1, &now);
	v = run(other, "web", "nginx", 100 * MB, 1, &now);
	assert_in_range(v.above, 80 * MB, 90 * MB);
}

static void a_new_container_is_judged_by_its_image(void **state)
{
	CLEANUP(levels_freep) struct levels *l = levels_new();
	uint64_t now = T0;

	run(l, "web", "nginx", MB, 70, &now);
	struct level v = run(l, "fresh", "nginx", 50 * MB, 1, &now);
	assert_false(v.is_learning);
	assert_in_range(v.above, 48 * MB, 50 * MB);
	v = run(l, "fresh2", "unheard-of", 50 * MB, 1, &now);
	assert_true(v.is_learning);
	assert_int_equal(v.above, 0);
}

static void an_interval_need_not_be_a_minute(void **state)
{
	CLEANUP(levels_freep) struct levels *l = levels_new();
	struct level v;

	levels_add(l, "web", "nginx", 10 * MB, 10000000000ull, T0, &v);
	assert_int_equal(v.per_minute, 60 * MB);
	levels_add(l, "web", "nginx", 10 * MB, 0, T0, &v); /* none at all: nothing is learned of it */
	assert_int_equal(v.per_minute, 0);
	levels_add(l, "web", "nginx", MB, MINUTE, T0 - 1000, &v); /* the clock was set back */
	assert_true(v.is_learning);
}

static void the_longest_unused_goes_first(void **state)
{
	CLEANUP(levels_freep) struct levels *l = levels_new();
	char name[32];
	struct level v;
	uint64_t now = T0;

	run(l, "web", "nginx", MB, 70, &now);
	for (unsigned i = 0; i < 2 * LEVELS_MAX; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		levels_add(l, name, "nginx", 1, MINUTE, now, &v);
	}
	assert_int_equal(levels_count(l), LEVELS_MAX);
	assert_false(v.is_learning); /* the image is used all the time */
	levels_add(l, "web", "other", 1, MINUTE, now, &v);
	assert_true(v.is_learning); /* web was not */
}

static void it_outlives_the_agent(void **state)
{
	CLEANUP(levels_freep) struct levels *l = levels_new();
	CLEANUP(levels_freep) struct levels *again = levels_new();
	char dir[] = "/tmp/picket-levels-XXXXXX", path[64];
	struct err err;
	uint64_t now = T0;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/levels.json", dir);
	run(l, "we\"b", "nginx", MB, 70, &now);
	assert_int_equal(levels_load(again, path, now, &err), 0); /* none there yet */
	assert_int_equal(levels_save(l, path, &err), 0);
	assert_int_equal(levels_load(again, path, now, &err), 0);
	assert_int_equal(levels_count(again), 2);
	struct level v = run(again, "we\"b", "nginx", 100 * MB, 1, &now);
	assert_false(v.is_learning);
	assert_in_range(v.above, 98 * MB, 100 * MB);
	unlink(path);
	rmdir(dir);
}

static void a_file_that_is_none_of_ours_is_refused(void **state)
{
	static const char *const wrong[] = { "", "[]", "{}", "{\"version\":2,\"levels\":[]}", "{\"version\":1,\"levels\":{}}" };
	static const char odd[] = "{\"version\":1,\"levels\":[7,{},{\"key\":\"x:y\"},{\"key\":\"image:a\",\"level\":1e300,"
				  "\"first\":99999999999999999},{\"key\":7},{\"key\":\"container:\"}]}";
	CLEANUP(levels_freep) struct levels *l = levels_new();
	struct err err;
	struct level v;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_true(levels_parse(l, slice_of(wrong[i]), T0, &err) < 0);
	assert_int_equal(levels_count(l), 0);
	assert_int_equal(levels_parse(l, slice_of(odd), T0, &err), 0);
	assert_int_equal(levels_count(l), 2);
	levels_add(l, "c", "a", MB, MINUTE, T0 + 60, &v);
	assert_true(v.is_learning); /* a first time in the future is now */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_unusual_while_it_is_learned),
		cmocka_unit_test(a_jump_is_above_and_what_stays_is_learned),
		cmocka_unit_test(a_new_container_is_judged_by_its_image),
		cmocka_unit_test(an_interval_need_not_be_a_minute),
		cmocka_unit_test(the_longest_unused_goes_first),
		cmocka_unit_test(it_outlives_the_agent),
		cmocka_unit_test(a_file_that_is_none_of_ours_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
