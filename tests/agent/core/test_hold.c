/* Events that wait for their container's name. */
#include "agent/hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define WEB "0000000000000000000000000000000000000000000000000000000000000001"
#define DB "0000000000000000000000000000000000000000000000000000000000000002"

struct seen {
	struct hold *h;
	char order[256];   /* the numbers judged, each followed by a blank */
	char last_exe[64];
	unsigned add_again, release_again; /* so many times, from within */
	uint64_t next;
};

static void add(struct seen *s, uint64_t seq, const char *id, uint64_t deadline)
{
	char exe[32], args[] = "a\0b";
	struct event e = { .type = EV_EXEC, .p = { .pid = (uint32_t)seq } };

	snprintf(exe, sizeof(exe), "/bin/tool-%u", (unsigned)seq);
	e.p.exe = slice_of(exe);
	e.p.name = slice_of(exe + 5);
	e.p.args = slice_from(args, sizeof(args));
	e.call.path = e.call.raw2 = e.call.base = e.p.exe;
	e.call.data = e.p.args;
	hold_add(s->h, &e, seq, id, deadline);
	memset(exe, '?', sizeof(exe)); /* what was borrowed is gone */
	memset(args, '?', sizeof(args));
}

static void judge(void *arg, const struct event *e, uint64_t seq)
{
	struct seen *s = arg;
	char want[32];
	size_t n = strlen(s->order);

	snprintf(want, sizeof(want), "/bin/tool-%u", (unsigned)seq);
	assert_true(slice_is(e->p.exe, want));
	assert_true(slice_is(e->p.name, want + 5));
	assert_true(slice_eq(e->p.args, slice_from("a\0b", 4)));
	assert_true(slice_is(e->call.path, want) && slice_is(e->call.raw2, want) && slice_is(e->call.base, want));
	assert_true(slice_eq(e->call.data, slice_from("a\0b", 4)));
	assert_int_equal(e->p.cwd.n, 0);
	assert_int_equal(e->p.pid, seq);
	snprintf(s->order + n, sizeof(s->order) - n, "%u ", (unsigned)seq);
	if (s->add_again) {
		s->add_again--;
		add(s, s->next++, WEB, 5);
	}
	if (s->release_again) {
		s->release_again--;
		hold_release(s->h, WEB);
		hold_release(s->h, DB);
	}
}

static struct seen *begin(size_t max)
{
	static struct seen s;

	s = (struct seen){ .next = 100 };
	assert_int_equal(hold_new(max, 1 << 20, judge, &s, &s.h, NULL), 0);
	return &s;
}

static void a_named_container_releases_its_own_in_order(void **state)
{
	struct seen *s = begin(10);

	add(s, 1, WEB, 50);
	add(s, 2, DB, 50);
	add(s, 3, WEB, 50);
	add(s, 4, DB, 50);
	assert_string_equal(s->order, "");
	hold_release(s->h, WEB);
	assert_string_equal(s->order, "1 3 ");
	hold_release(s->h, WEB);
	hold_release(s->h, "unknown");
	assert_string_equal(s->order, "1 3 ");
	add(s, 5, DB, 50); /* the list's end is where it should be */
	hold_release(s->h, DB);
	assert_string_equal(s->order, "1 3 2 4 5 ");
	add(s, 6, DB, 50);
	assert_int_equal(hold_expire(s->h, 50), 0);
	assert_string_equal(s->order, "1 3 2 4 5 6 ");
	hold_free(s->h);
}

static void what_waited_long_enough_is_judged_without_a_name(void **state)
{
	struct seen *s = begin(10);

	add(s, 1, WEB, 10);
	add(s, 2, DB, 30);
	add(s, 3, WEB, 20); /* a shorter wait is not held up by a longer one */
	assert_int_equal(hold_expire(s->h, 9), 3);
	assert_int_equal(hold_expire(s->h, 10), 2);
	assert_int_equal(hold_expire(s->h, 29), 1);
	assert_string_equal(s->order, "1 3 ");
	assert_int_equal(hold_expire(s->h, UINT64_MAX), 0);
	assert_string_equal(s->order, "1 3 2 ");
	hold_free(s->h);
}

