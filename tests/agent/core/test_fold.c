/* test_fold.c - many matches become few findings, and none is lost from the count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/fold.h"

static const uint64_t second_ns = 1000000000;
static const uint64_t start_ns = 1795400000000000000;

struct told {
	unsigned calls;
	uint64_t count, first, last;
	char sample[32], rule[32], container_id[80];
};

static void tell(void *arg, const struct folded *f)
{
	struct told *t = arg;

	t->calls++;
	t->count += f->count;
	t->first = f->first_unix_ns;
	t->last = f->last_unix_ns;
	slice_copy(f->sample, t->sample, sizeof(t->sample));
	slice_copy(slice_of(f->rule), t->rule, sizeof(t->rule));
	slice_copy(slice_of(f->container_id), t->container_id, sizeof(t->container_id));
}

static struct fold *make(size_t max, unsigned burst, uint64_t window_s, struct told *t)
{
	struct fold *f = NULL;

	*t = (struct told){ 0 };
	assert_int_equal(fold_new(max, burst, window_s * second_ns, tell, t, &f, NULL), 0);
	return f;
}

static void storms_are_told_in_few_findings_and_counted_whole(void **state)
{
	static const struct {
		unsigned burst, matches, span_s, window_s;
		unsigned most_told; /* single findings and folded ones */
	} cases[] = {
		{ 10, 10000, 1, 60, 11 },  { 10, 10000, 59, 60, 11 },  { 10, 10, 1, 60, 10 },
		{ 10, 11, 1, 60, 11 },	   { 10, 10000, 119, 60, 22 }, { 1, 1000, 10, 1, 22 },
		{ 0, 1000, 10, 60, 1000 }, { 10, 5, 600, 60, 5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct told t;
		struct fold *f = make(16, cases[i].burst, cases[i].window_s, &t);
		unsigned single = 0;

		for (unsigned n = 0; n < cases[i].matches; n++) {
			uint64_t at = start_ns + n * (cases[i].span_s * second_ns / cases[i].matches);

			single += fold_admit(f, "A shell", "web", 0, at);
		}
		assert_int_equal(fold_total(f), cases[i].matches - single);
		fold_free(f);
		assert_int_equal(single + t.count, cases[i].matches);
		if (single + t.calls > cases[i].most_told)
			fail_msg("case %zu: %u single and %u folded", i, single, t.calls);
	}
}

static void something_else_is_told_though_the_burst_is_over(void **state)
{
	struct told t;
	struct fold *f = make(16, 10, 60, &t);
	unsigned single = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		(void)fold_admit(f, "A", "web", 1, start_ns + i);
	assert_true(fold_admit(f, "A", "web", 2, start_ns + 1000)); /* the deed among the noise */
	assert_false(fold_admit(f, "A", "web", 2, start_ns + 1001));
	assert_false(fold_admit(f, "A", "web", 1, start_ns + 1002));
	/* A storm of nothing but new ones is folded nevertheless. */
	for (unsigned i = 0; i < 100000; i++)
		single += fold_admit(f, "A", "db", i, start_ns + i);
	assert_int_equal(single, FOLD_SUBJECTS);
	assert_true(fold_admit(f, "A", "web", 1, start_ns + 60 * second_ns));
	assert_true(fold_admit(f, "A", "web", 2, start_ns + 60 * second_ns));
	fold_free(f);
}

static void containers_and_rules_are_folded_apart(void **state)
{
	struct told t;
	struct fold *f = make(16, 1, 60, &t);

	(void)state;
	assert_true(fold_admit(f, "A", "web", 0, start_ns));
	assert_true(fold_admit(f, "A", "", 0, start_ns));
	assert_true(fold_admit(f, "B", "web", 0, start_ns));
	assert_false(fold_admit(f, "A", "web", 0, start_ns));
	assert_false(fold_admit(f, "A", "", 0, start_ns));
	fold_free(f);
	assert_int_equal(t.calls, 2);
}

static void the_sample_and_both_times_are_told_when_the_window_ends(void **state)
{
	struct told t;
	struct fold *f = make(16, 1, 60, &t);

	(void)state;
	assert_true(fold_admit(f, "A", "web", 0, start_ns));
	assert_false(fold_wants_sample(f, "A", "web")); /* nothing folded yet */
	assert_false(fold_admit(f, "A", "web", 0, start_ns + 5));
	assert_true(fold_wants_sample(f, "A", "web"));
	fold_sample(f, "A", "web", SLICE_LIT("first"));
	assert_false(fold_wants_sample(f, "A", "web"));
	fold_sample(f, "A", "web", SLICE_LIT("second")); /* once a window */
	assert_false(fold_admit(f, "A", "web", 0, start_ns + 9));
	fold_tick(f, start_ns + 60 * second_ns - 1);
	assert_int_equal(t.calls, 0);
	fold_tick(f, start_ns + 60 * second_ns);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.count, 2);
	assert_int_equal(t.first, start_ns + 5);
	assert_int_equal(t.last, start_ns + 9);
	assert_string_equal(t.sample, "first");
	assert_string_equal(t.rule, "A");
	assert_string_equal(t.container_id, "web");
	assert_true(fold_admit(f, "A", "web", 0, start_ns + 61 * second_ns));
	fold_free(f);
	assert_int_equal(t.calls, 1);
}

static void a_full_table_tells_one_by_one(void **state)
{
	struct told t;
	struct fold *f = make(4, 1, 60, &t);
	unsigned single = 0;
	char id[16];

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		snprintf(id, sizeof(id), "c%u", i % 100);
		single += fold_admit(f, "A", id, 0, start_ns);
	}
	assert_int_equal(single, 4 + 96 * 4);
	fold_tick(f, start_ns + 60 * second_ns);
	assert_int_equal(single + t.count, 400);
	assert_true(fold_admit(f, "A", "new", 0, start_ns)); /* there is room again */
	assert_false(fold_admit(f, "A", "new", 0, start_ns));
	fold_free(f);
}

static void an_event_that_waited_does_not_end_a_window_and_a_clock_set_back_does(void **state)
{
	struct told t;
	struct fold *f = make(4, 1, 60, &t);

	(void)state;
	assert_true(fold_admit(f, "A", "", 0, start_ns));
	assert_false(fold_admit(f, "A", "", 0, start_ns - second_ns / 2));
	assert_int_equal(t.calls, 0);
	assert_true(fold_admit(f, "A", "", 0, start_ns - 3600 * second_ns));
	assert_int_equal(t.calls, 1);
	fold_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(storms_are_told_in_few_findings_and_counted_whole),
		cmocka_unit_test(something_else_is_told_though_the_burst_is_over),
		cmocka_unit_test(containers_and_rules_are_folded_apart),
		cmocka_unit_test(the_sample_and_both_times_are_told_when_the_window_ends),
		cmocka_unit_test(a_full_table_tells_one_by_one),
		cmocka_unit_test(an_event_that_waited_does_not_end_a_window_and_a_clock_set_back_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
