/* test_wanted.c - the order and the bounds of what waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/audit/live/wanted.h"

static void add(struct wanted_queue *q, const char *subject, const char *id, const char *trigger)
{
	assert_int_equal(wanted_add(q, subject, id, trigger, 7, NULL), 0);
}

static void assert_next(struct wanted_queue *q, const char *key, const char *trigger)
{
	struct wanted *w = wanted_first(q);

	assert_non_null(w);
	assert_string_equal(w->key, key);
	assert_string_equal(w->trigger, trigger);
	wanted_take(q, w);
	free(w);
}

static void starts_come_first_and_in_their_order(void **state)
{
	struct wanted_queue q;

	wanted_init(&q);
	add(&q, "image", "a", "image");
	add(&q, "container", "b", "daily");
	add(&q, "container", "c", "start");
	add(&q, "container", "b", "start"); /* it waited for its day */
	add(&q, "container", "c", "update");
	assert_int_equal(wanted_count(&q), 3);
	assert_next(&q, "container c", "start");
	assert_next(&q, "container b", "start");
	assert_next(&q, "image a", "image");
	assert_null(wanted_first(&q));
	wanted_fini(&q);
}

static void what_is_dropped_or_returned(void **state)
{
	struct wanted_queue q;

	wanted_init(&q);
	add(&q, "container", "a", "start");
	add(&q, "container", "b", "daily");
	wanted_drop(&q, "container", "a");
	wanted_drop(&q, "container", "nosuch");
	struct wanted *w = wanted_first(&q);
	assert_string_equal(w->key, "container b");
	wanted_take(&q, w);
	assert_int_equal(wanted_count(&q), 0);
	assert_true(wanted_return(&q, w));
	assert_int_equal(wanted_count(&q), 1);
	wanted_take(&q, w);
	add(&q, "container", "b", "start");
	assert_false(wanted_return(&q, w)); /* another waits already */
	free(w);
	wanted_fini(&q);
}

static void a_full_queue_has_room_for_who_starts(void **state)
{
	struct wanted_queue q;
	char id[16], absurd[200] = { 0 };

	wanted_init(&q);
	for (unsigned i = 0; i < WANTED_MAX; i++) {
		snprintf(id, sizeof(id), "%u", i);
		add(&q, "image", id, "daily");
	}
	assert_int_equal(wanted_add(&q, "image", "one-more", "daily", 7, NULL), -ERR_LIMIT);
	add(&q, "container", "a", "start");
	memset(absurd, 'a', sizeof(absurd) - 1);
	assert_int_equal(wanted_add(&q, "container", absurd, "start", 7, NULL), -ERR_LIMIT);
	assert_next(&q, "container a", "start");
	wanted_fini(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_come_first_and_in_their_order),
		cmocka_unit_test(what_is_dropped_or_returned),
		cmocka_unit_test(a_full_queue_has_room_for_who_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