static void a_full_list_judges_the_oldest(void **state)
{
	struct seen *s = begin(3);

	for (uint64_t i = 1; i <= 7; i++)
		add(s, i, i % 2 ? WEB : DB, 50);
	assert_string_equal(s->order, "1 2 3 4 ");
	assert_int_equal(hold_expire(s->h, 0), 3);
	hold_free(s->h);
	assert_string_equal(s->order, "1 2 3 4 5 6 7 ");
}

static void count(void *arg, const struct event *e, uint64_t seq)
{
	++*(unsigned *)arg;
}

static void long_arguments_do_not_make_the_list_grow_past_its_bytes(void **state)
{
	CLEANUP(hold_freep) struct hold *h = NULL;
	static const char args[8191];
	struct event e = { .type = EV_EXEC, .p = { .args = { args, sizeof(args) } } };
	unsigned judged = 0;

	assert_int_equal(hold_new(1000, 100000, count, &judged, &h, NULL), 0);
	for (unsigned i = 0; i < 100; i++)
		hold_add(h, &e, i, WEB, 50);
	assert_in_range(judged, 100 - 100000 / sizeof(args), 91);
	hold_release(h, WEB);
	assert_int_equal(judged, 100);
	for (unsigned i = 0; i < 10; i++) /* what left the list counts no more */
		hold_add(h, &e, i, WEB, 50);
	assert_int_equal(judged, 100);
}

static void a_list_without_room_judges_at_once(void **state)
{
	struct seen *s = begin(0);

	add(s, 1, WEB, 50);
	add(s, 2, WEB, 50);
	assert_string_equal(s->order, "1 2 ");
	hold_free(s->h);
}

static void judging_may_add_again(void **state)
{
	struct seen *s = begin(3);

	add(s, 1, WEB, 50);
	add(s, 2, WEB, 50);
	s->add_again = 2;
	hold_release(s->h, WEB); /* the new ones wait for the next time */
	assert_string_equal(s->order, "1 2 ");
	assert_int_equal(hold_expire(s->h, 0), 2);
	s->add_again = 2;
	assert_int_equal(hold_expire(s->h, 10), 2);
	assert_string_equal(s->order, "1 2 100 101 ");
	hold_free(s->h);
	assert_string_equal(s->order, "1 2 100 101 102 103 ");
}

static void judging_may_add_to_a_full_list(void **state)
{
	struct seen *s = begin(2);

	add(s, 1, WEB, 50);
	add(s, 2, WEB, 50);
	s->add_again = 3;
	add(s, 3, DB, 50);
	assert_string_equal(s->order, "1 2 3 100 ");
	assert_int_equal(hold_expire(s->h, 0), 2); /* still bounded */
	s->add_again = 2;
	hold_release(s->h, WEB);
	assert_string_equal(s->order, "1 2 3 100 101 102 ");
	assert_int_equal(hold_expire(s->h, 0), 2);
	s->add_again = 1; /* while it closes: judged at once */
	hold_free(s->h);
	assert_string_equal(s->order, "1 2 3 100 101 102 103 105 104 ");
}

static void judging_may_release_again(void **state)
{
	struct seen *s = begin(5);

	add(s, 1, WEB, 50);
	add(s, 2, DB, 50);
	add(s, 3, WEB, 50);
	add(s, 4, DB, 50);
	s->release_again = 3;
	hold_release(s->h, WEB);
	assert_string_equal(s->order, "1 2 4 3 ");
	assert_int_equal(hold_expire(s->h, 0), 0);
	hold_free(s->h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_named_container_releases_its_own_in_order),
		cmocka_unit_test(what_waited_long_enough_is_judged_without_a_name),
		cmocka_unit_test(a_full_list_judges_the_oldest),
		cmocka_unit_test(long_arguments_do_not_make_the_list_grow_past_its_bytes),
		cmocka_unit_test(a_list_without_room_judges_at_once),
		cmocka_unit_test(judging_may_add_again),
		cmocka_unit_test(judging_may_add_to_a_full_list),
		cmocka_unit_test(judging_may_release_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
